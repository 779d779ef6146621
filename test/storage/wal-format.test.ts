/** Frames: laid out as docs/protocol/storage.md says, read as they were written, found wherever they stand. */
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ownerTag } from '../../src/storage/owner.ts'
import {
  countZeroSectors,
  encodeFrame,
  findFrameHeader,
  frameBytes,
  frameHeaderBytes,
  isZero,
  readFrameBody,
  readFrameHeader
} from '../../src/storage/wal/format.ts'
import type { FrameInit, FrameKind } from '../../src/storage/wal/format.ts'
import { owner, packed } from './harness.ts'

const kinds: readonly FrameKind[] = ['batch', 'checkpoint', 'seal']
const tag = ownerTag(owner)

function frameOf(init: Partial<FrameInit> = {}, position = 0): Uint8Array {
  const frame = { kind: 'batch', body: [], sequence: 1, previous: 0, ownerTag: tag, ...init } as const
  const bytes = new Uint8Array(frameBytes(frame.body))
  encodeFrame(bytes, position, frame)
  return bytes
}

/** With a header that checks. */
function changed(frame: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const bytes = frame.slice()
  const view = new DataView(bytes.buffer)
  change(view)
  view.setUint32(40, crc32(bytes.subarray(0, 40)))
  return bytes
}

describe('a frame', () => {
  test('is read as it was written, wherever it lies', () => {
    const property = fc.property(
      fc.constantFrom(...kinds),
      fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 3 }),
      fc.maxSafeNat(),
      fc.nat(0xffff_ffff),
      fc.nat(1500),
      (kind, body, sequence, previous, at) => {
        const frame = { kind, body, sequence, previous, ownerTag: tag }
        const file = new Uint8Array(at + frameBytes(body) + 9)
        const { check, bytes } = encodeFrame(file.subarray(at), at, frame)
        expect(bytes).toBe(frameBytes(body))
        const header = readFrameHeader(file, at)!
        const whole = new Uint8Array(Buffer.concat(body))
        expect(header).toEqual({
          kind,
          sequence,
          previous,
          ownerTag: tag,
          bodyBytes: whole.byteLength,
          bodyCrc: crc32(whole),
          zeroSectors: countZeroSectors(file.subarray(at, at + bytes), at),
          check,
          totalBytes: bytes
        })
        expect(readFrameBody(file, at, header)).toEqual(whole)
        expect(readFrameBody(file.subarray(0, at + bytes), at, header)).toEqual(whole)
        expect(readFrameBody(file.subarray(0, at + bytes - 1), at, header)).toBeUndefined()
      }
    )
    fc.assert(property, { numRuns: 100 })
  })

  test('stands on disk as the table says', () => {
    const body = [Uint8Array.of(1, 2), Uint8Array.of(3)]
    const bytes = Buffer.from(frameOf({ kind: 'seal', body, sequence: 0x0102_0304_0506, previous: 0xa1b2c3d4 }))
    const owned = Buffer.from(tag).toString('hex')
    expect(bytes.toString('hex', 0, 36)).toBe(
      packed(`f7514652 00000003 0000010203040506 ${owned} a1b2c3d4 0003 0000 00000000`)
    )
    expect(bytes.readUint32BE(36)).toBe(crc32(Uint8Array.of(1, 2, 3)))
    expect(bytes.readUint32BE(40)).toBe(crc32(bytes.subarray(0, 40)))
    expect(bytes.toString('hex', 44)).toBe('010203ff')
    expect(kinds.map((kind) => Buffer.from(frameOf({ kind })).readUint16BE(28))).toEqual([1, 2, 3])
  })

  test('is the same whatever stood in its place', () => {
    for (const position of [0, 480, 500]) {
      const init = { kind: 'batch', body: [Uint8Array.of(1, 0)], sequence: 2, previous: 3, ownerTag: tag } as const
      const dirty = new Uint8Array(frameBytes(init.body)).fill(0xaa)
      encodeFrame(dirty, position, init)
      expect(dirty).toEqual(frameOf(init, position))
    }
  })

  test('is nothing when a bit of its header is another', () => {
    const frame = frameOf({ body: [Uint8Array.of(1)] })
    expect(readFrameHeader(frame.subarray(0, frameHeaderBytes), 0)).toBeDefined()
    expect(readFrameHeader(frame.subarray(0, frameHeaderBytes - 1), 0)).toBeUndefined()
    for (let at = 0; at < frameHeaderBytes; at++) {
      expect(readFrameHeader(frame.slice().fill(frame[at]! ^ 1, at, at + 1), 0)).toBeUndefined()
    }
    const others = [
      changed(frame, (view) => view.setUint8(0, 0xf6)),
      changed(frame, (view) => view.setUint16(28, 0)),
      changed(frame, (view) => view.setUint16(28, 4))
    ]
    for (const other of others) expect(readFrameHeader(other, 0)).toBeUndefined()
  })

  test('has no body when a byte of it is another, or the mark behind it is', () => {
    const frame = frameOf({ body: [Uint8Array.of(1, 2, 3)] })
    const header = readFrameHeader(frame, 0)!
    for (let at = frameHeaderBytes; at < frame.byteLength; at++) {
      expect(readFrameBody(frame.slice().fill(frame[at]! ^ 1, at, at + 1), 0, header)).toBeUndefined()
    }
  })

  test('is found at or behind a place, past marks that head no frame', () => {
    const frame = frameOf({ sequence: 5 })
    const file = Uint8Array.of(9, 9, ...frame.subarray(0, 4), 0, ...frame, 7, ...frame.subarray(0, 20))
    const header = expect.objectContaining({ sequence: 5 }) as unknown
    expect(findFrameHeader(file, 0)).toEqual({ at: 7, header })
    expect(findFrameHeader(file, 7)).toEqual({ at: 7, header })
    expect(findFrameHeader(file, 8)).toBeUndefined()
    expect(findFrameHeader(Uint8Array.of(1, 2, 3, ...file).subarray(3), 3)).toEqual({ at: 7, header })
  })
})

