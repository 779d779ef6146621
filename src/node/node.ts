/**
 * One running node: its replica in a driver, a transport and a dialer around it, and the face that programs see.
 *
 * Everything that people are shown (events, stages, alarms, status) is derived here from what the replica and the edges
 * report; nothing in the protocol depends on it. A node whose token only pins the genesis begins without a replica and gets
 * one when the first peer hands the document over.
 *
 * Stopping is orderly: leadership is handed over while the connections are up, then discovery says goodbye, then sessions,
 * log and lock are let go. A fatal error (a failed disk, a contested seat) skips the courtesies.
 */
import { toHex } from '../core/bytes.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { raceAbort, startDeadline } from '../core/deadline.ts'
import { messageOf, QuorateError } from '../core/errors.ts'
import { invariant } from '../core/invariant.ts'
import { canonicalJson, type JsonValue } from '../core/json.ts'
import { type Random, secureBytes } from '../core/random.ts'
import { resolveTiming, type Timing } from '../config-init/index.ts'
import type { Discovery, DiscoveryAlarm, PeerHint } from '../discovery/port.ts'
import { decodeFormationState, initialFormationState } from '../formation/state.ts'
import {
  addressSequence,
  decodeAddressRecord,
  makeAddressRecord,
  readAddressRecord
} from '../identity/address-record.ts'
import { clusterIdOf, encodeCertificate, formationCrypto, readCertificate } from '../identity/certificate.ts'
import { decodeClaim, incarnationOf, readClaim } from '../identity/claim.ts'
import { InvalidDocumentError } from '../identity/document.ts'
import type { VerifiedGenesis } from '../identity/genesis.ts'
import type { AdmissionContext, Admitted } from '../membership/admission.ts'
import { Stages } from '../observability/stages.ts'
import { decodeHardState, FORMATION_CELL, recoverEntry, VOTE_CELL } from '../replica/durable.ts'
import { type RecordReader, Replica } from '../replica/index.ts'
import type { ClientOutcome, ClientRequest, ReplicaEvent } from '../replica/types.ts'
import { configErrorOf, encodeCommand } from '../replicated-config/index.ts'
import type { AdmissionGate } from '../transport/gate.ts'
import type { Transport } from '../transport/port.ts'
import { Callers, REQUEST_DEADLINE_MS } from './callers.ts'
import { configJudge } from './config-judge.ts'
import { Dialer } from './dialer.ts'
import { Driver } from './driver.ts'
import { CredentialMismatchError, NodeStoppedError, RequestRefusedError, SeatConflictError } from './errors.ts'
import { createGate } from './gate.ts'
import type { Home } from './home.ts'
import { configHistory, currentConfig, members, nodeStatus, type StatusFacts } from './status.ts'
import type {
  CallOptions,
  ConfigVersion,
  LeaderInfo,
  Logger,
  MemberInfo,
  NodeEvent,
  NodeEventName,
  NodeListener,
  NodeStatus,
  QuorateNode,
  ReadyInfo,
  StampedNodeEvent
} from './types.ts'
import { waitingFor } from './waiting.ts'

export interface NodeParts {
  readonly home: Home
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly agent: string
  /** Where events are dispatched; whoever wants the first of them listens before the node is made. */
  readonly events: EventTarget
  /** Overrides the preset of the genesis. */
  readonly timing: 'lan' | 'wan' | 'edge' | undefined
  /** Builds the transport around the gate; called once. */
  readonly createTransport: (gate: AdmissionGate) => Promise<Transport>
  /** Sources of hints; `addresses` is what may be announced. */
  readonly createSources: (addresses: () => readonly string[]) => Promise<readonly Discovery[]>
  /** Remembers where peers were reached, for the next start. */
  readonly rememberPeer: (peerId: string, addresses: readonly string[]) => void
}

/** A graceful stop waits this long for the hand-over of leadership; longer where elections take longer. */
const HAND_OVER_MS = 1_000
const REFUSALS_MAX = 32
/** Without a leader for this many election timeouts, a lost round is an alarm. */
const LEADERLESS_TIMEOUTS = 10

