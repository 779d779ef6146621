/** Who would take over from a leader, and how long the others wait: what heartbeats say after links of these lengths were measured. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { NodeId, RaftMessage } from '../../src/raft/index.ts'
import { coarse, RoundTrip } from '../../src/raft/round-trip.ts'
import { Member } from './member.ts'

const TIMING = {
  heartbeatMs: 100,
  electionTimeoutMs: 1_000,
  rankStepMs: 40,
  rankStepMinMs: 10,
  rankStepMaxMs: 160,
  jitterMs: 0
}

const PEERS = ['n2', 'n3', 'n4', 'n5'] as const

type Peer = (typeof PEERS)[number]

/** n1, elected, of five voters; everybody has taken its first entry. */
function leading(priorities: Partial<Record<NodeId, number>> = {}): Member {
  const priority = priorities['n1']
  const member = new Member({
    size: 5,
    mode: 'staggered',
    timing: TIMING,
    connections: new Map(PEERS.map((id) => [id, priorities[id] ?? 100])),
    ...(priority === undefined ? {} : { priority })
  })
  member.elect('n2', 'n3')
  for (const id of PEERS) member.hear(id, { type: 'append-accepted', term: member.status.term, match: 1 })
  return member
}

interface Beat {
  readonly waits: Readonly<Record<string, number>>
  readonly seq: number
}

/** The next heartbeat on time. */
function beat(member: Member): Beat {
  const sent = member.timeout().flatMap(({ to, message }) => (message.type === 'heartbeat' ? [{ to, message }] : []))
  return { waits: Object.fromEntries(sent.map(({ to, message }) => [to, message.waitMs])), seq: sent[0]!.message.seq }
}

/** Heartbeats that these peers answer after so long; what the one after them says. */
function after(member: Member, beats: number, roundTrips: Partial<Record<Peer, number>>): Beat['waits'] {
  for (let i = 0; i < beats; i++) {
    const { seq } = beat(member)
    const sentAt = member.now
    const answers = PEERS.flatMap((id) => (roundTrips[id] === undefined ? [] : [{ id, ms: roundTrips[id] }]))
    for (const { id, ms } of answers.toSorted((a, b) => a.ms - b.ms)) {
      member.now = sentAt + ms
      const { term } = member.status
      member.hear(id, { type: 'heartbeat-reply', term, seq, match: member.entries.length })
    }
  }
  return beat(member).waits
}

const order = (waits: Beat['waits']): readonly string[] => Object.keys(waits).toSorted((a, b) => waits[a]! - waits[b]!)

const alike = { n2: 1, n3: 1, n4: 1, n5: 1 }

