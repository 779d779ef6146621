import { describe, expect, test } from 'vitest'
import { InvariantError } from '../../src/core/invariant.ts'
import type { Admitted } from '../../src/transport/gate.ts'
import { prefix64 } from '../../src/transport/libp2p/inbound-budget.ts'
import { defaultTransportLimits } from '../../src/transport/port.ts'
import { TransportCore } from '../../src/transport/transport-core.ts'
import { manualClock } from './manual-clock.ts'

function core(onSessionOpen: () => void) {
  const errors: unknown[] = []
  const one = new TransportCore({
    self: 'me',
    clock: manualClock(),
    limits: defaultTransportLimits,
    closesLinks: true,
    onError: (error) => errors.push(error),
    attempt: () => Promise.reject(new Error('nobody'))
  })
  one.start({ onSessionOpen, onSessionClose() {}, onFrame() {}, onRefused() {} })
  const open = (): void =>
    one.linkOpened({
      admitted: { peerId: 'p', storeId: 's' } as Admitted,
      instance: 'one',
      dialledByUs: true,
      sequence: 1,
      bytesReceived: 0,
      send: () => true,
      close() {},
      abort() {}
    })
  return { one, errors, open }
}

describe('TransportCore', () => {
  test('what a receiver of events throws is reported and survived', () => {
    const broken = new Error('broken')
    const { one, errors, open } = core(() => {
      throw broken
    })
    open()
    expect(errors).toEqual([broken])
    expect(one.hasSession('p')).toBe(true)
  })

  test('a broken invariant is thrown on, out of the transport', async () => {
    const caught: unknown[] = []
    const { errors, open } = core(() => {
      throw new InvariantError('a bug')
    })
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const thrown = new Promise<void>((resolve) => {
      process.once('uncaughtException', (error) => {
        caught.push(error)
        resolve()
      })
    })
    try {
      open()
      await thrown
    } finally {
      for (const listener of before) process.on('uncaughtException', listener)
    }
    expect(caught).toHaveLength(1)
    expect(caught[0]).toBeInstanceOf(InvariantError)
    expect(errors).toEqual([])
  })
})

describe('the budget for strangers', () => {
  test.each([
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::9', '2001:db8:1:2'],
    ['2001:0DB8:0001:0002:ffff::', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::', 'fe80:0:0:0']
  ])('counts an IPv6 /64 as one host: %s', (address, prefix) => {
    expect(prefix64(address)).toBe(prefix)
  })
})
