/** Time limits for libp2p's calls, from our own clock. */
import type { Clock } from '../../core/clock.ts'

/** A signal for libp2p's calls. Unlike `AbortSignal.timeout` it keeps the process alive until it is cancelled or due. */
export function withDeadline(clock: Clock, ms: number): { readonly signal: AbortSignal; cancel(): void } {
  const controller = new AbortController()
  const timer = clock.setTimer(ms, () => controller.abort(new Error(`not done within ${ms} ms`)))
  return { signal: controller.signal, cancel: () => timer.cancel() }
}

/** What the promise gives, or the signal's reason. */
export function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
