import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { delay, systemClock } from '../../src/core/clock.ts'
import type { Clock } from '../../src/core/clock.ts'

/** A clock that stands still until it is told. */
function handClock(): Clock & { fire(): void; readonly open: number } {
  const timers = new Set<() => void>()
  return {
    now: () => 0,
    wallNow: () => 0,
    setTimer(_, fn) {
      timers.add(fn)
      return {
        cancel() {
          timers.delete(fn)
        }
      }
    },
    afterIo: (fn) => fn(),
    fire() {
      for (const fn of timers) {
        timers.delete(fn)
        fn()
      }
    },
    get open() {
      return timers.size
    }
  }
}

describe('delay', () => {
  it('resolves when the timer fires', async () => {
    const clock = handClock()
    const waiting = delay(clock, 5)
    clock.fire()
    await expect(waiting).resolves.toBeUndefined()
  })

  it('rejects with the reason of the signal, and lets go of the timer', async () => {
    const clock = handClock()
    const abort = new AbortController()
    const waiting = delay(clock, 5, abort.signal)
    abort.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(clock.open).toBe(0)
  })

  it('rejects at once, and sets no timer, when the signal has already fired', async () => {
    const clock = handClock()
    await expect(delay(clock, 5, AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
    expect(clock.open).toBe(0)
  })

  it('lets go of the signal when it is done', async () => {
    const clock = handClock()
    const { signal } = new AbortController()
    const removed = vi.spyOn(signal, 'removeEventListener')
    const waiting = delay(clock, 5, signal)
    clock.fire()
    await waiting
    expect(removed).toHaveBeenCalledOnce()
  })
})

it('afterIo, asked for by a late timer, lets what has arrived be read first', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  const order: string[] = []
  far.once('data', () => order.push('data'))
  near.write('x')
  await new Promise<void>((resolve) => {
    systemClock.setTimer(0, () => {
      // The loop is blocked here while the byte lies in the kernel.
      const until = performance.now() + 20
      while (performance.now() < until);
      systemClock.afterIo(() => {
        order.push('afterIo')
        resolve()
      })
    })
  })
  near.destroy()
  server.close()
  expect(order).toEqual(['data', 'afterIo'])
})

describe('the system clock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('rounds a timer up, so that a deadline is never early', () => {
    const fired = vi.fn()
    systemClock.setTimer(4.2, fired)
    vi.advanceTimersByTime(4)
    expect(fired).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(fired).toHaveBeenCalledOnce()
  })

  it('cancels, also twice', () => {
    const fired = vi.fn()
    const timer = systemClock.setTimer(1, fired)
    timer.cancel()
    timer.cancel()
    vi.advanceTimersByTime(10)
    expect(fired).not.toHaveBeenCalled()
  })

  it.each([2 ** 31, 2 ** 40, Infinity])('does not fire at once for a delay of %d', (delayMs) => {
    const fired = vi.fn()
    systemClock.setTimer(delayMs, fired)
    vi.advanceTimersByTime(1000)
    expect(fired).not.toHaveBeenCalled()
  })

  it.each([-1, 0, -Infinity])('fires in the next turn for a delay of %d', (delayMs) => {
    const fired = vi.fn()
    systemClock.setTimer(delayMs, fired)
    expect(fired).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(fired).toHaveBeenCalledOnce()
  })

  it('never goes back, and its wall time is in milliseconds since the epoch', () => {
    let last = systemClock.now()
    for (let i = 0; i < 1000; i++) {
      const now = systemClock.now()
      expect(now).toBeGreaterThanOrEqual(last)
      last = now
    }
    // Between 2024 and 2100: catches seconds and microseconds.
    expect(systemClock.wallNow()).toBeGreaterThan(1.7e12)
    expect(systemClock.wallNow()).toBeLessThan(4.1e12)
  })
})
