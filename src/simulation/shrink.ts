/**
 * Makes a failing run small enough to be understood: faults are taken out for as long as the same invariant still fails.
 *
 * Taking a fault out changes which frames are sent, and so which of them are lost; the failure may hide behind that. So a
 * candidate counts as failing when any of some network re-seeds of it fails (the idea of Hypothesis' and FoundationDB's
 * reducers: the plan is the test case, the network's dice are not). Whole kinds are tried first, then halves, then single faults
 * (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002). While much can be thrown away, a few re-seeds
 * tell enough: what they keep wrongly is tried again, with all of them, when little is left.
 */
import type { Cast } from './cast.ts'
import type { Fault } from './faults.ts'
import { type Load, run, type RunResult } from './run.ts'

export interface ShrinkInit {
  readonly cast: Cast
  readonly failing: RunResult
  readonly seconds: number
  /** As in the failing run. Default `busy`. */
  readonly load?: Load
  /** Network re-seeds of a candidate. Default 20. */
  readonly reseeds?: number
  /** Runs in all. Default 600. */
  readonly runsMax?: number
}

export interface Shrunk {
  /** Which faults of the seed's plan are left, by their place in it. */
  readonly keep: readonly number[]
  readonly plan: readonly Fault[]
  /** Where the safety phase may end. */
  readonly healAtSeconds: number
  readonly networkSeed: number
  readonly result: RunResult
  readonly runs: number
}

const RESEEDS_FEW = 3

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
      healAtSeconds: this.#healAt(failing, seconds),
      networkSeed: failing.seed,
      result: failing,
      runs: 0
    }
  }

  /** What comes after the failure cannot have caused it; a lack of progress needs all of the run. */
  #healAt({ violation }: RunResult, seconds: number): number {
    return violation === undefined || violation.invariant === 'progress'
      ? seconds
      : Math.min(seconds, Math.ceil(violation.atMs / 1_000) + 1)
  }

  shrink(): Shrunk {
    this.#dropKinds()
    for (let size = Math.ceil(this.#best.keep.length / 2); size > 1; size = Math.ceil(size / 2)) {
      this.#sweep(size, RESEEDS_FEW)
    }
    // A fault that could not be spared before may be of no use now.
    for (let before = Infinity; this.#best.keep.length < before && this.#runs < this.#runsMax;) {
      before = this.#best.keep.length
      this.#sweep(1, this.#reseeds)
    }
    return { ...this.#best, runs: this.#runs }
  }

  #dropKinds(): void {
    const { plan } = this.#init.failing
    for (const id of new Set(plan.map((fault) => fault.id))) {
      this.#fails(
        this.#best.keep.filter((place) => plan[place]!.id !== id),
        RESEEDS_FEW
      )
    }
  }

  #sweep(size: number, reseeds: number): void {
    for (let from = 0; from < this.#best.keep.length && this.#runs < this.#runsMax;) {
      const keep = this.#best.keep.toSpliced(from, size)
      if (!this.#fails(keep, reseeds)) from += size
    }
  }

  #fails(keep: readonly number[], reseeds: number): boolean {
    const { cast, failing, seconds, load = 'busy' } = this.#init
    const { seed } = failing
    const plan = keep.map((place) => failing.plan[place]!)
    for (let i = 0; i < Math.min(reseeds, this.#reseeds) && this.#runs < this.#runsMax; i++) {
      this.#runs++
      const networkSeed = i === 0 ? this.#best.networkSeed : seed + 1_000_003 * i
      const { healAtSeconds } = this.#best
      const result = run({ cast, seed, seconds, healAtSeconds, plan, networkSeed, load })
      if (result.violation?.invariant !== failing.violation?.invariant) continue
      this.#best = {
        keep,
        plan,
        healAtSeconds: this.#healAt(result, healAtSeconds),
        networkSeed,
        result,
        runs: this.#runs
      }
      return true
    }
    return false
  }
}
