/**
 * What the rest of Quorate asks of a network: sessions with peers that have proved membership, and frames on them.
 *
 * A session exists only after admission in both directions; `send` is best effort and never throws (loss of a message is
 * not an error); a frame arrives whole or not at all. One session per peer: of simultaneous dials one connection survives,
 * and `onSessionOpen` / `onSessionClose` alternate for each peer.
 */
import type { Admitted, Refusal } from '../membership/admission.ts'

/**
 * `prompt`: what cannot wait, in the order in which it was sent. `bulk`: what is large and may be slow, on a stream of its own that
 * nothing prompt waits behind. Default: `prompt`.
 */
export type Lane = 'prompt' | 'bulk'

export interface TransportEvents {
  onSessionOpen(peer: Admitted): void
  onSessionClose(peerId: string, reason: string): void
  onFrame(peerId: string, frame: Uint8Array): void
  /**
   * Somebody has begun to connect to us who has proved nothing yet (true), or all of those have a session or are gone (false). Only from
   * transports that hear of it.
   */
  onDoor?(knocking: boolean): void
  /** Somebody was refused by us, or refused us. `peerId` is undefined when the handshake did not come that far. */
  onRefused(refusal: {
    readonly by: 'us' | 'them'
    readonly peerId: string | undefined
    readonly address: string | undefined
    readonly refusal: Refusal
  }): void
}

/** Starts once; when it has stopped, a new one is made. */
export interface Transport {
  start(events: TransportEvents): Promise<void>
  /** Multiaddr texts with /p2p, once started. */
  addresses(): readonly string[]
  /**
   * Resolves when a session with some peer behind these addresses is open, or was already. Addresses are tried in the given
   * order, freshest first. Rejects with a QuorateError: DialFailedError (nobody answered), AdmissionRefusedError (they or we
   * refused), TransportStoppedError, or with the signal's reason.
   */
  dial(
    target: { readonly peerId: string | undefined; readonly addresses: readonly string[] },
    options: { readonly signal: AbortSignal }
  ): Promise<{ readonly peerId: string }>
  /** False when there is no session or its buffer is full; the frame is then lost, as on any network. */
  send(peerId: string, frame: Uint8Array, lane?: Lane): boolean
  /** Writes what was sent in this turn now instead of at its end: for whoever has slow things to do before that. */
  flush?(): void
  /** Cuts the session, if any. */
  disconnect(peerId: string, reason: string): Promise<void>
  /** Idempotent; resolves within seconds whatever the network does. */
  stop(): Promise<void>
}

/** Totals since the start. */
export interface TransportCounters {
  readonly sessionsOpened: number
  readonly sessionsClosed: number
  readonly framesSent: number
  readonly framesReceived: number
  readonly bytesSent: number
  readonly bytesReceived: number
  /** `send` returned false: no session, or its buffer was full. */
  readonly framesDropped: number
  /** Streams reset because of oversized, trickling or malformed bytes. */
  readonly streamsReset: number
  readonly refusedByUs: number
  readonly refusedByThem: number
  /** Inbound connections turned away by the budget for strangers. */
  readonly strangersTurnedAway: number
}

/** A transport that counts. Both of ours do. */
export interface MeasuredTransport extends Transport {
  counters(): TransportCounters
}

/** Caps and deadlines; every one has a default (`defaultTransportLimits`). */
export interface TransportLimits {
  /** Largest consensus frame, in bytes. Default 4 MiB. */
  readonly frameBytesMax: number
  /** Largest hello or verdict, in bytes. Default 64 KiB. */
  readonly admissionBytesMax: number
  /** From the end of the secure handshake to the end of admission. Default 5,000. */
  readonly admissionDeadlineMs: number
  /** From the first byte of a frame to its last, plus its length at `frameBytesPerSecondMin`. Default 10,000. */
  readonly frameDeadlineMs: number
  /** Slowest peer that may still finish a large frame. Default 64 KiB/s. */
  readonly frameBytesPerSecondMin: number
  /** Frames waiting for a slow peer, in bytes; more are dropped. Default 8 MiB. */
  readonly sendBufferBytesMax: number
  /** For one address of a dial, including admission. Default 6,000. */
  readonly addressDialTimeoutMs: number
  /** TCP connect alone, within the former. Default 1,000: enough for a LAN; raise it for a WAN. */
  readonly connectTimeoutMs: number
  /** The next address is tried beside the last one after this long without an answer (RFC 8305). Default 250. */
  readonly dialStaggerMs: number
  /** Answer time for the link that should survive a double dial. Default 1,000. */
  readonly probeTimeoutMs: number
  /** A session that carries nothing is probed, and cut when it has been silent for three to four times this long. Default 10,000. */
  readonly idleProbeMs: number
  /** Connections that have not been admitted yet: in all, and from one host. Defaults 128 and 32. */
  readonly strangersMax: number
  readonly strangersPerHostMax: number
  /** Admitted connections. Default 1,024. */
  readonly connectionsMax: number
}

export const defaultTransportLimits: TransportLimits = {
  frameBytesMax: 4 * 1024 * 1024,
  admissionBytesMax: 64 * 1024,
  admissionDeadlineMs: 5_000,
  frameDeadlineMs: 10_000,
  frameBytesPerSecondMin: 64 * 1024,
  sendBufferBytesMax: 8 * 1024 * 1024,
  addressDialTimeoutMs: 6_000,
  connectTimeoutMs: 1_000,
  dialStaggerMs: 250,
  probeTimeoutMs: 1_000,
  idleProbeMs: 10_000,
  strangersMax: 128,
  strangersPerHostMax: 32,
  connectionsMax: 1_024
}
