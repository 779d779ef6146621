/**
 * Five nodes in one process over libp2p's memory transport: for the integration tests of your own program.
 *
 *     node examples/one-process.ts
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memory } from '@libp2p/memory'
import { createGenesis, createNode, createToken, generateLocalKey } from 'quorate'

const folder = await mkdtemp(join(tmpdir(), 'quorate-memory-'))
const issuer = generateLocalKey().signer
const genesis = await createGenesis({ name: 'memory', foundingSize: 5, createdAtMs: Date.now() }, [issuer])
const addresses = [1, 2, 3, 4, 5].map((seat) => `/memory/quorate-${process.pid}-${seat}`)

const nodes = await Promise.all(
  addresses.map(async (address, i) => {
    const { text } = await createToken(genesis, [issuer], { grant: { kind: 'founding', seat: i + 1 } })
    return createNode({
      token: new TextDecoder().decode(text.reveal()),
      dataDir: join(folder, `node-${i + 1}`),
      listen: [address],
      transports: [memory()],
      discovery: { mdns: false, seeds: addresses.slice(0, 1) }
    })
  })
)

const ready = await Promise.all(nodes.map((node) => node.ready({ signal: AbortSignal.timeout(60_000) })))
console.log('one cluster:', new Set(nodes.map((node) => node.clusterId)).size === 1)
console.log('one config:', new Set(ready.map(({ configHash }) => configHash)).size === 1)

for (const node of nodes) await node.stop()
await rm(folder, { recursive: true })
