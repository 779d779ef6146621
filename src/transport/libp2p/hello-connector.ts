/**
 * Somebody else's libp2p node: its encrypter is not ours, so admission is a hello on a stream of its own.
 *
 * The side that dialled a connection opens the hello stream as soon as the connection is open; either side may ask again later
 * (after a session was closed, or when the peer came to be admitted meanwhile). Until the exchange has said yes on both sides no
 * other protocol of ours is served on that connection: streams for frames wait, a few of them, and are reset if it says no.
 * The connection itself belongs to the host and stays, whatever the outcome.
 */
import type { Connection, Stream } from '@libp2p/interface'
import { messageOf } from '../../core/errors.ts'
import type { Attempt } from '../dialer.ts'
import { AdmissionBrokenError, AdmissionRefusedError } from '../errors.ts'
import { AdmissionExchange, gateFailed, type ExchangeOutcome } from '../exchange.ts'
import type { AdmissionGate } from '../gate.ts'
import { runExchange } from '../run-exchange.ts'
import type { TransportCore } from '../transport-core.ts'
import { recordOf, type AdmissionRecord, type Admissions } from './admissions.ts'
import type { Connector } from './connector.ts'
import { withDeadline } from './deadline.ts'
import { withPeer } from './encrypter-connector.ts'
import { FRAMES_STREAMS_MAX } from './frames-link.ts'
import { StreamDuplex } from './stream-duplex.ts'
import type { TransportComponents } from './types.ts'

/** Protocol id of the stream on which two nodes admit each other. */
export const HELLO_PROTOCOL = '/quorate/hello/1.0.0'

/** At a time, on one connection and in one direction. */
const HELLO_STREAMS_MAX = 2

/** What may wait on one stream for the end of an admission. */
const EARLY_BYTES_MAX = 256 * 1024

export interface HelloConnectorInit {
  readonly components: TransportComponents
  readonly core: TransportCore
  readonly admissions: Admissions
  readonly gate: AdmissionGate
  openLink(connection: Connection, record: AdmissionRecord): void
}

interface Pending {
  exchanges: number
  /** Streams for frames that came before our side of the exchange ended. */
  readonly streams: Stream[]
}

export class HelloConnector implements Connector {
  readonly #init: HelloConnectorInit
  readonly #pending = new Map<Connection, Pending>()
  readonly #asking = new Map<Connection, Promise<void>>()
  /** Streams whose admission is over and that wait for their link. */
  readonly #adopt: (stream: Stream, connection: Connection) => void

  constructor(init: HelloConnectorInit, adopt: (stream: Stream, connection: Connection) => void) {
    this.#init = init
    this.#adopt = adopt
  }

