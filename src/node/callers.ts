/**
 * Callers that wait for the replica's answer: each request gets exactly one end, whatever comes first of the outcome, its
 * deadline, its signal, and the node's own end.
 */
import type { Clock } from '../core/clock.ts'
import type { ClientOutcome, ClientRequest, ReplicaInput } from '../replica/types.ts'
import { NodeStoppedError, NoQuorumError } from './errors.ts'

/** A request without a signal of its own. */
export const REQUEST_DEADLINE_MS = 30_000

interface Waiter {
  readonly settle: (outcome: ClientOutcome) => void
  readonly fail: (error: unknown) => void
}

export class Callers {
  readonly #clock: Clock
  readonly #waitingFor: () => readonly string[]
  readonly #waiters = new Map<string, Waiter>()
  #ended: unknown

  constructor(clock: Clock, waitingFor: () => readonly string[]) {
    this.#clock = clock
    this.#waitingFor = waitingFor
  }

  settle(outcome: ClientOutcome): void {
    this.#waiters.get(outcome.requestId)?.settle(outcome)
  }

  /** The node ends: everybody who waits is told why, and so is everybody who still comes. */
  end(error: unknown): void {
    this.#ended = error
    for (const waiter of [...this.#waiters.values()]) waiter.fail(error)
  }

  /** `tell` is undefined while there is no replica: the request then waits for its deadline. */
  async request(
    request: ClientRequest,
    tell: ((input: ReplicaInput) => void) | undefined,
    signal: AbortSignal | undefined
  ): Promise<ClientOutcome> {
    signal?.throwIfAborted()
    if (this.#ended !== undefined) throw new NodeStoppedError('it takes no more requests', this.#ended)
    const { requestId } = request
    const startedAt = this.#clock.now()
    const { promise, resolve, reject } = Promise.withResolvers<ClientOutcome>()
    const late = (): void => reject(new NoQuorumError(this.#clock.now() - startedAt, this.#waitingFor()))
    const deadline = signal === undefined ? this.#clock.setTimer(REQUEST_DEADLINE_MS, late) : undefined
    const onAbort = (): void => (isTimeout(signal!.reason) ? late() : reject(signal!.reason))
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiters.set(requestId, { settle: resolve, fail: reject })
    try {
      tell?.({ type: 'request', request })
      return await promise
    } finally {
      deadline?.cancel()
      signal?.removeEventListener('abort', onAbort)
      this.#waiters.delete(requestId)
      tell?.({ type: 'cancel', requestId })
    }
  }
}

const isTimeout = (reason: unknown): boolean => reason instanceof Error && reason.name === 'TimeoutError'
