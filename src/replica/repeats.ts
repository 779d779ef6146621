/**
 * Keeps what one peer does again and again from filling the logs of this node: a few reports at once, then one now and then that
 * says how many were left out.
 */

/** Reports about one peer that are let through at once. */
export const REPORTS_AT_ONCE = 3
/** After those, at most one in this time. */
export const REPORT_EVERY_MS = 10_000
/** Peers and kinds of reports that are counted; beyond it the oldest counts anew. */
const COUNTED_MAX = 2_048

interface Count {
  readonly since: number
  readonly reported: number
  readonly omitted: number
}

export class Repeats {
  readonly #counts = new Map<string, Count>()

  /** The text to report, with the number of those that were not; undefined when this one is not reported. */
  pass(key: string, text: string, now: number): string | undefined {
    const { since, reported, omitted } = this.#counts.get(key) ?? { since: now, reported: 0, omitted: 0 }
    const isFresh = now - since >= REPORT_EVERY_MS
    this.#counts.delete(key)
    if (!isFresh && reported >= REPORTS_AT_ONCE) {
      this.#counts.set(key, { since, reported, omitted: omitted + 1 })
      return undefined
    }
    // Whoever never stops gets one report in each span; whoever was quiet for a whole one begins anew.
    const isQuiet = isFresh && omitted === 0
    this.#counts.set(key, {
      since: isFresh ? now : since,
      reported: isFresh ? (isQuiet ? 1 : REPORTS_AT_ONCE) : reported + 1,
      omitted: 0
    })
    if (this.#counts.size > COUNTED_MAX) this.#counts.delete(this.#counts.keys().next().value!)
    return omitted === 0 ? text : `${text} (and ${omitted} more like it that were not reported)`
  }
}
