/**
 * A deadline as an AbortSignal that keeps the process alive while it runs and can be put away when the work is done.
 * `AbortSignal.timeout` does neither: its timer is not referenced, so a program that only waits ends early and in silence.
 */
import type { Clock } from '../core/clock.ts'

export interface Deadline {
  readonly signal: AbortSignal
  /** Always call it when the work has ended. Idempotent. */
  cancel(): void
}

/** Aborts with `reason()` after `ms`, or with the parent's reason as soon as that aborts. No `ms`: only the parent. */
export function startDeadline(
  clock: Clock,
  ms: number | undefined,
  reason: () => Error,
  parent?: AbortSignal
): Deadline {
  const controller = new AbortController()
  const timer = ms === undefined ? undefined : clock.setTimer(ms, () => controller.abort(reason()))
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
