/**
 * Time without a leader: `node bench/election.ts [--rounds 100] [--sizes 3,5,7,9] [--only kill,pause,drop,stop,transfer,fast]`.
 *
 * Real processes on loopback with the `lan` preset, pre-vote, CheckQuorum and a real sync for every vote and entry. A round
 * begins with a blow to the leader, and counts until another node reports `writable`: the first entry of its term has
 * committed. A killed node is started again and is a voter once more before the next round, so that candidates are seldom
 * more than a few seconds old and run unoptimised code: long-lived nodes are not slower than this.
 *
 * `drop` needs root, iproute2 and nftables: the nodes then live in network namespaces on one bridge. `fast` is the preset of
 * this name, killed and stopped. `--rounds` are those of three nodes; of more there are fewer, because each takes longer.
 */
import { timingPresets } from '../src/config-init/index.ts'
import { LOSS_NAMES, LOSSES, type Loss } from './kit/losses.ts'
import { chosenOf, type Options, options, Report } from './kit/report.ts'
import { loseLeader, type Losing, type Round } from './kit/rounds.ts'
import { figure, QUANTILES, quantileCells } from './kit/stats.ts'
import { Switch, switchUnavailable } from './kit/switch.ts'
import { Life, Yard, type YardInit } from './kit/yard.ts'

/** Not counted: the first round of a cluster meets code that has never run. */
const WARM_UP = 2

/** Of more than three nodes: of 100 rounds this many. */
const MORE_NODES = 0.3

interface Part {
  readonly size: number
  readonly preset: string
  readonly losses: readonly Loss[]
  readonly rounds: number
}

class Election {
  readonly rows: string[][] = []
  readonly #report: Report

  constructor(report: Report) {
    this.#report = report
  }

  async run(part: Part): Promise<void> {
    const { size, preset, losses } = part
    const init: YardInit = { size, discovery: 'seeds', args: preset === 'lan' ? [] : ['--timing', preset] }
    const near = losses.filter((loss) => loss !== 'drop')
    if (near.length > 0) await this.#inYard(init, { ...part, losses: near })
    if (!losses.includes('drop')) return
    const network = new Switch(size)
    try {
      const hosts = { namespaces: network.namespaces, addresses: network.addresses }
      await this.#inYard({ ...init, hosts }, { ...part, losses: ['drop'] }, { network })
    } finally {
      await network.close()
    }
  }

  async #inYard(init: YardInit, { size, preset, losses, rounds: count }: Part, losing: Losing = {}): Promise<void> {
    const yard = new Yard(init)
    try {
      await yard.prepare()
      await yard.startAll()
      for (const loss of losses) {
        const rounds: Round[] = []
        for (let i = 0; i < count + WARM_UP; i++) {
          const round = await loseLeader(yard, loss, losing)
          if (i >= WARM_UP) rounds.push(round)
        }
        this.#tell(size, preset, loss, rounds)
        this.#report.progress(`${count} rounds of ${loss}, ${size} nodes, preset ${preset}`)
      }
    } finally {
      await yard.close()
    }
  }

  #tell(size: number, preset: string, loss: Loss, rounds: readonly Round[]): void {
    const series: readonly (readonly [string, number[]])[] = [
      ['missed', rounds.flatMap(({ missedMs }) => missedMs ?? [])],
      ['writable', rounds.map(({ writableMs }) => writableMs)],
      ['known by all', rounds.map(({ knownMs }) => knownMs)]
    ]
    const split = rounds.filter(({ terms }) => terms > 1).length
    const terms = Math.max(...rounds.map((round) => round.terms))
    for (const [until, values] of series) {
      if (values.length === 0) continue
      this.#report.series({ loss, size, preset, until, unit: 'ms', splitVotes: split, termsMax: terms }, values)
      const votes = until === 'writable' ? `${split}, ${terms}` : ''
      const name = preset === 'lan' ? LOSS_NAMES[loss] : `${LOSS_NAMES[loss]}, preset ${preset}`
      this.rows.push([name, String(size), until, ...quantileCells(values), votes])
    }
  }
}

function partsOf(chosen: Options, losses: readonly Loss[]): readonly Part[] {
  const parts: Part[] = chosen.sizes.map((size) => {
    const rounds = size <= 3 ? chosen.rounds : Math.ceil(chosen.rounds * MORE_NODES)
    return { size, preset: 'lan', losses, rounds }
  })
  if (!Object.hasOwn(timingPresets, 'fast') || chosenOf(['fast'], chosen).length === 0) return parts
  return [
    ...parts,
    { size: 3, preset: 'fast', losses: ['kill', 'pause'], rounds: Math.ceil(chosen.rounds * MORE_NODES) }
  ]
}

const chosen = options({ rounds: 100, sizes: [3, 5, 7, 9] })
const report = new Report('election', chosen)
const unavailable = switchUnavailable()
const wanted = chosenOf<Loss | 'fast'>([...LOSSES, 'fast'], chosen)
const losses = LOSSES.filter((loss) => wanted.includes(loss) && (loss !== 'drop' || unavailable === undefined))
if (wanted.includes('drop') && unavailable !== undefined) report.say(`drop is skipped: ${unavailable}`)
const election = new Election(report)
for (const part of partsOf(chosen, losses)) await election.run(part)
report.table(
  'Milliseconds from the moment at which the leader is lost',
  ['lost by', 'nodes', 'until', ...QUANTILES, 'split, terms at most'],
  election.rows,
  'all'
)
const lead = figure(Math.max(0, Life.clockLeadMs))
report.say(`clocks of the processes: no event was later than its arrival by more than ${lead} ms`)
report.end()
