/**
 * A leader appends, replicates, counts acknowledgements and commits.
 *
 * It sends an entry before its own disk has it (dissertation section 10.2.1) and counts itself only when it has. It commits
 * by counting only entries of its own term (paper section 5.4.2); its first entry is a no-op, so that there always is one.
 * It keeps its office only while a quorum answers (CheckQuorum), and only while its own disk does (RAFT-HOLES 28): a leader
 * that cannot write keeps others from leading who could.
 *
 * A voter change goes through a joint configuration, in force when appended. When the entry that entered it has committed,
 * whoever leads then appends the entry that leaves it (RAFT-HOLES 31). A leader that the new configuration does not name
 * counts the others only, and hands over when that configuration has committed (dissertation section 4.2.2).
 */
import { compareText } from '../core/bytes.ts'
import { invariant } from '../core/invariant.ts'
import { isJoint, leaveJoint, membersOf, planChange } from './configuration.ts'
import { entryBytes } from './log.ts'
import { encodeMembership } from './messages.ts'
import type { Append, AppendAccepted, AppendRejected, HeartbeatReply } from './messages.ts'
import type { RaftNode, ReplyMessage } from './node.ts'
import { Progress } from './progress.ts'
import { jointValue, majority } from './quorum.ts'
import { ReadQueue } from './reads.ts'
import type { Membership, MembershipChange, NodeId, RaftStatus, RefusalCode } from './types.ts'

/** Heartbeats whose sending time is remembered; an answer that is later than that measures nothing. */
const ROUND_TRIPS_REMEMBERED = 64
const NO_DATA = new Uint8Array()

export class Leader {
  readonly name = 'leader'
  readonly #node: RaftNode
  /** The own-term no-op: once it has committed, so has everything before it. */
  readonly #firstIndex: number
  readonly #progress = new Map<NodeId, Progress>()
  /** The same, in the order of their ids. */
  #peers: readonly Progress[] = []
  #heartbeatAt: number
  /** When CheckQuorum looks next. */
  #quorumAt: number
  #seq = 0
  readonly #sentAt = new Float64Array(ROUND_TRIPS_REMEMBERED)
  #uncommittedBytes = 0
  readonly #reads = new ReadQueue()
  /** The membership change that waits for its joint configuration to be left. */
  #changeRef: number | undefined
  /** The transfer target has been told to campaign. */
  #handoverSent = false
  #commitMoved = false
  /** The newest append made: peers at the same place get the same object. */
  #lastAppend: Append | undefined
  #lastAppendBytes = 0

  constructor(node: RaftNode, now: number) {
    this.#node = node
    this.#firstIndex = node.log.lastIndex + 1
    this.#heartbeatAt = now + node.settings.timing.heartbeatMs
    this.#quorumAt = node.settings.checkQuorum ? now + node.settings.timing.electionTimeoutMs : Infinity
    this.#trackMembers(now)
  }

