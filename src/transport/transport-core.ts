/**
 * What every transport has in common: the session table, the dialer, the counters, and a careful way to tell the events.
 *
 * The events' receiver is our own program. What it throws is a bug: a broken invariant is thrown on, out of the transport's
 * stack, so that the process ends; anything else is reported and survived.
 */
import type { Clock } from '../core/clock.ts'
import { InvariantError } from '../core/invariant.ts'
import { Dialer, type Attempt, type DialTarget } from './dialer.ts'
import { AdmissionRefusedError, TransportStoppedError } from './errors.ts'
import type { ExchangeOutcome } from './exchange.ts'
import type { Frame } from './framing.ts'
import type { Refusal } from './gate.ts'
import type { Lane, TransportCounters, TransportEvents, TransportLimits } from './port.ts'
import { SessionTable, type Link } from './session-table.ts'

export interface TransportCoreInit {
  readonly self: string
  readonly clock: Clock
  readonly limits: TransportLimits
  readonly closesLinks: boolean
  readonly onError: (error: unknown, doing: string) => void
  readonly attempt: Attempt
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

export class TransportCore {
  readonly limits: TransportLimits
  readonly clock: Clock
  readonly self: string
  readonly counters: Writable<TransportCounters> = {
    sessionsOpened: 0,
    sessionsClosed: 0,
    framesSent: 0,
    framesReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
    framesDropped: 0,
    streamsReset: 0,
    refusedByUs: 0,
    refusedByThem: 0,
    strangersTurnedAway: 0
  }
  readonly #init: TransportCoreInit
  readonly #table: SessionTable
  #dialer: Dialer | undefined
  #events: TransportEvents | undefined

  constructor(init: TransportCoreInit) {
    this.#init = init
    this.limits = init.limits
    this.clock = init.clock
    this.self = init.self
    this.#table = new SessionTable({
      self: init.self,
      clock: init.clock,
      probeTimeoutMs: init.limits.probeTimeoutMs,
      idleProbeMs: init.limits.idleProbeMs,
      closesLinks: init.closesLinks,
      onOpen: (peer) => {
        this.counters.sessionsOpened += 1
        this.#tell('telling of an opened session', (events) => events.onSessionOpen(peer))
        this.#dialer?.sessionOpened(peer.peerId)
      },
      onClose: (peerId, reason) => {
        this.counters.sessionsClosed += 1
        this.#tell('telling of a closed session', (events) => events.onSessionClose(peerId, reason))
      },
      onFrame: (peerId, body) => {
        this.counters.framesReceived += 1
        this.counters.bytesReceived += body.byteLength
        this.#tell('handling a frame', (events) => events.onFrame(peerId, body))
      }
    })
  }

  get running(): boolean {
    return this.#events !== undefined
  }

  start(events: TransportEvents): void {
    this.#events = events
    this.#dialer = new Dialer({
      self: this.self,
      clock: this.clock,
      staggerMs: this.limits.dialStaggerMs,
      timeoutMs: this.limits.addressDialTimeoutMs,
      attempt: this.#init.attempt,
      hasSession: (peerId) => this.#table.has(peerId)
    })
  }

  /** Closes every session, with its event; after this nobody is told anything. */
  stop(): void {
    this.#dialer?.stop()
    for (const peerId of this.#table.peers()) this.#table.close(peerId, 'stopping')
    this.#dialer = undefined
    this.#events = undefined
  }

  /** The process is gone: nobody is left to be told. */
  kill(): void {
    this.#events = undefined
    this.stop()
  }

  async dial(target: DialTarget, signal: AbortSignal): Promise<{ readonly peerId: string }> {
    if (this.#dialer === undefined) throw new TransportStoppedError()
    return this.#dialer.dial(target, signal)
  }

  hasSession(peerId: string): boolean {
    return this.#table.has(peerId)
  }

  door(knocking: boolean): void {
    this.#tell('telling who is at the door', (events) => events.onDoor?.(knocking))
  }

  linkOpened(link: Link): void {
    this.#table.opened(link)
  }

  linkClosed(link: Link, reason: string): void {
    this.#table.closed(link, reason)
  }

  linkReceived(link: Link, frame: Frame): void {
    this.#table.received(link, frame)
  }

  send(peerId: string, body: Uint8Array, lane?: Lane): boolean {
    const fits = body.byteLength < this.limits.frameBytesMax
    if (!fits) this.report(new RangeError(`a frame of ${body.byteLength} bytes is above the cap`), 'sending a frame')
    const sent = fits && this.#table.send(peerId, body, lane)
    if (sent) {
      this.counters.framesSent += 1
      this.counters.bytesSent += body.byteLength
    } else this.counters.framesDropped += 1
    return sent
  }

  flush(): void {
    this.#table.flush()
  }

  disconnect(peerId: string, reason: string): void {
    this.#table.close(peerId, reason)
  }

  /** Tells of both refusals, if both sides refused; gives the error for whoever dialled. Theirs comes first: it can be acted on here. */
  refused(
    outcome: ExchangeOutcome & { readonly type: 'refused' },
    peerId: string | undefined,
    address: string | undefined
  ): AdmissionRefusedError {
    const { ours, theirs } = outcome
    if (ours !== undefined) this.#refusal('us', ours, peerId, address)
    if (theirs !== undefined) this.#refusal('them', theirs, peerId, address)
    const fallback: Refusal = { code: 'malformed', detail: 'no reason was given' }
    return theirs === undefined
      ? new AdmissionRefusedError('us', ours ?? fallback, peerId, address)
      : new AdmissionRefusedError('them', theirs, peerId, address)
  }

  report(error: unknown, doing: string): void {
    this.#init.onError(error, doing)
  }

  #refusal(by: 'us' | 'them', refusal: Refusal, peerId: string | undefined, address: string | undefined): void {
    if (by === 'us') this.counters.refusedByUs += 1
    else this.counters.refusedByThem += 1
    this.#tell('telling of a refusal', (events) => events.onRefused({ by, peerId, address, refusal }))
  }

  #tell(doing: string, tell: (events: TransportEvents) => void): void {
    if (this.#events === undefined) return
    try {
      tell(this.#events)
    } catch (error) {
      if (error instanceof InvariantError) {
        queueMicrotask(() => {
          throw error
        })
      } else this.report(error, doing)
    }
  }
}
