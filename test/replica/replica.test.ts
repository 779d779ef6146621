/** Formation, consensus and config behind one step: a cluster forms, serves, fails over and recovers, in virtual time. */
import { describe, expect, it } from 'vitest'
import { encodeCommand } from '../../src/replicated-config/index.ts'
import { VirtualCluster } from './virtual-cluster.ts'

const formed = (cluster: VirtualCluster) => (): boolean =>
  cluster.names.every((name) => cluster.nodes.get(name)?.life?.replica.status().config !== undefined)

const leaderOf = (cluster: VirtualCluster): string | undefined =>
  cluster.names.find((name) => cluster.nodes.get(name)?.life?.replica.status().raft?.writable === true)

function form(size: number, seed = 1): VirtualCluster {
  const cluster = new VirtualCluster({ size, seed })
  for (const name of cluster.names) cluster.start(name)
  cluster.connectAll()
  cluster.runUntil(formed(cluster))
  return cluster
}

const command = (id: string, author: string, limit: number, ifVersion?: number): Uint8Array =>
  encodeCommand({
    kind: 'config-set',
    requestId: id,
    author,
    at: 0,
    reason: '',
    text: `{"limit":${limit}}`,
    ...(ifVersion === undefined ? {} : { ifVersion })
  })

const id = (n: number): string => n.toString(16).padStart(32, '0')

