/**
 * What one member does where two things meet: writes that overlap, terms that end, logs that are cut. Like details.test.ts, each
 * test here was written for a change of the code that no other test noticed.
 */
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { seededRandom } from '../../src/core/random.ts'
import { Durability } from '../../src/raft/durability.ts'
import { createRaft } from '../../src/raft/index.ts'
import type { Raft, RaftInit, RaftMessage } from '../../src/raft/index.ts'
import { Log } from '../../src/raft/log.ts'
import { PendingWrites } from '../../src/raft/pending-writes.ts'
import { emptyState } from './embedder.ts'
import { log, Member, TIMING } from './member.ts'

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
const heartbeat = (term: number, seq = 1): RaftMessage => ({ type: 'heartbeat', term, commit: 0, seq, waitMs: 0 })

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
