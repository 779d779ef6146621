/**
 * The Raft paper's figure 16 with our core: `node bench/paper.ts [--rounds 1000] [--only sim,real]`. `classic` mode, no
 * pre-vote, no CheckQuorum; then our defaults on the same axes.
 *
 * Five servers; the leader crashes at a random moment between two heartbeats, half of the least timeout apart. Two of the four that
 * are left lack the newest committed entry, so that only two can win. The time is from the crash until the last of the others
 * knows the next leader.
 *
 * - In virtual time: a vote takes two delays of half a millisecond and a write of 14 ms: the printed broadcast of about 15 ms.
 * - With real processes, one trial for 100 of those: 7 ms each way through a proxy, and a real sync. Not for 150-150, which takes
 *   a minute a trial and shows nothing else, and not for silence, which bench/election.ts measures.
 *
 * What differs from the paper: of its network and disks we know the sum only, of its logs that they differed in length. Timers
 * in virtual time are exact, so the narrowest ranges, which live by the scatter of real ones, are not to be compared.
 */
import { seededRandom } from '../src/core/random.ts'
import { realTrials } from './kit/paper-real.ts'
import { classic, ours, type Setup, Trial } from './kit/paper-trial.ts'
import { PUBLISHED, PUBLISHED_SHARES } from './kit/published.ts'
import { chosenOf, options, Report } from './kit/report.ts'
import { figure, QUANTILES, quantileCells } from './kit/stats.ts'

interface Line {
  readonly name: string
  readonly setup: Setup
  /** Of the timeouts, in ms; undefined: our defaults. */
  readonly range?: string
}

const LINES: readonly Line[] = [
  ...Object.keys(PUBLISHED).map((range): Line => ({ name: range, setup: classic(range), range })),
  { name: 'lan, silent', setup: ours(false) },
  { name: 'lan, killed', setup: ours(true) }
]

/** Takes a minute a trial, also as published. */
const ENDLESS = '150-150'
/** Silence is for bench/election.ts, which knows how to make clusters calm. */
const NOT_REAL = [ENDLESS, 'lan, silent']
const SIM_FOR_REAL = 100
/** For a range in which hardly any election ends. */
const SIM_ROUNDS_ENDLESS = 100

const chosen = options({ rounds: 1_000, quick: { rounds: 160 } })
const ways = chosenOf(['sim', 'real'] as const, chosen)
const report = new Report('paper', chosen)
const rows: string[][] = []

function tell(
  name: string,
  by: string,
  trials: readonly { readonly ms: number; readonly terms: number }[],
  lost: number
): void {
  if (trials.length === 0) return
  const values = trials.map(({ ms }) => ms)
  const more = trials.filter(({ terms }) => terms > 1).length
  report.series({ timeouts: name, by, unit: 'ms', moreThanOneTerm: more, neverElected: lost }, values)
  const published = PUBLISHED[name]
  const theirs = (share: (typeof PUBLISHED_SHARES)[number]): string =>
    published === undefined ? '' : figure(published[PUBLISHED_SHARES.indexOf(share)]!)
  rows.push([
    name,
    by,
    ...quantileCells(values),
    String(more),
    lost === 0 ? '' : String(lost),
    theirs(0.5),
    theirs(0.9),
    theirs(0.99)
  ])
}

for (const { name, setup, range } of LINES) {
  const random = seededRandom(`${chosen.seed}/${name}`)
  if (ways.includes('sim')) {
    const count = name === ENDLESS ? Math.min(SIM_ROUNDS_ENDLESS, chosen.rounds) : chosen.rounds
    const trials = Array.from({ length: count }, (_, i) => new Trial(setup, random.fork(String(i))).run())
    const ended = trials.filter((trial) => trial !== undefined)
    tell(name, 'virtual time', ended, count - ended.length)
  }
  if (ways.includes('real') && !NOT_REAL.includes(name)) {
    const count = Math.ceil(chosen.rounds / SIM_FOR_REAL)
    const rounds = await realTrials(range, count, random.fork('real'))
    const trials = rounds.map(({ knownMs, terms }) => ({ ms: knownMs, terms }))
    tell(name, 'real processes', trials, count - trials.length)
    report.progress(`${trials.length} real trials of ${name}`)
  }
}
report.table(
  'Milliseconds from the crash until all others know the next leader',
  ['timeouts', 'in', ...QUANTILES, 'took terms', 'not elected', 'paper: p50', 'p90', 'p99'],
  rows,
  'all'
)
report.end()
