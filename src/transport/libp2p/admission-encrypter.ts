/**
 * Noise, then admission, then a connection.
 *
 * libp2p opens a connection once its encrypter has returned. So that is where we ask: after the Noise handshake has proved the
 * peer's key, and before libp2p knows of the connection, both sides show their credentials. A stranger's `dial()` rejects, with
 * our reason, and it sees no multiplexer and no protocol. The own protocol id makes a plain libp2p node fail in the
 * negotiation of protocols instead of in the middle of an exchange that it does not know.
 *
 * libp2p keeps only the text of an encrypter's error. A refusal therefore travels beside it: to the events of the transport,
 * and to the dial that caused it as a progress event (`refusedEvent`), which libp2p hands through untouched.
 *
 * See docs/decisions/0003-admission-in-the-encrypter.md.
 */
import {
  serviceCapabilities,
  type ConnectionEncrypter,
  type MessageStream,
  type PeerId,
  type SecureConnectionOptions,
  type SecuredConnection
} from '@libp2p/interface'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { AdmissionRefusedError, type AdmissionBrokenError } from '../errors.ts'
import { AdmissionExchange, gateFailed, type ExchangeOutcome } from '../exchange.ts'
import type { AdmissionGate, Refusal } from '../gate.ts'
import type { TransportLimits } from '../port.ts'
import { runExchange } from '../run-exchange.ts'
import { recordOf, type Admissions } from './admissions.ts'
import { shortWayOn } from './short-way.ts'
import { SocketEnd } from './socket-end.ts'
import { StreamDuplex } from './stream-duplex.ts'
import { gatherWrites, spareEvents } from './thrift.ts'

/** Protocol id of the secure channel, in place of `/noise`. */
export const QUORATE_NOISE_PROTOCOL = '/quorate/noise/1.0.0'

/** Type of the progress event that carries an AdmissionRefusedError to whoever dialled. */
export const refusedEvent = 'quorate:refused'

export interface AdmissionInit {
  readonly gate: AdmissionGate
  readonly admissions: Admissions
  readonly limits: Pick<TransportLimits, 'admissionBytesMax' | 'admissionDeadlineMs'>
  readonly clock: Clock
  /** The peer behind this timeline has been admitted. */
  onAdmitted(timeline: object): void
  onRefused(
    outcome: ExchangeOutcome & { readonly type: 'refused' },
    peerId: string | undefined,
    address: string | undefined
  ): AdmissionRefusedError
  onError(error: unknown, doing: string): void
}

type Components = { readonly peerId: PeerId }

/** Wraps an encrypter factory, such as `noise({ prologueBytes: domainId })`. */
export function admission<C extends Components>(
  encrypter: (components: C) => ConnectionEncrypter,
  init: AdmissionInit
): (components: C) => ConnectionEncrypter {
  return (components) => new AdmissionEncrypter(encrypter(components), components.peerId.toString(), init)
}

interface Asked extends SecureConnectionOptions {
  onProgress?: (event: Event) => void
}

class AdmissionEncrypter implements ConnectionEncrypter {
  readonly protocol = QUORATE_NOISE_PROTOCOL
  readonly [Symbol.toStringTag] = 'quorate-admission'
  readonly [serviceCapabilities]: readonly string[] = ['@libp2p/connection-encryption']
  readonly #inner: ConnectionEncrypter
  readonly #self: string
  readonly #init: AdmissionInit

  constructor(inner: ConnectionEncrypter, self: string, init: AdmissionInit) {
    this.#inner = inner
    this.#self = self
    this.#init = init
  }

  async secureOutbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    let secured: SecuredConnection
    const socketEnd = new SocketEnd(connection, this.#init.clock)
    thrifty(connection)
    try {
      secured = await this.#inner.secureOutbound(connection, options)
    } catch (error) {
      const refusal = foreignDomain(error)
      if (refusal === undefined) throw error
      throw this.#refused({ type: 'refused', ours: refusal, theirs: undefined }, undefined, connection, options)
    }
    return this.#admit(connection, secured, socketEnd, true, options)
  }

