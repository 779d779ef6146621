/**
 * What a closed session means beside the core: a report, another dial, a rehearsal that begins anew. When it was the leader's,
 * this waits until an election among near peers is over. It is code that runs once in a while, as long in all as two messages of
 * the election, in every survivor at once, and on a small machine they share their processors.
 */
import type { Clock, Timer } from '../core/clock.ts'

/** As long as libp2p is left in ignorance (transport/libp2p/socket-end.ts): longer than an election, far shorter than anybody's patience. */
const AFTERMATH_MS = 25

export class Departures {
  readonly #clock: Clock
  #waiting: (() => void)[] = []
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `tell` at once, or a moment later when that is better; always in the order of these calls. */
  add(wasLeader: boolean, tell: () => void): void {
    this.#waiting.push(tell)
    if (wasLeader) this.#timer ??= this.#clock.setTimer(AFTERMATH_MS, () => this.settle())
    else if (this.#timer === undefined) this.settle()
  }

  /** Before anything is said that has to come after it. */
  settle(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const waiting = this.#waiting
    this.#waiting = []
    for (const tell of waiting) tell()
  }
}
