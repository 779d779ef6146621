/**
 * Makes a node from options: the one place that picks adapters. Everything heavy (libp2p, mDNS) is loaded here, when a node
 * is made, so that importing the library and asking the command for help stay fast.
 */
import { systemClock } from '../core/clock.ts'
import { InvalidOptionError } from '../core/errors.ts'
import { systemRandom } from '../core/random.ts'
import { isTimingPreset, timingPresets } from '../config-init/index.ts'
import { agent, silentLogger } from './defaults.ts'
import { openHome } from './home.ts'
import { Node } from './node.ts'
import { createSources } from './sources.ts'
import type { NodeInit, QuorateNode } from './types.ts'

/**
 * Makes a node, opens its data directory and starts it. Resolves when it listens; `ready()` resolves when it has a leader and
 * the config. Errors: InvalidOptionError, NoCredentialError, CredentialMismatchError, DataDirLockedError, Storage…Error,
 * ListenFailedError.
 */
export async function createNode(init: NodeInit): Promise<QuorateNode> {
  const clock = systemClock
  const startedAt = clock.now()
  checkOptions(init)
  const { dataDir, token, genesis, timing, discovery, listen } = init
  const logger = init.logger ?? silentLogger
  const random = systemRandom()
  const home = await openHome({ dataDir, token, genesis, logger, clock, startedAt })
  const sources = createSources({ home, clock, random, logger, discovery })
  const node = new Node({
    home,
    clock,
    random,
    logger,
    agent,
    events: init.events ?? new EventTarget(),
    timing,
    async createTransport(gate) {
      const { createQuorateLibp2p } = await import('../transport/libp2p/create-libp2p.ts')
      const { transport } = await createQuorateLibp2p({
        seed: home.key.seed.reveal(),
        domainId: home.domainId,
        gate,
        ...(listen === undefined ? {} : { listen }),
        ...(init.transports === undefined ? {} : { transports: init.transports }),
        onError: (error, doing) => logger.warn({ error, doing }, 'the transport survived an error')
      })
      return transport
    },
    createSources: sources.create,
    rememberPeer: sources.remember
  })
  await node.start()
  return node
}

function checkOptions({ dataDir, timing }: NodeInit): void {
  if (dataDir.trim() === '') throw new InvalidOptionError('dataDir is empty: name a directory for key and log')
  if (timing !== undefined && !isTimingPreset(timing)) {
    throw new InvalidOptionError(`timing is ${String(timing)}; it is one of ${Object.keys(timingPresets).join(', ')}`)
  }
}
