/** Members come, change their role and go, in virtual time: lost disks, disks that were set back, and what operators ask. */
import { describe, expect, it } from 'vitest'
import { encodeRedeem } from '../../src/membership/redemptions.ts'
import type { ClientOutcome, ClientRequest, MemberOperation } from '../../src/replica/index.ts'
import { encodeCommand } from '../../src/replicated-config/index.ts'
import { VirtualCluster } from './virtual-cluster.ts'

const id = (n: number): string => n.toString(16).padStart(32, '0')

const statusOf = (cluster: VirtualCluster, name: string) => cluster.life(name).replica.status()

const barredBy = (cluster: VirtualCluster, name: string): readonly string[] =>
  statusOf(cluster, name).barred.map(({ incarnation }) => incarnation)

const membershipOf = (cluster: VirtualCluster, name: string) => statusOf(cluster, name).raft!.membership

const leaderOf = (cluster: VirtualCluster): string | undefined =>
  cluster.names.find((name) => cluster.nodes.get(name)?.life?.replica.status().raft?.writable === true)

const form = (size: number, seed = 1): VirtualCluster => VirtualCluster.formed({ size, seed })

function start(cluster: VirtualCluster, name: string): void {
  cluster.start(name)
  cluster.connectAll()
}

let lastRequest = 0

/** Asks `on`, and returns how it ended. */
function ask(cluster: VirtualCluster, on: string, operation: MemberOperation, limitMs = 5_000): ClientOutcome {
  const requestId = id(0x1000 + ++lastRequest)
  const { outcomes } = cluster.life(on)
  cluster.input(on, { type: 'request', request: { type: 'members', requestId, operation } })
  const own = (): ClientOutcome | undefined => outcomes.find((outcome) => outcome.requestId === requestId)
  cluster.runUntil(() => own() !== undefined, limitMs)
  return own()!
}

function set(cluster: VirtualCluster, on: string, limit: number): void {
  const requestId = id(0x9000 + ++lastRequest)
  const text = `{"limit":${limit}}`
  const data = encodeCommand({ kind: 'config-set', requestId, author: on, at: 0, reason: '', text })
  const { outcomes } = cluster.life(on)
  cluster.input(on, { type: 'request', request: { type: 'command', requestId, data } })
  cluster.runUntil(() => outcomes.some((outcome) => outcome.requestId === requestId), 5_000)
}

const limitOn = (cluster: VirtualCluster, name: string): unknown => statusOf(cluster, name).config?.current.value

/** A follower, and the others. */
function cast(cluster: VirtualCluster): { leader: string; victim: string; other: string } {
  const leader = leaderOf(cluster)!
  const [victim, other] = cluster.names.filter((name) => name !== leader)
  return { leader, victim: victim!, other: other! }
}

