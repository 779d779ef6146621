/**
 * What a leader knows about one other member.
 *
 * `probe`: we do not know where the logs agree, so one append at a time, and `next` follows the answer. `replicate`: they
 * agree up to `match`, so appends are pipelined and `next` runs ahead of the acknowledgements, within the limits on messages
 * and bytes in flight. `snapshot`: it needs entries that are gone here, so nothing is sent but the snapshot that the embedder was
 * asked to send; an acknowledgement that the log can follow ends it, and so does any news that the snapshot will not come.
 * A rejection or a lost connection leads back to `probe`; `match` itself never goes down within a term (RAFT-HOLES 49).
 */
import { invariant } from '../core/invariant.ts'
import type { RoundTrip } from './round-trip.ts'
import type { NodeId } from './types.ts'

export class Progress {
  readonly id: NodeId
  state: 'probe' | 'replicate' | 'snapshot' = 'probe'
  /** The follower's log is ours up to here, durably. */
  match = 0
  /** First entry that has not been sent. Above `match`. */
  next: number
  /** An unanswered probe is under way. */
  probing = false
  /** Newest commit index it was told. */
  commitSent = 0
  /** When anything of this term came from it. */
  heardAt: number
  /** Our own evidence of a connection; true until a disconnect. */
  connected = true
  /** When it last answered a heartbeat of this term, while it was connected. */
  answeredAt: number | undefined = undefined
  /** Of heartbeats; undefined before the first answer. */
  roundTrip: RoundTrip | undefined = undefined
  /** Newest heartbeat that it has answered. */
  ackedSeq = 0
  /** Place in the order of campaigns if this leader is lost, and how long that is from the first place, ms (heirs.ts). */
  rank = 0
  waitMs = 0
  /** Number of the newest heartbeat that asked what has come of the entries sent before it. */
  heartbeatSeq = 0
  /** `match` when that was sent. */
  heartbeatMatch = 0
  /** `next` when that was sent: what had been sent before it. */
  heartbeatNext = 0
  /** The newest heartbeat when its snapshot was asked for. */
  snapshotSeq = 0
  /** It was said already that this peer has lost entries. */
  lossReported = false
  /** What counts while replicating; it begins empty each time. */
  readonly #inflight: Inflight

  constructor(id: NodeId, next: number, now: number, limits: InflightLimits) {
    this.id = id
    this.next = next
    this.heardAt = now
    this.#inflight = new Inflight(limits)
  }

  get paused(): boolean {
    if (this.state === 'replicate') return this.#inflight.full
    return this.state === 'snapshot' || this.probing
  }

  /** An append has been sent that starts at `next`, ends in `last` and weighs `bytes`. */
  sent(last: number, bytes: number): void {
    if (this.state === 'probe') this.probing = true
    else if (last >= this.next) {
      this.#inflight.push(last, bytes)
      this.next = last + 1
    }
  }

  /** True when that was news. `logBase`: what our log begins after. */
  accepted(match: number, logBase: number): boolean {
    this.#inflight.freeTo(match)
    const news = match > this.match
    if (news) this.match = match
    const isKnown = this.state === 'probe' ? match === this.match : this.state === 'snapshot' && this.match >= logBase
    if (isKnown) this.#replicate()
    else if (this.next <= this.match) this.next = this.match + 1
    return news
  }

  /** False when the rejection is older than what we know. `next` follows the hint otherwise. */
  rejected(prevIndex: number, agreeAt: number): boolean {
    // Of an append from before: what it asks for is on its way.
    if (this.state === 'snapshot') return false
    const answersUs = this.state === 'probe' ? prevIndex === this.next - 1 : prevIndex < this.next
    if (!answersUs || prevIndex <= this.match) return false
    this.probe()
    this.next = Math.max(this.match + 1, Math.min(prevIndex, agreeAt + 1))
    return true
  }

  /**
   * Back to one append at a time, from what is certain. Who is being probed already goes on from the best guess so far: in a
   * new term nothing is certain of it yet, and to begin at the first entry would send it the whole log once more.
   */
  probe(): void {
    if (this.state !== 'probe') this.next = this.match + 1
    this.state = 'probe'
    this.probing = false
  }

  /** Its next entry is gone: it waits for a snapshot. */
  needsSnapshot(heartbeatSeq: number): void {
    this.state = 'snapshot'
    this.snapshotSeq = heartbeatSeq
    this.probing = false
  }

  /** It has the snapshot up to `index`, as far as is known, and goes on behind it; its disk has still to confirm that. */
  snapshotSent(index: number): void {
    if (this.state !== 'snapshot') return
    this.state = 'probe'
    this.next = Math.max(this.match, index) + 1
    this.probing = true
  }

  /** Not before the next heartbeat comes back is it asked for again. */
  snapshotFailed(): void {
    if (this.state !== 'snapshot') return
    this.probe()
    this.probing = true
  }

  #replicate(): void {
    this.state = 'replicate'
    this.probing = false
    this.#inflight.clear()
    this.next = this.match + 1
  }
}

export interface InflightLimits {
  readonly inflightMax: number
  readonly inflightBytesMax: number
}

/** The last index and the weight of the appends under way, oldest first, in a ring. */
class Inflight {
  readonly #limits: InflightLimits
  readonly #last: number[] = []
  readonly #weight: number[] = []
  #first = 0
  #count = 0
  #bytes = 0

  constructor(limits: InflightLimits) {
    this.#limits = limits
  }

  get full(): boolean {
    return this.#count >= this.#limits.inflightMax || this.#bytes >= this.#limits.inflightBytesMax
  }

  push(last: number, bytes: number): void {
    invariant(!this.full, 'an append beyond the limits in flight')
    const at = (this.#first + this.#count) % this.#limits.inflightMax
    this.#last[at] = last
    this.#weight[at] = bytes
    this.#bytes += bytes
    this.#count++
  }

  freeTo(index: number): void {
    while (this.#count > 0 && this.#last[this.#first]! <= index) {
      this.#bytes -= this.#weight[this.#first]!
      this.#first = (this.#first + 1) % this.#limits.inflightMax
      this.#count--
    }
  }

  clear(): void {
    this.#first = 0
    this.#count = 0
    this.#bytes = 0
  }
}
