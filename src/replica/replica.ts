/** The composition; `index.ts` tells its story. Formation and consensus speak through it, each in its own file's words. */
import { compareText, toHex } from '../core/bytes.ts'
import { PRIORITY_DEFAULT } from '../core/priority.ts'
import type { Claim, FormationStage, FoundingCertificate } from '../formation/types.ts'
import type { Admitted } from '../membership/admission.ts'
import { isJoint } from '../raft/configuration.ts'
import type { ConsensusView, RaftStatus } from '../raft/types.ts'
import type { ConfigState } from '../replicated-config/index.ts'
import { BootWatch } from './boot-watch.ts'
import { Consensus } from './consensus.ts'
import { Fences } from './fences.ts'
import { firstVote } from './first-vote.ts'
import { Founding } from './founding.ts'
import type { Frame } from './frames.ts'
import { Guests } from './guests.ts'
import { peerIdOf } from './incarnations.ts'
import { Mail } from './mail.ts'
import type { MembersInForce } from './member-changes.ts'
import { Memories } from './memories.ts'
import { Newcomers } from './newcomers.ts'
import type { ReplicaInit, ReplicaStatus } from './init.ts'
import { Outbox } from './outbox.ts'
import { RequestDesk } from './requests.ts'
import { SessionChanges } from './session-changes.ts'
import { Sessions } from './sessions.ts'
import { wantedBy } from './sought.ts'
import type { Standing } from './standing.ts'
import { earliest, isDue } from './times.ts'
import type { ReplicaEffects, ReplicaInput } from './types.ts'

export class Replica {
  readonly #init: ReplicaInit
  readonly #outbox = new Outbox()
  readonly #sessions: Sessions
  readonly #mail: Mail
  readonly #founding: Founding
  readonly #consensus: Consensus
  readonly #requests: RequestDesk
  readonly #fences: Fences
  readonly #guests: Guests
  readonly #newcomers: Newcomers
  readonly #boots: BootWatch
  readonly #memories: Memories
  readonly #changes: SessionChanges
  #certificate: FoundingCertificate | undefined
  #lastRef = 0

