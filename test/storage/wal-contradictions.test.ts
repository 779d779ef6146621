/**
 * Logs whose every checksum is right and that this log would never have written: they are refused, with what contradicts what.
 * Whoever can make them can write in the directory, or found a bug of ours.
 */
import { describe, expect, test } from 'vitest'
import type { StoredEntry } from '../../src/storage/port.ts'
import type { FrameKind } from '../../src/storage/wal/format.ts'
import { encodeBatch, encodeCheckpoint } from '../../src/storage/wal/items.ts'
import type { LogBatch } from '../../src/storage/wal/items.ts'
import { startOfLog } from '../../src/storage/wal/position.ts'
import type { LogPosition } from '../../src/storage/wal/position.ts'
import { Replay } from '../../src/storage/wal/recover.ts'
import { describeSnapshot } from '../../src/storage/wal/snapshot-file.ts'
import type { SnapshotRef } from '../../src/storage/wal/snapshot-file.ts'
import { owner } from './harness.ts'
import { makeSegments } from './segments.ts'
import type { Frame } from './segments.ts'

const entries = (from: number, to: number): StoredEntry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ index: from + i, term: 1, type: 0, data: new Uint8Array(i) }))
const ref = (number: number, index: number): SnapshotRef =>
  describeSnapshot(number, { index, term: 1, data: Uint8Array.of(index) })
const batch = (content: LogBatch): Frame => ['batch', [encodeBatch(content)]]
const valuesOf = (values: readonly [string, number][]): Map<string, Uint8Array> =>
  new Map(values.map(([name, value]) => [name, new Uint8Array(value)]))
const cells = (values: readonly [string, number][]): Frame =>
  batch({ cells: Array.from(valuesOf(values), ([name, value]) => ({ name, value })) })
const checkpoint = (position: LogPosition, restated: readonly [string, number][] = []): Frame => [
  'checkpoint',
  encodeCheckpoint(position, valuesOf(restated))
]
const raw = (kind: FrameKind, ...bytes: number[]): Frame => [kind, [Uint8Array.from(bytes)]]
const u64 = (value: number): number[] => [0, 0, 0, 0, 0, 0, 0, value]

function replayOf(segments: readonly (readonly Frame[])[], first = 1): Replay {
  const replay = new Replay(owner)
  const files = makeSegments(segments, { first })
  for (const file of files) replay.read(file, file === files.at(-1))
  return replay
}

const start = checkpoint(startOfLog)
const log: readonly Frame[] = [start, batch({ entries: entries(1, 6) }), batch({ snapshot: ref(1, 3) })]
const two: readonly Frame[] = [...log, batch({ snapshot: ref(2, 5) })]
const position = { baseIndex: 0, lastIndex: 6, snapshots: [ref(1, 3), ref(2, 5)] }

describe('what this log writes is read', () => {
  test('snapshots, compactions and what was given up, over several segments', () => {
    const { state } = replayOf([two, [checkpoint(position), batch({ givenUp: 2 }), batch({ compactTo: 2 })]])
    expect(state.position).toEqual({ baseIndex: 2, lastIndex: 6, snapshots: [ref(1, 3)] })
    expect(state.entries()).toEqual(entries(1, 6).slice(2))
    expect([state.beganAt, state.missingFrom]).toEqual([6, undefined])
  })

  test('from a later segment on, what was before it is missing until the log has let it go', () => {
    const later = [checkpoint({ ...position, baseIndex: 3 }), batch({ entries: entries(7, 8) })]
    expect(replayOf([later], 4).state.missingFrom).toBe(4)
    const { state } = replayOf([[...later, batch({ snapshot: ref(3, 7), compactTo: 6 })]], 4)
    expect([state.missingFrom, state.entries().map(({ index }) => index)]).toEqual([undefined, [7, 8]])
    const rewritten = replayOf([[checkpoint({ ...position, snapshots: [] }), batch({ entries: entries(1, 2) })]], 4)
    expect([rewritten.state.missingFrom, rewritten.state.position.lastIndex]).toEqual([undefined, 2])
    const anew = replayOf([[...later, batch({ snapshot: ref(3, 20), beginsAnew: true, entries: entries(21, 22) })]], 4)
    expect(anew.state.position).toEqual({ baseIndex: 20, lastIndex: 22, snapshots: [ref(3, 20)] })
    expect(anew.state.entries()).toEqual(entries(21, 22))
  })
})