describe('the order', () => {
  test('is that of the ids as long as nothing else tells members apart', () => {
    expect(beat(leading()).waits).toEqual({ n2: 0, n3: 40, n4: 80, n5: 120 })
  })

  test('is by priority between members that are equally near, however their round trips differ within a step', () => {
    const member = leading({ n4: 101, n2: 99 })
    expect(order(after(member, 20, { n2: 1, n3: 2, n4: 9, n5: 3 }))).toEqual(['n4', 'n3', 'n5', 'n2'])
  })

  test('puts near before far, whatever the priorities', () => {
    const member = leading({ n4: 1_000 })
    expect(order(after(member, 20, { n2: 30, n3: 5, n4: 70, n5: 5 }))).toEqual(['n3', 'n5', 'n2', 'n4'])
  })

  test('puts whoever lacks what had committed a heartbeat ago behind, and not whoever only lacks what came since', () => {
    const member = leading({ n5: 200 })
    after(member, 2, alike)
    member.propose(1)
    for (const id of ['n2', 'n3']) member.hear(id, { type: 'append-accepted', term: member.status.term, match: 2 })
    expect(order(beat(member).waits)).toEqual(['n5', 'n2', 'n3', 'n4'])
    expect(order(beat(member).waits)).toEqual(['n2', 'n3', 'n5', 'n4'])
  })

  test('looks at what has committed, not at what is on its way', () => {
    const member = leading()
    after(member, 2, alike)
    member.propose(1)
    member.hear('n5', { type: 'append-accepted', term: member.status.term, match: 2 })
    beat(member)
    expect(order(beat(member).waits)).toEqual(['n2', 'n3', 'n4', 'n5'])
  })

  test('of a new leader puts whoever has all that it was elected with first', () => {
    const member = new Member({ size: 5, mode: 'staggered', timing: TIMING, terms: [1, 1, 1] })
    member.elect('n2', 'n3')
    member.hear('n4', { type: 'append-accepted', term: member.status.term, match: 4 })
    member.hear('n5', { type: 'append-accepted', term: member.status.term, match: 2 })
    expect(order(beat(member).waits)).toEqual(['n4', 'n5', 'n2', 'n3'])
  })

  test('puts whoever lost its connection, or has been silent for an election timeout, behind all the others', () => {
    const member = leading({ n2: 900, n3: 800 })
    after(member, 2, alike)
    member.tell({ type: 'disconnected', peer: 'n2' })
    expect(order(beat(member).waits)).toEqual(['n3', 'n4', 'n5', 'n2'])
    expect(order(after(member, 10, { n4: 1, n5: 1 })).slice(0, 2)).toEqual(['n4', 'n5'])
  })

  test('puts a last resort behind members that lack entries, and before those that are not there', () => {
    const member = leading({ n2: 0 })
    member.tell({ type: 'disconnected', peer: 'n5' })
    member.propose(1)
    for (const id of ['n2', 'n3']) member.hear(id, { type: 'append-accepted', term: member.status.term, match: 2 })
    beat(member)
    expect(order(beat(member).waits)).toEqual(['n3', 'n4', 'n2', 'n5'])
  })

  test('follows a new priority when a peer has come back with it', () => {
    const member = leading()
    member.tell({ type: 'disconnected', peer: 'n5' })
    member.tell({ type: 'connected', peer: 'n5', priority: 500 })
    expect(order(beat(member).waits)[0]).toBe('n5')
  })

  test('is not made anew for the heartbeats of reads', () => {
    const member = leading()
    after(member, 1, alike)
    member.tell({ type: 'disconnected', peer: 'n2' })
    const said = member.tell({ type: 'read', ref: 1 })
    expect(said.find(({ to }) => to === 'n2')?.message).toMatchObject({ type: 'heartbeat', waitMs: 0 })
    expect(order(beat(member).waits).at(-1)).toBe('n2')
  })

  test('does not flutter while round trips cross a border by little', () => {
    const member = leading()
    const seen = new Set<string>()
    for (let i = 0; i < 100; i++) {
      seen.add(order(after(member, 1, { n2: i % 3 === 0 ? 12 : 9, n3: i % 2 === 0 ? 11 : 9, n4: 8, n5: 8 })).join(' '))
    }
    expect([...seen]).toEqual(['n2 n3 n4 n5'])
  })
})

describe('the wait', () => {
  test('is a step of the floor where links are short and even', () => {
    expect(after(leading(), 40, alike)).toEqual({ n2: 0, n3: 10, n4: 20, n5: 30 })
  })

  test('grows with the round trip of whoever comes before', () => {
    expect(after(leading(), 60, { n2: 1, n3: 30, n4: 60, n5: 60 })).toEqual({ n2: 0, n3: 10, n4: 50, n5: 130 })
  })

  test('allows for round trips that vary by mean and four deviations, and stays below the ceiling', () => {
    const steady = { n2: 30, n3: 30, n4: 30, n5: 30 }
    expect(after(leading(), 60, steady)).toEqual({ n2: 0, n3: 40, n4: 80, n5: 120 })
    const member = leading()
    for (let i = 0; i < 60; i++) after(member, 1, i % 2 === 0 ? alike : { n2: 60, n3: 60, n4: 60, n5: 60 })
    expect(beat(member).waits).toEqual({ n2: 0, n3: 160, n4: 320, n5: 480 })
    expect(after(leading(), 40, { n2: 99, n3: 99, n4: 99, n5: 99 })).toEqual({ n2: 0, n3: 160, n4: 320, n5: 480 })
  })

  test('is not measured while this process was suspended', () => {
    const member = leading()
    after(member, 40, alike)
    const { seq } = beat(member)
    // The timer is late by ten seconds, and the answers wait in the sockets.
    member.now += 10_000
    member.tell({ type: 'tick' })
    for (const id of PEERS) {
      member.hear(id, { type: 'heartbeat-reply', term: member.status.term, seq, match: member.entries.length })
    }
    expect(beat(member).waits).toEqual({ n2: 0, n3: 10, n4: 20, n5: 30 })
  })

  test('forgets an answer that came very late sooner than its lateness would have it', () => {
    const member = leading()
    after(member, 20, alike)
    const { seq } = beat(member)
    after(member, 50, { n3: 1, n4: 1, n5: 1 })
    member.hear('n2', { type: 'heartbeat-reply', term: member.status.term, seq, match: member.entries.length })
    expect(order(beat(member).waits).at(-1)).toBe('n2')
    expect(order(after(member, 27, alike))[0]).toBe('n2')
  })

  test('of a follower is what the leader says, within what its own timing allows', () => {
    const campaignAt = (waitMs: number): number => {
      const member = new Member({ size: 3, mode: 'staggered', preVote: true, timing: TIMING })
      const message: RaftMessage = { type: 'heartbeat', term: 1, commit: 0, seq: 1, waitMs, heir: 0 }
      member.hear('n2', message)
      member.tell({ type: 'disconnected', peer: 'n2' })
      return member.deadline!
    }
    expect(campaignAt(0)).toBe(0)
    expect(campaignAt(37)).toBe(37)
    expect(campaignAt(Number.MAX_SAFE_INTEGER)).toBe(3 * TIMING.rankStepMaxMs)
  })
})

