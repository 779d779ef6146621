/**
 * `npm run sim:commit`: many seeds on all cores, before a commit goes out. 10,000 seeds of 60 virtual seconds with five and three
 * voters, unless told otherwise:
 *
 *     node test/simulation/commit.ts [--seeds 10000] [--seconds 60] [--from 1] [--workers 2] [--beyond 200] [--out report.json]
 *
 * Callers ask for less than in other campaigns (`light`), so that there is time for more seeds. Fails when an invariant breaks, when a kind of fault never happened, and when a code or transition of the sources was never seen
 * (src/simulation/coverage.ts): then the campaign says nothing about it. `--beyond` seeds more set disks back and copy them, which
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
    callers: 'light',
    ...(beyond ? { only: ['P5', 'P6', 'P1', 'N5'] as const } : {})
  })
}

/** A process for each share: a campaign is nothing but computation. */
function inChild(share: Share): Promise<CampaignReport> {
  const child = fork(fileURLToPath(import.meta.url), [], {
    env: { ...process.env, SIMULATE_SHARE: JSON.stringify(share) }
  })
  return new Promise((resolve, reject) => {
    child.once('message', (report) => resolve(report as CampaignReport))
    child.once('exit', (code) => code !== 0 && reject(new Error(`a share ended with ${code}`)))
  })
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
  const each = Math.ceil(seeds / workers)
  const shares = Array.from({ length: workers }, (_, i): Share => {
    const first = from + i * each
    const to = Math.min(first + each, from + seeds) - 1
    return { nodes: i % 2 === 0 ? 5 : 3, from: first, to, seconds, beyond: false }
  })
  const startedMs = performance.now()
  const promised = await Promise.all(shares.map(inChild))
  const more = beyond === 0 ? [] : [await inChild({ nodes: 3, from, to: from + beyond - 1, seconds: 15, beyond: true })]
  const report = mergeReports(promised, more, (performance.now() - startedMs) / 1_000)
  say(campaignText(report))
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`)
  process.exitCode = report.failures.length > 0 ? 1 : 0
}

const share = process.env['SIMULATE_SHARE']
if (share === undefined) await main()
else process.send!(await runShare(JSON.parse(share) as Share))
