/** The composition; `index.ts` tells its story. Formation and consensus speak through it, each in its own file's words. */
import { compareText, equalBytes, toHex, utf8 } from '../core/bytes.ts'
import { QuorateError } from '../core/errors.ts'
import { invariant } from '../core/invariant.ts'
import { createFormation, createWitness } from '../formation/index.ts'
import type { Formation, FormationEffects, FormationInput, FoundingCertificate } from '../formation/types.ts'
import { encodeFormationState } from '../formation/state.ts'
import type { BootProgress } from '../identity/boot-statement.ts'
import type { Admitted } from '../membership/admission.ts'
import { isJoint } from '../raft/configuration.ts'
import { createRaft, type Raft, type RaftMessage } from '../raft/index.ts'
import type { ConsensusView, Entry, Membership, RaftStatus } from '../raft/types.ts'
import type { RaftEffects, RaftEvent, RaftInit, RaftInput } from '../raft/types.ts'
import type { ConfigState } from '../replicated-config/index.ts'
import { BootWatch } from './boot-watch.ts'
import {
  BOOTS_CELL,
  encodeBoots,
  encodeHardState,
  FORMATION_CELL,
  storeEntry,
  StoredStateError,
  VOTE_CELL
} from './durable.ts'
import { Fences } from './fences.ts'
import { decodeFrame, EarlyFrameError, encodeFrame, type Frame, FrameError, type FrameScope } from './frames.ts'
import { Guests } from './guests.ts'
import { MemberHistory, peerIdOf } from './incarnations.ts'
import type { MembersInForce } from './member-changes.ts'
import { Newcomers } from './newcomers.ts'
import type { ReplicaInit, ReplicaStatus } from './init.ts'
import { Outbox } from './outbox.ts'
import { Repeats } from './repeats.ts'
import { reportFormation } from './report-formation.ts'
import { RequestDesk } from './requests.ts'
import { Sessions } from './sessions.ts'
import { decodeSnapshot, type Snapshot, SnapshotError } from './snapshot.ts'
import { resolveSnapshots, type SnapshotPolicy, Snapshots } from './snapshots.ts'
import { StateMachine } from './state-machine.ts'
import type { ReplicaEffects, ReplicaInput, ReplicaSend } from './types.ts'

/** Frames of consensus that arrive between a certificate and its latch; more are lost, as on any network. */
const EARLY_FRAMES_MAX = 64
const EARLY_BYTES_MAX = 1024 * 1024

export class Replica {
  readonly #init: ReplicaInit
  readonly #formation: Formation
  readonly #outbox = new Outbox()
  readonly #requests: RequestDesk
  readonly #sessions: Sessions
  readonly #machine: StateMachine
  readonly #policy: SnapshotPolicy
  readonly #snapshots: Snapshots
  #early: { readonly from: string; readonly frame: Uint8Array }[] = []
  #certificate: FoundingCertificate | undefined
  #clusterId: Uint8Array | undefined
  #raft: Raft | undefined
  #leader: string | undefined
  #term = 0
  #members = new Map<string, 'voter' | 'learner'>()
  readonly #fences: Fences
  readonly #guests: Guests
  readonly #newcomers: Newcomers
  readonly #boots: BootWatch
  readonly #repeats = new Repeats()
  /** Incarnations that formation and consensus were told to be connected. */
  readonly #heard = new Set<string>()
  /** Newest entry that has committed and is on our own disk. */
  #applied = 0
  #lastRef = 0
  #bootWrites = 0
  #bootsWritten: Uint8Array
  #encoded: { readonly message: RaftMessage; readonly bytes: Uint8Array } | undefined
  #formationDeadline: number | undefined
  #raftDeadline: number | undefined

