/**
 * The short way beside the long one: real Noise and Yamux on both ends of a wire that tears bytes into any pieces. What comes out
 * must be what went in, whichever way each end and each write takes, and a peer without it must not notice.
 */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { ComponentLogger, Stream, StreamMuxer } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat } from '../../src/core/bytes.ts'
import { noiseCrypto } from '../../src/transport/libp2p/noise-crypto.ts'
import { HEADROOM_BYTES, type ShortWay, shortWayOn, shortWayThrough } from '../../src/transport/libp2p/short-way.ts'

const logger: ComponentLogger = defaultLogger()

/** One end of a wire. What it sends lies in `sent` until somebody carries it over. */
class End extends AbstractMessageStream {
  sent: Uint8Array[] = []
  isFull = false
  readonly socket = {
    write: (bytes: Uint8Array): boolean => {
      this.shortWrites++
      this.sent.push(bytes)
      return !this.isFull
    }
  }
  shortWrites = 0

  constructor(direction: 'inbound' | 'outbound') {
    super({ log: logger.forComponent('test'), direction })
  }

  sendData(data: { readonly byteLength: number; subarray(): Uint8Array }): SendResult {
    this.sent.push(data.subarray().slice())
    return { sentBytes: data.byteLength, canSendMore: !this.isFull }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  sendReset(): void {}
  sendPause(): void {}
  sendResume(): void {}
}

interface Side {
  readonly end: End
  readonly muxer: StreamMuxer
  readonly way: ShortWay | undefined
  /** By stream, in the order of their opening: all that came. */
  readonly received: Map<number, Uint8Array[]>
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** Carries bytes over until both ends are silent, in pieces of the sizes that `piece` gives. */
async function carry(a: End, b: End, piece: () => number): Promise<void> {
  for (let quiet = 0; quiet < 3;) {
    await turn()
    quiet = a.sent.length + b.sent.length === 0 ? quiet + 1 : 0
    for (const [from, to] of [
      [a, b],
      [b, a]
    ] as const) {
      const bytes = concat(...from.sent.splice(0))
      for (let at = 0; at < bytes.byteLength;) {
        const size = piece()
        // A copy, as from a socket: it may be decrypted in place.
        to.onData(Buffer.from(bytes.slice(at, at + size)))
        at += size
      }
    }
  }
}

async function connected(short: readonly [boolean, boolean], piece: () => number): Promise<readonly [Side, Side]> {
  const ends = [new End('outbound'), new End('inbound')] as const
  const encrypters = await Promise.all(
    ends.map(async () => {
      const privateKey = await generateKeyPair('Ed25519')
      const upgrader = { getStreamMuxers: () => new Map() }
      const components = { privateKey, peerId: peerIdFromPrivateKey(privateKey), logger, upgrader }
      return noise({ crypto: noiseCrypto })(components as unknown as Parameters<ReturnType<typeof noise>>[0])
    })
  )
  const options = { skipStreamMuxerNegotiation: true }
  const both = Promise.all([
    encrypters[0]!.secureOutbound(ends[0], options),
    encrypters[1]!.secureInbound(ends[1], options)
  ])
  await carry(ends[0], ends[1], piece)
  const secured = await both
  const sides = ends.map((end, i): Side => {
    const way = short[i] === true ? shortWayOn(end, secured[i]!.connection) : undefined
    way?.open()
    const muxer = yamux()().createStreamMuxer(secured[i]!.connection)
    shortWayThrough(muxer, secured[i]!.connection)
    const received = new Map<number, Uint8Array[]>()
    muxer.addEventListener('stream', ({ detail: stream }) => {
      const all: Uint8Array[] = []
      received.set(received.size, all)
      const take = (bytes: Uint8Array): void => void all.push(bytes)
      stream.addEventListener('message', ({ data }) => take(data.subarray()))
      way?.receive(stream, take)
    })
    return { end, muxer, way, received }
  })
  return [sides[0]!, sides[1]!]
}

const letters = (count: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => (i * 7 + seed * 31 + (i >> 8)) & 255)

function send({ way }: Side, stream: Stream, bytes: Uint8Array): boolean {
  return way === undefined ? stream.send(bytes) : way.send(stream, concat(new Uint8Array(HEADROOM_BYTES), bytes))
}

const whole = (end: number) => (): number => end

describe('the short way', () => {
  const size = fc.oneof(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 300, max: 3_000 }),
    fc.integer({ min: 60_000, max: 140_000 })
  )
  const write = fc.record({ from: fc.nat(1), on: fc.nat(1), size, isPlain: fc.nat(4), isCarried: fc.boolean() })

