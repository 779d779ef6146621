/**
 * Makes a failing run small enough to be understood: faults are taken out for as long as the same invariant still fails.
 *
 * Taking a fault out changes which frames are sent, and so which of them are lost; the failure may hide behind that. So a
 * candidate counts as failing when any of some network re-seeds of it fails (the idea of Hypothesis' and FoundationDB's
 * reducers: the plan is the test case, the network's dice are not). Halves are tried first, then single faults
 * (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002).
 */
import type { Cast } from './cast.ts'
import type { Fault } from './faults.ts'
import { type CallerLoad, run, type RunResult } from './run.ts'

export interface ShrinkInit {
  readonly cast: Cast
  readonly failing: RunResult
  readonly seconds: number
  /** As in the failing run. Default `busy`. */
  readonly callers?: CallerLoad
  /** Network re-seeds of a candidate. Default 20. */
  readonly reseeds?: number
  /** Runs in all. Default 600. */
  readonly runsMax?: number
}

export interface Shrunk {
  /** Which faults of the seed's plan are left, by their place in it. */
  readonly keep: readonly number[]
  readonly plan: readonly Fault[]
  readonly seconds: number
  readonly networkSeed: number
  readonly result: RunResult
  readonly runs: number
}

export function shrink(init: ShrinkInit): Shrunk {
  return new Shrinker(init).shrink()
}

class Shrinker {
  readonly #init: ShrinkInit
  readonly #reseeds: number
  readonly #runsMax: number
  #runs = 0
  #best: Shrunk

  constructor(init: ShrinkInit) {
    const { failing, seconds } = init
    this.#init = init
    this.#reseeds = init.reseeds ?? 20
    this.#runsMax = init.runsMax ?? 600
    this.#best = {
      keep: failing.plan.map((_, i) => i),
      plan: failing.plan,
      seconds: this.#secondsOf(failing, seconds),
      networkSeed: failing.seed,
      result: failing,
      runs: 0
    }
  }

  /** What comes after the failure cannot have caused it; a lack of progress needs all of the run. */
  #secondsOf({ violation }: RunResult, seconds: number): number {
    return violation === undefined || violation.invariant === 'progress'
      ? seconds
      : Math.min(seconds, Math.ceil(violation.atMs / 1_000) + 1)
  }

  shrink(): Shrunk {
    for (let size = Math.ceil(this.#best.keep.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      this.#sweep(size)
    }
    // A fault that could not be spared before may be of no use now.
    this.#sweep(1)
    return { ...this.#best, runs: this.#runs }
  }

  #sweep(size: number): void {
    for (let from = 0; from < this.#best.keep.length && this.#runs < this.#runsMax;) {
      const keep = this.#best.keep.toSpliced(from, size)
      if (!this.#fails(keep)) from += size
    }
  }

  #fails(keep: readonly number[]): boolean {
    const { cast, failing, callers = 'busy' } = this.#init
    const { seed } = failing
    const plan = keep.map((place) => failing.plan[place]!)
    for (let i = 0; i < this.#reseeds && this.#runs < this.#runsMax; i++) {
      this.#runs++
      const networkSeed = i === 0 ? this.#best.networkSeed : seed + 1_000_003 * i
      const result = run({ cast, seed, seconds: this.#best.seconds, plan, networkSeed, callers })
      if (result.violation?.invariant !== failing.violation?.invariant) continue
      const seconds = this.#secondsOf(result, this.#best.seconds)
      this.#best = { keep, plan, seconds, networkSeed, result, runs: this.#runs }
      return true
    }
    return false
  }
}