  constructor(init: ReplicaInit) {
    this.#init = init
    const { self, foundingSize, formationState: state, crypto } = init
    this.#formation =
      self.seat === undefined
        ? createWitness({ foundingSize, state, crypto })
        : createFormation({ self, foundingSize, state, crypto, ...init.formationTiming })
    this.#sessions = new Sessions(init.self.peerId, init.readAddressRecord)
    this.#boots = new BootWatch(init.boots, {
      sessions: () => this.#sessions.list(),
      session: (peerId) => this.#sessions.get(peerId),
      isVoter: (incarnation) => this.#fences.history?.isVoter(incarnation) ?? false,
      progress: () => this.#progress(),
      committedAsLeaderOf: (term) =>
        this.#leader === init.self.peerId && this.#term === term ? this.#applied : undefined,
      sign: (sequence, payload) => this.#outbox.sign({ type: 'boot-statement', sequence }, payload),
      send: (peerId, frame) => this.#send(peerId, frame, 0),
      event: (event) => this.#outbox.event(event),
      barred: (incarnation, now) => this.#barred(incarnation, now)
    })
    this.#fences = new Fences({
      self: init.self.incarnation,
      boots: () => this.#boots,
      raftStatus: () => this.#raft?.status(),
      toRaft: (input, now) => this.#toRaft(input, now),
      send: (peerId, frame) => this.#send(peerId, frame, 0),
      event: (event) => this.#outbox.event(event)
    })
    this.#bootsWritten = encodeBoots(init.boots.known)
    this.#machine = new StateMachine(init.initialConfigText, init.validateConfig)
    this.#policy = resolveSnapshots(init.snapshots)
    this.#snapshots = new Snapshots({
      policy: this.#policy,
      machine: this.#machine,
      position: () => this.#raft?.view ?? { term: 0, commitIndex: 0 },
      write: (number, batch) => this.#outbox.write('snapshots', number, batch),
      toRaft: (input, now) => this.#toRaft(input, now),
      send: (incarnation, frame) => this.#sendBulk(incarnation, frame),
      event: (event) => this.#outbox.event(event)
    })
    this.#requests = new RequestDesk({
      selfPeerId: init.self.peerId,
      leader: () => ({ peerId: this.#leader, term: this.#term }),
      raftStatus: () => this.#raft?.status(),
      toRaft: (input, now) => this.#toRaft(input, now),
      send: (peerId, frame) => this.#send(peerId, frame, 0),
      incarnationOf: (peerId) =>
        peerId === init.self.peerId ? init.self.incarnation : this.#sessions.get(peerId)?.incarnation,
      voterOf: (peerId) => this.#raft?.status().membership.voters.find((id) => peerIdOf(id) === peerId),
      members: (status) => this.#membersInForce(status),
      outcast: () => this.#fences.outcast(),
      nextRef: () => ++this.#lastRef,
      outcome: (outcome) => this.#outbox.outcome(outcome)
    })
    this.#guests = new Guests({
      fences: this.#fences,
      redemptions: () => this.#machine.redemptions,
      isFounder: (peerId) => this.#certificate?.set.claims.some((claim) => claim.peerId === peerId) ?? false
    })
    this.#newcomers = new Newcomers({
      isLeader: () => this.#leader === init.self.peerId,
      raftStatus: () => this.#raft?.status(),
      sessions: () => this.#sessions.list(),
      members: (status) => this.#membersInForce(status),
      welcome: (peer) => this.#guests.welcome(peer),
      awaitsVote: (id) => this.#guests.awaitsVote(id),
      nextRef: () => ++this.#lastRef,
      toRaft: (input, now) => this.#toRaft(input, now)
    })
  }

  /** Once, before the first step. */
  start(now: number): ReplicaEffects {
    this.#fromFormation(this.#formation.start(now), now)
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
    this.#snapshots.pump(now)
    this.#boots.pump(now)
    this.#keepBoots(now)
    return this.#flush()
  }

  #take(input: ReplicaInput, now: number): void {
    switch (input.type) {
      case 'tick':
        if (isDue(this.#formationDeadline, now)) this.#toFormation({ type: 'tick' }, now)
        if (isDue(this.#raftDeadline, now)) this.#toRaft({ type: 'tick' }, now)
        break
      case 'session-open':
        this.#openSession(input.peer, now)
        break
      case 'session-close':
        this.#closeSession(input.peerId, now)
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
        else this.#toFormation({ type: 'signed', term: purpose.term, payload, signature }, now)
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
    return this.#raft?.view
  }

  /** The config alone, for the same reason. Undefined until the first entry of the log is applied here. */
  get config(): ConfigState | undefined {
    return this.#machine.state
  }

  status(): ReplicaStatus {
    return {
      formation: this.#formation.status(),
      raft: this.#raft?.status(),
      clusterId: this.#clusterId === undefined ? undefined : toHex(this.#clusterId),
      config: this.#machine.state,
      founders: this.#certificate?.set.claims ?? [],
      member: this.#isMember(),
      entitled: this.#init.self.seat === undefined ? this.#init.self.role : 'voter',
      joins: this.#init.self.seat === undefined,
      standing: this.#fences.standing(),
      barred: this.#boots.bars().filter(({ incarnation }) => incarnation !== this.#init.self.incarnation),
      sessions: this.#sessions.list(),
      requestsPending: this.#requests.size
    }
  }

  /** PeerIds that have used this join token, as far as is applied here. */
  redeemedBy(tokenId: string): readonly string[] {
    return this.#guests.redeemedBy(tokenId)
  }

  /**
   * PeerIds whom this node has to reach: those that vote, because whoever leads is among them. Members without a vote need
   * each other for nothing, so a thousand of them make no web of half a million connections. Undefined: a founder that does
   * not know yet whom it founds with.
   */
  wanted(): readonly string[] | undefined {
    if (this.#certificate === undefined && this.#init.self.seat !== undefined) return undefined
    const { voters = [], outgoing = [] } = this.#raft?.status().membership ?? {}
    const founders = this.#certificate?.set.claims.map(({ peerId }) => peerId) ?? []
    const peerIds = voters.length === 0 ? founders : [...voters, ...outgoing].map(peerIdOf)
    return [...new Set(peerIds)].filter((peerId) => peerId !== this.#init.self.peerId)
  }

  // ── Sessions ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #openSession(peer: Admitted, now: number): void {
    this.#closeSession(peer.peerId, now)
    this.#sessions.open(peer)
    const introductions = this.#sessions.introductions(peer, (one) => this.#isSought(one))
    for (const { to, records } of introductions) this.#send(to, { kind: 'peers', records }, 0)
    this.#boots.opened(peer, now)
    this.#fences.tell(peer, now)
    this.#hear(peer, now)
    this.#requests.sessionOpened(peer.peerId, now)
  }

  #closeSession(peerId: string, now: number): void {
    const peer = this.#sessions.get(peerId)
    if (peer === undefined) return
    this.#boots.settle()
    this.#sessions.close(peer)
    // They count for the incarnation that sent them; the next session may be another's.
    this.#early = this.#early.filter(({ from }) => from !== peerId)
    this.#fences.forget(peerId)
    this.#snapshots.sessionClosed(peer.incarnation)
    this.#hush(peer, now)
  }

  /** From here on formation and consensus know that it is there. */
  #hear(peer: Admitted, now: number): void {
    const { incarnation, claim } = peer
    if (this.#fences.isBarred(incarnation) || this.#boots.selfBar !== undefined) return
    this.#heard.add(incarnation)
    if (claim !== undefined) this.#toFormation({ type: 'founder-connected', claim }, now)
    this.#handCertificate(peer)
    this.#toRaft({ type: 'connected', peer: incarnation }, now)
    this.#newcomers.look(now)
  }

  #hush({ incarnation, claim }: Admitted, now: number): void {
    if (!this.#heard.delete(incarnation)) return
    if (claim !== undefined) this.#toFormation({ type: 'founder-disconnected', incarnation }, now)
    this.#toRaft({ type: 'disconnected', peer: incarnation }, now)
  }

  /** Whom others need to find: who votes, and before there are voters who may found. */
  #isSought({ claim, incarnation }: Admitted): boolean {
    const membership = this.#raft?.status().membership
    if (membership === undefined) return claim !== undefined
    return membership.voters.includes(incarnation) || membership.outgoing.includes(incarnation)
  }

  /** It is heard no more, from this moment on: neither a peer, nor, when it is we ourselves, anybody. */
  #barred(incarnation: string, now: number): void {
    const isSelf = incarnation === this.#init.self.incarnation
    for (const peer of this.#sessions.list()) {
      if (!isSelf && peer.incarnation !== incarnation) continue
      this.#hush(peer, now)
      this.#fences.tell(peer, now)
    }
  }

  /** Founders hand it to each other; whoever is or meets somebody without a seat gets it from here. */
  #handCertificate({ peerId, claim, clusterId }: Admitted): void {
    const isBetweenFounders = claim !== undefined && this.#init.self.seat !== undefined
    if (this.#certificate === undefined || clusterId !== undefined || isBetweenFounders) return
    this.#send(peerId, { kind: 'formation', message: { type: 'certificate', certificate: this.#certificate } }, 0)
  }

  // ── Members ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #membersInForce({ membership, membershipIndex, commitIndex, writable }: RaftStatus): MembersInForce {
    return {
      membership,
      settled: writable && membershipIndex <= commitIndex && !isJoint(membership),
      isReachable: (id) =>
        id === this.#init.self.incarnation || (this.#sessions.peerOf(id) !== undefined && !this.#fences.isBarred(id)),
      wasRemoved: (name) => this.#fences.history?.wasRemoved(name) ?? false,
      isObserver: (peerId) => this.#guests.isObserver(peerId)
    }
  }

  #turnAwayCopies(): void {
    for (const { peerId, detail } of this.#guests.copies(this.#sessions.list())) {
      this.#outbox.event({ type: 'alarm', code: 'token-already-used', detail })
      this.#outbox.event({ type: 'unwelcome', peerId, detail })
    }
  }

  /** Written when it says something new about members, off everybody's path: nothing waits for it. */
  #keepBoots(now: number): void {
    const stores = this.#fences.history === undefined ? undefined : this.#boots.toKeep(now)
    if (stores === undefined) return
    const bytes = encodeBoots(stores)
    if (equalBytes(bytes, this.#bootsWritten)) return
    this.#bootsWritten = bytes
    this.#outbox.write('sessions', ++this.#bootWrites, { cells: [{ name: BOOTS_CELL, value: bytes }] })
  }

  /** What this node can say of its own disk. */
  #progress(): BootProgress | undefined {
    const status = this.#raft?.status()
    if (status?.durable === undefined) return undefined
    const { term, votedFor, lastIndex } = status.durable
    return { term, votedFor, lastIndex, commitIndex: Math.min(status.commitIndex, lastIndex) }
  }

  // ── Frames ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #scope(): FrameScope {
    const { domainId, generation, crypto } = this.#init
    return { domainId, generation, clusterId: this.#clusterId, readClaim: crypto.readClaim }
  }

  #send(peerId: string, frame: Frame, after: number): void {
    if (this.#sessions.get(peerId) !== undefined) this.#outbox.send(peerId, encodeFrame(frame, this.#scope()), after)
  }

  #sendTo(incarnation: string, frame: Frame, after: number): void {
    if (this.#heard.has(incarnation)) this.#send(peerIdOf(incarnation), frame, after)
  }

  /** A leader tells the same to several: such a message is one object, and becomes bytes once. */
  #sendRaft(incarnation: string, message: RaftMessage, after: number): void {
    if (!this.#heard.has(incarnation)) return
    if (this.#encoded?.message !== message) {
      this.#encoded = { message, bytes: encodeFrame({ kind: 'raft', message }, this.#scope()) }
    }
    this.#outbox.send(peerIdOf(incarnation), this.#encoded.bytes, after, TELLS[message.type])
  }

  #sendBulk(incarnation: string, frame: Frame): void {
    const peerId = this.#sessions.peerOf(incarnation)
    if (peerId !== undefined) this.#outbox.sendBulk(peerId, encodeFrame(frame, this.#scope()))
  }

  #receive(from: string, bytes: Uint8Array, now: number): void {
    const sender = this.#sessions.get(from)
    if (sender === undefined) return
    let frame: Frame
    try {
      frame = decodeFrame(bytes, this.#scope())
    } catch (error) {
      invariant(error instanceof FrameError, () => `decodeFrame threw ${String(error)}`)
      if (error instanceof EarlyFrameError && this.#hasRoom(bytes)) this.#early.push({ from, frame: bytes })
      else this.#outbox.event({ type: 'frame-refused', peerId: from, reason: error.message })
      return
    }
    switch (frame.kind) {
      case 'formation':
        if (!this.#heard.has(sender.incarnation)) return
        // It proves itself, so anybody may hand it over; the rest is between founders.
        if (sender.claim === undefined) {
          if (frame.message.type !== 'certificate') return
          return this.#toFormation({ type: 'certificate-seen', certificate: frame.message.certificate }, now)
        }
        this.#toFormation({ type: 'message', from: sender.incarnation, message: frame.message }, now)
        return
      case 'raft':
        if (this.#fences.isFenced(sender.incarnation)) return this.#fences.tell(sender, now)
        if (!this.#heard.has(sender.incarnation)) return
        this.#boots.promised(sender.incarnation, frame.message, now)
        this.#toRaft({ type: 'message', from: sender.incarnation, message: frame.message }, now)
        return
      case 'snapshot':
        if (!this.#fences.isFenced(sender.incarnation)) this.#snapshots.received(sender.incarnation, frame, now)
        return
      case 'snapshot-progress':
        this.#snapshots.progressed(sender.incarnation, frame, now)
        return
      case 'peers':
        for (const hint of this.#sessions.news(from, frame.records, now)) this.#outbox.event({ type: 'hint', ...hint })
        return
      case 'forward':
        this.#requests.forward(from, frame.requestId, frame.operation, now)
        return
      case 'answer':
        this.#requests.answered(from, frame, now)
        return
      case 'fenced':
        this.#fences.told(sender, frame, now)
        return
      case 'boots':
        this.#boots.heard(sender, frame.statements, now)
        return
    }
  }

  /** A founder that has latched a moment before us already speaks of the cluster; its frames wait for our own latch. */
  #hasRoom(frame: Uint8Array): boolean {
    let bytes = frame.byteLength
    for (const early of this.#early) bytes += early.frame.byteLength
    return this.#early.length < EARLY_FRAMES_MAX && bytes <= EARLY_BYTES_MAX
  }

  // ── Formation ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #toFormation(input: FormationInput, now: number): void {
    this.#fromFormation(this.#formation.step(input, now), now)
  }

  #fromFormation(effects: FormationEffects, now: number): void {
    this.#formationDeadline = effects.deadline
    if (effects.write !== undefined) {
      const value = encodeFormationState(effects.write.state)
      this.#outbox.write('formation', effects.write.id, { cells: [{ name: FORMATION_CELL, value }] })
    }
    const after = this.#outbox.after('formation', effects.sendAfterWrite)
    for (const { to, message } of effects.send) this.#sendTo(to, { kind: 'formation', message }, 0)
    for (const { to, message } of effects.sendAfter) this.#sendTo(to, { kind: 'formation', message }, after)
    if (effects.sign !== undefined)
      this.#outbox.sign({ type: 'acceptance', term: effects.sign.term }, effects.sign.payload)
    for (const event of effects.events) for (const reported of reportFormation(event)) this.#outbox.event(reported)
    if (effects.formed !== undefined) this.#found(effects.formed, now)
  }

  /** The latch is durable: from here on a majority of the certificate's members decides. */
  #found(certificate: FoundingCertificate, now: number): void {
    invariant(this.#raft === undefined, 'founded twice')
    const { self, raftTiming, random, hardState, entries, initialConfigText } = this.#init
    this.#certificate = certificate
    this.#clusterId = this.#init.clusterIdOf(certificate)
    const voters = certificate.set.claims.map(({ incarnation }) => incarnation).toSorted(compareText)
    const membership: Membership = { voters, outgoing: [], learners: [], learnersNext: [], autoLeave: false }
    this.#fences.history = new MemberHistory(membership)
    this.#machine.found(membership)
    const snapshot = recoveredSnapshot(this.#init)
    this.#raft = recovered({
      self: self.incarnation,
      membership,
      hardState,
      entries,
      ...(snapshot === undefined ? {} : { snapshot }),
      timing: raftTiming,
      random: random.fork('raft'),
      firstEntryData: utf8(initialConfigText),
      limits: {
        trailingEntriesMax: this.#policy.trailingEntriesMax,
        trailingBytesMax: this.#policy.trailingBytesMax
      }
    })
    this.#outbox.event({
      type: 'founded',
      clusterId: toHex(this.#clusterId),
      term: certificate.term,
      certificate: this.#init.certificateDocument(certificate),
      member: this.#isMember()
    })
    if (snapshot !== undefined) {
      this.#snapshots.recovered(this.#init.snapshot!)
      this.#restore(snapshot, now)
      this.#reportMembers(snapshot.membership)
    }
    this.#fromRaft(this.#raft.start(now), now)
    for (const peer of this.#sessions.list()) this.#handCertificate(peer)
    for (const incarnation of [...this.#heard].toSorted(compareText)) {
      this.#toRaft({ type: 'connected', peer: incarnation }, now)
    }
    this.#boots.membersChanged()
    const early = this.#early
    this.#early = []
    for (const { from, frame } of early) this.#receive(from, frame, now)
  }

  #isMember(): boolean {
    return this.#certificate?.set.claims.some(({ incarnation }) => incarnation === this.#init.self.incarnation) ?? false
  }

  // ── Consensus ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #toRaft(input: RaftInput, now: number): void {
    if (this.#raft !== undefined) this.#fromRaft(this.#raft.step(input, now), now)
  }

  #fromRaft(effects: RaftEffects, now: number): void {
    this.#raftDeadline = effects.deadline
    const { write } = effects
    if (write?.hardState !== undefined) this.#boots.moved('vote', now)
    if (write !== undefined) {
      this.#outbox.write('raft', write.id, {
        ...(write.hardState === undefined
          ? {}
          : { cells: [{ name: VOTE_CELL, value: encodeHardState(write.hardState) }] }),
        ...(write.snapshot === undefined ? {} : { snapshot: this.#snapshots.taken(write.snapshot) }),
        ...(write.compactTo === undefined ? {} : { compactTo: write.compactTo }),
        ...(write.entries === undefined ? {} : { entries: write.entries.map(storeEntry) })
      })
    }
    const after = this.#outbox.after('raft', effects.sendAfterWrite)
    for (const { to, message } of effects.send) this.#sendRaft(to, message, 0)
    for (const { to, message } of effects.sendAfter) this.#sendRaft(to, message, after)
    for (const event of effects.events) this.#fromRaftEvent(event, now)
    if (effects.restored !== undefined) this.#restore(this.#snapshots.restored(effects.restored), now)
    let redeems = false
    for (const entry of effects.committed) redeems = this.#apply(entry) || redeems
    if (redeems) {
      this.#turnAwayCopies()
      this.#newcomers.look(now)
    }
    for (const request of effects.sendSnapshots) this.#snapshots.requested(request, now)
    const applied = effects.committed.at(-1)
    if (applied !== undefined) {
      this.#applied = applied.index
      this.#boots.moved('progress', now)
      this.#requests.appliedUpTo(applied.index, applied.term)
    }
    for (const outcome of effects.outcomes) {
      this.#requests.settled(outcome, now)
      this.#newcomers.settled(outcome, now)
    }
  }

  #fromRaftEvent(event: RaftEvent, now: number): void {
    switch (event.type) {
      case 'role':
        this.#outbox.event(event)
        return
      case 'leader':
        this.#boots.settle()
        this.#leader = event.leader === undefined ? undefined : peerIdOf(event.leader)
        this.#term = event.term
        if (this.#leader !== this.#init.self.peerId) this.#snapshots.officeLost()
        this.#outbox.event({ type: 'leader', term: event.term, leader: this.#leader })
        return
      case 'writable':
        this.#outbox.event(event)
        this.#newcomers.look(now)
        return
      case 'membership':
        if (event.committed) this.#onMembers(event.membership, event.index, now)
        return
      case 'anomaly': {
        const peerId = peerIdOf(event.from)
        const detail = this.#repeats.pass(peerId, `${peerId}: ${event.detail}`, now)
        if (detail !== undefined) this.#outbox.event({ type: 'alarm', code: 'anomaly', detail })
        return
      }
      case 'no-quorum':
        this.#outbox.event({ ...event, heardFrom: event.heardFrom.map(peerIdOf) })
        return
    }
  }

  #onMembers(membership: Membership, index: number, now: number): void {
    this.#fences.history?.committed(membership, index)
    this.#reportMembers(membership)
    this.#boots.membersChanged()
    for (const peer of this.#sessions.list()) this.#fences.tell(peer, now)
    this.#newcomers.look(now)
  }

  #reportMembers(membership: Membership): void {
    const next = new Map<string, 'voter' | 'learner'>()
    for (const id of membership.voters) next.set(peerIdOf(id), 'voter')
    for (const id of membership.learners) if (!next.has(peerIdOf(id))) next.set(peerIdOf(id), 'learner')
    for (const [peerId, role] of next) {
      if (this.#members.get(peerId) !== role) this.#outbox.event({ type: 'member', peerId, role })
    }
    for (const peerId of this.#members.keys()) {
      if (!next.has(peerId)) this.#outbox.event({ type: 'member', peerId, role: 'removed' })
    }
    this.#members = next
  }

  /** The state is another one, as if all entries up to it had been applied here. */
  #restore(snapshot: Snapshot, now: number): void {
    for (const event of this.#machine.restore(snapshot)) this.#outbox.event(event)
    this.#fences.history?.restore(snapshot)
    this.#applied = Math.max(this.#applied, snapshot.index)
    this.#boots.membersChanged()
    this.#turnAwayCopies()
    for (const peer of this.#sessions.list()) this.#fences.tell(peer, now)
    this.#newcomers.look(now)
    this.#requests.restored(snapshot.index, snapshot.term, this.#machine.answers)
  }

  /** True when a token was redeemed, or a copy of one was refused. */
  #apply(entry: Entry): boolean {
    this.#snapshots.applied(entry)
    const { events, answer, redeems } = this.#machine.apply(entry)
    for (const event of events) this.#outbox.event(event)
    if (answer !== undefined && this.#requests.applied(answer.requestId))
      this.#outbox.outcome({ type: 'applied', ...answer })
    return redeems === true
  }

  // ── The store ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #persisted(write: number, now: number): void {
    for (const { owner, inner } of this.#outbox.durable(write)) {
      if (owner === 'snapshots') this.#snapshots.persisted(now)
      else if (owner === 'raft') this.#toRaft({ type: 'persisted', write: inner }, now)
      else if (owner === 'formation') this.#toFormation({ type: 'persisted', write: inner }, now)
    }
  }

  #flush(): ReplicaEffects {
    return this.#outbox.flush(
      earliest(
        this.#formationDeadline,
        this.#raftDeadline,
        this.#requests.deadline(),
        this.#newcomers.deadline(),
        this.#snapshots.deadline(),
        this.#boots.deadline(this.#fences.history !== undefined)
      )
    )
  }
}

/** What storage recovered and consensus could never have written is damage, whatever the checksums say. */
function recovered(init: RaftInit): Raft {
  try {
    return createRaft(init)
  } catch (error) {
    if (error instanceof QuorateError) throw new StoredStateError(`log (${error.message})`, error)
    throw error
  }
}

/** What speaks of the commit index, to whom the driver may leave it until the end of its turn. */
const TELLS: Partial<Record<RaftMessage['type'], ReplicaSend['tells']>> = { commit: 'notice', append: 'append' }

function recoveredSnapshot({ snapshot }: ReplicaInit): Snapshot | undefined {
  try {
    return snapshot === undefined ? undefined : decodeSnapshot(snapshot.data)
  } catch (error) {
    if (error instanceof SnapshotError) throw new StoredStateError(`snapshot (${error.message})`, error)
    throw error
  }
}

const isDue = (deadline: number | undefined, now: number): boolean => deadline !== undefined && deadline <= now

function earliest(...times: readonly (number | undefined)[]): number | undefined {
  let first: number | undefined
  for (const time of times) if (time !== undefined && (first === undefined || time < first)) first = time
  return first
}
