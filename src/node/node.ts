/**
 * One running node: its replica in a driver, a transport and a dialer around it. The face that programs see is face.ts.
 *
 * A node whose token only pins the genesis begins without a replica and gets one when the first peer hands the document over.
 *
 * Stopping is orderly: leadership is handed over while the connections are up, then discovery says goodbye, then sessions,
 * log and lock are let go. A fatal error (a failed disk, a contested seat) skips the courtesies.
 */
import { resolveTiming, type Timing, type TimingPreset } from '../config-init/index.ts'
import { toHex } from '../core/bytes.ts'
import { raceAbort } from '../core/deadline.ts'
import type { PeerHint } from '../discovery/port.ts'
import { incarnationOf } from '../identity/claim.ts'
import type { VerifiedGenesis } from '../identity/genesis.ts'
import {
  type AdmissionContext,
  type Admitted,
  nextStepOf,
  type Refusal,
  type RefusalCode
} from '../membership/admission.ts'
import type { Replica, ReplicaEvent } from '../replica/index.ts'
import type { AdmissionGate } from '../transport/gate.ts'
import type { Transport } from '../transport/port.ts'
import { Callers } from './callers.ts'
import { CertificateCopy } from './certificate-copy.ts'
import { Client } from './client.ts'
import { Departures } from './departures.ts'
import { Driver } from './driver.ts'
import { NodeStoppedError, NotAdmittedError, SeatConflictError } from './errors.ts'
import { type Inside, NodeFace } from './face.ts'
import { Facts } from './facts.ts'
import { createGate, memberIncarnations } from './gate.ts'
import { HandOver } from './hand-over.ts'
import type { NodeParts } from './node-parts.ts'
import { OwnAddresses } from './own-addresses.ts'
import { prepareReplica } from './prepare-replica.ts'
import { Readiness } from './readiness.ts'
import { Rehearsals } from './rehearsals.ts'
import { errorReport, Reporter } from './reporter.ts'
import { Seeker } from './seeker.ts'
import { settle } from './settle.ts'
import type { CallOptions } from './types.ts'

/** What no waiting changes. A date may be a clock's fault, a missing genesis may come. */
const FINAL_REFUSALS: ReadonlySet<RefusalCode> = new Set(['token-already-used', 'revoked'])

