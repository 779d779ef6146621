/**
 * A link over one libp2p connection: a long-lived stream in each direction for consensus frames.
 *
 * Each side opens one stream and only writes there; what the other side opened is only read. A new stream per message would cost
 * six times as much, and a datastore write each. Our stream is opened at once, without waiting for identify; frames queue until
 * it is there. A stream that breaks is opened again, a few times; when that does not help the link ends.
 *
 * libp2p's listeners must not throw: whatever happens in one is caught and ends the stream or the link.
 */
import type { Connection, Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { Timer } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { FrameKind, FrameReader } from '../framing.ts'
import type { Admitted } from '../gate.ts'
import { Outbox } from '../outbox.ts'
import type { Link } from '../session-table.ts'
import type { TransportCore } from '../transport-core.ts'
import type { AdmissionRecord } from './admissions.ts'
import { raceAbort, withDeadline } from './deadline.ts'
import { thriftyWindow } from './thrift.ts'

/** Protocol id of the streams that carry consensus frames. */
export const FRAMES_PROTOCOL = '/quorate/frames/1.0.0'

/** One in each direction, and room for a new one while the end of the old one is on its way. */
export const FRAMES_STREAMS_MAX = 4

const CLOSE_TIMEOUT_MS = 500
const STREAM_OPEN_TIMEOUT_MS = 5_000
/** A stream that lived for less than this counts as a failure. */
const STREAM_SHORT_LIVED_MS = 1_000
const STREAM_FAILURES_MAX = 3
const STREAM_RETRY_MS = 20

export interface FramesLinkInit {
  readonly connection: Connection
  readonly record: AdmissionRecord
  readonly core: TransportCore
  /** The connection is ours: it ends with the link. */
  readonly ownsConnection: boolean
  /** Called once, before the session table hears of it. */
  onEnded(link: FramesLink): void
}

export class FramesLink implements Link {
  readonly admitted: Admitted
  readonly instance: string
  readonly sequence: number
  readonly dialledByUs: boolean
  readonly #init: FramesLinkInit
  readonly #outbox: Outbox
  #outbound: Stream | undefined
  readonly #inbound = new Map<Stream, FrameReader>()
  #bytesReceived = 0
  #streamFailures = 0
  #retry: Timer | undefined
  #state: 'open' | 'closing' | 'ended' = 'open'
  readonly #ended = Promise.withResolvers<void>()

  constructor(init: FramesLinkInit) {
    this.#init = init
    this.admitted = init.record.admitted
    this.instance = init.record.instance
    this.sequence = init.record.sequence
    this.dialledByUs = init.connection.direction === 'outbound'
    this.#outbox = new Outbox({
      bytesMax: init.core.limits.sendBufferBytesMax,
      onWriteError: (error) => this.#outboundBroke(messageOf(error))
    })
    init.connection.addEventListener('close', this.#onConnectionClose)
  }

  /** Resolves when the link, and its connection if that is ours, has gone. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  get bytesReceived(): number {
    return this.#bytesReceived
  }

  /** Opens our stream. */
  start(): void {
    if (this.#init.connection.status === 'open') void this.#openStream()
    else this.abort('the connection closed')
  }

  /** Reads what the peer opened. A second stream replaces the first: the peer opens one at a time. */
  accept(stream: Stream): void {
    if (this.#state === 'ended') {
      stream.abort(new Error('the session is closed'))
      return
    }
    const { core } = this.#init
    const reader = new FrameReader({
      bytesMax: core.limits.frameBytesMax,
      deadlineMs: core.limits.frameDeadlineMs,
      bytesPerSecondMin: core.limits.frameBytesPerSecondMin,
      clock: core.clock,
      onFrame: (frame) => core.linkReceived(this, frame),
      onError: (error) => this.#reset(stream, error)
    })
    this.#inbound.set(stream, reader)
    thriftyWindow(stream)
    stream.addEventListener('close', () => this.#forget(stream))
    stream.addEventListener('remoteCloseWrite', () => {
      this.#forget(stream)
      stream.close().catch((error: unknown) => core.report(error, 'closing a stream'))
    })
    stream.addEventListener('message', ({ data }: StreamMessageEvent) => {
      this.#bytesReceived += data.byteLength
      try {
        reader.push(data.subarray())
      } catch (error) {
        this.#reset(stream, error)
      }
    })
    if (stream.status !== 'open' && stream.readBufferLength === 0) this.#forget(stream)
  }

  send(kind: FrameKind, body: Uint8Array): boolean {
    return this.#state === 'open' && this.#outbox.push(kind, body)
  }

  close(reason: string): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#retry?.cancel()
    this.#outbox.push(FrameKind.bye, new Uint8Array(0))
    this.#outbox.flush()
    void this.#closeGently(reason)
  }

  abort(reason: string): void {
    if (this.#state === 'ended') return
    this.#state = 'closing'
    this.#cut(reason)
    queueMicrotask(() => this.#end(reason))
  }

  readonly #onConnectionClose = ({ error }: StreamCloseEvent): void => {
    const why = error === undefined ? 'the connection closed' : `the connection broke: ${error.message}`
    // While we close it ourselves, the report follows when that is done.
    if (this.#state === 'open') this.#end(why)
  }

  async #closeGently(reason: string): Promise<void> {
    const { connection, core, ownsConnection } = this.#init
    const deadline = withDeadline(core.clock, CLOSE_TIMEOUT_MS)
    try {
      // Our stream may still be opening, with frames that wait for it.
      await raceAbort(this.#outbox.whenEmpty(), deadline.signal)
      if (ownsConnection) await connection.close({ signal: deadline.signal })
      else await this.#outbound?.close({ signal: deadline.signal })
    } catch {
      // It did not end in time: cut it.
    } finally {
      deadline.cancel()
      this.#cut(reason)
      this.#end(reason)
    }
  }

  #cut(reason: string): void {
    const { connection, ownsConnection } = this.#init
    const error = new Error(reason)
    if (ownsConnection) connection.abort(error)
    else for (const stream of this.#streams()) stream.abort(error)
  }

  #streams(): Stream[] {
    return this.#outbound === undefined ? [...this.#inbound.keys()] : [this.#outbound, ...this.#inbound.keys()]
  }

  #end(reason: string): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#retry?.cancel()
    this.#outbox.detach()
    this.#init.connection.removeEventListener('close', this.#onConnectionClose)
    for (const reader of this.#inbound.values()) reader.close()
    if (!this.#init.ownsConnection) for (const stream of this.#streams()) stream.abort(new Error(reason))
    this.#inbound.clear()
    this.#init.onEnded(this)
    this.#init.core.linkClosed(this, reason)
    this.#ended.resolve()
  }

  async #openStream(): Promise<void> {
    const { connection, core } = this.#init
    const deadline = withDeadline(core.clock, STREAM_OPEN_TIMEOUT_MS)
    try {
      const stream = await connection.newStream(FRAMES_PROTOCOL, {
        signal: deadline.signal,
        maxOutboundStreams: FRAMES_STREAMS_MAX
      })
      // libp2p resolves with a stream that the peer has reset already when it is over its limit.
      if (stream.status !== 'open') throw new Error(`the peer answered with a stream that is ${stream.status}`)
      if (this.#state !== 'ended') this.#use(stream)
      else stream.abort(new Error('the session is closed'))
    } catch (error) {
      if (isUnsupported(error)) this.abort('the peer takes no consensus frames on this connection')
      else this.#outboundBroke(messageOf(error))
    } finally {
      deadline.cancel()
    }
  }

  #use(stream: Stream): void {
    const { clock, limits } = this.#init.core
    const openedAt = clock.now()
    this.#outbound = stream
    stream.maxWriteBufferLength = limits.sendBufferBytesMax + limits.frameBytesMax
    // Nobody has a reason to write to us here.
    stream.maxReadBufferLength = 1024
    stream.addEventListener('drain', () => this.#outbox.drained())
    stream.addEventListener('close', ({ error }: StreamCloseEvent) => {
      if (this.#outbound !== stream) return
      this.#outbound = undefined
      if (clock.now() - openedAt >= STREAM_SHORT_LIVED_MS) this.#streamFailures = 0
      this.#outboundBroke(error === undefined ? 'the peer closed its end' : error.message)
    })
    this.#outbox.attach({ write: (bytes) => stream.send(bytes) })
  }

  #outboundBroke(why: string): void {
    this.#outbox.detach()
    if (this.#state !== 'open') return
    const { connection, core } = this.#init
    // Streams fall before their connection does: its own event tells the reason, in this same turn or the next.
    this.#streamFailures += 1
    if (this.#streamFailures > STREAM_FAILURES_MAX) {
      this.abort(`the stream for frames broke ${this.#streamFailures} times: ${why}`)
      return
    }
    this.#retry?.cancel()
    this.#retry = core.clock.setTimer(STREAM_RETRY_MS * 2 ** (this.#streamFailures - 1), () => {
      if (this.#state !== 'open') return
      if (connection.status === 'open') void this.#openStream()
      else this.abort('the connection closed')
    })
  }

  #forget(stream: Stream): void {
    this.#inbound.get(stream)?.close()
    this.#inbound.delete(stream)
  }

  #reset(stream: Stream, error: unknown): void {
    const { core } = this.#init
    core.counters.streamsReset += 1
    core.report(error, `reading frames of ${this.admitted.peerId}`)
    this.#forget(stream)
    stream.abort(error instanceof Error ? error : new Error(messageOf(error)))
  }
}

const isUnsupported = (error: unknown): boolean => error instanceof Error && error.name === 'UnsupportedProtocolError'
