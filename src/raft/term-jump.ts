/**
 * How far one message may raise our term (FAULTS B12).
 *
 * Terms are numbers below 2^53 and never go down, so a member that is broken, or lies, could use them all up with one message: after it
 * nobody could ever campaign again. Terms rise by one for each election, and pre-votes keep elections rare. A member that was away
 * while a million of them were held has more wrong with it than its term; a lie of that size is ignored and reported. To spend
 * all terms by jumps of this size takes some 8,600 million messages, each of which costs the receiver a write and raises an alarm
 * long before.
 *
 * Whoever is not in the configuration yet, and has never been in a term, takes any: it has to begin somewhere, and can spoil only
 * itself.
 */
import type { RaftNode } from './node.ts'
import type { NodeId } from './types.ts'

/** Terms between our own and one that is believed. */
export const TERM_JUMP_MAX = 1_000_000

/** False, and an anomaly, when nobody can be in this term. */
export function isCredible(node: RaftNode, from: NodeId, term: number): boolean {
  const ahead = term - node.term
  if (ahead <= TERM_JUMP_MAX) return true
  if (node.term === 0 && !node.configurations.isMember(node.self)) return true
  node.anomaly(from, `speaks of term ${term}, which is ${ahead} ahead of ours; at most ${TERM_JUMP_MAX} are believed`)
  return false
}
