/**
 * The protocol of a stream is agreed upon without waiting for it.
 *
 * libp2p opens a stream with a frame of its own, says what it is for, and waits until the peer has repeated that; each side does so
 * with a reader, a deadline and a dozen promises of its own, for each stream. The streams for frames are opened when the connection is, and
 * in a founding everybody waits for the first of them. What they are for is no question between members. So the opening frame says it,
 * and frames follow at once; whoever is opened a stream to that says so in its first bytes answers without a reader.
 *
 * On the wire it is multistream-select, byte for byte, as libp2p itself allows to hurry it: go-libp2p calls that lazy negotiation. The peer
 * may do it the usual way on its side. An answer that says something else, or none in time, ends the stream, and whoever opened it
 * hears that from its close. Frames that had left by then are lost, as with any stream that breaks.
 *
 * Methods of single objects are shadowed, as in `thrift.ts`; a muxer or stream that looks otherwise negotiates as always.
 */
import { UnsupportedProtocolError, type Stream, type StreamMessageEvent, type StreamMuxer } from '@libp2p/interface'
import { equalBytes, utf8 } from '../../core/bytes.ts'
import type { Clock } from '../../core/clock.ts'
import { thriftyWindow } from './thrift.ts'

const MULTISTREAM = '/multistream/1.0.0'
/** What libp2p gives a stream to be opened, as `OutboundStream` asks for it. */
const ANSWER_MS_MAX = 5_000

/** As AbstractStream of @libp2p/utils has them. */
interface Negotiable extends Stream {
  protocol: string
  onData(data: unknown): void
  readonly readBuffer: {
    readonly byteLength: number
    subarray(from: number, to: number): Uint8Array
    consume(bytes: number): void
  }
}

/** As AbstractStreamMuxer of @libp2p/utils has them. */
interface Opening {
  onCreateStream(options: { readonly protocol?: string }): Stream | Promise<Stream>
  safeDispatchEvent(type: string, init: { readonly detail: unknown }): boolean
}

/** What is being negotiated, by its stream, until it has been answered or has ended. */
const negotiations = new WeakMap<Stream, Promise<void>>()

/**
 * Whoever closes a connection in good order waits for this: before the answer nobody may be there who reads what was sent. Resolves at once
 * for a stream that libp2p has negotiated.
 */
export const whenAnswered = (stream: Stream): Promise<void> => negotiations.get(stream) ?? Promise.resolve()

/** On a muxer that is new: streams for `protocol`, in both directions. */
export function negotiateShortly(muxer: StreamMuxer, protocol: string, clock: Clock): void {
  if (!isOpening(muxer)) return
  const words = wordsFor(protocol)
  const create = muxer.onCreateStream.bind(muxer)
  muxer.onCreateStream = (options) => {
    const stream = create(options)
    if (options.protocol === protocol && isNegotiable(stream)) offer(stream, protocol, words, clock)
    return stream
  }
  const dispatch = muxer.safeDispatchEvent.bind(muxer)
  muxer.safeDispatchEvent = (type: string, init: { readonly detail: unknown }) => {
    if (type !== 'stream') return dispatch(type, init)
    const stream = init.detail as Stream
    if (!isNegotiable(stream)) return dispatch(type, init)
    // What comes with the frame that opened it is looked at when that frame is read, which is before it is answered with a window.
    const onData = stream.onData.bind(stream)
    stream.onData = (data) => {
      onData(data)
      answer(stream, protocol, words)
    }
    queueMicrotask(() => {
      stream.onData = onData
      answer(stream, protocol, words)
      dispatch(type, init)
    })
    return true
  }
}

/** Both sides say the same: the name of the negotiation and that of the protocol, each with its length and a line's end. */
export function wordsFor(protocol: string): Uint8Array {
  const lines = [MULTISTREAM, protocol].map((name) => utf8(`${name}\n`))
  return Uint8Array.from(lines.flatMap((line) => [line.byteLength, ...line]))
}

/** Before libp2p sees the stream, which takes it for negotiated then. Its opening frame is the one with our words. */
function offer(stream: Negotiable, protocol: string, words: Uint8Array, clock: Clock): void {
  let heard = 0
  const over = Promise.withResolvers<void>()
  negotiations.set(stream, over.promise)
  const end = (): void => {
    over.resolve()
    timer.cancel()
    stream.removeEventListener('message', onMessage)
    stream.removeEventListener('close', end)
  }
  const onMessage = ({ data }: StreamMessageEvent): void => {
    const bytes = data.subarray()
    const isRepeated = equalBytes(bytes, words.subarray(heard, heard + bytes.byteLength))
    heard += bytes.byteLength
    if (isRepeated && heard < words.byteLength) return
    end()
    if (!isRepeated) stream.abort(new UnsupportedProtocolError(`the peer does not take streams for ${protocol}`))
  }
  const timer = clock.setTimer(ANSWER_MS_MAX, () =>
    stream.abort(new Error('the peer did not say what the stream is for'))
  )
  stream.addEventListener('message', onMessage)
  stream.addEventListener('close', end)
  stream.protocol = protocol
  // All that comes is the answer.
  thriftyWindow(stream)
  stream.send(words)
}

/** When its first bytes are our words; else libp2p asks. */
function answer(stream: Negotiable, protocol: string, words: Uint8Array): void {
  const { readBuffer, status } = stream
  if (status !== 'open' || stream.protocol !== '' || readBuffer.byteLength < words.byteLength) return
  if (!equalBytes(readBuffer.subarray(0, words.byteLength), words)) return
  readBuffer.consume(words.byteLength)
  stream.protocol = protocol
  // Our words say that the stream is accepted; a window says it again.
  thriftyWindow(stream)
  try {
    stream.send(words)
  } catch (error) {
    stream.abort(error as Error)
  }
}

function isOpening(muxer: object): muxer is Opening {
  const { onCreateStream, safeDispatchEvent } = muxer as Partial<Opening>
  return typeof onCreateStream === 'function' && typeof safeDispatchEvent === 'function'
}

function isNegotiable(stream: object): stream is Negotiable {
  const { protocol, onData, readBuffer } = stream as Partial<Negotiable>
  return (
    typeof protocol === 'string' &&
    typeof onData === 'function' &&
    typeof readBuffer?.byteLength === 'number' &&
    typeof readBuffer.consume === 'function'
  )
}
