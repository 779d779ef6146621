/**
 * The boundary of the replica on one screen. A replica is everything of a node that decides: formation, consensus and
 * config, composed into one `step(input, now) -> effects`. The driver around it owns the clock, disk, sockets and key.
 */
import type { BootStatement } from '../identity/boot-statement.ts'
import type { Admitted } from '../membership/admission.ts'
import type { ApplyResult } from '../replicated-config/index.ts'
import type { MemberOperation } from './member-changes.ts'

/** What storage takes; structurally the WriteBatch of the storage port. */
export interface DurableBatch {
  readonly cells?: readonly { readonly name: string; readonly value: Uint8Array }[]
  readonly entries?: readonly {
    readonly index: number
    readonly term: number
    readonly type: number
    readonly data: Uint8Array
  }[]
  readonly snapshot?: { readonly index: number; readonly term: number; readonly data: Uint8Array }
  readonly compactTo?: number
}

export type ReplicaInput =
  | { readonly type: 'tick' }
  | { readonly type: 'session-open'; readonly peer: Admitted }
  | { readonly type: 'session-close'; readonly peerId: string }
  /** A frame of an admitted session; the driver never passes anything else (FAULTS invariant 18). */
  | { readonly type: 'frame'; readonly from: string; readonly frame: Uint8Array }
  | { readonly type: 'persisted'; readonly write: number }
  | ({ readonly type: 'signed'; readonly signature: Uint8Array } & SignRequest)
  /** A peer was turned away as a copy of another one; the boot statement that it showed is genuine. */
  | { readonly type: 'sighting'; readonly statement: BootStatement }
  | { readonly type: 'request'; readonly request: ClientRequest }
  /** The caller gave up; what was already proposed may still commit. */
  | { readonly type: 'cancel'; readonly requestId: string }

/** The bytes that the node's key is to sign, and what for; the answer repeats all of it. */
export interface SignRequest {
  readonly purpose:
    | { readonly type: 'acceptance'; readonly term: number }
    | { readonly type: 'boot-statement'; readonly sequence: number }
  readonly payload: Uint8Array
}

/** `requestId` (hex of 16 random bytes) makes every retry idempotent. */
export type ClientRequest =
  | { readonly type: 'command'; readonly requestId: string; readonly data: Uint8Array }
  | { readonly type: 'transfer'; readonly requestId: string; readonly to: string | undefined }
  | { readonly type: 'leave'; readonly requestId: string }
  /** Done when the change has committed, a joint one when it has been left. */
  | { readonly type: 'members'; readonly requestId: string; readonly operation: MemberOperation }
  /** Done when this node has applied everything that had committed when it asked: a linearizable read may follow. */
  | { readonly type: 'read'; readonly requestId: string }

export type ClientOutcome =
  | { readonly type: 'applied'; readonly requestId: string; readonly result: ApplyResult }
  | { readonly type: 'done'; readonly requestId: string; readonly leader: string | undefined }
  | { readonly type: 'refused'; readonly requestId: string; readonly code: string; readonly detail: string }

/** Why a request was refused or put off, beyond what consensus and the plan of a member change say themselves. */
export const REQUEST_CODES = [
  /** It fits into no frame. */
  'invalid-request',
  /** As many requests as this node keeps are waiting. */
  'busy',
  /** The cluster goes on without the node that asks. */
  'removed',
  'not-a-member',
  /** It came with the token of an observer. */
  'observer',
  'invalid-change',
  'not-leader',
  'change-in-progress',
  /** It entered no log. */
  'dropped',
  /** It was in the log of a leader that lost its office. */
  'unknown'
] as const

export type RequestCode = (typeof REQUEST_CODES)[number]

/** What is worth waking somebody for. */
export const ALARM_CODES = [
  'rolled-back',
  'clone',
  'disk-lost',
  'removed',
  'anomaly',
  'token-already-used',
  'rival-cluster',
  'initial-config-differs',
  'log-order',
  /** What a snapshot holds cannot be read, or is not what its name says. */
  'snapshot-unusable'
] as const

export type AlarmCode = (typeof ALARM_CODES)[number]

export interface ReplicaSend {
  /** PeerId; the frame was made for its present session and is dropped when that is gone. */
  readonly to: string
  readonly frame: Uint8Array
  /** Leaves when this write and all before it are durable; 0: at once. */
  readonly after: number
  /**
   * `notice`: tells how far the log has committed and nothing else, so it may wait for the end of the turn; `append`: tells that too,
   * and makes a notice void that still waits for the same peer.
   */
  readonly tells?: 'notice' | 'append'
}

export interface ReplicaEffects {
  /** In order; ids rise by one from 1. */
  readonly writes: readonly { readonly id: number; readonly batch: DurableBatch }[]
  readonly sends: readonly ReplicaSend[]
  /**
   * Pieces of snapshots and what is said of them, for the stream that consensus does not use: they may be slow, and hold nothing
   * up. They rest on no write.
   */
  readonly bulk: readonly { readonly to: string; readonly frame: Uint8Array }[]
  /** Sign with the node key, answer with `signed`. */
  readonly sign: readonly SignRequest[]
  readonly outcomes: readonly ClientOutcome[]
  readonly events: readonly ReplicaEvent[]
  readonly deadline: number | undefined
}

export type ReplicaEvent =
  | {
      readonly type: 'founder-seen'
      readonly seat: number
      readonly peerId: string
      readonly present: number
      readonly of: number
    }
  | { readonly type: 'campaign'; readonly phase: 'founding' | 'raft'; readonly term: number; readonly reason: string }
  | { readonly type: 'founding-leader'; readonly term: number; readonly votes: number }
  /** The latch is durable. `certificate` is the document to keep beside the key. */
  | {
      readonly type: 'founded'
      readonly clusterId: string
      readonly term: number
      readonly certificate: Uint8Array
      readonly member: boolean
    }
  | {
      readonly type: 'seat-conflict'
      readonly seat: number
      readonly peerIds: readonly [string, string]
      readonly own: boolean
    }
  | { readonly type: 'role'; readonly role: string; readonly term: number; readonly reason: string }
  | { readonly type: 'leader'; readonly term: number; readonly leader: string | undefined }
  | { readonly type: 'writable'; readonly term: number }
  | { readonly type: 'no-quorum'; readonly term: number; readonly heardFrom: readonly string[] }
  | {
      readonly type: 'config'
      readonly version: number
      readonly hash: string
      readonly author: string
      readonly reason: string
      /** This node had it when it started: the newest of what was applied at once, or one that this is newer than. */
      readonly recovered?: 'newest' | 'older'
    }
  /** Of the entries up to `index`: our own state was saved, or somebody's has taken the place of ours. */
  | {
      readonly type: 'snapshot'
      readonly action: 'taken' | 'restored'
      readonly index: number
      readonly bytes: number
    }
  | { readonly type: 'member'; readonly peerId: string; readonly role: 'voter' | 'learner' | 'removed' }
  /** A signed address record of a member, learnt from another member. */
  | { readonly type: 'hint'; readonly peerId: string; readonly addresses: readonly string[] }
  /** Its session is to be cut: its credential is worth nothing any more, or only a new session can bring what is missing. */
  | { readonly type: 'unwelcome'; readonly peerId: string; readonly detail: string }
  | { readonly type: 'frame-refused'; readonly peerId: string; readonly reason: string }
  | {
      readonly type: 'alarm'
      readonly code: AlarmCode
      readonly detail: string
      /** Boot statements that it rests on: signed by whom they are about. */
      readonly statements?: readonly Uint8Array[]
    }
