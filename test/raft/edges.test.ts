/**
 * What one member does where two things meet: writes that overlap, terms that end, logs that are cut. Like details.test.ts, each
 * test here was written for a change of the code that no other test noticed.
 */
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { seededRandom, type Random } from '../../src/core/random.ts'
import { Durability } from '../../src/raft/durability.ts'
import { createRaft } from '../../src/raft/index.ts'
import type { Raft, RaftInit, RaftMessage } from '../../src/raft/index.ts'
import { Log } from '../../src/raft/log.ts'
import { PendingWrites } from '../../src/raft/pending-writes.ts'
import { emptyState } from './embedder.ts'
import { log, Member, TIMING, type MemberInit } from './member.ts'

/** n1 of three, whose disk confirms when the test says so. */
function slow(init: Partial<RaftInit> = {}): Raft {
  const raft = createRaft({
    self: 'n1',
    membership: { voters: ['n1', 'n2', 'n3'], outgoing: [], learners: [], learnersNext: [], autoLeave: false },
    hardState: { term: 1, votedFor: undefined },
    entries: [],
    timing: TIMING,
    mode: 'classic',
    preVote: false,
    checkQuorum: false,
    random: seededRandom('edges'),
    ...init
  })
  raft.start(0)
  return raft
}
const hear = (raft: Raft, message: RaftMessage, now = 0, from = 'n2') =>
  raft.step({ type: 'message', from, message }, now)
const append = (terms: readonly number[], commit = 0): RaftMessage => ({
  type: 'append',
  term: terms.at(-1)!,
  prevIndex: 0,
  prevTerm: 0,
  commit,
  entries: log(...terms)
})
const heartbeat = (term: number, seq = 1): Extract<RaftMessage, { type: 'heartbeat' }> => ({
  type: 'heartbeat',
  term,
  commit: 0,
  seq,
  waitMs: 0,
  heir: 0
})

describe('writes', () => {
  test('of entries alone keep no answer back that rests on the term only', () => {
    const raft = slow()
    expect(hear(raft, append([1])).write).toEqual({ id: 1, entries: log(1) })
    const { send, sendAfter } = hear(raft, heartbeat(1))
    expect([send.map(({ message }) => message.type), sendAfter]).toEqual([['heartbeat-reply'], []])
  })

  test('name what they hold, and nothing else', () => {
    const raft = slow()
    expect(Object.keys(hear(raft, append([1])).write!)).toEqual(['id', 'entries'])
    expect(Object.keys(hear(raft, heartbeat(2)).write!)).toEqual(['id', 'hardState'])
    expect(Object.keys(hear(raft, append([1, 3])).write!)).toEqual(['id', 'hardState', 'entries'])
  })

  test('that were handed out before the own vote do not stand for it', () => {
    const raft = slow()
    const { deadline } = hear(raft, append([1]))
    expect(raft.step({ type: 'tick' }, deadline!).write).toMatchObject({ id: 2, hardState: { votedFor: 'n1' } })
    hear(raft, { type: 'vote-reply', term: 2, granted: true }, deadline)
    raft.step({ type: 'persisted', write: 1 }, deadline!)
    expect(raft.status().role).toBe('candidate')
    raft.step({ type: 'persisted', write: 2 }, deadline!)
    expect(raft.status().role).toBe('leader')
  })
})

/** Leads term 2 with its no-op at 1, and an entry for request 7 at 2 that has committed; `durable` here. */
function leading(durable: boolean): Raft {
  const raft = slow()
  const { deadline } = raft.step({ type: 'tick' }, 0)
  raft.step({ type: 'tick' }, deadline!)
  raft.step({ type: 'persisted', write: 1 }, deadline!)
  hear(raft, { type: 'vote-reply', term: 2, granted: true }, deadline)
  const { write } = raft.step({ type: 'propose', ref: 7, data: utf8('x') }, deadline!)
  if (durable) raft.step({ type: 'persisted', write: write!.id }, deadline!)
  for (const from of ['n2', 'n3']) hear(raft, { type: 'append-accepted', term: 2, match: 2 }, deadline, from)
  expect(raft.status()).toMatchObject({ role: 'leader', commitIndex: 2 })
  return raft
}
const install = (raft: Raft, index: number, term: number) =>
  raft.step(
    { type: 'install', from: 'n2', term, snapshot: { ...emptyState(raft.status().membership), index, term } },
    0
  )

