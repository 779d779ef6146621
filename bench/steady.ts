/**
 * Nothing fails, so nobody may be elected: `node bench/steady.ts [--minutes 10] [--only idle,busy,writes]`. Three processes, preset
 * `lan`; ten minutes with nothing to do, then ten minutes of 64 writes in flight through the leader's control socket while a
 * process for each core does nothing but compute. `writes` is the same without those, and runs only when it is named. Every
 * change of the leader, and every doubt about it, is counted: the first must be 0. Ends with code 1 when it is not.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { controlClient } from '../src/admin/index.ts'
import { killAll } from './kit/children.ts'
import { BusyMeter } from './kit/machine.ts'
import { chosenOf, options, Report } from './kit/report.ts'
import { leaderOf } from './kit/rounds.ts'
import { figure, summary } from './kit/stats.ts'
import { Yard } from './kit/yard.ts'

const IN_FLIGHT = 64
const BURNER = fileURLToPath(new URL('kit/burner-child.ts', import.meta.url))

const passed = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

/** Latencies of the writes that were accepted, ms, and how many were not. */
interface Writes {
  readonly latenciesMs: number[]
  refused: number
}

async function write(yard: Yard, forMs: number): Promise<Writes> {
  const leader = await leaderOf(yard)
  const client = controlClient(leader.dataDir)
  const end = performance.now() + forMs
  const writes: Writes = { latenciesMs: [], refused: 0 }
  const writer = async (id: number): Promise<void> => {
    for (let number = 0; performance.now() < end; number++) {
      const at = performance.now()
      try {
        await client.setConfig({ writer: id, number })
        writes.latenciesMs.push(performance.now() - at)
      } catch {
        writes.refused++
        await passed(10)
      }
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, (_, id) => writer(id)))
  return writes
}

const PHASES = ['idle', 'busy'] as const
type Phase = 'idle' | 'busy' | 'writes'

async function run(report: Report, yard: Yard, phase: Phase, minutes: number): Promise<string[]> {
  const leader = await leaderOf(yard)
  const begin = yard.lives.map(({ events }) => events.length)
  const burners: ChildProcess[] = []
  const meter = new BusyMeter()
  let writes: Writes = { latenciesMs: [], refused: 0 }
  try {
    if (phase === 'busy') for (let i = 0; i < availableParallelism(); i++) burners.push(fork(BURNER))
    if (phase === 'idle') await passed(minutes * 60_000)
    else writes = await write(yard, minutes * 60_000)
  } finally {
    await killAll(burners)
  }
  const { ours = 0, others = 0 } = meter.read()
  const news = yard.lives.flatMap(({ events }, i) => events.slice(begin[i]).filter(({ event }) => event === 'leader'))
  const changes = new Set(
    news.flatMap((event) => (event.event === 'leader' && event.leader !== null ? event.term : []))
  )
  const doubts = news.filter((event) => event.event === 'leader' && event.leader === null).length
  const ended = yard.lives.filter((life) => life.ended).length
  const terms = { from: leader.leader?.term, to: (await leaderOf(yard)).leader?.term }
  const { latenciesMs, refused } = writes
  const latency = latenciesMs.length === 0 ? undefined : summary(latenciesMs)
  const perSecond = latenciesMs.length / (minutes * 60)
  report.result({
    ...{ what: 'phase', phase, minutes, leaderChanges: changes.size, doubts, ended, terms, refused },
    ...{ writes: latenciesMs.length, perSecond, latency, coresBusy: ours + others }
  })
  const share = `${((ours + others) * 100).toFixed(0)} %`
  const cells = [phase, figure(minutes), share, String(changes.size), String(doubts), figure(perSecond)]
  return [...cells, ...(latency === undefined ? ['', '', ''] : [latency.p50, latency.p99, latency.max].map(figure))]
}

const chosen = options({ minutes: 10 })
const report = new Report('steady', chosen)
const yard = new Yard({ size: 3, discovery: 'seeds' })
const rows: string[][] = []
try {
  await yard.prepare()
  await yard.startAll()
  for (const phase of chosen.only.length === 0 ? PHASES : chosenOf(['idle', 'busy', 'writes'] as const, chosen)) {
    rows.push(await run(report, yard, phase, chosen.minutes))
    report.progress(`${phase}: ${rows.at(-1)![3]} leader changes`)
  }
} finally {
  await yard.close()
}
report.table(
  'Three nodes and no failure',
  ['phase', 'minutes', 'cores busy', 'leader changes', 'doubts', 'writes a second', 'p50 ms', 'p99 ms', 'max ms'],
  rows,
  'all'
)
report.end()
if (rows.some((row) => row[3] !== '0')) process.exitCode = 1
