/**
 * A leader appends, has it replicated, counts acknowledgements and commits.
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
import { invariant } from '../core/invariant.ts'
import { isJoint, leaveJoint, planChange } from './configuration.ts'
import { entryBytes } from './log.ts'
import { encodeMembership } from './messages.ts'
import type { HeartbeatReply } from './messages.ts'
import type { RaftNode } from './node.ts'
import type { ReplyMessage } from './receive.ts'
import type { Progress } from './progress.ts'
import { jointValue, majority } from './quorum.ts'
import { ReadQueue } from './reads.ts'
import { Replication } from './replication.ts'
import { Succession } from './succession.ts'
import type { EntryType, Membership, MembershipChange, NodeId, Proposal, RaftStatus, RefusalCode } from './types.ts'

const NO_DATA = new Uint8Array()

type Refusal = readonly [code: RefusalCode, detail: string]

export class Leader {
  readonly name = 'leader'
  readonly #node: RaftNode
  /** The own-term no-op: once it has committed, so has everything before it. */
  readonly #firstIndex: number
  readonly #replication: Replication
  readonly #succession: Succession
  #heartbeatAt: number
  /** When CheckQuorum looks next. */
  #quorumAt: number
  #uncommittedBytes = 0
  readonly #reads = new ReadQueue()
  /** The membership change that waits for its joint configuration to be left. */
  #changeRef: number | undefined

  constructor(node: RaftNode, now: number) {
    const { timing, checkQuorum } = node.settings
    this.#node = node
    this.#firstIndex = node.log.lastIndex + 1
    this.#replication = new Replication(node, now)
    this.#succession = new Succession(node, this.#replication)
    this.#heartbeatAt = this.#alone ? Infinity : now + timing.heartbeatMs
    this.#quorumAt = checkQuorum ? now + timing.electionTimeoutMs : Infinity
  }

  start(now: number): void {
    const { log, settings } = this.#node
    this.#append('noop', log.lastIndex === 0 ? settings.firstEntryData : NO_DATA)
    this.#uncommittedBytes = 0
    for (const entry of log.tail(log.commit + 1)) this.#uncommittedBytes += entryBytes(entry)
    this.#replication.sendAll()
    invariant(this.#firstIndex === log.lastIndex, 'the no-op is the first entry of a term')
    this.#advance(now)
  }

  get writable(): boolean {
    return this.#node.log.commit >= this.#firstIndex
  }

  progressStatus(): RaftStatus['progress'] {
    const { heirs, peers } = this.#replication
    return peers.map((peer) => ({
      id: peer.id,
      match: peer.match,
      active: peer.connected,
      state: peer.state,
      rank: heirs.order.includes(peer) ? peer.rank : undefined,
      roundTripMs: peer.roundTrip?.smoothedMs
    }))
  }

  get #alone(): boolean {
    return this.#replication.peers.length === 0
  }

  // --- time ---

  deadline(): number {
    return Math.min(this.#heartbeatAt, this.#quorumAt, this.#stallAt())
  }

  #stallAt(): number {
    const oldest = this.#node.disk.writes.oldestAt()
    return oldest === undefined || this.#alone ? Infinity : oldest + this.#node.settings.timing.diskStallMs
  }

  tick(now: number): void {
    if (now >= this.#stallAt()) this.#resign('its disk does not answer', now)
    else if (now >= this.#heartbeatAt) {
      this.#heartbeat(now)
      if (this.writable) this.#succession.makeWay(now)
    }
  }

  #heartbeat(now: number): void {
    this.#replication.heartbeat(now)
    this.#heartbeatAt = this.#alone ? Infinity : now + this.#node.settings.timing.heartbeatMs
    // Otherwise CheckQuorum would wake the process between two heartbeats, to find that a quorum has answered since.
    if (this.#quorumAt < this.#heartbeatAt) {
      this.#quorumAt = Math.max(this.#quorumAt, this.#inTouchAt(now) + this.#timeoutMs)
    }
  }

  get #timeoutMs(): number {
    return this.#node.settings.timing.electionTimeoutMs
  }

  /** The newest moment at which a quorum was in touch. */
  #inTouchAt(now: number): number {
    const { membership, self } = this.#node
    return jointValue(membership, (id) => (id === self ? now : (this.#replication.get(id)?.heardAt ?? -Infinity)))
  }

  /** Resigns when a quorum was in touch an election timeout ago, and not since. */
  checkQuorum(now: number): void {
    if (now < this.#quorumAt) return
    const node = this.#node
    const timeoutMs = this.#timeoutMs
    this.#quorumAt = this.#inTouchAt(now) + timeoutMs
    if (now < this.#quorumAt) return
    const heardFrom = this.#replication.peers.filter((peer) => now - peer.heardAt < timeoutMs).map((peer) => peer.id)
    node.outbox.event({ type: 'no-quorum', term: node.term, heardFrom })
    node.becomeFollower(node.term, undefined, 'no quorum answers', now)
  }

  // --- peers ---

  connected(id: NodeId): void {
    this.#replication.connected(id)
  }

  disconnected(id: NodeId): void {
    this.#replication.disconnected(id)
  }

  snapshotSent(id: NodeId, index: number): void {
    this.#replication.snapshotSent(id, index)
  }

  snapshotFailed(id: NodeId): void {
    this.#replication.snapshotFailed(id)
  }

  reply(from: NodeId, message: ReplyMessage, now: number): void {
    const peer = this.#replication.get(from)
    if (peer === undefined) return
    peer.heardAt = now
    peer.connected = true
    switch (message.type) {
      case 'append-accepted':
        this.#accepted(peer, message.match, now)
        break
      case 'append-rejected':
        this.#replication.rejected(peer, message)
        break
      case 'heartbeat-reply':
        this.#heartbeatReply(peer, message, now)
        break
      case 'vote-reply':
        break
    }
  }

  #accepted(peer: Progress, match: number, now: number): void {
    const news = this.#replication.accepted(peer, match)
    if (news) this.#advance(now)
    // It may have committed the configuration that ends its own office.
    if (this.#node.role !== this) return
    this.#replication.send(peer)
  }

  #heartbeatReply(peer: Progress, message: HeartbeatReply, now: number): void {
    this.#replication.heartbeatAnswered(peer, message, now)
    this.#confirmReads(now)
  }

  // --- log ---

  /** The index of a new entry that is still to be sent. */
  #append(type: EntryType, data: Uint8Array): number {
    const entry = this.#node.propose(type, data)
    this.#uncommittedBytes += entryBytes(entry)
    return entry.index
  }

  persisted(now: number): void {
    this.#advance(now)
  }

  /** Commits what a quorum holds, and does what hangs on it. */
  #advance(now: number): void {
    const node = this.#node
    const { log } = node
    const index = jointValue(node.membership, this.#replication.matchOf)
    if (index <= log.commit || log.termAt(index) !== node.term) return
    const wasWritable = this.writable
    for (let i = log.commit + 1; i <= index; i++) this.#uncommittedBytes -= entryBytes(log.at(i))
    node.commitTo(index)
    this.#replication.commitMoved()
    if (!wasWritable) node.outbox.event({ type: 'writable', term: node.term })
    this.#settleMembership(now)
  }

  /** At the end of a step. */
  finish(now: number): void {
    this.#replication.flush()
    this.#succession.settle(now)
  }

  // --- requests ---

  #refuse(ref: number, code: RefusalCode, detail: string): void {
    this.#node.outbox.outcome({ type: 'refused', ref, code, detail })
  }

  propose(proposals: readonly Proposal[]): void {
    for (const { ref, data } of proposals) {
      const refusal = this.#proposalRefusal(data.byteLength)
      if (refusal !== undefined) this.#refuse(ref, refusal[0], refusal[1])
      else this.#node.requests.awaitEntry(this.#append('command', data), ref)
    }
    this.#replication.sendAll()
  }

  #proposalRefusal(bytes: number): Refusal | undefined {
    const { requests, settings } = this.#node
    const { entryBytesMax, uncommittedBytesMax } = settings.limits
    if (requests.handover !== undefined) return ['busy', this.#handingOver(requests.handover.to)]
    if (bytes > entryBytesMax) return ['too-large', `${bytes} bytes, the limit for one entry is ${entryBytesMax}`]
    if (this.#uncommittedBytes === 0 || this.#uncommittedBytes + bytes <= uncommittedBytesMax) return undefined
    return ['busy', `${this.#uncommittedBytes} bytes wait for their commit, the limit is ${uncommittedBytesMax}`]
  }

  #handingOver(to: NodeId): string {
    return `leadership is being handed to ${to}`
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
    if (!this.#reads.wantsRound) return
    if (this.writable) this.#heartbeat(now)
    // Disks are still writing the first entry, so it has nothing to ask for; the heartbeats that do come at their own time.
    else this.#replication.heartbeat(now, false)
    // Until its first entry has committed it may not know what else has; all of that lies before that entry (RAFT-HOLES 53).
    this.#reads.launch(this.#replication.seq, Math.max(this.#node.log.commit, this.#firstIndex))
    this.#confirmReads(now)
  }

  #confirmReads(now: number): void {
    const awaited = this.#reads.awaits
    if (awaited === undefined || jointValue(this.#node.membership, this.#replication.ackedSeqOf) < awaited) return
    const { index, refs } = this.#reads.land()
    for (const ref of refs) this.#node.requests.awaitRead(index, ref)
    this.#startReads(now)
  }

  // --- membership ---

  changeMembership(ref: number, change: MembershipChange, now: number): void {
    const planned = planChange(this.#node.membership, change)
    const refusal = this.#changeRefusal() ?? (planned.ok ? this.#votersRefusal(change.voters, now) : undefined)
    if (refusal !== undefined) this.#refuse(ref, refusal[0], refusal[1])
    else if (!planned.ok) this.#refuse(ref, 'invalid-change', planned.reason)
    else {
      const index = this.#appendMembership(planned.membership, now)
      // A joint change is done when its second entry has committed, a simple one with its only entry.
      if (isJoint(planned.membership)) this.#changeRef = ref
      else this.#node.requests.awaitEntry(index, ref)
    }
  }

  /** Why no change at all can begin now. */
  #changeRefusal(): Refusal | undefined {
    const { configurations, log, membership, requests } = this.#node
    if (requests.handover !== undefined) return ['busy', this.#handingOver(requests.handover.to)]
    if (!this.writable) return ['no-own-term-commit', 'no entry of this term has committed yet']
    if (isJoint(membership) || configurations.index > log.commit) {
      return ['change-in-progress', `the change at ${configurations.index} is not finished`]
    }
    return undefined
  }

  /** Why these voters would leave the group worse off than it is. */
  #votersRefusal(voters: readonly NodeId[], now: number): Refusal | undefined {
    const { configurations, self, settings } = this.#node
    const behind = voters.filter((id) => !configurations.isVoter(id) && !this.#isCaughtUp(id))
    if (behind.length > 0) return ['not-caught-up', `add as learners first, and wait for: ${behind.join(', ')}`]
    const isActive = (id: NodeId): boolean =>
      id === self || now - (this.#replication.get(id)?.heardAt ?? -Infinity) < settings.timing.electionTimeoutMs
    const active = voters.filter(isActive).length
    if (active >= majority(voters.length)) return undefined
    return ['would-lose-quorum', `only ${active} of the ${voters.length} voters answer`]
  }

  #isCaughtUp(id: NodeId): boolean {
    const { log, settings } = this.#node
    const peer = this.#replication.get(id)
    return peer !== undefined && peer.match > 0 && log.lastIndex - peer.match <= settings.limits.catchUpEntriesMax
  }

  #appendMembership(membership: Membership, now: number): number {
    // Who leaves gets this entry too, as the last one: it is how it learns that it left. Who joins is tracked from here on.
    const index = this.#append('membership', encodeMembership(membership))
    this.#replication.sendAll()
    this.#replication.track(now)
    this.#replication.sendAll()
    if (!this.#alone) this.#heartbeatAt = Math.min(this.#heartbeatAt, now + this.#node.settings.timing.heartbeatMs)
    return index
  }

  /** What is due when the configuration in force has committed. */
  #settleMembership(now: number): void {
    const node = this.#node
    if (node.configurations.index > node.log.commit) return
    if (isJoint(node.membership)) this.#leaveJoint(now)
    else if (!node.configurations.isVoter(node.self)) this.#resign('the configuration does not name it', now)
  }

  #leaveJoint(now: number): void {
    const { membership, requests } = this.#node
    if (!membership.autoLeave) return
    const left = leaveJoint(membership)
    invariant(left.ok, 'a joint configuration can be left')
    const index = this.#appendMembership(left.membership, now)
    if (this.#changeRef !== undefined) requests.awaitEntry(index, this.#changeRef)
    this.#changeRef = undefined
  }

  // --- leaving office ---

  transfer(ref: number, wanted: NodeId | undefined, now: number): void {
    const { handover } = this.#node.requests
    if (handover !== undefined) this.#refuse(ref, 'busy', this.#handingOver(handover.to))
    else this.#succession.transfer(ref, wanted, now)
  }

  /** Leaves office of its own accord, to an heir when there is one that could win. */
  #resign(reason: string, now: number): void {
    this.#replication.flush()
    this.#succession.resign(reason, now)
  }

  /** Every request that only a leader can bring to its end gets its outcome. */
  retire(successor: NodeId | undefined): void {
    const { outbox, requests, log } = this.#node
    requests.forsake(log.commit, successor)
    if (this.#changeRef !== undefined) outbox.outcome({ type: 'unknown', ref: this.#changeRef })
    this.#changeRef = undefined
    for (const ref of this.#reads.abandon()) outbox.outcome({ type: 'dropped', ref, leader: successor })
  }
}
