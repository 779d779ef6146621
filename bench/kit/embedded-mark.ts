/** What a yard and its embedding programs (embedded-child.ts) agree on. */
import type { NodeInit } from 'quorate'

/** The only word on the command line, as JSON. */
export type EmbeddedInit = Pick<NodeInit, 'token' | 'dataDir' | 'listen' | 'discovery' | 'timing'>

/** A line on standard input: hand over. */
export const CALL = 'transfer'

/** Begins the line on standard error that answers it. */
export const CALLED_MARK = 'quorate-bench-called '

export interface Called {
  /** The moment just before the call, epoch ms. */
  readonly at: number
  /** What the library said to it; null when somebody has taken over. */
  readonly error: string | null
}
