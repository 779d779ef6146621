import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat } from '../../src/core/bytes.ts'
import { FramingError } from '../../src/transport/errors.ts'
import { encodeFrames, FrameDecoder, FrameKind, FrameReader, type Frame } from '../../src/transport/framing.ts'
import { manualClock } from './manual-clock.ts'

const frame = fc.record({
  kind: fc.integer({ min: 0, max: 255 }),
  body: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.integer({ min: 0, max: 3_000 }).map((length) => new Uint8Array(length).fill(length & 0xff))
  )
})

/** The bytes in pieces, cut at these places. */
function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.byteLength + 1)), bytes.byteLength].toSorted((a, b) => a - b)
  return places.slice(1).map((end, i) => bytes.slice(places[i], end))
}

function decodeAll(decoder: FrameDecoder, chunks: readonly Uint8Array[]): Frame[] {
  const frames: Frame[] = []
  for (const chunk of chunks) {
    decoder.push(chunk)
    for (let next = decoder.next(); next !== undefined; next = decoder.next()) frames.push(next)
  }
  return frames
}

const plain = (frames: readonly Frame[]): unknown =>
  frames.map(({ kind, body }) => ({ kind, body: Buffer.from(body).toString('hex') }))

describe('FrameDecoder', () => {
  test('any split of the bytes gives the same frames', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 40 }), (frames, cuts) => {
        const decoder = new FrameDecoder(4_000)
        const decoded = decodeAll(decoder, pieces(encodeFrames(frames), cuts))
        expect(plain(decoded)).toEqual(plain(frames))
        expect(decoder.byteLength).toBe(0)
      })
    )
  })

  test('one byte at a time gives the same frames', () => {
    const frames = [
      { kind: 16, body: new Uint8Array(700).fill(7) },
      { kind: 17, body: new Uint8Array(0) },
      { kind: 255, body: Uint8Array.of(1, 2, 3) }
    ]
    const bytes = encodeFrames(frames)
    const decoded = decodeAll(
      new FrameDecoder(1_000),
      Array.from(bytes, (byte) => Uint8Array.of(byte))
    )
    expect(plain(decoded)).toEqual(plain(frames))
  })

  test('frames that were handed out keep their bytes while more arrives', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 2, maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 60 }),
        (frames, cuts) => {
          const decoder = new FrameDecoder(4_000)
          const seen: { readonly frame: Frame; readonly then: string }[] = []
          for (const chunk of pieces(encodeFrames(frames), cuts)) {
            for (const one of decodeAll(decoder, [chunk])) {
              seen.push({ frame: one, then: Buffer.from(one.body).toString('hex') })
            }
          }
          for (const { frame: one, then } of seen) expect(Buffer.from(one.body).toString('hex')).toBe(then)
        }
      )
    )
  })

  test('a frame within one chunk is a view of it', () => {
    const bytes = encodeFrames([{ kind: 16, body: Uint8Array.of(1, 2, 3) }])
    const decoder = new FrameDecoder(100)
    decoder.push(bytes)
    expect(decoder.next()?.body.buffer).toBe(bytes.buffer)
  })

  test('an oversized length is refused as soon as its four bytes are there, and nothing is allocated', () => {
    fc.assert(
      fc.property(fc.integer({ min: 101, max: 0xffff_ffff }), (length) => {
        const header = new Uint8Array(4)
        new DataView(header.buffer).setUint32(0, length)
        const decoder = new FrameDecoder(100)
        decoder.push(header)
        expect(() => decoder.next()).toThrow(FramingError)
        expect(decoder.byteLength).toBe(0)
        // It stays broken: what follows cannot be understood.
        decoder.push(encodeFrames([{ kind: 1, body: new Uint8Array(0) }]))
        expect(() => decoder.next()).toThrow(FramingError)
      })
    )
  })

  test('the cap counts kind and body', () => {
    const fits = new FrameDecoder(100)
    fits.push(encodeFrames([{ kind: 1, body: new Uint8Array(99) }]))
    expect(fits.next()?.body.byteLength).toBe(99)
    const tooLong = new FrameDecoder(100)
    tooLong.push(encodeFrames([{ kind: 1, body: new Uint8Array(100) }]))
    expect(() => tooLong.next()).toThrow('101 bytes')
  })

  test('a declared length that does not come costs no more than what came', () => {
    const decoder = new FrameDecoder(2 ** 32 - 1)
    const header = Uint8Array.of(0xff, 0xff, 0xff, 0xff)
    decoder.push(concat(header, new Uint8Array(10)))
    expect(decoder.next()).toBeUndefined()
    expect(decoder.declaredBytes).toBe(0xffff_ffff)
    expect(decoder.byteLength).toBe(10)
  })

  test('a length of zero is no frame', () => {
    const decoder = new FrameDecoder(100)
    decoder.push(new Uint8Array(4))
    expect(() => decoder.next()).toThrow('without a kind')
  })

  test('a megabyte in tiny pieces takes linear time', () => {
    const bytes = encodeFrames([{ kind: 16, body: new Uint8Array(1_000_000) }])
    const decoder = new FrameDecoder(2_000_000)
    for (let at = 0; at < bytes.byteLength; at += 10) decoder.push(bytes.subarray(at, at + 10))
    expect(decoder.next()?.body.byteLength).toBe(1_000_000)
  }, 10_000)

  test('what follows the last frame can be handed to the next layer', () => {
    fc.assert(
      fc.property(
        frame,
        fc.uint8Array({ maxLength: 50 }),
        fc.array(fc.nat(), { maxLength: 10 }),
        (one, after, cuts) => {
          const decoder = new FrameDecoder(4_000)
          let decoded: Frame | undefined
          const rest: Uint8Array[] = []
          for (const chunk of pieces(concat(encodeFrames([one]), after), cuts)) {
            if (decoded !== undefined) {
              rest.push(chunk)
              continue
            }
            decoder.push(chunk)
            decoded = decoder.next()
            if (decoded !== undefined) rest.push(decoder.rest())
          }
          expect(plain([decoded!])).toEqual(plain([one]))
          expect(concat(...rest)).toEqual(after)
        }
      )
    )
  })
})

