/**
 * What the killed process writes: batch i holds entry i and a cell that says i, so that half a batch can be seen. Every 25th
 * brings a snapshot of all before it and lets go what is further back than 40 entries.
 */
import { utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/hash.ts'
import type { Recovered, StoredEntry, StoredSnapshot, StoreOwner, WriteBatch } from '../../src/storage/port.ts'

export const killOwner = (storeId: Uint8Array): StoreOwner => ({
  domainId: sha256(utf8('kill')),
  peerId: '12D3KooWkill',
  storeId
})

export const entryOf = (index: number): StoredEntry => ({
  index,
  term: 1,
  type: index % 256,
  data: new Uint8Array((index * 37) % 1200).map((_, i) => index * 7 + i)
})

const every = 25

/** The newest snapshot when batch `index` has been written. */
export function snapshotBefore(index: number): StoredSnapshot | undefined {
  const last = Math.floor(index / every) * every - 1
  if (last < 0) return undefined
  return { index: last, term: 1, data: new Uint8Array((last * 53) % 40_000).map((_, i) => last + i) }
}

export function batchOf(index: number): WriteBatch {
  const snapshot = index % every === 0 ? snapshotBefore(index) : undefined
  return {
    cells: [{ name: 'last', value: utf8(String(index)) }],
    ...(snapshot && { snapshot, compactTo: Math.max(0, index - 40) }),
    entries: [entryOf(index)]
  }
}

export const lastIndexOf = ({ entries }: Recovered): number => entries.at(-1)?.index ?? 0
