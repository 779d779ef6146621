/**
 * Model checking of the shipped consensus core: three members, every schedule within the bounds that the name of a space states.
 *
 * Explored are loss, repetition, delay and reordering of every message, also over restarts; timers at any moment; crashes of
 * any member at any moment, which lose what is not durable. Checked are election safety, log matching, leader completeness and
 * state-machine safety (paper, figure 3) over all that ever happened. Unless a space says otherwise, refusals are always
 * lost (they only inform), pre-vote and CheckQuorum are off, and leaders do not beat. Where clients read, they do, and a read must
 * see whatever anybody had committed before it was asked for.
 *
 * The short run takes seconds. `QUORATE_MODEL=large npx vitest run --project unit test/model` adds the large spaces: several
 * minutes, up to 3 GB.
 */
import { describe, expect, it } from 'vitest'
import type { Exploration } from './explorer.ts'
import { openRaft, type Plant } from './open-raft.ts'
import { exploreAndPrint } from './print.ts'
import { RaftModel, type RaftModelInit } from './raft-model.ts'

const LARGE = process.env.QUORATE_MODEL === 'large'
const MINUTES = 60_000

interface Space extends Omit<RaftModelInit, 'create'> {
  readonly name: string
  readonly statesMax?: number
  readonly messagesMax?: number
}

const shipped = openRaft()

async function explore(space: Space, plants: readonly Plant[] = []): Promise<Exploration> {
  const { name, statesMax = 4_000_000, messagesMax = 128, ...init } = space
  const create = await (plants.length === 0 ? shipped : openRaft(plants))
  return exploreAndPrint(`raft, ${name}`, new RaftModel({ create, ...init }), statesMax, messagesMax)
}

const QUIET = { disk: 'synchronous' } as const

/** Members that went through three terms apart: an entry of term 2 is on one disk, one of term 3 on another (paper, figure 8). */
const FIGURE_8: Space = {
  ...QUIET,
  name: 'figure 8, 2 more terms',
  termMax: 5,
  logMax: 3,
  disks: [
    { term: 3, entries: [1, 2] },
    { term: 3, entries: [1] },
    { term: 3, vote: 2, entries: [1, 3] }
  ],
  candidates: [[], [], [], [0], [2]],
  appendEntriesMax: 1
}

/** A long log of an early term against a short one of a later term. */
const LONG_AND_OLD: Space = {
  ...QUIET,
  name: 'a long and old log, 2 more terms',
  termMax: 4,
  logMax: 4,
  disks: [
    { term: 2, entries: [1, 1, 1] },
    { term: 2, vote: 1, entries: [1, 2] },
    { term: 2, entries: [1] }
  ],
  candidates: [[], [], [1], [0]]
}

/** n1 is ahead, so that who follows it has first to refuse what it sends, and keeps a log that n2 can match. */
const BEHIND: Space = {
  ...QUIET,
  name: '1 more term of n1 and n2, n1 ahead',
  termMax: 2,
  logMax: 3,
  disks: [
    { term: 1, entries: [1, 1] },
    { term: 1, entries: [1] },
    { term: 1, entries: [1] }
  ],
  candidates: [[], [0, 1]]
}

/** Clients read, so that leaders beat. */
const READS: Space = {
  ...QUIET,
  name: '2 terms of n1 and n2, 1 entry, synchronous disk, reads by heartbeats, nobody crashes',
  termMax: 2,
  logMax: 1,
  candidates: [[0], [1]],
  crashing: [],
  reads: true,
  messagesMax: 192
}

const UNDECIDED = { term: 0, entries: [] }
const OPENER = { term: 1, vote: 0, entries: [] }

/** A group that was founded with n1 as the one who opens term 1. */
const FOUNDED: Space = {
  name: 'just founded, n1 opens, 1 more term of n2, 1 entry',
  termMax: 2,
  logMax: 1,
  disks: [OPENER, OPENER, OPENER],
  justFounded: true,
  candidates: [[], [1]],
  crashing: [0, 1]
}

const ONE_TERM: Space = {
  name: '1 term, 2 entries of 2 values',
  termMax: 1,
  logMax: 2,
  values: ['x', 'y'],
  messagesMax: 96
}
const TWO_TERMS: Space = { name: '2 terms of n1 and n2, 1 entry', termMax: 2, logMax: 1, candidates: [[0], [1]] }