describe('a machine that lost its disk', () => {
  it('is taken in as a learner by itself, receives log and config, and never votes; its old disk stays a voter', () => {
    const cluster = form(3)
    const { leader, victim } = cast(cluster)
    set(cluster, leader, 7)
    cluster.wipe(victim)
    start(cluster, victim)
    cluster.runUntil(() => statusOf(cluster, victim).standing.type === 'learner')
    cluster.runUntil(() => statusOf(cluster, victim).config?.current.version === 2)
    expect(limitOn(cluster, victim)).toEqual({ limit: 7 })
    const { voters, learners } = membershipOf(cluster, leader)
    expect([voters.includes(`${victim}#1`), voters.length, learners]).toEqual([true, 3, [`${victim}#2`]])
    expect(statusOf(cluster, victim).standing).toMatchObject({ type: 'learner', elders: [`${victim}#1`] })
    expect(cluster.life(leader).events).toContainEqual(expect.objectContaining({ type: 'alarm', code: 'disk-lost' }))
    // Two voters are left, and one of them goes: what is left is no majority, whatever the new disk says.
    cluster.crash(leader)
    cluster.run(10_000)
    expect(leaderOf(cluster)).toBeUndefined()
    expect(statusOf(cluster, victim).raft!.role).toBe('follower')
  })

  it('has its vote again after one joint change, also when its leader dies in the middle (30 moments)', () => {
    for (let moment = 0; moment < 30; moment++) {
      const cluster = form(3, moment + 1)
      const { leader, victim, other } = cast(cluster)
      cluster.wipe(victim)
      start(cluster, victim)
      cluster.runUntil(() => statusOf(cluster, victim).config !== undefined)
      const requestId = id(moment)
      const operation = { op: 'replace', member: victim, by: undefined } as const
      cluster.input(other, { type: 'request', request: { type: 'members', requestId, operation } })
      cluster.run(moment * 0.5)
      cluster.crash(leader)
      cluster.run(5)
      start(cluster, leader)
      cluster.runUntil(() => cluster.life(other).outcomes.length > 0, 20_000)
      expect(cluster.life(other).outcomes, `moment ${moment}`).toEqual([expect.objectContaining({ type: 'done' })])
      for (const name of cluster.names) {
        cluster.runUntil(() => membershipOf(cluster, name).voters.includes(`${victim}#2`), 5_000)
        cluster.runUntil(() => membershipOf(cluster, name).outgoing.length === 0, 5_000)
      }
      expect(membershipOf(cluster, other)).toMatchObject({ learners: [], learnersNext: [] })
      expect(membershipOf(cluster, other).voters).toHaveLength(3)
      expect(membershipOf(cluster, other).voters).not.toContain(`${victim}#1`)
    }
  })

  it('leaves no trail of learners when it loses its disk again and again', () => {
    const cluster = form(3)
    const { leader, victim } = cast(cluster)
    for (let store = 2; store <= 6; store++) {
      cluster.wipe(victim)
      start(cluster, victim)
      cluster.runUntil(() => statusOf(cluster, victim).standing.type === 'learner')
      cluster.runUntil(() => membershipOf(cluster, leader).learners.join() === `${victim}#${store}`)
    }
    expect(membershipOf(cluster, leader).voters).toContain(`${victim}#1`)
  })

  it('is taken in while the operator changes something else, one after the other', () => {
    const cluster = form(7)
    const { leader, victim, other } = cast(cluster)
    const third = cluster.names.find((name) => ![leader, victim, other].includes(name))!
    cluster.wipe(victim)
    cluster.wipe(third)
    cluster.start(victim)
    cluster.start(third)
    cluster.connectAll()
    expect(ask(cluster, other, { op: 'demote', member: other })).toMatchObject({ type: 'done' })
    cluster.runUntil(
      () =>
        membershipOf(cluster, leader).learners.join() === [`${victim}#2`, `${third}#2`, `${other}#1`].toSorted().join()
    )
    expect(membershipOf(cluster, leader).voters).toHaveLength(6)
  })
})

describe('a disk that was set back', () => {
  it('has no vote that anybody counts, not even after further starts, nor when those who remember start again', () => {
    const cluster = form(3)
    const { leader, victim, other } = cast(cluster)
    const setBack = cluster.snapshot(victim)
    for (let lives = 0; lives < 3; lives++) {
      cluster.crash(victim)
      start(cluster, victim)
      cluster.run(500)
    }
    expect(barredBy(cluster, leader)).toEqual([])
    cluster.crash(victim)
    setBack()
    for (let lives = 0; lives < 5; lives++) {
      start(cluster, victim)
      cluster.run(500)
      expect(barredBy(cluster, leader), `life ${lives}`).toEqual([`${victim}#1`])
      expect(statusOf(cluster, victim).standing).toMatchObject({ type: 'barred', fenced: { code: 'rolled-back' } })
      cluster.crash(victim)
    }
    expect(cluster.life(leader).events).toContainEqual(expect.objectContaining({ type: 'alarm', code: 'rolled-back' }))
    // Both others forget everything that is not on their disks.
    for (const name of [leader, other]) cluster.crash(name)
    cluster.start(leader)
    cluster.start(other)
    start(cluster, victim)
    cluster.runUntil(() => leaderOf(cluster) !== undefined)
    expect(barredBy(cluster, leaderOf(cluster)!)).toEqual([`${victim}#1`])
    // With one of them gone, the one that is left and the barred one are no majority.
    const [gone, left] = leaderOf(cluster) === leader ? [leader, other] : [other, leader]
    cluster.crash(gone)
    cluster.run(10_000)
    expect([leaderOf(cluster), statusOf(cluster, left).raft!.writable]).toEqual([undefined, false])
  })

  it('comes back as a learner with an empty disk, and then takes its old vote', () => {
    const cluster = form(3)
    const { leader, victim } = cast(cluster)
    const setBack = cluster.snapshot(victim)
    cluster.crash(victim)
    start(cluster, victim)
    cluster.run(500)
    cluster.crash(victim)
    setBack()
    start(cluster, victim)
    cluster.run(500)
    expect(ask(cluster, leader, { op: 'replace', member: victim, by: undefined })).toMatchObject({
      type: 'refused',
      code: 'unknown-member'
    })
    cluster.wipe(victim)
    start(cluster, victim)
    cluster.runUntil(() => statusOf(cluster, victim).config !== undefined)
    expect(ask(cluster, victim, { op: 'replace', member: victim, by: undefined })).toMatchObject({ type: 'done' })
    cluster.runUntil(() => statusOf(cluster, victim).standing.type === 'voter')
  })
})