describe('is refused', () => {
  const digest = [...ref(1, 2).digest]
  test.each<{ what: string; segments: readonly (readonly Frame[])[]; says: RegExp }>([
    { what: 'a gap', segments: [[start, batch({ entries: entries(2, 2) })]], says: /entry 2, and the log ends at 0/ },
    { what: 'entry 0', segments: [[start, batch({ entries: entries(0, 0) })]], says: /entry 0/ },
    { what: 'an entry in the snapshot', segments: [[...log, batch({ entries: entries(3, 3) })]], says: /entry 3/ },
    {
      what: 'an older snapshot',
      segments: [[...two, batch({ snapshot: ref(3, 4) })]],
      says: /snapshot 4 after snapshot 5/
    },
    {
      what: 'the same snapshot',
      segments: [[...two, batch({ snapshot: ref(3, 5) })]],
      says: /snapshot 5 after snapshot 5/
    },
    { what: 'a snapshot beyond the log', segments: [[...log, batch({ snapshot: ref(2, 7) })]], says: /ends at 6/ },
    { what: 'a far compaction', segments: [[...log, batch({ compactTo: 4 })]], says: /up to 4, .* snapshot ends at 3/ },
    { what: 'giving up the only one', segments: [[...log, batch({ givenUp: 1 })]], says: /gives up snapshot 1/ },
    { what: 'giving up the older one', segments: [[...two, batch({ givenUp: 1 })]], says: /gives up snapshot 1/ },
    {
      what: 'another base',
      segments: [two, [checkpoint({ ...position, baseIndex: 1 })]],
      says: /from 1 to 6, .* 0 to 6/
    },
    {
      what: 'another end',
      segments: [two, [checkpoint({ ...position, lastIndex: 7 })]],
      says: /from 0 to 7, .* 0 to 6/
    },
    {
      what: 'fewer snapshots',
      segments: [two, [checkpoint({ ...position, snapshots: [ref(2, 5)] })]],
      says: /from 0 to 6/
    },
    { what: 'more snapshots', segments: [log, [checkpoint(position)]], says: /from 0 to 6/ },
    {
      what: 'another snapshot',
      segments: [two, [checkpoint({ ...position, snapshots: [ref(1, 3), ref(2, 4)] })]],
      says: /from 0 to 6/
    },
    ...[
      [['b', 0]],
      [['a', 1]],
      [
        ['a', 0],
        ['b', 0]
      ],
      []
    ].map((restated) => ({
      what: `other cells: ${restated.join(' ')}`,
      segments: [[...two, cells([['a', 0]])], [checkpoint(position, restated as [string, number][])]],
      says: /restates other cells/
    })),
    {
      what: 'another term of a snapshot',
      segments: [two, [checkpoint({ ...position, snapshots: [ref(1, 3), { ...ref(2, 5), term: 2 }] })]],
      says: /from 0 to 6/
    },
    {
      what: 'another number of a snapshot',
      segments: [two, [checkpoint({ ...position, snapshots: [ref(1, 3), ref(3, 5)] })]],
      says: /from 0 to 6/
    },
    {
      what: 'a position in a batch',
      segments: [[start, raw('batch', 3, ...u64(0), ...u64(0))]],
      says: /a position where/
    },
    {
      what: 'an entry in a checkpoint',
      segments: [[['checkpoint', [encodeBatch({ entries: entries(1, 1) })]]]],
      says: /an entry where/
    },
    { what: 'a compaction in a checkpoint', segments: [[raw('checkpoint', 5, ...u64(0))]], says: /a compaction where/ },
    {
      what: 'giving up in a checkpoint',
      segments: [[raw('checkpoint', 6, ...u64(1))]],
      says: /gives up a snapshot where/
    },
    { what: 'an item of no kind', segments: [[start, raw('batch', 9)]], says: /cannot be read/ },
    { what: 'a zero', segments: [[start, raw('batch', 0)]], says: /cannot be read/ },
    { what: 'half a cell', segments: [[start, raw('batch', 1, 1, 0, 0, 0)]], says: /cannot be read/ },
    { what: 'a cell beyond the end', segments: [[start, raw('batch', 1, 1, 0, 0, 0, 1, 97)]], says: /cannot be read/ },
    { what: 'a cell without a name', segments: [[start, raw('batch', 1, 0, 0, 0, 0, 0)]], says: /cannot be read/ },
    {
      what: 'half an entry',
      segments: [[start, raw('batch', 2, 0, ...u64(1), ...u64(1), 0, 0, 0)]],
      says: /cannot be read/
    },
    {
      what: 'an entry beyond the end',
      segments: [[start, raw('batch', 2, 0, ...u64(1), ...u64(1), 0, 0, 0, 1)]],
      says: /cannot be read/
    },
    { what: 'half a position', segments: [[raw('checkpoint', 3, ...u64(0), 0, 0, 0)]], says: /cannot be read/ },
    { what: 'half a compaction', segments: [[start, raw('batch', 5, 0, 0, 0, 0, 0, 0, 0)]], says: /cannot be read/ },
    { what: 'half of giving up', segments: [[start, raw('batch', 6, 0, 0, 0, 0, 0, 0, 0)]], says: /cannot be read/ },
    {
      what: 'half a snapshot',
      segments: [[start, raw('batch', 4, 1, ...u64(1), ...u64(2), ...u64(1), ...u64(1), ...digest.slice(1))]],
      says: /cannot be read/
    },
    {
      what: 'a snapshot that is neither',
      segments: [[start, raw('batch', 4, 2, ...u64(1), ...u64(2), ...u64(1), ...u64(1), ...digest)]],
      says: /cannot be read/
    },
    {
      what: 'a number beyond 2^53',
      segments: [[start, raw('batch', 2, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, ...u64(1), 0, 0, 0, 0)]],
      says: /entry NaN/
    }
  ])('$what', ({ segments, says }) => {
    expect(() => replayOf(segments)).toThrow(
      expect.objectContaining({ name: 'StorageCorruptError', message: expect.stringMatching(says) as string })
    )
  })
})