describe('a cluster in virtual time', () => {
  for (const size of [1, 2, 3, 5, 7]) {
    it(`forms with ${size} founders: one cluster, one config hash`, () => {
      const cluster = form(size)
      const all = cluster.names.map((name) => cluster.life(name).replica.status())
      expect(new Set(all.map(({ clusterId }) => clusterId)).size).toBe(1)
      expect(new Set(all.map(({ config }) => config?.current.hash)).size).toBe(1)
      expect(all.every(({ member }) => member)).toBe(true)
    })
  }

  it('elects at once when the last founder is authenticated, without waiting for a timeout', () => {
    const cluster = form(3)
    // Two round trips and two writes for founding, one election, one commit: far below an election timeout of 250 ms.
    expect(cluster.now).toBeLessThan(60)
  })

  it('waits for the last founder, however long, and forms when it comes', () => {
    const cluster = new VirtualCluster({ size: 3, seed: 2 })
    cluster.start('p1')
    cluster.start('p2')
    cluster.connect('p1', 'p2')
    cluster.run(60_000)
    expect(cluster.life('p1').replica.status().clusterId).toBeUndefined()
    expect(cluster.life('p1').replica.status().formation.missingSeats).toEqual([3])
    cluster.start('p3')
    cluster.connectAll()
    cluster.runUntil(formed(cluster), 5_000)
  })

  it('answers a command on a follower exactly once, with the version that it made', () => {
    const cluster = form(3)
    const leader = leaderOf(cluster)
    const follower = cluster.names.find((name) => name !== leader)!
    cluster.input(follower, {
      type: 'request',
      request: { type: 'command', requestId: id(7), data: command(id(7), follower, 2, 1) }
    })
    cluster.runUntil(() => cluster.life(follower).outcomes.length > 0)
    expect(cluster.life(follower).outcomes).toMatchObject([
      { type: 'applied', requestId: id(7), result: { type: 'set', version: 2 } }
    ])
    cluster.runUntil(() =>
      cluster.names.every((name) => cluster.life(name).replica.status().config?.current.version === 2)
    )
  })

  it('elects another leader when the leader dies, answers what was asked meanwhile, and takes the old one back', () => {
    const cluster = form(3)
    const leader = leaderOf(cluster)!
    const [survivor] = cluster.names.filter((name) => name !== leader)
    cluster.crash(leader)
    const request = { type: 'command', requestId: id(9), data: command(id(9), survivor!, 3) } as const
    cluster.input(survivor!, { type: 'request', request })
    cluster.runUntil(() => cluster.life(survivor!).outcomes.length > 0, 5_000)
    expect(cluster.life(survivor!).outcomes[0]).toMatchObject({ type: 'applied', result: { type: 'set', version: 2 } })
    cluster.start(leader)
    cluster.connectAll()
    cluster.runUntil(() => cluster.life(leader).replica.status().config?.current.version === 2, 5_000)
  })

  it('confirms a read on a follower only when what had committed is applied there', () => {
    const cluster = form(3)
    const follower = cluster.names.find((name) => name !== leaderOf(cluster))!
    const other = cluster.names.find((name) => name !== leaderOf(cluster) && name !== follower)!
    const request = { type: 'command', requestId: id(5), data: command(id(5), other, 5) } as const
    cluster.input(other, { type: 'request', request })
    cluster.runUntil(() => cluster.life(other).outcomes.length > 0)
    cluster.input(follower, { type: 'request', request: { type: 'read', requestId: id(6) } })
    cluster.runUntil(() => cluster.life(follower).outcomes.length > 0)
    expect(cluster.life(follower).outcomes).toMatchObject([{ type: 'done', requestId: id(6) }])
    expect(cluster.life(follower).replica.status().config?.current.version).toBe(2)
  })

  it('does not confirm a read without a majority', () => {
    const cluster = form(3)
    const leader = leaderOf(cluster)!
    for (const name of cluster.names) if (name !== leader) cluster.crash(name)
    cluster.input(leader, { type: 'request', request: { type: 'read', requestId: id(8) } })
    cluster.run(5_000)
    expect(cluster.life(leader).outcomes).toEqual([])
  })

  it('hands leadership over on request', () => {
    const cluster = form(3)
    const leader = leaderOf(cluster)!
    const follower = cluster.names.find((name) => name !== leader)!
    cluster.input(follower, { type: 'request', request: { type: 'transfer', requestId: id(3), to: follower } })
    cluster.runUntil(() => cluster.life(follower).outcomes.length > 0, 5_000)
    expect(cluster.life(follower).outcomes).toEqual([{ type: 'done', requestId: id(3), leader: follower }])
    cluster.runUntil(() => leaderOf(cluster) === follower, 1_000)
  })

  it('moves leadership once when nobody in particular is asked to take it, even when the answer is lost', () => {
    const cluster = form(3)
    const leader = leaderOf(cluster)!
    const follower = cluster.names.find((name) => name !== leader)!
    const { term } = cluster.life(leader).replica.status().raft!
    cluster.input(follower, { type: 'request', request: { type: 'transfer', requestId: id(4), to: undefined } })
    cluster.runUntil(() => cluster.life(follower).outcomes.length > 0, 5_000)
    cluster.run(2_000)
    expect(cluster.life(follower).outcomes).toHaveLength(1)
    expect(cluster.life(follower).replica.status().raft!.term).toBe(term + 1)
  })

  it('refuses frames of another cluster and says so', () => {
    const cluster = form(3)
    const other = form(2, 5)
    const frames: Uint8Array[] = []
    const leader = leaderOf(other)!
    // A real consensus frame of the other cluster, taken from a hand-over.
    const effects = other
      .life(leader)
      .replica.step({ type: 'request', request: { type: 'transfer', requestId: id(1), to: undefined } }, other.now)
    frames.push(...effects.sends.map(({ frame }) => frame))
    expect(frames.length).toBeGreaterThan(0)
    const before = cluster.life('p1').replica.status().raft
    for (const frame of frames) cluster.input('p1', { type: 'frame', from: 'p2', frame })
    expect(cluster.life('p1').events.filter(({ type }) => type === 'frame-refused').length).toBe(frames.length)
    expect(cluster.life('p1').replica.status().raft).toEqual(before)
  })

  it('tells a newcomer where the others are, and the others where the newcomer is, once', () => {
    const cluster = new VirtualCluster({ size: 3, seed: 6 })
    for (const name of cluster.names) cluster.start(name)
    cluster.connect('p1', 'p2')
    cluster.connect('p1', 'p3')
    cluster.run(100)
    const hints = (name: string): readonly string[] =>
      cluster.life(name).events.flatMap((event) => (event.type === 'hint' ? [event.peerId] : []))
    expect(hints('p1')).toEqual([])
    expect(hints('p2')).toEqual(['p3'])
    expect(hints('p3')).toEqual(['p2'])
    cluster.disconnect('p1', 'p3')
    cluster.connect('p1', 'p3')
    cluster.run(100)
    expect([hints('p2'), hints('p3')]).toEqual([['p3'], ['p2']])
  })

  it('stops with both named when two nodes hold one seat', () => {
    const cluster = new VirtualCluster({ size: 3, seed: 4 })
    cluster.add('p9', 2)
    for (const name of cluster.names) cluster.start(name)
    cluster.connectAll()
    cluster.run(2_000)
    expect(cluster.life('p9').events).toContainEqual(
      expect.objectContaining({ type: 'seat-conflict', seat: 2, own: true })
    )
    expect(cluster.names.some((name) => cluster.life(name).replica.status().clusterId !== undefined)).toBe(false)
  })
})

describe('formation under crashes', () => {
  it('makes one cluster whatever moment each node is killed at (200 seeds)', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const cluster = new VirtualCluster({ size: 3, seed, loss: seed % 3 === 0 ? 0.1 : 0 })
      const random = cluster.random.fork('plan')
      for (const name of cluster.names) {
        cluster.at(random.next() * 30, () => {
          cluster.start(name)
          cluster.connectAll()
        })
        cluster.at(30 + random.next() * 30, () => cluster.crash(name))
        cluster.at(61 + random.next() * 20, () => {
          cluster.start(name)
          cluster.connectAll()
        })
      }
      cluster.run(100)
      try {
        cluster.runUntil(formed(cluster), 20_000)
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
      }
      const ids = new Set(cluster.names.map((name) => cluster.life(name).replica.status().clusterId))
      expect(ids.size, `seed ${seed}`).toBe(1)
    }
  })
})
