/**
 * When V8's compilers rest (`lean.ts` says why): from the moment at which the node listens, and whenever a peer has come, until it is
 * ready, or until nothing has happened for a while. A node that waits for others lets them work, and rehearses a founding then; a
 * node that is ready never rests again.
 */
import type { Clock, Timer } from '../core/clock.ts'
import type { StampedNodeEvent } from '../node/types.ts'
import { restCompilers, wakeCompilers } from './lean.ts'

/** Before a node that waits rehearses, and longer than processes that were started together take to meet. */
const QUIET_MS = 300

const V8 = { restCompilers, wakeCompilers }

export class Compilers {
  readonly #clock: Clock
  readonly #v8: typeof V8
  #timer: Timer | undefined
  #isOver = false

  constructor(clock: Clock, v8: typeof V8 = V8) {
    this.#clock = clock
    this.#v8 = v8
  }

  hear(event: StampedNodeEvent): void {
    if (event.event === 'ready' || event.event === 'stopped') this.end()
    else if (event.event === 'peer' && event.status === 'authenticated') this.rest()
  }

  rest(): void {
    if (this.#isOver) return
    if (this.#timer === undefined) this.#v8.restCompilers()
    this.#timer?.cancel()
    this.#timer = this.#clock.setTimer(QUIET_MS, () => this.#wake())
  }

  /** For good. */
  end(): void {
    this.#isOver = true
    this.#wake()
  }

  #wake(): void {
    if (this.#timer === undefined) return
    this.#timer.cancel()
    this.#timer = undefined
    this.#v8.wakeCompilers()
  }
}
