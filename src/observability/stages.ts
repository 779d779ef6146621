/**
 * The stages of one start, as people follow them: listening, discovered, authenticated, founded, elected, replicated, ready.
 *
 * Each starts once and is done once in a process life, in that order for a node that forms a cluster. A restarted node has
 * founded before it has discovered anybody, so a stage may be done before its turn; it is reported when it happens.
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

export const stageOrder: readonly StageName[] = [
  'listening',
  'discovered',
  'authenticated',
  'founded',
  'elected',
  'replicated',
  'ready'
]

export class Stages {
  readonly #report: (report: StageReport) => void
  readonly #now: () => number
  readonly #startedAt: number
  readonly #started = new Set<StageName>()
  readonly #done = new Set<StageName>()

  constructor(now: () => number, report: (report: StageReport) => void) {
    this.#now = now
    this.#report = report
    this.#startedAt = now()
  }

  /** Starts the first stage. */
  begin(): void {
    this.#startNext()
  }

  get elapsedMs(): number {
    return this.#now() - this.#startedAt
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
    this.#start(stage)
    this.#done.add(stage)
    this.#report({ stage, status: 'done', ms: this.elapsedMs, ...(detail === undefined ? {} : { detail }) })
    this.#startNext()
    return true
  }

  /** The stage that the node was in when it had to give up. */
  fail(error: { readonly name: string; readonly code: string; readonly message: string }): void {
    if (this.#done.has('ready')) return
    this.#report({ stage: this.current, status: 'failed', ms: this.elapsedMs, error })
  }

  #startNext(): void {
    const next = stageOrder.find((stage) => !this.#done.has(stage))
    if (next !== undefined) this.#start(next)
  }

  #start(stage: StageName): void {
    if (this.#started.has(stage)) return
    this.#started.add(stage)
    this.#report({ stage, status: 'start', ms: this.elapsedMs })
  }
}
