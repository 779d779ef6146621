/** Closing several things of which each may fail. */
import { messageOf } from '../core/errors.ts'
import type { Logger } from './types.ts'

/** One after the other; what fails is logged, and the rest is closed all the same. */
export async function settle(logger: Logger, steps: readonly (() => Promise<unknown> | undefined)[]): Promise<void> {
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      logger.warn({ reason: messageOf(error) }, 'something did not close cleanly')
    }
  }
}
