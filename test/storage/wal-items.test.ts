/** What stands in a frame is read as it was written, in the order of the port, from bytes as docs/protocol/storage.md has them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../src/core/hash.ts'
import { encodeBatch, encodeCheckpoint, readItems, readPosition } from '../../src/storage/wal/items.ts'
import type { ItemReader, LogBatch } from '../../src/storage/wal/items.ts'
import type { SnapshotRef } from '../../src/storage/wal/snapshot-file.ts'
import { packed } from './harness.ts'

type Item = readonly [string, ...unknown[]]

/** What was read, and whether all of it could be. */
function itemsOf(body: Uint8Array): { items: Item[]; isWhole: boolean } {
  const items: Item[] = []
  const reader: ItemReader = {
    cell: (name, value) => items.push(['cell', name, value]),
    entry: (entry) => items.push(['entry', entry]),
    position: (position) => items.push(['position', position]),
    snapshot: (ref, beginsAnew) => items.push(['snapshot', ref, beginsAnew]),
    compaction: (index) => items.push(['compaction', index]),
    givenUp: (number) => items.push(['givenUp', number])
  }
  const isWhole = readItems(body, reader)
  return { items, isWhole }
}

function itemsIn({ cells = [], snapshot, beginsAnew, compactTo, givenUp, entries = [] }: LogBatch): Item[] {
  return [
    ...cells.map(({ name, value }): Item => ['cell', name, value]),
    ...(snapshot === undefined ? [] : [['snapshot', snapshot, beginsAnew === true] as const]),
    ...(compactTo === undefined ? [] : [['compaction', compactTo] as const]),
    ...(givenUp === undefined ? [] : [['givenUp', givenUp] as const]),
    ...entries.map((entry): Item => ['entry', entry])
  ]
}

const bytes = fc.uint8Array({ maxLength: 40 })
const name = fc.stringMatching(/^[a-z0-9.-]{1,32}$/)
const number = fc.maxSafeNat()
const snapshotRef: fc.Arbitrary<SnapshotRef> = fc
  .record({ number, index: number, term: number, bytes: number, seed: bytes })
  .map(({ seed, ...ref }) => ({ ...ref, digest: sha256(seed) }))
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const cells = fc.array(fc.record({ name, value: bytes }), { maxLength: 4 })
const batch = fc.record({
  cells,
  snapshot: maybe(snapshotRef),
  beginsAnew: fc.boolean(),
  compactTo: maybe(number),
  givenUp: maybe(number),
  entries: fc.array(fc.record({ index: number, term: number, type: fc.nat(255), data: bytes }), { maxLength: 4 })
})

describe('a batch', () => {
  test('is read as it was written, wherever it lies in memory', () => {
    const property = fc.property(batch, (content) => {
      const body = Uint8Array.of(1, 2, 3, ...encodeBatch(content)).subarray(3)
      expect(itemsOf(body)).toEqual({ items: itemsIn(content), isWhole: true })
    })
    fc.assert(property, { numRuns: 100 })
  })

  test('that is cut anywhere holds its first items, whole, and says so', () => {
    const property = fc.property(batch, fc.nat(), (content, at) => {
      const all = itemsIn(content)
      const body = encodeBatch(content)
      const end = at % (body.byteLength + 1)
      const { items, isWhole } = itemsOf(body.subarray(0, end))
      expect(items).toEqual(all.slice(0, items.length))
      expect(isWhole).toBe(lengthOf(content, items.length) === end)
      expect(lengthOf(content, items.length)).toBeLessThanOrEqual(end)
    })
    fc.assert(property, { numRuns: 100 })
  })

  test('stands on disk as the table says', () => {
    const digest = sha256(new Uint8Array())
    const hex = (content: LogBatch): string => Buffer.from(encodeBatch(content)).toString('hex')
    expect(hex({})).toBe('')
    expect(hex({ cells: [{ name: 'ab', value: Uint8Array.of(7) }] })).toBe(packed('01 02 00000001 6162 07'))
    expect(hex({ entries: [{ index: 2, term: 3, type: 4, data: Uint8Array.of(5) }] })).toBe(
      packed('02 04 0000000000000002 0000000000000003 00000001 05')
    )
    for (const beginsAnew of [true, false, undefined]) {
      const anew = beginsAnew === undefined ? {} : { beginsAnew }
      expect(hex({ snapshot: { number: 1, index: 2, term: 3, bytes: 4, digest }, ...anew })).toBe(
        `04${beginsAnew === true ? '01' : '00'}0000000000000001000000000000000200000000000000030000000000000004` +
          Buffer.from(digest).toString('hex')
      )
    }
    expect(hex({ compactTo: 8, givenUp: 9 })).toBe(packed('05 0000000000000008 06 0000000000000009'))
  })
})

/** Of the first `count` items. */
function lengthOf(content: LogBatch, count: number): number {
  const sizes = [
    ...(content.cells ?? []).map((cell) => 6 + cell.name.length + cell.value.byteLength),
    ...(content.snapshot === undefined ? [] : [66]),
    ...(content.compactTo === undefined ? [] : [9]),
    ...(content.givenUp === undefined ? [] : [9]),
    ...(content.entries ?? []).map(({ data }) => 22 + data.byteLength)
  ]
  return sizes.slice(0, count).reduce((sum, size) => sum + size, 0)
}

describe('a checkpoint', () => {
  test('is the position, its snapshots and the cells', () => {
    const property = fc.property(
      fc.record({ baseIndex: number, lastIndex: number, snapshots: fc.array(snapshotRef, { maxLength: 2 }) }),
      cells,
      ({ snapshots, ...position }, restated) => {
        const values = new Map(restated.map((cell) => [cell.name, cell.value]))
        const body = new Uint8Array(Buffer.concat(encodeCheckpoint({ ...position, snapshots }, values)))
        expect(readPosition(body)).toEqual(position)
        expect(itemsOf(body)).toEqual({
          items: [
            ['position', position],
            ...snapshots.map((ref): Item => ['snapshot', ref, false]),
            ...[...values].map((cell): Item => ['cell', ...cell])
          ],
          isWhole: true
        })
      }
    )
    fc.assert(property, { numRuns: 50 })
  })

  test('has no position when it does not begin with a whole one', () => {
    const [head] = encodeCheckpoint({ baseIndex: 3, lastIndex: 4, snapshots: [] }, new Map())
    expect(readPosition(head!)).toEqual({ baseIndex: 3, lastIndex: 4 })
    expect(readPosition(head!.subarray(0, -1))).toBeUndefined()
    expect(readPosition(head!.slice().fill(5, 0, 1))).toBeUndefined()
    expect(readPosition(new Uint8Array())).toBeUndefined()
  })
})

test('a name that no cell can have is refused, each byte as a character of its own', () => {
  const cell = (...text: number[]): Uint8Array => Uint8Array.of(1, text.length, 0, 0, 0, 0, ...text)
  expect(itemsOf(cell(0x61, 0x2e)).isWhole).toBe(true)
  for (const text of [[0x41], [0x20], [0xe1], [], Array.from({ length: 33 }, () => 0x61)]) {
    expect(itemsOf(cell(...text))).toEqual({ items: [], isWhole: false })
  }
})
