/**
 * The same rounds for us and for peers, in turns, so that whatever else the machine does meets all of them:
 * `node bench/compare.ts [--rounds 30] [--sizes 3] [--only etcd,liferaft,zmq-raft]`. One cluster runs at a time: five rounds of one
 * system, five of the next, and so on, each time with new data directories.
 *
 * - crash: SIGKILL of the leader until a survivor accepted a client's write; ours through the control socket, etcd's by gRPC,
 *   zmq-raft's by its own client; liferaft has none, its new leader writes by itself. Clients of ours and of etcd have written
 *   through the survivors before, as clients of a cluster in use have. Rounds without clients are given as well: until the first
 *   commit of the new leader, which is what bench/election.ts reports. What peers do without a client cannot be seen.
 * - formation: empty data directories, all processes started together, until anybody accepted a write, and until our leader
 *   could write. Ours finds and authenticates its members first; the others are told all of them.
 *
 * etcd is skipped where `etcd` is not in the PATH (Debian: etcd-server), the packages where npm cannot install them.
 */
import { setTimeout as passed } from 'node:timers/promises'
import { controlClient } from '../src/admin/index.ts'
import { seededRandom } from '../src/core/random.ts'
import { Etcd, etcdVersion } from './kit/etcd.ts'
import { liferaftSystems } from './kit/liferaft.ts'
import type { PeerSystem } from './kit/peer.ts'
import { chosenOf, options, Report } from './kit/report.ts'
import { AFTER_START_MS, leaderOf, loseLeader } from './kit/rounds.ts'
import { figure, QUANTILES, quantileCells, ratioOfMedians } from './kit/stats.ts'
import { wallNow, Yard } from './kit/yard.ts'
import { zmqRaftSystems } from './kit/zmq-raft.ts'

/** Heartbeat and election timeout, ms: etcd's default, and two that people choose to fail over sooner. */
const ETCD_SETTINGS = [
  [100, 1000],
  [30, 150],
  [10, 50]
] as const

const OURS = 'quorate, accepted write'
const OURS_COMMIT = 'quorate, first commit'
/** Rounds that a cluster has before it makes room for the next one. */
const ROUNDS_A_TURN = 5
/** What a client has written through each survivor before the leader falls. */
const WRITES_BEFORE = 20

type Found = Map<string, number[]>

function note(found: Found, system: string, ms: number): void {
  const values = found.get(system) ?? []
  found.set(system, values)
  values.push(ms)
}

/** One of our rounds in which nobody asks for anything, and one in which clients of the survivors do. */
async function crash(yard: Yard, found: Found): Promise<void> {
  const { writableMs } = await loseLeader(yard, 'kill')
  note(found, OURS_COMMIT, writableMs)
  const old = await leaderOf(yard)
  const clients = yard
    .living()
    .filter((life) => life !== old)
    .map(({ dataDir }) => controlClient(dataDir))
  for (const client of clients) for (let i = 0; i < WRITES_BEFORE; i++) await client.setConfig({ limit: i })
  let accepted: Promise<number> | undefined
  const meanwhile = (): void => {
    const writes = clients.map((client) => client.setConfig({ limit: 1 }).then(() => wallNow()))
    accepted = Promise.any(writes)
    // One accepted write ends the round; the other may fail with the node that it asked.
    for (const write of writes) write.catch(() => {})
  }
  const round = await loseLeader(yard, 'kill', { meanwhile })
  note(found, OURS, (await accepted!) - round.at)
}

/** A cluster for one turn: it is alone on the machine, as clusters are, and what the machine does meanwhile meets all of them. */
interface Contestant {
  readonly name: string
  readonly isOurs: boolean
  start(): Promise<unknown>
  round(found: Found): Promise<void>
  close(): Promise<void>
}

function us(size: number): Contestant {
  const yard = new Yard({ size, discovery: 'seeds' })
  return {
    name: OURS,
    isOurs: true,
    start: async () => {
      await yard.prepare()
      await yard.startAll()
      await passed(AFTER_START_MS)
    },
    round: (found) => crash(yard, found),
    close: () => yard.close()
  }
}

function them({ name, create }: PeerSystem, size: number): Contestant {
  const peer = create(size)
  return {
    name,
    isOurs: false,
    start: () => peer.startAll(),
    round: async (found) => note(found, name, await peer.killLeader(WRITES_BEFORE)),
    close: () => peer.close()
  }
}

const failures: string[] = []

