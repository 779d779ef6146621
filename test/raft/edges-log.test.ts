/**
 * What a member makes of its log, of snapshots and of its own terms where two things meet. Like details.test.ts, each test here was
 * written for a change of the code that no other test noticed.
 */
import { describe, expect, test } from 'vitest'
import { encodeMembership } from '../../src/raft/index.ts'
import type { Entry, Envelope, RaftMessage, SnapshotMeta } from '../../src/raft/index.ts'
import { emptyState } from './embedder.ts'
import { log, Member, TIMING } from './member.ts'

const VOTERS = { voters: ['n1', 'n2', 'n3'], outgoing: [], learners: [], learnersNext: [], autoLeave: false }
const append = (term: number, entries: readonly Entry[], prevIndex = 0, prevTerm = 0, commit = 0): RaftMessage => ({
  type: 'append',
  term,
  prevIndex,
  prevTerm,
  commit,
  entries
})
const heartbeat = (term: number, seq = 1): RaftMessage => ({
  type: 'heartbeat',
  term,
  commit: 0,
  seq,
  waitMs: 0,
  heir: 0
})
const snapshotAt = (index: number, term: number): SnapshotMeta => ({ ...emptyState(VOTERS), index, term })
const install = (member: Member, index: number, term: number, from = 'n2', now = term): readonly Envelope[] =>
  member.tell({ type: 'install', from, term: now, snapshot: snapshotAt(index, term) })
/** What it says that it holds, when it is asked. */
const matchOf = (member: Member, term: number, from = 'n2'): unknown =>
  member.hear(from, heartbeat(term)).map(({ message }) => 'match' in message && message.match)

describe("a follower knows its log to be the leader's", () => {
  test('as far as it ever was, though an earlier append comes again', () => {
    const member = new Member()
    for (const terms of [[1, 1, 1], [1]]) member.hear('n2', append(1, log(...terms)))
    expect(matchOf(member, 1)).toEqual([3])
  })

  test('as far as a snapshot goes, and not less than before', () => {
    const member = new Member()
    install(member, 4, 1)
    expect(matchOf(member, 1)).toEqual([4])
    const ahead = new Member()
    ahead.hear('n2', append(1, log(1, 1, 1)))
    install(ahead, 2, 1)
    expect([matchOf(ahead, 1), ahead.status.commitIndex]).toEqual([[3], 2])
  })

  test('where an append begins before its log does, and goes on with other terms', () => {
    const member = new Member({ term: 1 })
    install(member, 2, 1)
    const said = member.hear('n2', append(3, log(1, 1, 2, 3)))
    expect(said).toEqual([{ to: 'n2', message: { type: 'append-accepted', term: 3, match: 4 } }])
  })

  test('commits what the newest word of its leader allows, whatever came later', () => {
    const member = new Member()
    member.hear('n2', { type: 'commit', term: 1, commit: 3 })
    member.hear('n2', heartbeat(1))
    member.hear('n2', append(1, log(1, 1, 1)))
    expect(member.status.commitIndex).toBe(3)
  })

  test('learns from a heartbeat what the lost news of a commit would have said', () => {
    const member = new Member()
    member.hear('n2', append(1, log(1, 1, 1)))
    member.hear('n2', { type: 'heartbeat', term: 1, commit: 2, seq: 1, waitMs: 0, heir: 0 })
    expect(member.status.commitIndex).toBe(2)
  })
})

describe('a snapshot from outside', () => {
  test('counts as a sign of life when the leader sends it, and not when another does', () => {
    const member = new Member({ mode: 'staggered', term: 1 })
    for (const [from, at, heardAt] of [
      ['n2', 10, 10],
      ['n2', 30, 30],
      ['n3', 50, 30]
    ] as const) {
      member.now = at
      install(member, 1, 1, from, from === 'n2' ? 2 : 1)
      expect(member.deadline).toBe(heardAt + TIMING.electionTimeoutMs)
    }
  })

  test('that is older than the log changes nothing', () => {
    const member = new Member()
    install(member, 4, 1)
    expect(install(member, 2, 1)).toEqual([{ to: 'n2', message: { type: 'append-accepted', term: 1, match: 4 } }])
    expect(member.status).toMatchObject({ firstIndex: 5, commitIndex: 4 })
  })

  test('is acknowledged to nobody when nobody leads', () => {
    const member = new Member({ term: 3 })
    expect(install(member, 4, 1)).toEqual([])
    expect(member.status.commitIndex).toBe(4)
  })

  test('stands for the membership entry that it ends with', () => {
    const entry = { index: 2, term: 1, type: 'membership', data: encodeMembership(VOTERS) } as const
    const { index, term } = entry
    const entries = [...log(1), entry, { ...log(1)[0]!, index: 3 }]
    const member = new Member({ term: 1, snapshot: { ...snapshotAt(index, term), membershipIndex: 2 }, ...{ entries } })
    expect(member.status).toMatchObject({ membershipIndex: 2, lastIndex: 3 })
  })
})