/** Voters change in term 1, without other entries; a log of 3 holds the no-op and both steps of a joint change. */
const CHANGE = { ...QUIET, termMax: 2, logMax: 3, values: [], messagesMax: 256 } as const
const THREE_TO_ONE: Space = { ...CHANGE, name: 'voters n1 n2 n3 to n1', candidates: [[0], [1]], changes: [[0]] }

/** n3 has led term 2 and holds an entry that nobody else has; n1 goes on without it, and what n3 needs is soon gone. */
const CUT: Space = {
  ...QUIET,
  name: '1 more term of n1, 1 of n3, a log that came apart, snapshots',
  termMax: 4,
  logMax: 3,
  disks: [
    { term: 2, entries: [1, 1] },
    { term: 2, entries: [1] },
    { term: 2, vote: 2, entries: [1, 2] }
  ],
  candidates: [[], [], [0], [2]],
  crashing: [2],
  snapshots: true
}

const SMALL: readonly Space[] = [
  { name: '1 term of n1 and n2, 2 entries', termMax: 1, logMax: 2, candidates: [[0, 1]], messagesMax: 96 },
  TWO_TERMS,
  { ...QUIET, name: '2 terms, 1 entry, synchronous disk', termMax: 2, logMax: 1, messagesMax: 256 },
  {
    ...QUIET,
    name: '2 terms of n1 and anybody, 2 entries, synchronous disk',
    termMax: 2,
    logMax: 2,
    candidates: [[0], [0, 1, 2]],
    messagesMax: 256
  },
  {
    ...QUIET,
    name: '2 terms of n1 and n2, 1 entry, synchronous disk, refusals',
    termMax: 2,
    logMax: 1,
    candidates: [[0], [1]],
    refusals: true,
    messagesMax: 96
  },
  {
    ...QUIET,
    name: '1 term of n1 and n2, 1 entry, synchronous disk, pre-vote and CheckQuorum',
    termMax: 1,
    logMax: 1,
    candidates: [[0, 1]],
    preVoteRounds: 1
  },
  {
    ...QUIET,
    name: '2 terms of n1 and n2, 1 entry, synchronous disk, pre-vote and CheckQuorum, n1 crashes',
    termMax: 2,
    logMax: 1,
    candidates: [[0], [1]],
    crashing: [0],
    preVoteRounds: 1,
    messagesMax: 64
  },
  {
    ...QUIET,
    name: '2 terms of n1 and n2, 1 entry, synchronous disk, pre-vote and CheckQuorum, n3 offers n2 its pre-vote, nobody crashes',
    termMax: 2,
    logMax: 1,
    candidates: [[0], [1]],
    crashing: [],
    preVoteRounds: 1,
    offers: [[2, 1]],
    messagesMax: 96
  },
  {
    ...QUIET,
    name: '2 terms, 1 entry, synchronous disk, hand-over',
    termMax: 2,
    logMax: 1,
    candidates: [[0], [0, 1]],
    transfers: true,
    messagesMax: 192
  },
  {
    ...QUIET,
    name: '3 terms of n1, n2 and n3, 1 entry, synchronous disk',
    termMax: 3,
    logMax: 1,
    candidates: [[0], [1], [2]],
    messagesMax: 256
  },
  READS,
  FOUNDED,
  FIGURE_8,
  LONG_AND_OLD,
  BEHIND,
  CUT,
  { ...CHANGE, name: 'voters n1 n2 to n1 n3', candidates: [[0], [1, 2]], voters: [0, 1], changes: [[0, 2]] },
  { ...CHANGE, name: 'voters n1 n2 to n3', candidates: [[0], [1, 2]], voters: [0, 1], changes: [[2]] }
]