describe('a follower', () => {
  test('whose very first timer is late listens before it campaigns', () => {
    const member = new Member({ mode: 'staggered' })
    member.now = member.deadline! + TIMING.heartbeatMs + 1
    member.tell({ type: 'tick' })
    expect([member.status.role, member.deadline]).toEqual(['follower', member.now + TIMING.rankStepMs])
    member.now = member.deadline! + TIMING.heartbeatMs + 1
    member.tell({ type: 'tick' })
    expect(member.status.role).toBe('candidate')
  })

  test('whose timer is late after it has voted listens first, too', () => {
    const member = new Member({ mode: 'staggered' })
    member.hear('n2', { type: 'vote', term: 1, lastIndex: 0, lastTerm: 0, transfer: false })
    member.now = member.deadline! + TIMING.heartbeatMs + 1
    member.tell({ type: 'tick' })
    expect(member.status.role).toBe('follower')
  })

  test('that hears its leader again owes nobody anything', () => {
    const member = new Member({ mode: 'staggered', term: 1 })
    member.hear('n2', { ...heartbeat(1), waitMs: 30 })
    member.hear('n3', { type: 'pre-vote', nextTerm: 2, round: 4, lastIndex: 0, lastTerm: 0 })
    member.hear('n2', { ...heartbeat(1, 2), waitMs: 30 })
    expect(member.deadline).toBe(TIMING.electionTimeoutMs + 30)
    expect(member.tell({ type: 'disconnected', peer: 'n2' })).toEqual([])
  })

  test('that owes a pre-vote grants it to members only, and to nobody for whom it could not vote any more', () => {
    const member = new Member({ mode: 'staggered', term: 1 })
    member.hear('n2', heartbeat(1))
    for (const from of ['n3', 'stranger']) {
      const asked = { type: 'pre-vote', nextTerm: 2, round: 4, lastIndex: 1, lastTerm: 1 } as const
      expect(member.hear(from, asked)).toMatchObject([{ to: from, message: { granted: false } }])
    }
    const voting = new Member({ mode: 'staggered', term: 1 })
    voting.hear('n2', heartbeat(1))
    voting.hear('n3', { type: 'pre-vote', nextTerm: 2, round: 4, lastIndex: 0, lastTerm: 0 })
    voting.hear('n2', { type: 'vote', term: 2, lastIndex: 0, lastTerm: 0, transfer: true })
    for (const one of [member, voting]) one.now = TIMING.electionTimeoutMs
    const granted = [member, voting].map((one) =>
      one
        .tell({ type: 'tick' })
        .filter(({ message }) => message.type === 'pre-vote-reply')
        .map(({ to }) => to)
    )
    expect(granted).toEqual([['n3'], []])
  })

  test('loses its leader with the connection to it, and with no other; with none where timeouts are classic', () => {
    for (const [mode, peer, leader] of [
      ['staggered', 'n3', 'n2'],
      ['classic', 'n2', 'n2'],
      ['staggered', 'n2', undefined]
    ] as const) {
      const member = new Member({ mode, term: 1 })
      member.hear('n2', heartbeat(1))
      member.tell({ type: 'disconnected', peer })
      expect(member.status.leader).toBe(leader)
    }
    const learning = new Member({ self: 'x', mode: 'staggered', term: 1 })
    learning.hear('n2', heartbeat(1))
    const { deadline } = learning
    learning.tell({ type: 'disconnected', peer: 'n2' })
    expect(learning.deadline).toBe(deadline)
  })

  test('measures how late heartbeats are, not what comes between them', () => {
    const patience = [false, true].map((busy) => {
      const member = new Member({ mode: 'staggered', timing: { ...TIMING, electionTimeoutMinMs: 20 } })
      for (const at of [10, 20, 30, 90]) {
        member.now = at
        const lastOne = { type: 'append', term: 1, prevIndex: 0, prevTerm: 0, commit: 0, entries: [] } as const
        member.hear('n2', { ...heartbeat(1, at), waitMs: 0 })
        if (busy)
          for (const between of [3, 5]) {
            member.now = at + between
            member.hear('n2', lastOne)
          }
      }
      member.now = 100
      member.hear('n2', { ...heartbeat(1, 100), waitMs: 0 })
      return member.deadline
    })
    expect(patience[1]).toBe(patience[0])
  })

  describe('without a leader', () => {
    const staggered = (init: MemberInit): Member => new Member({ self: 'n3', mode: 'staggered', term: 1, ...init })
    const connect = (member: Member, ...peers: readonly string[]): readonly (number | undefined)[] =>
      peers.map((peer) => {
        member.tell({ type: 'connected', peer })
        return member.deadline
      })

    test('campaigns sooner once a majority is connected, and leaves a leader the time to say so', () => {
      // Two go before n3.
      const turn = 2 * TIMING.rankStepMs
      const patient = TIMING.electionTimeoutMs + turn
      const soon = TIMING.heartbeatMs + turn
      expect(connect(staggered({ size: 3 }), 'n1', 'n2')).toEqual([soon, soon])
      expect(connect(staggered({ size: 5 }), 'n1', 'stranger', 'n4', 'n5')).toEqual([patient, patient, soon, soon])
    })

    test('leaves nobody any time in a group that has never had a leader', () => {
      const tails = [0.9, 0.1]
      const random: Random = { next: () => tails.shift()!, int: (low) => low, fork: () => random }
      const member = staggered({ term: 0, random, timing: { ...TIMING, jitterMs: 100 } })
      expect([member.deadline, ...connect(member, 'n1')]).toEqual([110, 30])
    })

    test('changes nothing where a leader is known, timeouts are classic, or it does not vote', () => {
      const following = staggered({})
      following.hear('n1', heartbeat(1))
      const classic = staggered({ mode: 'classic' })
      const stranger = staggered({ self: 'x' })
      stranger.timeout()
      expect(stranger.deadline).toBeUndefined()
      for (const member of [following, classic, stranger]) {
        const before = member.deadline
        expect(connect(member, 'n1', 'n2')).toEqual([before, before])
      }
    })
  })

  test('that owes a pre-vote wakes when its leader is lost, not only when it campaigns itself', () => {
    const member = new Member({ mode: 'staggered', term: 1, preVote: true, checkQuorum: true })
    member.hear('n2', { type: 'heartbeat', term: 1, commit: 0, seq: 1, waitMs: 30, heir: 0 })
    const asked: RaftMessage = { type: 'pre-vote', nextTerm: 2, round: 4, lastIndex: 0, lastTerm: 0 }
    expect(member.deadline).toBe(TIMING.electionTimeoutMs + 30)
    expect(member.hear('n3', asked)).toMatchObject([{ to: 'n3', message: { granted: false } }])
    expect(member.deadline).toBe(TIMING.electionTimeoutMs)
    member.now = TIMING.electionTimeoutMs - 1
    expect(member.tell({ type: 'tick' })).toEqual([])
    expect(member.timeout()).toEqual([
      { to: 'n3', message: { type: 'pre-vote-reply', term: 1, round: 4, granted: true } }
    ])
    expect(member.deadline).toBe(TIMING.electionTimeoutMs + 30)
  })
})