  it('brings all bytes of all streams in order, in any pieces, with either peer', async () => {
    const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 500, max: 70_000 })), {
      minLength: 1
    })
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(fc.boolean(), fc.boolean()),
        pieces,
        fc.array(write, { maxLength: 14 }),
        async (short, sizes, writes) => {
          let next = 0
          const piece = (): number => sizes[next++ % sizes.length]!
          const sides = await connected(short, piece)
          const streams = await Promise.all(
            sides.map(async ({ muxer }) => [await muxer.createStream(), await muxer.createStream()])
          )
          await carry(sides[0].end, sides[1].end, piece)
          const expected = sides.map(() => [[], []] as Uint8Array[][])
          for (const [i, { from, on, size: count, isPlain, isCarried }] of writes.entries()) {
            const bytes = letters(count, i)
            const stream = streams[from]![on]!
            expected[1 - from]![on]!.push(bytes)
            // Both ways may follow each other on one stream.
            if (isPlain === 0) stream.send(bytes.slice())
            else send(sides[from]!, stream, bytes)
            if (isCarried) await carry(sides[0].end, sides[1].end, piece)
          }
          await carry(sides[0].end, sides[1].end, piece)
          for (const [i, { received }] of sides.entries()) {
            for (const on of [0, 1]) {
              const got = Buffer.concat(received.get(on) ?? [])
              expect(got.equals(Buffer.concat(expected[i]![on]!))).toBe(true)
            }
          }
        }
      ),
      { numRuns: 25 }
    )
  })

  it('is taken: one write to the socket for a frame, and no event of libp2p on either side', async () => {
    const [left, right] = await connected([true, true], whole(70_000))
    const stream = await left.muxer.createStream()
    // The first one is what opens the stream on the other side.
    send(left, stream, letters(1_000, 0))
    await carry(left.end, right.end, whole(70_000))
    const [events, writes] = [[] as string[], left.end.shortWrites]
    for (const target of [left.end, right.end, stream, ...right.muxer.streams]) {
      const dispatch = target.dispatchEvent.bind(target)
      target.dispatchEvent = (event) => {
        events.push(event.type)
        return dispatch(event)
      }
    }
    for (let i = 0; i < 20; i++) send(left, stream, letters(1_000, i))
    expect(left.end.shortWrites - writes).toBe(20)
    expect(left.end.sent).toHaveLength(20)
    await carry(left.end, right.end, whole(70_000))
    expect(Buffer.concat(right.received.get(0)!)).toHaveLength(21_000)
    expect(right.received.get(0)!.filter((bytes) => bytes instanceof Buffer)).toEqual([])
    expect(events.filter((type) => type === 'message')).toEqual([])
  })

  it('passes on that the socket is full, and waits on the long way until it drains', async () => {
    const [left, right] = await connected([true, true], whole(70_000))
    const stream = await left.muxer.createStream()
    await carry(left.end, right.end, whole(70_000))
    left.end.isFull = true
    expect(send(left, stream, letters(1_000, 1))).toBe(false)
    const { shortWrites } = left.end
    expect(send(left, stream, letters(500, 2))).toBe(false)
    expect(left.end.shortWrites).toBe(shortWrites)
    let drained = 0
    stream.addEventListener('drain', () => drained++)
    left.end.isFull = false
    left.end.safeDispatchEvent('drain')
    await carry(left.end, right.end, whole(70_000))
    expect(drained).toBeGreaterThan(0)
    expect(Buffer.concat(right.received.get(0)!)).toEqual(Buffer.concat([letters(1_000, 1), letters(500, 2)]))
    expect(send(left, stream, letters(10, 3))).toBe(true)
    expect(left.end.shortWrites).toBe(shortWrites + 1)
  })

  it('throws when the stream is closed, as the long one does', async () => {
    const [left, right] = await connected([true, true], whole(70_000))
    const stream = await left.muxer.createStream()
    await carry(left.end, right.end, whole(70_000))
    stream.abort(new Error('enough'))
    expect(() => send(left, stream, letters(10, 1))).toThrow(/closed/)
  })

  it('ends a connection on which a byte was altered, and opens nothing after it', async () => {
    const [left, right] = await connected([true, true], whole(70_000))
    const stream = await left.muxer.createStream()
    await carry(left.end, right.end, whole(70_000))
    send(left, stream, letters(1_000, 1))
    left.end.sent[0]![500]! ^= 1
    send(left, stream, letters(1_000, 2))
    await carry(left.end, right.end, whole(70_000))
    expect(right.received.get(0)).toEqual([])
    expect(right.muxer.streams).toEqual([])
  })

  /** One stream on which frames have travelled, whose receiver gives no more room. */
  async function withoutUpdates(): Promise<{
    left: Side
    right: Side
    stream: Stream & { sendWindowCapacity: number }
  }> {
    const [left, right] = await connected([true, true], whole(70_000))
    const stream = (await left.muxer.createStream()) as Stream & { sendWindowCapacity: number }
    send(left, stream, letters(1_000, 0))
    await carry(left.end, right.end, whole(70_000))
    Object.assign(right.muxer.streams[0]!, { sendWindowUpdate: () => {} })
    return { left, right, stream }
  }

  it('holds a sender to its window: one that sends more is cut off', async () => {
    const { left, right, stream } = await withoutUpdates()
    for (let i = 0; i < 6; i++) {
      stream.sendWindowCapacity = 2 ** 20
      send(left, stream, letters(60_000, i))
    }
    await carry(left.end, right.end, whole(70_000))
    expect(Buffer.concat(right.received.get(0)!)).toHaveLength(241_000)
    expect(right.muxer.status).toBe('closed')
  })

  it('keeps to the window of the receiver, and overtakes nothing that waits for room', async () => {
    const { left, right, stream } = await withoutUpdates()
    const frames = Array.from({ length: 6 }, (_, i) => letters(60_000, i))
    for (const frame of frames) send(left, stream, frame)
    stream.sendWindowCapacity += 10_000
    send(left, stream, letters(1_000, 7))
    stream.sendWindowCapacity -= 10_000
    await carry(left.end, right.end, whole(70_000))
    expect(right.muxer.status).toBe('open')
    const got = Buffer.concat(right.received.get(0)!)
    expect(got.byteLength).toBe(1_000 + 2 ** 18)
    const sent = Buffer.concat([letters(1_000, 0), ...frames])
    expect(got.equals(sent.subarray(0, got.byteLength))).toBe(true)
  })

  it('takes nothing for a frame that is the inside of another', async () => {
    const [left, right] = await connected([true, true], whole(70_000))
    const streams = [await left.muxer.createStream(), await left.muxer.createStream()] as const
    for (const stream of streams) send(left, stream, letters(1_000, 0))
    await carry(left.end, right.end, whole(70_000))
    // The second one has no receiver any more: its frames take the long way, and this one is longer than a message of Noise.
    right.muxer.streams[1]!.dispatchEvent(new Event('close'))
    const long = new Uint8Array(80_000)
    for (let at = 65_519 - HEADROOM_BYTES - 1_200; at < 70_000; at += HEADROOM_BYTES)
      long.set([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1], at)
    send(left, streams[1], long)
    await carry(left.end, right.end, whole(70_000))
    expect(Buffer.concat(right.received.get(0)!)).toEqual(Buffer.from(letters(1_000, 0)))
  })

  it('does not exist where the layers look otherwise', async () => {
    const [{ end }] = await connected([false, false], whole(70_000))
    expect(shortWayOn(end, end)).toBeUndefined()
    expect(shortWayOn({} as End, end)).toBeUndefined()
  })
})
