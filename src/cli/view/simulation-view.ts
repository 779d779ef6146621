/** What `quorate simulate` says to people: what came of a campaign, a failing run, a scenario, or many machines that came together. */
import type { CampaignReport, JoinReport, RunResult } from '../../simulation/index.ts'
import type { Style } from './style.ts'
import { plural } from './text.ts'

const whole = (value: number): string => Math.round(value).toLocaleString('en')

const seconds = (ms: number | undefined): string => (ms === undefined ? 'never' : `${(ms / 1_000).toFixed(1)} s`)

export function reportLines(report: CampaignReport, { bold, dim, green, red, symbols }: Style): string[] {
  const { violations, recoveryMs, virtualSeconds, wallSeconds, faults, notFired } = report
  const verdict =
    violations.length === 0
      ? green(`${symbols.done} every invariant held in ${plural(report.seeds, 'run')}`)
      : red(`${symbols.failed} ${violations.length} of ${plural(report.seeds, 'run')} broke an invariant`)
  const fired = Object.entries(faults).map(([id, count]) => `${id} ${count}`)
  return [
    bold(verdict),
    `  ${report.nodes} voters, ${whole(virtualSeconds)} s of cluster time in ${wallSeconds.toFixed(1)} s (${whole(virtualSeconds / Math.max(wallSeconds, 1e-9))} : 1)`,
    `  ${whole(report.events)} events, ${whole(report.frames)} frames, ${whole(report.elections)} elections, ${whole(report.commits)} commits`,
    ...(recoveryMs === undefined
      ? []
      : [
          `  back to work after healing: half within ${recoveryMs.p50.toFixed(0)} ms, 99 % within ${recoveryMs.p99.toFixed(0)} ms, all within ${recoveryMs.max.toFixed(0)} ms`
        ]),
    ...(report.beyondBudget === 0
      ? []
      : [`  ${plural(report.beyondBudget, 'run')} lost more than any promise covers: checked for safety only`]),
    `  ${dim(`faults ${fired.join(', ') || 'none'}`)}`,
    ...(notFired.length === 0 ? [] : [`  ${dim(`never fired: ${notFired.join(', ')}`)}`]),
    `  ${dim(`trace ${report.traceHash.slice(0, 16)}`)}`
  ]
}

/** A run that broke an invariant, or may have. */
export interface FailedRun {
  readonly seed: number
  readonly result?: RunResult
}

/** One fault in words. */
export type Teller = (fault: RunResult['plan'][number]) => string

/** `again`: the command that shows it once more. `report`: the file with the picture of it. */
export function failureLines(
  told: Teller,
  replayed: FailedRun | undefined,
  again: string | undefined,
  { bold, red, dim }: Style,
  report: string | undefined
): string[] {
  const violation = replayed?.result?.violation
  if (replayed?.result === undefined || violation === undefined) return []
  return [
    '',
    `${red(bold(violation.invariant))} in seed ${replayed.seed} after ${violation.atMs.toFixed(3)} ms: ${violation.node} ${violation.detail}`,
    ...replayed.result.plan.map((fault) => `  ${told(fault)}`),
    ...(again === undefined ? [] : [`replay: ${bold(again)}`]),
    ...(report === undefined ? [dim('see it: add --report run.html')] : [])
  ]
}

export function joinLines(report: JoinReport, heapBytes: number, { bold, dim, green, red, symbols }: Style): string[] {
  const { machines, founders, joinedMs, formedMs, timeline } = report
  const every = Math.max(1, Math.ceil(timeline.length / 20))
  const rows = timeline.filter((_, i) => i % every === every - 1 || i === timeline.length - 1)
  return [
    bold(
      joinedMs === undefined
        ? red(`${symbols.failed} not all of ${machines} machines joined`)
        : green(`${symbols.done} ${machines} machines are members and hold the config after ${seconds(joinedMs)}`)
    ),
    `  ${founders} founders formed after ${seconds(formedMs)}`,
    `  ${whole(report.connections)} connections: the median machine has ${report.connectionsMedian}, the busiest ${report.connectionsMost}`,
    `  ${whole(report.frames)} frames, ${whole(report.frameBytes / 1_024)} KiB; the log takes ${whole(report.logBytes / 1_024)} KiB on each machine`,
    `  in the quiet ${whole(report.framesPerSecond)} frames a second, ${whole(report.leaderFramesPerSecond)} of them at the leader`,
    `  ${whole(heapBytes / machines / 1_024)} KiB of memory for each machine`,
    dim('  virtual time   members   with config   connections'),
    ...rows.map(({ atMs, members, configured, connections }) =>
      dim(
        `  ${seconds(atMs).padStart(12)} ${String(members).padStart(9)} ${String(configured).padStart(13)} ${String(connections).padStart(13)}`
      )
    )
  ]
}

export function heldLine(expectations: number, virtualMs: number, { green, symbols }: Style): string {
  const also =
    expectations === 0
      ? ''
      : `, and so did ${expectations === 1 ? 'the expectation' : `all ${expectations} expectations`}`
  return green(`${symbols.done} every invariant held for ${seconds(virtualMs)} of cluster time${also}`)
}

/** Where the page is, and how large it has become. */
export const pageLine = (path: string, bytes: number): string => `the page of it: ${path} (${whole(bytes / 1_024)} KiB)`
