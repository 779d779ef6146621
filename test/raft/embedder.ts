/** What an embedder derives from the log, as far as a snapshot needs it here: where it is, and who decides there. */
import { decodeMembership } from '../../src/raft/index.ts'
import type { Entry, Membership, SnapshotMeta } from '../../src/raft/index.ts'

export const emptyState = (membership: Membership): SnapshotMeta => ({
  index: 0,
  term: 0,
  membership,
  membershipIndex: 0
})

export function afterEntry(state: SnapshotMeta, { index, term, type, data }: Entry): SnapshotMeta {
  if (type !== 'membership') return { ...state, index, term }
  return { index, term, membership: decodeMembership(data), membershipIndex: index }
}
