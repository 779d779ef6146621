/**
 * A node inside your own program: the whole library on one page.
 *
 *     node examples/embed.ts TOKEN DATA_DIR
 *
 * Run it once for each founding token (`quorate init` makes them). This example looks for the others on loopback; leave
 * `interfaces` out to look on every network of the machine.
 */
import { createNode } from 'quorate'

const [token, dataDir] = process.argv.slice(2) as [string, string]

await using node = await createNode({ token, dataDir, discovery: { mdns: { interfaces: ['lo'] }, seeds: [] } })
node.addEventListener('leader', ({ detail }) => console.log('leader event', detail))

const { leader, term } = await node.ready({ signal: AbortSignal.timeout(60_000) })
console.log('leader', leader, 'in term', term)
console.log('members', node.members().length)

const config = node.config.get()!
console.log('config', config.version, config.hash, JSON.stringify(config.value))

// Compare-and-set: of several nodes that do this at once, one wins and the others learn which version is there.
try {
  await node.config.set({ limit: 2, by: node.peerId }, { ifVersion: config.version, reason: 'raise limit' })
} catch (error) {
  console.log((error as Error).name, (error as Error).message)
}
console.log('agreed', node.config.get()!.version >= 2 || (await changed(node)))

await new Promise((resolve) => process.stdin.once('end', resolve).resume())

function changed(from: typeof node): Promise<boolean> {
  return new Promise((resolve) => from.addEventListener('config', () => resolve(true)))
}
