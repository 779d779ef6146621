/** Raft values for property tests: well-formed, from a small world so that they collide. */
import fc from 'fast-check'
import { encodeMembership } from '../../src/raft/index.ts'
import type { Entry, Membership, RaftMessage } from '../../src/raft/index.ts'

export const IDS = ['n1', 'n2', 'n3', 'n4', 'n5']

/** Mostly small, so that terms and indexes meet; sometimes at the edge of what the codec admits. */
export const counter = (least = 0): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: least, max: 6 }) },
    { weight: 1, arbitrary: fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, 2 ** 32) }
  )

export const membership: fc.Arbitrary<Membership> = fc
  .array(fc.constantFrom('voter', 'both', 'outgoing', 'next', 'learner', 'none'), { minLength: 5, maxLength: 5 })
  .filter((parts) => parts.some((part) => part === 'voter' || part === 'both'))
  .map((parts) => {
    const those = (...wanted: string[]): string[] => IDS.filter((_, i) => wanted.includes(parts[i]!))
    const outgoing = those('both', 'outgoing', 'next')
    return {
      voters: those('voter', 'both'),
      outgoing,
      learners: those('learner'),
      learnersNext: those('next'),
      autoLeave: outgoing.length > 0
    }
  })

/** Entries that may follow (prevIndex, prevTerm) in a message of `term`. */
const entriesAfter = (prevIndex: number, prevTerm: number, term: number): fc.Arbitrary<readonly Entry[]> =>
  fc
    .array(
      fc.record({
        step: fc.nat({ max: 2 }),
        body: fc.oneof(
          { weight: 4, arbitrary: fc.uint8Array({ maxLength: 8 }).map((data) => ({ type: 'command' as const, data })) },
          { weight: 1, arbitrary: fc.constant({ type: 'noop' as const, data: new Uint8Array() }) },
          {
            weight: 1,
            arbitrary: membership.map((m) => ({ type: 'membership' as const, data: encodeMembership(m) as Uint8Array }))
          }
        )
      }),
      { maxLength: 4 }
    )
    .map((steps) => {
      let last = Math.max(1, prevTerm)
      return steps.map(({ step, body }, i) => {
        last = Math.min(term, last + step)
        return { index: prevIndex + i + 1, term: last, ...body }
      })
    })

const append: fc.Arbitrary<RaftMessage> = fc
  .record({
    term: counter(1),
    prevIndex: fc.nat({ max: 6 }),
    prevTerm: fc.integer({ min: 1, max: 6 }),
    commit: counter()
  })
  .chain(({ term, prevIndex, prevTerm: raw, commit }) => {
    const prevTerm = prevIndex === 0 ? 0 : Math.min(raw, term)
    return entriesAfter(prevIndex, prevTerm, term).map((entries) => ({
      type: 'append' as const,
      term,
      prevIndex,
      prevTerm,
      commit,
      entries
    }))
  })

export const message: fc.Arbitrary<RaftMessage> = fc.oneof(
  fc.record({
    type: fc.constant('pre-vote' as const),
    nextTerm: counter(1),
    round: counter(),
    lastIndex: counter(),
    lastTerm: counter()
  }),
  fc.record({ type: fc.constant('pre-vote-reply' as const), term: counter(), round: counter(), granted: fc.boolean() }),
  fc.record({
    type: fc.constant('pre-vote-offer' as const),
    nextTerm: counter(1),
    lastIndex: counter(),
    lastTerm: counter(),
    seq: counter()
  }),
  fc.record({
    type: fc.constant('vote' as const),
    term: counter(1),
    lastIndex: counter(),
    lastTerm: counter(),
    transfer: fc.boolean()
  }),
  fc.record({ type: fc.constant('vote-reply' as const), term: counter(1), granted: fc.boolean() }),
  append,
  fc.record({ type: fc.constant('append-accepted' as const), term: counter(1), match: counter() }),
  fc.record({
    type: fc.constant('append-rejected' as const),
    term: counter(1),
    prevIndex: counter(),
    hintIndex: counter(),
    hintTerm: counter()
  }),
  fc.record({
    type: fc.constant('heartbeat' as const),
    term: counter(1),
    commit: counter(),
    seq: counter(),
    waitMs: fc.nat({ max: 50 }),
    heir: fc.oneof(fc.nat({ max: 6 }), counter())
  }),
  fc.record({ type: fc.constant('heartbeat-reply' as const), term: counter(1), seq: counter(), match: counter() }),
  fc.record({ type: fc.constant('commit' as const), term: counter(1), commit: counter() }),
  fc.record({ type: fc.constant('transfer' as const), term: counter(1), lastIndex: counter(), lastTerm: counter() })
)
