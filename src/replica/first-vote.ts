/**
 * The founding certificate is the first vote of consensus (docs/decisions/0018).
 *
 * Its members agreed on one set, exactly once, and a set has one order. So all of them begin in term 1 with their vote for its
 * first claim, and whoever holds that opens the term (raft/opening.ts). The vote goes to the disk in the very write that latches
 * the certificate. A store that has the certificate and no vote beside it, because the log was lost and the certificate was kept
 * beside the key, begins with the same vote, and opens nothing.
 */
import type { FoundingCertificate } from '../formation/types.ts'
import type { HardState } from '../raft/types.ts'
import type { ReplicaInit } from './init.ts'

export interface FirstVote {
  readonly hardState: HardState
  /** This process life is the one that latched: only in it the first term is opened. */
  readonly justFounded: boolean
}

/** Undefined for whoever is no founder, or has had consensus before: then what the store says holds. */
export function firstVote(
  { self, hardState, entries, snapshot, formationState }: ReplicaInit,
  { set }: FoundingCertificate
): FirstVote | undefined {
  const isFounder = set.claims.some(({ incarnation }) => incarnation === self.incarnation)
  const isNew = hardState.term === 0 && entries.length === 0 && snapshot === undefined
  if (!isFounder || !isNew) return undefined
  const votedFor = set.claims[0]!.incarnation
  return { hardState: { term: 1, votedFor }, justFounded: formationState.certificate === undefined }
}