describe('before any leader', () => {
  const firstCall = (priority: number, others: Readonly<Record<string, number>>): number =>
    new Member({
      self: 'n2',
      mode: 'staggered',
      timing: TIMING,
      priority,
      connections: new Map(Object.entries(others))
    }).deadline!

  test('members begin by priority, then by id; whoever is not connected counts as one of the default', () => {
    expect(firstCall(100, { n1: 100, n3: 100 })).toBe(40)
    expect(firstCall(101, { n1: 100, n3: 100 })).toBe(0)
    expect(firstCall(100, { n1: 100, n3: 101 })).toBe(80)
    expect(firstCall(0, { n1: 0 })).toBe(80)
    expect(firstCall(101, {})).toBe(0)
  })
})

describe('a leader of last resort', () => {
  const transfers = (member: Member): readonly NodeId[] =>
    member.timeout().flatMap(({ to, message }) => (message.type === 'transfer' ? [to] : []))

  test('makes way for the best that answers, not before it is writable, and for nobody of the same kind', () => {
    const member = leading({ n1: 0, n2: 0, n4: 200 })
    // Nobody has answered a heartbeat of this term yet.
    expect(transfers(member)).toEqual([])
    const seq = 1
    for (const id of ['n3', 'n4']) member.hear(id, { type: 'heartbeat-reply', term: member.status.term, seq, match: 1 })
    expect(transfers(member)).toEqual(['n4'])
    const alone = leading({ n1: 0, n2: 0, n3: 0, n4: 0, n5: 0 })
    after(alone, 3, alike)
    expect(transfers(alone)).toEqual([])
  })

  test('asks nobody who lacks what has committed, and waits until something of its own has', () => {
    const member = leading({ n1: 0, n2: 0, n3: 0 })
    member.propose(1)
    for (const id of ['n2', 'n3']) member.hear(id, { type: 'append-accepted', term: member.status.term, match: 2 })
    after(member, 2, alike)
    expect(transfers(member)).toEqual([])
    member.hear('n4', { type: 'append-accepted', term: member.status.term, match: 2 })
    expect(transfers(member)).toEqual(['n4'])
    const fresh = new Member({ mode: 'staggered', timing: TIMING, priority: 0 })
    fresh.elect('n2')
    const seq = beat(fresh).seq
    fresh.hear('n2', { type: 'heartbeat-reply', term: fresh.status.term, seq, match: 0 })
    fresh.timeout()
    fresh.propose(1)
    expect(fresh.outcomes).toEqual([])
  })

  test('does not forget that somebody asked for a hand-over', () => {
    const member = leading({ n1: 0 })
    member.propose(1)
    for (const id of ['n2', 'n3']) member.hear(id, { type: 'append-accepted', term: member.status.term, match: 2 })
    const { seq } = beat(member)
    member.hear('n2', { type: 'heartbeat-reply', term: member.status.term, seq, match: 2 })
    member.tell({ type: 'transfer', ref: 7, to: 'n5' })
    expect(transfers(member)).toEqual([])
    member.now += TIMING.electionTimeoutMs
    member.tell({ type: 'tick' })
    expect(member.outcomes).toContainEqual(
      expect.objectContaining({ type: 'refused', ref: 7, code: 'transfer-failed' })
    )
  })

  test('that was asked for nothing answers nothing', () => {
    const member = leading({ n1: 0 })
    after(member, 1, alike)
    member.hear('n2', { type: 'vote', term: member.status.term + 1, lastIndex: 1, lastTerm: 1, transfer: true })
    member.hear('n2', { type: 'heartbeat', term: member.status.term, commit: 1, seq: 1, waitMs: 0, heir: 0 })
    expect(member.status).toMatchObject({ role: 'follower', leader: 'n2' })
    expect(member.outcomes).toEqual([])
  })
})

