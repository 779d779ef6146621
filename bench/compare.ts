/**
 * The same rounds for us and for etcd, in turns, so that whatever else the machine does meets both:
 * `node bench/compare.ts [--rounds 30] [--sizes 3] [--only 30/150]`.
 *
 * - crash: SIGKILL of the leader until a survivor accepted a client's write; ours through the control socket, etcd's by gRPC.
 *   Our own `writable` event is given as well; it is what bench/election.ts reports;
 * - formation: empty data directories, all processes started together, until anybody accepted a write (etcd), until the
 *   leader could write (ours). Ours finds and authenticates its members first; etcd is told all of them.
 */
import { controlClient } from '../src/admin/index.ts'
import { Etcd, etcdVersion } from './kit/etcd.ts'
import { options, Report } from './kit/report.ts'
import { leaderOf, loseLeader } from './kit/rounds.ts'
import { figure, QUANTILES, quantileCells, summary } from './kit/stats.ts'
import { plotCdf } from './kit/svg.ts'
import { wallNow, Yard } from './kit/yard.ts'

/** Heartbeat and election timeout, ms: etcd's default, and two that people choose to fail over sooner. */
const SETTINGS = ['100/1000', '30/150', '10/50'] as const

const OURS = 'quorate, accepted write'
const OURS_WRITABLE = 'quorate, writable'

type Found = Map<string, number[]>

function note(found: Found, system: string, ms: number): void {
  const values = found.get(system) ?? []
  found.set(system, values)
  values.push(ms)
}

/** One of our rounds: what the survivors' clients see, and what the new leader says. */
async function crash(yard: Yard, found: Found): Promise<void> {
  const old = await leaderOf(yard)
  const clients = yard
    .living()
    .filter((life) => life !== old)
    .map(({ dataDir }) => controlClient(dataDir))
  let accepted: Promise<number> | undefined
  const round = await loseLeader(yard, 'kill', () => {
    const writes = clients.map((client) => client.setConfig({ limit: 1 }).then(() => wallNow()))
    accepted = Promise.any(writes)
    // One accepted write ends the round; the other may fail with the node that it asked.
    for (const write of writes) write.catch(() => {})
  })
  note(found, OURS, (await accepted!) - round.at)
  note(found, OURS_WRITABLE, round.writableMs)
}

async function crashes(size: number, rounds: number, settings: readonly string[]): Promise<Found> {
  const found: Found = new Map()
  const yard = new Yard({ size, discovery: 'seeds' })
  const peers = settings.map((setting) => [setting, newEtcd(size, setting)] as const)
  try {
    await yard.prepare()
    await yard.startAll()
    for (const [, etcd] of peers) await etcd.startAll()
    for (let i = 0; i < rounds; i++) {
      await crash(yard, found)
      for (const [setting, etcd] of peers) note(found, `etcd ${setting}`, await etcd.killLeader())
    }
  } finally {
    await Promise.all([yard.close(), ...peers.map(([, etcd]) => etcd.close())])
  }
  return found
}

async function formations(size: number, rounds: number, settings: readonly string[]): Promise<Found> {
  const found: Found = new Map()
  for (let i = 0; i < rounds; i++) {
    await form(size, found)
    for (const setting of settings) {
      const etcd = newEtcd(size, setting)
      try {
        note(found, `etcd ${setting}`, await etcd.startAll())
      } finally {
        await etcd.close()
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
    note(found, OURS_WRITABLE, Math.min(...writable.map(({ at }) => at)) - startedAt)
  } finally {
    await yard.close()
  }
}

function newEtcd(size: number, setting: string): Etcd {
  const [heartbeatMs, electionMs] = setting.split('/').map(Number) as [number, number]
  return new Etcd({ size, heartbeatMs, electionMs })
}

function tell(report: Report, what: string, size: number, found: Found): string[][] {
  const base = summary(found.get(OURS) ?? found.get(OURS_WRITABLE)!).p50
  return [...found].map(([system, values]) => {
    const ratio = summary(values).p50 / base
    report.series({ what, size, system, unit: 'ms', p50ToOurs: Math.round(ratio * 100) / 100 }, values)
    return [what, String(size), system, ...quantileCells(values), `${figure(ratio)} x`]
  })
}

const chosen = options({ rounds: 30 })
const report = new Report('compare', chosen)
const version = etcdVersion()
if (version === undefined) report.say('etcd is not in the PATH: skipped (Debian: apt-get install etcd-server)')
else report.say(`etcd ${version}`)
const wanted = SETTINGS.filter((setting) => chosen.only.length === 0 || chosen.only.includes(setting))
const settings = version === undefined ? [] : wanted
const rows: string[][] = []
for (const size of chosen.sizes) {
  rows.push(...tell(report, 'crash', size, await crashes(size, chosen.rounds, settings)))
  rows.push(...tell(report, 'formation', size, await formations(size, Math.ceil(chosen.rounds / 3), settings)))
}
report.table('Milliseconds', ['what', 'nodes', 'system', ...QUANTILES, 'p50 to ours'], rows)
plotCdf(chosen.out, 'compare', {
  title: 'SIGKILL of the leader, until a write was accepted',
  unit: 'ms',
  series: report
    .seriesOf(({ what }) => what === 'crash')
    .map(({ what, values }) => ({
      name: `${String(what['system'])}, n=${String(what['size'])} (p50 ${figure(summary(values).p50)})`,
      values,
      dashed: String(what['system']).startsWith('etcd')
    }))
})
report.end()
