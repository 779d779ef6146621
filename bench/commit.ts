/**
 * Writes: `node bench/commit.ts [--rounds 3]`. Three processes on loopback, a config of 1 KiB, a real sync on every node for
 * every batch: one after the other, and 64 in flight. A write is a call of `node.config.set` in the leader's process until it
 * is applied there: canonical JSON, a command with its author, log, replication, commit, judgement, hash chain, history.
 *
 * Each order counts after a warm-up of 50,000 or 20,000 writes, for both systems: V8 compiles on the processors that the three nodes
 * share, for some fifty thousand writes, and they are dearer until it is done (a tenth of the processor time after fifteen
 * thousand). What the first 500 took is reported beside it.
 *
 * etcd, when it is installed, runs in turns with it in the same run: Put of as many bytes by gRPC from this process. Its
 * client is in another process and ours is not, which favours ours; its state machine writes a key and ours keeps a chain of
 * versions, which favours etcd.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CommitReport } from './kit/commit-child.ts'
import { Etcd, etcdVersion } from './kit/etcd.ts'
import { type CommitOrder, hammer, type Hammered } from './kit/hammer.ts'
import { processCost } from './kit/machine.ts'
import { portsFrom } from './kit/ports.ts'
import { options, Report } from './kit/report.ts'
import { figure, QUANTILES, quantileCells, summary } from './kit/stats.ts'
import { mintTokens } from './kit/tokens.ts'

const SIZE = 3
const BYTES = 1_024
const ORDERS: readonly CommitOrder[] = [
  { inFlight: 1, warmUpWrites: 50_000, warmUpMs: 60_000, forMs: 5_000, bytes: BYTES },
  { inFlight: 64, warmUpWrites: 20_000, warmUpMs: 8_000, forMs: 3_000, bytes: BYTES }
]

interface Measured {
  readonly latenciesMs: readonly number[]
  readonly coldMs: readonly number[]
  readonly perSecond: number
  /** Processor time for one write, by process, the dearest first; undefined where the system does not tell. */
  readonly cpuUs: readonly number[] | undefined
}

type Write = (order: CommitOrder) => Promise<Measured>

async function withOurs<T>(use: (write: Write) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(tmpdir(), 'quorate-bench-'))
  const tokens = await mintTokens(SIZE)
  const port = portsFrom()
  const seeds = tokens.map((_, i) => `127.0.0.1:${port + i}`)
  const children = tokens.map((token, i) => {
    const discovery = { mdns: false, seeds }
    const init = { token, dataDir: join(path, `n${i}`), listen: [`/ip4/127.0.0.1/tcp/${port + i}`], discovery }
    return fork(fileURLToPath(new URL('kit/commit-child.ts', import.meta.url)), [JSON.stringify(init)], {
      env: { ...process.env, NODE_ENV: 'production' }
    })
  })
  try {
    await Promise.all(children.map(answer))
    return await use(async (order) => {
      const leader = await leaderOf(children)
      const pids = children.map(({ pid }) => pid!)
      leader.send(order)
      if ((await answer(leader)).type !== 'counting') throw new Error('a node answered out of turn')
      const before = cpuMs(pids)
      const report = await answer(leader)
      if (report.type !== 'done') throw new Error('a node answered out of turn')
      return measured(report, pids, before)
    })
  } finally {
    for (const child of children) child.kill('SIGKILL')
    rmSync(path, { recursive: true, force: true })
  }
}

function answer(child: ChildProcess): Promise<CommitReport> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error('a node ended while it was needed'))
    child.once('exit', onExit)
    child.once('message', (report) => {
      child.off('exit', onExit)
      resolve(report as CommitReport)
    })
  })
}

async function leaderOf(children: readonly ChildProcess[]): Promise<ChildProcess> {
  for (const child of children) {
    child.send('who leads')
    const report = await answer(child)
    if (report.type === 'ready' && report.leads) return child
  }
  throw new Error('nobody leads')
}

const cpuMs = (pids: readonly number[]): readonly number[] | undefined =>
  process.platform === 'linux' ? pids.map((pid) => processCost(pid).cpuMs) : undefined

