/**
 * What people are shown of a node: its events, stages and alarms, and what it waits for. Everything here is derived from what
 * the replica and the edges report; nothing in the protocol depends on it.
 */
import { getEventListeners } from 'node:events'
import { toBase64Url } from '../core/bytes.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { messageOf, QuorateError } from '../core/errors.ts'
import type { DiscoveryAlarm } from '../discovery/port.ts'
import type { Admitted, Refusal } from '../membership/admission.ts'
import { Stages } from '../observability/stages.ts'
import { Repeats } from '../replica/repeats.ts'
import type { ReplicaEvent } from '../replica/types.ts'
import type { Home } from './home.ts'
import type { LeaderInfo, Logger, NodeEvent, ReadyInfo, StageName, StampedNodeEvent } from './types.ts'

export interface ReporterInit {
  readonly home: Home
  readonly clock: Clock
  readonly logger: Logger
  readonly events: EventTarget
  /** Undefined while the genesis is not known. */
  readonly foundingSize: () => number | undefined
  readonly electionTimeoutMs: () => number
  readonly waitingFor: () => readonly string[]
}

export interface ErrorReport {
  readonly name: string
  readonly code: string
  readonly message: string
}

const REFUSALS_MAX = 32
/** Peers whose discovery is no news any more; beyond it the oldest is news again. Anybody can invent peers. */
const HEARD_OF_MAX = 1_024
/** Without a leader for this many election timeouts, a lost round is an alarm. */
const LEADERLESS_TIMEOUTS = 10
/** How often it looks whether what is missing has changed. */
const WAITING_EVERY_MS = 1_000
/** The same while nothing is missing, and nothing has happened that may change it: each look wakes a process that idles. */
const WAITING_SELDOM_MS = 10_000

export class Reporter {
  readonly #init: ReporterInit
  readonly #stages: Stages
  readonly #heardOf = new Set<string>()
  readonly #repeats = new Repeats()
  readonly #refusals = new Map<string, Refusal & { readonly by: 'us' | 'them' }>()
  #clusterId: string | undefined
  #leader: LeaderInfo | undefined
  #leaderlessSince: number
  #noQuorumAlarmed = false
  #multicastBlocked = false
  /** Some peer was admitted. */
  #hasMet = false
  #lastWaiting = ''
  #waitingTimer: Timer | undefined
  #looksSeldom = false

