/**
 * Streams whose protocol is agreed upon without waiting, over real Yamux: between two that do so, and with a peer that negotiates as
 * libp2p does, on either side. Whole libp2p nodes of another kind are in test/integration/foreign.test.ts.
 */
import { yamux } from '@chainsafe/libp2p-yamux'
import type { ComponentLogger, MessageStream, Stream, StreamCloseEvent, StreamMuxer } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import { describe, expect, it } from 'vitest'
import { concat, utf8 } from '../../src/core/bytes.ts'
import { negotiateShortly, whenAnswered, wordsFor } from '../../src/transport/libp2p/short-negotiation.ts'
import { type ManualClock, manualClock } from './manual-clock.ts'

const PROTOCOL = '/quorate/frames/1.0.0'
const WORDS = wordsFor(PROTOCOL)
const logger: ComponentLogger = defaultLogger()

class End extends AbstractMessageStream {
  sent: Uint8Array[] = []

  constructor(direction: 'inbound' | 'outbound') {
    super({ log: logger.forComponent('test'), direction })
  }

  sendData(data: { readonly byteLength: number; subarray(): Uint8Array }): SendResult {
    this.sent.push(data.subarray().slice())
    return { sentBytes: data.byteLength, canSendMore: true }
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
  readonly clock: ManualClock
  readonly muxer: StreamMuxer
  /** As libp2p is shown them, with the protocol that they had then. */
  readonly shown: { readonly stream: Stream; readonly protocol: string }[]
}

function side(direction: 'inbound' | 'outbound', isShort: boolean): Side {
  const end = new End(direction)
  const clock = manualClock()
  const muxer = yamux({ enableKeepAlive: false })().createStreamMuxer(end)
  if (isShort) negotiateShortly(muxer, PROTOCOL, clock)
  const shown: Side['shown'] = []
  muxer.addEventListener('stream', ({ detail }) => shown.push({ stream: detail, protocol: detail.protocol }))
  return { end, clock, muxer, shown }
}

const pair = (ours: boolean, theirs: boolean): readonly [Side, Side] => [
  side('outbound', ours),
  side('inbound', theirs)
]

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** Brings over what was sent, until nothing is; gives how many writes it was. */
async function carry([a, b]: readonly [Side, Side], pieceBytes = Infinity): Promise<number> {
  let writes = 0
  for (let quiet = 0; quiet < 3;) {
    await turn()
    quiet = a.end.sent.length + b.end.sent.length === 0 ? quiet + 1 : 0
    for (const [from, to] of [
      [a, b],
      [b, a]
    ] as const) {
      const sent = from.end.sent.splice(0)
      writes += sent.length
      const bytes = concat(...sent)
      for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
        to.end.onData(bytes.slice(at, Math.min(bytes.byteLength, at + pieceBytes)))
      }
    }
  }
  return writes
}

const open = ({ muxer }: Side): Promise<Stream> => Promise.resolve(muxer.createStream({ protocol: PROTOCOL }))

function read(stream: MessageStream): Uint8Array[] {
  const all: Uint8Array[] = []
  stream.addEventListener('message', ({ data }) => void all.push(data.subarray().slice()))
  return all
}

function closing(stream: Stream): { error?: Error } {
  const end: { error?: Error } = {}
  stream.addEventListener('close', ({ error }: StreamCloseEvent) => Object.assign(end, { error }))
  return end
}

