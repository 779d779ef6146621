/**
 * Three nodes that know nothing but their tokens find each other by mDNS. Here on loopback, so that nothing leaves the
 * machine; without `interfaces` they look on every network.
 *
 *     node examples/mdns.ts
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGenesis, createNode, createToken, generateLocalKey } from 'quorate'

const folder = await mkdtemp(join(tmpdir(), 'quorate-mdns-'))
const issuer = generateLocalKey().signer
const genesis = await createGenesis({ name: 'mdns', foundingSize: 3, createdAtMs: Date.now() }, [issuer])

const nodes = await Promise.all(
  [1, 2, 3].map(async (seat) => {
    const { text } = await createToken(genesis, [issuer], { grant: { kind: 'founding', seat } })
    return createNode({
      token: new TextDecoder().decode(text.reveal()),
      dataDir: join(folder, `node-${seat}`),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      discovery: { mdns: { interfaces: ['lo'] } }
    })
  })
)

await Promise.all(nodes.map((node) => node.ready({ signal: AbortSignal.timeout(60_000) })))
console.log('one cluster:', new Set(nodes.map((node) => node.clusterId)).size === 1)
console.log('one leader:', new Set(nodes.map((node) => node.leader?.peerId)).size === 1)

for (const node of nodes) await node.stop()
await rm(folder, { recursive: true })
