/**
 * Time without a leader: `node bench/election.ts [--rounds 100] [--sizes 3,5] [--only kill,pause,stop,transfer]`.
 *
 * Real processes on loopback with the `lan` preset, pre-vote, CheckQuorum and a real sync for every vote and entry. A round
 * begins with a signal to the leader, and counts until another node reports `writable`: the first entry of its term has
 * committed. A killed node is started again and is a voter once more before the next round, so that candidates are seldom
 * more than a few seconds old and run unoptimised code: long-lived nodes are not slower than this.
 */
import { type Loss, LOSSES, loseLeader, type Round } from './kit/rounds.ts'
import { type Options, options, Report } from './kit/report.ts'
import { figure, QUANTILES, quantileCells, summary } from './kit/stats.ts'
import { plotCdf } from './kit/svg.ts'
import { Life, Yard } from './kit/yard.ts'

const NAMES: Readonly<Record<Loss, string>> = {
  kill: 'SIGKILL',
  pause: 'SIGSTOP',
  stop: 'SIGTERM (hand-over)',
  transfer: 'transfer (control socket)'
}

/** Not counted: the first round of a cluster meets code that has never run. */
const WARM_UP = 2

async function run(report: Report, chosen: Options, size: number, losses: readonly Loss[]): Promise<string[][]> {
  const yard = new Yard({ size, discovery: 'seeds' })
  const rows: string[][] = []
  try {
    await yard.prepare()
    await yard.startAll()
    for (const loss of losses) {
      const rounds: Round[] = []
      for (let i = 0; i < chosen.rounds + WARM_UP; i++) {
        const round = await loseLeader(yard, loss)
        if (i >= WARM_UP) rounds.push(round)
      }
      rows.push(...tell(report, size, loss, rounds))
    }
  } finally {
    await yard.close()
  }
  return rows
}

function tell(report: Report, size: number, loss: Loss, rounds: readonly Round[]): string[][] {
  const series: readonly (readonly [string, number[]])[] = [
    ['missed', rounds.flatMap(({ missedMs }) => missedMs ?? [])],
    ['writable', rounds.map(({ writableMs }) => writableMs)],
    ['known by all', rounds.map(({ knownMs }) => knownMs)]
  ]
  const split = rounds.filter(({ terms }) => terms > 1).length
  const terms = Math.max(...rounds.map((round) => round.terms))
  return series.flatMap(([until, values]) => {
    if (values.length === 0) return []
    report.series({ loss, size, until, unit: 'ms', splitVotes: split, termsMax: terms }, values)
    const votes = until === 'writable' ? `${split}, ${terms}` : ''
    return [[NAMES[loss], String(size), until, ...quantileCells(values), votes]]
  })
}

const chosen = options({ rounds: 100, sizes: [3, 5] })
const losses = chosen.only.length === 0 ? LOSSES : LOSSES.filter((loss) => chosen.only.includes(loss))
const report = new Report('election', chosen)
const rows: string[][] = []
for (const size of chosen.sizes) {
  const more = await run(report, chosen, size, losses)
  rows.push(...more)
  report.say(`${size} nodes: ${more.map((row) => `${row[0]} ${row[2]} p50 ${row[5]}`).join('; ')}`)
}
report.table(
  'Milliseconds from the signal',
  ['the leader is lost by', 'nodes', 'until', ...QUANTILES, 'split, terms at most'],
  rows
)
report.say(
  `clocks of the processes: no event was later than its arrival by more than ${figure(Math.max(0, Life.clockLeadMs))} ms`
)
plotCdf(chosen.out, 'election', {
  title: 'From losing the leader to the first commit of the next',
  unit: 'ms',
  series: report
    .seriesOf((what) => what['until'] === 'writable')
    .map(({ what, values }) => ({
      name: `${NAMES[what['loss'] as Loss]}, n=${String(what['size'])} (p50 ${figure(summary(values).p50)})`,
      values
    }))
})
report.end()
