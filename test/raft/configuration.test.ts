import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  Configurations,
  enterJoint,
  isJoint,
  leaveJoint,
  membersOf,
  planChange,
  simpleChange
} from '../../src/raft/configuration.ts'
import type { Changed, MemberChange } from '../../src/raft/configuration.ts'
import type { Membership } from '../../src/raft/index.ts'
import { membershipProblem } from '../../src/raft/messages.ts'
import { jointVote } from '../../src/raft/quorum.ts'
import { IDS, membership } from './arbitraries.ts'
import { absence, readTable, tablesArePresent } from './truth-tables.ts'

const NOBODY: Membership = { voters: [], outgoing: [], learners: [], learnersNext: [], autoLeave: false }

/** `v2 l3 r1 u1`; member 0 stands for "changed its mind" and is left out, and so is `u`, which changes nothing. */
function parseChanges(input: readonly string[]): readonly MemberChange[] {
  const ops: Record<string, MemberChange['op']> = { v: 'voter', l: 'learner', r: 'remove' }
  return input
    .join(' ')
    .split(' ')
    .filter((word) => word !== '' && !word.startsWith('u') && word.slice(1) !== '0')
    .map((word) => ({ op: ops[word[0]!]!, id: word.slice(1) }))
}

/** As the tables print a configuration, and below it each member with the command that first tracked it. */
function describeTable(m: Membership, firstSeen: ReadonlyMap<string, number>): readonly string[] {
  const group = (ids: readonly string[]): string => `(${byNumber(ids).join(' ')})`
  const parts = [`voters=${group(m.voters)}${isJoint(m) ? `&&${group(m.outgoing)}` : ''}`]
  if (m.learners.length > 0) parts.push(`learners=${group(m.learners)}`)
  if (m.learnersNext.length > 0) parts.push(`learners_next=${group(m.learnersNext)}`)
  if (m.autoLeave) parts.push('autoleave')
  const progress = byNumber(membersOf(m)).map(
    (id) => `${id}: StateProbe match=0 next=${firstSeen.get(id)}${m.learners.includes(id) ? ' learner' : ''}`
  )
  return [parts.join(' '), ...progress]
}

const byNumber = (ids: readonly string[]): readonly string[] => ids.toSorted((a, b) => Number(a) - Number(b))

describe.skipIf(!tablesArePresent)(
  `the tables of etcd-io/raft${tablesArePresent ? '' : ` (skipped: ${absence})`}`,
  () => {
    const names = [
      'joint_autoleave',
      'joint_idempotency',
      'joint_learners_next',
      'joint_safety',
      'simple_idempotency',
      'simple_promote_demote',
      'simple_safety',
      'update',
      'zero'
    ]

    test.each(names)('%s', (name) => {
      let current = NOBODY
      const firstSeen = new Map<string, number>()
      const run = ({ command, args, input }: ReturnType<typeof readTable>[number]): Changed => {
        if (command === 'simple') return simpleChange(current, parseChanges(input))
        if (command === 'leave-joint') return leaveJoint(current)
        return enterJoint(current, parseChanges(input), args.get('autoleave')?.[0] === 'true')
      }
      for (const [i, block] of readTable(`confchange/testdata/${name}.txt`).entries()) {
        const changed = run(block)
        if (changed.ok) {
          const members = membersOf(changed.membership)
          for (const id of members) if (!firstSeen.has(id)) firstSeen.set(id, Math.max(1, i))
          for (const id of firstSeen.keys()) if (!members.includes(id)) firstSeen.delete(id)
          current = changed.membership
        }
        const answer = changed.ok ? describeTable(current, firstSeen) : [changed.reason]
        expect(answer, `${name}:${block.line}`).toEqual(block.expected)
      }
    })
  }
)