export class Node extends NodeFace {
  protected readonly inside: Inside
  readonly #parts: NodeParts
  readonly #reporter: Reporter
  readonly #facts: Facts
  readonly #callers: Callers
  readonly #client: Client
  readonly #incarnation: string
  readonly #readiness: Readiness
  readonly #stopped = Promise.withResolvers<void>()
  readonly #handOver: HandOver
  readonly #seeker: Seeker
  readonly #rehearsals: Rehearsals
  readonly #departures: Departures
  readonly #certificateCopy: CertificateCopy
  /** Aborted, with the reason, as soon as this node begins to end. */
  readonly #ending = new AbortController()
  /** What is being started: whoever closes waits for it, so that nothing comes up behind its back. */
  #starting: Promise<unknown> = Promise.resolve()
  #genesis: VerifiedGenesis | undefined
  #timing: Timing
  #transport: Transport | undefined
  #replica: Replica | undefined
  #driver: Driver | undefined
  readonly #addresses: OwnAddresses
  #seats: AdmissionContext['seats']
  #leaving: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor(parts: NodeParts) {
    super()
    this.#parts = parts
    const { home, clock, logger, events } = parts
    const { peerId } = home.key.signer
    this.#genesis = home.genesis
    this.#addresses = new OwnAddresses(home)
    this.#departures = new Departures(clock)
    this.#timing = resolveTiming(this.#preset)
    this.#incarnation = incarnationOf(peerId, toHex(home.storeId))
    this.#reporter = new Reporter({
      home,
      clock,
      logger,
      events,
      foundingSize: () => this.#genesis?.genesis.foundingSize,
      electionTimeoutMs: () => this.#timing.raft.electionTimeoutMs,
      waitingFor: () => this.#facts.waitingFor()
    })
    this.#callers = new Callers(clock, () => this.#facts.waitingFor())
    this.#client = new Client({
      peerId,
      clock,
      events,
      leader: () => this.leader,
      configState: () => this.#replica?.config,
      ending: this.#ending.signal,
      request: (request, signal) => this.#callers.request(request, signal)
    })
    this.#handOver = new HandOver({
      clock,
      logger,
      hasHeir: () => this.#hasHeir(),
      transfer: (signal) => this.transfer({ signal }),
      decided: (signal) => this.#client.barrier(signal)
    })
    this.#seeker = new Seeker({
      self: peerId,
      parts,
      reporter: this.#reporter,
      voters: () => this.#replica?.wanted()
    })
    this.#facts = new Facts({
      peerId,
      incarnation: this.#incarnation,
      domainId: toHex(home.domainId),
      reporter: this.#reporter,
      seeker: this.#seeker,
      genesis: () => this.#genesis,
      timing: () => this.#preset,
      replica: () => this.#replica,
      leader: () => this.leader,
      transport: () => this.#transport
    })
    this.#readiness = new Readiness({ client: this.#client, reporter: this.#reporter, ending: this.#ending.signal })
    this.inside = {
      parts,
      reporter: this.#reporter,
      client: this.#client,
      ready: this.#readiness.promise,
      stopped: this.#stopped.promise,
      facts: () => this.#facts.status(),
      waitingFor: () => this.#facts.waitingFor()
    }
    // Whoever does not ask must not be killed by an unhandled rejection.
    this.#stopped.promise.catch(() => {})
    const { random } = parts
    const ending = this.#ending.signal
    this.#rehearsals = new Rehearsals({ clock, random, logger, ending, isWaiting: () => this.#isWaitingToFound() })
    this.#certificateCopy = new CertificateCopy({ clock, home, onError: (error) => this.#die(error) })
    this.#readiness.promise.then(
      () => {
        this.#certificateCopy.make()
        this.#rehearsals.ready()
      },
      () => {}
    )
  }

  #isWaitingToFound(): boolean {
    const { clusterId, joins = true } = this.#replica?.status() ?? {}
    return clusterId === undefined && !joins && this.#genesis!.genesis.foundingSize > 1
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
      this.#reporter.begin()
      if (this.#genesis !== undefined) this.#beginReplica(this.#genesis)
      const transport = await this.#parts.createTransport(this.#gate(), this.#timing.network)
      this.#transport = transport
      this.#ending.signal.throwIfAborted()
      await transport.start({
        onSessionOpen: (peer) => this.#onSessionOpen(peer),
        onSessionClose: (peerId, reason) => this.#onSessionClose(peerId, reason),
        onFrame: (from, frame) => this.#driver?.input({ type: 'frame', from, frame }),
        onDoor: (knocking) => this.#seeker.tell({ type: 'door', knocking }),
        onRefused: ({ by, peerId, address, refusal }) => this.#onRefused(by, peerId ?? address ?? 'unknown', refusal)
      })
    })
  }

  /** When the transport has addresses: discovery, and dialling. */
  async seek(): Promise<void> {
    await this.#orClose(async () => {
      const transport = this.#transport!
      const addresses = transport.addresses()
      await this.#addresses.sign(addresses)
      this.#ending.signal.throwIfAborted()
      this.#reporter.listening(addresses)
      await this.#seeker.start(transport, this.#timing.network, this.#ending.signal)
      this.#rehearsals.stir()
    })
  }

  /** The transport listens at other addresses than before: tells discovery and, from their next connection on, peers. */
  async addressesChanged(): Promise<void> {
    const addresses = this.#transport?.addresses() ?? []
    await this.#addresses.sign(addresses)
    this.#seeker.tell({ type: 'self', addresses })
  }

  /** A hint from somebody else's discovery. */
  hint(hint: PeerHint): void {
    this.#seeker.hint(hint)
  }

  /** A node that dies, or is stopped, while it starts does not come up. */
  async #orClose(step: () => Promise<void>): Promise<void> {
    try {
      this.#ending.signal.throwIfAborted()
      // Not at once: what fails within the step's first moment finds its promise here already.
      const running = Promise.resolve().then(step)
      this.#starting = Promise.allSettled([running])
      await running
      this.#ending.signal.throwIfAborted()
    } catch (error) {
      await this.#close(error)
      throw error
    }
  }

  #gate(): AdmissionGate {
    const { home, clock, agent, priority } = this.#parts
    return createGate({
      peerId: this.peerId,
      domainId: home.domainId,
      generation: home.generation,
      claim: home.claim,
      bootStatement: home.bootStatement,
      agent,
      priority,
      clock,
      genesis: () => this.#genesis,
      onGenesis: (genesis) => this.#onGenesis(genesis),
      clusterId: () => this.clusterId,
      addressRecord: () => this.#addresses.record,
      seats: () => this.#seats,
      members: () => memberIncarnations(this.#replica),
      sessions: () => this.#replica?.sessions ?? [],
      onSighting: (statement) => this.#driver?.input({ type: 'sighting', statement }),
      redeemedBy: (tokenId) => this.#replica?.redeemedBy(tokenId) ?? [],
      isConvicted: (incarnation) => this.#replica?.isConvicted(incarnation) ?? false
    })
  }

  get #preset(): TimingPreset {
    return this.#parts.timing ?? this.#genesis?.genesis.timing ?? 'lan'
  }

  #onGenesis(genesis: VerifiedGenesis): void {
    if (this.#genesis !== undefined || this.#closing !== undefined) return
    this.#genesis = genesis
    // Whoever could not be judged before may be dialled again.
    this.#seeker.tell({ type: 'forgive' })
    this.#parts.home.keepGenesis(genesis.bytes).catch((error: unknown) => this.#die(error))
    try {
      this.#timing = resolveTiming(this.#preset)
      this.#beginReplica(genesis)
    } catch (error) {
      this.#die(error)
    }
  }

  #beginReplica(genesis: VerifiedGenesis): void {
    const { home, random, clock, snapshots, priority } = this.#parts
    this.#replica = prepareReplica({ home, genesis, timing: this.#timing, random, snapshots, priority })
    const driver = new Driver({
      replica: this.#replica,
      storage: home.storage,
      clock,
      send: (peerId, frame) => void this.#transport?.send(peerId, frame),
      flush: () => this.#transport?.flush?.(),
      sendBulk: (peerId, frame) => void this.#transport?.send(peerId, frame, 'bulk'),
      sign: (payload) => home.key.signer.sign(payload),
      onEvent: (event) => this.#onReplicaEvent(event),
      onOutcome: (outcome) => this.#callers.settle(outcome),
      onFatal: (error) => this.#die(error)
    })
    this.#driver = driver
    driver.start()
    this.#callers.connect((input) => driver.input(input))
  }

  // ── What happens to it ──────────────────────────────────────────────────────────────────────────────────────────────

  #onSessionOpen(peer: Admitted): void {
    const { peerId, addresses } = peer
    this.#departures.settle()
    this.#reporter.admitted(peer)
    const dialable = addresses?.addresses[0]
    this.#seeker.tell({ type: 'connected', peerId, ...(dialable === undefined ? {} : { address: dialable }) })
    if (addresses !== undefined && this.#closing === undefined) this.#parts.rememberPeer(peerId, addresses.addresses)
    this.#driver?.input({ type: 'session-open', peer })
    this.#rehearsals.stir()
  }

  #onSessionClose(peerId: string, reason: string): void {
    const wasLeader = this.leader?.peerId === peerId
    const at = this.#parts.clock.wallNow()
    // The core first: a lost leader is a reason to act now.
    this.#driver?.input({ type: 'session-close', peerId })
    this.#handOver.lost()
    this.#departures.add(wasLeader, () => {
      this.#reporter.disconnected(peerId, reason, at)
      this.#seeker.tell({ type: 'disconnected', peerId })
      this.#rehearsals.stir()
    })
  }

  /** A newcomer that members refuse for what it holds can wait for ever; it is told instead. */
  #onRefused(by: 'us' | 'them', who: string, refusal: Refusal): void {
    this.#reporter.refused(by, who, refusal)
    const isOutside = this.clusterId === undefined && (this.#replica?.sessions.length ?? 0) === 0
    if (by === 'us' || !isOutside || !FINAL_REFUSALS.has(refusal.code)) return
    this.#die(new NotAdmittedError(who, refusal.code, refusal.detail, nextStepOf(refusal.code)))
  }

  #onReplicaEvent(event: ReplicaEvent): void {
    this.#reporter.replica(event)
    const { type } = event
    if (type === 'founded') this.#onFounded(event.certificate)
    else if (type === 'seat-conflict') this.#onSeatConflict(event)
    else if (type === 'hint') {
      this.#seeker.hint({ source: 'exchange', peerId: event.peerId, addresses: event.addresses })
    } else if (type === 'unwelcome') void this.#transport?.disconnect(event.peerId, event.detail)
    else if (type === 'member') this.#seeker.wantVoters()
    else if (type === 'leader' || type === 'config') this.#readiness.catchUp()
  }

  #onFounded(certificate: Uint8Array): void {
    const founders = this.#replica?.founders ?? []
    this.#seats = new Map(founders.map(({ seat, peerId, incarnation }) => [seat, { peerId, incarnation }]))
    if (this.#parts.home.certificate === undefined) this.#certificateCopy.owe(certificate)
    this.#seeker.wantVoters()
  }

  #onSeatConflict({ seat, peerIds, own }: Extract<ReplicaEvent, { type: 'seat-conflict' }>): void {
    const error = new SeatConflictError(seat, peerIds)
    this.#reporter.alarm('seat-conflict', error.message)
    if (own) this.#die(error)
  }

  // ── Stopping ────────────────────────────────────────────────────────────────────────────────────────────────────────

  stop({ signal }: CallOptions = {}): Promise<void> {
    // Not at once: whoever stops it within one of its events lets it finish what it tells.
    this.#leaving ??= Promise.resolve().then(() => this.#leave())
    return raceAbort(this.#leaving, signal)
  }

  async #leave(): Promise<void> {
    const isLeader = this.#replica?.consensus()?.role === 'leader'
    if (isLeader && this.#closing === undefined && this.#hasHeir()) {
      await this.#handOver.run(this.#timing.raft.electionTimeoutMs)
    }
    await this.#close(undefined)
  }

  #hasHeir(): boolean {
    const voters = this.#replica?.consensus()?.membership.voters ?? []
    return this.#replica?.sessions.some(({ incarnation }) => voters.includes(incarnation)) === true
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
    const reason = error ?? new NodeStoppedError('stop was called')
    this.#reporter.ending(report)
    this.#ending.abort(reason)
    this.#callers.end(reason)
    await this.#starting
    await settle(logger, [() => this.#seeker.stop()])
    this.#driver?.stop()
    this.#certificateCopy.make()
    await settle(logger, [() => this.#transport?.stop(), () => home.close()])
    this.#departures.settle()
    this.#reporter.ended(report)
    this.#readiness.fail(reason)
    if (error === undefined) this.#stopped.resolve()
    else this.#stopped.reject(error)
  }
}
