/** One member in the hands of a test: told things one by one, with a disk that is instant, so that all it says can be seen at once. */
import { utf8 } from '../../src/core/bytes.ts'
import { seededRandom } from '../../src/core/random.ts'
import { createRaft } from '../../src/raft/index.ts'
import type { Entry, Envelope, NodeId, Outcome, Raft, RaftEffects } from '../../src/raft/index.ts'
import type { RaftInit, RaftInput, RaftMessage, RaftStatus } from '../../src/raft/index.ts'

export const TIMING = { heartbeatMs: 10, electionTimeoutMs: 100, rankStepMs: 10, jitterMs: 0 }

/** A log of entries with these terms. */
export const log = (...terms: readonly number[]): Entry[] =>
  terms.map((term, i) => ({ index: i + 1, term, type: 'command', data: utf8(`t${term}`) }))

export interface MemberInit extends Partial<Omit<RaftInit, 'entries'>> {
  readonly size?: number
  readonly term?: number
  readonly vote?: NodeId
  /** The terms of its entries. */
  readonly terms?: readonly number[]
}

/** n1 of a group, as the paper has it: no pre-vote, no CheckQuorum, random timeouts. */
export class Member {
  readonly raft: Raft
  readonly outcomes: Outcome[] = []
  readonly committed: Entry[] = []
  entries: Entry[]
  deadline: number | undefined
  now = 0

  constructor({ size = 3, term, vote, terms = [], ...init }: MemberInit = {}) {
    const voters = Array.from({ length: size }, (_, i) => `n${i + 1}`)
    this.entries = log(...terms)
    this.raft = createRaft({
      self: 'n1',
      membership: { voters, outgoing: [], learners: [], learnersNext: [], autoLeave: false },
      hardState: { term: term ?? terms.at(-1) ?? 0, votedFor: vote },
      entries: this.entries,
      timing: TIMING,
      mode: 'classic',
      preVote: false,
      checkQuorum: false,
      random: seededRandom('member'),
      ...init
    })
    this.#take(this.raft.start(0))
  }

  get status(): RaftStatus {
    return this.raft.status()
  }

  /** The terms of its log. */
  get terms(): readonly number[] {
    return this.entries.map(({ term }) => term)
  }

  tell(input: RaftInput): readonly Envelope[] {
    return this.#take(this.raft.step(input, this.now))
  }

  hear(from: NodeId, message: RaftMessage): readonly Envelope[] {
    return this.tell({ type: 'message', from, message })
  }

  /** Its timer fires, on time. */
  timeout(): readonly Envelope[] {
    this.now = this.deadline ?? this.now
    return this.tell({ type: 'tick' })
  }

  propose(ref: number, text = ''): readonly Envelope[] {
    return this.tell({ type: 'propose', ref, data: utf8(text) })
  }

  /** It times out, and is elected by these. */
  elect(...voters: readonly NodeId[]): readonly Envelope[] {
    this.timeout()
    const { term } = this.status
    return voters.flatMap((from) => this.hear(from, { type: 'vote-reply', term, granted: true }))
  }

  #take(effects: RaftEffects): readonly Envelope[] {
    this.deadline = effects.deadline
    this.outcomes.push(...effects.outcomes)
    this.committed.push(...effects.committed)
    const said = [...effects.send, ...effects.sendAfter]
    if (effects.write === undefined) return said
    const { id, entries } = effects.write
    if (entries !== undefined) this.entries = [...this.entries.slice(0, entries[0]!.index - 1), ...entries]
    return [...said, ...this.#take(this.raft.step({ type: 'persisted', write: id }, this.now))]
  }
}
