/** The limits of a batch, and the outline of the log against the model; the other rules are cases of the conformance suite. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { randomStep, StorageModel } from '../../src/conformance/storage-model.ts'
import { seededRandom } from '../../src/core/random.ts'
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

test('the outline knows where the log ends and which entries it holds, whatever happened to it', () => {
  const property = fc.property(fc.nat(), (seed) => {
    const random = seededRandom(seed)
    const outline = new LogOutline({ baseIndex: 0, snapshot: undefined, entries: [] })
    const model = new StorageModel()
    for (let step = 0; step < 40; step++) {
      const batch = randomStep(random, model, 1)
      const { snapshot } = batch
      const isInLog = model.entries.some(({ index, term }) => index === snapshot?.index && term === snapshot.term)
      expect(outline.accept(batch).beginsAnew).toBe(snapshot !== undefined && !isInLog)
      model.apply(batch)
      const gap = { index: model.lastIndex + 2, term: 1, type: 1, data: new Uint8Array() }
      expect(() => outline.accept({ entries: [gap] })).toThrow(`ends at ${model.lastIndex}`)
    }
  })
  fc.assert(property, { numRuns: 100 })
})

test('a snapshot goes on with a log that holds its entry, and no other, also one that ends before it in its term', () => {
  const entries = [1, 2, 3].map((index) => ({ index, term: index === 1 ? 1 : 2, type: 0, data: new Uint8Array() }))
  for (const [index, term, beginsAnew] of [
    [1, 1, false],
    [1, 2, true],
    [2, 2, false],
    [3, 2, false],
    [3, 1, true],
    [4, 2, true]
  ] as const) {
    const outline = new LogOutline({ baseIndex: 0, snapshot: undefined, entries })
    expect(outline.accept({ snapshot: { index, term, data: new Uint8Array() } })).toEqual({ beginsAnew })
  }
})