describe('a machine with a join token', () => {
  const token = (role: 'voter' | 'observer', uses = 1) => ({ tokenId: 'ab'.repeat(16), role, uses })
  const redeemed = (cluster: VirtualCluster, name: string) => cluster.life(name).replica.redeemedBy('ab'.repeat(16))

  it('comes in as a learner and, with the token of a voter, is promoted by itself when it has caught up', () => {
    const cluster = form(3)
    const { leader } = cast(cluster)
    for (let limit = 2; limit < 12; limit++) set(cluster, leader, limit)
    cluster.join('p4', token('voter'))
    start(cluster, 'p4')
    cluster.runUntil(() => statusOf(cluster, 'p4').standing.type === 'voter', 5_000)
    expect(membershipOf(cluster, leader)).toMatchObject({ voters: ['p1#1', 'p2#1', 'p3#1', 'p4#1'], learners: [] })
    for (const name of cluster.names) cluster.runUntil(() => redeemed(cluster, name).join() === 'p4', 1_000)
    // Everywhere, so that it outlives the leader.
    for (const name of cluster.names) {
      cluster.runUntil(() => membershipOf(cluster, name).voters.length === 4, 1_000)
      cluster.runUntil(() => membershipOf(cluster, name).outgoing.length === 0, 1_000)
    }
    // Its vote counts: with two of four gone nothing is decided, with one of four gone everything is.
    cluster.crash(leader)
    set(cluster, 'p4', 99)
    // Demoted, it stays what somebody made of it.
    expect(ask(cluster, 'p4', { op: 'demote', member: 'p4' })).toMatchObject({ type: 'done' })
    cluster.run(5_000)
    expect(statusOf(cluster, 'p4').standing.type).toBe('learner')
  })

  it('of an observer receives and never votes', () => {
    const cluster = form(3)
    const { leader } = cast(cluster)
    cluster.join('p4', token('observer'))
    start(cluster, 'p4')
    cluster.runUntil(() => statusOf(cluster, 'p4').config !== undefined, 5_000)
    cluster.run(5_000)
    expect(statusOf(cluster, 'p4').standing.type).toBe('learner')
    expect(ask(cluster, leader, { op: 'promote', member: 'p4' })).toMatchObject({
      code: 'invalid-change',
      detail: 'p4 came with the token of an observer, which is not entitled to a vote'
    })
    expect(ask(cluster, leader, { op: 'replace', member: 'p2', by: 'p4' })).toMatchObject({ code: 'invalid-change' })
  })

  it('cannot write itself a better token, and as an observer has no say', () => {
    const cluster = form(3)
    const { leader } = cast(cluster)
    cluster.join('p4', token('observer'))
    start(cluster, 'p4')
    cluster.runUntil(() => statusOf(cluster, 'p4').config !== undefined, 5_000)
    const forged = encodeRedeem({ tokenId: 'cd'.repeat(16), peerId: 'p4', role: 'voter', uses: 9 })
    const change = encodeCommand({ kind: 'config-set', requestId: id(2), author: 'p4', at: 0, reason: '', text: '{}' })
    const requests: readonly ClientRequest[] = [
      { type: 'command', requestId: id(1), data: forged },
      { type: 'command', requestId: id(2), data: change },
      { type: 'transfer', requestId: id(3), to: undefined },
      { type: 'members', requestId: id(4), operation: { op: 'demote', member: 'p1' } }
    ]
    for (const request of requests) cluster.input('p4', { type: 'request', request })
    cluster.runUntil(() => cluster.life('p4').outcomes.length === requests.length, 5_000)
    const byRequest = cluster.life('p4').outcomes.toSorted((a, b) => (a.requestId < b.requestId ? -1 : 1))
    expect(byRequest).toMatchObject([
      { type: 'refused', code: 'invalid-change' },
      { type: 'refused', code: 'observer' },
      { type: 'refused', code: 'observer' },
      { type: 'refused', code: 'observer' }
    ])
    cluster.run(2_000)
    expect(statusOf(cluster, leader).config!.current.version).toBe(1)
    expect(statusOf(cluster, 'p4').standing.type).toBe('learner')
    // It may go.
    cluster.input('p4', { type: 'request', request: { type: 'leave', requestId: id(5) } })
    cluster.runUntil(() => cluster.life('p4').outcomes.length > requests.length, 5_000)
    expect(cluster.life('p4').outcomes.at(-1)).toMatchObject({ type: 'done' })
  })

  it('that holds a copy of a founding token, and was admitted before its seat became somebody else’s, has to go', () => {
    const cluster = form(3)
    const leader = leaderOf(cluster)!
    cluster.add('p4', 1)
    cluster.start('p4')
    // The link stands for a session that began before founding: later ones are refused at the door.
    cluster.connect(leader, 'p4')
    cluster.run(2_000)
    expect(membershipOf(cluster, leader).learners).toEqual([])
    const { events } = cluster.life(leader)
    expect(events).toContainEqual(expect.objectContaining({ type: 'alarm', code: 'token-already-used' }))
    expect(events).toContainEqual(expect.objectContaining({ type: 'unwelcome', peerId: 'p4' }))
  })

  it('is let in as often as the token says, in the whole cluster; the same machine again, with another disk too (20 seeds)', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const cluster = form(3, seed)
      const { leader } = cast(cluster)
      const copies = ['p4', 'p5', 'p6']
      for (const name of copies) cluster.join(name, token('voter', 2))
      for (const name of copies) cluster.start(name)
      cluster.connectAll()
      cluster.run(100)
      cluster.crash(leader)
      cluster.run(2_000)
      start(cluster, leader)
      cluster.run(5_000)
      const inside = redeemed(cluster, leader)
      expect(inside, `seed ${seed}`).toHaveLength(2)
      const { voters } = membershipOf(cluster, leader)
      expect(voters.map((voter) => voter.split('#')[0])).toEqual(['p1', 'p2', 'p3', ...inside].toSorted())
      const [outside] = copies.filter((name) => !inside.includes(name))
      expect(statusOf(cluster, outside!).standing.type).not.toMatch(/voter|learner/)
      const alarms = ['p1', 'p2', 'p3'].flatMap((name) => cluster.life(name).events)
      expect(alarms).toContainEqual(expect.objectContaining({ type: 'alarm', code: 'token-already-used' }))
      cluster.wipe(inside[0]!)
      start(cluster, inside[0]!)
      cluster.runUntil(() => statusOf(cluster, inside[0]!).standing.type === 'learner', 5_000)
      // Its old disk has the vote, and nobody gives one machine two.
      cluster.run(2_000)
      expect(statusOf(cluster, inside[0]!).standing.type).toBe('learner')
    }
  })

  it('waits while there is no cluster, and comes in when there is one', () => {
    const cluster = new VirtualCluster({ size: 3, seed: 7 })
    cluster.join('p4', token('voter'))
    for (const name of ['p1', 'p2', 'p4']) cluster.start(name)
    cluster.connectAll()
    cluster.run(10_000)
    expect(cluster.names.filter((name) => cluster.nodes.get(name)?.life?.replica.status().clusterId)).toEqual([])
    start(cluster, 'p3')
    cluster.runUntil(() => statusOf(cluster, 'p4').standing.type === 'voter', 5_000)
    cluster.crash('p4')
    start(cluster, 'p4')
    cluster.run(1_000)
    expect(statusOf(cluster, 'p4').standing.type).toBe('voter')
    // It hands the certificate on to a founder that has lost everything.
    for (const name of ['p1', 'p2', 'p3']) cluster.crash(name)
    cluster.wipe('p3')
    cluster.start('p3')
    cluster.connect('p3', 'p4')
    cluster.run(100)
    expect(statusOf(cluster, 'p3').clusterId).toBe(statusOf(cluster, 'p4').clusterId)
  })
})

