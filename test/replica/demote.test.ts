/** `demote` where the promotion has not happened, is under way, is rolled back, or happened behind an old leader's back. */
import { describe, expect, it } from 'vitest'
import type { ClientOutcome, MemberOperation, SnapshotPolicy } from '../../src/replica/index.ts'
import { encodeCommand } from '../../src/replicated-config/index.ts'
import { VirtualCluster } from './virtual-cluster.ts'

const TOKEN = { tokenId: 'ab'.repeat(16), role: 'voter', uses: 1 } as const

const statusOf = (cluster: VirtualCluster, name: string) => cluster.life(name).replica.status()

const membershipOf = (cluster: VirtualCluster, name: string) => statusOf(cluster, name).raft!.membership

const leadersOf = (cluster: VirtualCluster): readonly string[] =>
  cluster.names.filter((name) => cluster.nodes.get(name)?.life?.replica.status().raft?.writable === true)

let lastRequest = 0

/** Asks `on`; what comes back may be awaited. */
function ask(cluster: VirtualCluster, on: string, operation: MemberOperation): () => ClientOutcome | undefined {
  const requestId = (0x2000 + ++lastRequest).toString(16).padStart(32, '0')
  const { outcomes } = cluster.life(on)
  cluster.input(on, { type: 'request', request: { type: 'members', requestId, operation } })
  return () => outcomes.find((outcome) => outcome.requestId === requestId)
}

function answerTo(cluster: VirtualCluster, on: string, operation: MemberOperation): ClientOutcome {
  const answer = ask(cluster, on, operation)
  cluster.runUntil(() => answer() !== undefined, 5_000)
  return answer()!
}

function propose(cluster: VirtualCluster, on: string, limit: number): void {
  const requestId = (0x2000 + ++lastRequest).toString(16).padStart(32, '0')
  const text = `{"limit":${limit}}`
  const data = encodeCommand({ kind: 'config-set', requestId, author: on, at: 0, reason: '', text })
  cluster.input(on, { type: 'request', request: { type: 'command', requestId, data } })
}

/** Three voters, and p4 with a voter's token, which is a learner already and no voter yet. */
function joining(
  seed: number,
  snapshots: Partial<SnapshotPolicy> = {}
): { cluster: VirtualCluster; leader: string; others: readonly [string, string] } {
  const cluster = VirtualCluster.formed({ size: 3, seed, snapshots })
  cluster.runUntil(() => leadersOf(cluster).length === 1)
  const [leader] = leadersOf(cluster)
  const [a, b] = cluster.names.filter((name) => name !== leader)
  cluster.join('p4', TOKEN)
  cluster.start('p4')
  cluster.connectAll()
  cluster.runUntil(() => membershipOf(cluster, leader!).learners.includes('p4#1'))
  return { cluster, leader: leader!, others: [a!, b!] }
}

/** p4 never votes again, whoever leads. */
function expectLearner(cluster: VirtualCluster, what: string): void {
  cluster.run(1_500)
  for (const name of leadersOf(cluster)) expect(membershipOf(cluster, name).voters, what).not.toContain('p4#1')
}

const seeds = Array.from({ length: 10 }, (_, i) => i + 1)

