/** Heartbeats of a leader with many learners: what it sends does not grow with them, and none of them believes that it is lost. */
import { describe, expect, test } from 'vitest'
import { LEARNERS_A_BEAT } from '../../src/raft/beats.ts'
import type { Envelope, Membership } from '../../src/raft/index.ts'
import { encodeMembership, MEMBERS_MAX } from '../../src/raft/messages.ts'
import { Member, TIMING } from './member.ts'

const learners = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `x${String(i).padStart(4, '0')}`)

const withLearners = (count: number): Membership => ({
  voters: ['n1', 'n2', 'n3'],
  outgoing: [],
  learners: learners(count),
  learnersNext: [],
  autoLeave: false
})

/** n1, elected, of three voters and so many learners. */
function leading(count: number): Member {
  const member = new Member({ mode: 'staggered', checkQuorum: false })
  member.elect('n2', 'n3')
  const data = encodeMembership(withLearners(count))
  const { term } = member.status
  member.hear('n2', { type: 'append-accepted', term, match: 1 })
  member.tell({ type: 'change-membership', ref: 1, change: { voters: ['n1', 'n2', 'n3'], learners: learners(count) } })
  member.hear('n2', { type: 'append-accepted', term, match: 2 })
  expect(member.entries.at(-1)!.data).toEqual(data)
  return member
}

const beats = (said: readonly Envelope[]): readonly string[] =>
  said.filter(({ message }) => message.type === 'heartbeat').map(({ to }) => to)

describe('a leader', () => {
  test.each([1, LEARNERS_A_BEAT])('with %i learners tells each of them with every heartbeat', (count) => {
    const member = leading(count)
    for (let i = 0; i < 3; i++) expect(beats(member.timeout())).toEqual(['n2', 'n3', ...learners(count)])
    const waits = member.timeout().map(({ message }) => (message.type === 'heartbeat' ? message.waitMs : undefined))
    // Learners do not campaign; they say last that the leader is lost.
    expect(waits).toEqual([0, 10, ...learners(count).map(() => 20)])
  })

  test('with a thousand tells the voters each time, and the learners in turn', () => {
    const count = 1_000
    const member = leading(count)
    const turns = Math.ceil(count / LEARNERS_A_BEAT)
    const heard = new Map<string, number>()
    for (let i = 0; i < turns; i++) {
      const told = beats(member.timeout())
      expect(told.slice(0, 2)).toEqual(['n2', 'n3'])
      expect(told.length).toBeLessThanOrEqual(LEARNERS_A_BEAT + 2)
      for (const id of told.slice(2)) heard.set(id, (heard.get(id) ?? 0) + 1)
    }
    expect([...heard.keys()].toSorted()).toEqual(learners(count))
    expect(new Set(heard.values())).toEqual(new Set([1]))
  })

  test('repairs a learner whose answer comes before its next turn, whatever was sent to others meanwhile', () => {
    const member = leading(200)
    const { term } = member.status
    const turn = member.timeout().find(({ to }) => to === 'x0000') ?? member.timeout().find(({ to }) => to === 'x0000')
    const beat = (turn ?? member.timeout().find(({ to }) => to === 'x0000')!).message
    expect(beat.type).toBe('heartbeat')
    member.timeout()
    const seq = beat.type === 'heartbeat' ? beat.seq : 0
    const said = member.hear('x0000', { type: 'heartbeat-reply', term, seq, match: 0 })
    // It is still being probed, so it is asked again where the logs agree.
    expect(said).toContainEqual(
      expect.objectContaining({ to: 'x0000', message: expect.objectContaining({ type: 'append' }) })
    )
  })
})

describe('a learner', () => {
  const learner = (count: number): Member => {
    const member = new Member({ self: 'x0000', mode: 'staggered' })
    const data = encodeMembership(withLearners(count))
    const entry = { index: 1, term: 1, type: 'membership', data } as const
    member.hear('n1', { type: 'append', term: 1, prevIndex: 0, prevTerm: 0, commit: 1, entries: [entry] })
    member.hear('n1', { type: 'heartbeat', term: 1, commit: 1, seq: 1, waitMs: 2 * TIMING.rankStepMs, heir: 0 })
    return member
  }

  test.each([
    [3, 0],
    [1_000, (Math.ceil(1_000 / LEARNERS_A_BEAT) - 1) * TIMING.heartbeatMs]
  ])('of %i waits %i ms longer before it says that its leader is lost', (count, extraMs) => {
    const member = learner(count)
    const patience = TIMING.electionTimeoutMs + 2 * TIMING.rankStepMs + extraMs
    member.now = patience - 1
    member.tell({ type: 'tick' })
    expect(member.status.leader).toBe('n1')
    member.now = patience + TIMING.heartbeatMs
    member.timeout()
    expect(member.status).toMatchObject({ leader: undefined, role: 'follower' })
  })
})

test('a list of as many members as can be is read back', () => {
  const membership = withLearners(MEMBERS_MAX)
  const member = new Member({ self: 'x0000' })
  const entry = { index: 1, term: 1, type: 'membership', data: encodeMembership(membership) } as const
  member.hear('n1', { type: 'append', term: 1, prevIndex: 0, prevTerm: 0, commit: 0, entries: [entry] })
  expect(member.status.membership.learners).toHaveLength(MEMBERS_MAX)
})
