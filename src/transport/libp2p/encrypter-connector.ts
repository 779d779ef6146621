/**
 * Our own libp2p node: admission has happened inside the encrypter when a connection opens.
 *
 * Dials go past libp2p's dial queue, straight to its transports: the queue tries one address of a peer at a time, joins parallel
 * dials to one peer into one, and adds addresses of its own store. We race addresses and know better which are fresh.
 */
import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import type { Attempt } from '../dialer.ts'
import { AdmissionBrokenError, AdmissionRefusedError } from '../errors.ts'
import type { TransportCore } from '../transport-core.ts'
import { refusedEvent } from './admission-encrypter.ts'
import type { AdmissionRecord, Admissions } from './admissions.ts'
import type { Connector } from './connector.ts'
import { withDeadline } from './deadline.ts'
import type { TransportComponents } from './types.ts'

export interface EncrypterConnectorInit {
  readonly components: TransportComponents
  readonly core: TransportCore
  readonly admissions: Admissions
  openLink(connection: Connection, record: AdmissionRecord): void
}

export class EncrypterConnector implements Connector {
  readonly #init: EncrypterConnectorInit

  constructor(init: EncrypterConnectorInit) {
    this.#init = init
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return Promise.resolve()
  }

  connected(connection: Connection): void {
    const record = this.#init.admissions.recall(connection.timeline)
    if (record === undefined) connection.abort(new Error('not admitted'))
    else if (connection.limits !== undefined) connection.abort(new Error('no consensus over a relay'))
    else this.#init.openLink(connection, record)
  }

  disconnected(): void {
    // The link hears it from the connection itself.
  }

  early(stream: Stream): void {
    stream.abort(new Error('not admitted'))
  }

  readonly attempt: Attempt = async (address, expected, { signal, whileConnecting, onReached }) => {
    const { components, core } = this.#init
    const target = withPeer(address, expected)
    const connecting = withDeadline(core.clock, core.limits.connectTimeoutMs)
    const given = new AbortController()
    const giveUp = (): void => given.abort()
    // Until somebody has answered, three things can end the attempt; after that only the first.
    const early = AbortSignal.any([connecting.signal, whileConnecting])
    early.addEventListener('abort', giveUp, { once: true })
    let refused: AdmissionRefusedError | undefined
    const onProgress = (event: { readonly type: string; readonly detail?: unknown }): void => {
      if (event.type === 'upgrader:encrypt-outbound-connection') {
        early.removeEventListener('abort', giveUp)
        onReached()
      }
      if (event.type === refusedEvent && event.detail instanceof AdmissionRefusedError) refused = event.detail
    }
    try {
      const connection = await components.transportManager.dial(target, {
        signal: AbortSignal.any([signal, given.signal]),
        onProgress
      })
      const peerId = connection.remotePeer.toString()
      // Not every transport gives the named PeerId to the handshake. The session is somebody's all the same, and stays.
      if (expected !== undefined && peerId !== expected) throw new Error(`${peerId} answers there`)
      if (!core.hasSession(peerId)) throw new AdmissionBrokenError('the connection closed right')
      return peerId
    } catch (error) {
      if (refused !== undefined) throw refused
      throw given.signal.aborted ? early.reason : error
    } finally {
      connecting.cancel()
      early.removeEventListener('abort', giveUp)
    }
  }
}

/** With the PeerId in the address the secure handshake fails when somebody else answers. */
export function withPeer(address: string, expected: string | undefined): Multiaddr {
  const target = multiaddr(address)
  const named = target.getComponents().findLast(({ name }) => name === 'p2p')?.value
  if (expected === undefined || named === expected) return target
  if (named !== undefined) throw new Error(`the address names ${named}, not ${expected}`)
  return target.encapsulate(`/p2p/${expected}`)
}
