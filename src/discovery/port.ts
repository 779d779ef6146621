/**
 * Where to dial: hints, never facts. Nothing that arrives here can change state (DESIGN promise 4); everything is capped,
 * because everything can be forged.
 */
export type HintSource = 'mdns' | 'seed' | 'cache' | 'exchange'

export interface PeerHint {
  readonly source: HintSource
  /** Known for mDNS, cache and exchange; a seed may be an address alone. */
  readonly peerId: string | undefined
  /** Multiaddr texts without a trailing /p2p part. Empty with `gone`. */
  readonly addresses: readonly string[]
  /** The peer said goodbye or its announcement expired: forget what this source said of it. */
  readonly gone?: boolean
}

export interface DiscoveryAlarm {
  readonly code: 'multicast-blocked' | 'multicast-restored' | 'seed-invalid' | 'seed-unresolved'
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
