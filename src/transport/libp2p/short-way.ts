/**
 * The short way of a frame: through Noise and Yamux in one step, on a connection between members.
 *
 * libp2p hands every frame through four streams (frames, Yamux, Noise, socket), each with a queue, an event and a list of pieces in
 * either direction. That is what a connection needs that is full, paused, negotiating or closing; a frame between two heartbeats
 * needs none of it, and pays for all of it: about a fifth of what an idle follower does.
 *
 * So where all four layers of a connection are clean (nothing queued, nobody waiting, nothing closing), a frame is sealed here and
 * goes to the socket, and what the socket brings is opened here and goes to the reader of frames. The bytes on the wire are
 * those of Noise and Yamux: key, nonce and windows are the layers' own, counted where they count them, so either way may follow
 * the other at any time and the peer cannot tell. In every other case the layer's own entry is called, with whatever it has to
 * get. What it says of pressure (`send` gave false) is told to the same streams as always.
 *
 * From its construction on all ciphertext is parsed here, also what comes through libp2p's events: a message of Noise in pieces is
 * held in one place only. A data frame of Yamux for a stream with a receiver is handed on as it comes, within its window.
 *
 * libp2p has no door for this: fields of its objects are read, and `decode`, `onData` of single objects shadowed, as in
 * `thrift.ts`. Where they do not look as expected there is no short way, and nothing else changes.
 */
import type { MessageStream, Stream, StreamMuxer } from '@libp2p/interface'
import { withLength } from './noise-crypto.ts'
import { readAtOnce } from './socket-reads.ts'

/** To be left free before the bytes that are sent: for the header of Yamux. */
export const HEADROOM_BYTES = 12

const TAG_BYTES = 16
const SEALED_BYTES_MAX = 65_535
const PLAIN_BYTES_MAX = SEALED_BYTES_MAX - TAG_BYTES
/** States of a stream of yamux in which data travels without flags. */
const SYN_SENT = 1
const ESTABLISHED = 3

interface Bytes {
  readonly byteLength: number
}

/** A Uint8Array, or a list of them. */
interface Pieces extends Bytes {
  subarray(): Uint8Array
}

/** As AbstractMessageStream of @libp2p/utils has them. */
interface Layer {
  readonly readStatus: string
  readonly writeStatus: string
  readonly readBuffer: Bytes
  readonly writeBuffer: Bytes
  readonly sendingData: boolean
  writableNeedsDrain: boolean
  onData(data: Pieces): void
  abort(error: Error): void
}

interface SocketLayer extends Layer {
  readonly socket?: { write(bytes: Uint8Array): boolean }
}

interface NoiseLayer extends Layer {
  readonly handshake: {
    encrypt(plain: Uint8Array): Uint8Array
    decrypt(sealed: Uint8Array, target: Uint8Array): Uint8Array | { subarray(): Uint8Array }
  }
  readonly decoder: {
    readonly buffer: Bytes & { subarray(): Uint8Array; consume(bytes: number): void }
    decode(data: { subarray(): Uint8Array }): Iterable<never>
  }
}

interface YamuxStream extends Layer {
  readonly streamId: number
  readonly state: number
  sendWindowCapacity: number
  recvWindowCapacity: number
  sendWindowUpdate(): void
  onMuxerNeedsDrain(): void
}

interface YamuxMuxer {
  readonly streams: readonly YamuxStream[]
  readonly decoder: { readonly buffer: Bytes }
  onData(data: Uint8Array): void
  abort(error: Error): void
}

interface Receiver {
  readonly stream: YamuxStream
  readonly take: (bytes: Uint8Array) => void
}

/** By the stream of Noise, which is what a muxer is made on. */
const ways = new WeakMap<object, ShortWay>()

/** The short way of a connection: `secured` is Noise's stream on `connection`. Undefined when they do not look as expected. */
export function shortWayOn(connection: MessageStream, secured: MessageStream): ShortWay | undefined {
  if (!isSocket(connection) || !isNoise(secured)) return undefined
  const way = new ShortWay(connection, secured)
  ways.set(secured, way)
  return way
}

/** A new muxer, for the short way of its connection. */
export function shortWayThrough(muxer: StreamMuxer, connection: MessageStream): void {
  if (isYamux(muxer)) ways.get(connection)?.muxed(muxer)
}

export class ShortWay {
  readonly #socket: SocketLayer
  readonly #noise: NoiseLayer
  #muxer: YamuxMuxer | undefined
  readonly #receivers = new Map<number, Receiver>()
  /** First byte of a length whose second byte has not come; -1 for none. */
  #lengthBegun = -1
  /** A message of Noise that has not come whole, and how much of it has. */
  #held: Uint8Array | undefined
  #heldBytes = 0
  /** Of the data frame under way, and what of it is still to come. */
  #receiver: Receiver | undefined
  #left = 0
  #isBroken = false

