/**
 * Quorate in a minute: real processes that know nothing but a token find each other on this machine, found a cluster, elect a
 * leader and replicate a config. Then the leader is killed, the config is changed without it, it comes back and catches up,
 * and at the end everybody leaves in order.
 *
 *     node examples/demo/main.ts [--nodes 5] [--json] [--keep]
 *
 * Everything stays on the loopback interface. Exit codes: 0; 4 when a step missed its deadline; 130 when interrupted.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DemoError, wallNow } from './nodes.ts'
import { showJson, showPeople } from './show.ts'
import { tell } from './story.ts'

const HELP = `Usage: node examples/demo/main.ts [options]

Forms a cluster of real processes on this machine, kills its leader, and shows what happens.

  --nodes N       founding size, 3 to 9 (default 3)
  --static-seeds  do not try mDNS: give the nodes the address of the first
  --json          NDJSON of every event, and a summary at the end
  --keep          keep the nodes' data directories and print where they are
  --command FILE  the command's entry point (default bin/quorate.js, which needs npm run build)
  --help          show this help`

const NODES_MIN = 3
const NODES_MAX = 9

interface Options {
  readonly nodes: number
  readonly json: boolean
  readonly keep: boolean
  readonly staticSeeds: boolean
  readonly command: string
}

const OPTIONS = {
  nodes: { type: 'string', default: '3' },
  json: { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
  'static-seeds': { type: 'boolean', default: false },
  command: { type: 'string', default: fileURLToPath(new URL('../../bin/quorate.js', import.meta.url)) },
  help: { type: 'boolean', default: false }
} as const

function parsed(): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>> {
  try {
    return parseArgs({ options: OPTIONS })
  } catch (error) {
    // "Unknown option '--foo'. To specify …": the first sentence is what went wrong.
    const [what] = (error as Error).message.split('. ')
    throw new DemoError(`${what}\n\n${HELP}`, 2)
  }
}

function readOptions(): Options | undefined {
  const { values } = parsed()
  if (values.help) return undefined
  const nodes = Number(values.nodes)
  if (!Number.isInteger(nodes) || nodes < NODES_MIN || nodes > NODES_MAX) {
    throw new DemoError(`--nodes ${values.nodes} is not a whole number from ${NODES_MIN} to ${NODES_MAX}`, 2)
  }
  return { nodes, json: values.json, keep: values.keep, staticSeeds: values['static-seeds'], command: values.command }
}

async function main(): Promise<number> {
  const options = readOptions()
  if (options === undefined) {
    process.stdout.write(`${HELP}\n`)
    return 0
  }
  const show = options.json ? showJson(wallNow) : showPeople()
  const interrupt = new AbortController()
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143]
  ] as const) {
    process.on(signal, () => interrupt.abort(new DemoError(`interrupted by ${signal}`, code)))
  }
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    interrupt.abort(new DemoError('nobody reads the output any more', 141))
  })
  const folder = mkdtempSync(join(tmpdir(), 'quorate-demo-'))
  try {
    await tell({ ...options, folder, show, signal: interrupt.signal })
    return 0
  } catch (error) {
    if (!(error instanceof DemoError)) throw error
    show.failed(error.message, error.exitCode)
    return error.exitCode
  } finally {
    if (options.keep) show.note(`kept: ${folder}`)
    else rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`error: ${error instanceof DemoError ? error.message : String((error as Error).stack)}\n`)
  process.exitCode = error instanceof DemoError ? error.exitCode : 1
}
