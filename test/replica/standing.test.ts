/** What a node is to its cluster, case by case: what it was told counts as long as its own log says nothing newer. */
import { describe, expect, it } from 'vitest'
import type { RaftStatus } from '../../src/raft/types.ts'
import { MemberHistory } from '../../src/replica/incarnations.ts'
import { type Fenced, type Standing, standingOf } from '../../src/replica/standing.ts'

const SELF = 'p1#2'
const none = { outgoing: [], learners: [], learnersNext: [], autoLeave: false }

interface Case {
  readonly voters?: readonly string[]
  readonly learners?: readonly string[]
  /** Of the configuration in force. */
  readonly index?: number
  /** What had committed before, and has now: by default what is in force. */
  readonly before?: readonly string[]
  readonly committed?: readonly string[]
  readonly fenced?: Fenced
}

function standing({ voters = ['p2#1'], learners = [], index = 5, before = [], committed, fenced }: Case): Standing {
  const membership = { ...none, voters, learners }
  const history = new MemberHistory({ ...none, voters: before })
  history.committed(committed === undefined ? membership : { ...none, voters: committed }, index)
  return standingOf(SELF, { membership, membershipIndex: index } as unknown as RaftStatus, history, fenced)
}

const told = (code: Fenced['code'], index = 5): Fenced => ({ code, index, detail: 'd', by: 'p2' })

describe('the standing of a node', () => {
  it.each<readonly [string, Case, Partial<Standing>]>([
    ['votes', { voters: [SELF, 'p2#1'] }, { type: 'voter', elders: [], final: false }],
    [
      'receives, while its old disk votes',
      { voters: ['p1#1', 'p2#1'], learners: [SELF] },
      { type: 'learner', elders: ['p1#1'] }
    ],
    ['was never taken in', {}, { type: 'newcomer', elders: [], final: false }],
    ['was a member once', { before: [SELF] }, { type: 'removed', final: true }],
    // In force it is out already, and that may yet be undone.
    ['is a member by what has committed only', { committed: [SELF] }, { type: 'removed', final: false }],
    [
      'was told of a removal that its log does not have',
      { voters: [SELF], fenced: told('removed', 6) },
      { type: 'removed', final: true }
    ],
    [
      'was told of a removal before the configuration that names it',
      { voters: [SELF], fenced: told('removed', 5) },
      { type: 'voter', final: false }
    ],
    [
      'was told that it is out by a cluster of no log yet, and is in none',
      { fenced: told('removed', 0) },
      { type: 'removed', final: true }
    ],
    ['is not counted, though it votes', { voters: [SELF], fenced: told('clone', 9) }, { type: 'barred', final: false }],
    [
      'is not counted, and is out as well',
      { before: [SELF], fenced: told('rolled-back') },
      { type: 'barred', final: true }
    ]
  ])('that %s', (_, given, expected) => {
    expect(standing(given)).toMatchObject({ ...expected, fenced: given.fenced })
  })

  it.each([
    [undefined, 'unfounded'],
    [told('removed'), 'unfounded'],
    [told('clone'), 'barred'],
    [told('rolled-back'), 'barred']
  ] as const)('without a cluster, told %j, is %s', (fenced, type) => {
    const nothing = { type, elders: [], fenced, final: false }
    const raft = { membership: { ...none, voters: ['p1#1'] }, membershipIndex: 0 } as unknown as RaftStatus
    expect(standingOf(SELF, undefined, new MemberHistory(raft.membership), fenced)).toEqual(nothing)
    expect(standingOf(SELF, raft, undefined, fenced)).toEqual(nothing)
  })
})
