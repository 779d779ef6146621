/**
 * Who needs to reach whom: those that vote, because whoever leads is among them. Members without a vote need each other for
 * nothing, so a thousand of them make no web of half a million connections.
 */
import type { Admitted } from '../membership/admission.ts'
import type { Membership } from '../raft/types.ts'
import { peerIdOf } from './incarnations.ts'

/** Others need to find it: it votes, or before there are voters it may found. */
export function isSought({ claim, incarnation }: Admitted, membership: Membership | undefined): boolean {
  if (membership === undefined) return claim !== undefined
  return membership.voters.includes(incarnation) || membership.outgoing.includes(incarnation)
}

/** PeerIds that `self` has to reach. */
export function wantedBy(
  self: string,
  membership: Membership | undefined,
  founders: readonly { readonly peerId: string }[]
): readonly string[] {
  const { voters = [], outgoing = [] } = membership ?? {}
  const peerIds =
    voters.length === 0 ? founders.map(({ peerId }) => peerId) : [...voters, ...outgoing].map((id) => peerIdOf(id))
  return [...new Set(peerIds)].filter((peerId) => peerId !== self)
}
