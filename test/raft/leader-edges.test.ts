/** What a leader accepts, refuses and starts, and when: requests, changes of the members, hand-over, time. */
import { describe, expect, test } from 'vitest'
import { encodeMembership } from '../../src/raft/index.ts'
import type { Entry, MembershipChange, Outcome, RaftMessage } from '../../src/raft/index.ts'
import { entryBytes } from '../../src/raft/log.ts'
import { Outbox } from '../../src/raft/outbox.ts'
import { log, Member, TIMING, type MemberInit } from './member.ts'

const accepted = (match: number): RaftMessage => ({ type: 'append-accepted', term: 1, match })
const change = (member: Member, ref: number, wanted: Partial<MembershipChange>): void =>
  void member.tell({
    type: 'change-membership',
    ref,
    change: { voters: ['n1', 'n2', 'n3'], learners: [], ...wanted }
  })
const newest = (member: Member): Outcome | undefined => member.outcomes.at(-1)
const refused = (ref: number, code: string, detail: string) => ({ type: 'refused', ref, code, detail })

/** n1 leads term 1, and its no-op has committed. */
function leader(init: MemberInit = {}): Member {
  const member = new Member(init)
  member.elect('n2', 'n3')
  member.hear('n2', accepted(1))
  expect(member.raft.view).toMatchObject({ role: 'leader', writable: true })
  return member
}

describe('proposals', () => {
  test('may be as large as an entry may be, and together as large as what may wait', () => {
    const member = new Member({ terms: [1, 1, 1], limits: { uncommittedBytesMax: 140, entryBytesMax: 20 } })
    member.elect('n2')
    const waiting = member.entries.reduce((sum, entry) => sum + entryBytes(entry), 0)
    expect(waiting).toBe(134)
    member.propose(1, 'x'.repeat(21))
    expect(newest(member)).toEqual(refused(1, 'too-large', '21 bytes, the limit for one entry is 20'))
    member.propose(2, 'x'.repeat(7))
    expect(newest(member)).toEqual(refused(2, 'busy', '134 bytes wait for their commit, the limit is 140'))
    member.propose(3, 'x'.repeat(6))
    expect(member.outcomes).toHaveLength(2)
    member.hear('n2', { type: 'append-accepted', term: 2, match: 5 })
    expect(newest(member)).toMatchObject({ type: 'committed', ref: 3 })
  })

  test('are taken when nothing waits, however little may', () => {
    const member = leader({ limits: { uncommittedBytesMax: 10, entryBytesMax: 20 } })
    member.propose(1, 'x'.repeat(20))
    expect(member.entries).toHaveLength(2)
    member.propose(2)
    expect(newest(member)).toEqual(refused(2, 'busy', '52 bytes wait for their commit, the limit is 10'))
  })
})

