import { expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { Dialer } from '../../src/node/dialer.ts'
import type { Transport } from '../../src/transport/port.ts'
import { manualClock } from '../transport/manual-clock.ts'

it('sees who is at the door before it dials again whom it may be', async () => {
  const sockets: (() => void)[] = []
  const clock = { ...manualClock(), afterIo: (fn: () => void) => void sockets.push(fn) }
  const dialled: number[] = []
  const transport = {
    addresses: () => [],
    dial: () => {
      dialled.push(clock.now())
      return Promise.reject(new Error('nobody is there yet'))
    }
  } as unknown as Transport
  const dialer = new Dialer({
    ...{ self: 'self', clock, transport, random: seededRandom(1), sources: [], dialTimeoutMs: 1_000 },
    onHint: () => {},
    onAlarm: () => {}
  })
  await dialer.start()
  dialer.hint({ source: 'seed', peerId: undefined, addresses: ['/ip4/10.0.0.1/tcp/1'] })
  await new Promise(setImmediate)
  clock.advance(50)
  expect(sockets).toHaveLength(1)
  // Was there before the timer fired, and is heard of now.
  dialer.tell({ type: 'door', knocking: true })
  sockets[0]!()
  expect(dialled).toEqual([0])
  dialer.tell({ type: 'door', knocking: false })
  expect(dialled).toEqual([0, 50])
  await dialer.stop()
})
