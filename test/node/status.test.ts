import { describe, expect, it } from 'vitest'
import { members, type MembersFacts, nodeStatus, type StatusFacts } from '../../src/node/status.ts'

const SELF = 'self#01'

interface Case {
  readonly founded: boolean
  readonly joins?: boolean
  readonly entitled?: 'voter' | 'observer'
  readonly sessions?: readonly object[]
  readonly attempts?: readonly object[]
  readonly barred?: readonly object[]
  readonly standing?: object
  /** In the place of the voters and learners of every other case. */
  readonly membership?: object
  readonly progress?: readonly object[]
}

function facts({
  founded,
  joins = false,
  entitled = 'voter',
  sessions = [],
  attempts = [],
  ...more
}: Case): MembersFacts {
  const membership = {
    voters: [SELF, 'a#01', 'b#01'],
    outgoing: [],
    learners: ['c#01', 'd#01', 'e#01'],
    learnersNext: [],
    ...more.membership
  }
  const votes: Readonly<Record<string, string>> = { 'c#01': 'by-itself', 'd#01': 'when-promoted', 'e#01': 'never' }
  const replica = {
    raft: founded ? { role: 'follower', membership, progress: more.progress ?? [], leader: 'a#01' } : undefined,
    formation: { present: [{ incarnation: 'a#01', seat: 1 }] },
    founders: [],
    sessions,
    standing: more.standing ?? { type: 'voter' },
    barred: more.barred ?? [],
    priority: 100,
    joins,
    entitled,
    voteOf: (id: string) => votes[id]
  }
  const told = {
    incarnation: SELF,
    addresses: ['/ip4/127.0.0.1/tcp/1/p2p/self', '/ip4/10.0.0.1/tcp/1/p2p/self'],
    attempts
  }
  return { ...told, replica } as unknown as MembersFacts
}

const shown = (of: Case): readonly string[] =>
  members(facts(of)).map(({ peerId, role, vote, barred = '-', address = '-' }) =>
    [peerId, role, vote, barred, address].join(' ')
  )

const session = (peerId: string, role: 'voter' | 'observer', addresses: readonly string[], seat?: number): object => ({
  peerId,
  incarnation: `${peerId}#01`,
  role,
  seat,
  addresses: { addresses }
})

describe('members', () => {
  it('are told apart by what becomes of their vote, and by where they are', () => {
    const sessions = [
      session('a', 'voter', ['/ip4/127.0.0.1/tcp/2', '/ip4/10.0.0.2/tcp/2'], 1),
      session('n', 'voter', ['/ip4/127.0.0.1/tcp/3']),
      session('o', 'observer', [])
    ]
    // A session is newer than what is dialled.
    const attempts = [
      { peerId: 'b', addresses: ['/ip4/10.0.0.9/tcp/4/p2p/b'] },
      { peerId: 'a', addresses: ['/ip4/10.9.9.9/tcp/9'] }
    ]
    expect(shown({ founded: true, sessions, attempts })).toEqual([
      'a voter now - /ip4/10.0.0.2/tcp/2',
      'b voter now - /ip4/10.0.0.9/tcp/4',
      'self voter now - /ip4/10.0.0.1/tcp/1',
      'c learner by-itself - -',
      'd learner when-promoted - -',
      'e learner never - -',
      'n observer by-itself - /ip4/127.0.0.1/tcp/3',
      'o observer never - -'
    ])
  })

  it('that wait for the cluster are the learners that they will be', () => {
    const sessions = [session('a', 'voter', [], 1), session('n', 'voter', []), session('o', 'observer', [])]
    expect(shown({ founded: false, joins: true, sessions })).toEqual([
      'a voter now - -',
      'n learner by-itself - -',
      'o observer never - -',
      'self learner by-itself - /ip4/10.0.0.1/tcp/1'
    ])
    expect(shown({ founded: false, joins: true, entitled: 'observer' }).at(-1)).toMatch(/^self observer never/)
  })

  it('whose votes are not counted are named, this one too', () => {
    const barred = [{ incarnation: 'b#01', code: 'clone' }]
    const standing = { type: 'barred', fenced: { code: 'rolled-back' } }
    const [a, b, self] = shown({ founded: true, barred, standing })
    expect([a, b, self]).toEqual([
      'a voter now - -',
      'b voter now clone -',
      'self voter now rolled-back /ip4/10.0.0.1/tcp/1'
    ])
  })
  it('whose machine was a founder, or may be one, wait for a person', () => {
    const reborn = session('f', 'voter', [], 3)
    expect(shown({ founded: true, sessions: [reborn] }).at(-1)).toBe('f observer when-promoted - -')
    expect(shown({ founded: false }).at(-1)).toMatch(/^self observer when-promoted/)
  })

  it('are shown by the address that is good elsewhere, if they have one', () => {
    const attempts = [
      { peerId: 'a', addresses: ['/ip6/::1/tcp/1', '/ip4/127.0.0.9/tcp/1', '/ip6/::1:2/tcp/1'] },
      { peerId: 'b', addresses: ['/ip6/::1/tcp/1', '/ip4/127.0.0.1/tcp/1'] }
    ]
    const [a, b] = members(facts({ founded: true, attempts })).map(({ address }) => address)
    expect([a, b]).toEqual(['/ip6/::1:2/tcp/1', '/ip6/::1/tcp/1'])
  })

  it('have the priority that they say, and a place among the heirs, counted from 1', () => {
    const sessions = [{ ...session('a', 'voter', [], 1), priority: 7 }]
    const progress = [
      { id: 'a#01', rank: 0 },
      { id: 'b#01', rank: undefined }
    ]
    const rows = members(facts({ founded: true, sessions, progress }))
    expect(rows.slice(0, 3).map(({ peerId, priority, heir }) => [peerId, priority, heir])).toEqual([
      ['a', 7, 1],
      ['b', undefined, undefined],
      ['self', 100, undefined]
    ])
  })

  it('are without this node when it was told that it is out', () => {
    const rows = (type: string): string | undefined =>
      members(facts({ founded: true, standing: { type } })).find(({ self }) => self)?.role
    expect([rows('voter'), rows('removed')]).toEqual(['voter', 'observer'])
  })
})

describe('the role of a node', () => {
  const roleOf = (given: Omit<Case, 'founded'>): unknown => {
    const of = { ...facts({ founded: true, ...given }), leader: undefined, refusals: new Map() }
    return nodeStatus(of as unknown as StatusFacts).role
  }

  it.each<readonly [string, Omit<Case, 'founded'>, string | null]>([
    ['a voter', {}, 'follower'],
    ['a voter of the half that goes', { membership: { voters: ['a#01'], outgoing: [SELF] } }, 'follower'],
    ['a learner', { membership: { voters: ['a#01'], learners: [SELF] } }, 'learner'],
    ['a learner to be', { membership: { voters: ['a#01'], learnersNext: [SELF] } }, 'learner'],
    ['one that is not named', { membership: { voters: ['a#01'] } }, null],
    ['one that was told that it is out', { standing: { type: 'removed' } }, null],
    ['one whose vote is not counted', { standing: { type: 'barred' } }, null]
  ])('that is %s', (_, given, role) => {
    expect(roleOf(given)).toBe(role)
  })
})
