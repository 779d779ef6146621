/**
 * Who is enough. Arithmetic of majorities, alone and joint (dissertation section 4.3: in a joint configuration both
 * majorities must agree). Pure functions over sorted id lists; driven against the public truth tables of etcd-io/raft.
 *
 * The empty majority decides nothing and so never stands in the way: it has reached every index and won every vote. That
 * makes a simple configuration the special case of a joint one whose outgoing half is empty.
 */
import type { Membership, NodeId } from './types.ts'

export type VoteResult = 'won' | 'lost' | 'pending'

export const majority = (voters: number): number => Math.floor(voters / 2) + 1

/** `voteOf` answers undefined for who has not answered. */
export function majorityVote(voters: readonly NodeId[], voteOf: (id: NodeId) => boolean | undefined): VoteResult {
  if (voters.length === 0) return 'won'
  let granted = 0
  let missing = 0
  for (const id of voters) {
    const vote = voteOf(id)
    if (vote === undefined) missing++
    else if (vote) granted++
  }
  const needed = majority(voters.length)
  if (granted >= needed) return 'won'
  return granted + missing >= needed ? 'pending' : 'lost'
}

export function jointVote(membership: Membership, voteOf: (id: NodeId) => boolean | undefined): VoteResult {
  const incoming = majorityVote(membership.voters, voteOf)
  if (membership.outgoing.length === 0) return incoming
  const outgoing = majorityVote(membership.outgoing, voteOf)
  if (incoming === outgoing) return incoming
  return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending'
}

/** Reused by every call: nothing here is asynchronous, so no two calls overlap. */
let scratch = new Float64Array(16)

/** The largest value that a majority has reached; Infinity for the empty majority. */
export function majorityValue(voters: readonly NodeId[], valueOf: (id: NodeId) => number): number {
  const count = voters.length
  if (count === 0) return Infinity
  if (count > scratch.length) scratch = new Float64Array(count * 2)
  // Insertion sort, descending: groups are small, and this runs once for every acknowledgement.
  for (let i = 0; i < count; i++) {
    const value = valueOf(voters[i]!)
    let at = i
    while (at > 0 && scratch[at - 1]! < value) {
      scratch[at] = scratch[at - 1]!
      at--
    }
    scratch[at] = value
  }
  return scratch[majority(count) - 1]!
}

export function jointValue(membership: Membership, valueOf: (id: NodeId) => number): number {
  const incoming = majorityValue(membership.voters, valueOf)
  return membership.outgoing.length === 0 ? incoming : Math.min(incoming, majorityValue(membership.outgoing, valueOf))
}
