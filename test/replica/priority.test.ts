/** Who leads when nodes were given priorities, from founding on: said in hellos, weighed by leaders, in virtual time. */
import { describe, expect, it } from 'vitest'
import { encodeCommand } from '../../src/replicated-config/index.ts'
import { VirtualCluster } from './virtual-cluster.ts'

const statusOf = (cluster: VirtualCluster, name: string) => cluster.life(name).replica.status()

const leaderOf = (cluster: VirtualCluster): string | undefined =>
  cluster.names.find((name) => cluster.nodes.get(name)?.life?.replica.status().raft?.writable === true)

const formed = (size: number, seed: number, priorities: Readonly<Record<string, number>>): VirtualCluster =>
  VirtualCluster.formed({ size, seed, priorities })

/** Long enough for every voter to have heard where it stands. */
const BEATS_MS = 300

const seeds = Array.from({ length: 10 }, (_, i) => i + 1)

let lastRequest = 0

/** Asks `on` to set the config, and returns the request's id. */
function propose(cluster: VirtualCluster, on: string, limit: number): string {
  const requestId = (++lastRequest).toString(16).padStart(32, '0')
  const data = encodeCommand({
    ...{ kind: 'config-set', requestId, author: on, at: 0, reason: '' },
    text: `{"limit":${limit}}`
  })
  cluster.input(on, { type: 'request', request: { type: 'command', requestId, data } })
  return requestId
}

describe('priorities', () => {
  it('choose the first leader, and the one after it: among equals the highest that is there (10 seeds)', () => {
    for (const seed of seeds) {
      const cluster = formed(5, seed, { p1: 50, p4: 300, p5: 200 })
      cluster.runUntil(() => leaderOf(cluster) !== undefined)
      expect(leaderOf(cluster), `seed ${seed}`).toBe('p4')
      cluster.run(BEATS_MS)
      cluster.crash('p4')
      cluster.runUntil(() => leaderOf(cluster) !== undefined)
      expect(leaderOf(cluster), `seed ${seed}`).toBe('p5')
      cluster.run(BEATS_MS)
      cluster.crash('p5')
      cluster.runUntil(() => leaderOf(cluster) !== undefined)
      // Of the two with the default the first in the order of ids, and not the one that is wanted least.
      expect(leaderOf(cluster), `seed ${seed}`).toBe('p2')
    }
  })

  it('do not replace a leader that lives', () => {
    const cluster = formed(3, 1, { p2: 300, p3: 200 })
    cluster.runUntil(() => leaderOf(cluster) === 'p2')
    cluster.run(BEATS_MS)
    cluster.crash('p2')
    cluster.runUntil(() => leaderOf(cluster) === 'p3')
    cluster.start('p2')
    cluster.connectAll()
    cluster.run(5_000)
    expect(leaderOf(cluster)).toBe('p3')
    expect(statusOf(cluster, 'p3').raft!.progress.find(({ id }) => id === 'p2#1')?.rank).toBe(0)
  })

  it('are known of whoever is connected, and of oneself', () => {
    const cluster = formed(3, 1, { p2: 300 })
    const seen = (name: string): readonly (readonly [string, number])[] =>
      statusOf(cluster, name).sessions.map(({ peerId, priority }) => [peerId, priority])
    expect(seen('p1')).toEqual([
      ['p2', 300],
      ['p3', 100]
    ])
    expect(['p1', 'p2'].map((name) => statusOf(cluster, name).priority)).toEqual([100, 300])
  })
})

describe('a last resort', () => {
  it('leads when nobody else can, hands over when somebody else can, and no change is lost on the way (10 seeds)', () => {
    for (const seed of seeds) {
      const cluster = formed(3, seed, { p1: 0 })
      cluster.runUntil(() => leaderOf(cluster) !== undefined)
      const [leader, other] = leaderOf(cluster) === 'p2' ? ['p2', 'p3'] : ['p3', 'p2']
      // Only the leader and p1 hold what is decided now.
      cluster.crash(other)
      const early = propose(cluster, leader, 1)
      cluster.runUntil(() => cluster.life(leader).outcomes.some(({ requestId }) => requestId === early))
      cluster.run(BEATS_MS)
      cluster.crash(leader)
      cluster.start(other)
      cluster.connectAll()
      const asked: string[] = []
      let led = false
      for (let i = 0; i < 60; i++) {
        asked.push(propose(cluster, 'p1', 10 + i))
        cluster.run(30)
        led ||= leaderOf(cluster) === 'p1'
      }
      expect([led, leaderOf(cluster)], `seed ${seed}`).toEqual([true, other])
      cluster.runUntil(() => asked.every((id) => cluster.life('p1').outcomes.some((o) => o.requestId === id)))
      const outcomes = new Map(cluster.life('p1').outcomes.map((outcome) => [outcome.requestId, outcome.type]))
      expect(new Set(asked.map((id) => outcomes.get(id))), `seed ${seed}`).toEqual(new Set(['applied']))
      expect(statusOf(cluster, other).config!.current.version, `seed ${seed}`).toBe(2 + asked.length)
    }
  })
})
