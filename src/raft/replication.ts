/**
 * How a leader brings its log to the others, and learns how far each of them is.
 *
 * Appends are pipelined to whoever is known to agree, and sent one at a time to whoever is not (progress.ts). Loss is
 * found by what is missing in the answers: every heartbeat that comes back shows whether what was sent before it did.
 *
 * Who needs entries that a snapshot has taken the place of gets the snapshot, from the embedder: it is told whom to send it to
 * and says what became of it. Nothing of ours waits for that for ever: a lost connection, a report of failure, or patience's end
 * leads back to probing, which asks again or finds that it is not needed any more.
 */
import { invariant } from '../core/invariant.ts'
import { learnersTurns } from './beats.ts'
import { membersOf } from './configuration.ts'
import { Heirs } from './heirs.ts'
import { entryBytes } from './log.ts'
import type { Append, AppendRejected, HeartbeatReply } from './messages.ts'
import type { RaftNode } from './node.ts'
import { Progress } from './progress.ts'
import { RoundTrip } from './round-trip.ts'
import type { NodeId } from './types.ts'

/** Heartbeats whose sending time is remembered; an answer that is later than that measures nothing. */
const ROUND_TRIPS_REMEMBERED = 64

export class Replication {
  readonly #node: RaftNode
  readonly #progress = new Map<NodeId, Progress>()
  /** In the order of their ids. */
  peers: readonly Progress[] = []
  /** Number of the newest heartbeat. */
  seq = 0
  /** Who would take over. */
  readonly heirs: Heirs
  readonly #sentAt = new Float64Array(ROUND_TRIPS_REMEMBERED)
  #commitMoved = false
  /** The newest append made: peers at the same place get the same object. */
  #lastAppend: Append | undefined
  #lastAppendBytes = 0

  constructor(node: RaftNode, now: number) {
    this.#node = node
    this.heirs = new Heirs(node)
    this.track(now)
  }

