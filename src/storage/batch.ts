/** The rules of a batch, the same for every store: a batch that breaks one is a bug of the caller and changes nothing. */
import { invariant } from '../core/invariant.ts'
import type { StoredEntry, WriteBatch } from './port.ts'

/** Values and entries together, in one batch. */
export const batchBytesMax = 16 * 1024 * 1024

const cellName = /^[a-z0-9.-]{1,32}$/

export const isCellName = (name: string): boolean => cellName.test(name)

/** Returns the last index of the log after the batch. */
export function checkBatch(batch: WriteBatch, lastIndex: number): number {
  let bytes = 0
  for (const { name, value } of batch.cells ?? []) {
    invariant(isCellName(name), () => `cell name ${JSON.stringify(name)} is not 1 to 32 of a-z, 0-9, '-', '.'`)
    bytes += value.byteLength
  }
  const entries = batch.entries ?? []
  for (const entry of entries) {
    invariant(Number.isSafeInteger(entry.term) && entry.term >= 0, () => `entry term ${entry.term}`)
    invariant(Number.isInteger(entry.type) && entry.type >= 0 && entry.type <= 255, () => `entry type ${entry.type}`)
    bytes += entry.data.byteLength
  }
  invariant(bytes <= batchBytesMax, () => `a batch of ${bytes} bytes is larger than ${batchBytesMax}`)
  return checkIndexes(entries, lastIndex)
}

function checkIndexes(entries: readonly StoredEntry[], lastIndex: number): number {
  const first = entries[0]
  if (first === undefined) return lastIndex
  invariant(
    Number.isSafeInteger(first.index) && first.index >= 1 && first.index <= lastIndex + 1,
    () => `entry ${first.index} does not join a log that ends at ${lastIndex}`
  )
  entries.forEach((entry, i) =>
    invariant(entry.index === first.index + i, () => `entry ${entry.index} follows ${first.index + i - 1} in one batch`)
  )
  return first.index + entries.length - 1
}
