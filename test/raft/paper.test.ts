/**
 * The claims of the Raft paper (Ongaro and Ousterhout, extended version), sections 5.1 to 5.4: one test a claim, named after it.
 *
 * The core is driven as the paper describes it: without pre-vote and CheckQuorum, with random timeouts.
 */
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import type { RaftMessage } from '../../src/raft/index.ts'
import { log, Member, TIMING } from './member.ts'

const heartbeat = (term: number): RaftMessage => ({ type: 'heartbeat', term, commit: 0, seq: 1, waitMs: 0, heir: 0 })
const voteFor = (term: number, lastIndex = 0, lastTerm = 0): RaftMessage => ({
  type: 'vote',
  term,
  lastIndex,
  lastTerm,
  transfer: false
})
const granted = (term: number): RaftMessage => ({ type: 'vote-reply', term, granted: true })
const accepted = (term: number, match: number): RaftMessage => ({ type: 'append-accepted', term, match })
const appendOf = (term: number, prev: readonly number[], more: readonly number[], commit = 0): RaftMessage => ({
  type: 'append',
  term,
  prevIndex: prev.length,
  prevTerm: prev.at(-1) ?? 0,
  commit,
  entries: log(...prev, ...more).slice(prev.length)
})
const follower = (): Member => new Member({ term: 1 })
function candidate(): Member {
  const member = new Member({ term: 1 })
  member.timeout()
  return member
}
function leader(size = 3): Member {
  const member = new Member({ term: 1, size })
  member.elect(...['n2', 'n3', 'n4', 'n5'].slice(0, size >> 1))
  return member
}
const roles = [
  ['a follower', follower],
  ['a candidate', candidate],
  ['a leader', leader]
] as const

describe('5.1 Raft basics', () => {
  test.each(roles)('%s whose term is behind takes the later one, and reverts to follower', (_, make) => {
    const member = make()
    member.hear('n2', appendOf(9, [], []))
    expect(member.status).toMatchObject({ role: 'follower', term: 9, leader: 'n2' })
  })

  test('a leader reverts to follower when an answer has a later term', () => {
    const member = leader()
    member.hear('n3', { type: 'heartbeat-reply', term: 9, seq: 1, match: 0 })
    expect(member.status).toMatchObject({ role: 'follower', term: 9, leader: undefined })
  })

  test('a request with a stale term is rejected', () => {
    const member = new Member({ term: 5, terms: [1] })
    expect(member.hear('n2', voteFor(4, 9, 4))).toEqual([
      { to: 'n2', message: { type: 'vote-reply', term: 5, granted: false } }
    ])
    const answers = member.hear('n2', appendOf(4, [1], [4]))
    expect(answers).toEqual([{ to: 'n2', message: { type: 'heartbeat-reply', term: 5, seq: 0, match: 0 } }])
    expect([member.status.term, member.status.leader, member.terms]).toEqual([5, undefined, [1]])
  })

  test('each server votes at most once in a term', () => {
    const member = new Member({ term: 1 })
    expect(member.hear('n2', voteFor(2))).toEqual([{ to: 'n2', message: granted(2) }])
    expect(member.hear('n3', voteFor(2))).toEqual([{ to: 'n3', message: { ...granted(2), granted: false } }])
  })
})

