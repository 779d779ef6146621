/**
 * Gathers the pieces of one snapshot, in order, and checks the whole.
 *
 * What has arrived is kept when the connection breaks, and also when another leader sends the same: the digest names it. One at a
 * time: the one of a later leader, or a later one of the same leader, takes the place of what was begun. Nothing is
 * allocated for what is only announced.
 */
import { concat, equalBytes } from '../core/bytes.ts'
import { type Hashing, startSha256 } from '../core/hash.ts'
import type { Frame, SnapshotName, SnapshotState } from './frames.ts'

type Piece = Extract<Frame, { kind: 'snapshot' }>

interface Begun {
  readonly name: SnapshotName
  leaderTerm: number
  readonly pieces: Uint8Array[]
  readonly hashing: Hashing
  received: number
}

export interface Received {
  readonly received: number
  readonly state: SnapshotState
  /** All of it, as its digest says; still to be read. */
  readonly whole?: Uint8Array
}

export class SnapshotReceiver {
  #current: Begun | undefined

  /** Bytes of what has begun to arrive. */
  get received(): number {
    return this.#current?.received ?? 0
  }

  /** What to answer; undefined for pieces of what something newer has taken the place of. */
  take({ name, leaderTerm, offset, data }: Piece): Received | undefined {
    const begun = this.#begun(name, leaderTerm)
    if (begun === undefined) return undefined
    if (offset === begun.received && data.byteLength > 0) {
      const piece = data.slice()
      begun.pieces.push(piece)
      begun.hashing.add(piece)
      begun.received += piece.byteLength
    }
    const { received } = begun
    if (received < name.size) return { received, state: 'more' }
    this.#current = undefined
    if (!equalBytes(begun.hashing.digest(), name.digest)) return { received, state: 'unusable' }
    return { received, state: 'whole', whole: concat(...begun.pieces) }
  }

  /** Everything up to `index` has committed here: what covers no more is not needed. */
  reached(index: number): void {
    if (this.#current !== undefined && this.#current.name.index <= index) this.#current = undefined
  }

  #begun(name: SnapshotName, leaderTerm: number): Begun | undefined {
    const before = this.#current
    if (before !== undefined) {
      if (isSame(before.name, name)) {
        if (leaderTerm > before.leaderTerm) before.leaderTerm = leaderTerm
        return before
      }
      const isNewer =
        leaderTerm > before.leaderTerm || (leaderTerm === before.leaderTerm && name.index > before.name.index)
      if (!isNewer) return undefined
    }
    this.#current = { name, leaderTerm, pieces: [], hashing: startSha256(), received: 0 }
    return this.#current
  }
}

const isSame = (a: SnapshotName, b: SnapshotName): boolean =>
  a.index === b.index && a.term === b.term && a.size === b.size && equalBytes(a.digest, b.digest)
