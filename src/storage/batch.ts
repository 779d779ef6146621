/**
 * The rules of a batch, the same for every store: a batch that breaks one is a bug of the caller and changes nothing.
 *
 * They need the outline of the log that the batch will meet, which is that of the disk and of all batches that wait: where
 * it begins and ends, the newest snapshot, and the term of every entry (as runs, since terms seldom change).
 */
import { invariant } from '../core/invariant.ts'
import type { StoredEntry, StoredSnapshot, WriteBatch } from './port.ts'

/** Values and entries together, in one batch. */
export const batchBytesMax = 16 * 1024 * 1024
export const snapshotBytesMax = 256 * 1024 * 1024

const cellName = /^[a-z0-9.-]{1,32}$/

export const isCellName = (name: string): boolean => cellName.test(name)

/** Entries from `from` on have this term, up to the next run. */
interface TermRun {
  readonly from: number
  readonly term: number
}

export interface LogOutlineInit {
  /** Entries up to here are gone. */
  readonly baseIndex: number
  readonly snapshot: Pick<StoredSnapshot, 'index' | 'term'> | undefined
  readonly entries: readonly StoredEntry[]
}

export class LogOutline {
  #lastIndex: number
  #snapshotIndex: number
  #runs: TermRun[] = []

  constructor({ baseIndex, snapshot, entries }: LogOutlineInit) {
    this.#lastIndex = baseIndex
    this.#snapshotIndex = snapshot?.index ?? 0
    this.#append(entries)
  }

  /** Takes the batch, or throws and is unchanged. `beginsAnew`: its snapshot replaces a log that does not lead to it. */
  accept(batch: WriteBatch): { readonly beginsAnew: boolean } {
    const { snapshot, compactTo, entries = [] } = batch
    checkSizes(batch)
    if (snapshot !== undefined) this.#checkSnapshot(snapshot)
    const beginsAnew = snapshot !== undefined && this.#termAt(snapshot.index) !== snapshot.term
    const snapshotIndex = snapshot?.index ?? this.#snapshotIndex
    if (compactTo !== undefined) checkCompaction(compactTo, snapshotIndex)
    checkIndexes(entries, snapshotIndex, beginsAnew ? snapshotIndex : this.#lastIndex)
    this.#snapshotIndex = snapshotIndex
    if (beginsAnew) {
      this.#lastIndex = snapshotIndex
      this.#runs = []
    }
    this.#forget(compactTo ?? 0)
    this.#append(entries)
    return { beginsAnew }
  }

  #checkSnapshot({ index, term }: StoredSnapshot): void {
    invariant(
      Number.isSafeInteger(index) && index > this.#snapshotIndex,
      () => `snapshot ${index} does not lie beyond snapshot ${this.#snapshotIndex}`
    )
    invariant(Number.isSafeInteger(term) && term >= 0, () => `snapshot term ${term}`)
  }

  /** Undefined beyond the end. Nobody asks for what is gone: a snapshot lies beyond the one that a compaction rests on. */
  #termAt(index: number): number | undefined {
    if (index > this.#lastIndex) return undefined
    return this.#runs.findLast(({ from }) => from <= index)?.term
  }

  /** Nobody asks for the terms of entries that are gone. */
  #forget(index: number): void {
    const firstNeeded = this.#runs.findLastIndex(({ from }) => from <= index + 1)
    if (firstNeeded > 0) this.#runs.splice(0, firstNeeded)
  }

  #append(entries: readonly StoredEntry[]): void {
    const first = entries[0]
    if (first === undefined) return
    while ((this.#runs.at(-1)?.from ?? 0) >= first.index) this.#runs.pop()
    for (const { index, term } of entries) {
      if (this.#runs.at(-1)?.term !== term) this.#runs.push({ from: index, term })
    }
    this.#lastIndex = first.index + entries.length - 1
  }
}

function checkSizes({ cells = [], snapshot, entries = [] }: WriteBatch): void {
  let bytes = 0
  for (const { name, value } of cells) {
    invariant(isCellName(name), () => `cell name ${JSON.stringify(name)} is not 1 to 32 of a-z, 0-9, '-', '.'`)
    bytes += value.byteLength
  }
  for (const { term, type, data } of entries) {
    invariant(Number.isSafeInteger(term) && term >= 0, () => `entry term ${term}`)
    invariant(Number.isInteger(type) && type >= 0 && type <= 255, () => `entry type ${type}`)
    bytes += data.byteLength
  }
  invariant(bytes <= batchBytesMax, () => `a batch of ${bytes} bytes is larger than ${batchBytesMax}`)
  const snapshotBytes = snapshot?.data.byteLength ?? 0
  invariant(
    snapshotBytes <= snapshotBytesMax,
    () => `a snapshot of ${snapshotBytes} bytes is larger than ${snapshotBytesMax}`
  )
}

function checkCompaction(compactTo: number, snapshotIndex: number): void {
  invariant(
    Number.isSafeInteger(compactTo) && compactTo >= 0 && compactTo <= snapshotIndex,
    () => `entries up to ${compactTo} cannot go: the newest snapshot ends at ${snapshotIndex}`
  )
}

function checkIndexes(entries: readonly StoredEntry[], snapshotIndex: number, lastIndex: number): void {
  const first = entries[0]
  if (first === undefined) return
  invariant(
    Number.isSafeInteger(first.index) && first.index >= 1 && first.index <= lastIndex + 1,
    () => `entry ${first.index} does not join a log that ends at ${lastIndex}`
  )
  invariant(
    first.index > snapshotIndex,
    () => `entry ${first.index} lies in the snapshot that ends at ${snapshotIndex}`
  )
  entries.forEach((entry, i) =>
    invariant(entry.index === first.index + i, () => `entry ${entry.index} follows ${first.index + i - 1} in one batch`)
  )
}
