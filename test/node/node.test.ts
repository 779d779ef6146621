/** A whole node over a memory network: forming, serving, and above all every way of beginning and ending. */
import { afterEach, describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/bytes.ts'
import { QuorateError } from '../../src/core/errors.ts'
import { carefulLogger } from '../../src/node/defaults.ts'
import { NodeStoppedError, OutcomeUnknownError } from '../../src/node/errors.ts'
import type { Discovery } from '../../src/discovery/port.ts'
import type { Transport, TransportEvents } from '../../src/transport/port.ts'
import { eventually } from '../admin/eventually.ts'
import { manualClock } from '../transport/manual-clock.ts'
import { type MemoryNode, MemoryNodes } from './memory-nodes.ts'

let nodes: MemoryNodes | undefined

afterEach(async () => {
  await nodes?.stopAll()
  nodes = undefined
})

const LIMIT = { timeout: 60_000 }

const named = (of: MemoryNode, event: string) => of.events.filter((one) => one.event === event)

async function formed(size: number): Promise<readonly MemoryNode[]> {
  nodes = await MemoryNodes.of(size)
  const started = await nodes.startAll()
  await Promise.all(started.map(({ node }) => node.ready()))
  return started
}

/** The transport, with its start and stop noted. */
function watched(transport: Transport, log: string[], before: Partial<Transport> = {}): Transport {
  return {
    start: async (events) => {
      await before.start?.(events)
      await transport.start(events)
      log.push('transport started')
    },
    addresses: () => transport.addresses(),
    dial: (target, options) => transport.dial(target, options),
    send: (peerId, frame) => transport.send(peerId, frame),
    disconnect: (peerId, reason) => transport.disconnect(peerId, reason),
    stop: async () => {
      log.push('transport stopped')
      await transport.stop()
    }
  }
}

describe('a cluster of memory nodes', LIMIT, () => {
  it('forms, agrees on one config, changes it from any node, and keeps genesis and certificate', async () => {
    const started = await formed(3)
    expect(new Set(started.map(({ node }) => node.clusterId)).size).toBe(1)
    const [first, ...others] = started
    const set = await first!.node.config.set({ interval: 7, limits: { cpu: 2 } }, { ifVersion: 1, reason: 'test' })
    expect(set.version).toBe(2)
    for (const { node } of others) expect(await node.config.read()).toMatchObject({ version: 2, hash: set.hash })
    for (const { place } of started) expect(place.certificate).toBeDefined()
  })

  it('goes on after all of them were stopped, from their disks', async () => {
    const before = await formed(3)
    const { clusterId } = before[0]!.node
    await before[1]!.node.config.set({ interval: 9 }, { reason: 'test' })
    await nodes!.stopAll()
    const after = await nodes!.startAll()
    await Promise.all(after.map(({ node }) => node.ready()))
    for (const { node } of after) {
      expect(node.clusterId).toBe(clusterId)
      expect(await node.config.read()).toMatchObject({ version: 2, value: { interval: 9 } })
    }
  })

  it('tells of a lost leader when that happened, before it comes back and before the node ends', async () => {
    nodes = await MemoryNodes.of(3)
    const transports: Transport[] = []
    const wrap = (transport: Transport): Transport => {
      transports.push(transport)
      return transport
    }
    const started: MemoryNode[] = []
    for (const place of nodes.places) started.push(await nodes.start(place, { wrap }))
    await Promise.all(started.map(({ node }) => node.ready()))
    const leader = started[0]!.node.leader!.peerId
    const at = started.findIndex(({ node }) => node.peerId !== leader)
    const follower = started[at]!
    const told = (status: string, from: number): number =>
      follower.events.findIndex(
        (event, i) => i >= from && event.event === 'peer' && event.peer === leader && event.status === status
      )
    const from = follower.events.length
    await transports[at]!.disconnect(leader, 'test')
    await eventually(() => told('authenticated', from)).toBeGreaterThan(0)
    const [lost, back] = [told('disconnected', from), told('authenticated', from)]
    expect(lost).toBeGreaterThan(0)
    expect(lost).toBeLessThan(back)
    const leaderless = follower.events.find(
      (event, i) => i >= from && event.event === 'leader' && event.leader === null
    )!
    expect(follower.events[lost]!.at).toBeLessThanOrEqual(leaderless.at)
    expect(follower.events[lost]!.at).toBeGreaterThanOrEqual(follower.events[from - 1]!.at)
    await eventually(() => follower.node.leader).toBeDefined()
    const end = follower.events.length
    await follower.node.stop()
    expect(told('disconnected', end)).toBeGreaterThan(0)
    expect(follower.events.at(-1)!.event).toBe('stopped')
    expect(follower.clock.timers.size).toBe(0)
  })

  it('leaves no timer behind when it stops', async () => {
    const started = await formed(3)
    await nodes!.stopAll()
    for (const { clock, closed } of started) {
      expect(clock.timers.size).toBe(0)
      expect(closed).toEqual(['home'])
    }
  })

  it('learns the genesis from peers when its token only pins it, from two of them at once', async () => {
    nodes = await MemoryNodes.of(3)
    const [a, b, c] = nodes.places
    c!.genesis = undefined
    const started = await nodes.startAll()
    await Promise.all(started.map(({ node }) => node.ready()))
    expect(toHex(c!.genesis!)).toBe(toHex(a!.genesis!))
    expect(b!.certificate).toEqual(c!.certificate)
  })

  it('takes a request from before the genesis is known, and carries it out when it is', async () => {
    nodes = await MemoryNodes.of(2)
    const [a, b] = nodes.places
    b!.genesis = undefined
    const { node } = await nodes.start(b!)
    const set = node.config.set({ interval: 3 }, { reason: 'early', signal: AbortSignal.timeout(30_000) })
    await nodes.start(a!)
    expect(await set).toMatchObject({ version: 2 })
  })
})

describe('after a restart', LIMIT, () => {
  it('tells of the history that it had no more than the newest version, and of what it missed as news', async () => {
    const [first, , last] = await formed(3)
    for (let i = 0; i < 5; i++) await first!.node.config.set({ i })
    await eventually(() => last!.node.config.get()?.version).toBe(6)
    expect(named(last!, 'config').every((event) => !('recovered' in event))).toBe(true)
    await last!.node.stop()
    await first!.node.config.set({ missed: true })
    const again = await nodes!.start(nodes!.places[2]!)
    await again.node.ready()
    await eventually(() => again.node.config.get()?.version).toBe(7)
    expect(named(again, 'config')).toMatchObject([{ version: 6, recovered: true }, { version: 7 }])
    expect(named(again, 'config')[1]).not.toHaveProperty('recovered')
    await nodes!.stopAll()
    for (const { node, ...one } of await nodes!.startAll()) {
      await node.ready()
      expect(named({ node, ...one }, 'config')).toMatchObject([{ version: 7, recovered: true }])
    }
  })

  it('dials the members of its cluster as members: often, and for as long as it takes', async () => {
    await formed(3)
    await nodes!.stopAll()
    const clock = manualClock()
    const [own, ...others] = nodes!.places
    const dials = new Map<string, number[]>(others.map(({ key }) => [key.signer.peerId, []]))
    const nobody: Transport = {
      start: () => Promise.resolve(),
      addresses: () => [],
      dial: ({ peerId }) => {
        dials.get(peerId!)!.push(clock.now())
        return Promise.reject(new Error('nobody answers'))
      },
      send: () => false,
      disconnect: () => Promise.resolve(),
      stop: () => Promise.resolve()
    }
    const known: Discovery = {
      start({ onHint }) {
        for (const peerId of dials.keys()) onHint({ source: 'cache', peerId, addresses: ['/ip4/10.0.0.1/tcp/4001'] })
        return Promise.resolve()
      },
      stop: () => Promise.resolve()
    }
    const { node } = nodes!.make(own!, {
      home: { startedAt: 0 },
      parts: {
        clock,
        createTransport: () => Promise.resolve(nobody),
        createSources: () => Promise.resolve([known])
      }
    })
    await node.start()
    // A hint from the cache is forgotten after an hour.
    const end = 2 * 3_600_000
    while (clock.now() < end) {
      clock.advance(5_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (const times of dials.values()) {
      expect(times.filter((at) => at > end - 300_000).length).toBeGreaterThan(20)
    }
  })
})

describe('a program that misbehaves', LIMIT, () => {
  it('with listeners that throw disturbs nobody but itself', async () => {
    nodes = await MemoryNodes.of(1)
    const told: string[] = []
    const events = new EventTarget()
    // Node's own EventTarget reports a throwing listener to the process; others let it out here.
    events.dispatchEvent = (event) => {
      told.push(event.type)
      throw new Error('a bug of the program')
    }
    const { node, clock } = await nodes.start(nodes.places[0]!, { parts: { events } })
    await node.ready()
    expect(await node.config.set({ interval: 2 }, { reason: 'test' })).toMatchObject({ version: 2 })
    await node.stop()
    await node.stopped
    expect(told).toEqual(expect.arrayContaining(['leader', 'config', 'ready', 'stopped', '*']))
    expect(clock.timers.size).toBe(0)
  })

  it('with a logger that throws loses its lines, and nothing else', () => {
    const lines: string[] = []
    const logger = carefulLogger({
      debug: (_, message) => lines.push(message),
      info: () => {
        throw new Error('the worker has exited')
      },
      warn: () => {},
      error: () => {}
    })
    logger.info({}, 'lost')
    logger.debug({}, 'kept')
    expect(lines).toEqual(['kept'])
  })

  it('that stops the node within any of its events sees it stop in order', async () => {
    for (const name of ['stage', 'listening', 'leader', 'config', 'writable', 'ready'] as const) {
      nodes = await MemoryNodes.of(1)
      const made = nodes.make(nodes.places[0]!)
      let stopping: Promise<void> | undefined
      made.node.addEventListener(name, () => {
        stopping ??= made.node.stop()
      })
      // Whether the start was over by then is a matter of which event it was.
      await made.node.start().catch((error: unknown) => expect(error).toBeInstanceOf(NodeStoppedError))
      await made.node.stopped
      await stopping
      expect(named(made, 'stopped')).toMatchObject([{ reason: 'stop' }])
      expect(made.closed).toEqual(['home'])
      expect(made.clock.timers.size, name).toBe(0)
    }
  })

  it('asks from within events, and is answered', async () => {
    nodes = await MemoryNodes.of(1)
    const made = nodes.make(nodes.places[0]!)
    const answers: Promise<unknown>[] = []
    made.node.addEventListener('writable', () => {
      answers.push(made.node.config.set({ interval: 4 }, { reason: 'at once' }), made.node.config.read())
      made.node.status()
    })
    await made.node.start()
    await made.node.ready()
    expect(await Promise.all(answers)).toMatchObject([{ version: 2 }, {}])
  })
})

describe('arguments that nobody should give', LIMIT, () => {
  it('are refused at once, by leaders and followers alike, and the nodes live on', async () => {
    const started = await formed(3)
    for (const { node } of started) {
      for (const name of ['', 'nobody', 'x'.repeat(100_000), '\ud800']) {
        await expect(node.transfer({ to: name })).rejects.toBeInstanceOf(QuorateError)
        await expect(node.remove(name)).rejects.toBeInstanceOf(QuorateError)
        await expect(node.replace(name, { by: name })).rejects.toBeInstanceOf(QuorateError)
      }
      for (const length of [300_000, 600_000, 6_000_000]) {
        await expect(node.config.set('x'.repeat(length), {})).rejects.toMatchObject({ name: 'ConfigTooLargeError' })
      }
      await expect(node.config.set({}, { reason: '\ud800' })).rejects.toBeInstanceOf(Error)
      await expect(node.config.set({}, { reason: 'x'.repeat(2_000) })).rejects.toBeInstanceOf(QuorateError)
      await expect(node.config.set('\ud800', {})).rejects.toBeInstanceOf(Error)
      await expect(node.config.set({}, { ifVersion: -1 })).rejects.toBeInstanceOf(QuorateError)
      await expect(node.config.set(undefined as never, {})).rejects.toBeInstanceOf(Error)
    }
    for (const { node } of started) expect((await node.config.read()).version).toBe(1)
  })
})

describe('peers that are only heard of', LIMIT, () => {
  it('are not dialled while somebody is at the door who may be one of them', async () => {
    nodes = await MemoryNodes.of(2)
    const dialled: unknown[] = []
    let told: TransportEvents | undefined
    const wrap = (transport: Transport): Transport => ({
      ...watched(transport, []),
      start: (events) => transport.start((told = events)),
      dial: ({ peerId }) => {
        dialled.push(peerId)
        return new Promise(() => {})
      }
    })
    const { node } = await nodes.start(nodes.places[0]!, { wrap, seeds: [] })
    told!.onDoor!(true)
    const { peerId } = nodes.places[1]!.key.signer
    node.hint({ source: 'exchange', peerId, addresses: ['/memory/somewhere'] })
    expect(dialled).toEqual([])
    told!.onDoor!(false)
    expect(dialled).toEqual([peerId])
  })

  it('are news once, and not remembered without bound', async () => {
    nodes = await MemoryNodes.of(1)
    const made = await nodes.start(nodes.places[0]!)
    const hear = (n: number): void => made.node.hint({ source: 'mdns', peerId: `peer-${n}`, addresses: ['/memory/x'] })
    for (let n = 0; n < 1_024; n++) hear(n)
    for (let n = 0; n < 1_024; n++) hear(n)
    expect(named(made, 'peer')).toHaveLength(1_024)
    hear(1_024)
    hear(0)
    expect(named(made, 'peer')).toHaveLength(1_026)
  })
})

describe('stopping', LIMIT, () => {
  it('is the same when it is asked for again, and in the middle of itself', async () => {
    const [one] = await formed(1)
    const { node } = one!
    const first = node.stop()
    const second = node.stop()
    await Promise.all([first, second, node.stop({ signal: new AbortController().signal })])
    await node.stop()
    await node.stopped
    expect(named(one!, 'stopped')).toHaveLength(1)
  })

  it('goes on when the caller no longer waits', async () => {
    const [one] = await formed(1)
    await expect(one!.node.stop({ signal: AbortSignal.abort(new Error('no time')) })).rejects.toThrow('no time')
    await one!.node.stopped
    expect(one!.closed).toEqual(['home'])
  })

  it('in the middle of a hand-over ends when the disk fails, when the heirs are gone, and when both stop at once', async () => {
    for (const trouble of ['disk', 'heirs crash', 'heirs stop', 'cable'] as const) {
      const started = await formed(3)
      const leader = started.find(({ node }) => node.leader?.peerId === node.peerId)!
      const others = started.filter((one) => one !== leader)
      const stopping = leader.node.stop()
      if (trouble === 'disk') leader.storage.failSync()
      for (const { node, storage } of others) {
        if (trouble === 'heirs stop') void node.stop()
        if (trouble === 'cable') nodes!.hub.cut(leader.node.peerId, node.peerId)
        if (trouble !== 'heirs crash') continue
        nodes!.hub.crash(node.peerId)
        storage.crash()
      }
      await stopping
      expect(leader.closed, trouble).toEqual(['home'])
      expect(leader.clock.timers.size, trouble).toBe(0)
      await Promise.all(others.map(({ node }) => node.stop()))
    }
  })

  it('ends every waiting caller, and refuses those who still come', async () => {
    nodes = await MemoryNodes.of(2)
    const { node } = await nodes.start(nodes.places[0]!)
    const waiting = [node.ready(), node.config.read(), node.transfer()].map((promise) =>
      promise.then(
        () => 'done',
        (error: unknown) => error
      )
    )
    await node.stop()
    const [ready, read, transfer] = await Promise.all(waiting)
    for (const end of [ready, read]) expect(end).toBeInstanceOf(NodeStoppedError)
    expect(transfer).toBeInstanceOf(OutcomeUnknownError)
    await expect(node.config.set({}, {})).rejects.toBeInstanceOf(NodeStoppedError)
    await expect(node.ready()).rejects.toBeInstanceOf(NodeStoppedError)
  })

  it('refuses to start afterwards, and opens nothing', async () => {
    nodes = await MemoryNodes.of(1)
    const log: string[] = []
    const made = nodes.make(nodes.places[0]!, { wrap: (transport) => watched(transport, log) })
    await made.node.stop()
    await expect(made.node.start()).rejects.toBeInstanceOf(NodeStoppedError)
    expect(log).toEqual([])
    expect(made.clock.timers.size).toBe(0)
  })

  for (const moment of ['createTransport', 'transport.start', 'createSources', 'source.start'] as const) {
    it(`while it starts (in ${moment}) leaves nothing running`, async () => {
      nodes = await MemoryNodes.of(2)
      const log: string[] = []
      const reached = Promise.withResolvers<void>()
      const goOn = Promise.withResolvers<void>()
      const at = (here: typeof moment): Promise<void> => {
        if (here !== moment) return Promise.resolve()
        reached.resolve()
        return goOn.promise
      }
      const { hub, places } = nodes
      const { peerId } = places[0]!.key.signer
      const made = nodes.make(places[0]!, {
        parts: {
          async createTransport(gate) {
            await at('createTransport')
            return watched(hub.transport({ peerId, gate }), log, { start: () => at('transport.start') })
          },
          async createSources() {
            await at('createSources')
            const start = async (): Promise<void> => {
              log.push('source started')
              await at('source.start')
            }
            const stop = (): Promise<void> => Promise.resolve(void log.push('source stopped'))
            return [{ start, stop }]
          }
        }
      })
      const starting = made.node.start().then(
        () => 'started',
        (error: unknown) => error
      )
      await reached.promise
      const stopping = made.node.stop()
      goOn.resolve()
      await stopping
      expect(await starting).toBeInstanceOf(NodeStoppedError)
      for (const what of ['source', 'transport']) {
        if (log.includes(`${what} started`))
          expect(log.lastIndexOf(`${what} stopped`)).toBeGreaterThan(log.lastIndexOf(`${what} started`))
      }
      expect(hub.find(peerId)).toBeUndefined()
      expect(made.clock.timers.size).toBe(0)
      expect(made.closed).toEqual(['home'])
    })
  }
})

describe('a start that fails half-way', LIMIT, () => {
  it('rejects with the reason and closes what was open', async () => {
    nodes = await MemoryNodes.of(1)
    const inUse = new Error('EADDRINUSE')
    const log: string[] = []
    const made = nodes.make(nodes.places[0]!, {
      wrap: (transport) => watched(transport, log, { start: () => Promise.reject(inUse) })
    })
    await expect(made.node.start()).rejects.toBe(inUse)
    await expect(made.node.stopped).rejects.toBe(inUse)
    await expect(made.node.ready()).rejects.toBe(inUse)
    expect(log).toEqual(['transport stopped'])
    expect(made.closed).toEqual(['home'])
    expect(made.clock.timers.size).toBe(0)
  })

  it('because the disk fails while the transport is being made, does not come up', async () => {
    nodes = await MemoryNodes.of(1)
    const log: string[] = []
    const goOn = Promise.withResolvers<void>()
    const { hub, places } = nodes
    const { peerId } = places[0]!.key.signer
    const made = nodes.make(places[0]!, {
      parts: {
        async createTransport(gate) {
          await goOn.promise
          return watched(hub.transport({ peerId, gate }), log)
        }
      }
    })
    made.storage.failSync()
    const starting = made.node.start()
    const end = starting.then(
      () => 'started',
      (error: unknown) => (error as Error).name
    )
    // A founder of one writes at once, and hears at once that it cannot.
    await expect(made.node.config.read()).rejects.toMatchObject({ name: 'StorageFailedError' })
    goOn.resolve()
    expect(await end).toBe('StorageFailedError')
    await expect(made.node.stopped).rejects.toMatchObject({ name: 'StorageFailedError' })
    expect(log).not.toContain('transport started')
    expect(made.clock.timers.size).toBe(0)
  })
})

describe('a node whose disk fails', LIMIT, () => {
  it('stops with the error, tells its callers, and the others go on', async () => {
    const started = await formed(3)
    const leader = started.find(({ node }) => node.leader?.peerId === node.peerId)!
    const others = started.filter((one) => one !== leader)
    leader.storage.failSync()
    const set = leader.node.config.set({ interval: 1 }, { reason: 'lost' })
    await expect(set).rejects.toMatchObject({ name: 'OutcomeUnknownError', cause: { name: 'StorageFailedError' } })
    await expect(leader.node.stopped).rejects.toMatchObject({ name: 'StorageFailedError' })
    expect(named(leader, 'stopped')).toMatchObject([{ reason: 'error', error: { name: 'StorageFailedError' } }])
    expect(leader.clock.timers.size).toBe(0)
    const after = await others[0]!.node.config.set({ interval: 2 }, { reason: 'goes on' })
    expect((await others[1]!.node.config.read()).version).toBeGreaterThanOrEqual(after.version)
  })
})
