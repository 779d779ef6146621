/** The switchboard alone: what is cut waits, in order, and what is delayed comes when it is due. */
import { expect, it } from 'vitest'
import type { Admitted } from '../../src/membership/admission.ts'
import { LocalNetwork, type LinkedTransport } from '../../src/testing/network.ts'
import type { Transport, TransportEvents } from '../../src/transport/port.ts'
import { manualClock, type ManualClock } from '../transport/manual-clock.ts'

interface Stub {
  readonly linked: LinkedTransport
  readonly heard: string[]
  readonly sent: string[]
  readonly stopped: boolean
  tell: TransportEvents
}

async function connect(network: LocalNetwork, place: number): Promise<Stub> {
  const heard: string[] = []
  const sent: string[] = []
  const stub = { heard, sent, stopped: false } as { -readonly [K in keyof Stub]: Stub[K] }
  const inner: Transport = {
    start: async (events) => void (stub.tell = events),
    addresses: () => [],
    dial: async ({ peerId }) => ({ peerId: peerId ?? 'p1' }),
    send: (peerId) => sent.push(peerId) > 0,
    disconnect: async () => undefined,
    stop: async () => void (stub.stopped = true)
  }
  stub.linked = network.connect(place, `p${place}`, inner)
  await stub.linked.start({
    onSessionOpen: ({ peerId }) => heard.push(`open ${peerId}`),
    onSessionClose: (peerId, reason) => heard.push(`close ${peerId} ${reason}`),
    onFrame: (peerId, frame) => heard.push(`frame ${peerId} ${frame.length}`),
    onRefused: () => heard.push('refused')
  })
  return stub
}

const peer = (peerId: string): Admitted => ({ peerId }) as Admitted
const network = (delayMs = 0): { clock: ManualClock; network: LocalNetwork } => {
  const clock = manualClock()
  return { clock, network: new LocalNetwork({ clock, delayMs, id: 'x' }) }
}

it('tells at once when nothing is in the way', async () => {
  const { network: switchboard } = network()
  const { heard, tell, linked, sent } = await connect(switchboard, 0)
  tell.onSessionOpen(peer('p1'))
  tell.onFrame('p1', new Uint8Array(1))
  expect(heard).toEqual(['open p1', 'frame p1 1'])
  expect(linked.send('p1', new Uint8Array(1))).toBe(true)
  expect(sent).toEqual(['p1'])
})

it('holds what is cut, in order, and lets the rest pass', async () => {
  const { network: switchboard } = network()
  const [a] = [await connect(switchboard, 0), await connect(switchboard, 1), await connect(switchboard, 2)]
  switchboard.partition([[0, 2], [1]])
  a.tell.onSessionOpen(peer('p1'))
  a.tell.onFrame('p1', new Uint8Array(1))
  a.tell.onSessionClose('p1', 'gone')
  a.tell.onFrame('p2', new Uint8Array(2))
  a.tell.onFrame('stranger', new Uint8Array(3))
  expect(a.heard).toEqual(['frame p2 2', 'frame stranger 3'])
  switchboard.repair()
  expect(a.heard.slice(2)).toEqual(['open p1', 'frame p1 1', 'close p1 gone'])
})

it('loses frames, and nothing else, when too many are held', async () => {
  const { network: switchboard } = network()
  const [a] = [await connect(switchboard, 0), await connect(switchboard, 1)]
  switchboard.partition([[0], [1]])
  for (let i = 0; i < 5_000; i++) a.tell.onFrame('p1', new Uint8Array(1))
  a.tell.onSessionClose('p1', 'gone')
  switchboard.repair()
  expect(a.heard).toHaveLength(4_097)
  expect(a.heard.at(-1)).toBe('close p1 gone')
})

it('lets a dial wait until the cable is there, or until it is given up', async () => {
  const { network: switchboard } = network()
  const [a] = [await connect(switchboard, 0), await connect(switchboard, 1)]
  switchboard.partition([[0], [1]])
  const given = new AbortController()
  const byAddress = a.linked.dial(
    { peerId: undefined, addresses: [switchboard.addressOf(1)] },
    { signal: given.signal }
  )
  let reached = false
  const byPeer = a.linked.dial({ peerId: 'p1', addresses: [] }, { signal: new AbortController().signal }).then(() => {
    reached = true
  })
  given.abort(new Error('given up'))
  await expect(byAddress).rejects.toThrow('given up')
  expect(reached).toBe(false)
  switchboard.repair()
  await byPeer
})

it('delays each by as much, and overtakes nothing', async () => {
  const { clock, network: switchboard } = network(10)
  const { heard, tell } = await connect(switchboard, 0)
  tell.onFrame('p1', new Uint8Array(1))
  clock.advance(4)
  tell.onFrame('p1', new Uint8Array(2))
  switchboard.delayMs = 0
  tell.onFrame('p1', new Uint8Array(3))
  clock.advance(5)
  expect(heard).toEqual([])
  clock.advance(1)
  expect(heard).toEqual(['frame p1 1'])
  clock.advance(4)
  expect(heard).toEqual(['frame p1 1', 'frame p1 2', 'frame p1 3'])
})

it('keeps the order of what is said while something is told', async () => {
  const { network: switchboard } = network()
  const { linked, heard } = await connect(switchboard, 0)
  const stub = await connect(switchboard, 1)
  const said: string[] = []
  let tell: TransportEvents | undefined
  const echo = switchboard.connect(2, 'p2', {
    start: async (events) => void (tell = events),
    addresses: () => [],
    dial: async () => ({ peerId: '' }),
    send: () => true,
    disconnect: async () => undefined,
    stop: async () => undefined
  })
  await echo.start({
    onSessionOpen: () => {
      tell!.onFrame('p1', new Uint8Array(1))
      said.push('open')
    },
    onSessionClose: () => undefined,
    onFrame: () => said.push('frame'),
    onRefused: () => undefined
  })
  tell!.onSessionOpen(peer('p1'))
  expect(said).toEqual(['open', 'frame'])
  expect([heard, stub.heard, linked.addresses()]).toEqual([[], [], []])
})

it('a crash closes every session on both sides, and nothing leaves any more', async () => {
  const { network: switchboard } = network()
  const stub = await connect(switchboard, 0)
  stub.tell.onSessionOpen(peer('p1'))
  stub.tell.onSessionOpen(peer('p2'))
  stub.tell.onSessionClose('p2', 'gone')
  await stub.linked.crash()
  stub.tell.onFrame('p1', new Uint8Array(1))
  expect(stub.heard).toEqual(['open p1', 'open p2', 'close p2 gone', 'close p1 crashed'])
  expect(stub.linked.send('p1', new Uint8Array(1))).toBe(false)
  expect(stub.stopped).toBe(true)
})
