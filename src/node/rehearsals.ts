/**
 * When a node rehearses (rehearsal.ts): a founding while it waits for other founders and nothing happens, an election when it has
 * become ready. Whatever happens ends what is being rehearsed, at the next piece; a founding is tried again when it has been quiet
 * again. Processes that start together thus found together, and rehearse nothing before.
 */
import type { Clock, Timer } from '../core/clock.ts'
import type { Random } from '../core/random.ts'
import { rehearse, rehearseFounding } from './rehearsal.ts'
import type { Logger } from './types.ts'

/** Processes that were started together have found each other by then, also on a machine that is short of cores. */
const QUIET_MS = 500

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
  /** Until it has been quiet for long enough: a timer, because ending a rehearsal makes an error with its stack, and few begin. */
  #quiet: Timer | undefined
  #founding: AbortController | undefined

  constructor(init: RehearsalsInit) {
    this.#init = init
  }

  /** Something happens: a peer comes or goes, the node begins to wait, or it has founded. */
  stir(): void {
    const { clock, ending, isWaiting } = this.#init
    this.#quiet?.cancel()
    this.#quiet = undefined
    this.#founding?.abort()
    this.#founding = undefined
    if (ending.aborted || !isWaiting()) return
    this.#quiet = clock.setTimer(QUIET_MS, () => this.#rehearseFounding())
    ending.addEventListener('abort', this.#onEnding, { once: true })
  }

  readonly #onEnding = (): void => this.#quiet?.cancel()

  #rehearseFounding(): void {
    const { clock, random, ending } = this.#init
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
