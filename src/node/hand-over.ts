/**
 * What a leader does before it stops: it hands its office over, and stays until its heir can decide. The heir may need our disk
 * for its first entry, and on a small machine the processor that taking this node down would keep busy. Bounded: who waits for
 * nobody, because the others stop as well or do not answer, goes; they elect a leader when our connections close.
 */
import { type Clock, delay } from '../core/clock.ts'
import { startDeadline } from '../core/deadline.ts'
import { messageOf } from '../core/errors.ts'
import { RequestRefusedError } from './errors.ts'
import type { Logger } from './types.ts'

/** A graceful stop waits this long; longer where elections take longer. */
const HAND_OVER_MS = 1_000
/** Longer than a first entry takes among near peers. Whoever asks the heir sooner keeps it from deciding. */
const LEFT_ALONE_MS = 10

export interface HandOverInit {
  readonly clock: Clock
  readonly logger: Logger
  /** Some other voter is connected. */
  readonly hasHeir: () => boolean
  /** Resolves when another leader is known. */
  readonly transfer: (signal: AbortSignal) => Promise<unknown>
  /** Resolves when that one has decided something. */
  readonly decided: (signal: AbortSignal) => Promise<unknown>
}

export class HandOver {
  readonly #init: HandOverInit
  readonly #heirless = new AbortController()
  #isUnderWay = false

  constructor(init: HandOverInit) {
    this.#init = init
  }

  /** Resolves, never rejects, when somebody else leads or nobody will. */
  async run(electionTimeoutMs: number): Promise<void> {
    const { clock, logger, transfer, decided } = this.#init
    this.#isUnderWay = true
    const limitMs = Math.max(HAND_OVER_MS, electionTimeoutMs)
    const deadline = startDeadline(clock, limitMs, { parent: this.#heirless.signal })
    try {
      await transfer(deadline.signal)
      await delay(clock, LEFT_ALONE_MS, deadline.signal)
      await decided(deadline.signal)
    } catch (error) {
      logger.info({ reason: messageOf(error) }, 'stopping before somebody else leads')
    } finally {
      deadline.cancel()
    }
  }

  /** A connection has closed. Whoever stops together with the others waits for none of them. */
  lost(): void {
    if (!this.#isUnderWay || this.#init.hasHeir()) return
    this.#heirless.abort(new RequestRefusedError('the hand-over', 'no-heir', 'no other voter is connected any more'))
  }
}
