/**
 * The port over a libp2p node.
 *
 * It listens to `connection:open` itself and keeps its own sessions: libp2p's topologies come only after identify, once per
 * connection, and do not say which connection they mean. Connections of admitted peers are tagged against pruning. libp2p's own
 * means to detect failure and to reconnect are not used: heartbeats and the dial planner do that.
 */
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { systemClock, type Clock } from '../../core/clock.ts'
import { TransportStoppedError } from '../errors.ts'
import type { AdmissionGate } from '../gate.ts'
import {
  defaultTransportLimits,
  type Lane,
  type MeasuredTransport,
  type TransportCounters,
  type TransportEvents,
  type TransportLimits
} from '../port.ts'
import { TransportCore } from '../transport-core.ts'
import { Admissions, type AdmissionRecord } from './admissions.ts'
import type { Connector } from './connector.ts'
import type { Door } from './door.ts'
import { raceAbort, withDeadline } from './deadline.ts'
import { EncrypterConnector } from './encrypter-connector.ts'
import { FRAMES_PROTOCOL, FRAMES_STREAMS_MAX, FramesLink } from './frames-link.ts'
import { HelloConnector } from './hello-connector.ts'
import { SessionTags } from './session-tags.ts'
import type { HelloTransportInit, TransportComponents } from './types.ts'

const STOP_MS_MAX = 5_000

export interface Libp2pTransportInit {
  readonly components: TransportComponents
  /** Where admission happens. */
  readonly mode:
    | { readonly type: 'encrypter'; readonly admissions: Admissions; readonly door: Door }
    | { readonly type: 'hello'; readonly gate: AdmissionGate }
  readonly limits: TransportLimits
  readonly clock: Clock
  readonly onError: (error: unknown, doing: string) => void
  /** Starts and stops the node with the transport, when it is ours. */
  readonly host?: { start(): Promise<void>; stop(): Promise<void> }
}

