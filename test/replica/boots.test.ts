/** Disks that were set back, in virtual time: who notices, by whose word, and what it takes to be heard again. */
import { describe, expect, it } from 'vitest'
import { encodeCommand } from '../../src/replicated-config/index.ts'
import { PROGRESS_STATED_EVERY_MS, VOTE_STATED_AFTER_MS } from '../../src/replica/boot-watch.ts'
import type { ReplicaEvent } from '../../src/replica/types.ts'
import { VirtualCluster } from './virtual-cluster.ts'

const statusOf = (cluster: VirtualCluster, name: string) => cluster.life(name).replica.status()

const leaderOf = (cluster: VirtualCluster): string | undefined =>
  cluster.names.find((name) => cluster.nodes.get(name)?.life?.replica.status().raft?.writable === true)

const barredBy = (cluster: VirtualCluster, name: string): readonly string[] =>
  statusOf(cluster, name).barred.map(({ incarnation }) => incarnation)

const alarmsOf = (cluster: VirtualCluster, name: string) =>
  cluster.life(name).events.filter((event): event is Extract<ReplicaEvent, { type: 'alarm' }> => event.type === 'alarm')

const form = (seed = 1): VirtualCluster => VirtualCluster.formed({ size: 3, seed })

function start(cluster: VirtualCluster, name: string): void {
  cluster.start(name)
  cluster.connectAll()
}

let requests = 0

function set(cluster: VirtualCluster, on: string): void {
  const requestId = (++requests).toString(16).padStart(32, '0')
  const text = `{"limit":${requests}}`
  const data = encodeCommand({ kind: 'config-set', requestId, author: 'p1', at: 0, reason: '', text })
  const { outcomes } = cluster.life(on)
  cluster.input(on, { type: 'request', request: { type: 'command', requestId, data } })
  cluster.runUntil(() => outcomes.some((outcome) => outcome.requestId === requestId), 5_000)
}

function cast(cluster: VirtualCluster): { leader: string; victim: string; other: string } {
  const leader = leaderOf(cluster)!
  const [victim, other] = cluster.names.filter((name) => name !== leader)
  return { leader, victim: victim!, other: other! }
}

describe('a disk that was set back within one boot', () => {
  it('is noticed by the leader to which it had acknowledged more, with both numbers; its word is no proof for others', () => {
    const cluster = form()
    const { leader, victim } = cast(cluster)
    set(cluster, leader)
    const setBack = cluster.snapshot(victim)
    const held = statusOf(cluster, victim).raft!.lastIndex
    for (let i = 0; i < 5; i++) set(cluster, leader)
    cluster.run(100)
    cluster.crash(victim)
    setBack()
    start(cluster, victim)
    cluster.run(500)
    expect(barredBy(cluster, leader)).toEqual([`${victim}#1`])
    const [alarm] = alarmsOf(cluster, leader)
    expect(alarm).toMatchObject({ code: 'rolled-back', statements: [{}, {}] })
    expect(alarm!.detail).toContain(
      `acknowledged entry ${held + 5} to this node, and its log ends at ${held} in boot 2`
    )
    expect(alarm!.detail).toContain(`\`quorate replace ${victim}\``)
    expect(statusOf(cluster, leader).barred).toMatchObject([{ proved: false }])
    expect(statusOf(cluster, victim).standing).toMatchObject({ type: 'barred', fenced: { by: leader } })
  })

  it('is noticed by its own signature, also when all who heard its promises are gone', () => {
    const cluster = form(2)
    const { leader, victim, other } = cast(cluster)
    const setBack = cluster.snapshot(victim)
    for (let i = 0; i < 3; i++) set(cluster, leader)
    cluster.run(PROGRESS_STATED_EVERY_MS + VOTE_STATED_AFTER_MS)
    for (const name of [leader, victim]) cluster.crash(name)
    setBack()
    start(cluster, victim)
    cluster.run(5_000)
    // Neither of the two lets it vote: the other one, and it itself.
    expect(barredBy(cluster, other)).toEqual([`${victim}#1`])
    expect(statusOf(cluster, other).barred).toMatchObject([{ code: 'rolled-back', proved: true, statements: [{}, {}] }])
    expect(statusOf(cluster, victim).standing).toMatchObject({ type: 'barred', fenced: { by: victim } })
    const own = alarmsOf(cluster, victim)
    expect(own).toMatchObject([{ code: 'rolled-back' }, { code: 'rolled-back' }])
    expect(own).toContainEqual(expect.objectContaining({ statements: [expect.anything(), expect.anything()] }))
    expect(leaderOf(cluster)).toBeUndefined()
    // Who comes back is convinced by what the other one shows.
    start(cluster, leader)
    cluster.runUntil(() => leaderOf(cluster) !== undefined)
    expect(barredBy(cluster, leader)).toEqual([`${victim}#1`])
    expect(statusOf(cluster, leader).barred).toMatchObject([{ proved: true }])
  })

  it('of which it has given away a vote is known to whoever was told of that vote (20 seeds)', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const cluster = form(seed)
      const { leader } = cast(cluster)
      const setBacks = new Map(cluster.names.map((name) => [name, cluster.snapshot(name)]))
      cluster.crash(leader)
      cluster.runUntil(() => leaderOf(cluster) !== undefined)
      const second = leaderOf(cluster)!
      const voter = cluster.names.find((name) => name !== leader && name !== second)!
      start(cluster, leader)
      cluster.run(3 * VOTE_STATED_AFTER_MS)
      // Its vote made the second one leader; now it forgets it, and only the first one is left to remember.
      for (const name of [second, voter]) cluster.crash(name)
      setBacks.get(voter)!()
      start(cluster, voter)
      cluster.run(5_000)
      expect(leaderOf(cluster), `seed ${seed}`).toBeUndefined()
      expect(barredBy(cluster, leader), `seed ${seed}`).toEqual([`${voter}#1`])
    }
  })

  it('stays barred over restarts of everybody, its own included', () => {
    const cluster = form(3)
    const { leader, victim, other } = cast(cluster)
    const setBack = cluster.snapshot(victim)
    for (let i = 0; i < 3; i++) set(cluster, leader)
    cluster.run(PROGRESS_STATED_EVERY_MS + VOTE_STATED_AFTER_MS)
    cluster.crash(victim)
    setBack()
    start(cluster, victim)
    cluster.run(500)
    for (const name of cluster.names) cluster.crash(name)
    for (const name of cluster.names) cluster.start(name)
    // Before it has met anybody.
    expect(statusOf(cluster, victim).standing).toMatchObject({ type: 'barred' })
    expect(barredBy(cluster, other)).toEqual([`${victim}#1`])
    cluster.connectAll()
    cluster.runUntil(() => leaderOf(cluster) !== undefined)
    expect(leaderOf(cluster)).not.toBe(victim)
    cluster.wipe(victim)
    start(cluster, victim)
    cluster.runUntil(() => statusOf(cluster, victim).standing.type === 'learner')
  })
})

