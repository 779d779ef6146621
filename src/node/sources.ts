/** Where a node looks for others, from its options: known peers, seeds, mDNS. mDNS is loaded when it is wanted. */
import { toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import type { Random } from '../core/random.ts'
import { createPeerCache } from '../discovery/peer-cache.ts'
import type { Discovery } from '../discovery/port.ts'
import { createSeeds } from '../discovery/seeds.ts'
import type { Home } from './home.ts'
import type { DiscoveryInit, Logger } from './types.ts'

export interface SourcesInit {
  readonly home: Home
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly discovery: DiscoveryInit | undefined
}

export interface Sources {
  create(addresses: () => readonly string[]): Promise<readonly Discovery[]>
  /** For the next start. */
  remember(peerId: string, addresses: readonly string[]): void
}

export function createSources({ home, clock, random, logger, discovery }: SourcesInit): Sources {
  const cache = createPeerCache({ path: home.pathOf('peers'), clock, logger })
  const [inProcess, onNetwork] = partition(discovery?.seeds ?? [], (seed) => seed.startsWith('/memory/'))
  const seeds = createSeeds(onNetwork, { clock, random: random.fork('seeds') })
  const mdns = discovery?.mdns ?? true
  return {
    remember: (peerId, addresses) => cache.remember({ peerId, addresses }),
    async create(addresses) {
      const known = [cache, seeds, inProcessSeeds(inProcess)]
      if (mdns === false) return known
      const { createMdns, serviceTagOf } = await import('../discovery/mdns/index.ts')
      const interfaces = mdns === true ? undefined : mdns.interfaces
      const multicast = createMdns({
        peerId: home.key.signer.peerId,
        addresses,
        serviceTag: serviceTagOf(toHex(home.domainId)),
        clock,
        random: random.fork('mdns'),
        ...(interfaces === undefined ? {} : { interfaces })
      })
      return [...known, multicast]
    }
  }
}

/** Seeds of libp2p's memory transport: names within this process, with nothing to resolve. */
function inProcessSeeds(addresses: readonly string[]): Discovery {
  return {
    async start({ onHint }) {
      for (const address of addresses) onHint({ source: 'seed', peerId: undefined, addresses: [address] })
    },
    async stop() {}
  }
}

function partition<T>(items: readonly T[], belongs: (item: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [items.filter(belongs), items.filter((item) => !belongs(item))]
}
