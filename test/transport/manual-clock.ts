/** A clock that stands still until it is told to go. */
import type { Clock } from '../../src/core/clock.ts'

export interface ManualClock extends Clock {
  advance(ms: number): void
  readonly pending: number
}

export function manualClock(): ManualClock {
  let now = 0
  const timers = new Set<{ readonly at: number; readonly fn: () => void }>()
  return {
    now: () => now,
    wallNow: () => 1_800_000_000_000 + now,
    setTimer(delayMs, fn) {
      const timer = { at: now + delayMs, fn }
      timers.add(timer)
      return { cancel: () => void timers.delete(timer) }
    },
    afterIo: (fn) => fn(),
    advance(ms) {
      const until = now + ms
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0]
        if (due === undefined) break
        timers.delete(due)
        now = Math.max(now, due.at)
        due.fn()
      }
      now = until
    },
    get pending() {
      return timers.size
    }
  }
}
