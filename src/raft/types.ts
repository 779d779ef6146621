/**
 * The boundary of the consensus core on one screen: what it is told (`RaftInput`), what it asks for (`RaftEffects`).
 * `index.ts` explains the protocol; `messages.ts` holds what travels between members.
 */
import type { Random } from '../core/random.ts'
import type { RaftMessage } from './messages.ts'

/** Names one incarnation of a member; opaque here. Votes and progress are keyed by it, so a wiped disk is another node. */
export type NodeId = string

export type EntryType = 'noop' | 'membership' | 'command'

export interface Entry {
  /** From 1, without gaps. */
  readonly index: number
  readonly term: number
  readonly type: EntryType
  /** Opaque for `command` and `noop` (the founding leader's no-op carries the initial config); an encoded Membership otherwise. */
  readonly data: Uint8Array
}

/** A place in the log. */
export interface LogPosition {
  readonly index: number
  readonly term: number
}

/** One atomic record (RAFT-HOLES 1): term and vote are never written apart. */
export interface HardState {
  readonly term: number
  readonly votedFor: NodeId | undefined
}

/** Who decides. `outgoing` is empty unless the group is in a joint configuration (dissertation, section 4.3). Lists are sorted. */
export interface Membership {
  readonly voters: readonly NodeId[]
  readonly outgoing: readonly NodeId[]
  readonly learners: readonly NodeId[]
  /** Voters of `outgoing` that become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[]
  /** The leader leaves the joint configuration by itself once the entry that entered it has committed. */
  readonly autoLeave: boolean
}

/**
 * What a snapshot is of: everything up to its place in the log, all of it committed. Its bytes are the embedder's, who keeps,
 * sends and verifies them.
 */
export interface SnapshotMeta extends LogPosition {
  /** In force after that entry, joint or not. */
  readonly membership: Membership
  /** Of the entry that put it in force; 0: none did. */
  readonly membershipIndex: number
}

export const ROLES = ['follower', 'pre-candidate', 'candidate', 'leader'] as const

export type Role = (typeof ROLES)[number]

export interface RaftTiming {
  readonly heartbeatMs: number
  /** A follower that has heard nothing for this long suspects the leader, at the latest; also the CheckQuorum window. */
  readonly electionTimeoutMs: number
  /** The least that suspicion adapts down to where heartbeats come on time (suspicion.ts). Default electionTimeoutMs: it does not adapt. */
  readonly electionTimeoutMinMs?: number
  /**
   * Who comes next in the order of campaigns waits so much longer, as long as no round trips have been measured. Larger than one
   * delay plus one write.
   */
  readonly rankStepMs: number
  /** The least that the step adapts down to where round trips are short. Default rankStepMs: it does not adapt. */
  readonly rankStepMinMs?: number
  /** The most that the step adapts up to where round trips are long. Default rankStepMs. */
  readonly rankStepMaxMs?: number
  /** Upper bound of the small random addition to every campaign delay. */
  readonly jitterMs: number
  /** A write that takes longer than this costs a leader its office and a candidate its campaign. Default 4 * electionTimeoutMs. */
  readonly diskStallMs?: number
}

export interface RaftInit {
  readonly self: NodeId
  /** The membership before the first entry of all; membership entries in the log take effect on top of it. */
  readonly membership: Membership
  /** What storage recovered. */
  readonly hardState: HardState
  /** The newest snapshot, from which the embedder has restored its state. Its membership replaces the one above. */
  readonly snapshot?: SnapshotMeta
  /**
   * The group was founded in this very process life, with its first leader: every member begins in term 1 with its vote for that
   * one (`hardState`, durable), and that one leads at once (opening.ts). Never true for what a restart finds. Default false.
   */
  readonly justFounded?: boolean
  /** Without gaps, beginning anywhere up to the entry after the snapshot. */
  readonly entries: readonly Entry[]
  readonly timing: RaftTiming
  /** `staggered`: rank stagger and closed-connection signal. `classic`: the paper's uniform random timeouts. Default `staggered`. */
  readonly mode?: 'staggered' | 'classic'
  /** Default true. Switchable so that outside suites can drive the core. */
  readonly preVote?: boolean
  /** Default true. */
  readonly checkQuorum?: boolean
  readonly random: Random
  /** Data of the no-op of a leader that is elected with an empty log: how a new cluster gets its initial config. Default empty. */
  readonly firstEntryData?: Uint8Array
  /** Place in the order of campaigns until a leader has assigned one. Default: by priority, then among the sorted voters. */
  readonly rank?: number
  /**
   * Between voters that could take over equally well, the higher one does. 0: leads only when nobody else can, and hands
   * over as soon as somebody else can. A whole number; default 100.
   */
  readonly priority?: number
  /** Peers with an open connection already, and their priorities. Default: none. */
  readonly connections?: ReadonlyMap<NodeId, number>
  readonly limits?: Partial<RaftLimits>
}

