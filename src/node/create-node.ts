/**
 * Makes a node from options: the one place that picks adapters. Everything heavy (libp2p, mDNS) is loaded here, when a node
 * is made, so that importing the library and asking the command for help stay fast.
 */
import { systemClock } from '../core/clock.ts'
import { InvalidOptionError } from '../core/errors.ts'
import { systemRandom } from '../core/random.ts'
import { isTimingPreset, timingPresets } from '../config-init/index.ts'
import type { Discovery } from '../discovery/port.ts'
import { createPeerCache } from '../discovery/peer-cache.ts'
import { createSeeds } from '../discovery/seeds.ts'
import { toHex } from '../core/bytes.ts'
import { openHome } from './home.ts'
import { Node } from './node.ts'
import type { NodeInit, QuorateNode } from './types.ts'
import { agent, silentLogger } from './defaults.ts'

/**
 * Makes a node, opens its data directory and starts it. Resolves when it listens; `ready()` resolves when it has a leader and
 * the config. Errors: InvalidOptionError, NoCredentialError, CredentialMismatchError, DataDirLockedError, Storage…Error,
 * ListenFailedError.
 */
export async function createNode(init: NodeInit): Promise<QuorateNode> {
  checkOptions(init)
  const logger = init.logger ?? silentLogger
  const clock = systemClock
  const random = systemRandom()
  const home = await openHome({ dataDir: init.dataDir, token: init.token, genesis: init.genesis, logger })
  const cache = createPeerCache({ path: home.pathOf('peers'), clock, logger })
  const seeds = createSeeds(init.discovery?.seeds ?? [], { clock, random: random.fork('seeds') })
  const mdns = init.discovery?.mdns ?? true
  const node = new Node({
    home,
    clock,
    random,
    logger,
    agent,
    timing: init.timing,
    async createTransport(gate) {
      const { createQuorateLibp2p } = await import('../transport/libp2p/create-libp2p.ts')
      const { transport } = await createQuorateLibp2p({
        seed: home.key.seed.reveal(),
        domainId: home.domainId,
        gate,
        ...(init.listen === undefined ? {} : { listen: init.listen }),
        onError: (error, doing) => logger.warn({ error, doing }, 'the transport survived an error')
      })
      return transport
    },
    async createSources(addresses) {
      const sources: Discovery[] = [cache, seeds]
      if (mdns !== false) {
        const { createMdns, serviceTagOf } = await import('../discovery/mdns/index.ts')
        const interfaces = mdns === true ? undefined : mdns.interfaces
        sources.push(
          createMdns({
            peerId: home.key.signer.peerId,
            addresses,
            serviceTag: serviceTagOf(toHex(home.domainId)),
            clock,
            random: random.fork('mdns'),
            ...(interfaces === undefined ? {} : { interfaces })
          })
        )
      }
      return sources
    },
    rememberPeer: (peerId, addresses) => cache.remember({ peerId, addresses })
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
