/**
 * What the rest of Quorate asks of a network: sessions with peers that have proved membership, and frames on them.
 *
 * A session exists only after admission in both directions; `send` is best effort and never throws (loss of a message is
 * not an error); a frame arrives whole or not at all. One session per peer: of simultaneous dials one connection survives,
 * and `onSessionOpen` / `onSessionClose` alternate for each peer.
 */
import type { Admitted, Refusal } from '../membership/admission.ts'

export interface TransportEvents {
  onSessionOpen(peer: Admitted): void
  onSessionClose(peerId: string, reason: string): void
  onFrame(peerId: string, frame: Uint8Array): void
  /** Somebody was refused by us, or refused us. `peerId` is undefined when the handshake did not come that far. */
  onRefused(refusal: {
    readonly by: 'us' | 'them'
    readonly peerId: string | undefined
    readonly address: string | undefined
    readonly refusal: Refusal
  }): void
}

export interface Transport {
  start(events: TransportEvents): Promise<void>
  /** Multiaddr texts with /p2p, once started. */
  addresses(): readonly string[]
  /**
   * Resolves when a session with some peer behind these addresses is open, or was already. Rejects with a QuorateError:
   * DialFailedError (nobody answered), AdmissionRefusedError (they or we refused), or the signal's reason.
   */
  dial(
    target: { readonly peerId: string | undefined; readonly addresses: readonly string[] },
    options: { readonly signal: AbortSignal }
  ): Promise<{ readonly peerId: string }>
  /** False when there is no session or its buffer is full; the frame is then lost, as on any network. */
  send(peerId: string, frame: Uint8Array): boolean
  /** Cuts the session, if any. */
  disconnect(peerId: string, reason: string): Promise<void>
  stop(): Promise<void>
}
