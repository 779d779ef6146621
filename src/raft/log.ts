/**
 * The log in memory, and how much of it the disk holds.
 *
 * Three marks move over it: `stable` (our own disk has the entry as it stands here), `commit` (it can never change) and
 * `emitted` (handed to the embedder). `emitted <= min(commit, stable)` always; `stable` and `commit` pass each other
 * freely, because a quorum of others can commit an entry that our own disk is still writing. Truncation lowers `stable`:
 * what the disk holds behind the cut is no longer what the log says (the ABA race of asynchronous writes).
 *
 * Terms never go down along a log, so its runs of equal terms are kept as a short list and answer "the last entry of term
 * t or earlier" by bisection: the conflict hint (paper, end of section 5.3) costs no scan.
 *
 * The log need not begin at index 1. What a snapshot covers may be cut off its beginning, and a snapshot that is ahead of it
 * replaces it whole; `base` is the place just before the first entry that is left. Everything up to `base` is committed, so it
 * matches the log of any leader (leader completeness). After a replacement `stable` and `emitted` stay behind `base` until our
 * own disk has the snapshot.
 */
import { invariant } from '../core/invariant.ts'
import type { Entry, LogPosition } from './types.ts'

/** What an entry weighs beside its data when bytes are counted. */
const ENTRY_OVERHEAD_BYTES = 32

export const entryBytes = (entry: Entry): number => entry.data.byteLength + ENTRY_OVERHEAD_BYTES

/** Before the first entry of all. */
export const LOG_ORIGIN: LogPosition = { index: 0, term: 0 }

interface Run {
  readonly term: number
  readonly first: number
}

export class Log {
  /** What the first entry follows. */
  base: LogPosition
  lastIndex: number
  lastTerm: number
  commit: number
  stable: number
  emitted: number
  #entries: Entry[] = []
  #runs: Run[]

  /** `recovered` follows `base`, all of it on disk; what `base` covers is committed and was handed out. */
  constructor(recovered: readonly Entry[], base = LOG_ORIGIN) {
    this.base = base
    this.#runs = [runFrom(base)]
    this.lastIndex = this.commit = this.emitted = base.index
    this.lastTerm = base.term
    for (const entry of recovered) this.append(entry)
    this.stable = this.lastIndex
  }

  /** Undefined before `base` and after the last entry. */
  termAt(index: number): number | undefined {
    return index === this.base.index ? this.base.term : this.#entries[index - this.base.index - 1]?.term
  }

  at(index: number): Entry {
    const entry = this.#entries[index - this.base.index - 1]
    invariant(entry !== undefined, () => `no entry ${index} in a log from ${this.base.index} to ${this.lastIndex}`)
    return entry
  }

  append(entry: Entry): void {
    invariant(entry.index === this.lastIndex + 1, () => `entry ${entry.index} appended after ${this.lastIndex}`)
    invariant(entry.term >= this.lastTerm, () => `term ${entry.term} appended after ${this.lastTerm}`)
    if (entry.term !== this.lastTerm) this.#runs.push({ term: entry.term, first: entry.index })
    this.#entries.push(entry)
    this.lastIndex = entry.index
    this.lastTerm = entry.term
  }

  /** Drops the entries from `index` on. */
  truncate(index: number): void {
    invariant(index > this.commit, () => `truncation at ${index} would undo the commit of ${this.commit}`)
    this.#entries.length = index - this.base.index - 1
    while (this.#runs.at(-1)!.first >= index) this.#runs.pop()
    this.lastIndex = index - 1
    this.lastTerm = this.#runs.at(-1)!.term
    if (this.stable > this.lastIndex) this.stable = this.lastIndex
  }

  /** Forgets the entries up to `index`, which were handed out. */
  compact(index: number): void {
    invariant(
      index >= this.base.index && index <= this.emitted,
      () =>
        `entries up to ${index} cannot be forgotten: the log begins after ${this.base.index}, ${this.emitted} is out`
    )
    const base = { index, term: this.termAt(index)! }
    this.#entries = this.#entries.slice(index - this.base.index)
    this.#runs = [runFrom(base), ...this.#runs.filter(({ first }) => first > index)]
    this.base = base
  }

  /** Nothing but what a snapshot of `position` covers, all of it committed, none of it on our disk yet. */
  replace(position: LogPosition): void {
    invariant(
      position.index > this.commit,
      () => `a snapshot of ${position.index} would undo the commit of ${this.commit}`
    )
    // What had committed before is what the snapshot covers, and stays on disk until the snapshot is there.
    this.stable = Math.min(this.stable, this.commit)
    this.base = position
    this.#entries = []
    this.#runs = [runFrom(position)]
    this.lastIndex = this.commit = position.index
    this.lastTerm = position.term
  }

  /** True when it moved. */
  commitTo(index: number): boolean {
    if (index <= this.commit) return false
    invariant(index <= this.lastIndex, () => `commit of ${index} in a log of ${this.lastIndex}`)
    this.commit = index
    return true
  }

  /** Paper section 5.4.1: the later last term wins, the longer log among equals (RAFT-HOLES 18, 19). */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex)
  }

  /** The largest index from `base` up to `index` whose term is at most `term`; `base` itself when there is none. */
  lastOfTermAtMost(index: number, term: number): number {
    let low = 0
    let high = this.#runs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#runs[middle]!.term <= term) low = middle + 1
      else high = middle
    }
    const end = low < this.#runs.length ? this.#runs[low]!.first - 1 : this.lastIndex
    return Math.max(this.base.index, Math.min(index, end))
  }

  /** Entries from `from` on, as many as the limits allow, but one whenever there is one. */
  slice(from: number, entriesMax: number, bytesMax: number): readonly Entry[] {
    if (from > this.lastIndex) return NONE
    let end = from
    let bytes = entryBytes(this.at(from))
    while (end < this.lastIndex && end - from + 1 < entriesMax) {
      bytes += entryBytes(this.at(end + 1))
      if (bytes > bytesMax) break
      end++
    }
    return this.#entries.slice(from - this.base.index - 1, end - this.base.index)
  }

  /** The last index that may go when at most so many entries, and so many bytes of them, are kept up to `index`. */
  trailBefore(index: number, entriesMax: number, bytesMax: number): number {
    let cut = index
    let bytes = 0
    while (cut > this.base.index && index - cut < entriesMax) {
      bytes += entryBytes(this.at(cut))
      if (bytes > bytesMax) break
      cut--
    }
    return cut
  }

  /** Everything from `from` on. */
  tail(from: number): readonly Entry[] {
    return this.#entries.slice(from - this.base.index - 1)
  }
}

const NONE: readonly Entry[] = []

/** The run that goes on behind the base of a log, which no truncation reaches. */
const runFrom = ({ index, term }: LogPosition): Run => ({ term, first: index })