describe('5.2 Leader election', () => {
  test('servers begin as followers', () => {
    expect(new Member().status).toMatchObject({ role: 'follower', term: 0 })
  })

  test('a follower stays one as long as it hears from a leader', () => {
    const member = follower()
    for (let i = 0; i < 50; i++) {
      member.now += TIMING.electionTimeoutMs * 0.9
      member.hear('n2', heartbeat(1))
      member.tell({ type: 'tick' })
    }
    expect(member.status).toMatchObject({ role: 'follower', term: 1, leader: 'n2' })
  })

  test('leaders send periodic heartbeats to all', () => {
    const member = leader()
    const before = member.now
    for (let beat = 1; beat <= 3; beat++) {
      const said = member.timeout()
      expect(said.map(({ to, message }) => [to, message.type])).toEqual([
        ['n2', 'heartbeat'],
        ['n3', 'heartbeat']
      ])
    }
    expect(member.now - before).toBeCloseTo(3 * TIMING.heartbeatMs)
  })

  test.each([
    ['a follower', follower, 2],
    ['a candidate', candidate, 3]
  ] as const)('%s that times out increments its term, votes for itself and asks all others', (_, make, term) => {
    const member = make()
    const said = member.timeout()
    expect(member.status).toMatchObject({ role: 'candidate', term })
    expect(said).toEqual(['n2', 'n3'].map((to) => ({ to, message: voteFor(term) })))
    expect(member.hear('n2', voteFor(term))).toEqual([{ to: 'n2', message: { ...granted(term), granted: false } }])
  })

  // Size, who else grants, who refuses, what comes of it.
  const elections: readonly (readonly [number, readonly string[], readonly string[], string])[] = [
    [1, [], [], 'leader'],
    [3, ['n2', 'n3'], [], 'leader'],
    [3, ['n2'], [], 'leader'],
    [3, ['n2'], ['n3'], 'leader'],
    [3, [], ['n2', 'n3'], 'candidate'],
    [3, [], [], 'candidate'],
    [5, ['n2', 'n3'], ['n4', 'n5'], 'leader'],
    [5, ['n2'], ['n3', 'n4', 'n5'], 'candidate'],
    [5, ['n2'], [], 'candidate'],
    [4, ['n2'], [], 'candidate'],
    [4, ['n2', 'n4'], [], 'leader']
  ]
  test.each(elections)('a candidate of %i that gets the votes of %j, not of %j, is %s', (size, yes, no, role) => {
    const member = new Member({ size })
    member.timeout()
    for (const from of no) member.hear(from, { ...granted(1), granted: false } as RaftMessage)
    for (const from of yes) member.hear(from, granted(1))
    expect(member.status).toMatchObject({ role, term: 1 })
  })

  test('a new leader sends to all at once, to prevent new elections', () => {
    const member = new Member({ size: 5 })
    member.timeout()
    member.hear('n2', granted(1))
    expect(member.hear('n3', granted(1)).map(({ to }) => to)).toEqual(['n2', 'n3', 'n4', 'n5'])
  })

  test('votes are first come, first served', () => {
    for (const [vote, asking, grants] of [
      [undefined, 'n2', true],
      ['n2', 'n2', true],
      ['n3', 'n2', false]
    ] as const) {
      const member = new Member({ term: 1, ...(vote === undefined ? {} : { vote }) })
      expect(member.hear(asking, voteFor(1))).toEqual([{ to: asking, message: { ...granted(1), granted: grants } }])
    }
  })

  test('a candidate that hears a leader of its term, or a later one, follows it; of an earlier one, not', () => {
    for (const [term, role] of [
      [1, 'candidate'],
      [2, 'follower'],
      [3, 'follower']
    ] as const) {
      const member = candidate()
      member.hear('n2', heartbeat(term))
      expect(member.status.role).toBe(role)
    }
  })

  test('election timeouts are chosen anew each time, over the whole of a fixed interval', () => {
    const member = new Member({ random: seededRandom('timeouts') })
    const waits = Array.from({ length: 400 }, () => {
      const before = member.now
      member.timeout()
      return (member.now - before) / TIMING.electionTimeoutMs
    })
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(1)
    expect(Math.max(...waits)).toBeLessThan(2)
    for (let tenth = 10; tenth < 20; tenth++) {
      expect(waits.some((wait) => Math.floor(wait * 10) === tenth)).toBe(true)
    }
  })

  test('so in most cases a single server times out first', () => {
    const splits = Array.from({ length: 300 }, (_, round) => {
      const due = [1, 2, 3, 4, 5].map((i) => new Member({ random: seededRandom(`${round} ${i}`) }).deadline!)
      const [first, second] = due.toSorted((a, b) => a - b)
      return second! - first! < TIMING.electionTimeoutMs / 50
    })
    // Five times among 50 moments: that the second comes at the moment of the first has a chance of about one in ten.
    expect(splits.filter(Boolean).length).toBeLessThan(60)
  })
})

