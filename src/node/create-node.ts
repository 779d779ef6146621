/**
 * Makes a node from options, on a libp2p node of its own. libp2p and mDNS are loaded here, when a node is made, so that
 * importing the library and asking the command for help stay fast.
 */
import type { Transport } from '../transport/port.ts'
import { assembleNode, type TransportNeeds } from './assemble.ts'
import { checkOptions } from './check-options.ts'
import type { NodeInit, QuorateNode } from './types.ts'

/**
 * Makes a node, opens its data directory and starts it. Resolves when it listens; `ready()` resolves when it has a leader and
 * the config. Errors: InvalidOptionError, NoCredentialError, CredentialMismatchError, DataDirLockedError, Storage…Error,
 * ListenFailedError.
 */
export async function createNode(init: NodeInit): Promise<QuorateNode> {
  checkOptions(init)
  const node = await assembleNode(init, {
    events: init.events ?? new EventTarget(),
    createTransport: (needs) => createLibp2pTransport(init, needs)
  })
  await node.start()
  return node
}

/** A libp2p node with the identity of this home, as the options say. */
export async function createLibp2pTransport(
  { listen, transports }: Pick<NodeInit, 'listen' | 'transports'>,
  { home, gate, limits, onError }: TransportNeeds
): Promise<Transport> {
  const { createQuorateLibp2p } = await import('../transport/libp2p/create-libp2p.ts')
  const { transport } = await createQuorateLibp2p({
    seed: home.key.seed.reveal(),
    domainId: home.domainId,
    gate,
    limits,
    onError,
    ...(listen === undefined ? {} : { listen }),
    ...(transports === undefined ? {} : { transports })
  })
  return transport
}
