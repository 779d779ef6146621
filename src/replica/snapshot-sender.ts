/**
 * Brings a snapshot to whoever needs it, in pieces and on a stream of its own, so that no heartbeat waits behind it.
 *
 * A transfer begins with a question: how much of it do you have? The receiver keeps what it has got over the end of a connection,
 * so a transfer that broke off goes on where it was. Pieces are sent ahead of the answers, up to a window. When nothing has been
 * heard for a while the question is asked again, and what was on the way counts as lost. One transfer for each peer: another
 * snapshot takes the place of the one under way.
 *
 * Consensus is told how each ended, unless it knows: the end of a connection or of the office ends the transfer without a word.
 */
import { invariant } from '../core/invariant.ts'
import { equalBytes } from '../core/bytes.ts'
import type { NodeId } from '../raft/types.ts'
import { CHUNK_BYTES_MAX, type Frame, type SnapshotName } from './frames.ts'

/** Sent and not answered: at most a few milliseconds of a fast link, and one delay's worth of a slow one. */
export const WINDOW_BYTES = 4 * CHUNK_BYTES_MAX
/** Without an answer, until what was sent counts as lost. */
export const ASK_AGAIN_MS = 1_000
/** Without any progress, until the transfer has failed; also the rest after a peer could not use what it got. */
export const GIVE_UP_MS = 15_000

/** A snapshot that is durable here. */
export interface OfferedSnapshot {
  readonly name: SnapshotName
  readonly data: Uint8Array
}

interface Transfer {
  readonly snapshot: OfferedSnapshot
  readonly leaderTerm: number
  /** Bytes that the peer has. */
  acked: number
  /** Bytes that have left. */
  sent: number
  /** The last word was a question; its answer says where to go on. */
  asking: boolean
  /** It got all of it and cannot use it. */
  isRefused: boolean
  askAt: number
  giveUpAt: number
}

export interface SenderSurroundings {
  send(peer: NodeId, frame: Frame): void
  report(type: 'snapshot-sent' | 'snapshot-failed', peer: NodeId, index: number, now: number): void
}

export class SnapshotSender {
  readonly #around: SenderSurroundings
  readonly #transfers = new Map<NodeId, Transfer>()

  constructor(around: SenderSurroundings) {
    this.#around = around
  }

  /** Nothing new begins when this very snapshot is on its way to that peer. */
  begin(peer: NodeId, snapshot: OfferedSnapshot, leaderTerm: number, now: number): void {
    const before = this.#transfers.get(peer)
    if (before?.snapshot === snapshot && before.leaderTerm === leaderTerm) return
    const transfer: Transfer = {
      snapshot,
      leaderTerm,
      acked: 0,
      sent: 0,
      asking: true,
      isRefused: false,
      askAt: now,
      giveUpAt: now + GIVE_UP_MS
    }
    this.#transfers.set(peer, transfer)
    this.#ask(peer, transfer, now)
  }

  /** Its session has ended. */
  forget(peer: NodeId): void {
    this.#transfers.delete(peer)
  }

  /** We do not lead any more. */
  clear(): void {
    this.#transfers.clear()
  }

  heard(peer: NodeId, { digest, received, state }: Extract<Frame, { kind: 'snapshot-progress' }>, now: number): void {
    const transfer = this.#transfers.get(peer)
    if (transfer === undefined || transfer.isRefused) return
    const { name } = transfer.snapshot
    if (!equalBytes(digest, name.digest) || received > name.size) return
    if (state === 'whole') this.#end(peer, 'snapshot-sent', now)
    else if (state === 'unusable') {
      // Nothing will change soon: it is the same bytes again, or an older release.
      transfer.isRefused = true
      transfer.giveUpAt = now + GIVE_UP_MS
    } else this.#goOn(peer, transfer, received, now)
  }

  #goOn(peer: NodeId, transfer: Transfer, received: number, now: number): void {
    if (received > transfer.acked) transfer.giveUpAt = now + GIVE_UP_MS
    if (transfer.asking) {
      transfer.asking = false
      transfer.acked = transfer.sent = received
    } else transfer.acked = Math.max(transfer.acked, received)
    transfer.sent = Math.max(transfer.sent, transfer.acked)
    transfer.askAt = now + ASK_AGAIN_MS
    this.#fill(peer, transfer)
  }

  #fill(peer: NodeId, transfer: Transfer): void {
    const { snapshot, leaderTerm, acked } = transfer
    const { name, data } = snapshot
    while (transfer.sent < name.size && transfer.sent - acked < WINDOW_BYTES) {
      const offset = transfer.sent
      const piece = data.subarray(offset, offset + CHUNK_BYTES_MAX)
      transfer.sent += piece.byteLength
      this.#around.send(peer, { kind: 'snapshot', leaderTerm, name, offset, data: piece })
    }
  }

  #ask(peer: NodeId, transfer: Transfer, now: number): void {
    const { snapshot, leaderTerm } = transfer
    transfer.asking = true
    transfer.askAt = now + ASK_AGAIN_MS
    this.#around.send(peer, { kind: 'snapshot', leaderTerm, name: snapshot.name, offset: 0, data: NOTHING })
  }

  #end(peer: NodeId, type: 'snapshot-sent' | 'snapshot-failed', now: number): void {
    const transfer = this.#transfers.get(peer)
    invariant(transfer !== undefined, 'only what has begun ends')
    this.#transfers.delete(peer)
    this.#around.report(type, peer, transfer.snapshot.name.index, now)
  }

  pump(now: number): void {
    if (this.#transfers.size === 0) return
    for (const [peer, transfer] of [...this.#transfers]) {
      if (now >= transfer.giveUpAt) this.#end(peer, 'snapshot-failed', now)
      else if (!transfer.isRefused && now >= transfer.askAt) this.#ask(peer, transfer, now)
    }
  }

  deadline(): number | undefined {
    let next: number | undefined
    for (const { askAt, giveUpAt, isRefused } of this.#transfers.values()) {
      const at = isRefused ? giveUpAt : Math.min(askAt, giveUpAt)
      if (next === undefined || at < next) next = at
    }
    return next
  }
}

const NOTHING = new Uint8Array()
