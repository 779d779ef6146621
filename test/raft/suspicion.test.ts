import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { createRaft } from '../../src/raft/index.ts'
import type { Raft, RaftEffects } from '../../src/raft/index.ts'
import { Suspicion } from '../../src/raft/suspicion.ts'

const TIMING = { heartbeatMs: 50, electionTimeoutMs: 500, electionTimeoutMinMs: 125 }

function after(...gaps: readonly number[]): number {
  const suspicion = new Suspicion(TIMING)
  for (const gap of gaps) suspicion.observe(gap)
  return suspicion.timeoutMs
}

const times = (count: number, gap: number): number[] => Array.from({ length: count }, () => gap)
const calm = times(2_000, 50)

describe('suspicion', () => {
  test('begins at the ceiling, loses patience by half in 64 punctual heartbeats, and ends at the floor', () => {
    expect(after()).toBe(500)
    expect(after(...times(64, 50))).toBeCloseTo(100 + 200, 5)
    expect(after(...times(128, 50))).toBeCloseTo(100 + 100, 5)
    expect(after(...calm)).toBe(125)
  })

  test('forgets by time: the heartbeats of many reads are no experience', () => {
    expect(after(...times(1_280, 5))).toBeCloseTo(after(...times(128, 50)), 5)
  })

  test('allows for twice the worst that came late', () => {
    // At once a little more: mean and four deviations jump first, the worst stays.
    expect(after(...calm, 90)).toBe(190)
    expect(after(...calm, 90, ...times(20, 50))).toBeCloseTo(2 * (50 + 40 * 0.5 ** (20 / 64)), 5)
    expect(after(...calm, 90, ...calm)).toBe(125)
    expect(after(...calm, 10_000)).toBe(500)
  })

  test('follows lateness that has become usual', () => {
    expect(after(...calm, ...times(100, 80))).toBeCloseTo(160, 2)
  })

  test('stays between floor and ceiling, and no gap makes it less patient than the gap that came', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1_000, noNaN: true }), { minLength: 16, maxLength: 200 }),
        (gaps) => {
          const timeoutMs = after(...gaps)
          expect(timeoutMs).toBeGreaterThanOrEqual(TIMING.electionTimeoutMinMs)
          expect(timeoutMs).toBeLessThanOrEqual(TIMING.electionTimeoutMs)
          expect(timeoutMs).toBeGreaterThanOrEqual(Math.min(TIMING.electionTimeoutMs, gaps.at(-1)!))
        }
      )
    )
  })
})

describe('a follower', () => {
  const timing = { ...TIMING, rankStepMs: 20, jitterMs: 5 }

  /** Follows n2 in term 1, whose heartbeats come with these gaps. */
  function follower(gaps: readonly number[], init: { mode?: 'classic'; rank?: number } = {}): Followed {
    const raft = createRaft({
      self: 'n1',
      membership: { voters: ['n1', 'n2', 'n3'], outgoing: [], learners: [], learnersNext: [], autoLeave: false },
      hardState: { term: 1, votedFor: undefined },
      entries: [],
      timing,
      random: seededRandom('suspicion'),
      ...init
    })
    let effects = raft.start(0)
    let now = 0
    for (const [i, gap] of [0, ...gaps].entries()) {
      now += gap
      const message = { type: 'heartbeat', term: 1, commit: 0, seq: i + 1, waitMs: 0, heir: 0 } as const
      effects = raft.step({ type: 'message', from: 'n2', message }, now)
    }
    return { raft, now, effects, silenceMs: effects.deadline! - now }
  }

  interface Followed {
    readonly raft: Raft
    readonly now: number
    readonly effects: RaftEffects
    readonly silenceMs: number
  }

  test('campaigns after less silence when heartbeats came on time, and after more when they did not', () => {
    expect(follower([]).silenceMs).toBe(500)
    expect(follower(calm).silenceMs).toBe(125)
    const stalled = follower([...calm, 110, ...times(20, 50)])
    expect(stalled.silenceMs).toBeCloseTo(2 * (50 + 60 * 0.5 ** (20 / 64)), 5)
    expect(follower(calm, { mode: 'classic' }).silenceMs).toBeGreaterThanOrEqual(500)
  })

  test('grants a pre-vote by the same measure: its leader is alive as long as it would not campaign itself', () => {
    const { raft, now } = follower(calm)
    const message = { type: 'pre-vote', nextTerm: 2, round: 1, lastIndex: 0, lastTerm: 0 } as const
    const early = raft.step({ type: 'message', from: 'n3', message }, now + 124)
    expect(early.send).toEqual([{ to: 'n3', message: { type: 'pre-vote-reply', term: 1, round: 1, granted: false } }])
    // What was refused for a leader that was alive is granted when it no longer is.
    expect(raft.step({ type: 'tick' }, now + 125).send).toContainEqual({
      to: 'n3',
      message: { type: 'pre-vote-reply', term: 1, round: 1, granted: true }
    })
  })

  test('does not measure the gap between two leaders', () => {
    const { raft, now } = follower(calm)
    const message = { type: 'heartbeat', term: 2, commit: 0, seq: 1, waitMs: 0, heir: 0 } as const
    raft.step({ type: 'message', from: 'n3', message }, now + 240)
    const next = raft.step({ type: 'message', from: 'n3', message: { ...message, seq: 2 } }, now + 290)
    const third = raft.step({ type: 'message', from: 'n3', message: { ...message, seq: 3 } }, now + 340)
    expect(next.deadline! - (now + 290)).toBe(125)
    expect(third.deadline! - (now + 340)).toBe(125)
  })

  test('whose own timer is late listens once more before it campaigns', () => {
    const { raft, now, silenceMs } = follower(calm)
    const late = raft.step({ type: 'tick' }, now + silenceMs + 51)
    expect(late.send).toEqual([])
    expect(late.deadline).toBe(now + silenceMs + 51 + timing.rankStepMs)
    const heard = { type: 'heartbeat', term: 1, commit: 0, seq: 2_050, waitMs: 0, heir: 0 } as const
    const effects = raft.step({ type: 'message', from: 'n2', message: heard }, late.deadline!)
    expect(raft.status().role).toBe('follower')
    // A pause of its own is not the leader's.
    expect(effects.deadline! - late.deadline!).toBeGreaterThan(silenceMs)
  })

  test('that was suspended does not take its own sleep for lateness of the leader', () => {
    const { raft, now, silenceMs } = follower(calm)
    const woken = now + silenceMs + 10_000
    raft.step({ type: 'tick' }, woken)
    const heard = { type: 'heartbeat', term: 1, commit: 0, seq: 3_000, waitMs: 0, heir: 0 } as const
    raft.step({ type: 'message', from: 'n2', message: heard }, woken + 1)
    const next = raft.step({ type: 'message', from: 'n2', message: { ...heard, seq: 3_001 } }, woken + 51)
    expect(next.deadline! - (woken + 51)).toBe(125)
  })
})