  /** Follows the configuration in force: who is new is tracked from now on, who is gone no more. */
  track(now: number): void {
    const { self, membership, configurations, log, settings } = this.#node
    const ids = membersOf(membership).filter((id) => id !== self)
    for (const id of ids) {
      if (!this.#progress.has(id)) this.#progress.set(id, new Progress(id, log.lastIndex + 1, now, settings.limits))
    }
    for (const id of this.#progress.keys()) if (!configurations.isMember(id)) this.#progress.delete(id)
    this.peers = ids.map((id) => this.#progress.get(id)!)
    this.heirs.stale()
  }

  get(id: NodeId): Progress | undefined {
    return this.#progress.get(id)
  }

  /** Up to where this member's disk holds our log; our own included. */
  readonly matchOf = (id: NodeId): number =>
    id === this.#node.self ? this.#node.log.stable : (this.#progress.get(id)?.match ?? 0)

  /** The newest heartbeat that this member has answered. We always hear ourselves. */
  readonly ackedSeqOf = (id: NodeId): number =>
    id === this.#node.self ? Infinity : (this.#progress.get(id)?.ackedSeq ?? 0)

  // --- heartbeats ---

  /** `asks`: whether it also asks what has become of the entries that were sent before it, and repairs what is amiss. */
  heartbeat(now: number, asks = true): void {
    const { log, term, configurations, membership } = this.#node
    const seq = ++this.seq
    this.#sentAt[seq % ROUND_TRIPS_REMEMBERED] = now
    this.heirs.refresh(this.peers, now)
    const heir = this.heirs.first
    const turns = learnersTurns(membership)
    for (let place = 0; place < this.peers.length; place++) {
      const peer = this.peers[place]!
      if (turns > 1 && (place + seq) % turns !== 0 && !configurations.isVoter(peer.id)) continue
      const commit = Math.min(peer.match, log.commit)
      if (asks) {
        peer.heartbeatSeq = seq
        peer.heartbeatMatch = peer.match
        peer.heartbeatNext = peer.next
      }
      if (commit > peer.commitSent) peer.commitSent = commit
      this.#node.send(peer.id, { type: 'heartbeat', term, commit, seq, waitMs: peer.waitMs, heir })
    }
  }

  heartbeatAnswered(peer: Progress, { seq, match }: HeartbeatReply, now: number): void {
    if (seq === 0 || seq > this.seq) return
    if (seq > peer.ackedSeq) peer.ackedSeq = seq
    const { suspicion, wokeAt } = this.#node
    this.#measure(peer, seq, now)
    if (peer.rank === 0 && peer.answeredAt !== undefined && peer.answeredAt >= wokeAt) {
      suspicion.observe(now - peer.answeredAt)
    }
    peer.answeredAt = now
    if (seq === peer.heartbeatSeq) this.#repair(peer, match)
  }

  /** How far away it is. A time in which this process itself was suspended says nothing about the way. */
  #measure(peer: Progress, seq: number, now: number): void {
    const { settings, wokeAt } = this.#node
    const sentAt = this.#sentAt[seq % ROUND_TRIPS_REMEMBERED]!
    if (this.seq - seq >= ROUND_TRIPS_REMEMBERED || sentAt < wokeAt) return
    const { electionTimeoutMs, rankStepMinMs } = settings.timing
    const ms = Math.min(now - sentAt, electionTimeoutMs)
    if (peer.roundTrip === undefined) peer.roundTrip = new RoundTrip(ms, rankStepMinMs)
    else peer.roundTrip.observe(ms, rankStepMinMs)
  }

  /** A heartbeat came through; did what was sent before it? */
  #repair(peer: Progress, match: number): void {
    // It knew more when we asked: it was restarted since, and must be told anew where the logs agree.
    if (match < peer.heartbeatMatch && peer.state !== 'snapshot') peer.probe()
    if (this.#isOverdue(peer)) peer.probe()
    if (peer.state === 'probe') {
      peer.probing = false
      this.send(peer)
    } else if (peer.state === 'snapshot') return
    else if (peer.match + 1 < peer.heartbeatNext) {
      // The end of the pipeline may be lost with nothing behind it that would be rejected: ask about its last entry.
      this.#node.send(peer.id, this.#append(peer.heartbeatNext, true))
    }
  }

  /** It waits for entries that are gone, and was not found out by an append; or for a snapshot of which nothing is heard. */
  #isOverdue(peer: Progress): boolean {
    if (peer.state === 'snapshot')
      return this.seq - peer.snapshotSeq >= this.#node.settings.limits.snapshotHeartbeatsMax
    return peer.match + 1 < peer.heartbeatNext && peer.heartbeatNext <= this.#node.log.base.index
  }

  // --- snapshots ---

  snapshotSent(id: NodeId, index: number): void {
    this.#progress.get(id)?.snapshotSent(index)
  }

  snapshotFailed(id: NodeId): void {
    this.#progress.get(id)?.snapshotFailed()
  }

  // --- appends ---

  sendAll(): void {
    for (const peer of this.peers) this.send(peer)
  }

  /** As much as this peer may be sent now. */
  send(peer: Progress): void {
    const { log } = this.#node
    while (peer.connected && !peer.paused && (peer.state === 'probe' || peer.next <= log.lastIndex)) {
      if (peer.next <= log.base.index) {
        peer.needsSnapshot(this.seq)
        this.#node.outbox.sendSnapshot(peer.id, this.#node.snapshot.index)
        return
      }
      const append = this.#append(peer.next, false)
      this.#node.send(peer.id, append)
      peer.commitSent = append.commit
      peer.sent(append.prevIndex + append.entries.length, this.#lastAppendBytes)
    }
  }

  #append(next: number, empty: boolean): Append {
    const { log, settings, term } = this.#node
    const last = this.#lastAppend
    const reusable =
      !empty &&
      last !== undefined &&
      last.prevIndex === next - 1 &&
      last.commit === log.commit &&
      last.entries.length > 0 &&
      last.prevIndex + last.entries.length === log.lastIndex
    if (reusable) return last
    const entries = empty ? [] : log.slice(next, settings.limits.appendEntriesMax, settings.limits.appendBytesMax)
    const prevTerm = log.termAt(next - 1)
    invariant(prevTerm !== undefined, () => `an append would start at ${next}, the log ends at ${log.lastIndex}`)
    this.#lastAppend = { type: 'append', term, prevIndex: next - 1, prevTerm, commit: log.commit, entries }
    this.#lastAppendBytes = 0
    for (const entry of entries) this.#lastAppendBytes += entryBytes(entry)
    return this.#lastAppend
  }

  /** True when it is news that this peer's disk holds our log up to `match`. */
  accepted(peer: Progress, match: number): boolean {
    const { log } = this.#node
    if (match > log.lastIndex) {
      this.#node.anomaly(peer.id, `acknowledges entry ${match} of a log that ends at ${log.lastIndex}`)
      return false
    }
    const news = peer.accepted(match, log.base.index)
    // It was still being probed when the commit index moved.
    if (peer.commitSent < log.commit) this.#commitMoved = true
    return news
  }

  rejected(peer: Progress, { prevIndex, hintIndex, hintTerm }: AppendRejected): void {
    const { log } = this.#node
    // Before our own beginning nobody knows; whoever is there needs a snapshot.
    const isKnown = hintIndex >= log.base.index
    const agreeAt = isKnown ? log.lastOfTermAtMost(Math.min(hintIndex, log.lastIndex), hintTerm) : hintIndex
    if (peer.rejected(prevIndex, agreeAt)) this.send(peer)
    else if (peer.probing && prevIndex === peer.match && hintIndex < peer.match && !peer.lossReported) {
      peer.lossReported = true
      this.#node.anomaly(peer.id, `has lost entries that it acknowledged: it ends before ${peer.match}`)
    }
  }

  // --- the commit index ---

  commitMoved(): void {
    this.#commitMoved = true
  }

  /** Tells everybody in one go, at the end of the step; who got it with an append is not told twice. */
  flush(): void {
    if (!this.#commitMoved) return
    this.#commitMoved = false
    const { term, log } = this.#node
    const notice = { type: 'commit', term, commit: log.commit } as const
    for (const peer of this.peers) {
      if (peer.state !== 'replicate' || peer.commitSent >= log.commit) continue
      peer.commitSent = log.commit
      this.#node.send(peer.id, notice)
    }
  }

  // --- connections ---

  connected(id: NodeId): void {
    const peer = this.#progress.get(id)
    if (peer === undefined) return
    peer.connected = true
    peer.probe()
    this.send(peer)
  }

  disconnected(id: NodeId): void {
    const peer = this.#progress.get(id)
    if (peer === undefined) return
    peer.connected = false
    peer.answeredAt = undefined
    peer.probe()
  }
}