  start(now: number): void {
    const node = this.#node
    node.propose('noop', node.log.lastIndex === 0 ? node.settings.firstEntryData : NO_DATA)
    for (const entry of node.log.tail(node.log.commit + 1)) this.#uncommittedBytes += entryBytes(entry)
    this.#replicate()
    invariant(this.#firstIndex === node.log.lastIndex, 'the no-op is the first entry of a term')
    if (this.#peers.length === 0) this.#heartbeatAt = Infinity
    this.#advance(now)
  }

  get writable(): boolean {
    return this.#node.log.commit >= this.#firstIndex
  }

  progressStatus(): RaftStatus['progress'] {
    return this.#peers.map(({ id, match, connected, state }) => ({ id, match, active: connected, state }))
  }

  // --- time ---

  deadline(): number {
    const stalled = this.#node.writes.oldestAt()
    const stallAt =
      stalled === undefined || this.#peers.length === 0 ? Infinity : stalled + this.#node.settings.timing.diskStallMs
    return Math.min(this.#heartbeatAt, this.#quorumAt, stallAt)
  }

  tick(now: number): void {
    if (this.#node.diskStalled(now) && this.#peers.length > 0) {
      this.#resign('its disk does not answer', now)
      return
    }
    if (now >= this.#heartbeatAt) this.#heartbeat(now)
  }

  /** Resigns when the newest moment at which a quorum was in touch is an election timeout ago. */
  checkQuorum(now: number): void {
    if (now < this.#quorumAt) return
    const node = this.#node
    const timeoutMs = node.settings.timing.electionTimeoutMs
    const inTouchAt = jointValue(node.membership, (id) =>
      id === node.self ? now : (this.#progress.get(id)?.heardAt ?? -Infinity)
    )
    this.#quorumAt = inTouchAt + timeoutMs
    if (now < this.#quorumAt) return
    const heardFrom = this.#peers.filter((peer) => now - peer.heardAt < timeoutMs).map((peer) => peer.id)
    node.outbox.event({ type: 'no-quorum', term: node.term, heardFrom })
    node.becomeFollower(node.term, undefined, 'no quorum answers', now)
  }

  #heartbeat(now: number): void {
    const node = this.#node
    const { term } = node
    const seq = ++this.#seq
    this.#sentAt[seq % ROUND_TRIPS_REMEMBERED] = now
    this.#heartbeatAt = this.#peers.length === 0 ? Infinity : now + node.settings.timing.heartbeatMs
    this.#rank()
    for (const peer of this.#peers) this.#greet(peer, seq, term)
  }

  #greet(peer: Progress, seq: number, term: number): void {
    const commit = Math.min(peer.match, this.#node.log.commit)
    peer.heartbeatMatch = peer.match
    peer.heartbeatNext = peer.next
    if (commit > peer.commitSent) peer.commitSent = commit
    this.#node.send(peer.id, { type: 'heartbeat', term, commit, seq, rank: peer.rank })
  }

  /** Who holds all that is committed comes first, then who is near; learners after all voters. */
  #rank(): void {
    const { log, configurations } = this.#node
    const key = (peer: Progress): number => Math.min(peer.match, log.commit)
    const order = this.#peers.toSorted(
      (a, b) =>
        Number(configurations.isVoter(b.id)) - Number(configurations.isVoter(a.id)) ||
        key(b) - key(a) ||
        (a.roundTripMs ?? Infinity) - (b.roundTripMs ?? Infinity) ||
        compareText(a.id, b.id)
    )
    for (let rank = 0; rank < order.length; rank++) order[rank]!.rank = rank
  }

  // --- peers ---

  #trackMembers(now: number): void {
    const node = this.#node
    const ids = membersOf(node.membership).filter((id) => id !== node.self)
    for (const id of ids) {
      if (this.#progress.has(id)) continue
      this.#progress.set(id, new Progress(id, node.log.lastIndex + 1, now, node.settings.limits))
    }
    for (const id of this.#progress.keys()) if (!node.configurations.isMember(id)) this.#progress.delete(id)
    this.#peers = ids.map((id) => this.#progress.get(id)!)
    for (let rank = 0; rank < this.#peers.length; rank++) this.#peers[rank]!.rank = rank
    if (this.#heartbeatAt === Infinity && ids.length > 0) this.#heartbeatAt = now + node.settings.timing.heartbeatMs
  }

  connected(id: NodeId, _now: number): void {
    const peer = this.#progress.get(id)
    if (peer === undefined) return
    peer.connected = true
    peer.probe()
    this.#send(peer)
  }

  disconnected(id: NodeId): void {
    const peer = this.#progress.get(id)
    if (peer === undefined) return
    peer.connected = false
    peer.probe()
  }

  reply(from: NodeId, message: ReplyMessage, now: number): void {
    const peer = this.#progress.get(from)
    if (peer === undefined) return
    peer.heardAt = now
    peer.connected = true
    switch (message.type) {
      case 'append-accepted':
        this.#accepted(peer, message, now)
        break
      case 'append-rejected':
        this.#rejected(peer, message)
        break
      case 'heartbeat-reply':
        this.#heartbeatReply(peer, message, now)
        break
      case 'vote-reply':
        break
    }
  }

  #accepted(peer: Progress, { match }: AppendAccepted, now: number): void {
    const node = this.#node
    if (match > node.log.lastIndex) {
      node.anomaly(peer.id, `acknowledges entry ${match} of a log that ends at ${node.log.lastIndex}`)
      return
    }
    const news = peer.accepted(match)
    if (news) this.#advance(now)
    if (node.role !== this) return
    this.#send(peer)
    // It was still being probed when the commit index moved.
    if (peer.commitSent < node.log.commit) this.#commitMoved = true
    if (news) this.#handOverTo(peer)
  }

  #rejected(peer: Progress, { prevIndex, hintIndex, hintTerm }: AppendRejected): void {
    const { log } = this.#node
    const agreeAt = log.lastOfTermAtMost(Math.min(hintIndex, log.lastIndex), hintTerm)
    if (peer.rejected(prevIndex, agreeAt)) this.#send(peer)
    else if (peer.probing && prevIndex === peer.match && hintIndex < peer.match && !peer.lossReported) {
      peer.lossReported = true
      this.#node.anomaly(peer.id, `has lost entries that it acknowledged: it ends before ${peer.match}`)
    }
  }

  #heartbeatReply(peer: Progress, { seq, match }: HeartbeatReply, now: number): void {
    if (seq === 0 || seq > this.#seq) return
    if (this.#seq - seq < ROUND_TRIPS_REMEMBERED) peer.roundTrip(now - this.#sentAt[seq % ROUND_TRIPS_REMEMBERED]!)
    if (seq > peer.ackedSeq) peer.ackedSeq = seq
    if (seq === this.#seq) this.#repair(peer, match)
    this.#confirmReads(now)
  }

  /** A heartbeat came through; did what was sent before it? */
  #repair(peer: Progress, match: number): void {
    // It knew more when we asked: it was restarted since, and must be told anew where the logs agree.
    if (match < peer.heartbeatMatch) peer.probe()
    if (peer.state === 'probe') {
      peer.probing = false
      this.#send(peer)
    } else if (peer.match + 1 < peer.heartbeatNext) {
      // The end of the pipeline may be lost with nothing behind it that would be rejected: ask about its last entry.
      this.#node.send(peer.id, this.#append(peer.heartbeatNext, true))
    }
  }

  // --- replication ---

  #replicate(): void {
    for (const peer of this.#peers) this.#send(peer)
  }

  /** As much as this peer may be sent now. */
  #send(peer: Progress): void {
    const { log } = this.#node
    while (peer.connected && !peer.paused && (peer.state === 'probe' || peer.next <= log.lastIndex)) {
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

  persisted(now: number): void {
    this.#advance(now)
  }

  readonly #matchOf = (id: NodeId): number =>
    id === this.#node.self ? this.#node.log.stable : (this.#progress.get(id)?.match ?? 0)

  /** Commits what a quorum holds, and does what hangs on it. */
  #advance(now: number): void {
    const node = this.#node
    const { log } = node
    const index = jointValue(node.membership, this.#matchOf)
    if (index <= log.commit || log.termAt(index) !== node.term) return
    const wasWritable = this.writable
    for (let i = log.commit + 1; i <= index; i++) this.#uncommittedBytes -= entryBytes(log.at(i))
    node.commitTo(index)
    this.#commitMoved = true
    if (!wasWritable) {
      node.outbox.event({ type: 'writable', term: node.term })
      this.#startReads(now)
    }
    this.#settleMembership(now)
  }

  /** Tells everybody in one go, at the end of the step; who got it with an append is not told twice. */
  flush(): void {
    if (!this.#commitMoved) return
    this.#commitMoved = false
    const { term, log } = this.#node
    const notice = { type: 'commit', term, commit: log.commit } as const
    for (const peer of this.#peers) {
      if (peer.state !== 'replicate' || peer.commitSent >= log.commit) continue
      peer.commitSent = log.commit
      this.#node.send(peer.id, notice)
    }
  }

  // --- requests ---

  #refuse(ref: number, code: RefusalCode, detail: string): void {
    this.#node.outbox.outcome({ type: 'refused', ref, code, detail })
  }

  propose(ref: number, data: Uint8Array): void {
    const node = this.#node
    if (node.handover !== undefined) {
      this.#refuse(ref, 'busy', `leadership is being handed to ${node.handover.to}`)
      return
    }
    const max = node.settings.limits.uncommittedBytesMax
    if (this.#uncommittedBytes > 0 && this.#uncommittedBytes + data.byteLength > max) {
      this.#refuse(ref, 'busy', `${this.#uncommittedBytes} bytes wait for their commit, the limit is ${max}`)
      return
    }
    const entry = node.propose('command', data)
    this.#uncommittedBytes += entryBytes(entry)
    node.refs.set(entry.index, ref)
    this.#replicate()
  }

  read(ref: number, now: number): void {
    if (this.#reads.size >= this.#node.settings.limits.readsMax) {
      this.#refuse(ref, 'busy', `${this.#reads.size} reads wait already`)
      return
    }
    this.#reads.add(ref)
    this.#startReads(now)
  }

  #startReads(now: number): void {
    if (!this.writable || !this.#reads.wantsRound) return
    this.#heartbeat(now)
    this.#reads.launch(this.#seq, this.#node.log.commit)
    this.#confirmReads(now)
  }

  readonly #ackedSeqOf = (id: NodeId): number =>
    id === this.#node.self ? Infinity : (this.#progress.get(id)?.ackedSeq ?? 0)

  #confirmReads(now: number): void {
    const awaited = this.#reads.awaits
    if (awaited === undefined || jointValue(this.#node.membership, this.#ackedSeqOf) < awaited) return
    const { index, refs } = this.#reads.land()
    for (const ref of refs) this.#node.confirmRead(ref, index)
    this.#startReads(now)
  }

  // --- membership ---

  changeMembership(ref: number, change: MembershipChange, now: number): void {
    const planned = planChange(this.#node.membership, change)
    const refusal = this.#changeRefusal() ?? (planned.ok ? this.#votersRefusal(change.voters, now) : undefined)
    if (refusal !== undefined) this.#refuse(ref, refusal[0], refusal[1])
    else if (!planned.ok) this.#refuse(ref, 'invalid-change', planned.reason)
    else {
      // A joint change is done when its second entry has committed, a simple one with its only entry.
      if (isJoint(planned.membership)) this.#changeRef = ref
      else this.#node.refs.set(this.#node.log.lastIndex + 1, ref)
      this.#appendMembership(planned.membership, now)
    }
  }

  /** Why no change at all can begin now. */
  #changeRefusal(): readonly [RefusalCode, string] | undefined {
    const { configurations, log, membership, handover } = this.#node
    if (handover !== undefined) return ['busy', `leadership is being handed to ${handover.to}`]
    if (!this.writable) return ['no-own-term-commit', 'no entry of this term has committed yet']
    if (isJoint(membership) || configurations.index > log.commit) {
      return ['change-in-progress', `the change at ${configurations.index} is not finished`]
    }
    return undefined
  }

  /** Why these voters would leave the group worse off than it is. */
  #votersRefusal(voters: readonly NodeId[], now: number): readonly [RefusalCode, string] | undefined {
    const { configurations, self, settings } = this.#node
    const behind = voters.filter((id) => !configurations.isVoter(id) && !this.#isCaughtUp(id))
    if (behind.length > 0) return ['not-caught-up', `add as learners first, and wait for: ${behind.join(', ')}`]
    const isActive = (id: NodeId): boolean =>
      id === self || now - (this.#progress.get(id)?.heardAt ?? -Infinity) < settings.timing.electionTimeoutMs
    const active = voters.filter(isActive).length
    if (active >= majority(voters.length)) return undefined
    return ['would-lose-quorum', `only ${active} of the ${voters.length} voters answer`]
  }

  #isCaughtUp(id: NodeId): boolean {
    const { log, settings } = this.#node
    const peer = this.#progress.get(id)
    return peer !== undefined && peer.match > 0 && log.lastIndex - peer.match <= settings.limits.catchUpEntriesMax
  }

  #appendMembership(membership: Membership, now: number): void {
    const entry = this.#node.propose('membership', encodeMembership(membership))
    this.#uncommittedBytes += entryBytes(entry)
    this.#trackMembers(now)
    this.#replicate()
  }

  /** What is due when the configuration in force has committed. */
  #settleMembership(now: number): void {
    const node = this.#node
    if (node.configurations.index > node.log.commit) return
    if (isJoint(node.membership)) this.#leaveJoint(now)
    else if (!node.configurations.isVoter(node.self)) this.#resign('the configuration does not name it', now)
  }

  #leaveJoint(now: number): void {
    const node = this.#node
    if (!node.membership.autoLeave) return
    const left = leaveJoint(node.membership)
    invariant(left.ok, 'a joint configuration can be left')
    if (this.#changeRef !== undefined) node.refs.set(node.log.lastIndex + 1, this.#changeRef)
    this.#changeRef = undefined
    this.#appendMembership(left.membership, now)
  }

  // --- leaving office ---

  transfer(ref: number, wanted: NodeId | undefined, now: number): void {
    const node = this.#node
    const to = wanted ?? this.#heir()?.id
    if (node.handover !== undefined) this.#refuse(ref, 'busy', `leadership is being handed to ${node.handover.to}`)
    else if (to === undefined) this.#refuse(ref, 'transfer-failed', 'no other voter is connected')
    else if (to === node.self) node.outbox.outcome({ type: 'transferred', ref, to })
    else if (!node.membership.voters.includes(to)) this.#refuse(ref, 'transfer-failed', `${to} is not a voter`)
    else {
      node.handover = { ref, to, deadline: now + node.settings.timing.electionTimeoutMs }
      this.#handoverSent = false
      const peer = this.#progress.get(to)!
      this.#send(peer)
      this.#handOverTo(peer)
    }
  }

  /** Tells the target of a transfer to campaign, once it holds the whole log. */
  #handOverTo(peer: Progress): void {
    const node = this.#node
    if (node.handover?.to !== peer.id || this.#handoverSent || peer.match < node.log.lastIndex) return
    this.#handoverSent = true
    this.#sendTransfer(peer)
  }

  #sendTransfer(peer: Progress): void {
    const { term, log } = this.#node
    this.#node.send(peer.id, { type: 'transfer', term, lastIndex: log.lastIndex, lastTerm: log.lastTerm })
  }

  /** The voter that would take over best. */
  #heir(): Progress | undefined {
    const { membership } = this.#node
    let best: Progress | undefined
    for (const peer of this.#peers) {
      if (!peer.connected || !membership.voters.includes(peer.id)) continue
      if (best === undefined || peer.match > best.match || (peer.match === best.match && peer.rank < best.rank))
        best = peer
    }
    return best
  }

  /** Leaves office of its own accord, to an heir when there is one that could win. */
  #resign(reason: string, now: number): void {
    const node = this.#node
    const heir = this.#heir()
    this.flush()
    if (heir !== undefined && heir.match === node.log.lastIndex) this.#sendTransfer(heir)
    node.becomeFollower(node.term, undefined, reason, now)
  }

  /** Every request that only a leader can bring to its end gets its outcome. */
  retire(successor: NodeId | undefined): void {
    const { outbox, refs, log } = this.#node
    for (const [index, ref] of refs) {
      if (index <= log.commit) continue
      refs.delete(index)
      outbox.outcome({ type: 'unknown', ref })
    }
    if (this.#changeRef !== undefined) outbox.outcome({ type: 'unknown', ref: this.#changeRef })
    this.#changeRef = undefined
    for (const ref of this.#reads.abandon()) outbox.outcome({ type: 'dropped', ref, leader: successor })
  }
}
