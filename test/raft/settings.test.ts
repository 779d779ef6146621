/** What a member is configured with, refused with the rule that it breaks; and what it shows of itself. */
import { describe, expect, test } from 'vitest'
import { InvalidOptionError } from '../../src/core/errors.ts'
import { createRaft } from '../../src/raft/index.ts'
import type { RaftInit, RaftTiming } from '../../src/raft/index.ts'
import { Suspicion } from '../../src/raft/suspicion.ts'
import { seededRandom } from '../../src/core/random.ts'
import { emptyState } from './embedder.ts'
import { log, Member, TIMING } from './member.ts'

function errorOf(init: Partial<RaftInit>): InvalidOptionError {
  try {
    const member = new Member({ term: 9, ...init })
    throw new Error(`it became a ${member.status.role}`)
  } catch (error) {
    if (error instanceof InvalidOptionError) return error
    throw error
  }
}

describe('timing', () => {
  const all = {
    heartbeatMs: 10,
    electionTimeoutMs: 100,
    electionTimeoutMinMs: 50,
    rankStepMs: 10,
    rankStepMinMs: 5,
    rankStepMaxMs: 20,
    jitterMs: 0,
    diskStallMs: 1
  }
  const refusal = (timing: RaftTiming): unknown => {
    try {
      const { raft } = new Member({ timing })
      return raft.status().role
    } catch (error) {
      return error instanceof InvalidOptionError ? error.message : error
    }
  }

  test.each([
    [{ heartbeatMs: 0 }, 'heartbeatMs is above 0; it is 0'],
    [{ heartbeatMs: 100 }, 'electionTimeoutMs is above heartbeatMs; it is 100'],
    [{ electionTimeoutMinMs: 10 }, 'electionTimeoutMinMs is above heartbeatMs; it is 10'],
    [{ electionTimeoutMinMs: 101 }, 'electionTimeoutMinMs is at most electionTimeoutMs; it is 101'],
    [{ rankStepMinMs: 0 }, 'rankStepMinMs is above 0; it is 0'],
    [{ rankStepMinMs: 11 }, 'rankStepMs is at least rankStepMinMs; it is 10'],
    [{ rankStepMaxMs: 9 }, 'rankStepMs is at most rankStepMaxMs; it is 10'],
    [{ jitterMs: -1 }, 'jitterMs is not negative; it is -1'],
    [{ diskStallMs: 0 }, 'diskStallMs is above 0; it is 0'],
    [{ jitterMs: Number.NaN }, 'jitterMs is not negative; it is NaN']
  ])('%j is refused with the rule that it breaks', (wrong, rule) => {
    expect(refusal({ ...all, ...wrong })).toBe(`raft needs that ${rule}`)
  })

  test('may be as tight as its rules allow', () => {
    const tight = { electionTimeoutMinMs: 100, rankStepMinMs: 10, rankStepMaxMs: 10 }
    expect([refusal(all), refusal({ ...all, ...tight })]).toEqual(['follower', 'follower'])
  })
})

describe('settings', () => {
  test('say which rule is broken, and by what', () => {
    expect(errorOf({ priority: -1 })).toMatchObject({
      message: 'raft needs that priority is a whole number from 0; it is -1',
      details: { rule: 'priority is a whole number from 0', value: -1 }
    })
    expect(errorOf({ priority: 0.5 }).details).toMatchObject({ value: 0.5 })
    const limits = { entryBytesMax: 2 }
    expect(errorOf({ limits, firstEntryData: new Uint8Array(3) }).message).toBe(
      'raft needs that firstEntryData is at most 2 bytes; it is 3'
    )
    expect(new Member({ limits, firstEntryData: new Uint8Array(2) }).status.role).toBe('follower')
  })

  test('ask for pre-vote and CheckQuorum when they do not speak of it', () => {
    const { status, now } = new Member()
    const raft = createRaft({
      self: 'n1',
      membership: status.membership,
      hardState: { term: 0, votedFor: undefined },
      entries: [],
      timing: TIMING,
      random: seededRandom('settings')
    })
    let { deadline } = raft.start(now)
    deadline = raft.step({ type: 'tick' }, deadline!).deadline
    expect(raft.status()).toMatchObject({ role: 'pre-candidate', term: 0 })
    const granted = { type: 'pre-vote-reply', term: 0, granted: true } as const
    const { send } = raft.step({ type: 'tick' }, deadline!)
    const asked = send.map(({ message }) => message).find(({ type }) => type === 'pre-vote')
    const round = asked?.type === 'pre-vote' ? asked.round : -1
    raft.step({ type: 'message', from: 'n2', message: { ...granted, round } }, deadline!)
    raft.step({ type: 'persisted', write: 1 }, deadline!)
    raft.step({ type: 'message', from: 'n2', message: { type: 'vote-reply', term: 1, granted: true } }, deadline!)
    expect(raft.status()).toMatchObject({ role: 'leader', term: 1 })
    raft.step({ type: 'tick' }, deadline! + TIMING.electionTimeoutMs)
    expect(raft.status().role).toBe('follower')
  })

  test('of what was recovered say where it is broken', () => {
    const entries = log(1, 1, 1)
    const snapshot = { ...emptyState(new Member().status.membership), index: 2, term: 1 }
    const gap = errorOf({ ...{ entries: entries.toSpliced(1, 1) } })
    expect(gap.message).toBe('raft needs that recovered entries have no gaps; place 2 holds 3 after 1')
    expect(gap.nextStep).toBe(
      'The store does not hold what raft wrote to it: treat it as corrupt, and rejoin with an empty one.'
    )
    const early = errorOf({ ...{ entries: [{ ...entries[0]!, index: 0 }, ...entries] } })
    expect(early.message).toBe('raft needs that the recovered log begins at 1 or before; place 1 holds 0')
    expect(new Member({ term: 1, snapshot, ...{ entries } }).status).toMatchObject({ firstIndex: 1, commitIndex: 2 })
  })
})

test('the window shows what the copy shows', () => {
  const member = new Member({ terms: [1] })
  member.elect('n2')
  for (const match of [2, 3]) {
    member.propose(match)
    member.hear('n2', { type: 'append-accepted', term: 2, match })
    const { role, term, writable, commitIndex, lastIndex, membership, membershipIndex } = member.status
    expect({
      role: member.raft.view.role,
      term: member.raft.view.term,
      writable: member.raft.view.writable,
      commitIndex: member.raft.view.commitIndex,
      lastIndex: member.raft.view.lastIndex,
      membership: member.raft.view.membership,
      membershipIndex: member.raft.view.membershipIndex
    }).toEqual({ role, term, writable, commitIndex, lastIndex, membership, membershipIndex })
    expect(member.raft.view.votedFor).toBe('n1')
  }
})

test('heartbeats in between, which reads bring, make nobody think that heartbeats are punctual', () => {
  const patience = [0, 5].map((between) => {
    const suspicion = new Suspicion({ heartbeatMs: 10, electionTimeoutMs: 1_000, electionTimeoutMinMs: 20 })
    for (let i = 0; i < 200; i++) {
      suspicion.observe(60)
      for (let k = 0; k < between; k++) suspicion.observe(1)
    }
    return suspicion.timeoutMs
  })
  expect(patience[1]).toBe(patience[0])
})