describe('an intact disk', () => {
  it('is never barred, however often its machine dies, and whatever is lost (10 seeds)', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const cluster = new VirtualCluster({ size: 3, seed, loss: 0.05, slowDisks: { p2: 20 } })
      for (const name of cluster.names) cluster.start(name)
      cluster.connectAll()
      const random = cluster.random.fork('plan')
      for (let round = 0; round < 15; round++) {
        const name = cluster.names[random.int(0, 2)]!
        if (cluster.nodes.get(name)?.life !== undefined) {
          const requestId = (++requests).toString(16).padStart(32, '0')
          const data = encodeCommand({ kind: 'config-set', requestId, author: 'p1', at: 0, reason: '', text: '{}' })
          cluster.input(name, { type: 'request', request: { type: 'command', requestId, data } })
        }
        cluster.run(random.next() * 1_500)
        cluster.crash(name)
        cluster.run(random.next() * 300)
        start(cluster, name)
      }
      cluster.run(2_000)
      for (const name of cluster.names) {
        expect(barredBy(cluster, name), `seed ${seed}`).toEqual([])
        expect(statusOf(cluster, name).standing.type, `seed ${seed}`).toBe('voter')
        expect(alarmsOf(cluster, name), `seed ${seed}`).toEqual([])
      }
    }
  })
})

it('a node that knows that its disk was set back hears nobody about votes, nor whom it meets afterwards', () => {
  const cluster = form()
  const { leader, victim, other } = cast(cluster)
  const setBack = cluster.snapshot(victim)
  // What the other one does not hear of: two lives with one boot counter.
  cluster.disconnect(other, leader)
  for (const isSetBack of [false, true]) {
    cluster.crash(victim)
    if (isSetBack) setBack()
    cluster.start(victim)
    cluster.connect(victim, leader)
    cluster.run(300)
  }
  expect(statusOf(cluster, victim).standing).toMatchObject({ type: 'barred', fenced: { by: victim } })
  const { durable, commitIndex } = statusOf(cluster, victim).raft!
  cluster.disconnect(victim, leader)
  // It lacks one vote, and its peer would take this one's.
  expect(barredBy(cluster, other)).toEqual([])
  cluster.connect(victim, other)
  cluster.run(3_000)
  expect(statusOf(cluster, other).raft).toMatchObject({ leader: undefined, writable: false })
  expect(statusOf(cluster, victim).raft).toMatchObject({ durable, commitIndex })
})
