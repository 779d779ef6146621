/** What we aim at on a machine with two cores, and what the result files say about it. */
import { fits, type ResultRecord, type Results, type SeriesRecord, type TableRecord } from './results.ts'
import { figure } from './stats.ts'

interface Target {
  readonly what: string
  readonly aim: string
  /** Name of the result file. */
  readonly part: string
  /** Undefined when the part ran without this. */
  readonly judge: (results: Results) => Verdict | undefined
}

interface Verdict {
  readonly measured: string
  readonly met: boolean
}

type Quantile = 'p50' | 'p99'
type What = Readonly<Record<string, unknown>>

/** Quantiles of one series, in ms, each with its upper limit. */
const latency =
  (what: What, limits: Partial<Record<Quantile, number>>) =>
  ({ series }: Results): Verdict | undefined => {
    const found = series.find((one) => fits(one, what))
    if (found === undefined) return undefined
    const names = Object.keys(limits) as Quantile[]
    return {
      measured: names.map((name) => `${name} ${figure(found[name])} ms`).join(', '),
      met: names.every((name) => found[name] <= limits[name]!)
    }
  }

/** A number out of all results that fit; `least` or `most` is the limit. */
const number =
  (
    what: What,
    value: (record: ResultRecord | SeriesRecord) => unknown,
    limit: { readonly least?: number; readonly most?: number },
    print: (value: number) => string = figure
  ) =>
  ({ results, series }: Results): Verdict | undefined => {
    const found = [...results, ...series].filter((one) => fits(one, what)).map((one) => Number(value(one)))
    if (found.length === 0) return undefined
    // The worst of several counts.
    const worst = limit.least === undefined ? Math.max(...found) : Math.min(...found)
    return { measured: print(worst), met: worst >= (limit.least ?? -Infinity) && worst <= (limit.most ?? Infinity) }
  }

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`
const times = (ratio: number): string => `${figure(ratio)} times`

/** `to`: the series of ours, as bench/compare.ts names it. */
const besideEtcd = (to: string) =>
  number({ what: 'ratio', of: 'crash', to, system: 'etcd 30/150' }, ({ ratio }) => ratio, { least: 20 }, times)

/** No change in a shorter time is no proof. */
const STEADY_MINUTES = 10

function steady({ results }: Results): Verdict | undefined {
  const phases = results.filter((one) => fits(one, { what: 'phase' }))
  if (phases.length === 0) return undefined
  const changes = phases.reduce((sum, { leaderChanges }) => sum + Number(leaderChanges), 0)
  const shortest = Math.min(...phases.map(({ minutes }) => Number(minutes)))
  return { measured: `${changes} in ${shortest} minutes each`, met: changes === 0 && shortest >= STEADY_MINUTES }
}

const TARGETS: readonly Target[] = [
  {
    what: 'SIGKILL of the leader, n=3, to the first commit',
    aim: 'p50 <= 8 ms, p99 <= 20 ms',
    part: 'election',
    judge: latency({ loss: 'kill', size: 3, preset: 'lan', until: 'writable' }, { p50: 8, p99: 20 })
  },
  {
    what: 'the same, beside etcd 30/150 in the same run',
    aim: 'at least 20 times faster',
    part: 'compare',
    judge: besideEtcd('quorate, first commit')
  },
  {
    what: 'a client’s write accepted after it, beside etcd 30/150',
    aim: 'at least 20 times faster',
    part: 'compare',
    judge: besideEtcd('quorate, accepted write')
  },
  {
    what: 'SIGKILL of the leader, n=5',
    aim: 'p50 <= 10 ms',
    part: 'election',
    judge: latency({ loss: 'kill', size: 5, preset: 'lan', until: 'writable' }, { p50: 10 })
  },
  {
    what: 'SIGSTOP of the leader, preset lan',
    aim: 'p50 <= 140 ms, p99 <= 200 ms',
    part: 'election',
    judge: latency({ loss: 'pause', size: 3, preset: 'lan', until: 'writable' }, { p50: 140, p99: 200 })
  },
  {
    what: 'silent loss of all its packets, preset lan',
    aim: 'p50 <= 140 ms, p99 <= 200 ms',
    part: 'election',
    judge: latency({ loss: 'drop', size: 3, preset: 'lan', until: 'writable' }, { p50: 140, p99: 200 })
  },
  {
    what: 'SIGSTOP of the leader, preset fast',
    aim: 'p50 <= 25 ms',
    part: 'election',
    judge: latency({ loss: 'pause', size: 3, preset: 'fast', until: 'writable' }, { p50: 25 })
  },
  {
    what: 'graceful hand-over, n=3, called in the leader’s process',
    aim: 'p50 <= 2 ms',
    part: 'election',
    judge: latency({ loss: 'call', size: 3, preset: 'lan', until: 'writable' }, { p50: 2 })
  },
  {
    what: 'the same, asked for at the control socket',
    aim: 'p50 <= 2 ms',
    part: 'election',
    judge: latency({ loss: 'transfer', size: 3, preset: 'lan', until: 'writable' }, { p50: 2 })
  },
  {
    what: 'formation after the last founder is authenticated, n=3',
    aim: 'p50 <= 8 ms',
    part: 'formation',
    judge: latency({ discovery: 'seeds', size: 3, until: 'ready', from: 'all founders' }, { p50: 8 })
  },
  {
    what: 'the same, the last one 2 s after the others',
    aim: 'p50 <= 8 ms',
    part: 'formation',
    judge: latency({ discovery: 'seeds', size: 3, until: 'ready', from: 'all founders, the last one late' }, { p50: 8 })
  },
  {
    what: 'three processes by mDNS, start to ready on all',
    aim: 'p50 <= 450 ms',
    part: 'formation',
    judge: latency({ discovery: 'mdns', size: 3, until: 'ready', from: 'process start' }, { p50: 450 })
  },
  {
    what: 'leader changes in 10 idle minutes and in 10 busy ones',
    aim: '0',
    part: 'steady',
    judge: steady
  },
  {
    what: 'idle processor time of a node',
    aim: '<= 1 % of a core',
    part: 'resources',
    judge: number({ what: 'idle' }, ({ cpuShare }) => cpuShare, { most: 0.01 }, percent)
  },
  ...(
    [
      ['elections', 21_440],
      ['failovers', 45_920],
      ['commits', 191_000]
    ] as const
  ).map(([what, least]) => ({
    what: `core, n=3: ${what} a second of one thread`,
    aim: `>= ${least.toLocaleString('en')}`,
    part: 'core',
    judge: number({ what, size: 3 }, ({ perSecond }) => perSecond, { least })
  })),
  {
    what: 'core: heap of a member',
    aim: '<= 3,994 bytes',
    part: 'core',
    judge: number({ what: 'memory', size: 3 }, ({ bytesPerMember }) => bytesPerMember, { most: 3_994 })
  },
  {
    what: 'writes of 1 KiB, n=3, one after the other',
    aim: 'p50 <= 0.6 ms',
    part: 'commit',
    judge: number(
      { system: 'quorate', inFlight: 1 },
      ({ p50 }) => p50,
      { most: 0.6 },
      (ms) => `${figure(ms)} ms`
    )
  },
  {
    what: 'writes of 1 KiB, n=3, 64 in flight',
    aim: '>= 12,000 a second',
    part: 'commit',
    judge: number({ system: 'quorate', inFlight: 64 }, ({ perSecond }) => perSecond, { least: 12_000 })
  }
]

export function targetTable(read: (part: string) => Results | undefined): Pick<TableRecord, 'head' | 'rows'> {
  const rows = TARGETS.map(({ what, aim, part, judge }) => {
    const results = read(part)
    const verdict = results && judge(results)
    if (results === undefined || verdict === undefined) return [what, aim, 'not measured', '']
    const { measured, met } = verdict
    return [what, aim, measured, results.end.busy ? 'machine busy' : met ? 'yes' : 'no']
  })
  return { head: ['what', 'target', 'measured', 'met'], rows }
}