const BIG: readonly Space[] = [
  ONE_TERM,
  {
    ...READS,
    name: '2 terms of n1 and n2, 1 entry, synchronous disk, reads by heartbeats, n1 crashes',
    crashing: [0],
    statesMax: 30_000_000
  },
  {
    ...FOUNDED,
    name: 'just founded, n1 opens, 1 more term of n2 or n3, 1 entry, anybody crashes',
    candidates: [[], [1, 2]],
    crashing: [0, 1, 2]
  },
  THREE_TO_ONE,
  { ...CHANGE, name: 'voters n1 to n1 n2 n3', candidates: [[0], [0, 1]], voters: [0], changes: [[0, 1, 2]] },
  {
    ...CHANGE,
    name: 'voters n1 n2 to n1 n3 or n2 n3',
    candidates: [[0], [1, 2]],
    voters: [0, 1],
    changes: [
      [0, 2],
      [1, 2]
    ],
    statesMax: 30_000_000
  },
  {
    ...QUIET,
    name: '3 terms of n1, n2 and n3, 2 entries, synchronous disk',
    termMax: 3,
    logMax: 2,
    candidates: [[0], [1], [2]],
    messagesMax: 256
  },
  { ...QUIET, name: '2 terms, 2 entries, synchronous disk', termMax: 2, logMax: 2, messagesMax: 288 },
  {
    name: '2 terms of n1 and n2, 2 entries',
    termMax: 2,
    logMax: 2,
    candidates: [[0], [1]],
    statesMax: 30_000_000
  },
  {
    ...QUIET,
    name: '2 terms of n1 and n2, 3 entries, synchronous disk',
    termMax: 2,
    logMax: 3,
    candidates: [[0], [1]],
    statesMax: 30_000_000,
    messagesMax: 192
  },
  {
    ...QUIET,
    name: '2 terms of n1 and n2, 1 entry, synchronous disk, pre-vote and CheckQuorum',
    termMax: 2,
    logMax: 1,
    candidates: [[0], [1]],
    preVoteRounds: 1,
    statesMax: 30_000_000
  }
]

describe('within its bounds', () => {
  for (const space of LARGE ? [...SMALL, ...BIG] : SMALL) {
    it(space.name, { timeout: 20 * MINUTES }, async () => {
      expect(await explore(space)).toMatchObject({ violation: undefined, complete: true })
    })
  }
})

interface Planted {
  readonly what: string
  readonly space: Space
  readonly plants: readonly Plant[]
  readonly reason: RegExp
}

const ONE_TERM_OF_TWO: Space = { ...QUIET, name: '', termMax: 1, logMax: 1, candidates: [[0, 1]] }