describe('FrameReader', () => {
  const reader = (clock = manualClock()) => {
    const frames: Frame[] = []
    const errors: string[] = []
    const one = new FrameReader({
      bytesMax: 100_000,
      deadlineMs: 10_000,
      bytesPerSecondMin: 1_000,
      clock,
      onFrame: (decoded) => frames.push(decoded),
      onError: (error) => errors.push(error.message)
    })
    return { one, frames, errors, clock }
  }
  const bytes = encodeFrames([{ kind: FrameKind.data, body: new Uint8Array(999) }])

  test('a frame that trickles is cut at its deadline, however often a byte comes', () => {
    const { one, errors, clock } = reader()
    for (let at = 0; at < 12; at++) {
      one.push(bytes.subarray(at, at + 1))
      clock.advance(1_000)
    }
    // 10 seconds for any frame, and one for its thousand bytes.
    expect(errors).toEqual(['7 of 1000 bytes of a frame after 11000 ms'])
    one.push(bytes)
    expect(errors).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  test('a header that never ends is cut as well', () => {
    const { one, errors, clock } = reader()
    one.push(bytes.subarray(0, 3))
    clock.advance(10_000)
    expect(errors).toHaveLength(1)
  })

  test('a large frame may take as long as a slow line needs', () => {
    const { one, frames, errors, clock } = reader()
    const large = encodeFrames([{ kind: FrameKind.data, body: new Uint8Array(50_000) }])
    for (let at = 0; at < large.byteLength; at += 1_000) {
      one.push(large.subarray(at, at + 1_000))
      clock.advance(1_000)
    }
    expect(errors).toEqual([])
    expect(frames).toHaveLength(1)
  })

  test('between frames there is no deadline', () => {
    const { one, frames, errors, clock } = reader()
    one.push(bytes)
    clock.advance(1_000_000)
    one.push(bytes.subarray(0, 500))
    clock.advance(9_000)
    one.push(bytes.subarray(500))
    one.push(bytes.subarray(0, 500))
    clock.advance(9_000)
    one.push(bytes.subarray(500))
    expect(frames).toHaveLength(3)
    expect(errors).toEqual([])
    expect(clock.pending).toBe(0)
  })

  test('a receiver may close the reader from within', () => {
    const frames: Frame[] = []
    const one: FrameReader = new FrameReader({
      bytesMax: 10_000,
      deadlineMs: 1_000,
      bytesPerSecondMin: 1_000,
      clock: manualClock(),
      onFrame(decoded) {
        frames.push(decoded)
        one.close()
      },
      onError: () => {}
    })
    one.push(concat(bytes, bytes))
    expect(frames).toHaveLength(1)
  })
})
