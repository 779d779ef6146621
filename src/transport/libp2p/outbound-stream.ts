/**
 * One way out of a link: a stream that only we write to, and the frames that wait for it.
 *
 * It is opened when `open` is called, or by the first frame. One that breaks is opened again, a few times in a row; what was
 * queued leaves on the next one. When that does not help, or the peer does not speak the protocol, its owner is told.
 *
 * libp2p's listeners must not throw: whatever happens in one is caught here.
 */
import type { Connection, Stream, StreamCloseEvent } from '@libp2p/interface'
import type { Timer } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { FrameKind } from '../framing.ts'
import { Outbox } from '../outbox.ts'
import type { TransportCore } from '../transport-core.ts'
import { withDeadline } from './deadline.ts'
import { whenAnswered } from './short-negotiation.ts'
import { HEADROOM_BYTES, type ShortWay } from './short-way.ts'
import { spareEvents } from './thrift.ts'

const STREAM_OPEN_TIMEOUT_MS = 5_000
/** A stream that lived for less than this counts as a failure. */
const STREAM_SHORT_LIVED_MS = 1_000
const STREAM_FAILURES_MAX = 3
const STREAM_RETRY_MS = 20
const NOT_TAKEN = 'the peer takes no consensus frames on this connection'

export interface OutboundStreamInit {
  readonly connection: Connection
  readonly core: TransportCore
  readonly protocol: string
  readonly streamsMax: number
  readonly shortWay: ShortWay | undefined
  /** Nothing more will leave here; called at most once. */
  onGivenUp(why: string): void
}

export class OutboundStream {
  readonly #init: OutboundStreamInit
  readonly #outbox: Outbox
  #stream: Stream | undefined
  #state: 'idle' | 'open' | 'closed' = 'idle'
  #failures = 0
  #retry: Timer | undefined

  constructor(init: OutboundStreamInit) {
    this.#init = init
    this.#outbox = new Outbox({
      bytesMax: init.core.limits.sendBufferBytesMax,
      headroomBytes: init.shortWay === undefined ? 0 : HEADROOM_BYTES,
      onWriteError: (error) => this.#broke(messageOf(error))
    })
  }

  get stream(): Stream | undefined {
    return this.#stream
  }

  get isGivenUp(): boolean {
    return this.#state === 'closed'
  }

  open(): void {
    if (this.#state !== 'idle') return
    this.#state = 'open'
    if (this.#init.connection.status === 'open') void this.#openStream()
    else this.#giveUp('the connection closed')
  }

  /** Writes what was pushed now, instead of at the end of the turn. */
  flush(): void {
    this.#outbox.flush()
  }

  /** False when the frame was dropped. */
  push(kind: FrameKind, body: Uint8Array): boolean {
    if (this.#state === 'closed' || !this.#outbox.push(kind, body)) return false
    this.open()
    return true
  }

  /** No stream is opened any more; what is queued leaves if there is one. */
  finish(): void {
    this.#retry?.cancel()
    this.#outbox.flush()
  }

  /** All has left, and somebody is there who reads it. */
  async whenEmpty(): Promise<void> {
    await this.#outbox.whenEmpty()
    if (this.#stream !== undefined) await whenAnswered(this.#stream)
  }

  /** Whoever waits for it is released; the stream itself is its owner's to end. */
  close(): void {
    this.#state = 'closed'
    this.#retry?.cancel()
    this.#outbox.detach()
  }

  async #openStream(): Promise<void> {
    const { connection, core, protocol, streamsMax } = this.#init
    const deadline = withDeadline(core.clock, STREAM_OPEN_TIMEOUT_MS)
    try {
      const stream = await connection.newStream(protocol, { signal: deadline.signal, maxOutboundStreams: streamsMax })
      // libp2p resolves with a stream that the peer has reset already when it is over its limit.
      if (stream.status !== 'open') throw new Error(`the peer answered with a stream that is ${stream.status}`)
      if (this.#state !== 'closed') this.#use(stream)
      else stream.abort(new Error('the session is closed'))
    } catch (error) {
      if (isUnsupported(error)) this.#giveUp(NOT_TAKEN)
      else this.#broke(messageOf(error))
    } finally {
      deadline.cancel()
    }
  }

  #use(stream: Stream): void {
    const { clock, limits } = this.#init.core
    const openedAt = clock.now()
    this.#stream = stream
    spareEvents(stream)
    stream.maxWriteBufferLength = limits.sendBufferBytesMax + limits.frameBytesMax
    // Nobody has a reason to write to us here.
    stream.maxReadBufferLength = 1024
    stream.addEventListener('drain', () => this.#outbox.drained())
    stream.addEventListener('close', ({ error }: StreamCloseEvent) => {
      if (this.#stream !== stream) return
      this.#stream = undefined
      if (clock.now() - openedAt >= STREAM_SHORT_LIVED_MS) this.#failures = 0
      if (isUnsupported(error)) this.#giveUp(NOT_TAKEN)
      else this.#broke(error === undefined ? 'the peer closed its end' : error.message)
    })
    const { shortWay } = this.#init
    this.#outbox.attach({
      write: (bytes) => (shortWay === undefined ? stream.send(bytes) : shortWay.send(stream, bytes))
    })
  }

  #broke(why: string): void {
    this.#outbox.detach()
    if (this.#state !== 'open') return
    const { connection, core } = this.#init
    // Streams fall before their connection does: its own event tells the reason, in this same turn or the next.
    this.#failures += 1
    if (this.#failures > STREAM_FAILURES_MAX) {
      this.#giveUp(`the stream for frames broke ${this.#failures} times: ${why}`)
      return
    }
    this.#retry?.cancel()
    this.#retry = core.clock.setTimer(STREAM_RETRY_MS * 2 ** (this.#failures - 1), () => {
      if (this.#state !== 'open') return
      if (connection.status === 'open') void this.#openStream()
      else this.#giveUp('the connection closed')
    })
  }

  #giveUp(why: string): void {
    if (this.#state === 'closed') return
    this.close()
    this.#init.onGivenUp(why)
  }
}

const isUnsupported = (error: unknown): boolean => error instanceof Error && error.name === 'UnsupportedProtocolError'
