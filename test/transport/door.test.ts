import { memory } from '@libp2p/memory'
import { afterEach, expect, it } from 'vitest'
import { Door } from '../../src/transport/libp2p/door.ts'
import { EventLog, toyGate } from '../../src/conformance/transport.ts'
import { type Libp2pHarness, libp2pHarness } from './harness.ts'

interface Knocker {
  readonly timeline: { open: number }
  readonly listeners: (() => void)[]
}

const knocker = (): Knocker & Parameters<Door['came']>[0] => {
  const listeners: (() => void)[] = []
  const addEventListener = (_: string, listener: () => void): void => void listeners.push(listener)
  return { timeline: { open: 0 }, listeners, addEventListener } as never
}

it('tells of the first who comes and of the last who goes, in or away', () => {
  const told: boolean[] = []
  const door = new Door((knocking) => told.push(knocking))
  const [a, b, c] = [knocker(), knocker(), knocker()]
  door.came(a)
  door.came(b)
  expect(told).toEqual([true])
  door.left(a.timeline)
  b.listeners[0]!()
  expect(told).toEqual([true, false])
  a.listeners[0]!()
  door.left(a.timeline)
  expect(told).toEqual([true, false])
  door.came(c)
  door.left(b.timeline)
  expect(told).toEqual([true, false, true])
})

let harness: Libp2pHarness | undefined

afterEach(async () => {
  await harness?.dispose()
})

/** What is told, in its order, with what happens at the door. */
class DoorLog extends EventLog {
  readonly #waiting: (() => void)[] = []

  onDoor(knocking: boolean): void {
    this.lines.push(knocking ? 'somebody knocks' : 'nobody knocks')
    if (!knocking) for (const go of this.#waiting.splice(0)) go()
  }

  /** From now on. */
  untilNobodyKnocks(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}

it('is told by a libp2p node: before the handshake, and after the session is open or refused', async () => {
  harness = await libp2pHarness({
    transports: [memory()],
    listen: (name) => `/memory/door-${name}`,
    deadAddress: '/memory/door-nobody'
  })
  const [host, guest, other] = [
    await harness.node('host', toyGate()),
    await harness.node('guest', toyGate()),
    await harness.node('other', { ...toyGate(), hello: () => new Uint8Array([1]) })
  ]
  const log = new DoorLog()
  await host.transport.start(log)
  const target = { peerId: host.peerId, addresses: host.transport.addresses() }
  const { signal } = new AbortController()
  const guestLog = new DoorLog()
  await guest.transport.start(guestLog)
  const guestIsIn = log.untilNobodyKnocks()
  await guest.transport.dial(target, { signal })
  await guestIsIn
  expect(log.lines).toEqual(['somebody knocks', `open ${guest.peerId}`, 'nobody knocks'])
  await other.transport.start(new EventLog())
  const otherIsGone = log.untilNobodyKnocks()
  await expect(other.transport.dial(target, { signal })).rejects.toThrow()
  await otherIsGone
  expect(log.lines.slice(3)).toEqual(['somebody knocks', `refused by us ${other.peerId}: malformed`, 'nobody knocks'])
  // Whom we dial is not at our door.
  expect(guestLog.lines).toEqual([`open ${host.peerId}`])
})
