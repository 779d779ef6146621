/**
 * Callers that wait for the replica's answer: each request gets exactly one end, whatever comes first of the outcome, its
 * deadline, its signal, and the node's own end.
 */
import type { Clock } from '../core/clock.ts'
import { isTimeout } from '../core/deadline.ts'
import type { ClientOutcome, ClientRequest, ReplicaInput } from '../replica/types.ts'
import { NodeStoppedError, NoQuorumError } from './errors.ts'

/** A request without a signal of its own. */
export const REQUEST_DEADLINE_MS = 30_000

type Tell = (input: ReplicaInput) => void

interface Waiter {
  readonly request: ClientRequest
  readonly settle: (outcome: ClientOutcome) => void
  readonly fail: (error: unknown) => void
}

export class Callers {
  readonly #clock: Clock
  readonly #waitingFor: () => readonly string[]
  readonly #waiters = new Map<string, Waiter>()
  /** Undefined while there is no replica. */
  #tell: Tell | undefined
  #ended: unknown

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
    for (const waiter of [...this.#waiters.values()]) waiter.fail(error)
  }

  async request(request: ClientRequest, signal: AbortSignal | undefined): Promise<ClientOutcome> {
    signal?.throwIfAborted()
    if (this.#ended !== undefined) throw new NodeStoppedError('it takes no more requests', this.#ended)
    const { requestId } = request
    const startedAt = this.#clock.now()
    const { promise, resolve, reject } = Promise.withResolvers<ClientOutcome>()
    const late = (): void => reject(new NoQuorumError(this.#clock.now() - startedAt, this.#waitingFor()))
    const deadline = signal === undefined ? this.#clock.setTimer(REQUEST_DEADLINE_MS, late) : undefined
    const onAbort = (): void => (isTimeout(signal!.reason) ? late() : reject(signal!.reason))
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiters.set(requestId, { request, settle: resolve, fail: reject })
    try {
      this.#tell?.({ type: 'request', request })
      return await promise
    } catch (error) {
      // After an outcome there is nothing left to cancel.
      this.#tell?.({ type: 'cancel', requestId })
      throw error
    } finally {
      deadline?.cancel()
      signal?.removeEventListener('abort', onAbort)
      this.#waiters.delete(requestId)
    }
  }
}
