/**
 * Quorate inside somebody else's libp2p node: `services: { quorum: quorum(init) }`.
 *
 * The host keeps its key, transports, limits and other protocols. Its encrypter is not ours, so admission runs as a hello on
 * a stream of its own before any other of our protocols is served. The node's identity is the host's key, which must be
 * Ed25519. Peers that the host discovers are hints, beside our own seeds, cache and mDNS.
 *
 * libp2p starts all services at once, before it listens: handlers are registered in `start`, and discovery begins when the
 * host has addresses. A host that was stopped may be started again, and so is the node, from its data directory.
 */
import type { Libp2pEvents, PeerInfo, PrivateKey, Startable } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import { InvalidOptionError } from '../core/errors.ts'
import { localKeyFromSeed, SEED_BYTES } from '../identity/signer.ts'
import type { TransportComponents } from '../transport/libp2p/types.ts'
import { assembleNode } from './assemble.ts'
import { NodeStoppedError } from './errors.ts'
import type { Node } from './node.ts'
import type { NodeInit, QuorateNode } from './types.ts'

/** As for `createNode`, without what belongs to the host. */
export type QuorumServiceInit = Omit<NodeInit, 'listen' | 'transports'>

export type QuorumComponents = TransportComponents & {
  readonly privateKey: PrivateKey
  readonly events: TypedEventTarget<Libp2pEvents>
}

/** The node's whole face; its methods throw NodeStoppedError before the host has started. */
export type QuorumService = QuorateNode & Startable

/** A libp2p service factory. */
export const quorum =
  (init: QuorumServiceInit) =>
  (components: QuorumComponents): QuorumService =>
    new Service(init, components)

class Service implements QuorateNode, Startable {
  readonly [Symbol.toStringTag] = 'quorate/quorum'
  readonly #init: QuorumServiceInit
  readonly #components: QuorumComponents
  readonly #events: EventTarget
  #stopped = endOfLife()
  /** Set from the start of the host to its stop. */
  #starting: Promise<void> | undefined
  #node: Node | undefined
  #seeking = false

  constructor(init: QuorumServiceInit, components: QuorumComponents) {
    this.#init = init
    this.#components = components
    this.#events = init.events ?? new EventTarget()
  }

  // ── libp2p's life cycle ─────────────────────────────────────────────────────────────────────────────────────────────

  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  async #start(): Promise<void> {
    const components = this.#components
    const node = await assembleNode(this.#init, {
      events: this.#events,
      key: hostKey(components.privateKey),
      async createTransport({ gate, limits, onError }) {
        const { createHelloTransport } = await import('../transport/libp2p/adapter.ts')
        return createHelloTransport(components, { gate, limits, onError })
      }
    })
    // Whoever waits for the end of a life before does not wait for this one's.
    if (this.#node !== undefined) this.#stopped = endOfLife()
    this.#node = node
    this.#seeking = false
    node.stopped.then(this.#stopped.resolve, this.#stopped.reject)
    await node.open()
    components.events.addEventListener('peer:discovery', this.#onDiscovery)
    components.events.addEventListener('transport:listening', this.#onListening)
  }

  /** Connections are still up: leadership can be handed over. */
  async beforeStop(): Promise<void> {
    this.#components.events.removeEventListener('peer:discovery', this.#onDiscovery)
    this.#components.events.removeEventListener('transport:listening', this.#onListening)
    await this.stop()
  }

  /** The host stops when one of its services cannot start, and the others are in the middle of it. */
  async stop(): Promise<void> {
    const starting = this.#starting
    await starting?.catch(() => {})
    await this.#node?.stop()
    if (this.#starting === starting) this.#starting = undefined
  }

  /** Listeners come up one by one, beside our own start; a host that only dials has none. */
  async afterStart(): Promise<void> {
    if (this.#components.addressManager.getListenAddrs().length === 0) await this.#seek()
  }

  readonly #onListening = (): void => {
    // A failure closes the node, which `stopped` and the `stopped` event report.
    this.#seek().catch(() => {})
  }

  async #seek(): Promise<void> {
    if (this.#seeking) return this.#node?.addressesChanged()
    this.#seeking = true
    await this.#node?.seek()
  }

  readonly #onDiscovery = ({ detail }: CustomEvent<PeerInfo>): void => {
    const addresses = detail.multiaddrs.map((address) => address.toString())
    if (addresses.length > 0) this.#node?.hint({ source: 'mdns', peerId: detail.id.toString(), addresses })
  }

  // ── The node ────────────────────────────────────────────────────────────────────────────────────────────────────────

  get #running(): Node {
    if (this.#node === undefined) throw new NodeStoppedError('the libp2p node has not been started')
    return this.#node
  }

  get peerId(): string {
    return this.#components.peerId.toString()
  }

  get domainId(): string {
    return this.#running.domainId
  }

  get clusterId(): string | undefined {
    return this.#node?.clusterId
  }

  get leader(): QuorateNode['leader'] {
    return this.#node?.leader
  }

  get config(): QuorateNode['config'] {
    return this.#running.config
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  get stopped(): Promise<void> {
    return this.#stopped.promise
  }

  readonly ready: QuorateNode['ready'] = (options) => this.#running.ready(options)
  readonly status: QuorateNode['status'] = () => this.#running.status()
  readonly members: QuorateNode['members'] = () => this.#running.members()
  readonly transfer: QuorateNode['transfer'] = (options) => this.#running.transfer(options)
  readonly promote: QuorateNode['promote'] = (...words) => this.#running.promote(...words)
  readonly demote: QuorateNode['demote'] = (...words) => this.#running.demote(...words)
  readonly remove: QuorateNode['remove'] = (...words) => this.#running.remove(...words)
  readonly replace: QuorateNode['replace'] = (...words) => this.#running.replace(...words)
  readonly leave: QuorateNode['leave'] = (options) => this.#running.leave(options)

  readonly addEventListener: QuorateNode['addEventListener'] = (name, listener) =>
    this.#events.addEventListener(name, listener as (event: Event) => void)

  readonly removeEventListener: QuorateNode['removeEventListener'] = (name, listener) =>
    this.#events.removeEventListener(name, listener as (event: Event) => void)
}

function endOfLife(): PromiseWithResolvers<void> {
  const end = Promise.withResolvers<void>()
  // Whoever does not ask must not be killed by an unhandled rejection.
  end.promise.catch(() => {})
  return end
}

function hostKey(privateKey: PrivateKey): ReturnType<typeof localKeyFromSeed> {
  if (privateKey.type !== 'Ed25519') {
    throw new InvalidOptionError(
      `the libp2p node has a key of type ${privateKey.type}; quorate identities are Ed25519`,
      {
        nextStep: 'Create the libp2p node with an Ed25519 private key.'
      }
    )
  }
  return localKeyFromSeed(privateKey.raw.subarray(0, SEED_BYTES))
}
