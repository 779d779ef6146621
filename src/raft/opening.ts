/**
 * How a group begins that was agreed on elsewhere: without an election.
 *
 * Whoever founds a group may agree on its first leader with the same agreement. Every member then begins in term 1 with its vote
 * for that one, on disk before there is consensus at all; nobody else can win term 1, since nobody has a vote of that term left.
 * So the member that all begin with opens the term: it leads at once. What an election does otherwise is done already.
 *
 * **Why it is safe.** *One leader a term:* in term 1 a quorum can only have voted for the opener. *One life of it:* it opens in the
 * process life that learnt of the founding (`justFounded`) and in no other; a life that finds term 1 on its disk campaigns for
 * term 2, as a leader that crashed always does, because it cannot know what its earlier life has said. *Leader completeness:*
 * before term 1 there is no entry. *Its own vote is durable* before it leads, as for every leader.
 *
 * **Why it ends.** The opener may be gone, or slow. The others are as patient as with any group that has had terms, and campaign
 * for term 2; at once when the opener is not there, or goes. It does not open when a voter of a higher priority is there: that
 * one is to lead, so nobody waits, and the order of campaigns is the usual one.
 */
import { priorityOf } from './heirs.ts'
import type { RaftNode } from './node.ts'
import type { NodeId } from './types.ts'

/** The founding is news to this life, and nothing has come of term 1 yet: nobody was heard to lead it, so there is no entry either. */
export const isUnopened = ({ settings, term, termLeader }: RaftNode): boolean =>
  settings.justFounded && term === 1 && termLeader === undefined

export const mayOpen = (node: RaftNode): boolean =>
  isUnopened(node) && node.votedFor === node.self && !isOutranked(node, node.self)

/** Somebody else is here who will lead term 1 any moment. */
export function awaitsOpening(node: RaftNode): boolean {
  const { votedFor, connections } = node
  if (votedFor === undefined || !isUnopened(node)) return false
  return connections.has(votedFor) && !isOutranked(node, votedFor)
}

function isOutranked(node: RaftNode, opener: NodeId): boolean {
  const { self, connections, membership } = node
  const priority = priorityOf(node, opener)
  return membership.voters.some((id) => (id === self || connections.has(id)) && priorityOf(node, id) > priority)
}