export interface RaftLimits {
  /** Bytes of entry data in one append message. */
  readonly appendBytesMax: number
  /** Entries in one append message. */
  readonly appendEntriesMax: number
  /** Data of one proposal: an entry travels whole, so this and some room must fit into one frame of the transport. */
  readonly entryBytesMax: number
  /** Append messages in flight to one follower. */
  readonly inflightMax: number
  /** Bytes of entry data in flight to one follower; the message that crosses the line is still sent. */
  readonly inflightBytesMax: number
  /** Proposals accepted and not yet committed; the one that crosses the line is refused unless it is alone. */
  readonly uncommittedBytesMax: number
  /** Reads accepted and not yet answered. */
  readonly readsMax: number
  /** Entries that a learner may lack and still be made a voter. */
  readonly catchUpEntriesMax: number
  /**
   * Entries behind a snapshot that stay in the log, for followers that are only a little behind: they need no snapshot.
   * Default 1,024.
   */
  readonly trailingEntriesMax: number
  /** The same in bytes; whichever is reached first. Default 8 MiB. */
  readonly trailingBytesMax: number
  /** Heartbeats after which a snapshot of which nothing was reported is asked for again. Default 600. */
  readonly snapshotHeartbeatsMax: number
}

export type RaftInput =
  /** Time has passed; sent when `deadline` is reached. Harmless when early or late. */
  | { readonly type: 'tick' }
  | { readonly type: 'message'; readonly from: NodeId; readonly message: RaftMessage }
  /**
   * An authenticated connection to this peer exists, or the last one closed: our own evidence, never somebody's word. `priority`
   * is what the peer says of itself (default 100).
   */
  | { readonly type: 'connected'; readonly peer: NodeId; readonly priority?: number }
  | { readonly type: 'disconnected'; readonly peer: NodeId }
  /** Write `write` and all before it are durable. */
  | { readonly type: 'persisted'; readonly write: number }
  /** The embedder's own state after entry `index`, which was handed out, is durable as a snapshot: the log may be cut. */
  | { readonly type: 'snapshotted'; readonly index: number }
  /** A whole and verified snapshot has come from `from`, which led `term` when it began to send. Taken only when it is news. */
  | { readonly type: 'install'; readonly from: NodeId; readonly term: number; readonly snapshot: SnapshotMeta }
  /** What became of a snapshot that `sendSnapshots` asked for: this peer has all of it, or will not get it. */
  | { readonly type: 'snapshot-sent'; readonly peer: NodeId; readonly index: number }
  | { readonly type: 'snapshot-failed'; readonly peer: NodeId; readonly index: number }
  /**
   * A voter says that the configuration at `index` has committed and does not name this member, which may never see it
   * otherwise: nobody replicates to whoever is out. It campaigns no more, unless a later configuration names it.
   */
  | { readonly type: 'removed'; readonly index: number }
  /** `ref` names the request in `outcomes`; each ref gets exactly one outcome unless the process ends. */
  | { readonly type: 'propose'; readonly ref: number; readonly data: Uint8Array }
  /** The same for many at once: one write and one append for all of them. Each ref still gets its own outcome. */
  | { readonly type: 'propose-batch'; readonly proposals: readonly Proposal[] }
  | { readonly type: 'change-membership'; readonly ref: number; readonly change: MembershipChange }
  | { readonly type: 'read'; readonly ref: number }
  /** To the named voter, or to the one that would take over best. */
  | { readonly type: 'transfer'; readonly ref: number; readonly to?: NodeId }

export interface Proposal {
  readonly ref: number
  readonly data: Uint8Array
}

/** The wanted lists; the core works out the joint steps. */
export interface MembershipChange {
  readonly voters: readonly NodeId[]
  readonly learners: readonly NodeId[]
}

export interface Envelope {
  readonly to: NodeId
  readonly message: RaftMessage
}

export interface RaftWrite {
  /** Rising by one from 1 in each process life. */
  readonly id: number
  readonly hardState?: HardState
  /** Save the snapshot that `install` handed in; the log afterwards is empty and ends here. Comes before the rest. */
  readonly snapshot?: LogPosition
  /** Entries up to here are not needed any more, now that a snapshot covers them. */
  readonly compactTo?: number
  /** Contiguous; replaces everything from `entries[0].index` on. */
  readonly entries?: readonly Entry[]
}

/** "Send this peer your newest snapshot": it needs entries that are gone. `index`: what the snapshot covers at least. */
export interface SnapshotRequest {
  readonly to: NodeId
  readonly index: number
}