test('a member that is named twice in one change is what it was named last', () => {
  const from = { ...NOBODY, voters: ['a', 'b'] }
  const joint = { ...from, outgoing: from.voters }
  const changed = enterJoint(
    from,
    [
      { op: 'learner', id: 'a' },
      { op: 'voter', id: 'a' }
    ],
    false
  )
  expect(changed).toEqual({ ok: true, membership: joint })
})

test('a change leaves somebody to vote', () => {
  const from = { ...NOBODY, voters: ['a'], learners: ['b'] }
  const removed = simpleChange(from, [{ op: 'remove', id: 'a' }])
  expect(removed).toEqual({ ok: false, reason: 'removed all voters' })
  expect(enterJoint(from, [{ op: 'remove', id: 'a' }], true)).toEqual(removed)
  const again = simpleChange(from, [{ op: 'learner', id: 'b' }])
  expect(again).toEqual({ ok: true, membership: from })
})

describe('a planned change', () => {
  const settled = membership.filter((m) => !isJoint(m))

  test('ends where it was wanted to, and never lets two quorums pass each other by', () => {
    fc.assert(
      fc.property(settled, settled, (from, wanted) => {
        const planned = planChange(from, wanted)
        if (!planned.ok) {
          expect([from.voters, from.learners]).toEqual([wanted.voters, wanted.learners])
          return
        }
        const steps = [from, planned.membership]
        if (isJoint(planned.membership)) steps.push(membershipOf(leaveJoint(planned.membership)))
        expect(steps.at(-1)).toEqual({ ...NOBODY, voters: wanted.voters, learners: wanted.learners })
        for (const step of steps) expect(membershipProblem(step)).toBeUndefined()
        for (let i = 1; i < steps.length; i++) expect(disjointQuorums(steps[i - 1]!, steps[i]!)).toBeUndefined()
        expect(isJoint(planned.membership)).toBe(from.voters.join() !== wanted.voters.join())
      })
    )
  })

  /** What matters of two configurations is how many vote in each and in both; so this is all of them, up to 9 voters in all. */
  test('never lets two quorums pass each other by, for every number of voters up to 9', () => {
    const ids = Array.from({ length: 9 }, (_, i) => `v${i}`)
    let pairs = 0
    for (let before = 1; before <= 9; before++) {
      for (let after = 1; after <= 9; after++) {
        for (let both = Math.max(0, before + after - 9); both <= Math.min(before, after); both++) {
          const from = { ...NOBODY, voters: ids.slice(0, before) }
          const voters = [...ids.slice(0, both), ...ids.slice(before, before + after - both)]
          const planned = planChange(from, { voters, learners: [] })
          if (!planned.ok) continue
          const left = membershipOf(leaveJoint(planned.membership))
          expect(disjointQuorums(from, planned.membership), `${before} ${after} ${both}`).toBeUndefined()
          expect(disjointQuorums(planned.membership, left), `${before} ${after} ${both}`).toBeUndefined()
          pairs++
        }
      }
    }
    // 201 ways to overlap, 9 of which are no change.
    expect(pairs).toBe(192)
  })

  test('ends in the same configuration by whatever way: at once, or one member after the other in any order', () => {
    const ways = settled.chain((wanted) =>
      fc.record({ wanted: fc.constant(wanted), order: fc.shuffledSubarray(IDS, { minLength: IDS.length }) })
    )
    fc.assert(
      fc.property(settled, ways, (from, { wanted, order }) => {
        let current = from
        for (const id of order) {
          const without = (list: readonly string[]): readonly string[] => list.filter((other) => other !== id)
          const voters = wanted.voters.includes(id) ? [...without(current.voters), id] : without(current.voters)
          const learners = wanted.learners.includes(id) ? [...without(current.learners), id] : without(current.learners)
          const planned = planChange(current, { voters: voters.toSorted(), learners: learners.toSorted() })
          // Somebody has to vote in between, and what is so already is no change.
          if (!planned.ok && voters.length === 0) return
          if (planned.ok)
            current = isJoint(planned.membership) ? membershipOf(leaveJoint(planned.membership)) : planned.membership
        }
        expect(current).toEqual({ ...NOBODY, voters: wanted.voters, learners: wanted.learners })
      })
    )
  })

  test('without the joint step would split: the check above can fail', () => {
    const from = { ...NOBODY, voters: ['n1', 'n2', 'n3'] }
    expect(disjointQuorums(from, { ...NOBODY, voters: ['n3', 'n4', 'n5'] })).toEqual(['n1', 'n2'])
  })
})

