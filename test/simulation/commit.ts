/**
 * `npm run sim:commit`: many seeds on all cores, before a commit goes out. 10,000 seeds of 60 virtual seconds with three and
 * five voters, unless told otherwise:
 *
 *     node test/simulation/commit.ts [--seeds 10000] [--seconds 60] [--from 1] [--workers 2] [--out report.json]
 *
 * Fails when an invariant breaks, and when a kind of fault never happened: then the campaign says nothing about it.
 */
import { fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { systemClock } from '../../src/core/clock.ts'
import { type CampaignReport, runCampaign } from '../../src/simulation/index.ts'

interface Share {
  readonly nodes: number
  readonly from: number
  readonly to: number
  readonly seconds: number
}

const say = (text: string): boolean => process.stdout.write(`${text}\n`)

function runShare(share: Share): Promise<CampaignReport> {
  const { nodes, from, to, seconds } = share
  return runCampaign({ nodes, seeds: { from, to }, seconds, clock: systemClock })
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

function line({
  nodes,
  seeds,
  virtualSeconds,
  wallSeconds,
  events,
  elections,
  commits,
  recoveryMs,
  violations
}: CampaignReport): string {
  const ratio = Math.round(virtualSeconds / wallSeconds)
  const recovery =
    recoveryMs === undefined
      ? '-'
      : `${recoveryMs.p50.toFixed(0)} / ${recoveryMs.p99.toFixed(0)} / ${recoveryMs.max.toFixed(0)} ms`
  return `${nodes} voters  ${seeds} seeds  ${virtualSeconds.toFixed(0)} s in ${wallSeconds.toFixed(0)} s (${ratio}:1)  ${events} events  ${elections} elections  ${commits} commits  recovery p50/p99/max ${recovery}  ${violations.length} violations`
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '10000' },
      seconds: { type: 'string', default: '60' },
      from: { type: 'string', default: '1' },
      workers: { type: 'string', default: '2' },
      out: { type: 'string' }
    }
  })
  const [seeds, seconds, from, workers] = [values.seeds, values.seconds, values.from, values.workers].map(Number) as [
    number,
    number,
    number,
    number
  ]
  const each = Math.ceil(seeds / workers)
  const shares = Array.from({ length: workers }, (_, i): Share => {
    const first = from + i * each
    return { nodes: i % 2 === 0 ? 5 : 3, from: first, to: Math.min(first + each, from + seeds) - 1, seconds }
  })
  const startedMs = performance.now()
  const reports = await Promise.all(shares.map(inChild))
  for (const report of reports) say(line(report))
  const violations = reports.flatMap((report) =>
    report.violations.map((violation) => ({ nodes: report.nodes, ...violation }))
  )
  for (const { nodes, seed, invariant, detail } of violations) {
    say(`${invariant}: ${detail}\n  quorate simulate --nodes ${nodes} --seeds ${seed} --seconds ${seconds}`)
  }
  const never = (reports[0]?.notFired ?? []).filter((id) => reports.every(({ notFired }) => notFired.includes(id)))
  if (never.length > 0) say(`never happened: ${never.join(', ')}`)
  say(`${seeds} seeds in ${((performance.now() - startedMs) / 1_000).toFixed(0)} s of wall time`)
  if (values.out !== undefined) writeFileSync(values.out, JSON.stringify(reports, null, 2))
  process.exitCode = violations.length + never.length > 0 ? 1 : 0
}

const share = process.env['SIMULATE_SHARE']
if (share === undefined) await main()
else process.send!(await runShare(JSON.parse(share) as Share))