describe('zero sectors', () => {
  test.each<{ what: string; length: number; position: number; ones: readonly number[]; count: number }>([
    { what: 'nothing has none', length: 0, position: 0, ones: [], count: 0 },
    { what: 'a part of one', length: 1, position: 0, ones: [], count: 1 },
    { what: 'one', length: 512, position: 0, ones: [], count: 1 },
    { what: 'one and a byte', length: 513, position: 0, ones: [], count: 2 },
    { what: 'parts of two, by their place in the file', length: 3, position: 511, ones: [], count: 2 },
    { what: 'all of one, from its beginning', length: 512, position: 1024, ones: [], count: 1 },
    { what: 'a byte at the end of a sector takes it away', length: 1024, position: 0, ones: [511], count: 1 },
    { what: 'a byte at the beginning of one', length: 1024, position: 0, ones: [512], count: 1 },
    { what: 'three of five', length: 2100, position: 300, ones: [5, 2099], count: 3 }
  ])('$what', ({ length, position, ones, count }) => {
    const bytes = new Uint8Array(length)
    for (const at of ones) bytes[at] = 1
    expect(countZeroSectors(bytes, position)).toBe(count)
  })

  test('are counted in the frame as it stands in the file', () => {
    const zeros = (position: number): number =>
      readFrameHeader(frameOf({ body: [new Uint8Array(2000).fill(1, 0, 1)] }, position), 0)!.zeroSectors
    expect([3, 4, 467, 468].map(zeros)).toEqual([2, 3, 3, 2])
  })

  test('only zeros from one place to another are zeros', () => {
    const bytes = Uint8Array.of(1, 0, 0, 2)
    expect([isZero(bytes, 1, 3), isZero(bytes, 0, 3), isZero(bytes, 1, 4), isZero(bytes, 2, 2)]).toEqual([
      true,
      false,
      false,
      true
    ])
  })
})