describe('a request', () => {
  test('that was answered is not answered again when a snapshot takes the place of the log', () => {
    const raft = leading(true)
    expect(install(raft, 9, 3)).toMatchObject({ outcomes: [], write: { snapshot: { index: 9, term: 3 } } })
  })

  test('that a snapshot answered is not looked for in the next one', () => {
    const raft = leading(false)
    expect(install(raft, 9, 3).outcomes).toEqual([{ type: 'committed', ref: 7, index: 2, term: 2 }])
    expect(install(raft, 12, 3)).toMatchObject({ outcomes: [], write: { snapshot: { index: 12 } } })
  })
})

describe('a read', () => {
  test('waits until what has committed is handed out here, though the others have it already', () => {
    const raft = leading(false)
    const { send } = raft.step({ type: 'read', ref: 8 }, 0)
    const beat = send.map(({ message }) => message).find(({ type }) => type === 'heartbeat')
    const seq = beat?.type === 'heartbeat' ? beat.seq : 0
    const answer: RaftMessage = { type: 'heartbeat-reply', term: 2, seq, match: 2 }
    expect(hear(raft, answer).outcomes).toEqual([])
    expect(raft.step({ type: 'persisted', write: 2 }, 0)).toMatchObject({
      committed: [{ index: 1 }],
      outcomes: []
    })
    expect(raft.step({ type: 'persisted', write: 3 }, 0).outcomes).toEqual([
      { type: 'committed', ref: 7, index: 2, term: 2 },
      { type: 'readable', ref: 8, index: 2 }
    ])
  })
})