describe('a hand-over without a target', () => {
  const target = (member: Member): NodeId | undefined =>
    member.tell({ type: 'transfer', ref: 1 }).find(({ message }) => message.type === 'transfer')?.to

  test('goes by what is known at that moment', () => {
    const member = leading()
    after(member, 2, alike)
    member.tell({ type: 'connected', peer: 'n5', priority: 500 })
    expect(target(member)).toBe('n5')
  })

  test('goes to no voter that is on its way out', () => {
    const member = leading({ n4: 500, n3: 200 })
    after(member, 2, alike)
    const voters = ['n1', 'n2', 'n3']
    member.tell({ type: 'change-membership', ref: 2, change: { voters, learners: ['n4', 'n5'] } })
    expect(member.status.membership.outgoing).toContain('n4')
    for (const id of ['n2', 'n3']) member.hear(id, { type: 'append-accepted', term: member.status.term, match: 1 })
    target(member)
    const acknowledge = (from: NodeId): ReturnType<Member['tell']> =>
      member.hear(from, { type: 'append-accepted', term: member.status.term, match: member.entries.length })
    // The joint configuration commits, and then the one that leaves it.
    for (const id of ['n2', 'n3', 'n2']) acknowledge(id)
    const said = acknowledge('n3')
    expect(said).toContainEqual(
      expect.objectContaining({ to: 'n3', message: expect.objectContaining({ type: 'transfer' }) })
    )
  })

  test('is refused when nobody is connected', () => {
    const member = leading()
    for (const peer of PEERS) member.tell({ type: 'disconnected', peer })
    expect(target(member)).toBeUndefined()
    expect(member.outcomes).toEqual([
      { type: 'refused', ref: 1, code: 'transfer-failed', detail: 'no other voter is connected' }
    ])
  })
})

describe('coarse distances', () => {
  const unit = fc.double({ min: 0.5, max: 1_000, noNaN: true })
  const ms = fc.double({ min: 0, max: 10_000, noNaN: true })
  const level = fc.nat({ max: 12 })

  test('hold the measure within a quarter of their borders', () => {
    fc.assert(
      fc.property(level, ms, unit, (before, measure, unitMs) => {
        const now = coarse(before, measure, unitMs)
        expect(measure).toBeLessThanOrEqual(unitMs * 2 ** now * 1.25)
        if (now > 0) expect(measure * 1.25).toBeGreaterThanOrEqual(unitMs * 2 ** (now - 1))
      })
    )
  })

  test('stay where they are as long as that holds', () => {
    fc.assert(
      fc.property(level, ms, unit, (before, measure, unitMs) => {
        const now = coarse(before, measure, unitMs)
        expect(coarse(now, measure, unitMs)).toBe(now)
        const isAbove = before === 0 || measure * 1.25 >= unitMs * 2 ** (before - 1)
        if (isAbove && measure <= unitMs * 2 ** before * 1.25) expect(now).toBe(before)
      })
    )
  })

  test('grow with the round trip, and are the same from wherever they began once it is well inside', () => {
    const distanceOf = (measure: number): number => {
      const roundTrip = new RoundTrip(measure, 10)
      for (let i = 0; i < 200; i++) roundTrip.observe(measure, 10)
      return roundTrip.distance
    }
    expect([1, 10, 15, 30, 60, 150].map(distanceOf)).toEqual([0, 0, 1, 2, 3, 4])
  })
})

test('a new configuration has no heirs before the next heartbeat, which looks at those who vote now', () => {
  const member = leading()
  beat(member)
  const ranked = (): readonly NodeId[] =>
    member.status.progress.flatMap(({ id, rank }) => (rank === undefined ? [] : [id]))
  expect(ranked()).toEqual(PEERS)
  const voters = ['n1', 'n3', 'n4', 'n5']
  member.tell({ type: 'change-membership', ref: 1, change: { voters, learners: [] } })
  expect(ranked()).toEqual([])
  for (const id of PEERS) member.hear(id, { type: 'append-accepted', term: 1, match: member.entries.length })
  // Half a heartbeat has not gone by since the last one.
  member.tell({ type: 'read', ref: 2 })
  expect(ranked()).toEqual(voters.slice(1))
})
