/** Pre-votes that nobody asked for: who makes them, what they count for, and when they do not any more. */
import { describe, expect, test } from 'vitest'
import type { NodeId, RaftMessage } from '../../src/raft/index.ts'
import { Member, type MemberInit, TIMING } from './member.ts'

const follower = (init: MemberInit = {}): Member =>
  new Member({ mode: 'staggered', preVote: true, checkQuorum: true, term: 1, terms: [1], ...init })

/** Of n2, which leads term 1; as a rule it names n1, who is told. */
const beat = (seq: number, heir = 1, waitMs = 0): RaftMessage => ({
  ...{ type: 'heartbeat', term: 1, commit: 0, seq, waitMs, heir }
})

const offer = (seq: number, nextTerm = 2, lastIndex = 1, lastTerm = 1): RaftMessage => ({
  ...{ type: 'pre-vote-offer', nextTerm, lastIndex, lastTerm, seq }
})

const lose = (member: Member, leader: NodeId = 'n2'): ReturnType<Member['tell']> =>
  member.tell({ type: 'disconnected', peer: leader })

const kinds = (said: ReturnType<Member['tell']>): readonly string[] =>
  said.map(({ to, message }) => `${to} ${message.type}`)

describe('a follower that loses its leader', () => {
  test('says so to the heir, at once when the connection closes', () => {
    const member = follower()
    member.hear('n2', beat(7, 3, 30))
    expect(lose(member)).toEqual([{ to: 'n3', message: offer(7) }])
  })

  test('says so to the heir when the leader has been silent for too long, and once', () => {
    const member = follower()
    member.hear('n2', beat(7, 3, 30))
    expect(member.deadline).toBe(TIMING.electionTimeoutMs)
    expect(member.timeout()).toEqual([{ to: 'n3', message: offer(7) }])
    expect(member.deadline).toBe(TIMING.electionTimeoutMs + 30)
    expect(lose(member)).toEqual([])
  })

  test('says nothing when it was its own timer that was late', () => {
    const member = follower()
    member.hear('n2', beat(7, 3, 30))
    member.now = TIMING.electionTimeoutMs + TIMING.heartbeatMs + 1
    expect(member.tell({ type: 'tick' })).toEqual([])
  })

  test('answers a heir that has asked before, instead', () => {
    const member = follower()
    member.hear('n2', beat(7, 3, 30))
    member.hear('n3', { type: 'pre-vote', nextTerm: 2, round: 4, lastIndex: 1, lastTerm: 1 })
    expect(lose(member)).toEqual([{ to: 'n3', message: { type: 'pre-vote-reply', term: 1, round: 4, granted: true } }])
  })

  test('says nothing to itself, to nobody, or in the name of an earlier leader', () => {
    for (const heir of [0, 1, 4, Number.MAX_SAFE_INTEGER]) {
      const member = follower()
      member.hear('n2', beat(7, heir))
      expect(lose(member), String(heir)).toEqual([])
    }
    const member = follower()
    member.hear('n2', beat(7, 3, 30))
    member.hear('n3', { type: 'append', term: 2, prevIndex: 1, prevTerm: 1, commit: 0, entries: [] })
    expect(lose(member, 'n3')).toEqual([])
  })

  test('says nothing when it does not vote, and without pre-votes or close signals', () => {
    const learning = { voters: ['n2', 'n3'], outgoing: [], learners: ['n1'], learnersNext: [], autoLeave: false }
    for (const init of [{ membership: learning }, { preVote: false }, { mode: 'classic' }] as const) {
      const member = follower(init)
      member.hear('n2', beat(7, 2, 30))
      expect(kinds(lose(member)), JSON.stringify(init)).toEqual([])
      expect(kinds(member.timeout()).filter((said) => said.includes('offer'))).toEqual([])
    }
  })

  test('says nothing in the last term that there is', () => {
    const member = follower({ term: Number.MAX_SAFE_INTEGER })
    member.hear('n2', { ...beat(7, 3, 30), term: Number.MAX_SAFE_INTEGER } as RaftMessage)
    expect(lose(member)).toEqual([])
  })
})

