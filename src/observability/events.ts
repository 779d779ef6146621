/**
 * What a node reports while it lives: the events of `up --json` and of `addEventListener`. Facts for people and machines that
 * watch; nothing in the protocol depends on them.
 */
export type StageName =
  'preflight' | 'identity' | 'discovery' | 'authentication' | 'formation' | 'election' | 'config' | 'ready'

export type MemberRole = 'voter' | 'learner' | 'observer'

export interface ReadyInfo {
  readonly leader: string
  readonly term: number
  readonly configVersion: number
  readonly configHash: string
  /** Since the node was started. */
  readonly ms: number
}

/** Every event carries `at` (epoch ms, fractional), `node`, `cluster` (or null) and `attempt` (boot counter) beside these. */
export type NodeEvent =
  | { readonly event: 'listening'; readonly addresses: readonly string[] }
  | {
      readonly event: 'stage'
      readonly stage: StageName
      readonly status: 'start' | 'done' | 'failed'
      /** Since the node was started. */
      readonly ms: number
      readonly error?: { readonly name: string; readonly code: string; readonly message: string }
      /** Facts of the stage, for example the certificate's term or the config's hash. */
      readonly detail?: Readonly<Record<string, unknown>>
    }
  | {
      readonly event: 'peer'
      readonly peer: string
      readonly status: 'discovered' | 'authenticated' | 'disconnected' | 'refused'
      readonly source?: string
      readonly seat?: number
      readonly code?: string
      readonly detail?: string
    }
  | { readonly event: 'leader'; readonly term: number; readonly leader: string | null }
  | { readonly event: 'writable'; readonly term: number }
  | ({ readonly event: 'ready' } & ReadyInfo)
  | {
      readonly event: 'config'
      readonly version: number
      readonly hash: string
      readonly author: string
      readonly reason: string
      /** This node had it when it was started: no news. Of its whole history only the newest version is told again. */
      readonly recovered?: true
    }
  | { readonly event: 'member'; readonly peer: string; readonly role: MemberRole | 'removed' }
  | { readonly event: 'waiting'; readonly waitingFor: readonly string[] }
  | {
      readonly event: 'alarm'
      readonly code: string
      readonly detail: string
      /** Signed boot statements that it rests on, base64url: `quorate inspect` checks them. */
      readonly statements?: readonly string[]
    }
  | {
      readonly event: 'stopped'
      readonly reason: string
      readonly error?: { readonly name: string; readonly code: string; readonly message: string }
    }

export type StampedNodeEvent = NodeEvent & {
  readonly at: number
  readonly node: string
  readonly cluster: string | null
  readonly attempt: number
}

/** Dispatched as `CustomEvent<StampedNodeEvent>` under the name in `event`, and all of them under `*`. */
export type NodeEventName = NodeEvent['event'] | '*'

export type NodeListener<N extends NodeEventName> = (
  event: CustomEvent<N extends '*' ? StampedNodeEvent : Extract<StampedNodeEvent, { event: N }>>
) => void
