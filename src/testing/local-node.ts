/** One place of a local cluster: a directory and a token, and the node that runs there now, if one does. */
import { createLibp2pTransport } from '../node/create-node.ts'
import { assembleNode } from '../node/assemble.ts'
import type { Logger, NodeInit, QuorateNode, SnapshotPolicy } from '../node/types.ts'
import type { LinkedTransport, LocalNetwork } from './network.ts'

export interface LocalNodeInit {
  readonly index: number
  readonly dataDir: string
  readonly token: string
  readonly network: LocalNetwork
  /** Addresses of the others. */
  readonly seeds: readonly string[]
  readonly priority: number | undefined
  readonly snapshots: Partial<SnapshotPolicy> | undefined
  readonly logger: Logger | undefined
  /** After every event of the node. */
  readonly onEvent: () => void
}

export class LocalNode {
  readonly #init: LocalNodeInit
  #node: QuorateNode | undefined
  #transport: LinkedTransport | undefined
  #isRunning = false

  constructor(init: LocalNodeInit) {
    this.#init = init
  }

  get index(): number {
    return this.#init.index
  }

  /** The node that runs here, or the last one that did. */
  get node(): QuorateNode {
    return this.#node!
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  /** Resolves when it listens. */
  async start(): Promise<QuorateNode> {
    const { index, dataDir, token, network, seeds, priority, snapshots, logger, onEvent } = this.#init
    const { memory } = await import('@libp2p/memory')
    this.#transport = undefined
    const events = new EventTarget()
    events.addEventListener('*', onEvent)
    const init: NodeInit = {
      dataDir,
      token,
      events,
      listen: [network.addressOf(index)],
      transports: [memory()],
      discovery: { mdns: false, seeds },
      ...(priority === undefined ? {} : { priority }),
      ...(snapshots === undefined ? {} : { snapshots }),
      ...(logger === undefined ? {} : { logger })
    }
    const node = await assembleNode(init, {
      events,
      createTransport: async (needs) => {
        const transport = await createLibp2pTransport(init, needs)
        this.#transport = network.connect(index, needs.home.key.signer.peerId, transport)
        return this.#transport
      }
    })
    this.#node = node
    this.#isRunning = true
    node.stopped.then(
      () => this.#ended(node),
      () => this.#ended(node)
    )
    await node.start()
    return node
  }

  async stop(): Promise<void> {
    if (!this.#isRunning) return
    this.#isRunning = false
    await this.node.stop()
  }

  /** As when the process is killed: no hand-over and no goodbye, its connections close. */
  async crash(): Promise<void> {
    if (!this.#isRunning) return
    this.#isRunning = false
    const severed = this.#transport?.crash()
    await this.node.stop()
    await severed
  }

  /** A node may also stop by itself. */
  #ended(node: QuorateNode): void {
    if (this.#node === node) this.#isRunning = false
    this.#init.onEvent()
  }
}