const PLANTED: readonly Planted[] = [
  {
    what: 'a log that contradicts a snapshot is kept behind it',
    space: CUT,
    plants: [
      {
        file: 'follower.ts',
        replace: 'if (log.termAt(snapshot.index) === snapshot.term) node',
        by: 'if (log.termAt(snapshot.index) !== undefined) node'
      }
    ],
    reason: /two values for what is applied at 2/
  },
  {
    what: 'a vote forgotten on restart',
    space: { ...ONE_TERM_OF_TWO, restore: ({ term }) => ({ term, votedFor: undefined }) },
    plants: [],
    reason: /the leader of term 1/
  },
  {
    what: 'stepping down in the same term clears the vote',
    space: BEHIND,
    plants: [
      {
        file: 'node.ts',
        replace: 'if (term > this.term) this.#enterTerm(term, undefined)',
        by: 'if (term > this.term) this.#enterTerm(term, undefined)\n    else Object.assign(this.disk, { votedFor: undefined, $hardStateDirty: true })'
      }
    ],
    reason: /two values for the leader of term 2/
  },
  {
    what: 'a candidate leads before its own vote is durable',
    space: { ...ONE_TERM, candidates: [[0]] },
    plants: [
      {
        file: 'candidate.ts',
        replace: '    this.askAll(this.#patron)',
        by: '    this.askAll(this.#patron)\n    this.count(this.node.self, true)'
      },
      { file: 'node.ts', replace: ' && this.disk.hardStateDurable,', by: ',' }
    ],
    reason: /the entry 2@1/
  },
  {
    what: 'a leader counts itself before its disk has the entry',
    space: TWO_TERMS,
    plants: [{ file: 'replication.ts', replace: 'this.#node.log.stable', by: 'this.#node.log.lastIndex' }],
    reason: /the leader of term 2 lacks 1@1/
  },
  {
    what: 'a follower acknowledges before its disk has the entry',
    space: TWO_TERMS,
    plants: [
      {
        file: 'follower.ts',
        replace: "node.sendLater(from, { type: 'append-accepted'",
        by: "node.send(from, { type: 'append-accepted'"
      }
    ],
    reason: /the leader of term 2 lacks 1@1/
  },
  {
    what: 'a vote leaves before it is durable',
    space: { ...TWO_TERMS, termMax: 1, candidates: [[0, 1]] },
    plants: [
      {
        file: 'voting.ts',
        replace: "node.sendLater(from, { type: 'vote-reply', term: node.term, granted })",
        by: "node.send(from, { type: 'vote-reply', term: node.term, granted })"
      }
    ],
    reason: /the leader of term 1/
  },
  {
    what: 'an entry of an earlier term commits by counting',
    space: FIGURE_8,
    plants: [{ file: 'leader.ts', replace: ' || log.termAt(index) !== node.term', by: '' }],
    reason: /the leader of term 5 lacks 2@2/
  },
  {
    what: 'a read is answered without asking whether anybody else leads',
    space: READS,
    plants: [
      {
        file: 'leader.ts',
        replace: 'jointValue(this.#node.membership, this.#replication.ackedSeqOf) < awaited',
        by: 'false'
      }
    ],
    reason: /a read that was asked for after \d had committed sees/
  },
  {
    what: 'a read counts an answer to an earlier heartbeat',
    space: READS,
    plants: [
      {
        file: 'replication.ts',
        replace: 'if (seq > peer.ackedSeq) peer.ackedSeq = seq',
        by: 'peer.ackedSeq = this.seq'
      }
    ],
    reason: /a read that was asked for after \d had committed sees/
  },
  {
    what: 'a leader whose first entry has not committed answers as if it knew what has',
    space: READS,
    plants: [
      {
        file: 'leader.ts',
        replace: 'Math.max(this.#node.log.commit, this.#firstIndex)',
        by: 'this.#node.log.commit'
      }
    ],
    reason: /a read that was asked for after \d had committed sees/
  },
  {
    what: 'a founder opens the term again after a restart',
    space: { ...FOUNDED, name: '', termMax: 1, values: ['x', 'y'], logMax: 2, opensAgain: true, crashing: [0] },
    plants: [],
    reason: /the entry 2@1/
  },
  {
    what: 'a founder that did not vote for the opener',
    space: { ...FOUNDED, name: '', disks: [OPENER, UNDECIDED, UNDECIDED], candidates: [[2], [1]] },
    plants: [],
    reason: /the leader of term 1/
  },
  {
    what: 'a shorter log is as good',
    space: { ...TWO_TERMS, ...QUIET },
    plants: [{ file: 'log.ts', replace: 'lastTerm === this.lastTerm && lastIndex >= this.lastIndex', by: 'true' }],
    reason: /the leader of term 2 lacks 1@1/
  },
  {
    what: 'a longer log of an earlier term is as good',
    space: LONG_AND_OLD,
    plants: [
      {
        file: 'log.ts',
        replace: 'lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex)',
        by: 'lastIndex >= this.lastIndex'
      }
    ],
    reason: /the leader of term 4 lacks/
  },
  {
    what: 'voters change in one step',
    space: THREE_TO_ONE,
    plants: [
      {
        file: 'configuration.ts',
        replace: 'return votersChange ? enterJoint(from, changes, true)',
        by: 'return votersChange ? accept({ ...from, voters: sorted(wanted.voters), learners: sorted(wanted.learners) })'
      }
    ],
    reason: /the leader of term 2 lacks 2@1 membership/
  },
  {
    what: 'of a joint configuration only the new voters commit',
    space: THREE_TO_ONE,
    plants: [
      { file: 'quorum.ts', replace: 'Math.min(incoming, majorityValue(membership.outgoing, valueOf))', by: 'incoming' }
    ],
    reason: /the leader of term 2 lacks 2@1 membership/
  },
  {
    what: 'of a joint configuration only the new voters elect',
    space: { ...THREE_TO_ONE, candidates: [[0], [0, 1]] },
    plants: [
      {
        file: 'quorum.ts',
        replace: 'const outgoing = majorityVote(membership.outgoing, voteOf)',
        by: 'const outgoing = incoming'
      }
    ],
    reason: /two values for the leader of term 2/
  }
]

describe('a rule taken away breaks it, and the checker sees that', () => {
  for (const { what, space, plants, reason } of PLANTED) {
    it(what, { timeout: 5 * MINUTES }, async () => {
      const found = await explore({ ...space, name: what }, plants)
      expect(found.violation?.reason).toMatch(reason)
    })
  }

  it('a plant that no longer fits its file says so', async () => {
    await expect(openRaft([{ file: 'log.ts', replace: 'no such line', by: '' }])).rejects.toThrow('does not hold')
  })
})
