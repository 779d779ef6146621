/**
 * Time without a leader: `node bench/election.ts [--rounds 100] [--sizes 3,5,7,9] [--only kill,pause,drop,stop,call,transfer,fast]`.
 *
 * Real processes on loopback with the `lan` preset, pre-vote, CheckQuorum and a real sync for every vote and entry. A round
 * begins with a blow to the leader, and counts until another node reports `writable`: the first entry of its term has
 * committed. `--rounds` are those of three nodes; of more there are fewer, because each takes longer.
 *
 * - `kill`, `stop`, `transfer`: one round after the other. Who was killed is started again and is a voter once more, for half a
 *   second, before the next round, so that candidates are seldom more than a few seconds old: long-lived nodes are not slower.
 * - `call`: as `transfer`, without the request: the nodes are programs that embed the library (kit/embedded-child.ts), and the
 *   leader's one calls its `transfer`. When it calls is the beginning; who told it to is not in the number.
 * - `pause`, `drop`: silence. How soon it is noticed depends on what a node has lived through (src/raft/suspicion.ts): one that
 *   was stopped is patient for a while. So several clusters live beside each other and are struck in turn, and every one
 *   of them has had quiet before, for as long as it takes to forget. `drop` needs root, iproute2 and nftables: the nodes
 *   live in network namespaces on one bridge.
 * - `fast`: the preset of this name, killed and stopped.
 */
import { setTimeout as passed } from 'node:timers/promises'
import { timingPresets, type TimingPreset } from '../src/config-init/index.ts'
import { LOSS_NAMES, LOSSES, type Loss } from './kit/losses.ts'
import { stepBehind } from './kit/observer.ts'
import type { Program } from './kit/programs.ts'
import { chosenOf, options, Report } from './kit/report.ts'
import { AFTER_START_MS, loseLeader, type Round } from './kit/rounds.ts'
import { silentRounds } from './kit/silent-rounds.ts'
import { figure, QUANTILES, quantileCells } from './kit/stats.ts'
import { switchUnavailable } from './kit/switch.ts'
import { Life, Yard } from './kit/yard.ts'

/** Not counted: the first round of a cluster meets code that has never run. */
const WARM_UP = 2

/** Of more than three nodes: of 100 rounds this many. */
const MORE_NODES = 0.25

interface Found {
  readonly size: number
  readonly preset: TimingPreset
  readonly loss: Loss
  readonly rounds: readonly Round[]
}

/** One cluster, one blow after the other. */
async function rounds(
  size: number,
  timing: TimingPreset,
  losses: readonly Loss[],
  count: number,
  program: Program = 'command'
): Promise<Found[]> {
  if (losses.length === 0) return []
  const yard = new Yard({ size, discovery: 'seeds', timing, program })
  const found: Found[] = []
  try {
    await yard.prepare()
    await yard.startAll()
    await passed(AFTER_START_MS)
    for (const loss of losses) {
      const all: Round[] = []
      for (let i = 0; i < count + WARM_UP; i++) all.push(await loseLeader(yard, loss))
      found.push({ size, preset: timing, loss, rounds: all.slice(WARM_UP) })
      report.progress(`${count} rounds of ${loss}, ${size} nodes, preset ${timing}`)
    }
  } finally {
    await yard.close()
  }
  return found
}

/** Clusters of three that live at the same time, and periods of quiet: 100 rounds make 24 of silence. */
const CALM_CLUSTERS = 6
const CALM_PERIODS_SHARE = 0.04
const CALM_PERIODS_SHARE_MORE_NODES = 0.02

async function silences(preset: TimingPreset, sizes: readonly number[], loss: 'pause' | 'drop'): Promise<Found[]> {
  const found: Found[] = []
  const small = sizes.filter((size) => size <= 3)
  const groups = [
    {
      sizes: small.flatMap((size) => Array<number>(Math.min(CALM_CLUSTERS, chosen.rounds)).fill(size)),
      of: CALM_PERIODS_SHARE
    },
    { sizes: sizes.filter((size) => size > 3), of: CALM_PERIODS_SHARE_MORE_NODES }
  ]
  for (const group of groups) {
    if (group.sizes.length === 0) continue
    const bySize = await silentRounds({ ...group, preset, loss, periods: Math.ceil(chosen.rounds * group.of) })
    for (const [size, all] of bySize) found.push({ size, preset, loss, rounds: all })
    report.progress(`${loss}, ${[...bySize.keys()].join(', ')} nodes, preset ${preset}`)
  }
  return found
}

function tell({ size, preset, loss, rounds: all }: Found): string[][] {
  const series: readonly (readonly [string, number[]])[] = [
    ['missed', all.flatMap(({ missedMs }) => missedMs ?? [])],
    ['writable', all.map(({ writableMs }) => writableMs)],
    ['known by all', all.map(({ knownMs }) => knownMs)]
  ]
  const split = all.filter(({ terms }) => terms > 1).length
  const terms = Math.max(...all.map((round) => round.terms))
  const name = preset === 'lan' ? LOSS_NAMES[loss] : `${LOSS_NAMES[loss]}, preset ${preset}`
  return series.flatMap(([until, values]) => {
    if (values.length === 0) return []
    report.series({ loss, size, preset, until, unit: 'ms', splitVotes: split, termsMax: terms }, values)
    const votes = until === 'writable' ? `${split}, ${terms}` : ''
    return [[name, String(size), until, ...quantileCells(values), votes]]
  })
}

stepBehind()
const chosen = options({ rounds: 100, sizes: [3, 5, 7, 9] })
const report = new Report('election', chosen)
const unavailable = switchUnavailable()
const wanted = chosenOf<Loss | 'fast'>([...LOSSES, 'fast'], chosen)
const losses = LOSSES.filter((loss) => wanted.includes(loss) && (loss !== 'drop' || unavailable === undefined))
if (wanted.includes('drop') && unavailable !== undefined) report.say(`drop is skipped: ${unavailable}`)

const isSilent = (loss: Loss): loss is 'pause' | 'drop' => loss === 'pause' || loss === 'drop'
const found: Found[] = []
for (const size of chosen.sizes) {
  const count = size <= 3 ? chosen.rounds : Math.ceil(chosen.rounds * MORE_NODES)
  const loud = losses.filter((loss) => !isSilent(loss) && loss !== 'call')
  found.push(...(await rounds(size, 'lan', loud, count)))
  const called = losses.filter((loss) => loss === 'call')
  found.push(...(await rounds(size, 'lan', called, count, 'embedded')))
}
for (const loss of losses.filter(isSilent)) found.push(...(await silences('lan', chosen.sizes, loss)))
if (wanted.includes('fast') && Object.hasOwn(timingPresets, 'fast')) {
  found.push(...(await rounds(3, 'fast', ['kill'], Math.ceil(chosen.rounds * MORE_NODES))))
  found.push(...(await silences('fast', [3], 'pause')))
}
const rank = ({ preset, size, loss }: Found): number => (preset === 'lan' ? 0 : 100) + 10 * size + LOSSES.indexOf(loss)
report.table(
  'Milliseconds from the moment at which the leader is lost',
  ['lost by', 'nodes', 'until', ...QUANTILES, 'split, terms at most'],
  found.toSorted((a, b) => rank(a) - rank(b)).flatMap(tell),
  'all'
)
const lead = figure(Math.max(0, Life.clockLeadMs))
report.say(`clocks of the processes: no event was later than its arrival by more than ${lead} ms`)
report.end()
