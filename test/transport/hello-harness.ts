/** Nodes whose libp2p belongs to somebody else: plain Noise, and our transport as a guest. */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { createLibp2p, type Libp2p } from 'libp2p'
import type { TransportHarness } from '../../src/conformance/transport.ts'
import { createHelloTransport } from '../../src/transport/libp2p/adapter.ts'
import type { TransportComponents } from '../../src/transport/libp2p/types.ts'
import type { MeasuredTransport } from '../../src/transport/port.ts'
import { seedOf, type Libp2pHarnessInit } from './harness.ts'

export async function hostNode(name: string, listen: string, transports: NonNullable<Libp2pHarnessInit['transports']>) {
  let components: TransportComponents | undefined
  const libp2p = await createLibp2p({
    privateKey: await generateKeyPairFromSeed('Ed25519', seedOf(name)),
    addresses: { listen: [listen] },
    transports: [...transports],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      guest: (all: TransportComponents) => {
        components = all
        return {}
      }
    }
  })
  return { libp2p: libp2p as Libp2p, components: components! }
}

export interface HelloHarness extends TransportHarness {
  readonly errors: string[]
  readonly hosts: ReadonlyMap<string, Libp2p>
}

export function helloHarness(init: Required<Libp2pHarnessInit>): Promise<HelloHarness> {
  const hosts = new Map<string, Libp2p>()
  const guests: MeasuredTransport[] = []
  const errors: string[] = []
  return Promise.resolve({
    errors,
    hosts,
    async node(name, gate, limits = {}) {
      await hosts.get(name)?.stop()
      const { libp2p, components } = await hostNode(name, init.listen(name), init.transports)
      hosts.set(name, libp2p)
      const transport = createHelloTransport(components, {
        gate,
        limits,
        onError: (error, doing) => errors.push(`${name}, ${doing}: ${String(error)}`)
      })
      guests.push(transport)
      return { peerId: libp2p.peerId.toString(), transport }
    },
    deadAddress: () => init.deadAddress,
    async dispose() {
      await Promise.all(guests.map((guest) => guest.stop()))
      await Promise.all(Array.from(hosts.values(), async (host) => host.stop()))
    }
  })
}