  constructor(init: ReporterInit) {
    const { clock, home } = init
    this.#init = init
    this.#leaderlessSince = clock.now()
    const startedAtWall = clock.wallNow() - (clock.now() - home.startedAt)
    this.#stages = new Stages({
      now: () => clock.now(),
      startedAt: home.startedAt,
      // Some are reported later than they happened.
      report: (report) => this.#emit({ event: 'stage', ...report }, startedAtWall + report.ms)
    })
  }

  /** Hex; undefined until founded. */
  get clusterId(): string | undefined {
    return this.#clusterId
  }

  get leader(): LeaderInfo | undefined {
    return this.#leader
  }

  get stage(): StageName {
    return this.#stages.current
  }

  get elapsedMs(): number {
    return this.#stages.elapsedMs
  }

  get multicastBlocked(): boolean {
    return this.#multicastBlocked
  }

  /** By PeerId or address: the last refusal, ours or theirs. */
  get refusals(): ReadonlyMap<string, Refusal & { readonly by: 'us' | 'them' }> {
    return this.#refusals
  }

  /** With the stages that opening the home has gone through. */
  begin(): void {
    this.#stages.begin(this.#init.home.stages)
  }

  listening(addresses: readonly string[]): void {
    this.#leaderlessSince = this.#init.clock.now()
    this.#emit({ event: 'listening', addresses })
    // A founding size of one has nobody to discover.
    if (this.#init.foundingSize() === 1) {
      this.#stages.finish('discovery', { peers: 0 })
      this.#stages.finish('authentication', { peers: 0 })
    }
    this.#watchWaiting(WAITING_EVERY_MS)
  }

  discovered(peerId: string, source: string): void {
    if (!this.#heardOf.has(peerId)) {
      this.#heardOf.add(peerId)
      if (this.#heardOf.size > HEARD_OF_MAX) this.#heardOf.delete(this.#heardOf.keys().next().value!)
      this.#emit({ event: 'peer', peer: peerId, status: 'discovered', source })
    }
    const needed = this.#clusterId === undefined ? (this.#init.foundingSize() ?? Infinity) - 1 : 1
    if (this.#heardOf.size >= needed) this.#stages.finish('discovery', { peers: this.#heardOf.size })
  }

  admitted({ peerId, seat }: Admitted): void {
    this.#hasMet = true
    this.#refusals.delete(peerId)
    this.discovered(peerId, 'inbound')
    this.#emit({ event: 'peer', peer: peerId, status: 'authenticated', ...(seat === undefined ? {} : { seat }) })
    if (this.#clusterId !== undefined) this.#stages.finish('authentication', { peers: 1 })
  }

  /** `at`: when it went, epoch ms. */
  disconnected(peerId: string, reason: string, at: number): void {
    this.#emit({ event: 'peer', peer: peerId, status: 'disconnected', detail: reason }, at)
  }

  /** The same refusal again is no news. */
  refused(by: 'us' | 'them', who: string, { code, detail }: Refusal): void {
    const before = this.#refusals.get(who)
    if (before?.code !== code || before.by !== by) {
      this.#emit({ event: 'peer', peer: who, status: 'refused', source: by, code, detail })
    }
    this.#refusals.delete(who)
    this.#refusals.set(who, { by, code, detail })
    if (this.#refusals.size > REFUSALS_MAX) this.#refusals.delete(this.#refusals.keys().next().value!)
  }

  discoveryAlarm({ code, detail }: DiscoveryAlarm): void {
    if (code === 'multicast-blocked') this.#multicastBlocked = true
    if (code === 'multicast-restored') this.#multicastBlocked = false
    this.alarm(code, detail)
  }

  alarm(code: string, detail: string, statements: readonly Uint8Array[] = []): void {
    this.#lookSoon()
    const texts = statements.map(toBase64Url)
    this.#emit({ event: 'alarm', code, detail, ...(texts.length === 0 ? {} : { statements: texts }) })
  }

  replica(event: ReplicaEvent): void {
    switch (event.type) {
      case 'founder-seen':
        if (event.present === event.of) this.#stages.finish('authentication', { founders: event.of })
        return
      case 'founded':
        this.#clusterId = event.clusterId
        this.#joined()
        this.#stages.finish('formation', { cluster: event.clusterId, term: event.term })
        return
      case 'leader':
        this.#onLeader(event.leader, event.term)
        return
      case 'writable':
        this.#emit({ event: 'writable', term: event.term })
        return
      case 'config': {
        const { version, hash, author, reason, recovered } = event
        if (recovered === 'older') return
        this.#emit({
          event: 'config',
          version,
          hash,
          author,
          reason,
          ...(recovered === undefined ? {} : { recovered: true })
        })
        this.#stages.finish('config', { version, hash })
        return
      }
      case 'member':
        this.#emit({ event: 'member', peer: event.peerId, role: event.role })
        this.#lookSoon()
        return
      case 'no-quorum':
        this.#onNoQuorum(event)
        return
      case 'alarm':
        this.alarm(event.code, event.detail, event.statements)
        return
      case 'frame-refused': {
        const reason = this.#repeats.pass(event.peerId, event.reason, this.#init.clock.now())
        if (reason !== undefined) this.#init.logger.warn({ peer: event.peerId, reason }, 'refused a frame')
        return
      }
      case 'campaign':
      case 'founding-leader':
      case 'role':
      case 'snapshot':
        this.#init.logger.info(event, event.type)
        return
      // The node acts on these, and says what came of it.
      case 'hint':
      case 'seat-conflict':
      case 'unwelcome':
        return
    }
  }

  /** Who comes after founding needs one member, and may have met it before it knew that there is a cluster. */
  #joined(): void {
    if (!this.#hasMet) return
    this.#stages.finish('discovery', { peers: this.#heardOf.size })
    this.#stages.finish('authentication', { peers: 1 })
  }

  /** True the first time. */
  ready(info: Omit<ReadyInfo, 'ms'>): ReadyInfo | undefined {
    const ready = { ...info, ms: this.#stages.elapsedMs }
    if (!this.#stages.finish('ready', { leader: info.leader, version: info.configVersion })) return undefined
    this.#emit({ event: 'ready', ...ready })
    return ready
  }

  get isReady(): boolean {
    return this.#stages.isDone('ready')
  }

  /** The node ends; `error` is why, when it did not want to. */
  ending(error: ErrorReport | undefined): void {
    this.#waitingTimer?.cancel()
    this.#waitingTimer = undefined
    if (error === undefined) return
    this.#stages.fail(error)
    this.#init.logger.error(error, 'the node stops because of an error')
  }

  ended(error: ErrorReport | undefined): void {
    if (error === undefined) this.#emit({ event: 'stopped', reason: 'stop' })
    else this.#emit({ event: 'stopped', reason: 'error', error })
  }

  #onLeader(leader: string | undefined, term: number): void {
    if (leader === undefined && this.#leader !== undefined) this.#leaderlessSince = this.#init.clock.now()
    if (leader !== undefined) this.#noQuorumAlarmed = false
    else this.#lookSoon()
    this.#leader = leader === undefined ? undefined : { peerId: leader, term }
    this.#emit({ event: 'leader', term, leader: leader ?? null })
    if (leader !== undefined) this.#stages.finish('election', { leader, term })
  }

  /** One lost round is how elections go; having no leader for long is news, once. */
  #onNoQuorum({ term, heardFrom }: Extract<ReplicaEvent, { type: 'no-quorum' }>): void {
    const { clock, electionTimeoutMs } = this.#init
    if (this.#leader !== undefined) return
    const leaderlessMs = clock.now() - this.#leaderlessSince
    if (this.#noQuorumAlarmed || leaderlessMs < LEADERLESS_TIMEOUTS * electionTimeoutMs()) return
    this.#noQuorumAlarmed = true
    const heard = heardFrom.length === 0 ? 'nobody' : heardFrom.join(', ')
    const since = `no leader for ${Math.round(leaderlessMs)} ms (term ${term})`
    this.alarm('no-quorum', `${since}: heard from ${heard}, which is no majority`)
  }

  /** Says once what is missing, and again whenever that changes. */
  #watchWaiting(afterMs: number): void {
    this.#waitingTimer?.cancel()
    this.#looksSeldom = afterMs === WAITING_SELDOM_MS
    this.#waitingTimer = this.#init.clock.setTimer(afterMs, () => {
      const waiting = this.#init.waitingFor()
      const text = waiting.join('\n')
      if (text !== this.#lastWaiting && waiting.length > 0) this.#emit({ event: 'waiting', waitingFor: waiting })
      this.#lastWaiting = text
      this.#watchWaiting(this.isReady && waiting.length === 0 ? WAITING_SELDOM_MS : WAITING_EVERY_MS)
    })
  }

  /** A leader is lost, a member has come or gone, something is wrong. */
  #lookSoon(): void {
    if (this.#looksSeldom && this.#waitingTimer !== undefined) this.#watchWaiting(WAITING_EVERY_MS)
  }

  #emit(event: NodeEvent, at = this.#init.clock.wallNow()): void {
    const { home, logger } = this.#init
    const stamped: StampedNodeEvent = {
      ...event,
      at,
      node: home.key.signer.peerId,
      cluster: this.#clusterId ?? null,
      attempt: home.boot
    }
    logger.debug(stamped, event.event)
    for (const name of [event.event, '*']) {
      if (isHeard(this.#init.events, name)) this.#dispatch(new CustomEvent(name, { detail: stamped }))
    }
  }

  /** Node reports what a listener throws as an uncaught exception, later. Other EventTargets throw it here, into the protocol. */
  #dispatch(event: CustomEvent): void {
    try {
      this.#init.events.dispatchEvent(event)
    } catch (error) {
      this.#init.logger.error({ event: event.type, reason: messageOf(error) }, 'a listener of an event threw')
    }
  }
}

/** Every write is an event. What nobody listens to need not be made; an EventTarget of another make may do more than tell listeners. */
function isHeard(events: EventTarget, name: string): boolean {
  const isPlain = events.dispatchEvent === EventTarget.prototype.dispatchEvent
  return !isPlain || getEventListeners(events, name).length > 0
}

export function errorReport(error: unknown): ErrorReport {
  if (error instanceof QuorateError) return { name: error.name, code: error.code, message: error.message }
  return { name: error instanceof Error ? error.name : 'Error', code: 'ERR_UNEXPECTED', message: messageOf(error) }
}
