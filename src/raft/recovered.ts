/**
 * What the store held, as what a member begins with: its log, the configurations in it, and the snapshot before it.
 *
 * It must be a state that this core could have written (RAFT-HOLES 45). Whatever else it is, checksums or not, is damage, and a
 * member that went on with it would break its word.
 */
import { InvalidOptionError } from '../core/errors.ts'
import { Configurations } from './configuration.ts'
import { Log, LOG_ORIGIN } from './log.ts'
import { decodeMembership, membershipProblem } from './messages.ts'
import type { Entry, LogPosition, RaftInit, SnapshotMeta } from './types.ts'

export interface Recovered {
  readonly log: Log
  readonly configurations: Configurations
  /** The newest that is durable; `LOG_ORIGIN` when there is none. */
  readonly snapshot: LogPosition
}

/** Throws InvalidOptionError, and RaftMessageError for a membership that cannot be read. */
export function recover(init: RaftInit): Recovered {
  check(init)
  const { entries, membership, snapshot } = init
  const base = baseOf(init)
  const { index: covered } = snapshot ?? LOG_ORIGIN
  const log = new Log(
    entries.filter(({ index }) => index > base.index),
    base
  )
  log.commitTo(covered)
  log.emitted = covered
  const configurations = new Configurations(snapshot?.membership ?? membership, snapshot?.membershipIndex)
  for (const { index, type, data } of entries) {
    if (type === 'membership' && index > covered) configurations.append(index, decodeMembership(data))
  }
  return { log, configurations, snapshot: snapshot ?? LOG_ORIGIN }
}

function check(init: RaftInit): void {
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
function baseOf({ snapshot, entries }: RaftInit): LogPosition {
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
