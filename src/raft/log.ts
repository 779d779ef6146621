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
 * Left out for now: the log starts at index 1 and is held whole; snapshots and compaction will move its beginning.
 */
import { invariant } from '../core/invariant.ts'
import type { Entry } from './types.ts'

/** What an entry weighs beside its data when bytes are counted. */
const ENTRY_OVERHEAD_BYTES = 32

export const entryBytes = (entry: Entry): number => entry.data.byteLength + ENTRY_OVERHEAD_BYTES

interface Run {
  readonly term: number
  readonly first: number
}

export class Log {
  lastIndex = 0
  lastTerm = 0
  commit = 0
  stable = 0
  emitted = 0
  readonly #entries: Entry[] = []
  readonly #runs: Run[] = []

  constructor(recovered: readonly Entry[]) {
    for (const entry of recovered) this.append(entry)
    this.stable = this.lastIndex
  }

  /** 0 before the first entry, undefined after the last. */
  termAt(index: number): number | undefined {
    return index === 0 ? 0 : this.#entries[index - 1]?.term
  }

  at(index: number): Entry {
    const entry = this.#entries[index - 1]
    invariant(entry !== undefined, () => `no entry ${index} in a log of ${this.lastIndex}`)
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
    this.#entries.length = index - 1
    while (this.#runs.length > 0 && this.#runs.at(-1)!.first >= index) this.#runs.pop()
    this.lastIndex = index - 1
    this.lastTerm = this.#runs.at(-1)?.term ?? 0
    if (this.stable > this.lastIndex) this.stable = this.lastIndex
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

  /** The largest index up to `index` whose term is at most `term`; 0 when there is none. */
  lastOfTermAtMost(index: number, term: number): number {
    let low = 0
    let high = this.#runs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#runs[middle]!.term <= term) low = middle + 1
      else high = middle
    }
    const end = low < this.#runs.length ? this.#runs[low]!.first - 1 : this.lastIndex
    return Math.min(index, end)
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
    return this.#entries.slice(from - 1, end)
  }

  /** Everything from `from` on. */
  tail(from: number): readonly Entry[] {
    return this.#entries.slice(from - 1)
  }
}

const NONE: readonly Entry[] = []