test('a transfer fails when another one leads', () => {
  const member = new Member()
  member.elect('n2')
  member.tell({ type: 'transfer', ref: 5, to: 'n2' })
  member.hear('n3', heartbeat(2))
  expect(member.outcomes).toEqual([{ type: 'refused', ref: 5, code: 'transfer-failed', detail: 'n3 leads now' }])
})

describe('a snapshot', () => {
  const saved = (raft: Raft, index: number) => raft.step({ type: 'snapshotted', index }, 0)

  test('that is older than the last one changes nothing, though the log still holds its entry', () => {
    const raft = slow()
    hear(raft, append([1, 1, 1], 3))
    raft.step({ type: 'persisted', write: 1 }, 0)
    for (const index of [3, 2]) expect(saved(raft, index).write).toBeUndefined()
    expect(raft.status()).toMatchObject({ snapshotIndex: 3, firstIndex: 1 })
  })

  test('that contradicts itself is reported with what is wrong', () => {
    const { events } = install(slow(), 4, 2)
    expect(events.filter(({ type }) => type === 'anomaly')).toEqual([])
    const raft = slow()
    const snapshot = { ...emptyState(raft.status().membership), index: 4, term: 3, membershipIndex: 2 }
    expect(raft.step({ type: 'install', from: 'n2', term: 2, snapshot }, 0).events).toEqual([
      { type: 'anomaly', from: 'n2', detail: 'leads term 2 and sends 4@3 with the members of 2' }
    ])
  })
})

test('a pre-vote that comes late keeps no leader in office', () => {
  const member = new Member({ checkQuorum: true })
  member.elect('n2')
  const { electionTimeoutMs } = TIMING
  const elected = member.now
  for (let i = 1; i <= electionTimeoutMs; i++) {
    member.now = elected + i
    for (const from of ['n2', 'n3']) member.hear(from, { type: 'pre-vote-reply', term: 1, round: 1, granted: true })
  }
  expect(member.status.role).toBe('follower')
})

describe('what nobody may ask for is refused', () => {
  test('by the log', () => {
    const two = new Log(log(1, 2))
    expect(() => two.at(3)).toThrow('no entry 3 in a log from 0 to 2')
    expect(() => two.append({ ...log(2)[0]!, index: 4 })).toThrow('entry 4 appended after 2')
    expect(() => two.append({ ...log(1)[0]!, index: 3 })).toThrow('term 1 appended after 2')
    expect(() => two.commitTo(3)).toThrow('commit of 3 in a log of 2')
    two.commitTo(1)
    expect(() => two.truncate(1)).toThrow('truncation at 1 would undo the commit of 1')
    expect(() => two.replace({ index: 1, term: 1 })).toThrow('a snapshot of 1 would undo the commit of 1')
    expect(() => two.compact(1)).toThrow('entries up to 1 cannot be forgotten: the log begins after 0, 0 is out')
    two.emitted = 1
    two.compact(1)
    expect(() => two.compact(0)).toThrow('entries up to 0 cannot be forgotten: the log begins after 1, 1 is out')
    expect(two.tail(2)).toEqual(log(1, 2).slice(1))
  })

  test('by what keeps term and vote', () => {
    const disk = new Durability({ term: 2, votedFor: 'n1' })
    expect(() => disk.enterTerm(2, undefined)).toThrow('term 2 follows 2')
    expect(() => disk.vote('n2')).toThrow('one vote a term')
    disk.vote('n1')
    expect(disk.hardStateDurable).toBe(true)
  })

  test('by one member: a state that nobody was handed, inputs and messages that there are not', () => {
    const raft = slow()
    expect(() => raft.step({ type: 'snapshotted', index: 1 }, 0)).toThrow('a snapshot of 1, but only 0 was handed out')
    expect(() => raft.step({ type: 'dance' } as never, 0)).toThrow('unexpected value {"type":"dance"}')
    expect(() => hear(raft, { type: 'dance', term: 1 } as never)).toThrow('unexpected value {"type":"dance","term":1}')
  })

  test('by what waits for the disk', () => {
    const writes = new PendingWrites()
    expect(() => writes.confirm(1)).toThrow('write 1 confirmed, but only 0 were handed out')
  })
})
