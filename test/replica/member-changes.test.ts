/** What a person asks for and what consensus is then asked for, case by case, with every sentence that says why not. */
import { describe, expect, it } from 'vitest'
import {
  type MemberOperation,
  type MembersInForce,
  type MemberVerdict,
  planMembers
} from '../../src/replica/member-changes.ts'

/** a, b and c vote, each with its first disk; d receives. */
interface Case {
  readonly voters?: readonly string[]
  readonly learners?: readonly string[]
  readonly lost?: readonly string[]
  readonly removed?: readonly string[]
  readonly observers?: readonly string[]
  readonly awaiting?: readonly string[]
  readonly settled?: boolean
}

const VOTERS = ['a#1', 'b#1', 'c#1']

const state = ({ voters = VOTERS, learners = ['d#1'], lost = [], removed = [], ...more }: Case): MembersInForce => ({
  membership: { voters, outgoing: [], learners, learnersNext: [], autoLeave: false },
  settled: more.settled ?? true,
  isReachable: (id) => !lost.includes(id),
  wasRemoved: (name) => removed.includes(name),
  isObserver: (peerId) => (more.observers ?? []).includes(peerId),
  awaitsVote: (id) => (more.awaiting ?? []).includes(id)
})

/** `promote d`, `replace a by d` */
function operation(words: string): MemberOperation {
  const [op, member = '', , by] = words.split(' ')
  return (op === 'replace' ? { op, member, by } : { op, member }) as MemberOperation
}

const planned = (words: string, given: Case): MemberVerdict => planMembers(operation(words), state(given))

const change = (voters: readonly string[], learners: readonly string[]) => ({
  type: 'change',
  change: { voters, learners }
})

