/**
 * Makes a node from options, on a libp2p node of its own. libp2p and mDNS are loaded here, when a node is made, so that
 * importing the library and asking the command for help stay fast.
 */
import { assembleNode } from './assemble.ts'
import type { NodeInit, QuorateNode } from './types.ts'

/**
 * Makes a node, opens its data directory and starts it. Resolves when it listens; `ready()` resolves when it has a leader and
 * the config. Errors: InvalidOptionError, NoCredentialError, CredentialMismatchError, DataDirLockedError, Storage…Error,
 * ListenFailedError.
 */
export async function createNode(init: NodeInit): Promise<QuorateNode> {
  const node = await assembleNode(init, {
    events: init.events ?? new EventTarget(),
    async createTransport({ home, gate, limits, onError }) {
      const { createQuorateLibp2p } = await import('../transport/libp2p/create-libp2p.ts')
      const { transport } = await createQuorateLibp2p({
        seed: home.key.seed.reveal(),
        domainId: home.domainId,
        gate,
        limits,
        onError,
        ...(init.listen === undefined ? {} : { listen: init.listen }),
        ...(init.transports === undefined ? {} : { transports: init.transports })
      })
      return transport
    }
  })
  await node.start()
  return node
}
