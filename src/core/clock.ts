/**
 * The only ambient time in Quorate.
 *
 * Protocol rooms are told the time as `now` (monotonic milliseconds, fractional) and never ask. Edges that need timers
 * take a `Clock`. Wall time is for people and for token dates; no protocol timer uses it (FAULTS N11).
 */
export interface Clock {
  /** Monotonic milliseconds since some fixed point, with fractions. */
  now(): number
  /** Milliseconds since the epoch, with fractions. */
  wallNow(): number
  /** Calls `fn` once, not before `delayMs` has passed. A referenced timer: it keeps the process alive. */
  setTimer(delayMs: number, fn: () => void): Timer
  /** Calls `fn` once, after the input and output that is ready now has been handled. */
  afterIo(fn: () => void): void
}

export interface Timer {
  /** Idempotent. */
  cancel(): void
}

/** setTimeout keeps its delay in 32 signed bits, and fires at once above that. */
const DELAY_MS_MAX = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => performance.timeOrigin + performance.now(),
  setTimer(delayMs, fn) {
    // Node fires up to 1 ms early and rounds fractions down; a deadline must never be early.
    const handle = setTimeout(fn, Math.min(DELAY_MS_MAX, Math.max(0, Math.ceil(delayMs))))
    return { cancel: () => clearTimeout(handle) }
  },
  afterIo(fn) {
    setImmediate(fn)
  }
}

/** Resolves after `delayMs`, or rejects with the signal's reason. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const onAbort = (): void => {
      timer.cancel()
      reject(signal!.reason as Error)
    }
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