  async start(): Promise<void> {
    const { components, core } = this.#init
    await components.registrar.handle(
      HELLO_PROTOCOL,
      (stream, connection) => {
        this.#exchange(stream, connection).catch((error: unknown) => {
          core.report(error, `admitting ${connection.remotePeer.toString()}`)
        })
      },
      { maxInboundStreams: HELLO_STREAMS_MAX, maxOutboundStreams: HELLO_STREAMS_MAX }
    )
    for (const connection of components.connectionManager.getConnections()) this.connected(connection)
  }

  async stop(): Promise<void> {
    await this.#init.components.registrar.unhandle(HELLO_PROTOCOL)
    for (const { streams } of this.#pending.values()) {
      for (const stream of streams) stream.abort(new Error('stopping'))
    }
  }

  connected(connection: Connection): void {
    if (connection.direction !== 'outbound' || connection.limits !== undefined) return
    this.#ask(connection).catch((error: unknown) => {
      // Most peers of a host know nothing of us.
      if (!isUnsupported(error)) this.#init.core.report(error, `greeting ${connection.remotePeer.toString()}`)
    })
  }

  disconnected(connection: Connection): void {
    this.#pending.delete(connection)
  }

  early(stream: Stream, connection: Connection): void {
    const pending = this.#pending.get(connection)
    if (pending === undefined || pending.streams.length >= FRAMES_STREAMS_MAX) stream.abort(new Error('not admitted'))
    else {
      pending.streams.push(stream)
      stream.maxReadBufferLength = EARLY_BYTES_MAX
    }
  }

  readonly attempt: Attempt = async (address, expected, { signal, whileConnecting, onReached }) => {
    const { components } = this.#init
    for (let again = true; ; again = false) {
      const connection = await components.connectionManager.openConnection(withPeer(address, expected), {
        signal: AbortSignal.any([signal, whileConnecting])
      })
      onReached()
      try {
        return await this.#sessionOn(connection)
      } catch (error) {
        // libp2p reuses connections, also one that is just closing.
        if (again && connection.status !== 'open' && !(error instanceof AdmissionRefusedError)) continue
        if (isUnsupported(error)) throw new Error(`the peer does not speak ${HELLO_PROTOCOL}`, { cause: error })
        // Some of libp2p's promises reject with an event.
        throw error instanceof Error ? error : new AdmissionBrokenError('the connection closed')
      }
    }
  }

  async #sessionOn(connection: Connection): Promise<string> {
    const { core } = this.#init
    const peerId = connection.remotePeer.toString()
    if (core.hasSession(peerId)) return peerId
    if (connection.limits !== undefined) throw new Error('no consensus over a relay')
    await this.#ask(connection)
    if (!core.hasSession(peerId)) throw new AdmissionBrokenError('the session closed right')
    return peerId
  }

  /** One question at a time on a connection; whoever asks meanwhile gets the same answer. */
  #ask(connection: Connection): Promise<void> {
    const asked = this.#asking.get(connection)
    if (asked !== undefined) return asked
    const asking = this.#askNow(connection).finally(() => this.#asking.delete(connection))
    this.#asking.set(connection, asking)
    return asking
  }

  async #askNow(connection: Connection): Promise<void> {
    const { core } = this.#init
    const deadline = withDeadline(core.clock, core.limits.admissionDeadlineMs)
    try {
      const stream = await connection.newStream(HELLO_PROTOCOL, {
        signal: deadline.signal,
        maxOutboundStreams: HELLO_STREAMS_MAX
      })
      if (stream.status !== 'open') throw new AdmissionBrokenError('the peer reset the stream')
      const refused = await this.#exchange(stream, connection)
      if (refused !== undefined) throw refused
    } finally {
      deadline.cancel()
    }
  }

  /** Opens the link, or gives the refusal. */
  async #exchange(stream: Stream, connection: Connection): Promise<AdmissionRefusedError | undefined> {
    const { core, admissions } = this.#init
    const pending = this.#begin(connection)
    const dialledByUs = connection.direction === 'outbound'
    const sequence = dialledByUs ? admissions.nextSequence() : 0
    try {
      const outcome = await this.#run(stream, connection, sequence)
      if (outcome.type === 'refused') {
        stream.abort(new Error('refused'))
        return core.refused(outcome, connection.remotePeer.toString(), connection.remoteAddr.toString())
      }
      stream.close().catch((error: unknown) => core.report(error, 'closing a hello stream'))
      if (connection.status !== 'open') throw new AdmissionBrokenError('the connection closed right')
      this.#init.openLink(connection, recordOf(outcome, dialledByUs, sequence))
      return undefined
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(messageOf(error)))
      throw error
    } finally {
      this.#finish(connection, pending)
    }
  }

  async #run(stream: Stream, connection: Connection, sequence: number): Promise<ExchangeOutcome> {
    const { core, admissions, gate } = this.#init
    const remotePeerId = connection.remotePeer.toString()
    const exchange = new AdmissionExchange({ gate, remotePeerId, instance: admissions.instance, sequence })
    try {
      return await runExchange(new StreamDuplex(stream), exchange, {
        clock: core.clock,
        bytesMax: core.limits.admissionBytesMax,
        deadlineMs: core.limits.admissionDeadlineMs
      })
    } catch (error) {
      if (error instanceof AdmissionBrokenError) throw error
      core.report(error, `judging ${remotePeerId}`)
      return { type: 'refused', ours: gateFailed(error), theirs: undefined }
    }
  }

  #begin(connection: Connection): Pending {
    const pending = this.#pending.get(connection) ?? { exchanges: 0, streams: [] }
    pending.exchanges += 1
    this.#pending.set(connection, pending)
    return pending
  }

  #finish(connection: Connection, pending: Pending): void {
    pending.exchanges -= 1
    if (pending.exchanges > 0) return
    this.#pending.delete(connection)
    for (const stream of pending.streams) this.#adopt(stream, connection)
  }
}

const isUnsupported = (error: unknown): boolean => error instanceof Error && error.name === 'UnsupportedProtocolError'