  constructor(init: ReplicaInit) {
    this.#init = init
    this.#sessions = new Sessions(init.self.peerId, init.readAddressRecord)
    this.#mail = new Mail(init, this.#outbox, this.#sessions)
    this.#founding = new Founding({
      init,
      outbox: this.#outbox,
      mail: this.#mail,
      formed: (certificate, now) => this.#found(certificate, now)
    })
    this.#boots = new BootWatch(init.boots, {
      sessions: () => this.#sessions.list(),
      session: (peerId) => this.#sessions.get(peerId),
      isVoter: (incarnation) => this.#fences.history?.isVoter(incarnation) ?? false,
      progress: () => this.#consensus.progress(),
      committedAsLeaderOf: (term) =>
        this.#consensus.isLeader && this.#consensus.term === term ? this.#consensus.applied : undefined,
      sign: (sequence, payload) => this.#outbox.sign({ type: 'boot-statement', sequence }, payload),
      send: (peerId, frame) => this.#mail.send(peerId, frame),
      event: (event) => this.#outbox.event(event),
      barred: (incarnation, now) => this.#changes.barred(incarnation, now)
    })
    this.#fences = new Fences({
      self: init.self.incarnation,
      boots: () => this.#boots,
      raftStatus: () => this.#consensus.status(),
      toRaft: (input, now) => this.#consensus.tell(input, now),
      send: (peerId, frame) => this.#mail.send(peerId, frame),
      event: (event) => this.#outbox.event(event)
    })
    this.#consensus = new Consensus({
      init,
      outbox: this.#outbox,
      mail: this.#mail,
      sessions: this.#sessions,
      fences: this.#fences,
      boots: this.#boots,
      requests: () => this.#requests,
      newcomers: () => this.#newcomers,
      turnAwayCopies: () => this.#changes.turnAwayCopies()
    })
    this.#requests = new RequestDesk({
      selfPeerId: init.self.peerId,
      leader: () => ({ peerId: this.#consensus.leader, term: this.#consensus.term }),
      raftStatus: () => this.#consensus.status(),
      toRaft: (input, now) => this.#consensus.tell(input, now),
      send: (peerId, frame) => this.#mail.send(peerId, frame),
      incarnationOf: (peerId) =>
        peerId === init.self.peerId ? init.self.incarnation : this.#sessions.get(peerId)?.incarnation,
      voterOf: (peerId) => this.#consensus.view?.membership.voters.find((id) => peerIdOf(id) === peerId),
      members: (status) => this.#membersInForce(status),
      outcast: () => this.#fences.outcast(),
      nextRef: () => ++this.#lastRef,
      holdBack: (ref, incarnation) => this.#newcomers.holdBack(ref, incarnation),
      outcome: (outcome) => this.#outbox.outcome(outcome)
    })
    this.#guests = new Guests({
      fences: this.#fences,
      redemptions: () => this.#consensus.machine.redemptions,
      isFounder: (peerId) => this.#certificate?.set.claims.some((claim) => claim.peerId === peerId) ?? false,
      holderOf: (seat) => this.#certificate?.set.claims.find((claim) => claim.seat === seat)?.peerId
    })
    this.#newcomers = new Newcomers({
      isLeader: () => this.#consensus.isLeader,
      raftStatus: () => this.#consensus.status(),
      sessions: () => this.#sessions.list(),
      members: (status) => this.#membersInForce(status),
      welcome: (peer) => this.#guests.welcome(peer),
      awaitsVote: (id) => this.#guests.awaitsVote(id),
      nextRef: () => ++this.#lastRef,
      toRaft: (input, now) => this.#consensus.tell(input, now)
    })
    this.#memories = new Memories(init, {
      outbox: this.#outbox,
      founding: this.#founding,
      boots: this.#boots,
      fences: this.#fences,
      guests: this.#guests,
      certificate: () => this.#certificate
    })
    this.#changes = new SessionChanges({
      self: init.self,
      outbox: this.#outbox,
      sessions: this.#sessions,
      mail: this.#mail,
      founding: this.#founding,
      consensus: this.#consensus,
      requests: this.#requests,
      fences: this.#fences,
      guests: this.#guests,
      newcomers: this.#newcomers,
      boots: this.#boots,
      met: this.#memories.met,
      certificate: () => this.#certificate
    })
  }

  /** Once, before the first step. */
  start(now: number): ReplicaEffects {
    this.#founding.start(now)
    return this.#flush()
  }

  step(input: ReplicaInput, now: number): ReplicaEffects {
    return this.stepAll([input], now)
  }

  /** Several inputs of one moment, in their order; what they ask for leaves together, and requests are proposed as one batch. */
  stepAll(inputs: readonly ReplicaInput[], now: number): ReplicaEffects {
    for (const input of inputs) this.#take(input, now)
    this.#requests.pump(now)
    this.#newcomers.pump(now)
    this.#consensus.snapshots.pump(now)
    this.#boots.pump(now)
    this.#changes.pump(now)
    this.#memories.pump(now)
    return this.#flush()
  }

  #take(input: ReplicaInput, now: number): void {
    switch (input.type) {
      case 'tick':
        if (isDue(this.#founding.deadline, now)) this.#founding.tell({ type: 'tick' }, now)
        if (isDue(this.#consensus.deadline, now)) this.#consensus.tell({ type: 'tick' }, now)
        break
      case 'session-open':
        this.#changes.opened(input.peer, now)
        break
      case 'session-close':
        this.#changes.closed(input.peerId, now)
        break
      case 'frame':
        this.#receive(input.from, input.frame, now)
        break
      case 'persisted':
        this.#persisted(input.write, now)
        break
      case 'signed': {
        const { purpose, payload, signature } = input
        if (purpose.type === 'boot-statement') this.#boots.signed(purpose.sequence, signature)
        else this.#founding.tell({ type: 'signed', term: purpose.term, payload, signature }, now)
        break
      }
      case 'sighting':
        this.#boots.sighted(input.statement, now)
        break
      case 'request':
        this.#requests.accept(input.request, now)
        break
      case 'cancel':
        this.#requests.cancel(input.requestId)
        break
    }
  }

  /** Consensus alone, for whoever looks after every step: a simulator's invariants. Undefined until founded. */
  consensus(): ConsensusView | undefined {
    return this.#consensus.view
  }

  /** The config alone, for the same reason. Undefined until the first entry of the log is applied here. */
  get config(): ConfigState | undefined {
    return this.#consensus.machine.state
  }

  // ── One answer each, for whoever asks at every hello or step: `status()` puts all of them together ──────────────────────

  /** Undefined until founded. */
  get clusterId(): Uint8Array | undefined {
    return this.#mail.clusterId
  }

  get stage(): FormationStage {
    return this.#founding.stage
  }

  get standing(): Standing {
    return this.#fences.standing()
  }

  /** The founding certificate's claims, by seat; none until founded. */
  get founders(): readonly Claim[] {
    return this.#certificate?.set.claims ?? []
  }

  /** By PeerId. */
  get sessions(): readonly Admitted[] {
    return this.#sessions.list()
  }

  status(): ReplicaStatus {
    const { clusterId } = this
    return {
      formation: this.#founding.status(),
      raft: this.#consensus.status(),
      clusterId: clusterId === undefined ? undefined : toHex(clusterId),
      config: this.config,
      founders: this.founders,
      foundingIncarnations: this.#memories.foundingIncarnations().size,
      contested: this.#memories.met.contested(),
      member: this.#isMember(),
      entitled: this.#init.self.seat === undefined ? this.#init.self.role : 'voter',
      voteOf: (incarnation) => this.#guests.voteOf(incarnation),
      joins: this.#init.self.seat === undefined,
      standing: this.standing,
      barred: this.#boots.bars().filter(({ incarnation }) => incarnation !== this.#init.self.incarnation),
      priority: this.#init.priority ?? PRIORITY_DEFAULT,
      sessions: this.sessions,
      requestsPending: this.#requests.size
    }
  }

  /** PeerIds that have used this join token, as far as is applied here. */
  redeemedBy(tokenId: string): readonly string[] {
    return this.#guests.redeemedBy(tokenId)
  }

  /** Two of its own signed statements prove to anybody that its disk was set back or copied. */
  isConvicted(incarnation: string): boolean {
    return this.#boots.bar(incarnation)?.proved === true
  }

  /** PeerIds whom this node has to reach. Undefined: a founder that does not know yet whom it founds with. */
  wanted(): readonly string[] | undefined {
    const { self } = this.#init
    if (this.#certificate === undefined && self.seat !== undefined) return undefined
    return wantedBy(self.peerId, this.#consensus.view?.membership, this.founders)
  }

  // ── Members ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #membersInForce({ membership, membershipIndex, commitIndex, writable }: RaftStatus): MembersInForce {
    return {
      membership,
      settled: writable && membershipIndex <= commitIndex && !isJoint(membership),
      isReachable: (id) =>
        id === this.#init.self.incarnation || (this.#sessions.peerOf(id) !== undefined && !this.#fences.isBarred(id)),
      wasRemoved: (name) => this.#fences.history?.wasRemoved(name) ?? false,
      isObserver: (peerId) => this.#guests.isObserver(peerId),
      awaitsVote: (id) => this.#guests.awaitsVote(id)
    }
  }

  // ── Frames ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #receive(from: string, bytes: Uint8Array, now: number): void {
    const sender = this.#sessions.get(from)
    const frame = sender === undefined ? undefined : this.#mail.read(from, bytes, now)
    if (sender !== undefined && frame !== undefined) this.#hearFrom(sender, frame, now)
  }

  #hearFrom(sender: Admitted, frame: Frame, now: number): void {
    const { peerId, incarnation } = sender
    switch (frame.kind) {
      case 'formation':
        if (!this.#mail.heard.has(incarnation)) return
        // It proves itself, so anybody may hand it over; the rest is between founders.
        if (sender.claim === undefined) {
          if (frame.message.type !== 'certificate') return
          return this.#founding.tell({ type: 'certificate-seen', certificate: frame.message.certificate }, now)
        }
        this.#founding.tell({ type: 'message', from: incarnation, message: frame.message }, now)
        return
      case 'raft':
        if (this.#fences.isFenced(incarnation)) return this.#fences.tell(sender, now)
        if (!this.#mail.heard.has(incarnation)) return
        this.#boots.promised(incarnation, frame.message, now)
        this.#consensus.tell({ type: 'message', from: incarnation, message: frame.message }, now)
        return
      case 'snapshot':
        if (this.#fences.isFenced(incarnation) || !this.#mail.heard.has(incarnation)) return
        this.#consensus.snapshots.received(incarnation, frame, now)
        return
      case 'snapshot-progress':
        this.#consensus.snapshots.progressed(incarnation, frame, now)
        return
      case 'peers':
        for (const hint of this.#sessions.news(peerId, frame.records, now))
          this.#outbox.event({ type: 'hint', ...hint })
        return
      case 'forward':
        this.#requests.forward(peerId, frame.requestId, frame.operation, now)
        return
      case 'answer':
        this.#requests.answered(peerId, frame, now)
        return
      case 'fenced':
        this.#fences.told(sender, frame, now)
        return
      case 'boots':
        this.#boots.heard(sender, frame.statements, now)
        return
    }
  }

  // ── Formation ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The latch is durable: from here on a majority of the certificate's members decides. */
  #found(certificate: FoundingCertificate, now: number): void {
    const { set, term } = certificate
    const clusterId = this.#init.clusterIdOf(certificate)
    this.#certificate = certificate
    this.#mail.clusterId = clusterId
    const voters = set.claims.map(({ incarnation }) => incarnation).toSorted(compareText)
    const announce = (): void =>
      this.#outbox.event({
        type: 'founded',
        clusterId: toHex(clusterId),
        term,
        certificate: this.#init.certificateDocument(certificate),
        member: this.#isMember()
      })
    const connections = this.#sessions.priorities(this.#mail.heard)
    const membership = { voters, outgoing: [], learners: [], learnersNext: [], autoLeave: false }
    this.#consensus.found(membership, firstVote(this.#init, certificate), connections, now, announce)
    for (const peer of this.#sessions.list()) this.#changes.handCertificate(peer)
    for (const [peer, priority] of connections) this.#consensus.tell({ type: 'connected', peer, priority }, now)
    this.#boots.membersChanged()
    this.#changes.turnAwayCopies()
    for (const { from, frame } of this.#mail.takeEarly()) this.#receive(from, frame, now)
  }

  #isMember(): boolean {
    return this.#certificate?.set.claims.some(({ incarnation }) => incarnation === this.#init.self.incarnation) ?? false
  }

  // ── The store ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #persisted(write: number, now: number): void {
    for (const { owner, inner } of this.#outbox.durable(write)) {
      if (owner === 'snapshots') this.#consensus.snapshots.persisted(now)
      else if (owner === 'raft') this.#consensus.tell({ type: 'persisted', write: inner }, now)
      else if (owner === 'formation') this.#founding.tell({ type: 'persisted', write: inner }, now)
    }
  }

  #flush(): ReplicaEffects {
    return this.#outbox.flush(
      earliest(
        this.#founding.deadline,
        this.#mail.deadline(),
        this.#consensus.deadline,
        this.#requests.deadline(),
        this.#newcomers.deadline(),
        this.#consensus.snapshots.deadline(),
        this.#boots.deadline(this.#fences.history !== undefined),
        this.#memories.met.deadline
      )
    )
  }
}
