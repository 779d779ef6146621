/**
 * Callers that wait for the replica's answer: each request gets exactly one end, whatever comes first of the outcome, its
 * deadline, its signal, and the node's own end.
 *
 * All requests without a signal have the same time, so they fall due in the order in which they came: one timer serves them all.
 */
import type { Clock, Timer } from '../core/clock.ts'
import { isTimeout } from '../core/deadline.ts'
import type { ClientOutcome, ClientRequest, ReplicaInput } from '../replica/types.ts'
import { NodeStoppedError, NoQuorumError, OutcomeUnknownError } from './errors.ts'

/** A request without a signal of its own. */
export const REQUEST_DEADLINE_MS = 30_000

type Tell = (input: ReplicaInput) => void

interface Waiter {
  readonly request: ClientRequest
  readonly settle: (outcome: ClientOutcome) => void
  readonly fail: (error: unknown) => void
  readonly startedAt: number
  /** Of its own; it has the deadline in that case. */
  readonly signal: AbortSignal | undefined
}

export class Callers {
  readonly #clock: Clock
  readonly #waitingFor: () => readonly string[]
  readonly #waiters = new Map<string, Waiter>()
  /** Undefined while there is no replica. */
  #tell: Tell | undefined
  #ended: unknown
  /** Not after the deadline of the oldest waiter that has no signal. */
  #timer: Timer | undefined

  constructor(clock: Clock, waitingFor: () => readonly string[]) {
    this.#clock = clock
    this.#waitingFor = waitingFor
  }

  /** There is a replica now, and it is told of everybody who waits already. */
  connect(tell: Tell): void {
    this.#tell = tell
    for (const { request } of [...this.#waiters.values()]) tell({ type: 'request', request })
  }

  settle(outcome: ClientOutcome): void {
    this.#waiters.get(outcome.requestId)?.settle(outcome)
  }

  /** The node ends: everybody who waits is told why, and so is everybody who still comes. */
  end(error: unknown): void {
    this.#ended = error
    this.#timer?.cancel()
    for (const { request, fail } of [...this.#waiters.values()]) {
      // A read decides nothing, and what the replica was never told of cannot have been decided.
      fail(request.type === 'read' || this.#tell === undefined ? error : new OutcomeUnknownError(error))
    }
  }

  async request(request: ClientRequest, signal: AbortSignal | undefined): Promise<ClientOutcome> {
    signal?.throwIfAborted()
    if (this.#ended !== undefined) throw new NodeStoppedError('it takes no more requests', this.#ended)
    const { requestId } = request
    const { promise, resolve, reject } = Promise.withResolvers<ClientOutcome>()
    const waiter = { request, settle: resolve, fail: reject, startedAt: this.#clock.now(), signal }
    const onAbort = (): void => (isTimeout(signal!.reason) ? this.#late(waiter) : reject(signal!.reason))
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiters.set(requestId, waiter)
    if (signal === undefined && this.#timer === undefined) this.#arm(REQUEST_DEADLINE_MS)
    try {
      this.#tell?.({ type: 'request', request })
      return await promise
    } catch (error) {
      // After an outcome there is nothing left to cancel.
      this.#tell?.({ type: 'cancel', requestId })
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#waiters.delete(requestId)
    }
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(delayMs, () => this.#look())
  }

  /** Most waiters that it was set for have been answered since. */
  #look(): void {
    this.#timer = undefined
    for (const waiter of [...this.#waiters.values()]) {
      if (waiter.signal !== undefined) continue
      const leftMs = waiter.startedAt + REQUEST_DEADLINE_MS - this.#clock.now()
      if (leftMs > 0) return this.#arm(leftMs)
      this.#late(waiter)
    }
  }

  #late({ startedAt, fail }: Waiter): void {
    fail(new NoQuorumError(this.#clock.now() - startedAt, this.#waitingFor()))
  }
}
