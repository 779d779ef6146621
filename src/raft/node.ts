/**
 * What every role shares: term and vote, the log, who is in force, what the disk has confirmed, what a step asks for.
 *
 * A `RaftNode` routes each input to the role that it plays and owns every transition between roles; the roles themselves
 * (`follower.ts`, `candidate.ts`, `leader.ts`) never replace each other. Each transition ends in the invariants that the
 * new role relies on.
 */
import { invariant, unreachable } from '../core/invariant.ts'
import { Candidate, PreCandidate } from './candidate.ts'
import { Configurations } from './configuration.ts'
import { Durability } from './durability.ts'
import { Follower } from './follower.ts'
import { Leader } from './leader.ts'
import { Log } from './log.ts'
import { decodeMembership } from './messages.ts'
import type { Append, Commit, Heartbeat, PreVoteReply, RaftMessage, Transfer } from './messages.ts'
import type { AppendAccepted, AppendRejected, HeartbeatReply, VoteReply } from './messages.ts'
import { Outbox } from './outbox.ts'
import { Requests } from './requests.ts'
import { checkRecovered, resolveSettings } from './settings.ts'
import type { RaftSettings } from './settings.ts'
import type { ConsensusView, Entry, EntryType, Membership, NodeId } from './types.ts'
import type { RaftEffects, RaftInit, RaftInput, RaftStatus } from './types.ts'
import { answerPreVote, answerVote } from './voting.ts'

/** Sent by a leader only. */
export type LeaderMessage = Append | Heartbeat | Commit | Transfer
/** Sent to a leader or a candidate, in the term of the question. */
export type ReplyMessage = VoteReply | AppendAccepted | AppendRejected | HeartbeatReply

/** A term from which one more can be reached without leaving the safe integers. */
const TERM_MAX = Number.MAX_SAFE_INTEGER - 1

export class RaftNode {
  readonly self: NodeId
  readonly settings: RaftSettings
  readonly log: Log
  readonly configurations: Configurations
  readonly disk: Durability
  readonly outbox = new Outbox()
  readonly requests = new Requests(this.outbox)
  /** Peers with an open connection, by our own evidence. */
  readonly connections = new Set<NodeId>()
  /** Whom this member follows now (itself when it leads). */
  leader: NodeId | undefined = undefined
  /** Who was seen to lead the current term; outlives the loss of contact, since a term has one leader for ever. */
  termLeader: NodeId | undefined = undefined
  role: Follower | PreCandidate | Candidate | Leader
  /** How many others should campaign first when the leader is lost. */
  rank: number
  /** Campaigns in a row that led nowhere. */
  failedRounds = 0
  #round: number
  /** The term in which `leader` was learnt: the same member in a later term is news. */
  #leaderTerm = 0

  constructor(init: RaftInit) {
    this.self = init.self
    this.settings = resolveSettings(init)
    checkRecovered(init)
    this.disk = new Durability(init.hardState)
    this.log = new Log(init.entries)
    this.configurations = new Configurations(init.membership)
    for (const entry of init.entries) {
      if (entry.type === 'membership') this.configurations.append(entry.index, decodeMembership(entry.data))
    }
    this.rank = init.rank ?? Math.max(0, this.membership.voters.indexOf(this.self))
    this.#round = this.settings.random.int(0, 0xffff_ffff)
    this.role = new Follower(this)
  }

  get membership(): Membership {
    return this.configurations.current
  }

  get term(): number {
    return this.disk.term
  }

  get votedFor(): NodeId | undefined {
    return this.disk.votedFor
  }

  /** The whole log is on disk as it stands. */
  get logDurable(): boolean {
    return this.log.stable === this.log.lastIndex
  }

  start(now: number): RaftEffects {
    if (this.role.name === 'follower') this.role.start(now)
    return this.#finish(now)
  }

  step(input: RaftInput, now: number): RaftEffects {
    // Whatever woke a leader that slept too long, it resigns before it hears anything (FAULTS P2).
    if (this.role.name === 'leader') this.role.checkQuorum(now)
    this.#dispatch(input, now)
    return this.#finish(now)
  }

