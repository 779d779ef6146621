/** The limits of a batch; its other rules are cases of the conformance suite. */
import { expect, test } from 'vitest'
import { batchBytesMax, LogOutline, snapshotBytesMax } from '../../src/storage/batch.ts'
import type { WriteBatch } from '../../src/storage/port.ts'

/** Only its length is looked at; that much memory is not needed to say so. */
const ofLength = (byteLength: number): Uint8Array => ({ byteLength }) as Uint8Array

const accept = (batch: WriteBatch): unknown =>
  new LogOutline({ baseIndex: 0, snapshot: undefined, entries: [] }).accept(batch)

test.each([
  {
    what: 'a snapshot',
    max: snapshotBytesMax,
    batchOf: (n: number) => ({ snapshot: { index: 1, term: 1, data: ofLength(n) } })
  },
  {
    what: 'cells',
    max: batchBytesMax,
    batchOf: (n: number) => ({ cells: [1, n - 1].map((part) => ({ name: 'x', value: ofLength(part) })) })
  },
  {
    what: 'entries',
    max: batchBytesMax,
    batchOf: (n: number) => ({ entries: [{ index: 1, term: 1, type: 1, data: ofLength(n) }] })
  }
])('$what: as many bytes as are allowed, and not one more', ({ max, batchOf }) => {
  expect(() => accept(batchOf(max))).not.toThrow()
  expect(() => accept(batchOf(max + 1))).toThrow(`of ${max + 1} bytes is larger than ${max}`)
})
