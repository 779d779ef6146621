/** A member that lies about the term cannot use up all terms (FAULTS B12). */
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { createRaft, type Membership, type RaftMessage } from '../../src/raft/index.ts'
import { TERM_JUMP_MAX } from '../../src/raft/term-jump.ts'

const MEMBERS = ['a', 'b', 'c']

function member(self: string, term: number) {
  const membership: Membership = { voters: MEMBERS, outgoing: [], learners: [], learnersNext: [], autoLeave: false }
  const raft = createRaft({
    self,
    membership,
    hardState: { term, votedFor: undefined },
    entries: [],
    timing: { heartbeatMs: 50, electionTimeoutMs: 250, rankStepMs: 20, jitterMs: 0 },
    random: seededRandom(1)
  })
  raft.start(0)
  const hear = (message: RaftMessage) => raft.step({ type: 'message', from: 'b', message }, 1)
  return { raft, hear }
}

const lies = (term: number): readonly RaftMessage[] => [
  { type: 'vote', term, lastIndex: 9, lastTerm: 9, transfer: true },
  { type: 'append', term, prevIndex: 0, prevTerm: 0, commit: 0, entries: [] },
  { type: 'heartbeat', term, commit: 0, seq: 1, waitMs: 0, heir: 0 },
  { type: 'commit', term, commit: 0 },
  { type: 'transfer', term, lastIndex: 0, lastTerm: 0 },
  { type: 'vote-reply', term, granted: false },
  { type: 'append-accepted', term, match: 0 },
  { type: 'append-rejected', term, prevIndex: 0, hintIndex: 0, hintTerm: 0 },
  { type: 'heartbeat-reply', term, seq: 0, match: 0 },
  { type: 'pre-vote-reply', term, round: 0, granted: false }
]

describe('a term that is far ahead', () => {
  it.each(lies(Number.MAX_SAFE_INTEGER))('is not entered: $type', (message) => {
    for (const own of [0, 7]) {
      const { raft, hear } = member('a', own)
      const { write, send, sendAfter, events } = hear(message)
      expect([raft.status().term, write, send, sendAfter]).toEqual([own, undefined, [], []])
      expect(events).toEqual([
        { type: 'anomaly', from: 'b', detail: expect.stringContaining(`term ${Number.MAX_SAFE_INTEGER}`) as unknown }
      ])
    }
  })

  it.each(lies(7 + TERM_JUMP_MAX))('is entered as far as a cluster can have got: $type', (message) => {
    const { raft, hear } = member('a', 7)
    const { events } = hear(message)
    // Whoever is asked to take over campaigns in the next one at once.
    expect(raft.status().term).toBe(7 + TERM_JUMP_MAX + (message.type === 'transfer' ? 1 : 0))
    expect(events.filter(({ type }) => type === 'anomaly')).toEqual([])
  })

  it('is asked for in a pre-vote without any effect', () => {
    const { raft, hear } = member('a', 7)
    hear({ type: 'pre-vote', nextTerm: Number.MAX_SAFE_INTEGER, round: 1, lastIndex: 9, lastTerm: 9 })
    expect(raft.status().term).toBe(7)
  })

  it('is where somebody begins that is no member yet', () => {
    const { raft, hear } = member('newcomer', 0)
    hear({ type: 'heartbeat', term: 5 * TERM_JUMP_MAX, commit: 0, seq: 1, waitMs: 0, heir: 0 })
    expect(raft.status()).toMatchObject({ term: 5 * TERM_JUMP_MAX, leader: 'b' })
    hear({ type: 'heartbeat', term: Number.MAX_SAFE_INTEGER, commit: 0, seq: 1, waitMs: 0, heir: 0 })
    expect(raft.status().term).toBe(5 * TERM_JUMP_MAX)
  })
})
