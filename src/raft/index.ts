/**
 * Raft: how a few members agree on one growing log although some of them crash and the network loses, repeats, delays and
 * reorders what they say. Sources: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (the paper),
 * and Ongaro's dissertation. docs/protocol/raft.md has the state diagram and the messages byte by byte.
 *
 * The core is a function of what it is told. `step(input, now)` returns everything it wants done: what to write, what to
 * send now, what to send after the write, what has committed, what became of requests, when to call again. It has no
 * clock, socket, disk, promise or chance of its own, so the same object runs in production and in simulation, and a seed
 * replays a run exactly.
 *
 * **Terms and roles.** Time is cut into terms; each has at most one leader. A `follower` takes the log of the leader. One that
 * knows no leader becomes a `pre-candidate` and asks whether it would win (dissertation section 9.6); if a quorum would vote
 * for it, it becomes a `candidate` of the next term, with a durable vote for itself; if a quorum does vote, it is `leader`.
 *
 * ```
 *   follower -> pre-candidate    no leader, and it is this member's turn
 *   pre-candidate -> candidate   a quorum would vote for it
 *   follower -> candidate        the leader hands over (or pre-vote is switched off)
 *   candidate -> leader          a quorum voted, and the own vote is durable
 *   leader -> follower           no quorum answers, the disk stalls, a later term, or the configuration no longer names it
 *   any -> follower              a leader of this term or a later one speaks, a later term shows up
 *   (start) -> leader            just founded: all began with their vote for this member (opening.ts)
 * ```
 *
 * **Why it is safe.** (1) *One leader a term:* a member votes once a term, the vote is durable before it leaves, two quorums
 * share a member. (2) *Log matching:* a leader fills an index once, and an append is taken only where the entry before it
 * matches, so (index, term) names an entry and all before it. (3) *Leader completeness:* voters refuse a candidate whose log
 * is behind theirs, so a leader holds every entry that was committed before its term. (4) *State machine safety:* only
 * entries of the leader's own term are committed by counting, the earlier ones under them.
 *
 * **What may leave when.** `send` may leave at once; `sendAfter` rests on a write. Votes, acknowledgements and every answer
 * from a term that is not durable wait. Two things run ahead of the disk to save a write on the critical path: a leader
 * sends entries before its own disk has them, and counts itself when it has; a candidate asks for votes before its own is
 * durable, and leads only when it is. `candidate.ts` proves that this is safe over a crash, with the two rules it takes.
 *
 * **How a leader is missed.** Silence, for as long as the punctuality of its heartbeats makes likely (suspicion.ts), at most for an
 * election timeout; or, in `staggered` mode, the end of our own last connection to it, which for a killed process comes within
 * milliseconds. Nobody is deposed on somebody's word: a member grants a pre-vote only if it has itself lost the leader, so one broken
 * link changes nothing. If it loses the leader a moment after it was asked, it grants then; before it is asked, it offers its pre-vote to
 * whoever comes first (offers.ts), so that no time passes with the question. The leader says with its heartbeats who comes first, and how long the others wait for that (heirs.ts); a
 * small random tail that widens with each failed round settles the rest. `classic` mode draws timeouts as the paper does.
 *
 * **How a leader resigns.** When for an election timeout no quorum was in touch (CheckQuorum), checked before anything else
 * whenever it is called, so a process that slept does not act on a stale office. When its disk does not confirm a write. When
 * it is not in the configuration that committed. When asked to hand over: it lets the target catch up, tells it to campaign
 * at once, and takes its office back if nothing comes of it (succession.ts).
 *
 * **Membership.** Voters change through a joint configuration only, in force as soon as it is in the log, undone when its
 * entry is. One change at a time, after an entry of the leader's own term has committed. New voters must have caught up as
 * learners. Learners receive the log, are never asked and never counted. A voter that a configuration drops may campaign until
 * that configuration has committed: its log may be the only one that can win (dissertation section 4.2.2).
 *
 * **Snapshots.** What the log has led to may take the place of the log (dissertation chapter 5). The embedder saves its state after
 * an entry that was handed out and says when that is durable; the log is cut there, but for a trailing part. A follower that needs
 * what was cut is in state `snapshot`: the core names peer and index, the embedder sends, on a way of its own, and reports how that
 * ended. What arrives whole and verified is handed in (`install`). It is taken when it is ahead of the commit index, replaces
 * the log in the one write that saves it, and is restored and acknowledged when that is durable (`snapshots.ts`).
 *
 * **Reads.** A read is linearizable without a log entry: the leader notes the commit index (before its first entry has committed,
 * the place of that entry), a quorum confirms by heartbeat that it still leads, and the state at that index answers. Any number of
 * reads share a round. No leases: no clock is trusted.
 *
 * **What the embedder owes.** It hands writes to storage in order and reports each as `persisted` when it is synced; it holds
 * `sendAfter` back until then; a write with a `snapshot` contains the bytes that came with it; it treats a failed write as the end
 * of the process; it passes messages only from peers whose
 * identity it has checked; it calls `tick` at `deadline` (late is harmless). `random` may repeat itself over process lives:
 * nothing that protects the log rests on chance. Messages may be lost: repeating is our business.
 *
 * **What it gets.** `committed` entries in order, each once in a process life (after a restart from the newest snapshot on
 * again), only when they are on its own disk; a snapshot that is `restored` stands for those up to its index. One outcome for each request. `events` for people and metrics, among them `anomaly`: a peer that
 * does what no correct member with its disk intact does. Such messages are ignored; they never throw.
 *
 * **Left out.** Leases, witnesses, and priorities that depose a living leader (but one of last resort, which makes way). Byzantine members: this is crash fault tolerance, one lying voter can break it.
 */
import { RaftNode } from './node.ts'
import type { ConsensusView, RaftEffects, RaftInit, RaftInput, RaftStatus } from './types.ts'

export * from './types.ts'
export {
  RaftMessageError,
  decodeMembership,
  decodeRaftMessage,
  encodeMembership,
  encodeRaftMessage,
  entryTypeCode,
  entryTypeOf
} from './messages.ts'
export type { RaftMessage } from './messages.ts'
export { DEFAULT_LIMITS } from './settings.ts'

/** One member of one group. */
export interface Raft {
  /** Once, before the first step: arms the timers. */
  start(now: number): RaftEffects
  /** `now` is monotonic milliseconds, fractions welcome; never earlier than before. Throws only on a bug of ours or of the embedder. */
  step(input: RaftInput, now: number): RaftEffects
  status(): RaftStatus
  /** The same object for ever; looking costs nothing. */
  readonly view: ConsensusView
}

/** Resumes from what storage recovered. Throws InvalidOptionError, or RaftMessageError when a stored membership is unreadable. */
export const createRaft = (init: RaftInit): Raft => new RaftNode(init)
