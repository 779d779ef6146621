/**
 * `npm run sim:commit`: many seeds on all cores, before a commit goes out. 10,000 seeds of 60 virtual seconds with five and three
 * voters, unless told otherwise:
 *
 *     node test/simulation/commit.ts [--seeds 10000] [--seconds 60] [--from 1] [--workers 2] [--beyond 200] [--out report.json]
 *
 * Each worker is one process that runs its part of every kind, so that all of them end together. Less happens in each run than in
 * other campaigns (`light`): there is time for more seeds. Fails when an invariant breaks, when a kind of fault never happened, and
 * when a code or transition of the sources was never seen (src/simulation/coverage.ts): then the campaign says nothing about it. `--beyond` seeds more set disks back and copy them, which
 * is more than Raft promises to survive: what they break is counted, and only what they cover is asked of them.
 */
import { fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { systemClock } from '../../src/core/clock.ts'
import { type CampaignReport, runCampaign } from '../../src/simulation/index.ts'
import { campaignText, mergeReports } from './campaign-report.ts'

interface Share {
  readonly nodes: number
  readonly from: number
  readonly to: number
  readonly seconds: number
  readonly beyond: boolean
}

const say = (text: string): boolean => process.stdout.write(`${text}\n`)

function runShare({ nodes, from, to, seconds, beyond }: Share): Promise<CampaignReport> {
  return runCampaign({
    nodes,
    seeds: { from, to },
    seconds,
    clock: systemClock,
    load: 'light',
    ...(beyond ? { only: ['P5', 'P6', 'P1', 'N5'] as const } : {})
  })
}

interface Work {
  /** Of each share, in their order. */
  readonly reports: readonly CampaignReport[]
  /** What the process took of the processor, in all its threads. */
  readonly processorSeconds: number
}

async function work(shares: readonly Share[]): Promise<Work> {
  const reports: CampaignReport[] = []
  for (const share of shares) reports.push(await runShare(share))
  const { user, system } = process.cpuUsage()
  return { reports, processorSeconds: (user + system) / 1e6 }
}

/**
 * Every core has a worker, so the threads with which V8 collects garbage beside it would only take from another worker: alone it
 * does the same work for less. A world lives until its run ends: with room for the new objects of two or three runs, fewer of its
 * parts are moved while they live. Refused frames are errors by the thousand, whose stacks nobody reads.
 */
const WORKER_FLAGS = [
  '--single-threaded-gc',
  '--min-semi-space-size=128',
  '--max-semi-space-size=128',
  '--stack-trace-limit=2'
] as const

/** A process for each worker: a campaign is nothing but computation. */
function inChild(shares: readonly Share[]): Promise<Work> {
  const child = fork(fileURLToPath(import.meta.url), [], {
    env: { ...process.env, SIMULATE_SHARES: JSON.stringify(shares) },
    execArgv: [...process.execArgv, ...WORKER_FLAGS]
  })
  return new Promise((resolve, reject) => {
    child.once('message', (done) => resolve(done as Work))
    child.once('exit', (code) => code !== 0 && reject(new Error(`a worker ended with ${code}`)))
  })
}

/** The `count` seeds from `from` on, in as many pieces of one length as there are workers. */
function pieces(count: number, from: number, workers: number, kind: Omit<Share, 'from' | 'to'>): readonly Share[] {
  const each = Math.ceil(count / workers)
  return Array.from({ length: workers }, (_, i) => ({
    ...kind,
    from: from + i * each,
    to: Math.min(from + (i + 1) * each, from + count) - 1
  }))
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '10000' },
      seconds: { type: 'string', default: '60' },
      from: { type: 'string', default: '1' },
      workers: { type: 'string', default: '2' },
      beyond: { type: 'string', default: '200' },
      out: { type: 'string' }
    }
  })
  const [seeds, seconds, from, workers, beyond] = [
    values.seeds,
    values.seconds,
    values.from,
    values.workers,
    values.beyond
  ].map(Number) as [number, number, number, number, number]
  const ofFive = Math.ceil(seeds / 2)
  const kinds = [
    pieces(ofFive, from, workers, { nodes: 5, seconds, beyond: false }),
    pieces(seeds - ofFive, from + ofFive, workers, { nodes: 3, seconds, beyond: false }),
    pieces(beyond, from, workers, { nodes: 3, seconds: 15, beyond: true })
  ]
  const parts = Array.from({ length: workers }, (_, i) =>
    kinds.map((shares) => shares[i]!).filter((share) => share.from <= share.to)
  )
  const startedMs = performance.now()
  const done = await Promise.all(parts.map(inChild))
  const isBeyond = (worker: number, place: number): boolean => parts[worker]![place]!.beyond
  const promised = done.flatMap(({ reports }, worker) => reports.filter((_, place) => !isBeyond(worker, place)))
  const more = done.flatMap(({ reports }, worker) => reports.filter((_, place) => isBeyond(worker, place)))
  const report = mergeReports(promised, more, (performance.now() - startedMs) / 1_000)
  say(campaignText(report, seconds))
  const processorSeconds = done.reduce((sum, one) => sum + one.processorSeconds, 0)
  const virtualSeconds = [...promised, ...more].reduce((sum, one) => sum + one.virtualSeconds, 0)
  const ratio = Math.round(virtualSeconds / processorSeconds)
  say(`${Math.round(processorSeconds)} s of processor time, cluster time to that of one core ${ratio} : 1`)
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`)
  process.exitCode = report.failures.length > 0 ? 1 : 0
}

const shares = process.env['SIMULATE_SHARES']
if (shares === undefined) await main()
else process.send!(await work(JSON.parse(shares) as readonly Share[]))
