/** Stopping ends, whatever libp2p does. */
import { expect, it } from 'vitest'
import { Admissions } from '../../src/transport/libp2p/admissions.ts'
import { Door } from '../../src/transport/libp2p/door.ts'
import { Libp2pTransport } from '../../src/transport/libp2p/adapter.ts'
import type { TransportComponents } from '../../src/transport/libp2p/types.ts'
import { defaultTransportLimits, type TransportEvents } from '../../src/transport/port.ts'
import { manualClock } from './manual-clock.ts'

const events: TransportEvents = {
  onSessionOpen: () => {},
  onSessionClose: () => {},
  onFrame: () => {},
  onRefused: () => {}
}

function transportOver(host: { start(): Promise<void>; stop(): Promise<void> }) {
  const clock = manualClock()
  const errors: string[] = []
  const components = {
    peerId: { toString: () => 'p1' },
    registrar: { handle: () => Promise.resolve(), unhandle: () => Promise.resolve() },
    events: new EventTarget()
  } as unknown as TransportComponents
  const transport = new Libp2pTransport({
    components,
    mode: { type: 'encrypter', admissions: new Admissions(), door: new Door(() => {}) },
    limits: defaultTransportLimits,
    clock,
    onError: (error, doing) => errors.push(`${doing}: ${(error as Error).message}`),
    host
  })
  return { transport, clock, errors }
}

const never = (): Promise<void> => new Promise(() => {})
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

it.each([
  ['stop', { start: () => Promise.resolve(), stop: never }],
  ['start', { start: never, stop: () => Promise.resolve() }]
])('within five seconds when libp2p never comes to the end of its %s, and says so', async (_, host) => {
  const { transport, clock, errors } = transportOver(host)
  void transport.start(events)
  await turn()
  let stopped = false
  const stopping = transport.stop().then(() => (stopped = true))
  clock.advance(4_999)
  await turn()
  expect(stopped).toBe(false)
  clock.advance(1)
  await stopping
  expect(errors).toEqual(['stopping: not done within 5000 ms'])
})

it('leaves no timer behind, and a failure to stop is told to whoever stops', async () => {
  const { transport, clock } = transportOver({ start: () => Promise.resolve(), stop: () => Promise.resolve() })
  await transport.start(events)
  await transport.stop()
  expect(clock.pending).toBe(0)
  const broken = transportOver({ start: () => Promise.resolve(), stop: () => Promise.reject(new Error('stuck')) })
  await broken.transport.start(events)
  await expect(broken.transport.stop()).rejects.toThrow('stuck')
  expect(broken.clock.pending).toBe(0)
})
