/**
 * Deadlines as AbortSignals, from our own clock.
 *
 * `AbortSignal.timeout` does not keep the process alive, so a program that only waits would end early and in silence, and it
 * cannot be put away when the work is done. These do both.
 */
import type { Clock } from './clock.ts'

export interface Deadline {
  readonly signal: AbortSignal
  /** Always call it when the work has ended. Idempotent. */
  cancel(): void
}

/** The reason of a deadline that has no better one; named as the platform's own. */
export class TimeoutError extends Error {
  constructor(ms: number) {
    super(`not done within ${ms} ms`)
    this.name = 'TimeoutError'
  }
}

/** Whether this is how a deadline ends, ours or the platform's `AbortSignal.timeout`. */
export const isTimeout = (reason: unknown): reason is Error => reason instanceof Error && reason.name === 'TimeoutError'

export interface DeadlineOptions {
  /** Default: TimeoutError. */
  readonly reason?: () => Error
  /** Aborts the deadline as well, with its own reason. */
  readonly parent?: AbortSignal | undefined
}

/** Aborts after `ms`, or as soon as the parent does. No `ms`: only the parent. */
export function startDeadline(clock: Clock, ms: number | undefined, options: DeadlineOptions = {}): Deadline {
  const { parent, reason } = options
  const controller = new AbortController()
  const timer =
    ms === undefined
      ? undefined
      : clock.setTimer(ms, () => controller.abort(reason === undefined ? new TimeoutError(ms) : reason()))
  const onParent = (): void => controller.abort(parent!.reason)
  if (parent?.aborted === true) onParent()
  else parent?.addEventListener('abort', onParent, { once: true })
  return {
    signal: controller.signal,
    cancel() {
      timer?.cancel()
      parent?.removeEventListener('abort', onParent)
    }
  }
}

/** What the promise gives, or the signal's reason when that comes first. The work itself goes on. */
export function raceAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