describe('a change of the members', () => {
  test('waits for the one before it, of learners too', () => {
    const member = leader()
    change(member, 1, { learners: ['x'] })
    change(member, 2, { learners: ['x', 'y'] })
    expect(newest(member)).toEqual(refused(2, 'change-in-progress', 'the change at 2 is not finished'))
    member.hear('n2', accepted(2))
    expect(newest(member)).toEqual({ type: 'committed', ref: 1, index: 2, term: 1 })
    change(member, 3, { learners: ['x', 'y'] })
    expect(member.entries).toHaveLength(3)
  })

  test('waits for a hand-over', () => {
    const member = leader()
    member.tell({ type: 'transfer', ref: 1, to: 'n3' })
    change(member, 2, { learners: ['x'] })
    expect(newest(member)).toEqual(refused(2, 'busy', 'leadership is being handed to n3'))
  })

  test('names who has to catch up first, and how far that is', () => {
    const member = leader({ limits: { catchUpEntriesMax: 1 } })
    const voters = ['n1', 'n2', 'n3', 'x']
    change(member, 1, { voters: [...voters, 'y'] })
    expect(newest(member)).toEqual(refused(1, 'not-caught-up', 'add as learners first, and wait for: x, y'))
    change(member, 2, { learners: ['x'] })
    member.hear('n2', accepted(2))
    member.propose(3)
    member.hear('x', accepted(1))
    change(member, 4, { voters })
    expect(newest(member)).toEqual(refused(4, 'not-caught-up', 'add as learners first, and wait for: x'))
    member.hear('x', accepted(2))
    change(member, 5, { voters })
    expect(member.entries.at(-1)).toMatchObject({ index: 4, type: 'membership' })
  })

  test('counts on nobody who was silent for an election timeout', () => {
    for (const [silentMs, isRefused] of [
      [TIMING.electionTimeoutMs - 1, false],
      [TIMING.electionTimeoutMs, true]
    ] as const) {
      const member = leader()
      member.now += silentMs
      change(member, 1, { voters: ['n1', 'n2'] })
      expect(member.outcomes).toEqual(
        isRefused ? [refused(1, 'would-lose-quorum', 'only 1 of the 2 voters answer')] : []
      )
    }
  })

  test('leaves the joint configuration when that has committed, and not with what came before', () => {
    const member = leader()
    member.propose(1)
    change(member, 2, { voters: ['n1', 'n2'] })
    member.hear('n2', accepted(2))
    expect(member.entries).toHaveLength(3)
    member.hear('n2', accepted(3))
    expect(member.entries.at(-1)).toMatchObject({ index: 4, type: 'membership' })
  })

  test('that another leader began is ended without telling anybody here', () => {
    const joint = {
      voters: ['n1', 'n2'],
      outgoing: ['n1', 'n2', 'n3'],
      learners: [],
      learnersNext: [],
      autoLeave: true
    }
    const entry: Entry = { index: 2, term: 1, type: 'membership', data: encodeMembership(joint) }
    const member = new Member({ term: 1, ...{ entries: [...log(1), entry] } })
    member.elect('n2', 'n3')
    for (const match of [3, 4]) member.hear('n2', { type: 'append-accepted', term: 2, match })
    expect(member.status).toMatchObject({ commitIndex: 4, membership: { voters: ['n1', 'n2'], outgoing: [] } })
    expect(member.outcomes).toEqual([])
  })
})

describe('time', () => {
  test('brings heartbeats when they are due, and a leader alone has none', () => {
    const member = leader()
    member.now = member.deadline! - 1
    expect(member.tell({ type: 'tick' })).toEqual([])
    expect(member.timeout()).toHaveLength(2)
    const alone = new Member({ size: 1 })
    alone.elect()
    expect([alone.status.role, alone.deadline]).toEqual(['leader', undefined])
  })

  test('brings nothing but heartbeats while a quorum answers them, and CheckQuorum at its own moment when none does', () => {
    const member = leader({ checkQuorum: true })
    const wakes: number[] = []
    for (let beat = 0; beat < 50; beat++) {
      const sent = member.timeout()
      wakes.push(member.now)
      expect(sent.map(({ message }) => message.type)).toEqual(['heartbeat', 'heartbeat'])
      const { message } = sent[0]!
      // Never at the moment at which CheckQuorum would look.
      member.now += 1 + (beat % 3)
      member.hear('n2', {
        type: 'heartbeat-reply',
        term: 1,
        seq: message.type === 'heartbeat' ? message.seq : 0,
        match: 1
      })
    }
    for (let i = 1; i < wakes.length; i++) expect(wakes[i]! - wakes[i - 1]!).toBe(TIMING.heartbeatMs)
    const heardAt = member.now
    while (member.status.role === 'leader') member.timeout()
    expect(member.now).toBe(heardAt + TIMING.electionTimeoutMs)
  })

  test('brings the first heartbeat to whoever joins a leader that was alone, and puts none off', () => {
    const alone = new Member({ size: 1 })
    alone.elect()
    change(alone, 1, { voters: ['n1'], learners: ['x'] })
    expect(alone.deadline).toBe(alone.now + TIMING.heartbeatMs)
    const member = leader()
    const due = member.deadline
    member.now += 1
    change(member, 1, { learners: ['x'] })
    expect(member.deadline).toBe(due)
  })
})

