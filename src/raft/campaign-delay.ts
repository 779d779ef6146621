/**
 * When to campaign.
 *
 * Staggered: the ranks that the leader hands out with its heartbeats order the campaigns, one step apart, so that as a
 * rule one candidate asks and is elected before the next one would. A small random tail keeps apart members that share a
 * rank (before the first leader, or after a lost heartbeat), and it widens with every round that failed; the first in the order
 * has none, so that a failover costs no wait at all. Classic: the
 * paper's uniform choice from one to two election timeouts (section 5.2).
 */
import { learnersTurns } from './beats.ts'
import type { RaftNode } from './node.ts'

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
  return node.rank === 0 && node.failedRounds === 0 ? 0 : node.rank * timing.rankStepMs + tail
}

/** At the start of a process life. */
export function startDelayMs(node: RaftNode): number {
  const { timing, staggered, preVote } = node.settings
  if (!staggered) return classicDelayMs(node)
  if (node.term === 0) return turnMs(node)
  // Somebody may lead already: time to hear of it. Pre-vote makes it harmless to ask too early.
  return (preVote ? 2 * timing.heartbeatMs : timing.electionTimeoutMs) + turnMs(node)
}

function classicDelayMs(node: RaftNode): number {
  const { timing, random } = node.settings
  return timing.electionTimeoutMs * (1 + random.next())
}
