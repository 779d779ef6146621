/**
 * When a node rehearses (rehearsal.ts): a founding while it waits for other founders and nothing happens, an election when it has
 * become ready. Whatever happens ends what is being rehearsed, at the next piece; a founding is tried again when it has been quiet
 * again. Processes that start together thus found together, and rehearse nothing before.
 */
import type { Clock } from '../core/clock.ts'
import type { Random } from '../core/random.ts'
import { rehearse, rehearseFounding } from './rehearsal.ts'
import type { Logger } from './types.ts'

export interface RehearsalsInit {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Aborts when the node begins to end. */
  readonly ending: AbortSignal
  /** It is to found with others, and has not. */
  readonly isWaiting: () => boolean
}

export class Rehearsals {
  readonly #init: RehearsalsInit
  #founding: AbortController | undefined

  constructor(init: RehearsalsInit) {
    this.#init = init
  }

  /** Something happens: a peer comes or goes, the node begins to wait, or it has founded. */
  stir(): void {
    const { clock, random, ending, isWaiting } = this.#init
    this.#founding?.abort()
    this.#founding = undefined
    if (ending.aborted || !isWaiting()) return
    const founding = new AbortController()
    this.#founding = founding
    const signal = AbortSignal.any([ending, founding.signal])
    void this.#attend('a founding', signal, rehearseFounding({ clock, random }, signal))
  }

  /** The node is ready. */
  ready(): void {
    const { clock, ending } = this.#init
    void this.#attend('an election', ending, rehearse(clock, ending))
  }

  async #attend(what: string, signal: AbortSignal, rehearsal: Promise<void>): Promise<void> {
    try {
      await rehearsal
    } catch (error) {
      if (!signal.aborted) this.#init.logger.warn({ error }, `the rehearsal of ${what} failed`)
    }
  }
}
