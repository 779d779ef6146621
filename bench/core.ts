/**
 * The consensus core alone: `node bench/core.ts`. Three members in one thread, every message and every write done at once, in
 * the order in which they were asked for; no real time, no disk, no codec. What is left is the algorithm and its allocations.
 *
 * - election: a fresh group is made, and run until its first leader has committed its first entry everywhere;
 * - failover: the leader falls silent for the others (its connections close), they elect, it comes back;
 * - commit: one proposal, run until all members have emitted it; the same with 64 proposals in one step;
 * - memory: heap per member of 1,000 elected groups.
 */
import { seededRandom } from '../src/core/random.ts'
import { createRaft, type NodeId, type Raft, type RaftEffects, type RaftInput } from '../src/raft/index.ts'
import { options, Report } from './kit/report.ts'
import { figure, summary } from './kit/stats.ts'

const TIMING = { heartbeatMs: 50, electionTimeoutMs: 250, rankStepMs: 20, jitterMs: 5 }

interface Letter {
  readonly to: Member
  readonly input: RaftInput
}

interface Member {
  readonly id: NodeId
  readonly raft: Raft
  up: boolean
  deadline: number
  emitted: number
}

/** A group whose network and disks take no time. Its clock jumps to whatever is due next. */
class Group {
  readonly members: Member[]
  now = 0
  readonly #byId = new Map<NodeId, Member>()
  #queue: Letter[] = []

  constructor(size: number, seed: string) {
    const voters = Array.from({ length: size }, (_, i) => `n${i + 1}`)
    const random = seededRandom(seed)
    this.members = voters.map((id) => ({
      id,
      raft: createRaft({
        self: id,
        membership: { voters, outgoing: [], learners: [], learnersNext: [], autoLeave: false },
        hardState: { term: 0, votedFor: undefined },
        entries: [],
        timing: TIMING,
        random: random.fork(id)
      }),
      up: true,
      deadline: Infinity,
      emitted: 0
    }))
    for (const member of this.members) this.#byId.set(member.id, member)
    for (const member of this.members) this.#take(member, member.raft.start(0))
    for (const a of this.members) {
      for (const b of this.members) if (a !== b) this.#queue.push({ to: a, input: { type: 'connected', peer: b.id } })
    }
    this.settle()
  }

  leader(): Member | undefined {
    return this.members.find(({ up, raft }) => up && raft.status().writable)
  }

  /** Delivers all that is under way. */
  settle(): void {
    for (let at = 0; at < this.#queue.length; at++) {
      const { to, input } = this.#queue[at]!
      if (to.up) this.#take(to, to.raft.step(input, this.now))
    }
    this.#queue = []
  }

  /** Lets time pass until somebody leads and can write. */
  elect(): Member {
    for (let rounds = 0; rounds < 1_000; rounds++) {
      const leader = this.leader()
      if (leader !== undefined) return leader
      const next = this.members.filter(({ up }) => up).reduce((a, b) => (a.deadline <= b.deadline ? a : b))
      this.now = Math.max(this.now, next.deadline)
      this.#queue.push({ to: next, input: { type: 'tick' } })
      this.settle()
    }
    throw new Error('nobody was elected in 1,000 timeouts')
  }

  propose(leader: Member, input: RaftInput): void {
    this.#queue.push({ to: leader, input })
    this.settle()
  }

  /** The connections of a member close, and nothing reaches it. */
  cut(member: Member): void {
    member.up = false
    for (const other of this.members) this.#tellOf(other, 'disconnected', member)
    this.settle()
  }

  /** It is back: connected, told of its successor, caught up. */
  join(member: Member): void {
    member.up = true
    for (const other of this.members) {
      this.#tellOf(member, 'disconnected', other)
      this.#tellOf(member, 'connected', other)
      this.#tellOf(other, 'connected', member)
    }
    this.settle()
  }

  #tellOf(to: Member, type: 'connected' | 'disconnected', about: Member): void {
    if (to !== about) this.#queue.push({ to, input: { type, peer: about.id } })
  }

  #take(member: Member, { write, send, sendAfter, committed, deadline }: RaftEffects): void {
    for (const { to, message } of send) this.#post(member, to, message)
    if (write !== undefined) this.#queue.push({ to: member, input: { type: 'persisted', write: write.id } })
    // Everything before it in the queue, its own write included, is done before it arrives.
    for (const { to, message } of sendAfter) this.#post(member, to, message)
    member.emitted += committed.length
    member.deadline = deadline ?? Infinity
  }

  #post(from: Member, to: NodeId, message: Extract<RaftInput, { type: 'message' }>['message']): void {
    const target = this.#byId.get(to)
    if (target !== undefined) this.#queue.push({ to: target, input: { type: 'message', from: from.id, message } })
  }
}

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
  let group = new Group(size, seed)
  let leader = group.elect()
  let ref = 0
  return () => {
    if (leader.emitted > COMMITS_PER_GROUP) {
      group = new Group(size, seed)
      leader = group.elect()
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
  let group = new Group(size, seed)
  let leader = group.elect()
  return () => {
    if (leader.emitted > COMMITS_PER_GROUP) {
      group = new Group(size, seed)
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
  const groups: Group[] = []
  collect()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 1_000; i++) {
    const group = new Group(size, `${seed}/${i}`)
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
    new Group(size, `${chosen.seed}/${fresh++ % 1_000}`).elect()
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