describe('5.3 Log replication', () => {
  /** A leader of term 2 whose no-op everybody has. */
  function settled(size = 3): Member {
    const member = leader(size)
    for (const peer of ['n2', 'n3', 'n4', 'n5'].slice(0, size - 1)) member.hear(peer, accepted(2, 1))
    return member
  }

  test('a leader appends a command to its log and sends it to each of the others in parallel', () => {
    const member = settled()
    const said = member.propose(1, 'x')
    expect(member.terms).toEqual([2, 2])
    expect(said.map(({ to, message }) => [to, message.type])).toEqual([
      ['n2', 'append'],
      ['n3', 'append']
    ])
    expect(said[0]!.message).toMatchObject({ prevIndex: 1, prevTerm: 2, entries: [{ index: 2, term: 2 }] })
  })

  test('the state machine gets an entry, and the client its answer, when it has been safely replicated', () => {
    const member = settled()
    member.propose(1, 'x')
    expect([member.status.commitIndex, member.outcomes]).toEqual([1, []])
    member.hear('n2', accepted(2, 2))
    expect(member.committed.map(({ index }) => index)).toEqual([1, 2])
    expect(member.outcomes).toEqual([{ type: 'committed', ref: 1, index: 2, term: 2 }])
  })

  test.each([
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2]
  ])('of %i servers, an entry commits as soon as %i others have it', (size, needed) => {
    const member = settled(size)
    member.propose(1)
    const others = ['n2', 'n3', 'n4', 'n5'].slice(0, needed)
    for (const [i, peer] of others.entries()) {
      expect(member.status.commitIndex, `after ${i}`).toBe(1)
      member.hear(peer, accepted(2, 2))
    }
    expect(member.status.commitIndex).toBe(2)
  })

  test('committing an entry commits all before it, those of earlier leaders included', () => {
    const member = new Member({ terms: [1, 1, 2] })
    member.elect('n2')
    member.hear('n2', accepted(3, 4))
    expect(member.committed.map(({ term }) => term)).toEqual([1, 1, 2, 3])
  })

  test('the leader tells in later messages what is committed, and a follower applies it in the order of the log', () => {
    const leading = settled()
    leading.propose(1)
    const told = leading.hear('n2', accepted(2, 2)).find(({ to }) => to === 'n2')
    expect(told?.message).toMatchObject({ commit: 2 })
    const following = new Member()
    following.hear('n2', appendOf(1, [], [1, 1, 1]))
    expect(following.committed).toEqual([])
    following.hear('n2', { type: 'commit', term: 1, commit: 2 })
    expect(following.committed.map(({ index }) => index)).toEqual([1, 2])
  })

  test('a follower refuses an append when it has no entry with the index and term before it', () => {
    for (const [prev, matches] of [
      [[], true],
      [[1], true],
      [[1, 2], true],
      [[1, 1], false],
      [[1, 2, 2], false]
    ] as const) {
      const member = new Member({ terms: [1, 2] })
      const [answer] = member.hear('n2', appendOf(3, prev, []))
      expect(answer!.message.type).toBe(matches ? 'append-accepted' : 'append-rejected')
    }
  })

  test('a conflicting entry goes with all that follow it; what is new is appended; what agrees stays', () => {
    for (const [prev, more, result] of [
      [[1, 2], [3], [1, 2, 3]],
      [[1], [3, 4], [1, 3, 4]],
      [[], [1], [1, 2]],
      [[], [3], [3]],
      [[1], [2], [1, 2]]
    ] as const) {
      const member = new Member({ terms: [1, 2] })
      member.hear('n2', appendOf(4, prev, more))
      expect(member.terms).toEqual(result)
    }
  })

  test('a leader never overwrites or deletes entries of its own log', () => {
    const member = new Member({ terms: [1, 1, 4] })
    member.elect('n2')
    const before = member.terms
    member.hear('n3', { type: 'append-rejected', term: 5, prevIndex: 3, hintIndex: 0, hintTerm: 0 })
    member.hear('n2', appendOf(5, [1], [5, 5]))
    member.propose(1)
    expect(member.terms).toEqual([...before, 5])
  })

  // Figure 7: the leader of term 8, and followers that miss entries, have extra ones, or both.
  const LEADER = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
  const FIGURE_7: Readonly<Record<string, readonly number[]>> = {
    a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
    b: [1, 1, 1, 4],
    c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    e: [1, 1, 1, 4, 4, 4, 4],
    f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]
  }
  test.each(Object.entries(FIGURE_7))(
    'figure 7 (%s): the leader brings the log of a follower to equal its own',
    (_, terms) => {
      const leading = new Member({ terms: LEADER, term: 7 })
      const following = new Member({ terms, term: 7 })
      let toFollower = leading.elect('n3').filter(({ to }) => to === 'n2')
      for (let round = 0; round < 10 && toFollower.length > 0; round++) {
        const answers = toFollower.flatMap(({ message }) => following.hear('n3', message))
        toFollower = answers.flatMap(({ message }) => leading.hear('n2', message)).filter(({ to }) => to === 'n2')
      }
      expect(following.terms).toEqual([...LEADER, 8])
      expect(leading.status.commitIndex).toBe(11)
    }
  )

  test('a leader goes on sending until all followers have stored all entries', () => {
    const member = settled()
    member.propose(1)
    member.hear('n2', accepted(2, 2))
    // n3 has answered nothing since: each heartbeat that it answers asks again.
    for (let beat = 1; beat <= 5; beat++) {
      const seq = member.timeout().map(({ message }) => (message.type === 'heartbeat' ? message.seq : 0))[0]!
      const said = member.hear('n3', { type: 'heartbeat-reply', term: 2, seq, match: 1 })
      expect(said.map(({ to, message }) => [to, message.type])).toEqual([['n3', 'append']])
    }
  })
})