describe('an operator', () => {
  it('demotes and promotes, through any member', () => {
    const cluster = form(3)
    const { leader, victim, other } = cast(cluster)
    expect(ask(cluster, other, { op: 'demote', member: victim })).toMatchObject({ type: 'done' })
    expect(membershipOf(cluster, leader)).toMatchObject({ learners: [`${victim}#1`] })
    expect(ask(cluster, leader, { op: 'demote', member: victim })).toMatchObject({ type: 'done' })
    cluster.runUntil(() => statusOf(cluster, victim).standing.type === 'learner')
    set(cluster, leader, 3)
    expect(ask(cluster, victim, { op: 'promote', member: victim })).toMatchObject({ type: 'done' })
    cluster.runUntil(() => statusOf(cluster, victim).standing.type === 'voter')
    expect(membershipOf(cluster, leader).voters).toHaveLength(3)
    expect(ask(cluster, other, { op: 'promote', member: victim })).toMatchObject({ type: 'done' })
  })

  it('removes a member, which is told, campaigns no more, and is not heard', () => {
    const cluster = form(3)
    const { leader, victim, other } = cast(cluster)
    expect(ask(cluster, other, { op: 'remove', member: victim })).toMatchObject({ type: 'done' })
    cluster.runUntil(() => statusOf(cluster, victim).standing.type === 'removed')
    const { term } = statusOf(cluster, leader).raft!
    const campaigns = (): number =>
      cluster.life(victim).events.filter((event) => event.type === 'role' && event.role !== 'follower').length
    cluster.run(1_000)
    const before = campaigns()
    cluster.run(10_000)
    expect(campaigns()).toBe(before)
    expect(statusOf(cluster, leader).raft!.term).toBe(term)
    expect(cluster.life(victim).events).toContainEqual(expect.objectContaining({ type: 'alarm', code: 'removed' }))
    // It is not taken in again, however often it is started.
    cluster.crash(victim)
    start(cluster, victim)
    cluster.run(3_000)
    expect(statusOf(cluster, victim).standing.type).toBe('removed')
    expect(membershipOf(cluster, leader)).toMatchObject({ learners: [] })
    expect(ask(cluster, leader, { op: 'remove', member: victim })).toMatchObject({ type: 'done' })
    expect(ask(cluster, leader, { op: 'promote', member: victim })).toMatchObject({
      type: 'refused',
      code: 'unknown-member'
    })
    // Nor has it a say.
    expect(ask(cluster, victim, { op: 'remove', member: other })).toMatchObject({
      type: 'refused',
      code: 'removed'
    })
    // With an empty disk it is somebody else.
    cluster.wipe(victim)
    start(cluster, victim)
    cluster.runUntil(() => statusOf(cluster, victim).standing.type === 'learner')
    expect(ask(cluster, leader, { op: 'promote', member: victim })).toMatchObject({ type: 'done' })
  })

  it('removes a member that is away; it hears of it when it comes back, and stops campaigning', () => {
    const cluster = form(3)
    const { leader, victim } = cast(cluster)
    cluster.crash(victim)
    expect(ask(cluster, leader, { op: 'remove', member: victim })).toMatchObject({ type: 'done' })
    start(cluster, victim)
    cluster.runUntil(() => statusOf(cluster, victim).standing.type === 'removed')
    expect(statusOf(cluster, victim).standing.fenced).toMatchObject({ code: 'removed' })
    cluster.run(2_000)
    const { length } = cluster.life(victim).events
    cluster.run(10_000)
    expect(cluster.life(victim).events).toHaveLength(length)
    expect(statusOf(cluster, victim).raft!.role).toBe('follower')
  })

  it('tells a removed member so in each of its sessions, however soon one follows the other', () => {
    const cluster = form(3)
    const { leader, victim } = cast(cluster)
    cluster.crash(victim)
    expect(ask(cluster, leader, { op: 'remove', member: victim })).toMatchObject({ type: 'done' })
    for (let life = 0; life < 3; life++) {
      start(cluster, victim)
      cluster.runUntil(() => statusOf(cluster, victim).standing.type === 'removed', 100)
      cluster.crash(victim)
    }
  })

  it('removes the leader, which hands over: hardly a moment without one (20 seeds)', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const cluster = form(3, seed)
      const { leader, other } = cast(cluster)
      expect(ask(cluster, leader, { op: 'remove', member: leader })).toMatchObject({ type: 'done' })
      const since = cluster.now
      cluster.runUntil(() => leaderOf(cluster) !== undefined && leaderOf(cluster) !== leader)
      expect(cluster.now - since, `seed ${seed}`).toBeLessThan(50)
      expect(statusOf(cluster, leader).standing.type).toBe('removed')
      set(cluster, other, 9)
    }
  })

  it('replaces a machine by another one in one change', () => {
    const cluster = form(4)
    const { leader, victim, other } = cast(cluster)
    expect(ask(cluster, leader, { op: 'demote', member: other })).toMatchObject({ type: 'done' })
    cluster.crash(victim)
    expect(ask(cluster, other, { op: 'replace', member: victim, by: other })).toMatchObject({ type: 'done' })
    const left = cluster.names.filter((name) => name !== victim).map((name) => `${name}#1`)
    expect(membershipOf(cluster, leader)).toMatchObject({ voters: left, outgoing: [], learners: [] })
    expect(ask(cluster, leader, { op: 'replace', member: victim, by: other })).toMatchObject({ type: 'done' })
  })

  it('replaces a machine by one that votes already: the old one goes, if the rest can decide without it', () => {
    const cluster = form(4)
    const { leader, victim, other } = cast(cluster)
    cluster.crash(victim)
    expect(ask(cluster, other, { op: 'replace', member: victim, by: other })).toMatchObject({ type: 'done' })
    const left = cluster.names.filter((name) => name !== victim).map((name) => `${name}#1`)
    expect(membershipOf(cluster, leader)).toMatchObject({ voters: left, outgoing: [], learners: [] })
    const third = cluster.names.find((name) => ![leader, victim, other].includes(name))!
    cluster.crash(third)
    expect(ask(cluster, leader, { op: 'replace', member: other, by: leader })).toMatchObject({
      code: 'would-lose-quorum',
      detail: expect.stringContaining(
        `${leader} votes already, and removing ${other} leaves 2 voters of which 1 is`
      ) as string
    })
    expect(ask(cluster, leader, { op: 'replace', member: leader, by: leader })).toMatchObject({
      code: 'unknown-member'
    })
  })

  it('is refused what would leave too few, with the arithmetic', () => {
    const cluster = form(3)
    const { leader, victim, other } = cast(cluster)
    cluster.crash(other)
    expect(ask(cluster, leader, { op: 'remove', member: victim })).toMatchObject({
      type: 'refused',
      code: 'would-lose-quorum',
      detail: `removing ${victim} leaves 2 voters of which 1 is reachable, and 2 are needed (not reachable: ${other}#1)`
    })
    expect(ask(cluster, victim, { op: 'demote', member: victim })).toMatchObject({ code: 'would-lose-quorum' })
    expect(membershipOf(cluster, leader).voters).toHaveLength(3)
    // The one that is gone may go.
    expect(ask(cluster, leader, { op: 'remove', member: other })).toMatchObject({ type: 'done' })
    expect(membershipOf(cluster, leader).voters).toHaveLength(2)
    expect(ask(cluster, leader, { op: 'remove', member: 'p77' })).toMatchObject({ code: 'unknown-member' })
  })

  it('cannot remove the last voter, nor count one machine twice', () => {
    const cluster = form(1)
    expect(ask(cluster, 'p1', { op: 'remove', member: 'p1' })).toMatchObject({
      code: 'would-lose-quorum',
      detail: 'removing p1 leaves no voters'
    })
    const three = form(3)
    const { leader, victim } = cast(three)
    three.wipe(victim)
    start(three, victim)
    three.runUntil(() => statusOf(three, victim).config !== undefined)
    expect(ask(three, leader, { op: 'promote', member: victim })).toMatchObject({ code: 'invalid-change' })
    expect(ask(three, leader, { op: 'remove', member: victim })).toMatchObject({ code: 'ambiguous-member' })
    expect(ask(three, leader, { op: 'remove', member: `${victim}#2` })).toMatchObject({ type: 'done' })
  })

  it('gets a change through under loss, however often the leader is lost (20 seeds)', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const cluster = VirtualCluster.formed({ size: 5, seed, loss: 0.05 })
      const random = cluster.random.fork('plan')
      const { victim, other } = cast(cluster)
      const operation = { op: 'remove', member: victim } as const
      cluster.input(other, { type: 'request', request: { type: 'members', requestId: id(seed), operation } })
      for (let round = 0; round < 4; round++) {
        cluster.run(random.next() * 15)
        const leader = leaderOf(cluster)
        if (leader === undefined || leader === other) continue
        cluster.crash(leader)
        cluster.run(random.next() * 400)
        start(cluster, leader)
      }
      cluster.runUntil(() => cluster.life(other).outcomes.length > 0, 30_000)
      expect(cluster.life(other).outcomes, `seed ${seed}`).toEqual([expect.objectContaining({ type: 'done' })])
      cluster.runUntil(() => {
        const leader = leaderOf(cluster)
        return leader !== undefined && membershipOf(cluster, leader).voters.length === 4
      })
    }
  })
})
