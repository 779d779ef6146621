/**
 * A frame that does not check: torn tail, or damage? The rows of the table in docs/protocol/storage.md, one by one and at
 * their edges, on segments made by hand. (That a power cut leaves nothing else is for wal-crash.test.ts.)
 */
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { ownerTag } from '../../src/storage/owner.ts'
import { encodeFrame, segmentHeaderBytes } from '../../src/storage/wal/format.ts'
import { encodeBatch, encodeCheckpoint } from '../../src/storage/wal/items.ts'
import { startOfLog } from '../../src/storage/wal/position.ts'
import { Replay } from '../../src/storage/wal/recover.ts'
import type { SegmentFile, Tail } from '../../src/storage/wal/recover.ts'
import { owner, ownerOf } from './harness.ts'
import { makeSegments } from './segments.ts'
import type { Frame, Link, MadeSegment } from './segments.ts'

const start: Frame = ['checkpoint', encodeCheckpoint(startOfLog, new Map())]
const bodyOf = (value: Uint8Array): Uint8Array => encodeBatch({ cells: [{ name: 'vote', value }] })
const cell = (value: Uint8Array): Frame => ['batch', [bodyOf(value)]]
const vote = (text: string): Frame => cell(utf8(text))
const seal: Frame = ['seal', []]

/** One segment, whose frames are a checkpoint and these. */
const made = (frames: readonly Frame[], link?: Partial<Link>): MadeSegment =>
  makeSegments([[start, ...frames]], link)[0]!

/** The segment with `zeros` more of them behind it. */
function edited(file: SegmentFile, change: (bytes: Uint8Array) => unknown, zeros = 0): SegmentFile {
  const bytes = new Uint8Array(file.bytes.byteLength + zeros)
  bytes.set(file.bytes)
  change(bytes)
  return { ...file, bytes }
}

const cut = (file: SegmentFile, end: number): SegmentFile => ({ ...file, bytes: file.bytes.slice(0, end) })

/** Changes the byte, and keeps it from zero. */
const flip = (at: number) => (bytes: Uint8Array) => void (bytes[at]! ^= bytes[at] === 1 ? 2 : 1)

function tailOf(file: SegmentFile): Tail {
  const replay = new Replay(owner)
  replay.read(file, true)
  return replay.tail
}

/** A batch that ends its frame at `end`, when it begins at `at`; its value has no zeros. */
const until = (at: number, end: number): Frame => cell(new Uint8Array(end - at - 45 - 10).fill(7))

/** A frame that begins at `at`, behind the checkpoint; then these. */
const madeAt = (at: number, ...frames: readonly Frame[]): MadeSegment => made([until(made([]).at[1]!, at), ...frames])

const refused = (file: SegmentFile, isLast = true) => expect(() => new Replay(owner).read(file, isLast))
const corrupt = (offset: number, reason: RegExp) =>
  expect.objectContaining({
    name: 'StorageCorruptError',
    details: { file: 'segment 1', offset, reason: expect.stringMatching(reason) as string }
  })
const noMatch = /^its checksum does not match$/

describe('what is read', () => {
  test('the tail says where to go on', () => {
    const file = made([vote('a'), vote('b')])
    const [, checkpointEnd, last, end] = file.at as [number, number, number, number]
    const tail = { sequence: 4, lastKind: 'batch', start: checkpointEnd, end, tornBytes: 0 }
    const lastFrame = file.bytes.subarray(last, end)
    const previous = new DataView(lastFrame.buffer, last).getUint32(40)
    for (const zeros of [0, 1, 5000]) {
      expect(tailOf(edited(file, () => undefined, zeros))).toEqual({ ...tail, previous, lastFrame })
    }
    expect(tailOf(made([vote('a'), seal])).lastKind).toBe('seal')
    expect(tailOf(made([]))).toMatchObject({ sequence: 2, lastKind: 'checkpoint', start: checkpointEnd })
  })

  test('over segments, the tail is that of the last', () => {
    const files = makeSegments([
      [start, seal],
      [start, vote('a')]
    ])
    const replay = new Replay(owner)
    for (const file of files) replay.read(file, file === files[1])
    expect(replay.tail).toMatchObject({ sequence: 5, start: files[1]!.at[1], end: files[1]!.at[2] })
    expect([...replay.state.cells]).toEqual([['vote', utf8('a')]])
  })
})

