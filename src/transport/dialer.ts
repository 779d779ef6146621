/**
 * Dials: one flight per peer, several addresses, several callers.
 *
 * Addresses are tried in order; each next one starts when the last has failed or has reached nobody for a moment, beside those
 * still under way (RFC 8305), so that a dead address costs a quarter of a second instead of its whole timeout. The first
 * session wins, also one that the peer opened meanwhile.
 *
 * What is then still connecting is given up; what has got as far as talking to the peer is not. The peer may have admitted us on
 * that connection already, and be sending frames on it: it becomes a second link, which goes in good order (session-table.ts).
 *
 * What is left out: back-off and choice of peers, which the dial planner decides (discovery).
 */
import type { Clock, Timer } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { AdmissionRefusedError, DialFailedError, TransportStoppedError, type DialAttempt } from './errors.ts'

export interface DialTarget {
  readonly peerId: string | undefined
  readonly addresses: readonly string[]
}

export interface DialerInit {
  /** Our PeerId. */
  readonly self: string
  readonly clock: Clock
  readonly staggerMs: number
  /** For one address. */
  readonly timeoutMs: number
  readonly attempt: Attempt
  hasSession(peerId: string): boolean
}

/** One address. Resolves with the PeerId behind it once its session is open. */
export type Attempt = (
  address: string,
  expected: string | undefined,
  signals: {
    /** Ends the attempt, wherever it is. */
    readonly signal: AbortSignal
    /** Ends it as long as it has not reached anybody. */
    readonly whileConnecting: AbortSignal
    /** To be called when it has: admission is under way. */
    readonly onReached: () => void
  }
) => Promise<string>

interface Flight {
  readonly target: DialTarget
  readonly controller: AbortController
  readonly unneeded: AbortController
  readonly result: PromiseWithResolvers<string>
  readonly queue: string[]
  readonly attempts: DialAttempt[]
  stagger: Timer | undefined
  refused: AdmissionRefusedError | undefined
  active: number
  callers: number
  settled: boolean
}

/** More addresses than this are not tried: a forged hint must not keep a node busy. */
const ADDRESSES_MAX = 16

export class Dialer {
  readonly #init: DialerInit
  readonly #flights = new Set<Flight>()
  #stopped = false

  constructor(init: DialerInit) {
    this.#init = init
  }

  async dial(target: DialTarget, signal: AbortSignal): Promise<{ readonly peerId: string }> {
    signal.throwIfAborted()
    if (this.#stopped) throw new TransportStoppedError()
    const { peerId } = target
    if (peerId === this.#init.self) {
      throw new AdmissionRefusedError('us', { code: 'self', detail: 'this is our own PeerId' }, peerId)
    }
    if (peerId !== undefined && this.#init.hasSession(peerId)) return { peerId }
    const flight = this.#inFlight(target) ?? this.#takeOff(target)
    return { peerId: await this.#join(flight, signal) }
  }

  /** A session opened, by whichever way. */
  sessionOpened(peerId: string): void {
    for (const flight of this.#flights) if (flight.target.peerId === peerId) this.#succeed(flight, peerId)
  }

  stop(): void {
    this.#stopped = true
    for (const flight of this.#flights) this.#fail(flight, new TransportStoppedError())
  }

  #inFlight({ peerId, addresses }: DialTarget): Flight | undefined {
    for (const flight of this.#flights) {
      const { target } = flight
      if (peerId === undefined ? target.peerId === undefined && sameTexts(target.addresses, addresses) : false)
        return flight
      if (peerId !== undefined && target.peerId === peerId) return flight
    }
    return undefined
  }

  #takeOff(target: DialTarget): Flight {
    const flight: Flight = {
      target,
      controller: new AbortController(),
      unneeded: new AbortController(),
      result: Promise.withResolvers<string>(),
      queue: [...new Set(target.addresses)].slice(0, ADDRESSES_MAX),
      attempts: [],
      stagger: undefined,
      refused: undefined,
      active: 0,
      callers: 0,
      settled: false
    }
    // Callers may all be gone when it ends.
    flight.result.promise.catch(() => {})
    this.#flights.add(flight)
    this.#next(flight)
    return flight
  }

  async #join(flight: Flight, signal: AbortSignal): Promise<string> {
    flight.callers += 1
    const gone = Promise.withResolvers<never>()
    const onAbort = (): void => gone.reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([flight.result.promise, gone.promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
      flight.callers -= 1
      if (flight.callers === 0 && !flight.settled) this.#fail(flight, signal.reason)
    }
  }

  #next(flight: Flight): void {
    flight.stagger?.cancel()
    if (flight.settled) return
    const address = flight.queue.shift()
    if (address === undefined) {
      if (flight.active === 0) this.#exhausted(flight)
      return
    }
    flight.active += 1
    void this.#attempt(flight, address)
    if (flight.queue.length > 0) {
      flight.stagger = this.#init.clock.setTimer(this.#init.staggerMs, () => this.#next(flight))
    }
  }

  /** Never rejects. */
  async #attempt(flight: Flight, address: string): Promise<void> {
    const { clock, timeoutMs } = this.#init
    const controller = new AbortController()
    const { signal } = flight.controller
    const onAbort = (): void => controller.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const timer = clock.setTimer(timeoutMs, () => controller.abort(new Error(`no session within ${timeoutMs} ms`)))
    try {
      const signals = {
        signal: controller.signal,
        whileConnecting: flight.unneeded.signal,
        onReached: () => flight.stagger?.cancel()
      }
      const peerId = await this.#init.attempt(address, flight.target.peerId, signals)
      flight.active -= 1
      this.#succeed(flight, peerId)
    } catch (error) {
      flight.active -= 1
      const why: unknown = controller.signal.aborted ? controller.signal.reason : error
      this.#failed(flight, address, error instanceof AdmissionRefusedError ? error : why)
    } finally {
      timer.cancel()
      signal.removeEventListener('abort', onAbort)
    }
  }

  #succeed(flight: Flight, peerId: string): void {
    this.#settle(flight)
    // An error with its stack, which nobody hears of when nobody is left.
    if (flight.active > 0) flight.unneeded.abort(new Error('no longer needed'))
    flight.result.resolve(peerId)
  }

  #failed(flight: Flight, address: string, error: unknown): void {
    if (flight.settled) return
    flight.attempts.push({ address, error: messageOf(error) })
    if (error instanceof AdmissionRefusedError) {
      flight.refused ??= error
      // It was the peer itself that answered: its other addresses lead to the same answer.
      if (flight.target.peerId !== undefined && error.peerId === flight.target.peerId) {
        this.#fail(flight, error)
        return
      }
    }
    this.#next(flight)
  }

  #exhausted(flight: Flight): void {
    this.#fail(flight, flight.refused ?? new DialFailedError(flight.target.peerId, flight.attempts))
  }

  #fail(flight: Flight, error: unknown): void {
    if (flight.settled) return
    this.#settle(flight)
    flight.controller.abort(error)
    flight.result.reject(error)
  }

  #settle(flight: Flight): void {
    flight.settled = true
    flight.stagger?.cancel()
    this.#flights.delete(flight)
  }
}

const sameTexts = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text, i) => text === b[i])
