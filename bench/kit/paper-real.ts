/**
 * The trials of the Raft paper's figure 16 with real processes, for bench/paper.ts: five nodes whose packets take 7 ms each way,
 * so that a broadcast and its answers take about 15, with the sync that a vote costs. Before each crash two of the four
 * others are kept from the newest committed entry; the crash comes at a random moment of the time between two heartbeats.
 */
import { controlClient } from '../../src/admin/index.ts'
import type { Random } from '../../src/core/random.ts'
import { delayedYard, hookPath } from './delayed-yard.ts'
import { LAGGING_MARK } from './lagging-mark.ts'
import { leaderOf, loseLeader, type Round } from './rounds.ts'
import { type Life, TooLateError, type Yard } from './yard.ts'

const SIZE = 5
const ONE_WAY_MS = 7
/** A leader that is deposed before its crash makes no trial; then the next one is taken. */
const TRIES_MAX = 50

/** `range`: of the election timeout, `low-high` in ms; undefined: our defaults. */
export async function realTrials(range: string | undefined, trials: number, random: Random): Promise<Round[]> {
  const { yard, close } = await delayedYard(
    {
      ...{ size: SIZE, discovery: 'seeds', hooks: [hookPath('classic-hook.ts')] },
      env: () => (range === undefined ? {} : { QUORATE_BENCH_CLASSIC: range })
    },
    [ONE_WAY_MS, ONE_WAY_MS]
  )
  const heartbeatMs = range === undefined ? 50 : Number(range.split('-')[0]) / 2
  const found: Round[] = []
  try {
    await yard.startAll()
    for (let i = 0; i < trials; i++) {
      if (!(await readyToCrash(yard, heartbeatMs, random))) break
      found.push(await loseLeader(yard, 'kill'))
    }
  } catch (error) {
    // On a busy machine the shortest timeouts may find no leader that lasts: the trials that ended are what there is.
    if (!(error instanceof TooLateError)) throw error
  } finally {
    await close()
  }
  return found
}

/** Two followers lag; false when no leader lasted that long. */
async function readyToCrash(yard: Yard, heartbeatMs: number, random: Random): Promise<boolean> {
  for (let i = 0; i < TRIES_MAX; i++) {
    const leader = await leaderOf(yard)
    await letLag(leader)
    const wrote = await controlClient(leader.dataDir)
      .setConfig({ trial: random.int(0, 1e9) })
      .then(
        () => true,
        () => false
      )
    await new Promise((resolve) => void setTimeout(resolve, random.next() * heartbeatMs))
    if (wrote && (await leaderOf(yard)) === leader) return true
  }
  return false
}

async function letLag(leader: Life): Promise<void> {
  const from = leader.stderr.length
  leader.signal('SIGUSR2')
  await leader.untilStderr(LAGGING_MARK, from)
}