describe('a change of the members', () => {
  it.each<readonly [string, Case, object]>([
    ['promote d', {}, change([...VOTERS, 'd#1'], [])],
    ['promote d#1', { learners: ['d#1', 'e#1'] }, change([...VOTERS, 'd#1'], ['e#1'])],
    ['promote a', {}, { type: 'done' }],
    ['demote a', {}, change(['b#1', 'c#1'], ['d#1', 'a#1'])],
    ['demote d', {}, { type: 'done' }],
    ['demote d', { awaiting: ['d#1'] }, { type: 'deny', member: 'd#1' }],
    ['remove d', { lost: ['d#1'] }, change(VOTERS, [])],
    ['remove a', { lost: ['a#1'] }, change(['b#1', 'c#1'], ['d#1'])],
    ['remove x', { removed: ['x'] }, { type: 'done' }],
    ['replace a', { learners: ['d#1', 'a#2'] }, change(['b#1', 'c#1', 'a#2'], ['d#1'])],
    ['replace a by d', {}, change(['b#1', 'c#1', 'd#1'], [])],
    // Its machine votes with the very disk that is to go.
    ['replace a by a#2', { learners: ['a#2'] }, change(['b#1', 'c#1', 'a#2'], [])],
    ['replace a by b', { lost: ['a#1'] }, change(['b#1', 'c#1'], ['d#1'])],
    ['replace x', { voters: [...VOTERS, 'x#2'], removed: ['x'] }, { type: 'done' }],
    ['replace x by b', { removed: ['x'] }, { type: 'done' }]
  ])('%s is understood', (words, given, verdict) => {
    expect(planned(words, given)).toEqual(verdict)
  })

  it.each(['promote a', 'demote d', 'remove a', 'replace a by d'])('%s waits for what is half decided', (words) => {
    expect(planned(words, { settled: false })).toEqual({ type: 'later' })
  })

  const two = 'd is a member with 2 disks; name one: d#1 (learner), d#2 (voter)'
  const tail = 'and 2 are needed (not reachable: b#1)'
  it.each<readonly [string, Case, string, string]>([
    ['promote x', {}, 'unknown-member', 'x is no member; the members are a, b, c and 1 more'],
    ['promote x', { voters: ['a#1'] }, 'unknown-member', 'x is no member; the members are a, d'],
    [
      'promote x',
      { removed: ['x'] },
      'unknown-member',
      'x was removed; start it with an empty data directory, and it is a learner again'
    ],
    [
      'promote a',
      { learners: ['a#2'] },
      'invalid-change',
      'a votes already with another disk (a#1): replace that one by a#2, so that one machine has one vote'
    ],
    [
      'promote d',
      { observers: ['d'] },
      'invalid-change',
      'd came with the token of an observer, which is not entitled to a vote'
    ],
    [
      'promote d',
      { lost: ['d#1'] },
      'invalid-change',
      'd#1 is not connected to the leader, so it would be a voter that cannot vote'
    ],
    [
      'promote d',
      { voters: ['a#1', 'b#1'], lost: ['a#1', 'b#1'] },
      'would-lose-quorum',
      'promoting d makes 3 voters of which 1 is reachable, and 2 are needed (not reachable: a#1, b#1)'
    ],
    ['demote x', {}, 'unknown-member', 'x is no member; the members are a, b, c and 1 more'],
    ['demote a', { lost: ['b#1'] }, 'would-lose-quorum', `demoting a leaves 2 voters of which 1 is reachable, ${tail}`],
    ['demote a', { voters: ['a#1'] }, 'would-lose-quorum', 'demoting a leaves no voters'],
    ['remove x', {}, 'unknown-member', 'x is no member; the members are a, b, c and 1 more'],
    ['remove d', { voters: [...VOTERS, 'd#2'] }, 'ambiguous-member', two],
    [
      'remove d#2',
      { voters: ['b#1', 'd#2'], lost: ['b#1'] },
      'would-lose-quorum',
      'removing d#2 leaves 1 voter of which 0 are reachable, and 1 is needed (not reachable: b#1)'
    ],
    [
      'remove a',
      { voters: ['a#1', 'b#1', 'c#1', 'e#1', 'f#1', 'g#1'], lost: ['b#1', 'c#1', 'e#1', 'f#1'] },
      'would-lose-quorum',
      'removing a leaves 5 voters of which 1 is reachable, and 3 are needed (not reachable: b#1, c#1, e#1 and 1 more)'
    ],
    ['replace a', {}, 'unknown-member', 'a new disk of a is not among the learners (d#1); start it, and ask again'],
    [
      'replace a by x',
      { learners: [] },
      'unknown-member',
      'x is not among the learners (there are none); start it, and ask again'
    ],
    ['replace a by a', {}, 'unknown-member', 'a is not among the learners (d#1); start it, and ask again'],
    ['replace d by a', {}, 'invalid-change', 'd is a learner and has no vote to pass on; promote it instead'],
    // An older disk of it was removed once: that is not this replacement.
    [
      'replace a by a',
      { removed: ['a'] },
      'unknown-member',
      'a is not among the learners (d#1); start it, and ask again'
    ],
    ['promote x', { voters: ['a#1', 'b#1'] }, 'unknown-member', 'x is no member; the members are a, b, d'],
    [
      'replace x',
      { removed: ['x'] },
      'unknown-member',
      'x was removed; start it with an empty data directory, and it is a learner again'
    ],
    [
      'replace x by b',
      { removed: ['x'], learners: ['b#2'] },
      'unknown-member',
      'x was removed; start it with an empty data directory, and it is a learner again'
    ],
    ['replace x', {}, 'unknown-member', 'x is no member; the members are a, b, c and 1 more'],
    ['replace x by b', {}, 'unknown-member', 'x is no member; the members are a, b, c and 1 more'],
    [
      'replace x by d',
      { removed: ['x'] },
      'unknown-member',
      'x was removed; start it with an empty data directory, and it is a learner again'
    ],
    ['replace a by b', { learners: ['b#2'] }, 'invalid-change', 'b votes already, as b#1'],
    [
      'replace a by d',
      { observers: ['d'] },
      'invalid-change',
      'd came with the token of an observer, which is not entitled to a vote'
    ],
    [
      'replace a by d',
      { lost: ['b#1', 'c#1'] },
      'would-lose-quorum',
      'replacing a by d makes 3 voters of which 1 is reachable, and 2 are needed (not reachable: b#1, c#1)'
    ],
    [
      'replace a by c',
      { lost: ['b#1'] },
      'would-lose-quorum',
      `c votes already, and removing a leaves 2 voters of which 1 is reachable, ${tail}`
    ]
  ])('%s is refused when it is %j', (words, given, code, detail) => {
    expect(planned(words, given)).toEqual({ type: 'refused', code, detail })
  })
})
