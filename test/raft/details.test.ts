/**
 * What voters, candidates, disk and log do at their edges: guards that a whole group rarely reaches. Each test here was written for a change
 * of the code that no other test noticed.
 */
import { describe, expect, test } from 'vitest'
import type { Envelope, Raft, RaftMessage } from '../../src/raft/index.ts'
import { entryBytes, Log } from '../../src/raft/log.ts'
import { PendingWrites } from '../../src/raft/pending-writes.ts'
import { majorityValue } from '../../src/raft/quorum.ts'
import { ReadQueue } from '../../src/raft/reads.ts'
import { log, Member, TIMING } from './member.ts'

const vote = (term: number, lastIndex = 0, lastTerm = 0): RaftMessage => ({
  type: 'vote',
  term,
  lastIndex,
  lastTerm,
  transfer: false
})
const preVote = (nextTerm: number, lastIndex = 0, lastTerm = 0): RaftMessage => ({
  type: 'pre-vote',
  nextTerm,
  round: 7,
  lastIndex,
  lastTerm
})
const reply = (term: number, granted: boolean): RaftMessage => ({ type: 'vote-reply', term, granted })
const grants = (said: readonly Envelope[]): readonly unknown[] =>
  said.map(({ message }) => ('granted' in message ? message.granted : message.type))

describe('a candidate', () => {
  test('goes on with its round until its deadline', () => {
    const member = new Member()
    member.timeout()
    member.now = member.deadline! - 1
    expect(member.tell({ type: 'tick' })).toEqual([])
    expect(member.status.term).toBe(1)
    member.now += 1
    member.tell({ type: 'tick' })
    expect(member.status.term).toBe(2)
  })

  test('asks a voter that it gets connected to and that has not answered; nobody else', () => {
    const member = new Member({ mode: 'staggered', size: 5 })
    member.timeout()
    member.hear('n2', reply(1, false))
    const asked = ['n2', 'n3', 'stranger'].flatMap((peer) => member.tell({ type: 'connected', peer }))
    expect(asked).toEqual([{ to: 'n3', message: vote(1) }])
    const classic = new Member({ size: 5 })
    classic.timeout()
    expect(classic.tell({ type: 'connected', peer: 'n3' })).toEqual([])
  })

  test('keeps a vote that it has, whatever arrives after it; and gets one after a refusal', () => {
    const member = new Member({ size: 5 })
    member.timeout()
    for (const granted of [true, false]) member.hear('n2', reply(1, granted))
    expect(member.status.role).toBe('candidate')
    for (const granted of [false, true]) member.hear('n3', reply(1, granted))
    expect(member.status.role).toBe('leader')
  })

  test('counts votes, not answers: what is no answer is not one', () => {
    const member = new Member({ size: 5 })
    member.timeout()
    member.hear('n2', { type: 'append-accepted', term: 1, match: 0 })
    member.hear('n3', reply(1, false))
    member.now = member.deadline!
    const { events } = member.raft.step({ type: 'tick' }, member.now)
    expect(events[0]).toEqual({ type: 'no-quorum', term: 1, heardFrom: ['n1', 'n3'] })
  })

  test('says how many voters have answered, itself included, whatever they said; a follower says nothing', () => {
    const membership = { voters: ['n1', 'n2', 'n3'], outgoing: [], learners: ['x'], learnersNext: [], autoLeave: false }
    const member = new Member({ size: 3, ...{ membership } })
    expect(member.status.answered).toBeUndefined()
    member.timeout()
    expect(member.status).toMatchObject({ role: 'candidate', answered: 1 })
    for (const [from, answered] of [
      ['n3', 2],
      ['x', 2],
      ['n3', 2]
    ] as const) {
      member.hear(from, { type: 'vote-reply', term: 1, granted: false })
      expect(member.status.answered).toBe(answered)
    }
    const asking = new Member({ preVote: true })
    asking.timeout()
    expect(asking.status).toMatchObject({ role: 'pre-candidate', answered: 1 })
    const writing = new Member()
    writing.raft.step({ type: 'tick' }, writing.deadline!)
    expect(writing.status).toMatchObject({ role: 'candidate', answered: 1 })
  })

  test('says how many have voted for it', () => {
    const member = new Member({ size: 5 })
    member.timeout()
    member.hear('n5', reply(1, false))
    member.hear('n2', reply(1, true))
    const { events } = member.raft.step({ type: 'message', from: 'n3', message: reply(1, true) }, member.now)
    expect(events[0]).toEqual({ type: 'role', role: 'leader', term: 1, reason: 'elected by 3' })
  })
})

