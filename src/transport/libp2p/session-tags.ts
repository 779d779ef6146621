/**
 * The tag of connected members in libp2p's peer store, by which its connection pruner leaves them alone.
 *
 * Each change is a read, an encoding and a write of a record, worth 3 ms of a young process, and sessions come and go when there is no
 * time for that: in the middle of founding, or of the election that their end begins. So tags follow when the moment is over,
 * together; the pruner acts only above `connectionsMax`, which the budget for strangers keeps out of reach.
 */
import type { PeerId, PeerStore } from '@libp2p/interface'
import type { Clock, Timer } from '../../core/clock.ts'

const TAG = 'quorate-session'
const VALUE = 100
const AFTER_MS = 250

export interface SessionTagsInit {
  readonly peerStore: Pick<PeerStore, 'merge'>
  readonly clock: Clock
  readonly onError: (error: unknown) => void
}

export class SessionTags {
  readonly #init: SessionTagsInit
  /** PeerIds. */
  readonly #tagged = new Set<string>()
  /** By PeerId, those of whom something is new. */
  readonly #news = new Map<string, { readonly peerId: PeerId; readonly hasSession: boolean }>()
  #timer: Timer | undefined

  constructor(init: SessionTagsInit) {
    this.#init = init
  }

  opened(peerId: PeerId): void {
    this.#note(peerId, true)
  }

  /** The last session of this peer has ended. */
  ended(peerId: PeerId): void {
    this.#note(peerId, false)
  }

  /** Nothing is tagged any more. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#news.clear()
  }

  #note(peerId: PeerId, hasSession: boolean): void {
    this.#news.set(peerId.toString(), { peerId, hasSession })
    this.#timer ??= this.#init.clock.setTimer(AFTER_MS, () => this.#catchUp())
  }

  #catchUp(): void {
    this.#timer = undefined
    for (const [key, { peerId, hasSession }] of this.#news) {
      if (this.#tagged.has(key) === hasSession) continue
      if (hasSession) this.#tagged.add(key)
      else this.#tagged.delete(key)
      this.#merge(peerId, hasSession ? { value: VALUE } : undefined)
    }
    this.#news.clear()
  }

  #merge(peerId: PeerId, tag: { readonly value: number } | undefined): void {
    const { peerStore, onError } = this.#init
    peerStore.merge(peerId, { tags: { [TAG]: tag } }).catch(onError)
  }
}
