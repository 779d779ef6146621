/**
 * A node inside your own program: the whole library on one page.
 *
 *     node examples/embed.ts TOKEN DATA_DIR
 *
 * Run it once for each founding token (`quorate init` makes them).
 */
import { createNode } from 'quorate'

const [token, dataDir] = process.argv.slice(2) as [string, string]

// `interfaces` keeps mDNS on this machine; leave it out to look on every network.
await using node = await createNode({ token, dataDir, discovery: { mdns: { interfaces: ['lo'] }, seeds: [] } })
node.addEventListener('config', ({ detail }) => console.log('config', detail.version, 'by', detail.author))

const { leader, term } = await node.ready({ signal: AbortSignal.timeout(60_000) })
console.log('ready:', node.members().length, 'members,', leader, 'leads term', term)

// Compare-and-set: of several nodes that do this at once, one wins and the others learn which version is there.
const { version } = node.config.get()!
await node.config.set({ limit: 2 }, { ifVersion: version, reason: 'raise limit' }).catch(console.log)

console.log('the end of the input stops it (Ctrl-D)')
await new Promise((resolve) => process.stdin.once('end', resolve).resume())
