/** The times at which a member campaigns, number by number. */
import { describe, expect, test } from 'vitest'
import { LEARNERS_A_BEAT } from '../../src/raft/beats.ts'
import { allowedWaitMs, patienceMs, retryDelayMs, suspectDelayMs, turnMs } from '../../src/raft/campaign-delay.ts'
import type { RaftNode } from '../../src/raft/node.ts'

interface Given {
  readonly failedRounds?: number
  readonly waitMs?: number
  readonly rankStepMs?: number
  readonly staggered?: boolean
  readonly votes?: boolean
  readonly learners?: number
}

/** As much of a member as its delays are made of; chance always says a half. */
const member = ({
  failedRounds = 0,
  waitMs = 0,
  rankStepMs = 10,
  staggered = true,
  votes = true,
  learners = 0
}: Given) =>
  ({
    settings: {
      staggered,
      timing: { heartbeatMs: 10, electionTimeoutMs: 100, rankStepMs, rankStepMaxMs: 9.5, jitterMs: 10 },
      random: { next: () => 0.5 }
    },
    suspicion: { timeoutMs: 70 },
    configurations: { isVoter: () => votes },
    membership: {
      voters: ['n1', 'n2'],
      outgoing: ['n3'],
      learners: Array.from({ length: learners }, (_, i) => `x${i}`)
    },
    failedRounds,
    waitMs
  }) as unknown as RaftNode

test('who comes first waits for nothing, until its rounds fail; then chance takes twice as much each time, within bounds', () => {
  const turns = [0, 1, 2, 3, 6, 9].map((failedRounds) => turnMs(member({ failedRounds })))
  expect(turns).toEqual([0, 10, 20, 40, 50, 50])
  expect([0, 1].map((failedRounds) => turnMs(member({ failedRounds, waitMs: 30 })))).toEqual([35, 40])
})

test('a round that failed is followed by a longer one, up to an election timeout or one round', () => {
  const rounds = [0, 1, 2, 9].map((failedRounds) => {
    const node = member({ failedRounds })
    return retryDelayMs(node) - turnMs(node)
  })
  expect(rounds).toEqual([30, 60, 100, 100])
  expect(retryDelayMs(member({ rankStepMs: 40 }))).toBe(120)
  expect(retryDelayMs(member({ staggered: false }))).toBe(150)
})

test('a leader talks nobody into waiting longer than a step for each voter', () => {
  expect([1, 30, 31, 1_000].map((waitMs) => allowedWaitMs(member({}), waitMs))).toEqual([1, 30, 30, 30])
})

describe('silence is borne', () => {
  test('by a voter for as long as it suspects, by a learner for as many heartbeats as it does not hear', () => {
    const learners = 2 * LEARNERS_A_BEAT + 1
    expect(patienceMs(member({ learners }))).toBe(70)
    expect([0, learners].map((count) => patienceMs(member({ votes: false, learners: count })))).toEqual([100, 120])
    expect(suspectDelayMs(member({ waitMs: 30 }))).toBe(70 + 35)
  })

  test('for an election timeout where timeouts are classic', () => {
    expect([patienceMs(member({ staggered: false })), suspectDelayMs(member({ staggered: false }))]).toEqual([100, 150])
  })
})