/** How a request ended. `dropped`: never entered a log (safe to retry). `unknown`: was in the log of a leader that lost its office; it may yet commit. */
export type Outcome =
  | { readonly type: 'committed'; readonly ref: number; readonly index: number; readonly term: number }
  | { readonly type: 'readable'; readonly ref: number; readonly index: number }
  | { readonly type: 'transferred'; readonly ref: number; readonly to: NodeId }
  | { readonly type: 'refused'; readonly ref: number; readonly code: RefusalCode; readonly detail: string }
  | { readonly type: 'dropped'; readonly ref: number; readonly leader: NodeId | undefined }
  | { readonly type: 'unknown'; readonly ref: number }

export const REFUSAL_CODES = [
  'no-own-term-commit',
  'change-in-progress',
  'would-lose-quorum',
  'not-caught-up',
  'busy',
  'too-large',
  'transfer-failed',
  'invalid-change'
] as const

export type RefusalCode = (typeof REFUSAL_CODES)[number]

/** Facts for people, metrics and tests; nothing in the protocol depends on them. */
export type RaftEvent =
  | { readonly type: 'role'; readonly role: Role; readonly term: number; readonly reason: string }
  | { readonly type: 'leader'; readonly term: number; readonly leader: NodeId | undefined }
  /** On the leader: the first entry of its term has committed. */
  | { readonly type: 'writable'; readonly term: number }
  | {
      readonly type: 'membership'
      readonly membership: Membership
      readonly index: number
      readonly committed: boolean
    }
  | { readonly type: 'no-quorum'; readonly term: number; readonly heardFrom: readonly NodeId[] }
  /** A peer did what no correct member with its disk intact does; the message was ignored. Worth an alarm. */
  | { readonly type: 'anomaly'; readonly from: NodeId; readonly detail: string }

export interface RaftEffects {
  /** At most one a step; hand to storage in order. */
  readonly write: RaftWrite | undefined
  /** May leave at once. */
  readonly send: readonly Envelope[]
  /** Must not leave before every write up to and including `sendAfterWrite` is durable. */
  readonly sendAfter: readonly Envelope[]
  readonly sendAfterWrite: number
  /** Ask again may come while the first is under way; report each with `snapshot-sent` or `snapshot-failed`. */
  readonly sendSnapshots: readonly SnapshotRequest[]
  /** The snapshot that was handed in is durable: the embedder's state becomes what it says, before `committed`. */
  readonly restored: SnapshotMeta | undefined
  /** Newly committed and locally durable, in order, each at most once in a process life: a snapshot may stand for some. */
  readonly committed: readonly Entry[]
  readonly outcomes: readonly Outcome[]
  readonly events: readonly RaftEvent[]
  /** Call `step({ type: 'tick' }, now)` when this time is reached; undefined when nothing is awaited. */
  readonly deadline: number | undefined
}

/** What whoever looks after every step may look at. A window, not a copy: it shows the present whenever it is read. */
export interface ConsensusView {
  readonly role: Role
  readonly term: number
  readonly votedFor: NodeId | undefined
  readonly writable: boolean
  readonly commitIndex: number
  readonly lastIndex: number
  readonly membership: Membership
  readonly membershipIndex: number
}

/** What status shows. A copy, not a window. */
export interface RaftStatus {
  readonly role: Role
  readonly term: number
  readonly leader: NodeId | undefined
  readonly writable: boolean
  readonly commitIndex: number
  /** Of the first entry that is still in the log, or that will be. */
  readonly firstIndex: number
  readonly lastIndex: number
  /** What the newest durable snapshot covers; 0: there is none. */
  readonly snapshotIndex: number
  /** What is on our own disk for certain; undefined while a term, a vote or a snapshot is on its way there. */
  readonly durable:
    { readonly term: number; readonly votedFor: NodeId | undefined; readonly lastIndex: number } | undefined
  readonly membership: Membership
  /** Of the entry that put `membership` in force; it may yet be undone while this is above `commitIndex`. 0: none did. */
  readonly membershipIndex: number
  /** Of a pre-candidate or candidate: voters that have answered in this round, itself included. Otherwise undefined. */
  readonly answered: number | undefined
  /** On the leader: how far each other member is. */
  readonly progress: readonly {
    readonly id: NodeId
    readonly match: number
    readonly active: boolean
    readonly state: string
    /** Place in the order of those who would take over, from 0; undefined for learners, and before the first heartbeat. */
    readonly rank: number | undefined
    /** Smoothed round trip of heartbeats, ms; undefined before the first. */
    readonly roundTripMs: number | undefined
  }[]
}
