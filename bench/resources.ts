/**
 * What a node costs: `node bench/resources.ts [--rounds 10]`.
 *
 * - start: Node alone, the imports of libp2p and of us (compiled code cached, as the command does it; we import libp2p when
 *   a node is made), and from the start of the process until it listens, on an empty data directory;
 * - idle: three nodes on loopback with a leader and nothing to do, a minute after their start: resident memory, and processor time
 *   over half a minute;
 * - in one process: what five more nodes over the memory transport add, with the links between them.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { processCost } from './kit/machine.ts'
import type { MemoryReport } from './kit/memory-child.ts'
import { options, Report } from './kit/report.ts'
import { leaderOf } from './kit/rounds.ts'
import { figure, QUANTILES, quantileCells } from './kit/stats.ts'
import { Yard, wallNow } from './kit/yard.ts'

/** The kernel counts processor time in hundredths of a second: in ten seconds a tenth of a percent would be within its rounding. */
const IDLE_MS = 30_000
/** At 14 heartbeats a second, V8 compiles most of what runs in the first minute, and goes on for some five. */
const SETTLE_MS = 60_000
const HERE = fileURLToPath(new URL('.', import.meta.url))

/** From the start of a process to its end, ms. */
async function runOnce(code: string): Promise<number> {
  const at = wallNow()
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { cwd: HERE, stdio: 'inherit' })
  const status = await new Promise((resolve) => void child.once('close', resolve))
  if (status !== 0) throw new Error(`a child ended with ${String(status)}`)
  return wallNow() - at
}

const CACHE = "(await import('node:module')).enableCompileCache();"
const LIBP2P = ['libp2p', '@libp2p/tcp', '@libp2p/identify', '@chainsafe/libp2p-noise', '@chainsafe/libp2p-yamux']
const STARTS: readonly (readonly [string, string])[] = [
  ['Node alone', ''],
  ['Node and libp2p', `${CACHE}${LIBP2P.map((name) => `await import('${name}');`).join('')}`],
  ['Node and quorate (libp2p comes later)', `${CACHE}await import('quorate')`]
]

async function starts(report: Report, rounds: number): Promise<string[][]> {
  const rows: string[][] = []
  for (const [name, code] of STARTS) {
    // The first fills the cache of compiled code.
    await runOnce(code)
    const values: number[] = []
    for (let i = 0; i < rounds; i++) values.push(await runOnce(code))
    report.series({ what: name, unit: 'ms' }, values)
    rows.push([name, ...quantileCells(values)])
  }
  const first: number[] = []
  const listening: number[] = []
  for (let i = 0; i < rounds; i++) {
    const yard = new Yard({ size: 3, discovery: 'seeds' })
    try {
      await yard.prepare()
      const life = yard.start(0)
      const { at } = await life.until('listening')
      first.push(life.events[0]!.at - life.startedAt)
      listening.push(at - life.startedAt)
    } finally {
      await yard.close()
    }
  }
  report.series({ what: 'quorate up, first event', unit: 'ms' }, first)
  report.series({ what: 'quorate up, listening', unit: 'ms' }, listening)
  rows.push(['quorate up, first event', ...quantileCells(first)])
  rows.push(['quorate up, listening', ...quantileCells(listening)])
  return rows
}

async function idle(report: Report): Promise<string[][]> {
  if (process.platform !== 'linux') return []
  const yard = new Yard({ size: 3, discovery: 'seeds' })
  try {
    await yard.prepare()
    await yard.startAll()
    const leader = await leaderOf(yard)
    // Compilation and collection after the start are not what idling costs.
    await passed(SETTLE_MS)
    const before = yard.lives.map(({ child }) => processCost(child.pid!).cpuMs)
    await passed(IDLE_MS)
    return yard.lives.map((life, i) => {
      const { cpuMs, residentMiB } = processCost(life.child.pid!)
      const share = (cpuMs - before[i]!) / IDLE_MS
      const role = life === leader ? 'leader' : 'follower'
      report.result({ what: 'idle', role, cpuShare: share, residentMiB })
      return [role, figure(residentMiB), `${(share * 100).toFixed(2)} %`]
    })
  } finally {
    await yard.close()
  }
}

async function inOneProcess(report: Report): Promise<string[][]> {
  const path = mkdtempSync(join(tmpdir(), 'quorate-bench-'))
  const child = fork(join(HERE, 'kit/memory-child.ts'), [path], { execArgv: ['--expose-gc'] })
  try {
    const reports = await message(child)
    return reports.slice(1).map(({ nodes, heapBytes, residentBytes }, i) => {
      const before = reports[i]!
      const added = nodes - before.nodes
      const heapKiB = (heapBytes - before.heapBytes) / added / 1024
      const residentKiB = (residentBytes - before.residentBytes) / added / 1024
      report.result({ what: 'node in one process', nodes, heapKiB, residentKiB })
      return [`${before.nodes} to ${nodes}`, figure(heapKiB), figure(residentKiB)]
    })
  } finally {
    child.kill('SIGKILL')
    rmSync(path, { recursive: true, force: true })
  }
}

function message(child: ChildProcess): Promise<readonly MemoryReport[]> {
  return new Promise((resolve, reject) => {
    child.once('message', (reports) => resolve(reports as readonly MemoryReport[]))
    child.once('exit', (code) => reject(new Error(`a child ended with ${String(code)}`)))
  })
}

const passed = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

const chosen = options({ rounds: 10 })
const report = new Report('resources', chosen)
report.table('Milliseconds from the start of the process', ['until', ...QUANTILES], await starts(report, chosen.rounds))
report.table('Idle, 3 nodes', ['role', 'resident MiB', 'of one core'], await idle(report))
report.table('One more node in a process, KiB', ['nodes', 'heap', 'resident'], await inOneProcess(report))
report.end()
