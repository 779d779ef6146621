/**
 * What a program that embeds Quorate sees: one node, its facts, its events, its requests. `createNode` makes one.
 */
import type { TimingPreset } from '../config-init/index.ts'
import type { JsonValue } from '../core/json.ts'
import type { MemberRole, NodeEventName, NodeListener, ReadyInfo, StageName } from '../observability/events.ts'
import type { SnapshotPolicy } from '../replica/index.ts'
import type { TransportFactory } from '../transport/libp2p/types.ts'

export type { SnapshotPolicy } from '../replica/index.ts'
export type {
  MemberRole,
  NodeEvent,
  NodeEventName,
  NodeListener,
  ReadyInfo,
  StageName,
  StampedNodeEvent
} from '../observability/events.ts'

export interface NodeInit {
  /** A founding or join token (one line of text). Not needed in roster mode, nor once the data directory holds it. */
  readonly token?: string
  /** The signed genesis; needed when the token only pins it and no peer has it, and in roster mode. */
  readonly genesis?: Uint8Array
  /** Where key, log and certificate live. Made when absent (mode 0700). One process at a time. */
  readonly dataDir: string
  /** Multiaddrs. Default `/ip4/0.0.0.0/tcp/0`. */
  readonly listen?: readonly string[]
  readonly discovery?: DiscoveryInit
  /** Timing preset; overrides the genesis' own. */
  readonly timing?: TimingPreset
  /**
   * Who leads when voters could do it equally well: the higher one. From 0 to 1,000; default 100. Being caught up and near to the
   * leader that is lost comes first, and a living leader is not replaced for a higher priority. 0: a last resort, which leads only
   * when nobody else can, and hands over as soon as somebody else can.
   */
  readonly priority?: number
  /** When the state is saved and the log before it is cut. The defaults suit a config that people and machines change. */
  readonly snapshots?: Partial<SnapshotPolicy>
  /** A pino-like logger. Default: silent. */
  readonly logger?: Logger
  /** Gets every event from the first one on, also those before `createNode` resolves. */
  readonly events?: EventTarget
  /** libp2p transport factories instead of TCP, such as `[memory()]` of @libp2p/memory for many nodes in one process. */
  readonly transports?: readonly TransportFactory[]
}

export interface DiscoveryInit {
  /** Default true. `interfaces`: names or addresses; default all that can multicast. */
  readonly mdns?: boolean | { readonly interfaces?: readonly string[] }
  /** Multiaddrs (`/ip4/…/tcp/…`, `/dns4/…/tcp/…`, with or without `/p2p/…`) or `host:port`. */
  readonly seeds?: readonly string[]
}

export interface Logger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

export interface LeaderInfo {
  readonly peerId: string
  readonly term: number
}

export interface MemberInfo {
  readonly peerId: string
  readonly storeId: string
  readonly seat: number | undefined
  readonly role: MemberRole
  readonly connected: boolean
  readonly self: boolean
  readonly leader: boolean
  /**
   * `now`: it votes; `by-itself`: it will when it has caught up; `when-promoted`: an operator may give it one; `never`: its token is
   * that of an observer.
   */
  readonly vote: 'now' | 'by-itself' | 'when-promoted' | 'never'
  /** Why its vote is not counted here (`clone`, `rolled-back`); undefined for everybody else. */
  readonly barred: string | undefined
  /** Multiaddr at which it was last known; undefined when none is. */
  readonly address: string | undefined
  /** What it was started with; undefined for whoever is not connected. */
  readonly priority: number | undefined
  /** Place in the order of voters that would take over, from 1. On the leader only, from its first heartbeat on. */
  readonly heir: number | undefined
}

/** `T`: what the program takes the value for; nothing checks that it is (a schema in the genesis does). */
export interface ConfigVersion<T = JsonValue> {
  /** From 1: the initial config. */
  readonly version: number
  /** Hex of SHA-256 over the previous hash and the canonical JSON text. */
  readonly hash: string
  readonly value: T
}

export interface UpdateOptions extends CallOptions {
  /** How often the change is made anew because somebody else was faster. Default 16. */
  readonly tries?: number
  /** For the history. Default empty. */
  readonly reason?: string
}

export interface ConfigHistoryEntry extends ConfigVersion {
  readonly previousHash: string
  /** PeerId of the node that proposed it, or `genesis`. */
  readonly author: string
  readonly reason: string
  /** Wall time of the proposer, ms since the epoch. */
  readonly at: number
  readonly term: number
}

