import { describe, expect, test } from 'vitest'
import { Dialer, type Attempt } from '../../src/transport/dialer.ts'
import { AdmissionRefusedError, DialFailedError, TransportStoppedError } from '../../src/transport/errors.ts'
import { manualClock } from './manual-clock.ts'

interface Under {
  readonly address: string
  readonly signals: Parameters<Attempt>[2]
  succeed(peerId: string): void
  fail(error: unknown): void
}

function world() {
  const clock = manualClock()
  const attempts: Under[] = []
  const sessions = new Set<string>()
  const dialer = new Dialer({
    self: 'me',
    clock,
    staggerMs: 250,
    timeoutMs: 6_000,
    attempt: (address, _expected, signals) =>
      new Promise((resolve, reject) => {
        attempts.push({ address, signals, succeed: resolve, fail: reject })
        const abort = (signal: AbortSignal): void =>
          signal.addEventListener('abort', () => reject(new Error('aborted', { cause: signal.reason })))
        abort(signals.signal)
      }),
    hasSession: (peerId) => sessions.has(peerId)
  })
  const dial = (addresses: readonly string[], whom: 'p' | 'anybody' = 'p') => {
    const controller = new AbortController()
    const peerId = whom === 'p' ? whom : undefined
    const promise = dialer.dial({ peerId, addresses }, controller.signal)
    promise.catch(() => {})
    return { promise, controller }
  }
  const under = (): string[] => attempts.map(({ address }) => address)
  return { clock, dialer, attempts, sessions, dial, under }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

describe('Dialer', () => {
  test('the next address starts after the stagger, or at once when the last has failed', async () => {
    const { clock, attempts, dial, under } = world()
    const { promise } = dial(['1', '2', '3'])
    expect(under()).toEqual(['1'])
    clock.advance(249)
    expect(under()).toEqual(['1'])
    clock.advance(1)
    expect(under()).toEqual(['1', '2'])
    attempts[1]!.fail(new Error('nobody'))
    await turns()
    expect(under()).toEqual(['1', '2', '3'])
    attempts[0]!.succeed('p')
    expect(await promise).toEqual({ peerId: 'p' })
    expect(attempts[2]!.signals.whileConnecting.aborted).toBe(true)
    expect(attempts[2]!.signals.signal.aborted).toBe(false)
    expect(clock.pending).toBe(1)
    attempts[2]!.fail(new Error('given up'))
    await turns()
    expect(clock.pending).toBe(0)
  })

  test('an address that has been reached holds the others back, until it fails', async () => {
    const { clock, attempts, dial, under } = world()
    const { promise } = dial(['1', '2'])
    attempts[0]!.signals.onReached()
    clock.advance(5_000)
    expect(under()).toEqual(['1'])
    attempts[0]!.fail(new Error('no Quorate node'))
    await turns()
    expect(under()).toEqual(['1', '2'])
    attempts[1]!.succeed('p')
    await promise
  })

  test('when all have failed, the error lists each with its reason', async () => {
    const { clock, attempts, dial } = world()
    const { promise } = dial(['1', '2', '1'])
    attempts[0]!.fail(new Error('refused'))
    await turns()
    clock.advance(6_000)
    await expect(promise).rejects.toSatisfy(
      (error) =>
        error instanceof DialFailedError &&
        error.attempts.map(({ address, error: why }) => `${address} ${why}`).join() ===
          '1 refused,2 no session within 6000 ms'
    )
    expect(clock.pending).toBe(0)
  })

  test('a refusal by the peer itself ends the dial; one by somebody else at an address does not', async () => {
    const refusal = { code: 'not-in-roster', detail: 'no' } as const
    const one = world()
    const known = one.dial(['1', '2'])
    const error = new AdmissionRefusedError('them', refusal, 'p')
    one.attempts[0]!.fail(error)
    await expect(known.promise).rejects.toBe(error)
    expect(one.under()).toEqual(['1'])

    const two = world()
    const { promise } = two.dial(['1', '2'], 'anybody')
    two.attempts[0]!.fail(new AdmissionRefusedError('us', refusal, 'q'))
    await turns()
    two.attempts[1]!.succeed('r')
    expect(await promise).toEqual({ peerId: 'r' })
  })

  test('a refusal is worth more than silence', async () => {
    const { attempts, dial } = world()
    const { promise } = dial(['1', '2'], 'anybody')
    const error = new AdmissionRefusedError('us', { code: 'foreign-domain', detail: 'x' }, undefined)
    attempts[0]!.fail(error)
    await turns()
    attempts[1]!.fail(new Error('silence'))
    await expect(promise).rejects.toBe(error)
  })

  test('a session that the peer opened resolves the dial; what has been reached goes on, what has not is given up', async () => {
    const { clock, dialer, attempts, dial, under } = world()
    const { promise } = dial(['1', '2', '3'])
    clock.advance(250)
    dialer.sessionOpened('p')
    expect(await promise).toEqual({ peerId: 'p' })
    expect(attempts.map(({ signals }) => signals.signal.aborted)).toEqual([false, false])
    expect(attempts.map(({ signals }) => signals.whileConnecting.aborted)).toEqual([true, true])
    clock.advance(6_000)
    await turns()
    expect(under()).toEqual(['1', '2'])
  })

  test('callers share a flight; it ends when the last one has gone', async () => {
    const { attempts, dial, under } = world()
    const [first, second] = [dial(['1']), dial(['2'])]
    expect(under()).toEqual(['1'])
    first.controller.abort(new Error('first'))
    await expect(first.promise).rejects.toThrow('first')
    expect(attempts[0]!.signals.signal.aborted).toBe(false)
    second.controller.abort(new Error('second'))
    await expect(second.promise).rejects.toThrow('second')
    expect(attempts[0]!.signals.signal.aborted).toBe(true)
  })

  test('dials to addresses alone share a flight when the addresses are the same', () => {
    const { dial, under } = world()
    dial(['1', '2'], 'anybody')
    dial(['1', '2'], 'anybody')
    dial(['1'], 'anybody')
    expect(under()).toEqual(['1', '1'])
  })

  test('a peer with a session is not dialled', async () => {
    const { sessions, dial, under } = world()
    sessions.add('p')
    expect(await dial(['1']).promise).toEqual({ peerId: 'p' })
    expect(under()).toEqual([])
  })

  test('stop rejects what is under way and everything after', async () => {
    const { dialer, attempts, dial } = world()
    const { promise } = dial(['1'])
    dialer.stop()
    await expect(promise).rejects.toBeInstanceOf(TransportStoppedError)
    expect(attempts[0]!.signals.signal.aborted).toBe(true)
    await expect(dial(['1']).promise).rejects.toBeInstanceOf(TransportStoppedError)
  })

  test('a forged hint cannot keep a dial busy with addresses', async () => {
    const { attempts, dial } = world()
    const { promise } = dial(Array.from({ length: 1_000 }, (_, i) => String(i)))
    for (let i = 0; i < attempts.length; i++) {
      attempts[i]!.fail(new Error('nobody'))
      await turns()
    }
    await expect(promise).rejects.toBeInstanceOf(DialFailedError)
    expect(attempts).toHaveLength(16)
  })
})
