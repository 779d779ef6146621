/**
 * Snapshots, as far as consensus is concerned (dissertation chapter 5). What is in them, how they are kept and how they travel
 * is the embedder's; here is decided what of the log they replace.
 *
 * **Our own.** The embedder saves its state after some entry that was handed out, and says so when that is durable. Then the log up
 * to there may go; a trailing part stays for followers that are only a little behind.
 *
 * **Somebody else's.** It is taken only when it is ahead of what has committed here. Where the log holds its last entry, that entry
 * has committed and nothing else changes; the entries behind it are as good as they were. Where it does not, whatever the log
 * holds beyond the commit index is either covered or contradicted, and all of it goes (RAFT-HOLES 51). The configuration goes with
 * it, however new it looks (35). It counts, and is acknowledged, when it is durable; until then nothing is handed out.
 */
import { invariant } from '../core/invariant.ts'
import type { RaftNode } from './node.ts'
import { followLeader } from './receive.ts'
import type { RaftInput } from './types.ts'

/** The embedder's state after entry `index` is durable. */
export function snapshotted(node: RaftNode, index: number): void {
  const { log, settings, disk } = node
  // Another one, later than that, has arrived meanwhile.
  if (index <= node.snapshot.index || index < log.base.index) return
  invariant(index <= log.emitted, () => `a snapshot of ${index}, but only ${log.emitted} was handed out`)
  node.snapshot = { index, term: log.termAt(index)! }
  const { trailingEntriesMax, trailingBytesMax } = settings.limits
  const cut = log.trailBefore(index, trailingEntriesMax, trailingBytesMax)
  if (cut === log.base.index) return
  log.compact(cut)
  disk.compacted(cut)
}

/** A whole snapshot has come. */
export function install(
  node: RaftNode,
  { from, term, snapshot }: Extract<RaftInput, { type: 'install' }>,
  now: number
): void {
  if (snapshot.term > term || snapshot.membershipIndex > snapshot.index) {
    const { index, membershipIndex } = snapshot
    node.anomaly(from, `leads term ${term} and sends ${index}@${snapshot.term} with the members of ${membershipIndex}`)
    return
  }
  if (term >= node.term && !followLeader(node, from, term, now)) return
  // Its sender does not lead any more. That makes what it covers no less committed, but who asks for votes or leads goes by its log.
  if (node.role.name === 'follower') node.role.install(from, snapshot, now)
}