describe('demote of a learner that came for a vote', () => {
  it('denies it the vote, for good, whoever leads next (10 seeds)', () => {
    for (const seed of seeds) {
      const { cluster, leader, others } = joining(seed)
      expect(answerTo(cluster, others[0], { op: 'demote', member: 'p4' }), `seed ${seed}`).toMatchObject({
        type: 'done'
      })
      expectLearner(cluster, `seed ${seed}`)
      cluster.crash(leader)
      cluster.runUntil(() => leadersOf(cluster).some((name) => name !== leader))
      expectLearner(cluster, `seed ${seed}, the next leader`)
      // An operator may think again.
      const again = leadersOf(cluster)[0]!
      expect(answerTo(cluster, again, { op: 'promote', member: 'p4' })).toMatchObject({ type: 'done' })
      expect(membershipOf(cluster, again).voters).toContain('p4#1')
    }
  })

  it('holds at every moment around the promotion, which waits while its vote is being denied (30 moments)', () => {
    for (let moment = 0; moment < 30; moment++) {
      const { cluster, leader } = joining(1)
      cluster.run(170 + moment)
      expect(answerTo(cluster, leader, { op: 'demote', member: 'p4' }), `moment ${moment}`).toMatchObject({
        type: 'done'
      })
      expectLearner(cluster, `moment ${moment}`)
    }
  })

  it('holds when the promotion was under way and is rolled back with its leader (10 seeds)', () => {
    for (const seed of seeds) {
      const { cluster, leader, others } = joining(seed)
      cluster.run(100)
      expect(membershipOf(cluster, leader).voters).not.toContain('p4#1')
      // The promotion reaches nobody.
      cluster.loses = (from, to) => (from === leader || to === leader) && from !== to
      cluster.runUntil(() => membershipOf(cluster, leader).voters.includes('p4#1'), 5_000)
      const answer = ask(cluster, others[0], { op: 'demote', member: 'p4' })
      cluster.runUntil(() => leadersOf(cluster).some((name) => name !== leader), 5_000)
      cluster.runUntil(() => answer() !== undefined, 5_000)
      expect(answer(), `seed ${seed}`).toMatchObject({ type: 'done' })
      cluster.loses = () => false
      expectLearner(cluster, `seed ${seed}`)
    }
  })

  it('is remembered by whoever got a snapshot instead of the log', () => {
    const { cluster, leader, others } = joining(1, { entriesMax: 1, trailingEntriesMax: 1 })
    cluster.crash(others[1])
    expect(answerTo(cluster, leader, { op: 'demote', member: 'p4' })).toMatchObject({ type: 'done' })
    // Changes that cut the log behind the denial.
    for (let limit = 2; limit < 12; limit++) {
      propose(cluster, leader, limit)
      cluster.run(100)
    }
    const restored = cluster.snapshots.restored
    cluster.start(others[1])
    cluster.connectAll()
    cluster.runUntil(() => cluster.snapshots.restored > restored)
    cluster.run(500)
    const requestId = (0x2000 + ++lastRequest).toString(16).padStart(32, '0')
    cluster.input(leader, { type: 'request', request: { type: 'transfer', requestId, to: others[1] } })
    cluster.runUntil(() => leadersOf(cluster).includes(others[1]))
    expectLearner(cluster, 'a leader that was restored')
  })
})

describe('what is so already', () => {
  it('is not said by a leader that is none any more and does not know it (10 seeds)', () => {
    for (const seed of seeds) {
      const cluster = VirtualCluster.formed({ size: 5, seed })
      cluster.runUntil(() => leadersOf(cluster).length === 1)
      const old = leadersOf(cluster)[0]!
      const others = cluster.names.filter((name) => name !== old)
      // The others lose it, elect somebody and demote one of them, while it still believes that it leads.
      cluster.loses = (from, to) => from === old || to === old
      for (const name of others) cluster.input(name, { type: 'session-close', peerId: old })
      cluster.runUntil(() => leadersOf(cluster).length === 2)
      const next = leadersOf(cluster).find((name) => name !== old)!
      const victim = others.find((name) => name !== next)!
      expect(answerTo(cluster, next, { op: 'demote', member: victim })).toMatchObject({ type: 'done' })
      expect(leadersOf(cluster)).toContain(old)
      const answer = ask(cluster, old, { op: 'promote', member: victim })
      cluster.runUntil(() => !leadersOf(cluster).includes(old))
      expect(answer(), `seed ${seed}`).toBeUndefined()
      cluster.loses = () => false
      for (const name of others) cluster.disconnect(name, old)
      cluster.connectAll()
      cluster.runUntil(() => answer() !== undefined, 5_000)
      expect(answer(), `seed ${seed}`).toMatchObject({ type: 'done' })
      expect(membershipOf(cluster, next).voters, `seed ${seed}`).toContain(`${victim}#1`)
    }
  })
})
