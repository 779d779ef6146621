/** What a test sees when its cluster does not come to where it should. */
import { QuorateError } from '../core/errors.ts'

/** Something that was waited for did not happen; the message says how every node stands. */
export class LocalClusterTimeoutError extends QuorateError {
  constructor(what: string, waitedMs: number, standing: readonly string[]) {
    super(
      'LocalClusterTimeoutError',
      'ERR_LOCAL_CLUSTER_TIMEOUT',
      `${what}: not within ${waitedMs} ms\n${standing.map((line) => `  ${line}`).join('\n')}`,
      {
        details: { what, waitedMs, standing },
        nextStep: 'Look at what each node waits for. A slower machine needs a higher timeoutMs.'
      }
    )
  }
}
