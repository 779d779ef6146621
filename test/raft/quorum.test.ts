import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jointValue, jointVote, majority, majorityValue, majorityVote } from '../../src/raft/quorum.ts'
import { IDS, membership } from './arbitraries.ts'
import { absence, readTable, tablesArePresent } from './truth-tables.ts'
import type { TableCase } from './truth-tables.ts'

const NAMES = { won: 'VoteWon', lost: 'VoteLost', pending: 'VotePending' } as const

/** Values are listed in the order in which the voters first appear. */
function byVoter({ args }: TableCase, values: string): Map<string, string> {
  const ids = [...new Set([...voters(args.get('cfg')), ...voters(args.get('cfgj'))])]
  return new Map(ids.map((id, i) => [id, args.get(values)![i]!]))
}

const voters = (ids: readonly string[] | undefined): readonly string[] => (ids ?? []).filter((id) => id !== 'zero')

const joint = (a: readonly string[], b: readonly string[]) => ({
  voters: a,
  outgoing: b,
  learners: [],
  learnersNext: [],
  autoLeave: false
})

describe.skipIf(!tablesArePresent)(
  `the tables of etcd-io/raft${tablesArePresent ? '' : ` (skipped: ${absence})`}`,
  () => {
    test.each(['majority_vote', 'joint_vote'])('%s', (name) => {
      const cases = readTable(`quorum/testdata/${name}.txt`)
      expect(cases.length).toBeGreaterThan(10)
      for (const block of cases) {
        const votes = byVoter(block, 'votes')
        const voteOf = (id: string): boolean | undefined => ({ y: true, n: false })[votes.get(id)!]
        const [cfg, cfgj] = [voters(block.args.get('cfg')), voters(block.args.get('cfgj'))]
        const where = `${name}:${block.line}`
        expect(NAMES[jointVote(joint(cfg, cfgj), voteOf)], where).toBe(block.expected.at(-1))
        expect(NAMES[jointVote(joint(cfgj, cfg), voteOf)], where).toBe(block.expected.at(-1))
        if (!block.args.has('cfgj')) expect(NAMES[majorityVote(cfg, voteOf)], where).toBe(block.expected.at(-1))
      }
    })

    test.each(['majority_commit', 'joint_commit'])('%s', (name) => {
      const cases = readTable(`quorum/testdata/${name}.txt`)
      expect(cases.length).toBeGreaterThan(10)
      for (const block of cases) {
        const indexes = byVoter(block, 'idx')
        const valueOf = (id: string): number => (indexes.get(id) === '_' ? 0 : Number(indexes.get(id)))
        const [cfg, cfgj] = [voters(block.args.get('cfg')), voters(block.args.get('cfgj'))]
        const last = block.expected.at(-1)!
        const expected = last.endsWith('∞') ? Infinity : Number(last)
        expect(jointValue(joint(cfg, cfgj), valueOf), `${name}:${block.line}`).toBe(expected)
        expect(jointValue(joint(cfgj, cfg), valueOf), `${name}:${block.line}`).toBe(expected)
      }
    })
  }
)

describe('quorums', () => {
  const held = fc.array(fc.nat({ max: 9 }), { minLength: 5, maxLength: 5 })

  test('the value of a majority is the largest that a majority reaches', () => {
    fc.assert(
      fc.property(fc.subarray(IDS, { minLength: 1 }), held, (ids, values) => {
        const valueOf = (id: string): number => values[IDS.indexOf(id)]!
        const reached = (value: number): number => ids.filter((id) => valueOf(id) >= value).length
        const value = majorityValue(ids, valueOf)
        expect(reached(value)).toBeGreaterThanOrEqual(majority(ids.length))
        expect(reached(value + 1)).toBeLessThan(majority(ids.length))
      })
    )
  })

  test('a value is reached exactly when those who reached it would win a vote', () => {
    fc.assert(
      fc.property(membership, held, (m, values) => {
        const valueOf = (id: string): number => values[IDS.indexOf(id)]!
        const value = jointValue(m, valueOf)
        expect(jointVote(m, (id) => valueOf(id) >= value)).toBe('won')
        expect(jointVote(m, (id) => valueOf(id) >= value + 1)).toBe('lost')
      })
    )
  })

  test('a vote is pending exactly when it can still be won and still be lost', () => {
    const votes = fc.array(fc.constantFrom(true, false, undefined), { minLength: 5, maxLength: 5 })
    fc.assert(
      fc.property(membership, votes, (m, given) => {
        const withRest = (rest: boolean): string => jointVote(m, (id) => given[IDS.indexOf(id)] ?? rest)
        const [best, worst] = [withRest(true), withRest(false)]
        const expected = best === worst ? best : 'pending'
        expect(jointVote(m, (id) => given[IDS.indexOf(id)])).toBe(expected)
      })
    )
  })

  test('groups larger than any before are counted too', () => {
    const ids = Array.from({ length: 101 }, (_, i) => String(i))
    expect(majorityValue(ids, Number)).toBe(50)
  })
})
