/**
 * Where to dial: hints, never facts. Nothing that arrives here can change state (DESIGN promise 4); everything is capped,
 * because everything can be forged.
 *
 * Sources (`mdns/`, `seeds.ts`, `peer-cache.ts`, peer exchange elsewhere) emit `PeerHint`s; the dial planner
 * (`dial-planner.ts`, pure) merges them and says whom to dial and when; the driver dials and tells it the outcome.
 */
export type HintSource = 'mdns' | 'seed' | 'cache' | 'exchange'

export interface PeerHint {
  readonly source: HintSource
  /** Known for mDNS, cache and exchange; a seed may be an address alone. */
  readonly peerId: string | undefined
  /**
   * Multiaddr texts without a trailing /p2p part, freshest first. With a `peerId` they replace what this source said of that
   * peer; without one each address stands for itself. Ignored with `gone` when there is a `peerId`.
   */
  readonly addresses: readonly string[]
  /** The peer said goodbye or its announcement expired: forget what this source said of it. */
  readonly gone?: boolean
}

export interface DiscoveryAlarm {
  readonly code: 'multicast-blocked' | 'multicast-restored' | 'seed-invalid' | 'seed-unresolved' | 'seed-self'
  readonly detail: string
}

export interface DiscoveryEvents {
  onHint(hint: PeerHint): void
  onAlarm(alarm: DiscoveryAlarm): void
}

/** One source of hints. */
export interface Discovery {
  start(events: DiscoveryEvents): Promise<void>
  /** Says goodbye where the medium allows. Idempotent. */
  stop(): Promise<void>
}

/** One dial to make now. The driver answers every one of them with `dial-succeeded` or `dial-failed` and the same `key`. */
export interface DialTarget {
  /** Names the target in the planner: the PeerId, or the address of a seed whose PeerId is not known yet. */
  readonly key: string
  readonly peerId: string | undefined
  /** Best first, at most `addressesPerDialMax`, without a trailing /p2p part. */
  readonly addresses: readonly string[]
}

export type DialPlannerInput =
  | { readonly type: 'hint'; readonly hint: PeerHint }
  /** A session is open, whoever dialled. `address`: the remote address, where it is one that can be dialled again. */
  | { readonly type: 'connected'; readonly peerId: string; readonly address?: string }
  | { readonly type: 'disconnected'; readonly peerId: string }
  | { readonly type: 'dial-succeeded'; readonly key: string; readonly peerId: string }
  | {
      readonly type: 'dial-failed'
      readonly key: string
      /** For `explain()`: an error code or a short sentence. */
      readonly code: string
      /** Somebody answered and we, or they, refused: waits far longer than a peer that cannot be reached. */
      readonly refused?: boolean
      /** Who answered, when that became known; our own PeerId says that the seed points at ourselves. */
      readonly peerId?: string
    }
  /**
   * The complete set of peers that are dialled for ever (those who vote); replaces the set before. From the first one on, also an
   * empty one, mere hints are dialled only as long as there is little company (`meshMax`).
   */
  | { readonly type: 'wanted'; readonly peerIds: readonly string[] }
  /** Our own addresses, to recognise seeds that point at ourselves without dialling them; replaces those before. */
  | { readonly type: 'self'; readonly addresses: readonly string[] }
  /** Our credentials changed (token renewed, genesis fetched): refusals of before say nothing any more. */
  | { readonly type: 'forgive' }
  /** Somebody has begun to connect to us, and nobody knows yet who it is; or nobody is at the door any more. */
  | { readonly type: 'door'; readonly knocking: boolean }
  | { readonly type: 'tick' }

export interface DialPlan {
  readonly dials: readonly DialTarget[]
  /** Send a `tick` at this time (same clock as `now`); undefined: nothing to do before the next input. */
  readonly deadline: number | undefined
  /** `seed-self`, once per seed. */
  readonly alarms: readonly DiscoveryAlarm[]
}

/** What was tried, for `status` and diagnosis. */
export interface DialAttempts {
  readonly key: string
  readonly peerId: string | undefined
  readonly addresses: readonly string[]
  readonly sources: readonly HintSource[]
  readonly wanted: boolean
  readonly state: 'connected' | 'dialing' | 'waiting' | 'refused' | 'self' | 'no-address'
  /** Since it was last connected for a while. */
  readonly attempts: number
  readonly lastError: string | undefined
  /** When the next dial is allowed; undefined while connected, dialing, self or without an address. */
  readonly nextAt: number | undefined
}

export interface DialPlanner {
  /** Never throws on any input; `now` is monotonic milliseconds. */
  step(input: DialPlannerInput, now: number): DialPlan
  /** Sorted: wanted first, then by key. */
  explain(now: number): readonly DialAttempts[]
}