/** A peer that does not get through has no time that could be given, and others still have; the report names it. */
function failed({ name, isOurs }: Pick<Contestant, 'name' | 'isOurs'>, what: string, error: unknown): void {
  if (isOurs) throw error
  failures.push(
    `${name}, ${what}: the rest of a turn is missing, ${error instanceof Error ? error.message : String(error)}`
  )
}

async function crashes(size: number, rounds: number, systems: readonly PeerSystem[]): Promise<Found> {
  const found: Found = new Map()
  for (let done = 0; done < rounds; done += ROUNDS_A_TURN) {
    for (const enter of [() => us(size), ...systems.map((system) => () => them(system, size))]) {
      const contestant = enter()
      try {
        await contestant.start()
        for (let i = done; i < Math.min(rounds, done + ROUNDS_A_TURN); i++) await contestant.round(found)
      } catch (error) {
        failed(contestant, 'crash', error)
      } finally {
        await contestant.close()
      }
    }
  }
  return found
}

async function formations(size: number, rounds: number, systems: readonly PeerSystem[]): Promise<Found> {
  const found: Found = new Map()
  for (let i = 0; i < rounds; i++) {
    await form(size, found)
    for (const { name, create } of systems) {
      const peer = create(size)
      try {
        note(found, name, await peer.startAll())
      } catch (error) {
        failed({ name, isOurs: false }, 'formation', error)
      } finally {
        await peer.close()
      }
    }
  }
  return found
}

async function form(size: number, found: Found): Promise<void> {
  const yard = new Yard({ size, discovery: 'seeds' })
  try {
    await yard.prepare()
    await yard.startAll()
    const startedAt = Math.min(...yard.lives.map((life) => life.startedAt))
    const writable = yard.lives.flatMap(({ events }) => events.filter(({ event }) => event === 'writable'))
    note(found, OURS_COMMIT, Math.min(...writable.map(({ at }) => at)) - startedAt)
  } finally {
    await yard.close()
  }
}

const etcdSystems = (): readonly PeerSystem[] => {
  const version = etcdVersion()
  return ETCD_SETTINGS.map(([heartbeatMs, electionMs]) => ({
    name: `etcd ${heartbeatMs}/${electionMs}`,
    unavailable: version === undefined ? 'etcd is not in the PATH (Debian: apt-get install etcd-server)' : undefined,
    create: (size) => new Etcd({ size, heartbeatMs, electionMs })
  }))
}

function tell(report: Report, of: string, size: number, found: Found, seed: string): string[][] {
  return [...found].map(([system, values]) => {
    report.series({ what: of, size, system, unit: 'ms' }, values)
    const ratios = [OURS, OURS_COMMIT].map((to) => {
      const ours = found.get(to)
      if (ours === undefined) return ''
      if (ours === values) return '1'
      const { ratio, low, high } = ratioOfMedians(values, ours, seededRandom(`${seed}/${of}/${system}/${to}`))
      report.result({ what: 'ratio', of, to, size, system, ratio, low, high })
      return `${figure(ratio)} (${figure(low)} to ${figure(high)})`
    })
    return [of, String(size), system, ...quantileCells(values), ...ratios]
  })
}

const FAMILIES = { etcd: etcdSystems, liferaft: liferaftSystems, 'zmq-raft': zmqRaftSystems } as const

const chosen = options({ rounds: 30 })
const report = new Report('compare', chosen)
const all = chosenOf(['etcd', 'liferaft', 'zmq-raft'] as const, chosen).flatMap((family) => FAMILIES[family]())
for (const { name, unavailable } of all) if (unavailable !== undefined) report.say(`${name} is skipped: ${unavailable}`)
const systems = all.filter(({ unavailable }) => unavailable === undefined)
const version = etcdVersion()
report.result({ what: 'versions', etcd: version, systems: systems.map(({ name }) => name) })
const rows: string[][] = []
for (const size of chosen.sizes) {
  rows.push(...tell(report, 'crash', size, await crashes(size, chosen.rounds, systems), chosen.seed))
  report.progress(`${size} nodes, crashes`)
  const rounds = Math.ceil(chosen.rounds / 3)
  rows.push(...tell(report, 'formation', size, await formations(size, rounds, systems), chosen.seed))
}
const ratioHeads = ['p50 to our accepted write (9 in 10)', 'p50 to our first commit (9 in 10)']
report.table('Milliseconds', ['what', 'nodes', 'system', ...QUANTILES, ...ratioHeads], rows, 'all')
for (const failure of failures) report.say(failure)
if (version !== undefined) report.say(`etcd is ${version}`)
report.end()