describe('a voter', () => {
  test('would vote again only for whom it voted for', () => {
    const member = new Member({ term: 2, vote: 'n2' })
    expect(grants([...member.hear('n3', preVote(2)), ...member.hear('n2', preVote(2))])).toEqual([false, true])
    expect(grants([...member.hear('n3', preVote(1)), ...member.hear('n3', preVote(3))])).toEqual([false, true])
  })

  test('would vote for nobody in a term of the past, however long the log', () => {
    const member = new Member({ terms: [3] })
    expect(grants(member.hear('n2', preVote(2, 9, 3)))).toEqual([false])
  })

  test('that campaigns itself is not thrown off its term by a rival of the same one', () => {
    const member = new Member()
    member.timeout()
    expect(grants(member.hear('n2', vote(1)))).toEqual([false])
    expect(member.status.role).toBe('candidate')
    const leading = new Member()
    leading.elect('n2')
    expect(grants(leading.hear('n3', vote(1)))).toEqual([false])
    expect(leading.status.role).toBe('leader')
  })

  test('that asks for pre-votes ends its round when it votes for another one', () => {
    const member = new Member({ preVote: true, term: 3 })
    member.timeout()
    expect(member.status.role).toBe('pre-candidate')
    const { events, sendAfter } = member.raft.step({ type: 'message', from: 'n2', message: vote(3) }, member.now)
    expect(grants(sendAfter)).toEqual([true])
    expect(events[0]).toEqual({ type: 'role', role: 'follower', term: 3, reason: 'votes for n2' })
  })

  test('that asks for pre-votes goes on when it refuses', () => {
    const member = new Member({ preVote: true, term: 3, terms: [3] })
    member.timeout()
    expect(grants(member.hear('n2', vote(3)))).toEqual([false])
    expect(member.status.role).toBe('pre-candidate')
  })

  test('gives the one that it has voted for its time', () => {
    const member = new Member({ mode: 'staggered', rank: 0 })
    const before = member.deadline!
    member.now = before
    member.hear('n2', vote(1))
    expect(member.deadline).toBeGreaterThan(before)
  })

  test('that follows a leader without having voted for it votes for nobody else in its term', () => {
    const member = new Member({ term: 1 })
    member.hear('n2', { type: 'heartbeat', term: 2, commit: 0, seq: 1, waitMs: 0, heir: 0 })
    expect(grants(member.hear('n3', vote(2)))).toEqual([false])
    expect(member.status).toMatchObject({ role: 'follower', leader: 'n2', term: 2 })
  })

  test('that follows whom it voted for goes on following when the request for its vote comes again', () => {
    const member = new Member({ term: 1 })
    member.hear('n2', vote(2))
    member.hear('n2', { type: 'heartbeat', term: 2, commit: 0, seq: 1, waitMs: 0, heir: 0 })
    expect(grants(member.hear('n2', vote(2)))).toEqual([true])
    expect(member.status).toMatchObject({ role: 'follower', leader: 'n2', term: 2 })
  })

  test('hears a stranger only when its log is ahead', () => {
    const member = new Member({ terms: [1, 3] })
    for (const [index, term, heard] of [
      [9, 2, false],
      [1, 3, false],
      [2, 3, false],
      [3, 3, true],
      [1, 4, true]
    ] as const) {
      expect(member.hear('stranger', preVote(9, index, term))).toHaveLength(heard ? 1 : 0)
    }
  })
})

test('a majority is asked of its voters and of nobody else', () => {
  const asked: unknown[] = []
  majorityValue(['a', 'b', 'c'], (id) => asked.push(id))
  expect(asked).toEqual(['a', 'b', 'c'])
})

describe('a disk that does not answer', () => {
  const SINCE = 70

  /** A follower in term 1 whose write is under way since `SINCE`; its election timeout is over. */
  function waiting(diskStallMs: number): { readonly raft: Raft; readonly deadline: number } {
    const { raft } = new Member({ timing: { ...TIMING, diskStallMs } })
    const append: RaftMessage = { type: 'append', term: 1, prevIndex: 0, prevTerm: 0, commit: 0, entries: log(1) }
    const { deadline } = raft.step({ type: 'message', from: 'n2', message: append }, SINCE)
    return { raft, deadline: deadline! }
  }

  test('keeps a follower from campaigning from the moment on at which it counts as stalled', () => {
    const { deadline } = waiting(1000)
    for (const [stallMs, role] of [
      [deadline - SINCE + 1, 'candidate'],
      [deadline - SINCE, 'follower'],
      [1, 'follower']
    ] as const) {
      const { raft } = waiting(stallMs)
      raft.step({ type: 'tick' }, deadline)
      expect(raft.status().role).toBe(role)
    }
  })

  test('keeps it from nothing any more when it has answered', () => {
    const { raft, deadline } = waiting(1)
    raft.step({ type: 'persisted', write: 1 }, deadline)
    raft.step({ type: 'tick' }, deadline)
    expect(raft.status().role).toBe('candidate')
  })
})

test('a write is confirmed once, with all before it', () => {
  const writes = new PendingWrites()
  for (const stableTo of [1, 2, 3]) writes.issue(stableTo, 10 * stableTo)
  expect([writes.confirm(2), writes.confirm(2), writes.confirm(1), writes.oldestAt()]).toEqual([
    2,
    undefined,
    undefined,
    30
  ])
  expect(writes.persisted).toBe(2)
  expect([writes.confirm(3), writes.oldestAt()]).toEqual([3, undefined])
})

test('reads under way count as much as reads that wait, and none is forgotten', () => {
  const reads = new ReadQueue()
  for (const ref of [1, 2]) reads.add(ref)
  reads.launch(1, 5)
  reads.add(3)
  expect([reads.size, reads.wantsRound]).toEqual([3, false])
  expect(reads.abandon()).toEqual([1, 2, 3])
  expect(reads.size).toBe(0)
})

test('a batch of entries may be as large as its limit', () => {
  const full = new Log(log(1, 1, 1))
  const bytes = entryBytes(full.at(1))
  expect([2 * bytes - 1, 2 * bytes, 2 * bytes + 1].map((max) => full.slice(1, 9, max).length)).toEqual([1, 2, 2])
})

test('the commit index says whether it has moved', () => {
  const committing = new Log(log(1, 1))
  expect([1, 1, 0, 2].map((index) => committing.commitTo(index))).toEqual([true, false, false, true])
})
