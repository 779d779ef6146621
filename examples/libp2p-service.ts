/**
 * In a libp2p node that you have already: one more service. The host keeps its key, its transports and its other protocols.
 *
 *     node examples/libp2p-service.ts
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { createGenesis, createToken, generateLocalKey, quorum } from 'quorate'

const folder = await mkdtemp(join(tmpdir(), 'quorate-service-'))
const issuer = generateLocalKey().signer
const genesis = await createGenesis({ name: 'service', foundingSize: 3, createdAtMs: Date.now() }, [issuer])

const start = async (seat: number) => {
  const { text } = await createToken(genesis, [issuer], { grant: { kind: 'founding', seat } })
  return createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      quorum: quorum({
        token: new TextDecoder().decode(text.reveal()),
        dataDir: join(folder, `node-${seat}`),
        discovery: { mdns: { interfaces: ['lo'] } }
      })
    }
  })
}

const hosts = await Promise.all([1, 2, 3].map(start))
const services = hosts.map(({ services: { quorum: service } }) => service)
const ready = await Promise.all(services.map((service) => service.ready({ signal: AbortSignal.timeout(60_000) })))
console.log('one cluster:', new Set(services.map((service) => service.clusterId)).size === 1)
console.log('one leader:', new Set(ready.map(({ leader }) => leader)).size === 1)

for (const host of hosts) await host.stop()
await rm(folder, { recursive: true })
