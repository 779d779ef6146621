/** What a leader sends to whom, message by message: what is sent once, what again, and which answers it does not take at their word. */
import { describe, expect, test } from 'vitest'
import type { Envelope, RaftMessage } from '../../src/raft/index.ts'
import { Member, TIMING, type MemberInit } from './member.ts'

type Append = Extract<RaftMessage, { type: 'append' }>

const accepted = (match: number): RaftMessage => ({ type: 'append-accepted', term: 1, match })
const beaten = (seq: number, match: number): RaftMessage => ({ type: 'heartbeat-reply', term: 1, seq, match })
const refused = (prevIndex: number, hintIndex: number): RaftMessage => ({
  type: 'append-rejected',
  term: 1,
  prevIndex,
  hintIndex,
  hintTerm: 1
})
const appends = (said: readonly Envelope[], to: string): readonly Append[] =>
  said.filter((one) => one.to === to).flatMap(({ message }) => (message.type === 'append' ? [message] : []))
const indexes = (said: readonly Envelope[], to: string): readonly (readonly number[])[] =>
  appends(said, to).map(({ entries }) => entries.map(({ index }) => index))

/** n1 leads term 1; these have its no-op. */
function leader(init: MemberInit, ...following: readonly string[]): Member {
  const member = new Member(init)
  member.elect('n2', 'n3')
  for (const from of following) member.hear(from, accepted(1))
  expect(member.status.role).toBe('leader')
  return member
}

describe('an answer to a heartbeat', () => {
  test('that was not sent yet confirms nothing', () => {
    const member = leader({}, 'n2')
    member.tell({ type: 'read', ref: 9 })
    const outcomes = member.outcomes.length
    member.hear('n2', beaten(99, 1))
    member.hear('n2', beaten(0, 1))
    expect(member.outcomes).toHaveLength(outcomes)
    member.hear('n2', beaten(1, 1))
    expect(member.outcomes.at(-1)).toMatchObject({ type: 'readable', ref: 9 })
  })

  test('that comes after a newer one takes nothing back', () => {
    const member = leader({ size: 5 }, 'n2', 'n3')
    member.timeout()
    member.tell({ type: 'read', ref: 9 })
    for (const seq of [2, 1]) member.hear('n2', beaten(seq, 1))
    member.hear('n3', beaten(2, 1))
    expect(member.outcomes.at(-1)).toMatchObject({ type: 'readable', ref: 9 })
  })

  test('that was sent before another one says nothing about what was lost since', () => {
    const member = leader({}, 'n2')
    member.timeout()
    member.propose(1)
    member.hear('n2', accepted(2))
    member.timeout()
    member.hear('n2', beaten(1, 1))
    expect(member.status.progress[0]).toMatchObject({ id: 'n2', state: 'replicate' })
    member.hear('n2', beaten(2, 1))
    expect(member.status.progress[0]).toMatchObject({ id: 'n2', state: 'probe' })
  })

  test('shows that the end of what was sent is lost, and is asked about it without sending it again', () => {
    const member = leader({}, 'n2')
    expect(indexes(member.propose(1), 'n2')).toEqual([[2]])
    member.timeout()
    // What was sent after the heartbeat may still be on its way.
    expect(indexes(member.propose(2), 'n2')).toEqual([[3]])
    expect(appends(member.hear('n2', beaten(1, 1)), 'n2')).toMatchObject([{ prevIndex: 2, entries: [] }])
  })

  test('of one whose next entry is gone leads to a snapshot', () => {
    const member = leader({ limits: { inflightMax: 2, trailingEntriesMax: 1 } }, 'n2', 'n3')
    for (let ref = 1; ref <= 4; ref++) {
      member.propose(ref)
      member.hear('n3', accepted(ref + 1))
    }
    member.tell({ type: 'snapshotted', index: 5 })
    expect(member.status.firstIndex).toBe(5)
    member.timeout()
    const answer = { type: 'message', from: 'n2', message: beaten(1, 1) } as const
    expect(member.raft.step(answer, member.now).sendSnapshots).toEqual([{ to: 'n2', index: 5 }])
    member.tell({ type: 'snapshot-sent', peer: 'n2', index: 5 })
    member.timeout()
    expect(appends(member.hear('n2', beaten(2, 1)), 'n2')).toMatchObject([{ prevIndex: 5 }])
  })
})

