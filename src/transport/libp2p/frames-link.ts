/**
 * A link over one libp2p connection: a long-lived stream in each direction for consensus frames, and another for bulk.
 *
 * Each side opens streams and only writes there; what the other side opened is only read. A new stream per message would cost
 * six times as much, and a datastore write each. Our first stream is opened at once, without waiting for identify; frames queue until
 * it is there. When it cannot be kept open the link ends. The second is opened by the first frame that is large and may be slow
 * (pieces of snapshots), so that no heartbeat queues behind it; without it those frames are lost, and nothing else is.
 *
 * libp2p's listeners must not throw: whatever happens in one is caught and ends the stream or the link.
 */
import type { Connection, Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import { messageOf } from '../../core/errors.ts'
import { FrameKind, FrameReader } from '../framing.ts'
import type { Admitted } from '../gate.ts'
import type { Lane } from '../port.ts'
import type { Link } from '../session-table.ts'
import type { TransportCore } from '../transport-core.ts'
import type { AdmissionRecord } from './admissions.ts'
import { raceAbort, withDeadline } from './deadline.ts'
import { OutboundStream } from './outbound-stream.ts'
import { thriftyWindow } from './thrift.ts'

/** Protocol id of the streams that carry consensus frames. */
export const FRAMES_PROTOCOL = '/quorate/frames/1.0.0'

/** Two in each direction, and room for new ones while the end of the old ones is on its way. */
export const FRAMES_STREAMS_MAX = 8

const CLOSE_TIMEOUT_MS = 500

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
  readonly #outbound: OutboundStream
  /** For what is large; opened when there is some. */
  #bulk: OutboundStream | undefined
  readonly #inbound = new Map<Stream, FrameReader>()
  #bytesReceived = 0
  #state: 'open' | 'closing' | 'ended' = 'open'
  readonly #ended = Promise.withResolvers<void>()

  constructor(init: FramesLinkInit) {
    this.#init = init
    this.admitted = init.record.admitted
    this.instance = init.record.instance
    this.sequence = init.record.sequence
    this.dialledByUs = init.connection.direction === 'outbound'
    this.#outbound = this.#makeOutbound((why) => this.abort(why))
    init.connection.addEventListener('close', this.#onConnectionClose)
    init.record.socketEnd?.listen((error) => this.#onEnd(error))
  }

  /** Resolves when the link, and its connection if that is ours, has gone. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  get bytesReceived(): number {
    return this.#bytesReceived
  }

  /** Opens our first stream. */
  start(): void {
    this.#outbound.open()
  }

  #makeOutbound(onGivenUp: (why: string) => void): OutboundStream {
    const { connection, core } = this.#init
    return new OutboundStream({
      connection,
      core,
      protocol: FRAMES_PROTOCOL,
      streamsMax: FRAMES_STREAMS_MAX,
      shortWay: this.#init.record.shortWay,
      onGivenUp
    })
  }

  /** Reads what the peer opened, whatever it opened it for. */
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
    const take = (bytes: Uint8Array): void => {
      this.#bytesReceived += bytes.byteLength
      try {
        reader.push(bytes)
      } catch (error) {
        this.#reset(stream, error)
      }
    }
    stream.addEventListener('message', ({ data }: StreamMessageEvent) => take(data.subarray()))
    this.#init.record.shortWay?.receive(stream, take)
    if (stream.status !== 'open' && stream.readBufferLength === 0) this.#forget(stream)
  }

  send(kind: FrameKind, body: Uint8Array, lane: Lane = 'prompt'): boolean {
    if (this.#state !== 'open') return false
    return (lane === 'prompt' ? this.#outbound : this.#bulkStream()).push(kind, body)
  }

  #bulkStream(): OutboundStream {
    // It is not worth the link: after one that could not be kept open the next frame tries anew.
    if (this.#bulk === undefined || this.#bulk.isGivenUp) this.#bulk = this.#makeOutbound(() => {})
    return this.#bulk
  }

  flush(): void {
    if (this.#state === 'open') this.#outbound.flush()
  }

  close(reason: string): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#init.record.socketEnd?.listen(undefined)
    this.#bulk?.close()
    this.#outbound.push(FrameKind.bye, new Uint8Array(0))
    this.#outbound.finish()
    void this.#closeGently(reason)
  }

  abort(reason: string): void {
    if (this.#state === 'ended') return
    this.#state = 'closing'
    this.#init.record.socketEnd?.listen(undefined)
    this.#cut(reason)
    queueMicrotask(() => this.#end(reason))
  }

  readonly #onConnectionClose = ({ error }: StreamCloseEvent): void => this.#onEnd(error)

  #onEnd(error: Error | undefined): void {
    const why = error === undefined ? 'the connection closed' : `the connection broke: ${error.message}`
    // While we close it ourselves, the report follows when that is done.
    if (this.#state === 'open') this.#end(why)
  }

  async #closeGently(reason: string): Promise<void> {
    const { connection, core, ownsConnection } = this.#init
    const deadline = withDeadline(core.clock, CLOSE_TIMEOUT_MS)
    try {
      // Our stream may still be opening, with frames that wait for it.
      await raceAbort(this.#outbound.whenEmpty(), deadline.signal)
      if (ownsConnection) await connection.close({ signal: deadline.signal })
      else await this.#outbound.stream?.close({ signal: deadline.signal })
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
    const outbound = [this.#outbound.stream, this.#bulk?.stream].filter((stream) => stream !== undefined)
    return [...outbound, ...this.#inbound.keys()]
  }

  #end(reason: string): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#init.onEnded(this)
    // The rest can wait: a lost leader is a reason to act now.
    this.#init.core.linkClosed(this, reason)
    this.#outbound.close()
    this.#bulk?.close()
    this.#init.connection.removeEventListener('close', this.#onConnectionClose)
    this.#init.record.socketEnd?.listen(undefined)
    for (const reader of this.#inbound.values()) reader.close()
    if (!this.#init.ownsConnection) for (const stream of this.#streams()) stream.abort(new Error(reason))
    this.#inbound.clear()
    this.#ended.resolve()
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