/** The body of `status --json`. */
export interface NodeStatus {
  readonly node: string
  readonly domain: string
  readonly cluster: string | null
  readonly name: string
  readonly mode: 'roster' | 'seats' | 'pool'
  readonly stage: StageName
  readonly role: 'follower' | 'pre-candidate' | 'candidate' | 'leader' | 'learner' | null
  readonly term: number
  readonly leader: string | null
  readonly writable: boolean
  /** The preset in force here: the node's own, or that of the genesis. */
  readonly timing: TimingPreset
  readonly members: readonly MemberInfo[]
  readonly config: { readonly version: number; readonly hash: string } | null
  /**
   * What the first guarantee rests on. `incarnationsSeen`: lives of disks that are known to have held founding credentials, ever,
   * restarts and lost disks included; `splitNeeds`: with so many a second cluster would be possible (twice the founding size).
   */
  readonly safety: { readonly foundingSize: number; readonly incarnationsSeen: number; readonly splitNeeds: number }
  /** Stores that have no vote here because their disks were set back or copied, with what proves it (base64url). */
  readonly barred: readonly {
    readonly peerId: string
    readonly storeId: string
    readonly code: 'rolled-back' | 'clone'
    readonly detail: string
    readonly statements: readonly string[]
  }[]
  /** What is missing before the next stage, in sentences; empty when ready. */
  readonly waitingFor: readonly string[]
  /** What an operator should do about the members although nothing is missing here, in sentences with the command. */
  readonly advice: readonly string[]
  readonly addresses: readonly string[]
  readonly uptimeMs: number
}

export interface QuorateNode {
  readonly peerId: string
  /** Hex. */
  readonly domainId: string
  /** Hex; undefined until founded. */
  readonly clusterId: string | undefined
  readonly leader: LeaderInfo | undefined
  /** Resolves when this node has a leader and the committed config; rejects when the node stops, with its reason. */
  ready(options?: CallOptions): Promise<ReadyInfo>
  status(): NodeStatus
  members(): readonly MemberInfo[]
  readonly config: {
    /** What this node has applied; undefined before the first. At once, and possibly a little behind the leader. */
    get<T = JsonValue>(): ConfigVersion<T> | undefined
    /** Linearizable: at least as new as anything that was decided before the call. Asks the leader, which asks a majority. */
    read<T = JsonValue>(options?: CallOptions): Promise<ConfigVersion<T>>
    /**
     * With `ifVersion` compare-and-set, without it whatever is there is replaced; forwarded to the leader. `reason`: up to 1,024
     * characters for the history. Errors: ConfigConflictError, InvalidConfigError; and, with the outcome unknown, NoQuorumError and
     * OutcomeUnknownError.
     */
    set(
      value: JsonValue,
      options?: CallOptions & { readonly ifVersion?: number; readonly reason?: string }
    ): Promise<ConfigVersion>
    /**
     * Reads, lets `change` make the next value, and sets it with the version that was read; again when somebody else was faster.
     * `change` gets a copy, which it may alter and return; `undefined` leaves everything as it is. It may run several times.
     * Errors: as `set`; ConfigConflictError after `tries`.
     */
    update<T = JsonValue>(
      change: (value: T, current: ConfigVersion<T>) => T | undefined | Promise<T | undefined>,
      options?: UpdateOptions
    ): Promise<ConfigVersion<T>>
    history(): readonly ConfigHistoryEntry[]
  }
  /** Hands leadership to a voter (PeerId), or to the one that would take over best; resolves when the new leader is known. */
  transfer(options?: CallOptions & { readonly to?: string }): Promise<LeaderInfo>
  /**
   * Gives a learner a vote. `peer` is a PeerId, or `<peerId>#<storeId>` where a PeerId is a member with two disks; the same holds
   * for the three below. Each resolves, with the members, when the change has committed, and rejects with RequestRefusedError
   * when the voters after it could not decide, or with NoQuorumError. What is so already is not an error.
   */
  promote(peer: string, options?: CallOptions): Promise<readonly MemberInfo[]>
  /** Takes the vote of a voter, which goes on as a learner; denies it to a learner that came with a voter's token and has none yet. */
  demote(peer: string, options?: CallOptions): Promise<readonly MemberInfo[]>
  /** Ends a membership for good: this incarnation never comes back, its machine may, with an empty data directory. */
  remove(peer: string, options?: CallOptions): Promise<readonly MemberInfo[]>
  /** One joint change: the learner `by` takes the place of the voter `peer`. Default: the new disk of the same PeerId. */
  replace(peer: string, options?: CallOptions & { readonly by?: string }): Promise<readonly MemberInfo[]>
  /** Gives up membership (a committed removal), then stops. Refused when it would lose quorum. */
  leave(options?: CallOptions): Promise<void>
  /** Hands leadership over, says goodbye, syncs, closes. Idempotent. */
  stop(options?: CallOptions): Promise<void>
  /** Resolves when the node has stopped; rejects when it stopped because of an error (SeatConflictError, StorageFailedError, …). */
  readonly stopped: Promise<void>
  addEventListener<N extends NodeEventName>(name: N, listener: NodeListener<N>): void
  removeEventListener<N extends NodeEventName>(name: N, listener: NodeListener<N>): void
  [Symbol.asyncDispose](): Promise<void>
}
