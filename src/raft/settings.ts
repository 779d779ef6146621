/** What a member is configured with, every default filled in. */
import { InvalidOptionError } from '../core/errors.ts'
import { PRIORITY_DEFAULT } from '../core/priority.ts'
import type { Random } from '../core/random.ts'
import type { NodeId, RaftInit, RaftLimits, RaftTiming } from './types.ts'

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

function check(holds: boolean, rule: string, value: number): void {
  if (!holds || !Number.isFinite(value)) {
    throw new InvalidOptionError(`raft needs that ${rule}; it is ${value}`, { details: { rule, value } })
  }
}
