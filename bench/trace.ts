/**
 * One failover, step by step: `node bench/trace.ts [--rounds 20]`. Three nodes; of the rounds, the one with the median time to
 * `writable` is shown: what each survivor's consensus core was told, when, and what it asked for.
 */
import { fileURLToPath } from 'node:url'
import { stepBehind } from './kit/observer.ts'
import { options, Report } from './kit/report.ts'
import { leaderOf, loseLeader, type Round } from './kit/rounds.ts'
import { figure } from './kit/stats.ts'
import { TRACE_MARK, type TraceStep } from './kit/trace-mark.ts'
import { type Life, Yard } from './kit/yard.ts'

const HOOK = fileURLToPath(new URL('kit/trace-hook.ts', import.meta.url))

interface Traced {
  readonly round: Round
  readonly rows: readonly string[][]
}

async function traced(yard: Yard): Promise<Traced> {
  const old = await leaderOf(yard)
  const survivors = yard.living().filter((life) => life !== old)
  const round = await loseLeader(yard, 'kill')
  const rows: { at: number; row: string[] }[] = []
  for (const life of survivors) {
    for (const { at, ms, input, output } of await traceOf(life)) {
      const since = at - round.at
      if (since < 0 || since > Math.max(round.knownMs, round.writableMs) + 1) continue
      rows.push({ at, row: [since.toFixed(2), life.name, input, (ms * 1000).toFixed(0), output.join(', ')] })
    }
  }
  if (rows.length === 0) throw new Error('the hook in the nodes has seen nothing: does it still find the core?')
  return { round, rows: rows.toSorted((a, b) => a.at - b.at).map(({ row }) => row) }
}

async function traceOf(life: Life): Promise<readonly TraceStep[]> {
  const from = life.stderr.length
  life.signal('SIGUSR2')
  return JSON.parse(await life.untilStderr(TRACE_MARK, from)) as readonly TraceStep[]
}

stepBehind()
const chosen = options({ rounds: 20 })
const report = new Report('trace', chosen)
const yard = new Yard({ size: 3, discovery: 'seeds', hooks: [HOOK] })
const all: Traced[] = []
try {
  await yard.prepare()
  await yard.startAll()
  for (let i = 0; i < chosen.rounds; i++) all.push(await traced(yard))
} finally {
  await yard.close()
}
const byTime = all.toSorted((a, b) => a.round.writableMs - b.round.writableMs)
const { round, rows } = byTime[Math.floor(byTime.length / 2)]!
report.result({ what: 'median failover', ...round, rows })
report.table(
  `The median of ${all.length}: missed after ${figure(round.missedMs ?? NaN)} ms, writable after ${figure(round.writableMs)} ms`,
  ['ms', 'node', 'the core is told', 'us', 'and asks for'],
  rows
)
report.end()
