/**
 * What the network does to frames at this moment. Faults that are active are laid over each other; when one begins or ends,
 * the whole picture is drawn anew, so that no fault has to know how to undo itself.
 */
import { FATE, type Fate } from './fate.ts'

export class Network {
  readonly #fate: Fate
  /** Machines that it can hold, clones included. */
  readonly capacity: number
  /** 1 where nothing passes from row to column. */
  readonly blocked: Uint8Array
  /** Extra one-way delay, by link. */
  readonly slowUs: Float64Array
  readonly #count: Float64Array
  /** Links that keep what is sent until it is released, in order. */
  readonly held = new Map<number, (() => void)[]>()
  lossRate = 0
  duplicateRate = 0
  /** A duplicate arrives up to this much later, possibly in another session. */
  duplicateLateUs = 0
  /** When the last of the duplicates so far arrives; until then something that was asked long ago may be asked again. */
  lastDuplicateUs = 0
  /** Frames overtake each other by up to this much; 0: a stream keeps its order. */
  reorderUs = 0
  /** Mean of an exponential addition to every delay. */
  delayUs = 0
  spikeRate = 0
  spikeUs = 0

  constructor(fate: Fate, capacity: number) {
    this.#fate = fate
    this.capacity = capacity
    this.blocked = new Uint8Array(capacity * capacity)
    this.slowUs = new Float64Array(capacity * capacity)
    this.#count = new Float64Array(capacity * capacity)
  }

  link(from: number, to: number): number {
    return from * this.capacity + to
  }

  /** A network without faults: 0.2 to 0.8 ms one way. */
  clear(): void {
    this.blocked.fill(0)
    this.slowUs.fill(0)
    this.lossRate = this.duplicateRate = this.duplicateLateUs = this.reorderUs = 0
    this.delayUs = this.spikeRate = this.spikeUs = 0
  }

  block(from: number, to: number): void {
    this.blocked[this.link(from, to)] = 1
  }

  blockBoth(a: number, b: number): void {
    this.block(a, b)
    this.block(b, a)
  }

  isBlocked(from: number, to: number): boolean {
    return this.blocked[this.link(from, to)] === 1
  }

  /** Numbers the frames of each link: its fates hang on the number. */
  next(from: number, to: number): number {
    return this.#count[this.link(from, to)]!++
  }

  loses(from: number, to: number, n: number): boolean {
    return this.lossRate > 0 && this.#fate.unit(this.link(from, to), n, FATE.loss) < this.lossRate
  }

  /** One way, whole microseconds. */
  delay(from: number, to: number, n: number): number {
    const at = this.link(from, to)
    const fate = this.#fate
    let delay = 200 + fate.unit(at, n, FATE.delay) * 600 + this.slowUs[at]!
    if (this.delayUs > 0) delay -= Math.log(1 - fate.unit(at, n, FATE.reorder)) * this.delayUs
    if (this.spikeRate > 0 && fate.unit(at, n, FATE.spike) < this.spikeRate) delay += this.spikeUs
    return Math.ceil(delay)
  }

  /** How much later a second copy arrives; undefined: there is none. */
  duplicate(from: number, to: number, n: number): number | undefined {
    if (this.duplicateRate === 0) return undefined
    const at = this.link(from, to)
    if (this.#fate.unit(at, n, FATE.duplicate) >= this.duplicateRate) return undefined
    return Math.ceil(this.#fate.unit(at, n, FATE.replay) * this.duplicateLateUs)
  }

  jitter(from: number, to: number, n: number): number {
    return Math.ceil(this.#fate.unit(this.link(from, to), n, FATE.flip) * this.reorderUs)
  }
}
