/** What a test gives a local cluster, and what it gets: its nodes, its faults, and what can be waited for. */
import type { TimingPreset } from '../config-init/index.ts'
import type { JsonValue } from '../core/json.ts'
import type { CallOptions, ConfigVersion, Logger, QuorateNode, SnapshotPolicy } from '../node/types.ts'

export interface LocalClusterInit {
  /** Founders, 1 to 9. Default 3. */
  readonly nodes?: number
  /** Config version 1. Default `{}`. */
  readonly config?: JsonValue
  /** JSON Schema that every config must fit. Default: none. */
  readonly schema?: JsonValue
  /** Default `lan`. */
  readonly timing?: TimingPreset
  /** Of the founders, by place: who leads when they could do it equally well (NodeInit). Default 100 each. */
  readonly priorities?: readonly number[]
  /** How long everything is under way between two nodes, one way, in ms. Default 0. */
  readonly delayMs?: number
  /** A new or empty directory, which stays: to look at after a test. Default: a temporary one, removed at the end. */
  readonly dataDir?: string
  /** When nodes save their state and cut their logs. Default: as every node. */
  readonly snapshots?: Partial<SnapshotPolicy>
  /** What the nodes log, by index. Default: nothing. */
  readonly logger?: (index: number) => Logger
}

/** A place in `nodes`, or the node that runs there. */
export type NodeRef = number | QuorateNode

export interface WaitOptions extends CallOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number
}

export interface LocalCluster {
  /** By place; the founders come first. Where nothing runs now: the node that ran there last. */
  readonly nodes: readonly QuorateNode[]
  /** Where nodes keep their data: `node-0`, `node-1` and so on. */
  readonly dataDir: string
  isRunning(node: NodeRef): boolean

  /** Resolves when every running node has a leader and the config. */
  ready(options?: WaitOptions): Promise<void>
  /** The node that leads: it may write, and a majority of the voters that it can reach follows it in the same term. */
  leader(options?: WaitOptions): Promise<QuorateNode>
  /** Resolves when all running nodes hold the same config, of `version` at least. */
  agreed(options?: WaitOptions & { readonly version?: number }): Promise<ConfigVersion>
  /** Whatever `look` finds, as soon as it finds something; it is asked again after every event of every node. */
  until<T>(what: string, look: () => T | undefined | false, options?: WaitOptions): Promise<T>

  /** In good order: leadership is handed over first. Idempotent. */
  stop(node: NodeRef): Promise<void>
  /** As when the process is killed: no hand-over and no goodbye, connections close at once. Idempotent. */
  crash(node: NodeRef): Promise<void>
  /** Starts it again with its data, stopped first if it runs. Resolves when it listens. */
  restart(node: NodeRef): Promise<QuorateNode>
  /** One more machine, with a join token. Resolves when it listens. Default role `voter`: a vote when it has caught up. */
  add(options?: { readonly role?: 'voter' | 'observer' }): Promise<QuorateNode>

  /**
   * Pulls the cables between the groups; nodes that are in none are one more group. Nobody is told, as in a real network: only
   * silence tells. Replaces the partition before it.
   */
  partition(groups: readonly (readonly NodeRef[])[]): void
  /** Plugs them in again: what was held arrives. */
  repair(): void
  /** From now on everything is under way for so long, one way. */
  delay(delayMs: number): void

  /** Ends every node at once and removes a temporary directory. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