function measured(
  { latenciesMs, coldMs, elapsedMs, writes }: Hammered,
  pids: readonly number[],
  before: ReturnType<typeof cpuMs>
): Measured {
  const after = cpuMs(pids)
  const spent = before === undefined ? undefined : after?.map((ms, i) => ((ms - before[i]!) * 1000) / writes)
  return {
    latenciesMs,
    coldMs,
    perSecond: (latenciesMs.length * 1000) / elapsedMs,
    cpuUs: spent?.toSorted((a, b) => b - a)
  }
}

async function withEtcd<T>(use: (write: Write) => Promise<T>): Promise<T> {
  const etcd = new Etcd({ size: SIZE, heartbeatMs: 100, electionMs: 1000 })
  try {
    await etcd.startAll()
    const put = await etcd.leaderPut()
    return await use(async (order) => {
      const pids = etcd.pids()
      let before: ReturnType<typeof cpuMs>
      const value = new Uint8Array(order.bytes).fill(120)
      const hammered = await hammer(
        order,
        () => put(value),
        () => (before = cpuMs(pids))
      )
      return measured(hammered, pids, before)
    })
  } finally {
    await etcd.close()
  }
}

const chosen = options({ rounds: 3 })
const report = new Report('commit', chosen)
const version = etcdVersion()
if (version === undefined) report.say('etcd is not in the PATH: skipped (Debian: apt-get install etcd-server)')
const systems: (readonly [string, <T>(use: (write: Write) => Promise<T>) => Promise<T>])[] = [['quorate', withOurs]]
if (version !== undefined) systems.push([`etcd ${version}`, withEtcd])

interface Found {
  readonly latenciesMs: number[]
  readonly coldMs: number[]
  readonly rates: number[]
  readonly cpuUs: (readonly number[])[]
}

const found = new Map<string, Found>()
for (let round = 0; round < chosen.rounds; round++) {
  for (const [name, withSystem] of systems) {
    await withSystem(async (write) => {
      for (const order of ORDERS) {
        const { latenciesMs, coldMs, perSecond, cpuUs } = await write(order)
        const key = `${name}/${order.inFlight}`
        const entry = found.get(key) ?? { latenciesMs: [], coldMs: [], rates: [], cpuUs: [] }
        found.set(key, entry)
        for (const value of latenciesMs) entry.latenciesMs.push(value)
        for (const value of coldMs) entry.coldMs.push(value)
        entry.rates.push(perSecond)
        if (cpuUs !== undefined) entry.cpuUs.push(cpuUs)
      }
    })
  }
}

const rows: string[][] = []
for (const [key, { latenciesMs, coldMs, rates, cpuUs }] of found) {
  const [name, inFlight] = key.split('/') as [string, string]
  const perSecond = summary(rates).p50
  const values = { unit: 'ms', ...summary(latenciesMs) }
  const [leader, ...rest] = Array.from(
    { length: cpuUs[0]?.length ?? 0 },
    (_, i) => summary(cpuUs.map((us) => us[i]!)).p50
  )
  const cpu = { leaderCpuUs: leader, othersCpuUs: rest }
  report.result({
    ...{ system: name, inFlight: Number(inFlight), bytes: BYTES },
    ...{ perSecond: Math.round(perSecond), ...values, coldP50: summary(coldMs).p50, ...cpu }
  })
  const cells = [figure(perSecond), leader === undefined ? '' : figure(leader), figure(rest[0] ?? NaN)]
  rows.push([name, inFlight, ...quantileCells(latenciesMs), figure(summary(coldMs).p50), ...cells])
}
report.table(
  'Milliseconds for a write of 1 KiB, 3 nodes; writes a second (median of the rounds)',
  ['system', 'in flight', ...QUANTILES, 'p50 of the first 500', 'a second', 'us of CPU, leader', 'follower'],
  rows
)
for (const inFlight of ORDERS.map((order) => order.inFlight)) {
  const [ours, theirs] = systems.map(([name]) => found.get(`${name}/${inFlight}`))
  if (ours === undefined || theirs === undefined) continue
  const rates = summary(ours.rates).p50 / summary(theirs.rates).p50
  const latency = summary(ours.latenciesMs).p50 / summary(theirs.latenciesMs).p50
  report.result({ ratio: 'quorate to etcd', inFlight, rates, latencyP50: latency })
  report.say(
    `${inFlight} in flight: ${rates.toFixed(2)} times etcd's rate, ${latency.toFixed(2)} times its p50 latency`
  )
}
report.end()
