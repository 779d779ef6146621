/**
 * The replica: everything of a node that decides, as one deterministic object.
 *
 * It composes three protocols. *Formation* (src/formation) agrees once who founds the cluster. When its certificate is
 * durable, *consensus* (src/raft) starts with the certificate's members as voters, each with its vote for the first of them
 * (`first-vote.ts`), who leads at once; its first entry carries the initial config. Committed entries drive the *config* (src/replicated-config). Around them stand peer exchange (a member tells a
 * newcomer the signed addresses of the others, so that finding one is enough) and requests (what callers of this node
 * asked, tried again until they are answered once).
 *
 * The replica is told what happened (`ReplicaInput`) and answers with what to do (`ReplicaEffects`). It has no clock, socket,
 * disk, key or chance of its own, so the object that runs in production is the object that is simulated. Rules that it keeps
 * for all of them:
 *
 * - *Only admitted peers are heard.* A frame enters only with the PeerId of a session; the incarnation that it counts for is
 *   the one that admission proved for that session, never something that the frame says.
 * - *Nothing is said that is not durable.* Every write of a protocol becomes one batch with a rising id, and what rests on
 *   it carries that id in `after`; the driver sends it when the batch is synced.
 * - *Order.* Writes leave in the order of their ids; events and frames in the order in which they arose. Whatever goes to
 *   several peers goes in the order of their PeerIds.
 *
 * **Snapshots.** Now and then everything that the log led to is written out (`snapshot.ts`), and the log before it goes. A member that
 * needs what is gone gets the snapshot, in pieces and beside the frames of consensus (`snapshots.ts`). A node that started from a
 * snapshot and one that replayed the log hold equal states.
 *
 * **Members.** A node that holds a certificate without being in it (its disk was lost, it is a spare) runs consensus without a
 * vote. The leader takes it in as a learner by itself (`newcomers.ts`); whether it ever votes is an operator's decision
 * (`member-changes.ts`). Two kinds of admitted peers are not heard by consensus, and are told so (frame `fenced`): incarnations
 * that were members and are none any more, and those whose disk was set back, as their boot counter shows to whoever remembers
 * a later one. The first kind stops campaigning when it hears of it. Both come back as new incarnations, with an empty disk.
 */
export * from './types.ts'
export { Replica } from './replica.ts'
export type { Joiner, ReplicaInit, ReplicaStatus } from './init.ts'
export type { RecordReader } from './sessions.ts'
export { resolveSnapshots } from './snapshots.ts'
export type { SnapshotPolicy } from './snapshots.ts'
export type { Fenced, Standing, StandingType } from './standing.ts'
export { peerIdOf } from './incarnations.ts'
export type { MemberOperation } from './member-changes.ts'
export { BOOTS_CELL, FORMATION_CELL, VOTE_CELL, StoredStateError } from './durable.ts'
export { recoverBoots, recoverConsensus, recoveredProgress, recoverFormation, recoverMet } from './recovered.ts'
export type { HeldByStore } from './recovered.ts'
export { FrameError, decodeFrame, encodeFrame } from './frames.ts'
export type { Frame, FrameScope } from './frames.ts'