  readonly view: ConsensusView = viewOf(this)

  status(): RaftStatus {
    const leading = this.role.name === 'leader' ? this.role : undefined
    return {
      role: this.role.name,
      term: this.term,
      leader: this.leader,
      writable: leading?.writable ?? false,
      commitIndex: this.log.commit,
      lastIndex: this.log.lastIndex,
      membership: this.membership,
      membershipIndex: this.configurations.index,
      progress: leading?.progressStatus() ?? []
    }
  }

  // --- inputs ---

  #dispatch(input: RaftInput, now: number): void {
    switch (input.type) {
      case 'tick':
        this.#tick(now)
        break
      case 'message':
        if (input.from !== this.self) this.#receive(input.from, input.message, now)
        break
      case 'connected':
        this.connections.add(input.peer)
        this.role.connected(input.peer, now)
        break
      case 'disconnected':
        this.connections.delete(input.peer)
        this.role.disconnected(input.peer, now)
        break
      case 'persisted':
        this.#persisted(input.write, now)
        break
      case 'removed':
        this.configurations.removedAt(input.index)
        break
      case 'propose':
        if (this.role.name === 'leader') this.role.propose([input])
        else this.#drop(input.ref)
        break
      case 'propose-batch':
        if (this.role.name === 'leader') this.role.propose(input.proposals)
        else for (const { ref } of input.proposals) this.#drop(ref)
        break
      case 'change-membership':
        if (this.role.name === 'leader') this.role.changeMembership(input.ref, input.change, now)
        else this.#drop(input.ref)
        break
      case 'read':
        if (this.role.name === 'leader') this.role.read(input.ref, now)
        else this.#drop(input.ref)
        break
      case 'transfer':
        if (this.role.name === 'leader') this.role.transfer(input.ref, input.to, now)
        else this.#drop(input.ref)
        break
      default:
        unreachable(input)
    }
  }

  #drop(ref: number): void {
    this.outbox.outcome({ type: 'dropped', ref, leader: this.leader })
  }

  #tick(now: number): void {
    const { handover } = this.requests
    if (handover !== undefined && now >= handover.deadline) {
      this.requests.failHandover(`${handover.to} did not take over in time`)
    }
    this.role.tick(now)
  }

  #persisted(write: number, now: number): void {
    const stable = this.disk.writes.confirm(write)
    if (stable === undefined) return
    invariant(stable >= this.log.stable, 'what is on disk stays on disk')
    this.log.stable = stable
    this.role.persisted(now)
  }

  #receive(from: NodeId, message: RaftMessage, now: number): void {
    switch (message.type) {
      case 'pre-vote':
        answerPreVote(this, from, message, now)
        break
      case 'vote':
        answerVote(this, from, message, now)
        break
      case 'pre-vote-reply':
        this.#preVoteReply(from, message, now)
        break
      case 'append':
      case 'heartbeat':
      case 'commit':
      case 'transfer':
        this.#fromLeader(from, message, now)
        break
      case 'vote-reply':
      case 'append-accepted':
      case 'append-rejected':
      case 'heartbeat-reply':
        this.#reply(from, message, now)
        break
      default:
        unreachable(message)
    }
  }

  #preVoteReply(from: NodeId, message: PreVoteReply, now: number): void {
    if (!message.granted && message.term > this.term) this.#laterTerm(from, message.term, now)
    else if (this.role.name === 'pre-candidate') this.role.reply(from, message, now)
  }

  #reply(from: NodeId, message: ReplyMessage, now: number): void {
    if (message.term > this.term) this.#laterTerm(from, message.term, now)
    else if (message.term === this.term && this.role.name !== 'pre-candidate') this.role.reply(from, message, now)
  }

  /** An answer from a later term; whoever is no member has no say in it (RAFT-HOLES 37). */
  #laterTerm(from: NodeId, term: number, now: number): void {
    if (this.configurations.isMember(from)) this.becomeFollower(term, undefined, `${from} is in term ${term}`, now)
  }

  #fromLeader(from: NodeId, message: LeaderMessage, now: number): void {
    if (message.term < this.term) {
      // The old leader learns that its time is over; without this it would go on until CheckQuorum.
      this.reply(from, { type: 'heartbeat-reply', term: this.term, seq: 0, match: 0 })
      return
    }
    if (message.term === this.term && this.termLeader !== undefined && this.termLeader !== from) {
      this.anomaly(from, `claims to lead term ${message.term}, which ${this.termLeader} leads`)
      return
    }
    if (message.term > this.term || this.leader !== from) {
      this.becomeFollower(message.term, from, `${from} leads term ${message.term}`, now)
    }
    invariant(this.role.name === 'follower', 'who hears a leader follows it')
    this.role.hear(from, message, now)
  }

  // --- transitions ---

  /** Into `term` (the vote of the current one is kept, RAFT-HOLES 3), behind `leader` when one is known. */
  becomeFollower(term: number, leader: NodeId | undefined, reason: string, now: number): void {
    invariant(term >= this.term, () => `the term goes from ${this.term} to ${term}`)
    if (term > this.term) this.#enterTerm(term, undefined)
    if (leader !== undefined) this.termLeader = leader
    if (this.role.name !== 'follower') {
      const before = this.role
      this.role = new Follower(this)
      if (before.name === 'leader') before.retire(leader)
      this.role.waitWithoutLeader(now)
      this.#roleEvent(reason)
    }
    this.setLeader(leader)
    invariant(this.leader !== this.self, 'a follower does not follow itself')
  }

  /** Asks for the office when it may: pre-vote first, unless that is switched off. */
  campaign(reason: string, now: number): void {
    const mayNot = this.#mayNotCampaign(now)
    if (mayNot !== undefined) {
      if (this.role.name !== 'follower') this.becomeFollower(this.term, undefined, mayNot, now)
      this.setLeader(undefined)
      invariant(this.role.name === 'follower', 'who may not campaign follows')
      this.role.waitWithoutLeader(now)
    } else if (this.settings.preVote) this.#becomePreCandidate(reason, now)
    else this.becomeCandidate(false, reason, now)
  }

  /** The leader asked this member to campaign at once. */
  takeOver(now: number): void {
    if (this.#mayNotCampaign(now) === undefined) this.becomeCandidate(true, `${this.leader} hands over`, now)
  }

  #mayNotCampaign(now: number): string | undefined {
    if (!this.configurations.mayCampaign(this.self)) return 'not a voter'
    if (this.diskStalled(now)) return 'the disk does not answer'
    if (this.term >= TERM_MAX) return 'there are no terms left'
    return undefined
  }

  #becomePreCandidate(reason: string, now: number): void {
    invariant(this.role.name !== 'leader', 'a leader does not campaign')
    const again = this.role.name === 'pre-candidate'
    this.setLeader(undefined)
    this.#round++
    const role = new PreCandidate(this, this.#round, now)
    this.role = role
    if (!again) this.#roleEvent(reason)
    role.start(now)
  }

  /** Enters the next term with a vote for itself. */
  becomeCandidate(transfer: boolean, reason: string, now: number): void {
    invariant(this.role.name !== 'leader', 'a leader does not campaign')
    invariant(this.configurations.mayCampaign(this.self), 'only voters campaign')
    this.setLeader(undefined)
    this.#enterTerm(this.term + 1, this.self)
    const role = new Candidate(this, transfer, now)
    this.role = role
    this.#roleEvent(reason)
    role.start(now)
  }

  becomeLeader(votes: number, now: number): void {
    invariant(this.role.name === 'candidate', 'only candidates are elected')
    invariant(this.votedFor === this.self && this.disk.hardStateDurable, 'the own vote is durable before it elects')
    invariant(this.termLeader === undefined, () => `${this.termLeader} leads term ${this.term} already`)
    this.failedRounds = 0
    this.termLeader = this.self
    const role = new Leader(this, now)
    this.role = role
    this.#roleEvent(`elected by ${votes}`)
    this.setLeader(this.self)
    role.start(now)
  }

  #enterTerm(term: number, votedFor: NodeId | undefined): void {
    this.disk.enterTerm(term, votedFor)
    this.termLeader = undefined
  }

  setLeader(leader: NodeId | undefined): void {
    if (this.leader === leader && (leader === undefined || this.#leaderTerm === this.term)) return
    this.leader = leader
    this.#leaderTerm = this.term
    this.outbox.event({ type: 'leader', term: this.term, leader })
    if (leader !== undefined) this.requests.settleHandover(leader)
  }

  #roleEvent(reason: string): void {
    this.outbox.event({ type: 'role', role: this.role.name, term: this.term, reason })
  }

  anomaly(from: NodeId, detail: string): void {
    this.outbox.event({ type: 'anomaly', from, detail })
  }

  // --- log ---

  /** Appends one entry of the own term: only a leader does. */
  propose(type: EntryType, data: Uint8Array): Entry {
    const entry: Entry = { index: this.log.lastIndex + 1, term: this.term, type, data }
    this.append(entry)
    return entry
  }

  append(entry: Entry): void {
    this.log.append(entry)
    this.disk.changed(entry.index)
    if (entry.type !== 'membership') return
    this.configurations.append(entry.index, decodeMembership(entry.data))
    this.#membershipEvent()
  }

  truncate(index: number): void {
    this.log.truncate(index)
    this.disk.writes.truncate(index - 1)
    this.disk.changed(index)
    if (this.configurations.truncate(index)) this.#membershipEvent()
  }

  #membershipEvent(): void {
    const { current: membership, index } = this.configurations
    this.outbox.event({ type: 'membership', membership, index, committed: index <= this.log.commit })
  }

  /** True when the commit index moved. */
  commitTo(index: number): boolean {
    if (!this.log.commitTo(index)) return false
    for (const { membership, index: at } of this.configurations.commit(this.log.commit)) {
      this.outbox.event({ type: 'membership', membership, index: at, committed: true })
    }
    return true
  }

  // --- what leaves ---

  send(to: NodeId, message: RaftMessage): void {
    this.outbox.send(to, message)
  }

  /** For what rests on a write: leaves after everything asked for so far is durable. */
  sendLater(to: NodeId, message: RaftMessage): void {
    this.outbox.sendLater(to, message)
  }

  /** For what rests on nothing but the term that it names. */
  reply(to: NodeId, message: RaftMessage): void {
    if (this.disk.hardStateDurable) this.outbox.send(to, message)
    else this.outbox.sendLater(to, message)
  }

  diskStalled(now: number): boolean {
    return this.disk.stalled(now, this.settings.timing.diskStallMs)
  }

  #finish(now: number): RaftEffects {
    if (this.role.name === 'leader') this.role.flush()
    this.#emit()
    const write = this.disk.take(this.log, now)
    const { send, sendAfter, committed, outcomes, events } = this.outbox.drain(this.disk.complete)
    const deadline = Math.min(this.role.deadline(), this.requests.handover?.deadline ?? Infinity)
    return {
      write,
      send,
      sendAfter,
      sendAfterWrite: this.disk.writes.issued,
      committed,
      outcomes,
      events,
      deadline: deadline === Infinity ? undefined : deadline
    }
  }

  /** What is committed and on our own disk. */
  #emit(): void {
    const { log } = this
    const end = Math.min(log.commit, log.stable)
    while (log.emitted < end) {
      const entry = log.at(++log.emitted)
      this.outbox.committed(entry)
      this.requests.emitted(entry)
    }
    this.requests.answerReads(log.emitted)
  }
}

const viewOf = (node: RaftNode): ConsensusView => ({
  get role() {
    return node.role.name
  },
  get term() {
    return node.term
  },
  get writable() {
    return node.role.name === 'leader' && node.role.writable
  },
  get commitIndex() {
    return node.log.commit
  },
  get lastIndex() {
    return node.log.lastIndex
  },
  get membership() {
    return node.membership
  },
  get membershipIndex() {
    return node.configurations.index
  }
})
