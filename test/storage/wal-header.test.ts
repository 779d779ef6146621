/** The header of a file of the log: whose file it is, what kind, which number; and what is said of one that is something else. */
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StoreOwner } from '../../src/storage/port.ts'
import { readSegmentHeader, encodeSegmentHeader } from '../../src/storage/wal/format.ts'
import {
  encodeFileHeader,
  kindAreaAt,
  readFileHeader,
  readOwner,
  segmentKind,
  snapshotKind
} from '../../src/storage/wal/header.ts'
import { putUint16, putUint32, putUint64, uint16, uint32, uint64 } from '../../src/storage/wal/numbers.ts'
import { createSimulatedDisk, openOn, owner, packed } from './harness.ts'

/** Another way to the same numbers than the one that the log goes. */
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const header = (of: StoreOwner = owner, number = 7): Uint8Array<ArrayBuffer> =>
  encodeFileHeader(segmentKind, number, of, () => undefined)

/** Changes a header and gives it the checksum of its first `length` bytes where a header of that length has it. */
function changed(change: (view: DataView, bytes: Uint8Array) => void, length = segmentKind.headerBytes): Uint8Array {
  const bytes = header()
  change(viewOf(bytes), bytes)
  if (length >= 4) viewOf(bytes).setUint32(length - 4, crc32(bytes.subarray(0, length - 4)))
  return bytes
}

const corrupt = (reason: string) =>
  expect.objectContaining({ name: 'StorageCorruptError', details: { file: 'f', offset: 0, reason } })
const foreign = (what: string, expected: string, found: string) =>
  expect.objectContaining({ name: 'StorageForeignError', details: { file: 'f', what, expected, found } })
const noMatch = corrupt('the checksum of its header does not match')

describe('a header', () => {
  test('gives back owner, number and the areas of its kind, wherever it lies in memory', () => {
    const property = fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.oneof(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 127 }), fc.constant('x'.repeat(128))),
      fc.maxSafeNat(),
      fc.maxSafeNat(),
      fc.nat(0xffff_ffff),
      (domainId, storeId, peerId, segment, sequence, previous) => {
        const of = { domainId, storeId, peerId }
        const file = Uint8Array.of(1, 2, 3, ...encodeSegmentHeader({ segment, sequence, previous }, of))
        expect(readSegmentHeader('f', file.subarray(3), segment, of)).toEqual({ segment, sequence, previous })
        expect(readOwner('f', file.subarray(3), segmentKind)).toEqual(of)
      }
    )
    fc.assert(property, { numRuns: 50 })
  })

  test('is laid out as docs/protocol/storage.md says', () => {
    const bytes = encodeFileHeader(snapshotKind, 0x0102_0304_0506, { ...owner, peerId: 'abc' }, (file) => {
      file[24] = 0x77
      file[kindAreaAt] = 0x78
    })
    expect(Buffer.from(bytes.subarray(0, 36)).toString('hex')).toBe(
      packed('895157414c0d0a1a 0001 0140 00000002 0000010203040506 770000000000000000000000')
    )
    expect(bytes.subarray(36, 52)).toEqual(owner.storeId)
    expect(bytes.subarray(52, 84)).toEqual(owner.domainId)
    expect([...bytes.subarray(84, 89)]).toEqual([3, 97, 98, 99, 0])
    expect([kindAreaAt, bytes[213], bytes.byteLength]).toEqual([213, 0x78, 320])
    expect(viewOf(bytes).getUint32(316)).toBe(crc32(bytes.subarray(0, 316)))
  })

  test('of a snapshot that is cut short is refused by that name', () => {
    expect(() => readOwner('f', new Uint8Array(319), snapshotKind)).toThrow(
      corrupt('319 bytes cannot hold the header of a snapshot') as Error
    )
  })

  test('may be all of the file: a snapshot of no bytes comes back', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk)
    const entry = { index: 1, term: 1, type: 0, data: new Uint8Array() }
    await log.write({ entries: [entry] })
    await log.write({ snapshot: { index: 1, term: 1, data: new Uint8Array() } })
    await log.close()
    expect((await openOn(disk)).recovered.snapshot).toEqual({ index: 1, term: 1, data: new Uint8Array() })
  })
})

describe('is refused', () => {
  test.each<{ what: string; file: Uint8Array; error: unknown }>([
    {
      what: 'a file that is too short',
      file: header().subarray(0, 255),
      error: corrupt('255 bytes cannot hold the header of a segment')
    },
    {
      what: 'another file',
      file: new Uint8Array(256).fill(0x7b),
      error: corrupt('it does not begin like a file of this log')
    },
    { what: 'a damaged header', file: header().fill(1, 200, 201), error: noMatch },
    {
      what: 'a PeerId that is too long',
      file: changed((view) => view.setUint8(84, 129)),
      error: corrupt('a PeerId of 129 bytes')
    },
    {
      what: 'another version',
      file: changed((view) => view.setUint16(8, 2)),
      error: foreign('format version', '1', '2')
    },
    { what: 'another kind', file: changed((view) => view.setUint32(12, 3)), error: foreign('kind', '1', '3') },
    {
      what: 'another version of another kind',
      file: changed((view) => (view.setUint16(8, 9), view.setUint32(12, 2))),
      error: foreign('format version', '1', '9')
    },
    {
      what: 'the shortest header of another version',
      file: changed((view) => (view.setUint16(8, 2), view.setUint16(10, 20)), 20),
      error: foreign('format version', '1', '2')
    },
    ...[0, 3, 19, 257, 0xffff].map((length) => ({
      what: `a header of another version that says that it has ${length} bytes`,
      file: changed((view) => (view.setUint16(8, 2), view.setUint16(10, length)), Math.min(length, 256)),
      error: noMatch
    })),
    { what: 'a version that is damage', file: header().fill(2, 9, 10), error: noMatch },
    { what: 'a kind that is damage', file: header().fill(2, 15, 16), error: noMatch },
    {
      what: 'another number',
      file: header(owner, 8),
      error: foreign('place in the log', 'segment 7', 'segment 8')
    }
  ])('$what', ({ file, error }) => {
    expect(() => readFileHeader('f', file, segmentKind, 7, owner)).toThrow(error)
  })
})

test('numbers are written and read as a DataView does it, anywhere in a window, and beyond 2^53 - 1 there are none', () => {
  const most = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 2 ** 32, 2 ** 53 - 1]
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeNat(), fc.constantFrom(...most)), fc.nat(9), (value, at) => {
      const bytes = new Uint8Array(21).fill(0x5a).subarray(1, 19)
      const view = viewOf(bytes)
      putUint64(bytes, at, value)
      expect(view.getBigUint64(at)).toBe(BigInt(value))
      expect(uint64(bytes, at)).toBe(value)
      putUint32(bytes, at, value % 2 ** 32)
      expect([view.getUint32(at), uint32(bytes, at)]).toEqual([value % 2 ** 32, value % 2 ** 32])
      putUint16(bytes, at, value % 2 ** 16)
      expect([view.getUint16(at), uint16(bytes, at)]).toEqual([value % 2 ** 16, value % 2 ** 16])
      expect(bytes.every((byte, i) => byte === 0x5a || (i >= at && i < at + 8))).toBe(true)
    })
  )
  const bytes = new Uint8Array(12)
  for (const value of [2n ** 53n, 2n ** 64n - 1n]) {
    viewOf(bytes).setBigUint64(4, value)
    expect(uint64(bytes, 4)).toBeNaN()
  }
})
