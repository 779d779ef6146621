/**
 * Time without a leader over slow links: `node bench/wan.ts [--rounds 15] [--sizes 3,5] [--only kill,transfer]`.
 *
 * As bench/election.ts, with the preset `wan`, and every byte between two nodes delayed on its way: 5 ms, and 30 to 40 ms, by a
 * proxy between the processes. A failover takes six of these delays: the closed connection, a pre-vote that was offered, and a round
 * trip each for the vote and the first commit.
 */
import { delayedYard } from './kit/delayed-yard.ts'
import { LOSS_NAMES, type Loss } from './kit/losses.ts'
import { chosenOf, options, Report } from './kit/report.ts'
import { loseLeader, type Round } from './kit/rounds.ts'
import { QUANTILES, quantileCells } from './kit/stats.ts'

const DELAYS = [
  [5, 5],
  [30, 40]
] as const

const WARM_UP = 1

async function run(size: number, delayMs: (typeof DELAYS)[number], loss: Loss, rounds: number): Promise<Round[]> {
  const { yard, close } = await delayedYard({ size, discovery: 'seeds', timing: 'wan' }, delayMs)
  const found: Round[] = []
  try {
    await yard.startAll()
    for (let i = 0; i < rounds + WARM_UP; i++) {
      const round = await loseLeader(yard, loss)
      if (i >= WARM_UP) found.push(round)
    }
  } finally {
    await close()
  }
  return found
}

const chosen = options({ rounds: 15, sizes: [3, 5] })
const report = new Report('wan', chosen)
const rows: string[][] = []
for (const size of chosen.sizes) {
  for (const delayMs of DELAYS) {
    const delay = [...new Set(delayMs)].join('-')
    for (const loss of chosenOf(['kill', 'transfer'] as const, chosen)) {
      const rounds = await run(size, delayMs, loss, chosen.rounds)
      const split = rounds.filter(({ terms }) => terms > 1).length
      for (const [until, values] of [
        ['writable', rounds.map(({ writableMs }) => writableMs)],
        ['known by all', rounds.map(({ knownMs }) => knownMs)]
      ] as const) {
        report.series({ loss, size, delay, until, unit: 'ms', splitVotes: split }, values)
        const votes = until === 'writable' ? String(split) : ''
        rows.push([LOSS_NAMES[loss], String(size), delay, until, ...quantileCells(values), votes])
      }
      report.progress(`${size} nodes, ${delay} ms one way, ${loss}`)
    }
  }
}
report.table(
  'Milliseconds from the moment at which the leader is lost, preset wan',
  ['lost by', 'nodes', 'ms one way', 'until', ...QUANTILES, 'split'],
  rows,
  'all'
)
report.end()
