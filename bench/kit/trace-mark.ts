/** What bench/trace.ts and the hook that it loads into nodes agree on. */
export interface TraceStep {
  /** When the step began, epoch ms, and how long it took. */
  readonly at: number
  readonly ms: number
  readonly input: string
  readonly output: readonly string[]
}

/** Begins the line on standard error. */
export const TRACE_MARK = 'quorate-bench-trace '