describe('negotiateShortly', () => {
  it('opens, says what for, and sends in one go; the other side repeats it', async () => {
    const sides = pair(true, true)
    const stream = await open(sides[0])
    expect(stream.protocol).toBe(PROTOCOL)
    stream.send(utf8('at once'))
    // Nothing has arrived yet. Opening and protocol are one frame, and what follows is another.
    expect(sides[0].end.sent).toHaveLength(2)
    expect(sides[0].end.sent[0]!.subarray(12)).toEqual(WORDS)
    // And the answer, which accepts the stream as well.
    expect(await carry(sides)).toBe(3)
    expect(sides[1].shown).toHaveLength(1)
    expect(sides[1].shown[0]!.protocol).toBe(PROTOCOL)
    const received = read(sides[1].shown[0]!.stream)
    await carry(sides)
    stream.send(utf8(' and later'))
    await carry(sides)
    expect(concat(...received)).toEqual(utf8('at once and later'))
    expect(sides[0].clock.pending).toBe(0)
    expect(stream.readBufferLength).toBe(0)
  })

  it.each([1, 2, 5, 13, 40])('works in pieces of %i bytes', async (pieceBytes) => {
    const sides = pair(true, true)
    const stream = await open(sides[0])
    stream.send(utf8('frames'))
    await carry(sides, pieceBytes)
    const { stream: theirs } = sides[1].shown[0]!
    const received = read(theirs)
    await carry(sides, pieceBytes)
    const text = new TextDecoder().decode(concat(...received))
    // A stream whose words come in pieces is shown as it is, for libp2p to ask.
    expect(theirs.protocol === PROTOCOL ? text : text.slice(WORDS.byteLength)).toBe('frames')
  })

  it('is understood by a peer that reads the words and answers line by line', async () => {
    const sides = pair(true, false)
    const stream = await open(sides[0])
    stream.send(utf8('at once'))
    await carry(sides)
    const { stream: theirs, protocol } = sides[1].shown[0]!
    expect(protocol).toBe('')
    const received = read(theirs)
    await carry(sides)
    expect(concat(...received)).toEqual(concat(WORDS, utf8('at once')))
    theirs.send(WORDS.subarray(0, 20))
    await carry(sides)
    expect(sides[0].clock.pending).toBe(1)
    theirs.send(WORDS.subarray(20))
    await carry(sides)
    expect(sides[0].clock.pending).toBe(0)
    expect(stream.status).toBe('open')
  })

  it('says when the answer is there, for whoever closes', async () => {
    const sides = pair(true, true)
    const stream = await open(sides[0])
    let isAnswered = false
    const answered = whenAnswered(stream).then(() => (isAnswered = true))
    await turn()
    expect(isAnswered).toBe(false)
    await carry(sides)
    await answered
    const ended = await open(sides[0])
    ended.abort(new Error('not needed'))
    await whenAnswered(ended)
    await whenAnswered(await sides[0].muxer.createStream())
  })

  it('leaves a stream to libp2p that is for something else, or says so later', async () => {
    const sides = pair(false, true)
    const other = await sides[0].muxer.createStream()
    other.send(wordsFor('/quorate/hello/1.0.0'))
    const late = await sides[0].muxer.createStream()
    await carry(sides)
    late.send(WORDS)
    await carry(sides)
    expect(sides[1].shown.map(({ protocol }) => protocol)).toEqual(['', ''])
    const received = sides[1].shown.map(({ stream }) => read(stream))
    await carry(sides)
    expect(received.map((all) => concat(...all))).toEqual([wordsFor('/quorate/hello/1.0.0'), WORDS])
  })

  it('takes the words once: the same again is what was sent', async () => {
    const sides = pair(false, true)
    const stream = await sides[0].muxer.createStream()
    stream.send(concat(WORDS, WORDS))
    await carry(sides)
    const received = read(sides[1].shown[0]!.stream)
    await carry(sides)
    expect(sides[1].shown[0]!.protocol).toBe(PROTOCOL)
    expect(concat(...received)).toEqual(WORDS)
  })

  it.each([
    ['no', Uint8Array.of(3, 110, 97, 10)],
    ['another protocol', wordsFor('/quorate/hello/1.0.0')],
    ['more than was asked', concat(WORDS, Uint8Array.of(0))]
  ])('ends the stream when the answer is %s', async (_, answer) => {
    const sides = pair(true, false)
    const stream = await open(sides[0])
    const end = closing(stream)
    await carry(sides)
    sides[1].shown[0]!.stream.send(answer)
    await carry(sides)
    expect(stream.status).toBe('aborted')
    expect(end.error?.name).toBe('UnsupportedProtocolError')
    expect(sides[0].clock.pending).toBe(0)
  })

  it('ends the stream when no answer comes, and leaves no timer when it ends before', async () => {
    const sides = pair(true, false)
    const [silent, gone] = [await open(sides[0]), await open(sides[0])]
    const end = closing(silent)
    await carry(sides)
    gone.abort(new Error('not needed'))
    expect(sides[0].clock.pending).toBe(1)
    sides[0].clock.advance(5_000)
    expect(end.error?.message).toMatch(/did not say/)
    expect(sides[0].clock.pending).toBe(0)
  })

  it('leaves muxers and streams of another make alone', async () => {
    const muxer = { onCreateStream: () => ({ id: '1' }) } as unknown as StreamMuxer
    negotiateShortly(muxer, PROTOCOL, manualClock())
    const bare = { ...muxer, safeDispatchEvent: () => true } as unknown as StreamMuxer & {
      onCreateStream(options: object): unknown
    }
    negotiateShortly(bare, PROTOCOL, manualClock())
    expect(bare.onCreateStream({ protocol: PROTOCOL })).toEqual({ id: '1' })
  })
})
