/** What a member is configured with, every default filled in. */
import { InvalidOptionError } from '../core/errors.ts'
import { PRIORITY_DEFAULT } from '../core/priority.ts'
import type { Random } from '../core/random.ts'
import { LOG_ORIGIN } from './log.ts'
import { membershipProblem } from './messages.ts'
import type { Entry, LogPosition, NodeId, RaftInit, RaftLimits, RaftTiming, SnapshotMeta } from './types.ts'

export interface RaftSettings {
  readonly self: NodeId
  readonly timing: Required<RaftTiming>
  readonly limits: RaftLimits
  readonly staggered: boolean
  readonly preVote: boolean
  readonly checkQuorum: boolean
  readonly random: Random
  readonly firstEntryData: Uint8Array
  readonly priority: number
  readonly rank: number | undefined
  readonly justFounded: boolean
}

/** Small enough that one message never holds up a heartbeat for long on a slow link, large enough that a batch pays. */
export const DEFAULT_LIMITS: RaftLimits = {
  appendBytesMax: 256 * 1024,
  appendEntriesMax: 512,
  entryBytesMax: 1024 * 1024,
  inflightMax: 64,
  inflightBytesMax: 4 * 1024 * 1024,
  uncommittedBytesMax: 16 * 1024 * 1024,
  readsMax: 65_536,
  catchUpEntriesMax: 64,
  trailingEntriesMax: 1024,
  trailingBytesMax: 8 * 1024 * 1024,
  snapshotHeartbeatsMax: 600
}

export function resolveSettings(init: RaftInit): RaftSettings {
  const { heartbeatMs, electionTimeoutMs, rankStepMs, jitterMs } = init.timing
  const timing = {
    heartbeatMs,
    electionTimeoutMs,
    electionTimeoutMinMs: init.timing.electionTimeoutMinMs ?? electionTimeoutMs,
    rankStepMs,
    rankStepMinMs: init.timing.rankStepMinMs ?? rankStepMs,
    rankStepMaxMs: init.timing.rankStepMaxMs ?? rankStepMs,
    jitterMs,
    diskStallMs: init.timing.diskStallMs ?? 4 * electionTimeoutMs
  }
  check(heartbeatMs > 0, 'heartbeatMs is above 0', heartbeatMs)
  check(electionTimeoutMs > heartbeatMs, 'electionTimeoutMs is above heartbeatMs', electionTimeoutMs)
  const least = timing.electionTimeoutMinMs
  check(least > heartbeatMs, 'electionTimeoutMinMs is above heartbeatMs', least)
  check(least <= electionTimeoutMs, 'electionTimeoutMinMs is at most electionTimeoutMs', least)
  const { rankStepMinMs, rankStepMaxMs } = timing
  check(rankStepMinMs > 0, 'rankStepMinMs is above 0', rankStepMinMs)
  check(rankStepMs >= rankStepMinMs, 'rankStepMs is at least rankStepMinMs', rankStepMs)
  check(rankStepMs <= rankStepMaxMs, 'rankStepMs is at most rankStepMaxMs', rankStepMs)
  check(jitterMs >= 0, 'jitterMs is not negative', jitterMs)
  check(timing.diskStallMs > 0, 'diskStallMs is above 0', timing.diskStallMs)
  const limits = { ...DEFAULT_LIMITS, ...init.limits }
  for (const [name, value] of Object.entries(limits)) check(value > 0, `${name} is above 0`, value)
  const firstEntryData = init.firstEntryData ?? new Uint8Array()
  const { byteLength } = firstEntryData
  const { priority = PRIORITY_DEFAULT } = init
  check(priority >= 0 && Number.isSafeInteger(priority), 'priority is a whole number from 0', priority)
  check(byteLength <= limits.entryBytesMax, `firstEntryData is at most ${limits.entryBytesMax} bytes`, byteLength)
  return {
    self: init.self,
    timing,
    limits,
    staggered: (init.mode ?? 'staggered') === 'staggered',
    preVote: init.preVote ?? true,
    checkQuorum: init.checkQuorum ?? true,
    random: init.random,
    firstEntryData,
    priority,
    rank: init.rank,
    justFounded: init.justFounded ?? false
  }
}

/** What storage recovered must be a state that this core could have written (RAFT-HOLES 45). */
export function checkRecovered(init: RaftInit): void {
  const { hardState, entries, membership, snapshot } = init
  checkFounded(init)
  const first = entries[0]?.index ?? 1
  let last = 1
  for (const [i, { index, term }] of entries.entries()) {
    if (index !== first + i)
      refuse(`recovered entries have no gaps; place ${i + 1} holds ${index} after ${first + i - 1}`)
    if (term < last) refuse(`terms do not go down along the recovered log; entry ${index} has ${term} after ${last}`)
    last = term
  }
  checkSnapshot(snapshot, entries)
  const newest = Math.max(entries.length > 0 ? last : 0, snapshot?.term ?? 0)
  if (newest > hardState.term) {
    refuse(`the recovered term is not behind the recovered log; they are ${hardState.term} and ${newest}`)
  }
  const problem = membershipProblem(snapshot?.membership ?? membership)
  if (problem !== undefined) refuse(`the membership can be put in force; ${problem}`)
}

/** Whoever is told that the group was just founded holds nothing but its vote for the voter that opens term 1. */
function checkFounded({ justFounded, hardState, entries, membership, snapshot }: RaftInit): void {
  if (justFounded !== true) return
  const { term, votedFor } = hardState
  const isVote = term === 1 && votedFor !== undefined && membership.voters.includes(votedFor)
  if (isVote && entries.length === 0 && snapshot === undefined) return
  refuse(`a group that was just founded begins in term 1 with a vote for a voter, and no log; it is term ${term}`)
}

/** The log goes on where the snapshot ends, or overlaps with it; nothing is missing between them. */
function checkSnapshot(snapshot: SnapshotMeta | undefined, entries: readonly Entry[]): void {
  const covered = snapshot?.index ?? 0
  const first = entries[0]
  if (first === undefined) return
  if (first.index < 1 || first.index > covered + 1) {
    refuse(`the recovered log begins at ${covered + 1} or before; place 1 holds ${first.index}`)
  }
  if (snapshot === undefined || first.index === covered + 1) return
  const term = entries[covered - first.index]?.term
  if (term !== snapshot.term) {
    refuse(
      `the recovered log holds entry ${covered}@${snapshot.term} of the snapshot; it has term ${term ?? 'none'} there`
    )
  }
}

/**
 * What the recovered log begins after. Of a log that overlaps with its snapshot the first entry is given up, because the term
 * before it is not known.
 */
export function recoveredBase({ snapshot, entries }: RaftInit): LogPosition {
  const first = entries[0]
  if (first?.index === 1) return LOG_ORIGIN
  const isOverlap = first !== undefined && snapshot !== undefined && first.index <= snapshot.index
  const { index, term } = (isOverlap ? first : snapshot) ?? LOG_ORIGIN
  return { index, term }
}

function refuse(rule: string): never {
  throw new InvalidOptionError(`raft needs that ${rule}`, {
    nextStep: 'The store does not hold what raft wrote to it: treat it as corrupt, and rejoin with an empty one.'
  })
}

function check(holds: boolean, rule: string, value: number): void {
  if (!holds || !Number.isFinite(value)) {
    throw new InvalidOptionError(`raft needs that ${rule}; it is ${value}`, { details: { rule, value } })
  }
}