export class Libp2pTransport implements MeasuredTransport {
  readonly core: TransportCore
  readonly #init: Libp2pTransportInit
  readonly #connector: Connector
  readonly #links = new Map<Connection, FramesLink>()
  readonly #tags: SessionTags
  readonly #ownsConnections: boolean
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  constructor(init: Libp2pTransportInit) {
    this.#init = init
    this.#ownsConnections = init.mode.type === 'encrypter'
    this.core = new TransportCore({
      self: init.components.peerId.toString(),
      clock: init.clock,
      limits: init.limits,
      closesLinks: this.#ownsConnections,
      onError: init.onError,
      attempt: (address, expected, signals) => this.#connector.attempt(address, expected, signals)
    })
    this.#connector = this.#makeConnector()
    this.#tags = new SessionTags({
      peerStore: init.components.peerStore,
      clock: init.clock,
      onError: (error) => this.core.report(error, 'tagging a peer')
    })
  }

  start(events: TransportEvents): Promise<void> {
    this.#starting ??= this.#startOnce(events)
    return this.#starting
  }

  addresses(): readonly string[] {
    if (!this.core.running) return []
    const all = this.#init.components.addressManager.getAddresses()
    const reachable = all.filter((address) => !/^\/(ip4\/127\.|ip6\/::1\/)/.test(address.toString()))
    // Loopback is worth telling only when there is nothing else: others would dial themselves.
    return (reachable.length > 0 ? reachable : all).map((address) => address.toString())
  }

  dial(
    target: { readonly peerId: string | undefined; readonly addresses: readonly string[] },
    options: { readonly signal: AbortSignal }
  ): Promise<{ readonly peerId: string }> {
    return this.core.dial(target, options.signal)
  }

  send(peerId: string, frame: Uint8Array, lane?: Lane): boolean {
    return this.core.send(peerId, frame, lane)
  }

  flush(): void {
    this.core.flush()
  }

  async disconnect(peerId: string, reason: string): Promise<void> {
    const links = [...this.#links.values()].filter((link) => link.admitted.peerId === peerId)
    this.core.disconnect(peerId, reason)
    await Promise.all(links.map((link) => link.ended))
  }

  /** Frames that were sent before still leave, unless the peer does not take them within half a second. Takes no longer than `STOP_MS_MAX`. */
  stop(): Promise<void> {
    this.#stopping ??= this.#bounded(this.#stopOnce())
    return this.#stopping
  }

  counters(): TransportCounters {
    return { ...this.core.counters }
  }

  async #startOnce(events: TransportEvents): Promise<void> {
    if (this.#stopping !== undefined) throw new TransportStoppedError()
    const { components, host } = this.#init
    this.core.start(events)
    try {
      await components.registrar.handle(FRAMES_PROTOCOL, this.#onFramesStream, {
        maxInboundStreams: FRAMES_STREAMS_MAX,
        maxOutboundStreams: FRAMES_STREAMS_MAX
      })
      components.events.addEventListener('connection:open', this.#onConnectionOpen)
      components.events.addEventListener('connection:close', this.#onConnectionClose)
      await this.#connector.start()
      await host?.start()
    } catch (error) {
      await this.#shutDown()
      throw error
    }
  }

  /** Whoever stops wants to end: what libp2p has not let go of by then ends with the process. */
  async #bounded(stopping: Promise<void>): Promise<void> {
    const deadline = withDeadline(this.#init.clock, STOP_MS_MAX)
    try {
      await raceAbort(stopping, deadline.signal)
    } catch (error) {
      if (error !== deadline.signal.reason) throw error
      this.core.report(error, 'stopping')
    } finally {
      deadline.cancel()
    }
  }

  async #stopOnce(): Promise<void> {
    if (this.#starting === undefined) return
    // libp2p cannot be stopped while it starts; nobody is told anything from now on.
    if (this.core.running) this.core.stop()
    try {
      await this.#starting
    } catch {
      // Then it has been shut down already.
      return
    }
    await this.#shutDown()
  }

  async #shutDown(): Promise<void> {
    const { components, host } = this.#init
    const links = [...this.#links.values()]
    if (this.core.running) this.core.stop()
    components.events.removeEventListener('connection:open', this.#onConnectionOpen)
    components.events.removeEventListener('connection:close', this.#onConnectionClose)
    for (const link of links) link.close('stopping')
    await Promise.all(links.map((link) => link.ended))
    this.#tags.stop()
    await this.#connector.stop()
    await components.registrar.unhandle(FRAMES_PROTOCOL)
    await host?.stop()
  }

  #makeConnector(): Connector {
    const { components, mode } = this.#init
    const openLink = (connection: Connection, record: AdmissionRecord): void => this.#openLink(connection, record)
    const { core } = this
    if (mode.type === 'encrypter') {
      return new EncrypterConnector({ components, core, admissions: mode.admissions, openLink })
    }
    return new HelloConnector(
      { components, core, admissions: new Admissions(), gate: mode.gate, openLink },
      this.#onFramesStream
    )
  }

  #openLink(connection: Connection, record: AdmissionRecord): void {
    if (!this.core.running || connection.status !== 'open') return
    const before = this.#links.get(connection)
    // In a host's node both sides may have asked on one connection, and a transport may start anew on it.
    if (before?.instance === record.instance) return
    before?.abort('the peer restarted')
    const link = new FramesLink({
      connection,
      record,
      core: this.core,
      ownsConnection: this.#ownsConnections,
      onEnded: (ended) => {
        if (this.#links.get(connection) === ended) this.#links.delete(connection)
        this.#untag(connection.remotePeer)
      }
    })
    this.#links.set(connection, link)
    this.#tags.opened(connection.remotePeer)
    this.core.linkOpened(link)
    link.start()
  }

  #untag(peerId: PeerId): void {
    if (![...this.#links.keys()].some(({ remotePeer }) => remotePeer.equals(peerId))) this.#tags.ended(peerId)
  }

  readonly #onConnectionOpen = ({ detail }: CustomEvent<Connection>): void => {
    this.#guarded('taking a connection', () => this.#connector.connected(detail))
    const { mode } = this.#init
    if (mode.type === 'encrypter') this.#guarded('looking at the door', () => mode.door.left(detail.timeline))
  }

  readonly #onConnectionClose = ({ detail }: CustomEvent<Connection>): void => {
    this.#guarded('dropping a connection', () => this.#connector.disconnected(detail))
  }

  readonly #onFramesStream = (stream: Stream, connection: Connection): void => {
    this.#guarded('taking a stream', () => {
      const link = this.#links.get(connection)
      if (link === undefined) this.#connector.early(stream, connection)
      else link.accept(stream)
    })
  }

  /** libp2p's listeners must not throw: it would end the process. */
  #guarded(doing: string, step: () => void): void {
    try {
      step()
    } catch (error) {
      this.core.report(error, doing)
    }
  }
}

/** The transport for a libp2p node that already exists: admission is a hello on its own stream. */
export function createHelloTransport(components: TransportComponents, init: HelloTransportInit): MeasuredTransport {
  return new Libp2pTransport({
    components,
    mode: { type: 'hello', gate: init.gate },
    limits: { ...defaultTransportLimits, ...init.limits },
    clock: init.clock ?? systemClock,
    onError: init.onError ?? logTo(components)
  })
}

export function logTo({ logger }: Pick<TransportComponents, 'logger'>): (error: unknown, doing: string) => void {
  const log = logger.forComponent('quorate:transport')
  return (error, doing) => log.error('%s - %e', doing, error)
}
