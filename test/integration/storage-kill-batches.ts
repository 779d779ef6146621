/** What the killed process writes: batch i holds entry i and a cell that says i, so that half a batch can be seen. */
import { utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/hash.ts'
import type { StoreOwner, StoredEntry, WriteBatch } from '../../src/storage/port.ts'

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

export const batchOf = (index: number): WriteBatch => ({
  cells: [{ name: 'last', value: utf8(String(index)) }],
  entries: [entryOf(index)]
})