export class Node implements QuorateNode {
  readonly #parts: NodeParts
  readonly #stages: Stages
  readonly #callers: Callers
  readonly #heardOf = new Set<string>()
  readonly #refusals = new Map<string, { by: 'us' | 'them'; code: string; detail: string }>()
  readonly #incarnation: string
  readonly #ready = Promise.withResolvers<ReadyInfo>()
  readonly #stopped = Promise.withResolvers<void>()
  #genesis: VerifiedGenesis | undefined
  #timing: Timing
  #transport: Transport | undefined
  #dialer: Dialer | undefined
  #replica: Replica | undefined
  #driver: Driver | undefined
  #leader: LeaderInfo | undefined
  #leaderlessSince: number
  #noQuorumAlarmed = false
  #catchingUp = false
  readonly #ending = new AbortController()
  /** While it stops: nobody is left to hand over to. */
  readonly #heirless = new AbortController()
  #addressRecord: Uint8Array | undefined
  #addressChanges = 0
  #seats: AdmissionContext['seats']
  #multicastBlocked = false
  #lastWaiting = ''
  #waitingTimer: Timer | undefined
  #leaving: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor(parts: NodeParts) {
    this.#parts = parts
    const { home, clock } = parts
    this.#genesis = home.genesis
    this.#leaderlessSince = clock.now()
    this.#timing = resolveTiming(parts.timing ?? home.genesis?.genesis.timing)
    this.#incarnation = incarnationOf(home.key.signer.peerId, toHex(home.storeId))
    const startedAtWall = clock.wallNow() - (clock.now() - home.startedAt)
    this.#stages = new Stages({
      now: () => clock.now(),
      startedAt: home.startedAt,
      // Some are reported later than they happened.
      report: (report) => this.#emit({ event: 'stage', ...report }, startedAtWall + report.ms)
    })
    this.#callers = new Callers(clock, () => this.#waitingFor())
    // Whoever does not ask must not be killed by an unhandled rejection.
    this.#ready.promise.catch(() => {})
    this.#stopped.promise.catch(() => {})
  }

  get peerId(): string {
    return this.#parts.home.key.signer.peerId
  }

  get domainId(): string {
    return toHex(this.#parts.home.domainId)
  }

  get clusterId(): string | undefined {
    return this.#replica?.status().clusterId
  }

  get leader(): LeaderInfo | undefined {
    return this.#leader
  }

  get stopped(): Promise<void> {
    return this.#stopped.promise
  }

  // ── Starting ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Resolves when the node listens; forming goes on by itself. On failure everything is closed again. */
  async start(): Promise<void> {
    await this.open()
    await this.seek()
  }

  /** Replica and transport: from here on peers may come. */
  async open(): Promise<void> {
    await this.#orClose(async () => {
      this.#stages.begin(this.#parts.home.stages)
      if (this.#genesis !== undefined) this.#beginReplica(this.#genesis)
      const transport = await this.#parts.createTransport(this.#gate())
      this.#transport = transport
      await transport.start({
        onSessionOpen: (peer) => this.#onSessionOpen(peer),
        onSessionClose: (peerId, reason) => this.#onSessionClose(peerId, reason),
        onFrame: (from, frame) => this.#driver?.input({ type: 'frame', from, frame }),
        onRefused: ({ by, peerId, address, refusal }) => this.#onRefused(by, peerId, address, refusal)
      })
    })
  }

  /** When the transport has addresses: discovery, and dialling. */
  async seek(): Promise<void> {
    await this.#orClose(async () => {
      const transport = this.#transport!
      const addresses = transport.addresses()
      await this.#signAddresses(addresses)
      this.#emit({ event: 'listening', addresses })
      this.#checkAlone()
      this.#dialer = await this.#makeDialer(transport)
      await this.#dialer.start()
      this.#watchWaiting()
    })
  }

  /** The transport listens at other addresses than before: tells discovery and, from their next connection on, peers. */
  async addressesChanged(): Promise<void> {
    const addresses = this.#transport?.addresses() ?? []
    await this.#signAddresses(addresses)
    this.#dialer?.tell({ type: 'self', addresses })
  }

  /** A hint from somebody else's discovery. */
  hint(hint: PeerHint): void {
    this.#dialer?.hint(hint)
  }

  async #orClose(step: () => Promise<void>): Promise<void> {
    try {
      await step()
    } catch (error) {
      await this.#close(error)
      throw error
    }
  }

  #gate(): AdmissionGate {
    const { home, clock, agent } = this.#parts
    return createGate({
      peerId: this.peerId,
      domainId: home.domainId,
      generation: home.generation,
      claim: home.claim,
      boot: home.boot,
      bootNonce: home.bootNonce,
      agent,
      clock,
      genesis: () => this.#genesis,
      onGenesis: (genesis) => this.#onGenesis(genesis),
      clusterId: () => this.clusterId,
      addressRecord: () => this.#addressRecord,
      seats: () => this.#seats,
      members: () => new Set(this.#replica?.status().raft?.membership.voters ?? []),
      sessions: () => this.#replica?.status().sessions ?? []
    })
  }

  #onGenesis(genesis: VerifiedGenesis): void {
    if (this.#genesis !== undefined) return
    this.#genesis = genesis
    // Whoever could not be judged before may be dialled again.
    this.#dialer?.tell({ type: 'forgive' })
    this.#parts.home.keepGenesis(genesis.bytes).catch((error: unknown) => this.#die(error))
    try {
      this.#timing = resolveTiming(this.#parts.timing ?? genesis.genesis.timing)
      this.#beginReplica(genesis)
    } catch (error) {
      this.#die(error)
    }
  }

  #beginReplica(genesis: VerifiedGenesis): void {
    const { home, random, clock } = this.#parts
    const crypto = formationCrypto(genesis, home.generation)
    const self = readClaim(home.claim, genesis, home.generation).founding
    if (self === undefined) {
      const { tokenId } = decodeClaim(home.claim).fields
      throw new CredentialMismatchError('founding', genesis.genesis.name, `join token ${tokenId ?? ''}`, home.path)
    }
    const { cells, entries } = home.storage.recovered
    const stored = cells.get(FORMATION_CELL)
    const state = stored === undefined ? initialFormationState : decodeFormationState(stored, crypto.readClaim)
    const kept =
      home.certificate === undefined ? undefined : readCertificate(home.certificate, genesis, home.generation)
    this.#replica = new Replica({
      self,
      domainId: home.domainId,
      generation: home.generation,
      foundingSize: genesis.genesis.foundingSize,
      initialConfigText: genesis.genesis.config,
      validateConfig: configJudge(genesis.genesis),
      // The latch beside the key outlives the log: a node that lost its disk never founds a second time.
      formationState: { ...state, certificate: state.certificate ?? kept?.certificate },
      hardState: decodeHardState(cells.get(VOTE_CELL)),
      entries: entries.map(recoverEntry),
      crypto,
      clusterIdOf: (certificate) => clusterIdOf(certificate, genesis, home.generation),
      certificateDocument: encodeCertificate,
      readAddressRecord: readNews,
      raftTiming: this.#timing.raft,
      formationTiming: this.#timing.formation,
      random
    })
    this.#driver = new Driver({
      replica: this.#replica,
      storage: home.storage,
      clock,
      send: (peerId, frame) => void this.#transport?.send(peerId, frame),
      sign: (payload) => home.key.signer.sign(payload),
      onEvent: (event) => this.#onReplicaEvent(event),
      onOutcome: (outcome) => this.#callers.settle(outcome),
      onFatal: (error) => this.#die(error)
    })
    this.#driver.start()
  }

  async #makeDialer(transport: Transport): Promise<Dialer> {
    const { clock, random, createSources } = this.#parts
    return new Dialer({
      self: this.peerId,
      clock,
      random,
      transport,
      sources: await createSources(() => transport.addresses()),
      dialTimeoutMs: this.#timing.network.dialTimeoutMs + this.#timing.network.admissionTimeoutMs,
      onHint: (hint) => this.#onHint(hint),
      onAlarm: (alarm) => this.#onDiscoveryAlarm(alarm)
    })
  }

  async #signAddresses(addresses: readonly string[]): Promise<void> {
    const { home } = this.#parts
    const plain = addresses.map((address) => address.replace(/\/p2p\/[^/]+$/, '')).slice(0, 8)
    this.#addressRecord = await makeAddressRecord(
      home.key.signer,
      plain,
      addressSequence(home.boot, this.#addressChanges++)
    )
  }

  // ── Peers ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onHint({ peerId, source }: PeerHint): void {
    if (peerId !== undefined) this.#discovered(peerId, source)
  }

  #discovered(peerId: string, source: string): void {
    if (this.#heardOf.has(peerId)) return
    this.#heardOf.add(peerId)
    this.#emit({ event: 'peer', peer: peerId, status: 'discovered', source })
    this.#checkDiscovered()
  }

  #checkDiscovered(): void {
    const needed = this.#isFounded() ? 1 : (this.#genesis?.genesis.foundingSize ?? Infinity) - 1
    if (this.#heardOf.size >= needed) this.#stages.finish('discovery', { peers: this.#heardOf.size })
  }

  /** A founding size of one has nobody to discover. */
  #checkAlone(): void {
    if (this.#genesis?.genesis.foundingSize !== 1) return
    this.#stages.finish('discovery', { peers: 0 })
    this.#stages.finish('authentication', { peers: 0 })
  }

  #isFounded(): boolean {
    return this.#replica?.status().clusterId !== undefined
  }

  #onSessionOpen(peer: Admitted): void {
    const { peerId, seat, addresses } = peer
    this.#refusals.delete(peerId)
    this.#discovered(peerId, 'inbound')
    this.#checkDiscovered()
    this.#emit({ event: 'peer', peer: peerId, status: 'authenticated', ...(seat === undefined ? {} : { seat }) })
    const dialable = addresses?.addresses[0]
    this.#dialer?.tell({ type: 'connected', peerId, ...(dialable === undefined ? {} : { address: dialable }) })
    if (addresses !== undefined) this.#parts.rememberPeer(peerId, addresses.addresses)
    this.#driver?.input({ type: 'session-open', peer })
    if (this.#isFounded()) this.#stages.finish('authentication', { peers: 1 })
  }

  #onSessionClose(peerId: string, reason: string): void {
    // The core first: a lost leader is a reason to act now.
    this.#driver?.input({ type: 'session-close', peerId })
    // Whoever stops together with the others waits for none of them.
    if (this.#leaving !== undefined && !this.#hasHeir()) {
      this.#heirless.abort(new RequestRefusedError('the hand-over', 'no-heir', 'no other voter is connected any more'))
    }
    this.#emit({ event: 'peer', peer: peerId, status: 'disconnected', detail: reason })
    this.#dialer?.tell({ type: 'disconnected', peerId })
  }

  #onRefused(
    by: 'us' | 'them',
    peerId: string | undefined,
    address: string | undefined,
    { code, detail }: { readonly code: string; readonly detail: string }
  ): void {
    const who = peerId ?? address ?? 'unknown'
    if (this.#refusals.get(who)?.code !== code || this.#refusals.get(who)?.by !== by) {
      this.#emit({ event: 'peer', peer: who, status: 'refused', source: by, code, detail })
    }
    this.#refusals.delete(who)
    this.#refusals.set(who, { by, code, detail })
    if (this.#refusals.size > REFUSALS_MAX) this.#refusals.delete(this.#refusals.keys().next().value!)
  }

  #onDiscoveryAlarm({ code, detail }: DiscoveryAlarm): void {
    if (code === 'multicast-blocked') this.#multicastBlocked = true
    if (code === 'multicast-restored') this.#multicastBlocked = false
    this.#emit({ event: 'alarm', code, detail })
  }

  // ── What the replica reports ────────────────────────────────────────────────────────────────────────────────────────

  #onReplicaEvent(event: ReplicaEvent): void {
    const { logger } = this.#parts
    switch (event.type) {
      case 'founder-seen':
        if (event.present === event.of) this.#stages.finish('authentication', { founders: event.of })
        return
      case 'founded':
        this.#onFounded(event)
        return
      case 'seat-conflict':
        this.#onSeatConflict(event)
        return
      case 'leader':
        if (this.#leader !== undefined && event.leader === undefined) this.#leaderlessSince = this.#parts.clock.now()
        if (event.leader !== undefined) this.#noQuorumAlarmed = false
        this.#leader = event.leader === undefined ? undefined : { peerId: event.leader, term: event.term }
        this.#emit({ event: 'leader', term: event.term, leader: event.leader ?? null })
        if (event.leader !== undefined) this.#stages.finish('election', { leader: event.leader, term: event.term })
        this.#checkReady()
        return
      case 'writable':
        this.#emit({ event: 'writable', term: event.term })
        return
      case 'config':
        this.#emit({
          event: 'config',
          version: event.version,
          hash: event.hash,
          author: event.author,
          reason: event.reason
        })
        this.#stages.finish('config', { version: event.version, hash: event.hash })
        this.#checkReady()
        return
      case 'member':
        this.#emit({ event: 'member', peer: event.peerId, role: event.role })
        return
      case 'hint':
        this.#dialer?.hint({ source: 'exchange', peerId: event.peerId, addresses: event.addresses })
        return
      case 'no-quorum':
        this.#onNoQuorum(event)
        return
      case 'alarm':
        this.#emit({ event: 'alarm', code: event.code, detail: event.detail })
        return
      case 'frame-refused':
        logger.warn({ peer: event.peerId, reason: event.reason }, 'refused a frame')
        return
      case 'campaign':
      case 'founding-leader':
      case 'role':
        logger.info(event, event.type)
        return
    }
  }

  #onFounded(event: Extract<ReplicaEvent, { type: 'founded' }>): void {
    const { home } = this.#parts
    const founders = this.#replica?.status().founders ?? []
    this.#seats = new Map(founders.map(({ seat, peerId, incarnation }) => [seat, { peerId, incarnation }]))
    if (home.certificate === undefined) {
      home.keepCertificate(event.certificate).catch((error: unknown) => this.#die(error))
    }
    this.#stages.finish('formation', { cluster: event.clusterId, term: event.term, founders: founders.length })
    this.#dialer?.tell({
      type: 'wanted',
      peerIds: founders.map(({ peerId }) => peerId).filter((id) => id !== this.peerId)
    })
  }

  #onSeatConflict({ seat, peerIds, own }: Extract<ReplicaEvent, { type: 'seat-conflict' }>): void {
    const error = new SeatConflictError(seat, peerIds)
    this.#emit({ event: 'alarm', code: 'seat-conflict', detail: error.message })
    if (own) this.#die(error)
  }

  /** One lost round is how elections go; having no leader for long is news, once. */
  #onNoQuorum({ term, heardFrom }: Extract<ReplicaEvent, { type: 'no-quorum' }>): void {
    const leaderlessMs = this.#parts.clock.now() - this.#leaderlessSince
    if (this.#noQuorumAlarmed || leaderlessMs < LEADERLESS_TIMEOUTS * this.#timing.raft.electionTimeoutMs) return
    this.#noQuorumAlarmed = true
    const heard = heardFrom.length === 0 ? 'nobody' : heardFrom.join(', ')
    const detail = `no leader for ${Math.round(leaderlessMs)} ms (term ${term}): heard from ${heard}, which is no majority`
    this.#emit({ event: 'alarm', code: 'no-quorum', detail })
  }

  /** Ready is: a leader is known, and what had committed by then is applied here, also after a restart with an old log. */
  #checkReady(): void {
    if (this.#leader === undefined || this.#catchingUp || this.#stages.isDone('ready')) return
    this.#catchingUp = true
    this.#request({ type: 'read', requestId: toHex(secureBytes(16)) }, this.#ending.signal).then(
      () => {
        this.#catchingUp = false
        this.#becomeReady()
      },
      () => {
        // Only the end of this node ends the wait.
        this.#catchingUp = false
      }
    )
  }

  #becomeReady(): void {
    const current = this.#replica?.status().config?.current
    if (current === undefined || this.#leader === undefined) return
    const ready: ReadyInfo = {
      leader: this.#leader.peerId,
      term: this.#leader.term,
      configVersion: current.version,
      configHash: current.hash,
      ms: this.#stages.elapsedMs
    }
    if (!this.#stages.finish('ready', { leader: ready.leader, version: ready.configVersion })) return
    this.#emit({ event: 'ready', ...ready })
    this.#ready.resolve(ready)
  }

  /** Says once what is missing, and again whenever that changes. */
  #watchWaiting(): void {
    const look = (): void => {
      if (this.#closing !== undefined) return
      const waiting = this.#waitingFor()
      const text = waiting.join('\n')
      if (text !== this.#lastWaiting && waiting.length > 0) this.#emit({ event: 'waiting', waitingFor: waiting })
      this.#lastWaiting = text
      this.#waitingTimer = this.#parts.clock.setTimer(1_000, look)
    }
    this.#waitingTimer = this.#parts.clock.setTimer(1_000, look)
  }

  #waitingFor(): readonly string[] {
    return waitingFor({
      foundingSize: this.#genesis?.genesis.foundingSize ?? 0,
      replica: this.#replica?.status(),
      selfIncarnation: this.#incarnation,
      leader: this.#leader?.peerId,
      attempts: this.#dialer?.explain() ?? [],
      multicastBlocked: this.#multicastBlocked,
      refusals: this.#refusals
    })
  }

  #emit(event: NodeEvent, at = this.#parts.clock.wallNow()): void {
    const { home, logger } = this.#parts
    const stamped: StampedNodeEvent = {
      ...event,
      at,
      node: this.peerId,
      cluster: this.clusterId ?? null,
      attempt: home.boot
    }
    logger.debug(stamped, event.event)
    this.#parts.events.dispatchEvent(new CustomEvent(event.event, { detail: stamped }))
    this.#parts.events.dispatchEvent(new CustomEvent('*', { detail: stamped }))
  }

  // ── What programs ask ───────────────────────────────────────────────────────────────────────────────────────────────

  ready({ signal }: CallOptions = {}): Promise<ReadyInfo> {
    return raceAbort(this.#ready.promise, signal)
  }

  status(): NodeStatus {
    return nodeStatus(this.#facts())
  }

  members(): readonly MemberInfo[] {
    return members(this.#facts())
  }

  #facts(): StatusFacts {
    return {
      peerId: this.peerId,
      incarnation: this.#incarnation,
      domainId: this.domainId,
      genesis: this.#genesis?.genesis,
      replica: this.#replica?.status(),
      leader: this.#leader,
      stage: this.#stages.current,
      waitingFor: this.#waitingFor(),
      addresses: this.#transport?.addresses() ?? [],
      uptimeMs: this.#stages.elapsedMs
    }
  }

  readonly config: QuorateNode['config'] = {
    get: () => currentConfig(this.#replica?.status().config),
    read: (options) => this.#readConfig(options?.signal),
    set: (value, options) => this.#setConfig(value, options),
    history: () => configHistory(this.#replica?.status().config)
  }

  async #readConfig(signal: AbortSignal | undefined): Promise<ConfigVersion> {
    const outcome = await this.#request({ type: 'read', requestId: toHex(secureBytes(16)) }, signal)
    if (outcome.type === 'refused') throw new RequestRefusedError('the read', outcome.code, outcome.detail)
    const current = this.config.get()
    invariant(current !== undefined, 'a confirmed read follows the first entry of the log')
    return current
  }

  async #setConfig(
    value: JsonValue,
    options: CallOptions & { readonly ifVersion?: number; readonly reason?: string }
  ): Promise<ConfigVersion> {
    const text = canonicalJson(value)
    const requestId = toHex(secureBytes(16))
    const data = encodeCommand({
      kind: 'config-set',
      requestId,
      author: this.peerId,
      at: Math.floor(this.#parts.clock.wallNow()),
      reason: options.reason ?? '',
      text,
      ...(options.ifVersion === undefined ? {} : { ifVersion: options.ifVersion })
    })
    const outcome = await this.#request({ type: 'command', requestId, data }, options.signal)
    if (outcome.type === 'refused') throw new RequestRefusedError('the config change', outcome.code, outcome.detail)
    if (outcome.type !== 'applied')
      throw new RequestRefusedError('the config change', outcome.type, 'unexpected answer')
    const { result } = outcome
    if (result.type === 'set')
      return { version: result.version, hash: result.hash, value: JSON.parse(text) as JsonValue }
    throw configErrorOf(result) ?? new RequestRefusedError('the config change', result.type, '')
  }

  async transfer(options: CallOptions & { readonly to?: string } = {}): Promise<LeaderInfo> {
    const requestId = toHex(secureBytes(16))
    const outcome = await this.#request({ type: 'transfer', requestId, to: options.to }, options.signal)
    if (outcome.type === 'refused')
      throw new RequestRefusedError('the hand-over of leadership', outcome.code, outcome.detail)
    const leader = outcome.type === 'done' ? outcome.leader : undefined
    return this.#leader !== undefined && (leader === undefined || this.#leader.peerId === leader)
      ? this.#leader
      : this.#nextLeader(leader, options.signal)
  }

  /** The new leader's first message to us may still be on its way. */
  #nextLeader(peerId: string | undefined, signal: AbortSignal | undefined): Promise<LeaderInfo> {
    const { promise, resolve } = Promise.withResolvers<LeaderInfo>()
    const onLeader = (): void => {
      if (this.#leader !== undefined && (peerId === undefined || this.#leader.peerId === peerId)) resolve(this.#leader)
    }
    this.addEventListener('leader', onLeader)
    onLeader()
    const deadline = startDeadline(this.#parts.clock, REQUEST_DEADLINE_MS, { parent: signal })
    return raceAbort(promise, deadline.signal).finally(() => {
      deadline.cancel()
      this.removeEventListener('leader', onLeader)
    })
  }

  async leave({ signal }: CallOptions = {}): Promise<void> {
    const requestId = toHex(secureBytes(16))
    const outcome = await this.#request({ type: 'leave', requestId }, signal)
    if (outcome.type === 'refused') throw new RequestRefusedError('leaving', outcome.code, outcome.detail)
    await this.stop()
  }

  #request(request: ClientRequest, signal: AbortSignal | undefined): Promise<ClientOutcome> {
    const driver = this.#driver
    return this.#callers.request(request, driver === undefined ? undefined : (input) => driver.input(input), signal)
  }

  // ── Stopping ────────────────────────────────────────────────────────────────────────────────────────────────────────

  stop({ signal }: CallOptions = {}): Promise<void> {
    this.#leaving ??= this.#handOver().then(() => this.#close(undefined))
    return raceAbort(this.#leaving, signal)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #handOver(): Promise<void> {
    if (this.#replica?.status().raft?.role !== 'leader' || this.#closing !== undefined || !this.#hasHeir()) return
    const limitMs = Math.max(HAND_OVER_MS, this.#timing.raft.electionTimeoutMs)
    const deadline = startDeadline(this.#parts.clock, limitMs, { parent: this.#heirless.signal })
    try {
      await this.transfer({ signal: deadline.signal })
    } catch (error) {
      // Nobody could take over in time. The others elect a leader when our connections close.
      this.#parts.logger.info({ reason: messageOf(error) }, 'stopping without handing leadership over')
    } finally {
      deadline.cancel()
    }
  }

  #hasHeir(): boolean {
    const { raft, sessions = [] } = this.#replica?.status() ?? {}
    return sessions.some(({ incarnation }) => raft?.membership.voters.includes(incarnation) === true)
  }

  /** Stops because of `error`. */
  #die(error: unknown): void {
    void this.#close(error)
  }

  #close(error: unknown): Promise<void> {
    this.#closing ??= this.#closeAll(error)
    return this.#closing
  }

  async #closeAll(error: unknown): Promise<void> {
    const { home, logger } = this.#parts
    const report = error === undefined ? undefined : errorReport(error)
    if (report !== undefined) {
      this.#stages.fail(report)
      logger.error(report, 'the node stops because of an error')
    }
    this.#waitingTimer?.cancel()
    this.#ending.abort()
    const reason = new NodeStoppedError(report?.message ?? 'stop was called', error)
    this.#callers.end(error ?? reason)
    await settle(logger, [() => this.#dialer?.stop()])
    this.#driver?.stop()
    await settle(logger, [() => this.#transport?.stop(), () => home.close()])
    this.#emit({
      event: 'stopped',
      reason: report === undefined ? 'stop' : 'error',
      ...(report === undefined ? {} : { error: report })
    })
    this.#ready.reject(error ?? reason)
    if (error === undefined) this.#stopped.resolve()
    else this.#stopped.reject(error)
  }

  addEventListener<N extends NodeEventName>(name: N, listener: NodeListener<N>): void {
    this.#parts.events.addEventListener(name, listener as (event: Event) => void)
  }

  removeEventListener<N extends NodeEventName>(name: N, listener: NodeListener<N>): void {
    this.#parts.events.removeEventListener(name, listener as (event: Event) => void)
  }
}

/** One after the other; what fails is logged, and the rest is closed all the same. */
async function settle(logger: Logger, steps: readonly (() => Promise<unknown> | undefined)[]): Promise<void> {
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      logger.warn({ reason: messageOf(error) }, 'something did not close cleanly')
    }
  }
}

function errorReport(error: unknown): { name: string; code: string; message: string } {
  if (error instanceof QuorateError) return { name: error.name, code: error.code, message: error.message }
  return { name: error instanceof Error ? error.name : 'Error', code: 'ERR_UNEXPECTED', message: messageOf(error) }
}

/** What does not hold is undefined, as hints are: no exception leaves the core for it. The signature is looked at last. */
const readNews: RecordReader = (bytes, isNews) => {
  try {
    const { peerId, sequence } = decodeAddressRecord(bytes)
    return isNews(peerId, sequence) ? readAddressRecord(bytes) : undefined
  } catch (error) {
    if (error instanceof InvalidDocumentError) return undefined
    throw error
  }
}