describe('is a torn tail', () => {
  const torn = (file: SegmentFile, at: number, tornBytes: number, sequence = 3): void =>
    expect(tailOf(file)).toMatchObject({ end: at, tornBytes, sequence, lastKind: 'batch' })

  test('a frame that the file ends in, at any byte', () => {
    const file = made([vote('a'), vote('b'.repeat(300))])
    const [at, end] = [file.at[2]!, file.at[3]!]
    for (let length = 1; length < end - at; length++) {
      torn(cut(file, at + length), at, file.bytes.subarray(at, at + length).findLastIndex((byte) => byte !== 0) + 1)
    }
  })

  test('a frame of which only the beginning was written into zeros, at any byte', () => {
    const file = made([vote('a'), vote('b'.repeat(300))])
    const [at, end] = [file.at[2]!, file.at[3]!]
    for (let length = 1; length < end - at; length++) {
      const shorter = edited(file, (bytes) => bytes.fill(0, at + length), 700)
      torn(shorter, at, shorter.bytes.findLastIndex((byte) => byte !== 0) + 1 - at)
    }
  })

  test('a frame that lacks any of its sectors, also those that its header lies in', () => {
    for (const place of [980, 1000, 1024, 1100, 1300]) {
      const file = madeAt(place, cell(new Uint8Array(2000).fill(9)))
      for (let sector = Math.floor(place / 512); sector * 512 < file.at[3]!; sector++) {
        const [from, to] = [Math.max(place, sector * 512), Math.min(file.at[3]!, sector * 512 + 512)]
        const bytes = edited(file, (all) => all.fill(0, from, to), 600)
        torn(bytes, place, (to === file.at[3] ? from : file.at[3]!) - place)
      }
    }
  })

  test('a frame whose content has zero sectors of its own and that lacks one more', () => {
    const file = madeAt(1000, cell(new Uint8Array(4000).fill(7, 0, 100).fill(7, 3000)))
    torn(
      edited(file, (bytes) => bytes.fill(0, 4096, 4608)),
      1000,
      file.at[3]! - 1000
    )
  })

  test('whatever stands in its value: older frames of this log, the same one, and newer ones of another', () => {
    const older = made([vote('x'), vote('y')])
    const [, , second, end] = older.at as [number, number, number, number]
    const mine = older.bytes.subarray(second, end)
    const other = made([vote('x'), vote('y')], { of: ownerOf('mallory'), sequence: 90 }).bytes
    // The frame that is torn has sequence number 3, like the one in its value.
    const file = madeAt(1000, cell(Uint8Array.of(...mine, ...older.bytes, ...other, ...new Uint8Array(2000).fill(5))))
    torn(cut(file, file.at[3]! - 1), 1000, file.at[3]! - 1 - 1000)
  })
})

describe('is damage', () => {
  test('a changed byte of the last frame, when all of it is there', () => {
    for (const zeros of [0, 1, 900]) {
      const file = made([vote('a'), cell(new Uint8Array(3000).fill(7, 0, 100).fill(7, 2900))])
      const [at, end] = [file.at[2]!, file.at[3]!]
      for (const place of [at + 44, at + 60, end - 30, end - 1]) {
        refused(edited(file, flip(place), zeros)).toThrow(
          corrupt(at, /^all of the frame is there, and its checksum does not match$/) as Error
        )
      }
    }
  })

  test('a changed byte of its header, when more than zeros stands behind it', () => {
    for (const place of [900, 980, 1024 - 44, 1000]) {
      const file = madeAt(place, vote('b'.repeat(400)))
      for (const byte of [0, 5, 9, 17, 26, 33, 43]) {
        refused(edited(file, flip(place + byte), 600)).toThrow(
          corrupt(place, /^the header of a frame is there and does not check$/) as Error
        )
      }
    }
  })

  test('the same, and a sector behind the header is zeros: that withholds none of the header', () => {
    for (const place of [1024 - 44, 1024 - 60]) {
      const file = madeAt(place, cell(new Uint8Array(1500).fill(9)))
      const withheld = edited(file, (bytes) => bytes.fill(0, 1024, 1536))
      refused(edited(withheld, flip(place + 9))).toThrow(corrupt(place, /^the header of a frame is there/) as Error)
    }
  })

  test('a frame with anything behind it: a byte, or frames of this log', () => {
    const file = made([vote('a'), vote('b')])
    const [at, end] = [file.at[2]!, file.at[3]!]
    const lost = edited(file, (bytes) => bytes.fill(0, end - 3, end), 600)
    expect(tailOf(lost).end).toBe(at)
    for (const behind of [end, end + 599]) {
      refused(edited(lost, (bytes) => bytes.fill(1, behind, behind + 1))).toThrow(
        corrupt(at, /^its checksum does not match, and more was written behind it$/) as Error
      )
    }
    const longer = made([vote('a'), vote('b'), vote('c'), vote('d')])
    for (const [hidden, found] of [
      [[2], 4],
      [[2, 3], 5]
    ] as const) {
      const zeroed = edited(longer, (bytes) => hidden.forEach((i) => bytes.fill(0, longer.at[i], longer.at[i]! + 44)))
      refused(zeroed).toThrow(
        corrupt(
          at,
          new RegExp(
            `^its checksum does not match, and frame ${found}, written after it was synced, stands at byte ${longer.at[found - 1]}$`
          )
        ) as Error
      )
    }
  })

  test('a frame of this log behind an older one that stands in a value', () => {
    const inside = made([vote('x')])
    const file = made([vote('a'), cell(inside.bytes), vote('c')])
    const at = file.at[2]!
    const lost = edited(file, (bytes) => bytes.fill(0, at, at + 44))
    refused(lost).toThrow(corrupt(at, /frame 4, written after it was synced/) as Error)
  })

  test('a frame of a segment that is not the last, or a checkpoint, however torn it looks', () => {
    const file = made([vote('a'), vote('b'.repeat(300))])
    refused(cut(file, file.at[3]! - 1), false).toThrow(corrupt(file.at[2]!, noMatch) as Error)
    refused(cut(file, file.at[1]! - 1)).toThrow(corrupt(segmentHeaderBytes, noMatch) as Error)
  })

  test('a segment without its checkpoint', () => {
    const missing = corrupt(segmentHeaderBytes, /^its checkpoint is missing$/) as Error
    const header = cut(made([]), segmentHeaderBytes)
    for (const zeros of [0, 600]) refused(edited(header, () => undefined, zeros)).toThrow(missing)
  })
})