describe('5.4 Safety', () => {
  test('a request for votes says how far the log of the candidate goes', () => {
    const member = new Member({ terms: [1, 2, 2] })
    expect(member.timeout()[0]!.message).toEqual(voteFor(3, 3, 2))
  })

  // The log of the voter, the last entry of the candidate's (index, term), is it granted?
  const comparisons: readonly (readonly [readonly number[], number, number, boolean])[] = [
    [[1], 1, 1, true],
    [[1], 2, 1, true],
    [[1, 1], 1, 1, false],
    [[1], 1, 2, true],
    [[1], 2, 2, true],
    [[1, 1], 1, 2, true],
    [[2], 1, 1, false],
    [[2], 2, 1, false],
    [[1, 2], 1, 1, false],
    [[], 0, 0, true]
  ]
  test.each(comparisons)(
    '5.4.1 a voter with %j grants a candidate whose log ends in %i of term %i: %s',
    (terms, index, term, grants) => {
      const member = new Member({ terms, term: 3 })
      const [answer] = member.hear('n2', voteFor(4, index, term))
      expect(answer!.message).toEqual({ type: 'vote-reply', term: 4, granted: grants })
    }
  )

  test('5.4.2 only entries of the current term are committed by counting', () => {
    for (const [match, commit] of [
      [1, 0],
      [2, 0],
      [3, 3]
    ] as const) {
      const member = new Member({ terms: [1, 2] })
      member.elect('n2')
      member.hear('n2', accepted(3, match))
      expect(member.status.commitIndex).toBe(commit)
    }
  })
})
