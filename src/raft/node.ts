/**
 * What every role shares: term and vote, the log, who is in force, what the disk has confirmed, what a step asks for.
 *
 * A `RaftNode` routes each input to the role that it plays and owns every transition between roles; the roles themselves
 * (`follower.ts`, `candidate.ts`, `leader.ts`) never replace each other. Each transition ends in the invariants that the
 * new role relies on.
 */
import { invariant, unreachable } from '../core/invariant.ts'
import { PRIORITY_DEFAULT } from '../core/priority.ts'
import { Candidate, PreCandidate } from './candidate.ts'
import type { Configurations } from './configuration.ts'
import { Durability } from './durability.ts'
import { Follower } from './follower.ts'
import { Leader } from './leader.ts'
import { refsOf, tellLeader } from './leader-inputs.ts'
import type { Log } from './log.ts'
import { decodeMembership } from './messages.ts'
import type { RaftMessage } from './messages.ts'
import { Offers } from './offers.ts'
import { mayOpen } from './opening.ts'
import { Outbox } from './outbox.ts'
import { receive } from './receive.ts'
import { recover } from './recovered.ts'
import { Requests } from './requests.ts'
import { resolveSettings } from './settings.ts'
import type { RaftSettings } from './settings.ts'
import { install, snapshotted } from './snapshots.ts'
import { Suspicion } from './suspicion.ts'
import type { ConsensusView, Entry, EntryType, LogPosition, Membership, NodeId } from './types.ts'
import type { RaftEffects, RaftInit, RaftInput, RaftStatus, SnapshotMeta } from './types.ts'
import { statusOf, View } from './view.ts'

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
  /** How long a leader may be silent. */
  readonly suspicion: Suspicion
  /** When this process last went on after it had been suspended: its timer was late by more than any stall that is to be borne. */
  wokeAt = -Infinity
  #dueAt = Infinity
  /** Peers with an open connection, by our own evidence, and their priorities. */
  readonly connections: Map<NodeId, number>
  /** Whom this member follows now (itself when it leads). */
  leader: NodeId | undefined = undefined
  /** Who was seen to lead the current term; outlives the loss of contact, since a term has one leader for ever. */
  termLeader: NodeId | undefined = undefined
  role: Follower | PreCandidate | Candidate | Leader
  readonly offers = new Offers()
  /** How long others should campaign first when the leader is lost, ms; undefined until a leader has said so. */
  waitMs: number | undefined = undefined
  /** When a leader of last resort next looks for a better one. */
  makesWayAt = -Infinity
  /** Campaigns in a row that led nowhere. */
  failedRounds = 0
  /** The newest snapshot that is durable here. */
  snapshot: LogPosition
  /** It has taken the place of the log, and is on its way to our disk. */
  #arriving: SnapshotMeta | undefined
  #round: number
  /** The term in which `leader` was learnt: the same member in a later term is news. */
  #leaderTerm = 0

  constructor(init: RaftInit) {
    this.self = init.self
    this.settings = resolveSettings(init)
    this.connections = new Map(init.connections)
    this.suspicion = new Suspicion(this.settings.timing)
    const { log, configurations, snapshot } = recover(init)
    this.disk = new Durability(init.hardState)
    this.snapshot = snapshot
    this.log = log
    this.configurations = configurations
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
    if (mayOpen(this)) this.#lead('everybody began with a vote for it', now)
    else if (this.role.name === 'follower') this.role.start(now)
    return this.#finish(now)
  }

  step(input: RaftInput, now: number): RaftEffects {
    if (now - this.#dueAt > this.settings.timing.electionTimeoutMinMs) this.wokeAt = now
    // Whatever woke a leader that slept too long, it resigns before it hears anything (FAULTS P2).
    if (this.role.name === 'leader') this.role.checkQuorum(now)
    this.#dispatch(input, now)
    return this.#finish(now)
  }

  readonly view: ConsensusView = new View(this)

  status(): RaftStatus {
    return statusOf(this)
  }

  // --- inputs ---

  #dispatch(input: RaftInput, now: number): void {
    switch (input.type) {
      case 'tick':
        this.#tick(now)
        break
      case 'message':
        if (input.from !== this.self) receive(this, input.from, input.message, now)
        break
      case 'connected':
        this.connections.set(input.peer, input.priority ?? PRIORITY_DEFAULT)
        this.role.connected(input.peer, now)
        break
      case 'disconnected':
        this.connections.delete(input.peer)
        this.role.disconnected(input.peer, now)
        break
      case 'persisted':
        this.#persisted(input.write, now)
        break
      case 'snapshotted':
        snapshotted(this, input.index)
        break
      case 'install':
        if (input.from !== this.self) install(this, input, now)
        break
      case 'removed':
        this.configurations.removedAt(input.index)
        break
      case 'propose':
      case 'propose-batch':
      case 'change-membership':
      case 'read':
      case 'transfer':
      case 'snapshot-sent':
      case 'snapshot-failed':
        if (this.role.name === 'leader') tellLeader(this.role, input, now)
        else for (const ref of refsOf(input)) this.outbox.outcome({ type: 'dropped', ref, leader: this.leader })
        break
      default:
        unreachable(input)
    }
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
      this.becomeFollower(this.term, undefined, mayNot, now)
      invariant(this.role.name === 'follower', 'who may not campaign follows')
      this.role.waitWithoutLeader(now)
    } else if (this.settings.preVote) this.#becomePreCandidate(reason, now)
    else this.becomeCandidate(undefined, reason, now)
  }

  /** The leader asked this member to campaign at once. */
  takeOver(from: NodeId, now: number): void {
    if (this.#mayNotCampaign(now) === undefined) this.becomeCandidate(from, `${from} hands over`, now)
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

  /** Enters the next term with a vote for itself, and that of `patron` on its way, a leader that hands over. */
  becomeCandidate(patron: NodeId | undefined, reason: string, now: number): void {
    invariant(this.role.name !== 'leader', 'a leader does not campaign')
    invariant(this.configurations.mayCampaign(this.self), 'only voters campaign')
    this.setLeader(undefined)
    this.#enterTerm(this.term + 1, this.self)
    const role = new Candidate(this, patron, now)
    this.role = role
    this.#roleEvent(reason)
    role.start(now)
  }

  becomeLeader(votes: number, now: number): void {
    invariant(this.role.name === 'candidate', 'only candidates are elected')
    this.#lead(`elected by ${votes}`, now)
  }

  #lead(reason: string, now: number): void {
    invariant(this.votedFor === this.self && this.disk.hardStateDurable, 'the own vote is durable before it elects')
    invariant(this.termLeader === undefined, () => `${this.termLeader} leads term ${this.term} already`)
    this.failedRounds = 0
    this.termLeader = this.self
    const role = new Leader(this, now)
    this.role = role
    this.#roleEvent(reason)
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
    if (leader === undefined) return
    this.requests.settleHandover(leader)
    if (leader !== this.self) this.makesWayAt = -Infinity
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

  /** A snapshot takes the place of the whole log, here and, in one write, on disk. */
  replaceLog(snapshot: SnapshotMeta): void {
    const { commit } = this.log
    this.requests.replaced(this.log)
    this.log.replace({ index: snapshot.index, term: snapshot.term })
    this.disk.replaced(this.log.base, commit)
    this.#arriving = snapshot
    this.configurations.restore(snapshot.membership, snapshot.membershipIndex)
    this.#membershipEvent()
  }

  #membershipEvent(): void {
    const { current: membership, index } = this.configurations
    this.outbox.event({ type: 'membership', membership, index, committed: index <= this.log.commit })
  }

  commitTo(index: number): void {
    if (!this.log.commitTo(index)) return
    for (const { membership, index: at } of this.configurations.commit(this.log.commit)) {
      this.outbox.event({ type: 'membership', membership, index: at, committed: true })
    }
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
    if (this.role.name === 'leader') this.role.finish(now)
    this.#emit()
    const write = this.disk.take(this.log, now)
    const drained = this.outbox.drain(this.disk.complete)
    const deadline = Math.min(this.role.deadline(), this.requests.handover?.deadline ?? Infinity)
    this.#dueAt = deadline
    return {
      write,
      send: drained.send,
      sendAfter: drained.sendAfter,
      sendAfterWrite: this.disk.writes.issued,
      sendSnapshots: drained.sendSnapshots,
      restored: drained.restored,
      committed: drained.committed,
      outcomes: drained.outcomes,
      events: drained.events,
      deadline: deadline === Infinity ? undefined : deadline
    }
  }

  /** What is committed and on our own disk. */
  #emit(): void {
    const { log } = this
    // What the log begins after is not on our disk yet.
    if (log.stable < log.base.index) return
    if (log.emitted < log.base.index) {
      invariant(this.#arriving?.index === log.base.index, 'only a snapshot stands for entries that were not handed out')
      this.snapshot = log.base
      log.emitted = log.base.index
      this.outbox.restored(this.#arriving)
      this.#arriving = undefined
    }
    const end = Math.min(log.commit, log.stable)
    while (log.emitted < end) {
      const entry = log.at(++log.emitted)
      this.outbox.committed(entry)
      this.requests.emitted(entry)
    }
    this.requests.answerReads(log.emitted)
  }
}
