/**
 * No multicast: three nodes find each other through static seeds. Only the first has a known address; whoever reaches it is
 * told where the others are.
 *
 *     node examples/static-seeds.ts
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGenesis, createNode, createToken, generateLocalKey } from 'quorate'

const folder = await mkdtemp(join(tmpdir(), 'quorate-seeds-'))

// What `quorate init` does, from code: an issuer signs the genesis and one token for each founding seat.
const issuer = generateLocalKey().signer
const genesis = await createGenesis({ name: 'seeds', foundingSize: 3, config: { limit: 1 }, createdAtMs: Date.now() }, [
  issuer
])
const tokenFor = async (seat: number): Promise<string> => {
  const { text } = await createToken(genesis, [issuer], { grant: { kind: 'founding', seat } })
  return new TextDecoder().decode(text.reveal())
}

const listen = ['/ip4/127.0.0.1/tcp/0']
const first = await createNode({
  token: await tokenFor(1),
  dataDir: join(folder, 'node-1'),
  listen,
  discovery: { mdns: false }
})
const seeds = first.status().addresses
const others = await Promise.all(
  [2, 3].map(async (seat) =>
    createNode({
      token: await tokenFor(seat),
      dataDir: join(folder, `node-${seat}`),
      listen,
      discovery: { mdns: false, seeds }
    })
  )
)

const nodes = [first, ...others]
const ready = await Promise.all(nodes.map((node) => node.ready({ signal: AbortSignal.timeout(60_000) })))
console.log('one cluster:', new Set(nodes.map((node) => node.clusterId)).size === 1)
console.log('one config:', new Set(ready.map(({ configHash }) => configHash)).size === 1)

for (const node of nodes) await node.stop()
await rm(folder, { recursive: true })
