/**
 * When to campaign.
 *
 * Staggered: the leader says with its heartbeats how long each member lets others go first (heirs.ts), so that as a rule one
 * candidate asks and is elected before the next one would. A small random tail keeps apart members that wait equally long (before
 * the first leader, or after a lost heartbeat), and it widens with every round that failed; the first in the order has none, so
 * that a failover costs no wait at all. Classic: the paper's uniform choice from one to two election timeouts (section 5.2).
 */
import { compareText } from '../core/bytes.ts'
import { learnersTurns } from './beats.ts'
import { priorityOf } from './heirs.ts'
import type { RaftNode } from './node.ts'
import { awaitsOpening } from './opening.ts'
import type { NodeId } from './types.ts'

/** A round of pre-vote and vote takes four delays and a write; a step is longer than one delay and one write. */
const ROUND_STEPS = 3
const WIDEN_MAX = 6

/** How long a leader may be silent before it counts as lost. Learners hear fewer heartbeats, and do not measure them. */
export function patienceMs({
  settings: { timing, staggered },
  suspicion,
  configurations,
  membership,
  self
}: RaftNode): number {
  if (!staggered) return timing.electionTimeoutMs
  if (configurations.isVoter(self)) return suspicion.timeoutMs
  return timing.electionTimeoutMs + (learnersTurns(membership) - 1) * timing.heartbeatMs
}

/** After the last sign of life of a leader. */
export function suspectDelayMs(node: RaftNode): number {
  return node.settings.staggered ? patienceMs(node) + turnMs(node) : classicDelayMs(node)
}

/** Without a leader, after the last thing that was worth waiting for. */
export function retryDelayMs(node: RaftNode): number {
  const { timing, staggered } = node.settings
  if (!staggered) return classicDelayMs(node)
  const round = ROUND_STEPS * timing.rankStepMs * 2 ** Math.min(node.failedRounds, WIDEN_MAX)
  return Math.min(round, Math.max(timing.electionTimeoutMs, ROUND_STEPS * timing.rankStepMs)) + turnMs(node)
}

/**
 * From the moment at which this member knows that nobody leads. Who comes first waits for nothing: the tail is for members
 * that took the same rank for theirs, and those meet in a round that fails.
 */
export function turnMs(node: RaftNode): number {
  const { timing, random } = node.settings
  const widened = Math.min(
    timing.jitterMs * 2 ** Math.min(node.failedRounds, WIDEN_MAX),
    Math.max(timing.jitterMs, timing.electionTimeoutMs)
  )
  const tail = random.next() * widened
  const waitMs = node.waitMs ?? firstWaitMs(node)
  return waitMs === 0 && node.failedRounds === 0 ? 0 : waitMs + tail
}

/** Before any leader has said how long: the voters with a higher priority go first, and of the same one those before us in the list. */
function firstWaitMs(node: RaftNode): number {
  const { self, settings, membership } = node
  const isBefore = (id: NodeId): boolean =>
    priorityOf(node, id) > settings.priority ||
    (priorityOf(node, id) === settings.priority && compareText(id, self) < 0)
  return (settings.rank ?? membership.voters.filter(isBefore).length) * settings.timing.rankStepMs
}

/** What a leader says, within what this member's own settings allow: nobody is talked into waiting for ever. */
export function allowedWaitMs({ settings, membership }: RaftNode, waitMs: number): number {
  const { voters, outgoing } = membership
  return Math.min(waitMs, Math.ceil(settings.timing.rankStepMaxMs) * (voters.length + outgoing.length))
}

/** At the start of a process life. */
export function startDelayMs(node: RaftNode): number {
  const { timing, staggered, preVote } = node.settings
  if (!staggered) return classicDelayMs(node)
  if (node.term === 0 || (node.settings.justFounded && !awaitsOpening(node))) return turnMs(node)
  // Somebody may lead already: time to hear of it. Pre-vote makes it harmless to ask too early.
  return (preVote ? 2 * timing.heartbeatMs : timing.electionTimeoutMs) + turnMs(node)
}

function classicDelayMs(node: RaftNode): number {
  const { timing, random } = node.settings
  return timing.electionTimeoutMs * (1 + random.next())
}
