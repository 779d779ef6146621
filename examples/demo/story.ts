/** The chapters of the demo, in order. Each waits for events of the nodes, never for time to pass. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { controlClient } from '../../src/admin/index.ts'
import type { StampedNodeEvent } from '../../src/node/types.ts'
import { multicastWorks } from './multicast.ts'
import { DemoError, type DemoNode, Nodes, wallNow } from './nodes.ts'
import type { Show, Timing } from './show.ts'

export interface StoryInit {
  readonly nodes: number
  readonly staticSeeds: boolean
  readonly command: string
  readonly folder: string
  readonly show: Show
  readonly signal: AbortSignal
}

/** Generous: a busy machine with two cores runs all the nodes. */
const FORM_MS_MAX = 60_000
const FAIL_OVER_MS_MAX = 30_000
const CHANGE_MS_MAX = 30_000
const RETURN_MS_MAX = 60_000
const STOP_MS_MAX = 30_000

const CHANGED = { greeting: 'hello from the survivors' }

interface Story extends StoryInit {
  readonly cluster: Nodes
  readonly timings: Timing[]
  how: 'mdns' | 'static seeds'
}

export async function tell(init: StoryInit): Promise<void> {
  const cluster = new Nodes(
    Array.from({ length: init.nodes }, (_, i) => ({ name: `n${i + 1}`, dataDir: join(init.folder, `n${i + 1}`) })),
    [init.command],
    init.signal,
    (node, event) => onEvent(init.show, cluster, node, event)
  )
  const story: Story = { ...init, cluster, timings: [], how: 'mdns' }
  const killAll = (): void => cluster.killAll()
  // Also when something unforeseen throws past us.
  process.on('exit', killAll)
  try {
    await prepare(story)
    await form(story)
    const killed = await failOver(story)
    await changeConfig(story, killed)
    await comeBack(story, killed)
    await stopAll(story)
    init.show.summary(story.timings, { nodes: init.nodes, discovery: story.how, cluster: cluster.list[0]!.cluster })
  } finally {
    killAll()
    process.off('exit', killAll)
  }
}

// ── Before ────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function prepare({ show, nodes, folder, command, staticSeeds, ...story }: Story): Promise<void> {
  show.title(`quorate demo: ${nodes} processes, each with nothing but its token`)
  const documents = join(folder, 'documents')
  const init = ['init', '--name', 'demo', '--seats', String(nodes), '--out', documents, '--plaintext-key', '--json']
  await promisify(execFile)(process.execPath, [command, ...init]).catch((error: { readonly stderr?: string }) => {
    throw new DemoError(`quorate init failed: ${error.stderr ?? String(error)}`, 1)
  })
  story.how = 'mdns'
}
