/**
 * Many seeds, one report. A campaign is itself a function of its options: its trace hash is the hash of the trace hashes of
 * its runs, so two machines (or two releases of Node.js) can compare a thousand runs by one line.
 */
import { type Clock, systemClock } from '../core/clock.ts'
import { toHex, utf8 } from '../core/bytes.ts'
import { sha256 } from '../core/hash.ts'
import { castOfSeed } from './cast.ts'
import { type Gaps, gapsIn, notFired } from './coverage.ts'
import type { FaultId } from './faults.ts'
import { type Load, run, type RunResult } from './run.ts'

export interface CampaignInit {
  /** Founding size, 1 to 9. */
  readonly nodes: number
  readonly seeds: { readonly from: number; readonly to: number }
  /** Virtual seconds of the safety phase of each run. */
  readonly seconds: number
  /** Draw only these kinds of faults. */
  readonly only?: readonly FaultId[]
  /** Default `busy`. */
  readonly load?: Load
  /** Measures `wallSeconds`. Default: the machine's. */
  readonly clock?: Clock
  readonly signal?: AbortSignal
  readonly onRun?: (result: RunResult) => void
}

export interface CampaignViolation {
  readonly seed: number
  readonly invariant: string
  readonly atMs: number
  readonly detail: string
}

export interface CampaignReport {
  readonly nodes: number
  readonly seeds: number
  readonly violations: readonly CampaignViolation[]
  readonly virtualSeconds: number
  readonly wallSeconds: number
  readonly events: number
  readonly frames: number
  readonly elections: number
  readonly commits: number
  /** How often each fault did something, by its id. */
  readonly faults: Readonly<Record<string, number>>
  /** How often admission refused, by code. */
  readonly refusals: Readonly<Record<string, number>>
  /** From healing to progress. */
  readonly recoveryMs: { readonly p50: number; readonly p99: number; readonly max: number } | undefined
  /** Runs that lost more than any promise covers; only safety was checked in them. */
  readonly beyondBudget: number
  /** Kinds of faults that never did anything: what this campaign says nothing about. */
  readonly notFired: readonly string[]
  /** How often each code and transition was seen, by `kind: name`. */
  readonly coverage: Readonly<Record<string, number>>
  /** What was demanded and not seen, and what cannot happen and did. A small campaign misses something. */
  readonly gaps: Gaps
  readonly traceHash: string
}

/** Between two looks at the signal. */
const RUNS_PER_TURN = 8

export async function runCampaign(init: CampaignInit): Promise<CampaignReport> {
  const { nodes, seeds, seconds, only, load = 'busy', clock = systemClock, signal, onRun } = init
  const tally = new Tally(nodes)
  const startedMs = clock.now()
  for (let seed = seeds.from; seed <= seeds.to; seed++) {
    const result = run({
      cast: await castOfSeed(nodes, seed),
      seed,
      seconds,
      load,
      ...(only === undefined ? {} : { only })
    })
    tally.add(result)
    onRun?.(result)
    if ((seed - seeds.from) % RUNS_PER_TURN === 0) {
      await new Promise<void>((resolve) => clock.afterIo(resolve))
      signal?.throwIfAborted()
    }
  }
  return tally.report((clock.now() - startedMs) / 1_000, only)
}

class Tally {
  readonly #nodes: number
  #seeds = 0
  #virtualMs = 0
  #events = 0
  #frames = 0
  #elections = 0
  #commits = 0
  #beyondBudget = 0
  readonly #violations: CampaignViolation[] = []
  readonly #faults: Record<string, number> = {}
  readonly #refusals: Record<string, number> = {}
  readonly #coverage: Record<string, number> = {}
  readonly #recoveryMs: number[] = []
  #trace = new Uint8Array()

  constructor(nodes: number) {
    this.#nodes = nodes
  }

  add(result: RunResult): void {
    const { seed, violation } = result
    this.#seeds++
    this.#virtualMs += result.virtualMs
    this.#events += result.events
    this.#frames += result.frames
    this.#elections += result.elections
    this.#commits += result.commits
    addAll(this.#faults, result.faults)
    addAll(this.#refusals, result.refusals)
    addAll(this.#coverage, result.coverage)
    if (violation !== undefined) {
      const { invariant, atMs, node, detail } = violation
      this.#violations.push({ seed, invariant, atMs, detail: node === '' ? detail : `${node}: ${detail}` })
    } else if (result.recoveryMs === undefined) this.#beyondBudget++
    else this.#recoveryMs.push(result.recoveryMs)
    this.#trace = sha256(this.#trace, utf8(`${seed}:${result.traceHash}:${result.events}`))
  }

  report(wallSeconds: number, only: readonly FaultId[] | undefined): CampaignReport {
    return {
      nodes: this.#nodes,
      seeds: this.#seeds,
      violations: this.#violations,
      virtualSeconds: this.#virtualMs / 1_000,
      wallSeconds,
      events: this.#events,
      frames: this.#frames,
      elections: this.#elections,
      commits: this.#commits,
      faults: sorted(this.#faults),
      refusals: sorted(this.#refusals),
      recoveryMs: percentiles(this.#recoveryMs),
      beyondBudget: this.#beyondBudget,
      notFired: notFired(this.#faults, only),
      coverage: sorted(this.#coverage),
      gaps: gapsIn(this.#coverage),
      traceHash: toHex(this.#trace)
    }
  }
}

function addAll(sum: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [key, count] of Object.entries(more)) sum[key] = (sum[key] ?? 0) + count
}

const sorted = (counts: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).toSorted(([a], [b]) => (a < b ? -1 : 1)))

function percentiles(values: readonly number[]): CampaignReport['recoveryMs'] {
  if (values.length === 0) return undefined
  const order = values.toSorted((a, b) => a - b)
  const at = (share: number): number => order[Math.min(order.length - 1, Math.floor(order.length * share))]!
  return { p50: at(0.5), p99: at(0.99), max: order.at(-1)! }
}