  async secureInbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    let secured: SecuredConnection
    const socketEnd = new SocketEnd(connection, this.#init.clock)
    thrifty(connection)
    try {
      secured = await this.#inner.secureInbound(connection, options)
    } catch (error) {
      if (options?.signal?.aborted === true) throw error
      throw this.#refused(
        { type: 'refused', ours: undefined, theirs: brokenOff(error) },
        undefined,
        connection,
        options
      )
    }
    return this.#admit(connection, secured, socketEnd, false, options)
  }

  async #admit(
    connection: MessageStream,
    secured: SecuredConnection,
    socketEnd: SocketEnd,
    dialledByUs: boolean,
    options: SecureConnectionOptions | undefined
  ): Promise<SecuredConnection> {
    const { admissions } = this.#init
    spareEvents(secured.connection)
    const shortWay = shortWayOn(connection, secured.connection)
    const remotePeerId = secured.remotePeer.toString()
    const sequence = dialledByUs ? admissions.nextSequence() : 0
    const outcome = await this.#exchange(secured.connection, remotePeerId, sequence, options?.signal)
    if (outcome.type === 'refused') throw this.#refused(outcome, remotePeerId, connection, options)
    admissions.remember(connection.timeline, recordOf(outcome, dialledByUs, sequence, { socketEnd, shortWay }))
    this.#init.onAdmitted(connection.timeline)
    shortWay?.open()
    return secured
  }

  async #exchange(
    stream: MessageStream,
    remotePeerId: string,
    sequence: number,
    signal: AbortSignal | undefined
  ): Promise<ExchangeOutcome> {
    if (remotePeerId === this.#self) {
      return { type: 'refused', ours: { code: 'self', detail: 'this is our own address' }, theirs: undefined }
    }
    const { gate, admissions, clock, limits } = this.#init
    const exchange = new AdmissionExchange({ gate, remotePeerId, instance: admissions.instance, sequence })
    try {
      return await runExchange(new StreamDuplex(stream), exchange, {
        clock,
        bytesMax: limits.admissionBytesMax,
        deadlineMs: limits.admissionDeadlineMs,
        signal
      })
    } catch (error) {
      if (isBroken(error) || signal?.aborted === true) throw error
      this.#init.onError(error, `judging ${remotePeerId}`)
      return { type: 'refused', ours: gateFailed(error), theirs: undefined }
    }
  }

  #refused(
    outcome: ExchangeOutcome & { readonly type: 'refused' },
    peerId: string | undefined,
    connection: MessageStream,
    options: Asked | undefined
  ): AdmissionRefusedError {
    const error = this.#init.onRefused(outcome, peerId, addressOf(connection))
    options?.onProgress?.(new CustomEvent(refusedEvent, { detail: error }))
    return error
  }
}

function thrifty(connection: MessageStream): void {
  gatherWrites(connection)
  spareEvents(connection)
}

const isBroken = (error: unknown): error is AdmissionBrokenError =>
  error instanceof Error && error.name === 'AdmissionBrokenError'

/** The encrypter is given a socket, whose type is said to be a mere stream. */
function addressOf(connection: MessageStream): string | undefined {
  const { remoteAddr } = connection as { remoteAddr?: { toString(): string } }
  return remoteAddr?.toString()
}

/** The initiator of Noise XX can tell: the responder's first message does not decrypt when the prologues differ. */
function foreignDomain(error: unknown): Refusal | undefined {
  if (!(error instanceof Error) || !error.message.startsWith('handshake stage 1 validation fail')) return undefined
  return {
    code: 'foreign-domain',
    detail: 'it cannot be talked to with the genesis or token that this node has: it belongs to another cluster'
  }
}

/**
 * The responder cannot tell: all that it sees is a peer that chose our protocol and hung up in the middle of the handshake. Nearly
 * always that is a node of another domain, which could not decrypt our message; a crash looks the same.
 */
function brokenOff(error: unknown): Refusal {
  return {
    code: 'foreign-domain',
    detail: `it broke off before it said who it is, as a node of another cluster does (${messageOf(error)})`
  }
}