describe('a member', () => {
  test('does not listen to itself', () => {
    const member = new Member({ term: 1 })
    expect(member.hear('n1', heartbeat(2))).toEqual([])
    expect(install(member, 4, 2, 'n1')).toEqual([])
    expect(member.status).toMatchObject({ term: 1, commitIndex: 0 })
  })

  test("takes over only when the leader's last entry is its own, of the same term", () => {
    for (const [lastIndex, lastTerm, role] of [
      [1, 2, 'follower'],
      [2, 1, 'follower'],
      [1, 1, 'candidate']
    ] as const) {
      const member = new Member({ terms: [1], term: 2 })
      member.hear('n2', { type: 'transfer', term: 2, lastIndex, lastTerm })
      expect(member.status.role).toBe(role)
    }
  })

  test('remembers who has led the term, though it led itself and resigned', () => {
    const member = new Member({ checkQuorum: true })
    member.elect('n2')
    while (member.status.role === 'leader') member.timeout()
    const { events } = member.raft.step({ type: 'message', from: 'n2', message: heartbeat(1) }, member.now)
    expect(events).toEqual([{ type: 'anomaly', from: 'n2', detail: 'claims to lead term 1, which n1 leads' }])
  })

  test('campaigns while there is a term left', () => {
    const last = Number.MAX_SAFE_INTEGER - 1
    for (const [term, campaigns] of [
      [last - 1, true],
      [last, false]
    ] as const) {
      const member = new Member({ term })
      member.timeout()
      expect(member.status).toMatchObject(
        campaigns ? { role: 'candidate', term: term + 1 } : { role: 'follower', term }
      )
    }
  })

  test('forgets a connection that is closed', () => {
    const member = new Member({ self: 'n3', size: 5, mode: 'staggered', term: 1 })
    const before = member.deadline
    for (const [type, peer] of [
      ['connected', 'n1'],
      ['disconnected', 'n1'],
      ['connected', 'n4']
    ] as const) {
      member.tell({ type, peer })
      expect(member.deadline).toBe(before)
    }
  })

  test('gives a transfer its time, and no more', () => {
    const member = new Member()
    member.elect('n2')
    member.tell({ type: 'transfer', ref: 5, to: 'n2' })
    const end = member.now + TIMING.electionTimeoutMs
    for (member.now = end - 1; member.now <= end; member.now++) {
      expect(member.outcomes).toEqual([])
      member.tell({ type: 'tick' })
    }
    const detail = 'n2 did not take over in time'
    expect(member.outcomes).toEqual([{ type: 'refused', ref: 5, code: 'transfer-failed', detail }])
  })
})

describe('a disk', () => {
  const asked: RaftMessage = { type: 'transfer', term: 1, lastIndex: 1, lastTerm: 1 }
  const stalling = { timing: { ...TIMING, diskStallMs: 150 } }

  test('may say the same thing twice', () => {
    const { raft } = new Member()
    raft.step({ type: 'message', from: 'n2', message: append(1, log(1)) }, 0)
    for (let i = 0; i < 2; i++) raft.step({ type: 'persisted', write: 1 }, 0)
    expect(raft.status().durable?.lastIndex).toBe(1)
  })

  test('that wrote what was overwritten since holds the rest of it', () => {
    const { raft } = new Member()
    raft.step({ type: 'message', from: 'n2', message: append(1, log(1, 1, 1)) }, 0)
    raft.step({ type: 'message', from: 'n3', message: append(2, log(1, 2)) }, 0)
    raft.step({ type: 'persisted', write: 1 }, 0)
    expect(raft.status()).toMatchObject({ lastIndex: 2, durable: undefined })
    raft.step({ type: 'message', from: 'n3', message: append(2, [{ ...log(2)[0]!, index: 3 }], 2, 2) }, 0)
    raft.step({ type: 'persisted', write: 2 }, 0)
    expect(raft.status()).toMatchObject({ lastIndex: 3, durable: { lastIndex: 2 } })
  })

  test('that does not answer lets its member take nothing over', () => {
    for (const [now, role] of [
      [149, 'candidate'],
      [150, 'follower']
    ] as const) {
      const { raft } = new Member(stalling)
      raft.step({ type: 'message', from: 'n2', message: append(1, log(1)) }, 0)
      raft.step({ type: 'message', from: 'n2', message: asked }, now)
      expect(raft.status().role).toBe(role)
    }
  })

  test('that stops answering ends a campaign, and the reason is said', () => {
    const { raft } = new Member({ timing: { ...TIMING, diskStallMs: 220 }, preVote: true })
    const { deadline } = raft.step({ type: 'message', from: 'n2', message: append(1, log(1)) }, 0)
    const { deadline: again } = raft.step({ type: 'tick' }, deadline!)
    expect(raft.status().role).toBe('pre-candidate')
    const { events } = raft.step({ type: 'tick' }, Math.max(again!, 220))
    expect(events.filter(({ type }) => type === 'role')).toEqual([
      { type: 'role', role: 'follower', term: 1, reason: 'the disk does not answer' }
    ])
  })
})