test('a hand-over is told to its target as soon as that has everything', () => {
  const member = leader()
  member.propose(1)
  const types = (said: ReturnType<Member['tell']>): readonly string[] => said.map(({ message }) => message.type)
  // Nobody is told anything before that is asked for, nor is anybody else after it.
  expect(types(member.hear('n3', accepted(1)))).not.toContain('transfer')
  expect(types(member.tell({ type: 'transfer', ref: 2, to: 'n2' }))).not.toContain('transfer')
  expect(types(member.hear('n3', accepted(2)))).not.toContain('transfer')
  expect(types(member.hear('n2', accepted(2)))).toContain('transfer')
  member.tell({ type: 'read', ref: 3 })
  expect(types(member.hear('n2', accepted(2)))).not.toContain('transfer')
})

test('whoever catches up is not told to campaign when no hand-over was asked for', () => {
  const member = leader()
  member.propose(1)
  for (const from of ['n2', 'n3']) {
    expect(member.hear(from, accepted(2)).filter(({ message }) => message.type === 'transfer')).toEqual([])
  }
})

test('a leader of last resort makes way for nobody who has not answered, and alone for nobody at all', () => {
  const alone = new Member({ size: 1, priority: 0 })
  alone.elect()
  alone.tell({ type: 'tick' })
  expect(alone.status.role).toBe('leader')
  const member = leader({ priority: 0 })
  const told = (said: ReturnType<Member['tell']>): readonly string[] =>
    said.filter(({ message }) => message.type === 'transfer').map(({ to }) => to)
  expect(told(member.timeout())).toEqual([])
  member.hear('n2', { type: 'heartbeat-reply', term: 1, seq: 1, match: 1 })
  expect(told(member.timeout())).toEqual(['n2'])
})

test('a leader whose disk does not answer hands over to whoever has everything, and resigns without one', () => {
  for (const [match, isThere, told] of [
    [2, true, ['n2']],
    [1, true, []],
    [2, false, []]
  ] as const) {
    const { raft, now } = leader({ timing: { ...TIMING, diskStallMs: 50 } })
    raft.step({ type: 'propose', ref: 1, data: new Uint8Array() }, now)
    raft.step({ type: 'message', from: 'n2', message: accepted(match) }, now)
    if (!isThere) for (const peer of ['n2', 'n3']) raft.step({ type: 'disconnected', peer }, now)
    const { send } = raft.step({ type: 'tick' }, now + 50)
    expect(send.filter(({ message }) => message.type === 'transfer').map(({ to }) => to)).toEqual(told)
    expect(raft.view).toMatchObject({ role: 'follower', writable: false })
  }
})

test('news about a snapshot asks nobody for an answer, whoever hears it', () => {
  const member = new Member()
  member.tell({ type: 'snapshot-failed', peer: 'n2', index: 1 })
  expect(member.outcomes).toEqual([])
})

test('what may leave after the disk leaves behind the rest when the disk is not asked for anything', () => {
  const outbox = new Outbox()
  const message: RaftMessage = { type: 'commit', term: 1, commit: 1 }
  const all = ['n2', 'n3'].map((to) => ({ to, message }))
  outbox.sendLater('n3', message)
  outbox.send('n2', message)
  expect(outbox.drain(true)).toMatchObject({ send: all, sendAfter: [] })
  for (const { to } of all) outbox.sendLater(to, message)
  expect(outbox.drain(true)).toMatchObject({ send: all, sendAfter: [] })
  for (const { to } of all) outbox.send(to, message)
  expect(outbox.drain(true)).toMatchObject({ send: all, sendAfter: [] })
  outbox.sendLater('n3', message)
  outbox.send('n2', message)
  expect(outbox.drain(false)).toMatchObject({ send: [all[0]], sendAfter: [all[1]] })
})