describe('a heir', () => {
  test('that was offered a quorum campaigns when it loses the leader, and asks nobody whether it would win', () => {
    const member = follower()
    member.hear('n2', beat(7))
    expect(member.hear('n3', offer(7))).toEqual([])
    lose(member)
    expect(kinds(member.timeout())).toEqual(['n2 vote', 'n3 vote'])
    expect(member.status).toMatchObject({ role: 'candidate', term: 2 })
  })

  test('that has fewer asks the others only, and campaigns with the answer or the offer that it lacked', () => {
    for (const last of ['offer', 'answer']) {
      const member = follower({ size: 5 })
      member.hear('n2', beat(7))
      member.hear('n3', offer(7))
      lose(member)
      const said = member.timeout()
      expect(kinds(said)).toEqual(['n2 pre-vote', 'n4 pre-vote', 'n5 pre-vote'])
      const { message } = said[0]!
      const round = message.type === 'pre-vote' ? message.round : 0
      member.hear('n3', offer(7))
      expect(member.status.role).toBe('pre-candidate')
      member.hear('n5', last === 'offer' ? offer(7) : { type: 'pre-vote-reply', term: 1, round, granted: true })
      expect(member.status).toMatchObject({ role: 'candidate', term: 2 })
    }
  })

  test('that hears the leader does nothing with any number of them', () => {
    const member = follower({ size: 5 })
    member.hear('n2', beat(7))
    for (const from of ['n3', 'n4', 'n5']) expect(member.hear(from, offer(9))).toEqual([])
    expect(member.status).toMatchObject({ role: 'follower', term: 1, leader: 'n2' })
    expect(member.deadline).toBe(TIMING.electionTimeoutMs)
  })

  test('that has heard a later heartbeat than the voter asks it', () => {
    const later = follower()
    later.hear('n3', offer(7))
    later.hear('n2', beat(8))
    lose(later)
    expect(kinds(later.timeout())).toEqual(['n2 pre-vote', 'n3 pre-vote'])
    // On its way while the heartbeat came.
    expect(kinds(later.hear('n3', offer(7)))).toEqual([])
    expect(kinds(later.hear('n3', offer(8)))).toEqual(['n2 vote', 'n3 vote'])
    // Of two that overtook each other on the way the newer one is the newest.
    const reordered = follower()
    for (const seq of [8, 7]) reordered.hear('n2', beat(seq))
    reordered.hear('n3', offer(7))
    lose(reordered)
    expect(kinds(reordered.timeout())).toEqual(['n2 pre-vote', 'n3 pre-vote'])
  })

  test('that has heard no heartbeat of this leader yet takes the word of who has', () => {
    const member = follower()
    member.hear('n2', beat(50))
    member.hear('n2', { type: 'append', term: 2, prevIndex: 1, prevTerm: 1, commit: 0, entries: [] })
    member.hear('n3', offer(3, 3))
    lose(member)
    expect(kinds(member.timeout())).toEqual(['n2 vote', 'n3 vote'])
  })

  test('takes none for another term, or for a longer or later log than its own', () => {
    const useless = [offer(7, 1), offer(7, 3), offer(7, 2, 2), offer(7, 2, 1, 2), offer(7, 2, 0, 2)]
    for (const message of useless) {
      const member = follower()
      member.hear('n2', beat(7))
      member.hear('n3', message)
      lose(member)
      expect(kinds(member.timeout()), JSON.stringify(message)).toEqual(['n2 pre-vote', 'n3 pre-vote'])
      expect(member.hear('n3', message)).toEqual([])
    }
    const ahead = follower({ term: 2, terms: [1, 2] })
    ahead.hear('n2', { ...beat(7), term: 2 } as RaftMessage)
    ahead.hear('n3', offer(7, 3, 9, 1))
    lose(ahead)
    expect(kinds(ahead.timeout())).toEqual(['n2 vote', 'n3 vote'])
  })

  test('judges them by the log that it has when it campaigns', () => {
    const member = follower()
    member.hear('n2', beat(7))
    member.hear('n3', offer(7, 2, 2))
    const entries = [{ index: 2, term: 1, type: 'noop', data: new Uint8Array() }] as const
    member.hear('n2', { type: 'append', term: 1, prevIndex: 1, prevTerm: 1, commit: 0, entries })
    lose(member)
    expect(kinds(member.timeout())).toEqual(['n2 vote', 'n3 vote'])
  })

  test('takes none of who does not vote', () => {
    const membership = {
      voters: ['n1', 'n2', 'n3'],
      outgoing: [],
      learners: ['n4'],
      learnersNext: [],
      autoLeave: false
    }
    const member = follower({ membership })
    member.hear('n2', beat(7))
    for (const from of ['n4', 'x']) member.hear(from, offer(7))
    lose(member)
    expect(kinds(member.timeout())).toEqual(['n2 pre-vote', 'n3 pre-vote'])
    for (const from of ['n4', 'x']) expect(member.hear(from, offer(7))).toEqual([])
  })

  test('that did not get through in the first round asks everybody anew', () => {
    const member = follower({ size: 5 })
    member.hear('n2', beat(7))
    member.hear('n3', offer(7))
    lose(member)
    expect(member.timeout()).toHaveLength(3)
    expect(kinds(member.timeout())).toEqual(['n2 pre-vote', 'n3 pre-vote', 'n4 pre-vote', 'n5 pre-vote'])
    for (const from of ['n3', 'n4', 'n5']) expect(member.hear(from, offer(7))).toEqual([])
    expect(member.status.role).toBe('pre-candidate')
  })

  test('that leads, or is a candidate, has no use for them', () => {
    const member = follower()
    member.hear('n2', beat(7))
    member.hear('n3', offer(7))
    lose(member)
    member.timeout()
    for (const role of ['candidate', 'leader']) {
      expect(member.status.role).toBe(role)
      expect(member.hear('n3', offer(7))).toEqual([])
      expect(member.hear('n3', offer(7, 3))).toEqual([])
      member.hear('n3', { type: 'vote-reply', term: 2, granted: true })
    }
  })
})

test('a leader names the first of the order, by its place among all that vote', () => {
  const leader = follower({ size: 3, preVote: false })
  leader.elect('n2')
  for (const peer of ['n2', 'n3']) leader.tell({ type: 'connected', peer })
  const named = (): readonly unknown[] =>
    leader.timeout().flatMap(({ message }) => (message.type === 'heartbeat' ? [message.heir] : []))
  expect(named()).toEqual([2, 2])
  const { term, lastIndex } = leader.status
  leader.hear('n3', { type: 'append-accepted', term, match: lastIndex })
  leader.tell({ type: 'disconnected', peer: 'n2' })
  expect(named()).toContain(3)
})
