/**
 * The stages of one start, as people follow them:
 *
 *     preflight        the data directory is open: ours, writable, locked
 *     identity         key, token, genesis and claim agree, and the log is open
 *     discovery        as many peers were heard of as founding needs; one, once founded
 *     authentication   all founders proved who they are; one member, once founded
 *     formation        the founding certificate is durable here
 *     election         a leader is known
 *     config           the config is applied here
 *     ready            all of it
 *
 * Each starts once and is done once in a process life, in that order for a node that forms a cluster. A restarted node has
 * formed before it has discovered anybody, so a stage may be done before its turn; it is reported when it happens. The first
 * two are over before there is a node that could report them: they are timed where they happen and handed to `begin`.
 */
import type { StageName } from './events.ts'

export interface StageReport {
  readonly stage: StageName
  readonly status: 'start' | 'done' | 'failed'
  /** Since the node was started. */
  readonly ms: number
  readonly detail?: Readonly<Record<string, unknown>>
  readonly error?: { readonly name: string; readonly code: string; readonly message: string }
}

/** A stage that is over. Times are those of the clock that `Stages` reads. */
export interface StageSpan {
  readonly stage: StageName
  readonly startedAt: number
  readonly endedAt: number
}

export const stageOrder: readonly StageName[] = [
  'preflight',
  'identity',
  'discovery',
  'authentication',
  'formation',
  'election',
  'config',
  'ready'
]

export interface StagesInit {
  /** Monotonic ms. */
  readonly now: () => number
  /** When the start began, by `now`. */
  readonly startedAt: number
  readonly report: (report: StageReport) => void
}

export class Stages {
  readonly #init: StagesInit
  readonly #started = new Set<StageName>()
  readonly #done = new Set<StageName>()

  constructor(init: StagesInit) {
    this.#init = init
  }

  /** Reports what is over already, with the times at which it happened, and starts the next stage. */
  begin(past: readonly StageSpan[]): void {
    for (const { stage, startedAt, endedAt } of past) {
      this.#start(stage, startedAt)
      this.#end(stage, endedAt)
    }
    this.#startNext()
  }

  get elapsedMs(): number {
    return this.#since(this.#init.now())
  }

  isDone(stage: StageName): boolean {
    return this.#done.has(stage)
  }

  /** The first stage that is not done; `ready` when all are. */
  get current(): StageName {
    return stageOrder.find((stage) => !this.#done.has(stage)) ?? 'ready'
  }

  /** True the first time. */
  finish(stage: StageName, detail?: Readonly<Record<string, unknown>>): boolean {
    if (this.#done.has(stage)) return false
    const now = this.#init.now()
    this.#start(stage, now)
    this.#end(stage, now, detail)
    this.#startNext()
    return true
  }

  /** The stage that the node was in when it had to give up. */
  fail(error: { readonly name: string; readonly code: string; readonly message: string }): void {
    if (this.#done.has('ready')) return
    this.#init.report({ stage: this.current, status: 'failed', ms: this.elapsedMs, error })
  }

  /** In ms to the microsecond: the rest is what fractions leave behind. */
  #since(at: number): number {
    return Math.round((at - this.#init.startedAt) * 1_000) / 1_000
  }

  #startNext(): void {
    const next = stageOrder.find((stage) => !this.#done.has(stage))
    if (next !== undefined) this.#start(next, this.#init.now())
  }

  #start(stage: StageName, at: number): void {
    if (this.#started.has(stage)) return
    this.#started.add(stage)
    this.#init.report({ stage, status: 'start', ms: this.#since(at) })
  }

  #end(stage: StageName, at: number, detail?: Readonly<Record<string, unknown>>): void {
    this.#done.add(stage)
    const ms = this.#since(at)
    this.#init.report({ stage, status: 'done', ms, ...(detail === undefined ? {} : { detail }) })
  }
}
