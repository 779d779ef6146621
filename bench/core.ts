/**
 * The consensus core alone: `node bench/core.ts`. Three members in one thread, every message and every write done at once, in
 * the order in which they were asked for; no real time, no disk, no codec. What is left is the algorithm and its allocations.
 *
 * - election: a fresh group is made, and run until its first leader has committed its first entry everywhere;
 * - failover: the leader falls silent for the others (its connections close), they elect, it comes back;
 * - commit: one proposal to a leader that has sent heartbeats, run until all members have emitted it; the same with 64 proposals in
 *   one step;
 * - memory: heap per member of 1,000 elected groups.
 */
import { InstantGroup } from '../src/node/instant-group.ts'
import { options, Report } from './kit/report.ts'
import { figure, summary } from './kit/stats.ts'

/** Processor time of this thread where Node tells it (23.9 and newer), so that neighbours cost nothing; else the time. */
const threadMs = (): number => {
  const usage = (process as Partial<Pick<NodeJS.Process, 'threadCpuUsage'>>).threadCpuUsage?.()
  return usage === undefined ? performance.now() : (usage.user + usage.system) / 1000
}

/** Repeats for at least `forMs`, five times after a warm-up; the median of the five rates counts. */
function rate(forMs: number, once: () => number): { readonly perSecond: number; readonly n: number } {
  const run = (): { done: number; ms: number } => {
    const begin = threadMs()
    let done = 0
    let ms = 0
    while (ms < forMs) {
      for (let i = 0; i < 64; i++) done += once()
      ms = threadMs() - begin
    }
    return { done, ms }
  }
  run()
  const runs = Array.from({ length: 5 }, run)
  return {
    perSecond: summary(runs.map(({ done, ms }) => (done * 1000) / ms)).p50,
    n: runs.reduce((sum, { done }) => sum + done, 0)
  }
}

/** A log that grows for ever measures the collector: a new group every so often keeps it to what a member holds. */
const COMMITS_PER_GROUP = 20_000

function commits(size: number, seed: string, batch: number): () => number {
  const data = new Uint8Array(64)
  let group = new InstantGroup(size, seed)
  let leader = group.elect()
  group.beat(leader)
  let ref = 0
  return () => {
    if (leader.emitted > COMMITS_PER_GROUP) {
      group = new InstantGroup(size, seed)
      leader = group.elect()
      group.beat(leader)
    }
    const before = leader.emitted
    if (batch === 1) group.propose(leader, { type: 'propose', ref: ++ref, data })
    else {
      const proposals = Array.from({ length: batch }, () => ({ ref: ++ref, data }))
      group.propose(leader, { type: 'propose-batch', proposals })
    }
    if (leader.emitted !== before + batch) throw new Error('a proposal did not commit')
    return batch
  }
}

function failovers(size: number, seed: string): () => number {
  let group = new InstantGroup(size, seed)
  let leader = group.elect()
  return () => {
    if (leader.emitted > COMMITS_PER_GROUP) {
      group = new InstantGroup(size, seed)
      leader = group.elect()
    }
    const before = leader
    group.cut(before)
    leader = group.elect()
    if (leader === before) throw new Error('the leader that was cut off still leads')
    group.join(before)
    if (before.raft.status().leader !== leader.id) throw new Error('the old leader did not follow')
    return 1
  }
}

/** Heap bytes of one member, from 1,000 groups that have elected; needs `--expose-gc`. */
function memoryPerMember(size: number, seed: string): number | undefined {
  const collect = globalThis.gc
  if (collect === undefined) return undefined
  const groups: InstantGroup[] = []
  collect()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 1_000; i++) {
    const group = new InstantGroup(size, `${seed}/${i}`)
    group.elect()
    groups.push(group)
  }
  collect()
  const bytes = (process.memoryUsage().heapUsed - before) / (groups.length * size)
  return groups.length === 0 ? undefined : bytes
}

/** etcd's RawNode on another machine of this kind, 3 members: a yardstick, not a measurement of this run. */
const YARDSTICK: Readonly<Record<string, number>> = { elections: 21_440, failovers: 45_920, commits: 191_000 }

const chosen = options({ sizes: [3, 5, 9] })
const report = new Report('core', chosen)
const rows: string[][] = []
for (const size of chosen.sizes) {
  let fresh = 0
  const election = (): number => {
    new InstantGroup(size, `${chosen.seed}/${fresh++ % 1_000}`).elect()
    return 1
  }
  const parts: readonly (readonly [string, () => number])[] = [
    ['elections', election],
    ['failovers', failovers(size, chosen.seed)],
    ['commits', commits(size, chosen.seed, 1)],
    ['commits, 64 a step', commits(size, chosen.seed, 64)]
  ]
  for (const [name, once] of parts) {
    const { perSecond, n } = rate(400, once)
    const yardstick = size === 3 ? YARDSTICK[name] : undefined
    report.result({ what: name, size, perSecond: Math.round(perSecond), n, yardstick })
    const ratio = yardstick === undefined ? '' : `${(perSecond / yardstick).toFixed(1)} x`
    rows.push([
      name,
      String(size),
      figure(perSecond),
      String(n),
      yardstick === undefined ? '' : figure(yardstick),
      ratio
    ])
  }
  const bytes = memoryPerMember(size, chosen.seed)
  if (bytes !== undefined) {
    report.result({
      what: 'memory',
      size,
      bytesPerMember: Math.round(bytes),
      yardstick: size === 3 ? 3_994 : undefined
    })
    rows.push(['bytes a member', String(size), figure(bytes), '1000', size === 3 ? '3,994' : '', ''])
  }
}
report.table(
  'In one thread, without real time; per second of its processor time',
  ['what', 'members', 'measured', 'n', 'etcd RawNode', 'ratio'],
  rows
)
report.end()
