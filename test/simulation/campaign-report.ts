/** One report of several campaigns, as data and as text, and what in it is a failure. */
import type { CampaignReport, CampaignViolation } from '../../src/simulation/index.ts'
import { gapsIn, notFired } from '../../src/simulation/coverage.ts'

export interface CommitReport {
  readonly shares: readonly CampaignReport[]
  /** With disks that were set back and copied: what Raft does not promise to survive. */
  readonly beyond: readonly CampaignReport[]
  readonly wallSeconds: number
  readonly seeds: number
  readonly virtualSeconds: number
  readonly events: number
  readonly elections: number
  readonly faults: Readonly<Record<string, number>>
  readonly coverage: Readonly<Record<string, number>>
  readonly worstRecoveryMs: number
  readonly violations: readonly (CampaignViolation & { readonly nodes: number })[]
  /** One sentence for each reason to fail. Empty: passed. */
  readonly failures: readonly string[]
}

const sum = (reports: readonly CampaignReport[], of: (report: CampaignReport) => number): number =>
  reports.reduce((total, report) => total + of(report), 0)

function counts(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {}
  for (const one of all) for (const [key, count] of Object.entries(one)) total[key] = (total[key] ?? 0) + count
  return Object.fromEntries(Object.entries(total).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

export function mergeReports(
  shares: readonly CampaignReport[],
  beyond: readonly CampaignReport[],
  wallSeconds: number
): CommitReport {
  const faults = counts(shares.map((report) => report.faults))
  const coverage = counts([...shares, ...beyond].map((report) => report.coverage))
  const violations = shares.flatMap(({ nodes, violations: found }) => found.map((one) => ({ nodes, ...one })))
  const { missing, impossible } = gapsIn(coverage)
  return {
    shares,
    beyond,
    wallSeconds,
    seeds: sum(shares, ({ seeds }) => seeds),
    virtualSeconds: sum(shares, ({ virtualSeconds }) => virtualSeconds),
    events: sum(shares, ({ events }) => events),
    elections: sum(shares, ({ elections }) => elections),
    faults,
    coverage,
    worstRecoveryMs: Math.max(0, ...shares.map(({ recoveryMs }) => recoveryMs?.max ?? 0)),
    violations,
    failures: [
      ...violations.map(({ invariant, seed, nodes, detail }) => `${invariant} in seed ${seed} of ${nodes}: ${detail}`),
      ...notFired(faults).map((id) => `fault ${id} never happened`),
      ...missing.map((key) => `never seen: ${key}`),
      ...impossible.map((key) => `seen, although it is said that it cannot happen: ${key}`)
    ]
  }
}

const whole = (value: number): string => Math.round(value).toLocaleString('en')

function shareText(report: CampaignReport): string {
  const { nodes, seeds, virtualSeconds, wallSeconds, events, elections, commits, recoveryMs, violations } = report
  const recovery =
    recoveryMs === undefined ? '-' : [recoveryMs.p50, recoveryMs.p99, recoveryMs.max].map(whole).join(' / ')
  const ratio = whole(virtualSeconds / wallSeconds)
  return [
    `${nodes} voters: ${whole(seeds)} seeds, ${whole(virtualSeconds)} s in ${whole(wallSeconds)} s (${ratio} : 1)`,
    `${whole(events)} events, ${whole(elections)} elections, ${whole(commits)} commits`,
    `recovery p50 / p99 / max ${recovery} ms`,
    `${violations.length} violations, ${report.beyondBudget} beyond every promise`,
    `trace ${report.traceHash.slice(0, 16)}`
  ].join('; ')
}

/** `seconds`: of each run, which whoever replays one must say. */
export function campaignText(report: CommitReport, seconds: number): string {
  const { shares, beyond, faults, coverage, violations, failures, wallSeconds } = report
  const list = (all: Readonly<Record<string, number>>): string =>
    Object.entries(all)
      .map(([key, count]) => `${key} ${whole(count)}`)
      .join(', ')
  const broken = sum(beyond, (one) => one.violations.length)
  return [
    ...shares.map(shareText),
    ...(beyond.length === 0
      ? []
      : [
          `set back and copied disks: ${broken} of ${sum(beyond, (one) => one.seeds)} runs broke an invariant, as nobody promises otherwise`
        ]),
    `faults: ${list(faults)}`,
    `coverage: ${list(coverage)}`,
    ...violations.map(
      ({ nodes, seed }) => `  quorate simulate --light --nodes ${nodes} --seconds ${seconds} --seeds ${seed}`
    ),
    `${whole(report.seeds)} seeds, ${whole(report.virtualSeconds)} s of cluster time in ${whole(wallSeconds)} s`,
    ...(failures.length === 0 ? ['passed'] : failures.map((failure) => `FAILED: ${failure}`))
  ].join('\n')
}