describe('the configurations of a log', () => {
  const naming = (...voters: readonly string[]): Membership => ({ ...NOBODY, voters })

  test('commit from the first entry that holds one on, and no earlier', () => {
    const all = new Configurations(naming('a'))
    all.append(5, naming('a', 'b'))
    all.append(7, naming('b'))
    expect(all.commit(4)).toEqual([])
    expect(all.commit(6)).toEqual([{ index: 5, membership: naming('a', 'b') }])
    expect(all.commit(6)).toEqual([])
    expect(all.truncate(7)).toBe(true)
    expect([all.index, all.current]).toEqual([5, naming('a', 'b')])
    expect(() => all.append(5, naming('a'))).toThrow('configuration 5 appended after 5')
  })

  test('let nobody campaign by one that is over, at the place where another one has committed or before it', () => {
    const all = new Configurations(naming('a', 'b'))
    all.append(5, naming('a', 'b', 'c'))
    all.removedAt(4)
    expect(all.mayCampaign('a')).toBe(true)
    all.removedAt(5)
    all.removedAt(3)
    expect(all.mayCampaign('a')).toBe(false)
    all.append(6, naming('a'))
    expect(['a', 'b'].map((id) => all.mayCampaign(id))).toEqual([true, false])
  })

  test('follow every append, truncation and commit like a replay of the whole log', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('append' as const), membership: fc.option(membership, { nil: undefined }) }),
      fc.record({ do: fc.constant('truncate' as const), at: fc.nat({ max: 12 }) }),
      fc.record({ do: fc.constant('commit' as const), at: fc.nat({ max: 12 }) })
    )
    fc.assert(
      fc.property(membership, fc.array(step, { maxLength: 30 }), (initial, steps) => {
        const configurations = new Configurations(initial)
        let log: (Membership | undefined)[] = []
        let commit = 0
        for (const action of steps) {
          if (action.do === 'append') {
            log.push(action.membership)
            if (action.membership !== undefined) configurations.append(log.length, action.membership)
          } else if (action.do === 'commit') {
            commit = Math.max(commit, Math.min(action.at, log.length))
            configurations.commit(commit)
          } else if (action.at > commit) {
            log = log.slice(0, action.at - 1)
            configurations.truncate(action.at)
          }
          const index = log.findLastIndex((m) => m !== undefined) + 1
          const inForce = index === 0 ? initial : log[index - 1]!
          expect(configurations.current).toEqual(inForce)
          expect(configurations.index).toBe(index)
          for (const id of IDS) expect(configurations.isMember(id)).toBe(membersOf(inForce).includes(id))
        }
      })
    )
  })
})

function membershipOf(changed: Changed): Membership {
  if (!changed.ok) throw new Error(changed.reason)
  return changed.membership
}

/** A quorum of `a` whose complement holds a quorum of `b`, if there is one. */
function disjointQuorums(a: Membership, b: Membership): readonly string[] | undefined {
  const ids = [...new Set([...a.voters, ...a.outgoing, ...b.voters, ...b.outgoing])].toSorted()
  for (let mask = 0; mask < 2 ** ids.length; mask++) {
    const side = ids.filter((_, i) => (mask & (1 << i)) !== 0)
    const inside = (id: string): boolean => side.includes(id)
    if (jointVote(a, inside) === 'won' && jointVote(b, (id) => !inside(id)) === 'won') return side
  }
  return undefined
}