describe('appends', () => {
  test('to members at the same place are one object', () => {
    const member = leader({}, 'n2', 'n3')
    const said = member.propose(1)
    const [one] = appends(said, 'n2')
    expect(one?.entries.map(({ index }) => index)).toEqual([2])
    expect(appends(said, 'n3')[0]).toBe(one)
  })

  test('carry what has come since the last one to somebody else', () => {
    const member = leader({ limits: { inflightMax: 1 } }, 'n2')
    expect(indexes(member.propose(1), 'n2')).toEqual([[2]])
    expect(member.propose(2)).toEqual([])
    expect(indexes(member.hear('n3', accepted(1)), 'n3')).toEqual([[2, 3]])
  })

  test('stop at the bytes that may be in flight', () => {
    const member = leader({ limits: { inflightBytesMax: 70 } }, 'n2')
    expect(indexes(member.propose(1, 'x'.repeat(40)), 'n2')).toEqual([[2]])
    expect(member.propose(2)).toEqual([])
    expect(indexes(member.hear('n2', accepted(2)), 'n2')).toEqual([[3]])
  })
})

describe('a member that has lost entries', () => {
  /** n2 has acknowledged up to 3, and is asked where it agrees. */
  function asking(): Member {
    const member = leader({}, 'n2')
    for (const ref of [1, 2]) member.propose(ref)
    member.hear('n2', accepted(3))
    return member
  }
  const alarms = (member: Member, message: RaftMessage): readonly unknown[] =>
    member.raft
      .step({ type: 'message', from: 'n2', message }, member.now)
      .events.flatMap((event) => (event.type === 'anomaly' ? [event.detail] : []))

  test('is reported, once', () => {
    const member = asking()
    member.tell({ type: 'connected', peer: 'n2' })
    expect(alarms(member, refused(3, 1))).toEqual(['has lost entries that it acknowledged: it ends before 3'])
    expect(alarms(member, refused(3, 1))).toEqual([])
  })

  test('is told from one that answers an earlier question, and from one that has not', () => {
    const member = asking()
    // Nothing is asked.
    expect(alarms(member, refused(3, 1))).toEqual([])
    member.tell({ type: 'connected', peer: 'n2' })
    for (const message of [refused(2, 1), refused(3, 3)]) expect(alarms(member, message)).toEqual([])
  })
})

test('connections of strangers are nothing to a leader', () => {
  const member = leader({}, 'n2')
  for (const type of ['connected', 'disconnected'] as const) {
    expect(member.tell({ type, peer: 'stranger' })).toEqual([])
  }
})

describe('a leader that is deposed', () => {
  interface Told {
    /** n3 answers every so many'th heartbeat. */
    readonly third?: number
    readonly asleepMs?: number
  }
  /** How long it lets the next leader be silent after n2 has answered each of 300 heartbeats at once. */
  function patienceMs(punctual: boolean, { third = Infinity, asleepMs = 0 }: Told = {}): number {
    const member = leader({ mode: 'staggered', timing: { ...TIMING, electionTimeoutMinMs: 20 } }, 'n2', 'n3')
    const answer = (from: string, seq: number): void => void member.hear(from, beaten(seq, 1))
    for (let seq = 1; seq <= 300; seq++) {
      member.timeout()
      if (punctual || seq % 5 === 0) answer('n2', seq)
      if (seq % third === 0) answer('n3', seq)
    }
    member.now += asleepMs
    member.tell({ type: 'tick' })
    answer('n2', 301)
    member.hear('n3', { type: 'heartbeat', term: 2, commit: 0, seq: 1, waitMs: 0, heir: 0 })
    return member.deadline! - member.now
  }

  test('has measured the member that would have followed it', () => {
    expect(patienceMs(true)).toBeLessThan(40)
    expect(patienceMs(false)).toBeGreaterThan(60)
  })

  test('has not measured the others, nor its own sleep', () => {
    expect(patienceMs(true, { third: 5 })).toBe(patienceMs(true))
    expect(patienceMs(true, { asleepMs: 1_000 })).toBeLessThan(40)
  })
})