describe('does not belong where it stands', () => {
  const history = (expected: string, found: string, file = 'segment 1') =>
    expect.objectContaining({
      name: 'StorageForeignError',
      details: { file, what: 'history', expected: `frame ${expected}`, found: `frame ${found}` }
    }) as Error

  test('a first segment that goes on from something', () => {
    refused(made([], { sequence: 2 })).toThrow(history('1 after 00000000', '2 after 00000000'))
    refused(made([], { previous: 0xabc })).toThrow(history('1 after 00000000', '1 after 00000abc'))
    expect(tailOf(made([], { first: 2, sequence: 7, previous: 0xabc }))).toMatchObject({ sequence: 8 })
  })

  test.each([
    { link: { sequence: 2 }, found: '2 after ' },
    { link: { sequence: 3, previous: 1 }, found: '3 after 00000001' }
  ])('a segment that goes on from something else: $found', ({ link, found }) => {
    const [first, second] = makeSegments([[start, seal], [start]])
    const previous = new DataView(first!.bytes.buffer).getUint32(first!.at[1]! + 40)
    const [other] = makeSegments([[start]], { first: 2, previous, ...link })
    const replay = new Replay(owner)
    replay.read(first!, false)
    const after = previous.toString(16).padStart(8, '0')
    expect(() => replay.read(other!, true)).toThrow(
      history(`3 after ${after}`, found.endsWith(' ') ? found + after : found, 'segment 2')
    )
    replay.read(second!, true)
  })

  test('a frame of another owner, of another number, or after another', () => {
    const file = made([vote('a'), vote('b')])
    const at = file.at[2]!
    const put = (other: MadeSegment): SegmentFile => edited(file, (bytes) => bytes.set(other.bytes.subarray(at), at))
    refused(put(made([vote('a'), vote('b')], { of: ownerOf('mallory') }))).toThrow(
      expect.objectContaining({
        name: 'StorageForeignError',
        details: expect.objectContaining({ file: `segment 1 at byte ${at}`, what: 'store' }) as unknown
      }) as Error
    )
    refused(put(made([vote('a'), vote('b')], { sequence: 2 }))).toThrow(
      corrupt(at, /^frame 4 after \w{8} stands where frame 3 after \w{8} belongs$/) as Error
    )
    const { previous, sequence } = tailOf(cut(file, at))
    const skipped = edited(file, (bytes) => {
      encodeFrame(bytes.subarray(at), at, {
        kind: 'batch',
        body: [bodyOf(utf8('b'))],
        sequence: sequence + 1,
        previous,
        ownerTag: ownerTag(owner)
      })
    })
    refused(skipped).toThrow(corrupt(at, /^frame 4 after (\w{8}) stands where frame 3 after \1 belongs$/))
    refused(put(made([vote('x'), vote('b')]))).toThrow(
      corrupt(at, /^frame 3 after \w{8} stands where frame 3 after \w{8} belongs$/) as Error
    )
  })

  test('a checkpoint that is not the first frame, and a first frame that is none', () => {
    const file = made([start])
    refused(file).toThrow(corrupt(file.at[1]!, /^a checkpoint frame does not belong here$/) as Error)
    const [headless] = makeSegments([[vote('a')]])
    refused(headless!).toThrow(corrupt(segmentHeaderBytes, /^a batch frame does not belong here$/) as Error)
  })

  test('a body that cannot be read, named by its frame', () => {
    const file = made([vote('a'), ['batch', [Uint8Array.of(99)]]])
    refused(file).toThrow(corrupt(file.at[2]!, /^frame 3 has a body that cannot be read$/) as Error)
  })
})