  constructor(socket: SocketLayer, noise: NoiseLayer) {
    this.#socket = socket
    this.#noise = noise
    const { decoder } = noise
    const early = decoder.buffer.subarray()
    decoder.buffer.consume(early.byteLength)
    decoder.decode = (data) => {
      this.#take(data.subarray())
      return []
    }
    this.#take(early)
  }

  /** Past the events of the socket as well. Only when nobody else shadows its `onData` any more. */
  open(): void {
    const socket = this.#socket
    const onData = socket.onData.bind(socket)
    socket.onData = (data) => {
      if (isClear(socket)) this.#take(data.subarray())
      else onData(data)
    }
    if (socket.socket === undefined) return
    readAtOnce(
      socket.socket,
      () => isClear(socket),
      (bytes) => this.#take(bytes)
    )
  }

  muxed(muxer: YamuxMuxer): void {
    this.#muxer = muxer
  }

  /** Bytes of this stream may go to `take` instead of its message event, which has to do the same. */
  receive(stream: Stream, take: (bytes: Uint8Array) => void): void {
    if (!isYamuxStream(stream)) return
    this.#receivers.set(stream.streamId, { stream, take })
    stream.addEventListener('close', () => this.#receivers.delete(stream.streamId))
  }

  /**
   * As `stream.send`, of what stands behind the headroom of `bytes`, which is written over. False: no more until the stream drains.
   * Throws when the stream is closed.
   */
  send(stream: Stream, bytes: Uint8Array): boolean {
    const length = bytes.byteLength - HEADROOM_BYTES
    if (!isYamuxStream(stream) || !this.#canSend(stream, length)) return stream.send(bytes.subarray(HEADROOM_BYTES))
    writeHeader(bytes, stream.streamId, length)
    stream.sendWindowCapacity -= length
    const goesOn = this.#socket.socket!.write(this.#seal(bytes))
    if (!goesOn) {
      this.#socket.writableNeedsDrain = true
      this.#noise.writableNeedsDrain = true
      for (const each of this.#muxer!.streams) each.onMuxerNeedsDrain()
    }
    return goesOn
  }

  #canSend(stream: YamuxStream, length: number): boolean {
    return (
      length > 0 &&
      length <= stream.sendWindowCapacity - HEADROOM_BYTES &&
      (stream.state === ESTABLISHED || stream.state === SYN_SENT) &&
      this.#muxer !== undefined &&
      this.#socket.socket !== undefined &&
      isIdle(stream) &&
      isIdle(this.#noise) &&
      isIdle(this.#socket)
    )
  }

  #seal(plain: Uint8Array): Uint8Array {
    const { handshake } = this.#noise
    try {
      if (plain.byteLength <= PLAIN_BYTES_MAX) return withLength(handshake.encrypt(plain))
      const messages: Uint8Array[] = []
      for (let at = 0; at < plain.byteLength; at += PLAIN_BYTES_MAX) {
        messages.push(withLength(handshake.encrypt(plain.subarray(at, at + PLAIN_BYTES_MAX))))
      }
      return Buffer.concat(messages)
    } catch (error) {
      this.#noise.abort(error as Error)
      throw error
    }
  }

  /** Ciphertext, in whatever pieces. */
  #take(read: Uint8Array): void {
    // Views of a Buffer are made in JavaScript, and a message takes five.
    const chunk = new Uint8Array(read.buffer, read.byteOffset, read.byteLength)
    let at = 0
    while (at < chunk.byteLength && !this.#isBroken) {
      const held = this.#held
      if (held !== undefined) {
        const some = chunk.subarray(at, at + held.byteLength - this.#heldBytes)
        held.set(some, this.#heldBytes)
        this.#heldBytes += some.byteLength
        at += some.byteLength
        if (this.#heldBytes < held.byteLength) return
        this.#held = undefined
        this.#unseal(held)
        continue
      }
      const first = this.#lengthBegun >= 0 ? this.#lengthBegun : chunk[at++]!
      this.#lengthBegun = -1
      if (at === chunk.byteLength) {
        this.#lengthBegun = first
        return
      }
      const length = first * 256 + chunk[at++]!
      if (length <= chunk.byteLength - at) {
        this.#unseal(chunk.subarray(at, at + length))
        at += length
      } else {
        this.#held = new Uint8Array(length)
        this.#heldBytes = 0
      }
    }
  }

  /** One message of Noise. An empty one says nothing. */
  #unseal(sealed: Uint8Array): void {
    if (sealed.byteLength === 0) return
    let plain: Uint8Array
    try {
      if (sealed.byteLength < TAG_BYTES) throw new Error('a message of Noise that is shorter than its tag')
      const opened = this.#noise.handshake.decrypt(sealed, sealed.subarray(0, sealed.byteLength - TAG_BYTES))
      const { buffer, byteOffset, byteLength } = opened instanceof Uint8Array ? opened : opened.subarray()
      // Not a Buffer, whose slices are no copies.
      plain = new Uint8Array(buffer, byteOffset, byteLength)
    } catch (error) {
      this.#isBroken = true
      this.#noise.abort(error as Error)
      return
    }
    if (this.#muxer === undefined) this.#noise.onData(plain)
    else this.#demux(this.#muxer, plain)
  }

  #demux(muxer: YamuxMuxer, plain: Uint8Array): void {
    try {
      let at = this.#deliver(plain, 0)
      while (at < plain.byteLength) {
        if (!isClear(this.#noise)) return this.#noise.onData(plain.subarray(at))
        // A frame that has begun on the long way ends on it.
        if (muxer.decoder.buffer.byteLength > 0 || !this.#begin(plain, at)) return muxer.onData(plain.subarray(at))
        at = this.#deliver(plain, at + HEADROOM_BYTES)
      }
    } catch (error) {
      muxer.abort(error as Error)
      this.#noise.abort(error as Error)
    }
  }

  /** True when a plain data frame for one of our receivers begins here. */
  #begin(plain: Uint8Array, at: number): boolean {
    // Version 0, type 0, no flags.
    if (
      plain.byteLength - at < HEADROOM_BYTES ||
      (plain[at]! | plain[at + 1]! | plain[at + 2]! | plain[at + 3]!) !== 0
    ) {
      return false
    }
    const receiver = this.#receivers.get(uint32(plain, at + 4))
    const length = uint32(plain, at + 8)
    if (receiver === undefined || length === 0) return false
    const { stream } = receiver
    // What is beyond the window is the muxer's to punish.
    if (stream.state !== ESTABLISHED || length > stream.recvWindowCapacity) return false
    stream.recvWindowCapacity -= length
    this.#receiver = receiver
    this.#left = length
    return true
  }

  /** What of the frame under way stands at `at`; gives where the next one begins. */
  #deliver(plain: Uint8Array, at: number): number {
    const receiver = this.#receiver
    if (receiver === undefined) return at
    const { stream, take } = receiver
    const bytes = plain.subarray(at, at + this.#left)
    this.#left -= bytes.byteLength
    if (this.#left === 0) this.#receiver = undefined
    // Closed, it drops them; paused, it keeps them.
    if (isClear(stream)) take(bytes)
    else stream.onData(bytes)
    if (this.#left === 0 && stream.state === ESTABLISHED) stream.sendWindowUpdate()
    return at + bytes.byteLength
  }
}

/** What comes may be handed on at once. */
const isClear = (layer: Layer): boolean => layer.readStatus === 'readable' && layer.readBuffer.byteLength === 0

const isIdle = (layer: Layer): boolean =>
  layer.writeStatus === 'writable' &&
  !layer.writableNeedsDrain &&
  !layer.sendingData &&
  layer.writeBuffer.byteLength === 0

const uint32 = (bytes: Uint8Array, at: number): number =>
  bytes[at]! * 2 ** 24 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!)

/** Of a data frame without flags. */
function writeHeader(bytes: Uint8Array, streamId: number, length: number): void {
  bytes.fill(0, 0, 4)
  for (let i = 0; i < 4; i++) {
    bytes[4 + i] = streamId >>> (24 - 8 * i)
    bytes[8 + i] = length >>> (24 - 8 * i)
  }
}

function isLayer(layer: Partial<Layer>): boolean {
  const { readStatus, writeStatus, readBuffer, writeBuffer, sendingData, writableNeedsDrain, onData } = layer
  return (
    typeof readStatus === 'string' &&
    typeof writeStatus === 'string' &&
    typeof readBuffer?.byteLength === 'number' &&
    typeof writeBuffer?.byteLength === 'number' &&
    typeof sendingData === 'boolean' &&
    typeof writableNeedsDrain === 'boolean' &&
    typeof onData === 'function'
  )
}

const isSocket = (connection: object): connection is SocketLayer => isLayer(connection)

function isNoise(secured: object): secured is NoiseLayer {
  const { handshake, decoder } = secured as Partial<NoiseLayer>
  return (
    isLayer(secured) &&
    typeof handshake?.encrypt === 'function' &&
    typeof handshake.decrypt === 'function' &&
    typeof decoder?.decode === 'function' &&
    typeof decoder.buffer?.consume === 'function'
  )
}

function isYamux(muxer: StreamMuxer): muxer is StreamMuxer & YamuxMuxer {
  const { streams, decoder, onData } = muxer as unknown as Partial<YamuxMuxer>
  const buffered: unknown = decoder?.buffer?.byteLength
  return Array.isArray(streams) && typeof buffered === 'number' && typeof onData === 'function'
}

function isYamuxStream(stream: Stream): stream is Stream & YamuxStream {
  const { streamId, state, sendWindowCapacity, recvWindowCapacity } = stream as Partial<YamuxStream>
  return (
    isLayer(stream) &&
    typeof streamId === 'number' &&
    typeof state === 'number' &&
    typeof sendWindowCapacity === 'number' &&
    typeof recvWindowCapacity === 'number'
  )
}
