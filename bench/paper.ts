/**
 * The Raft paper's figure 16 with our core: `node bench/paper.ts [--rounds 1000]`. `classic` mode, no pre-vote, no CheckQuorum,
 * in virtual time; then our defaults on the same axes.
 *
 * Five servers; the leader crashes at a random moment between two heartbeats, half of the least timeout apart. A vote takes two
 * delays of half a millisecond and a write of 14 ms: the printed broadcast of about 15 ms. Two of the four that are left lack
 * the newest committed entry, so that only two can win. The time is from the crash until the last of the others knows the next
 * leader.
 *
 * What differs from the paper: of its network and disks we know the sum only, of its logs that they differed in length. Timers
 * in virtual time are exact, so the narrowest ranges, which live by the scatter of real ones, are not to be compared.
 */
import { type Random, seededRandom } from '../src/core/random.ts'
import { timingPresets } from '../src/config-init/index.ts'
import {
  createRaft,
  type Entry,
  type Raft,
  type RaftEffects,
  type RaftInit,
  type RaftInput
} from '../src/raft/index.ts'
import { PUBLISHED, PUBLISHED_SHARES } from './kit/published.ts'
import { options, Report } from './kit/report.ts'
import { figure, QUANTILES, quantileCells, summary } from './kit/stats.ts'
import { plotCdf } from './kit/svg.ts'

const VOTERS = ['n1', 'n2', 'n3', 'n4', 'n5']
const LEADER = 'n5'
const WRITE_MS = 14
/** Later than any published trial. */
const END_MS = 60_000

interface Setup {
  readonly init: Pick<RaftInit, 'timing' | 'mode' | 'preVote' | 'checkQuorum'>
  readonly random: (random: Random) => Random
  /** The crash closes the leader's connections, which the others see one delay later. */
  readonly closes: boolean
}

interface Member {
  readonly id: string
  readonly raft: Raft
  deadline: number
  knowsLeaderOf: number
}

interface Due {
  readonly at: number
  readonly run: () => void
}

/** One crash, one election. */
class Trial {
  #now: number
  readonly #due: Due[] = []
  readonly #members: readonly Member[]
  readonly #random: Random

  constructor(setup: Setup, random: Random) {
    this.#random = random
    const beatAt = -random.next() * setup.init.timing.heartbeatMs
    this.#now = beatAt
    const entries: Entry[] = [1, 2, 3].map((index) => ({ index, term: 1, type: 'command', data: new Uint8Array(8) }))
    this.#members = VOTERS.filter((id) => id !== LEADER).map((id, i) => ({
      id,
      raft: createRaft({
        self: id,
        membership: { voters: VOTERS, outgoing: [], learners: [], learnersNext: [], autoLeave: false },
        hardState: { term: 1, votedFor: LEADER },
        entries: entries.slice(0, i < 2 ? 3 : 2),
        random: setup.random(random.fork(id)),
        ...setup.init
      }),
      deadline: Infinity,
      knowsLeaderOf: 0
    }))
    for (const member of this.#members) this.#take(member, member.raft.start(this.#now))
    for (const member of this.#members) {
      for (const peer of VOTERS) if (peer !== member.id) this.#step(member, { type: 'connected', peer })
    }
    for (const [rank, member] of this.#members.entries()) {
      const message = { type: 'heartbeat', term: 1, commit: 0, seq: 1, rank } as const
      const heardAt = beatAt + this.#delay()
      this.#at(heardAt, () => this.#step(member, { type: 'message', from: LEADER, message }))
      if (!setup.closes) continue
      // What was sent on a connection comes before its end.
      const closedAt = Math.max(heardAt, this.#delay())
      this.#at(closedAt, () => this.#step(member, { type: 'disconnected', peer: LEADER }))
    }
  }

  /** Until all others know the leader of one term after the crash, ms. */
  run(): { readonly ms: number; readonly terms: number } {
    while (this.#now < END_MS) {
      const timer = this.#members.reduce((a, b) => (a.deadline <= b.deadline ? a : b))
      const next = this.#due.reduce<Due | undefined>((a, b) => (a === undefined || b.at < a.at ? b : a), undefined)
      if (next !== undefined && next.at <= timer.deadline) {
        this.#due.splice(this.#due.indexOf(next), 1)
        this.#now = Math.max(this.#now, next.at)
        next.run()
      } else {
        this.#now = Math.max(this.#now, timer.deadline)
        this.#step(timer, { type: 'tick' })
      }
      const [first] = this.#members
      const term = first!.knowsLeaderOf
      if (term > 1 && this.#members.every((member) => member.knowsLeaderOf === term)) {
        return { ms: this.#now, terms: term - 1 }
      }
    }
    throw new Error(`nobody was elected in ${END_MS} ms`)
  }

  #at(at: number, run: () => void): void {
    this.#due.push({ at, run })
  }

  #delay(): number {
    return 0.25 + this.#random.next() / 2
  }

  #step(member: Member, input: RaftInput): void {
    this.#take(member, member.raft.step(input, this.#now))
  }

  #take(member: Member, { write, send, sendAfter, events, deadline }: RaftEffects): void {
    member.deadline = deadline ?? Infinity
    for (const event of events) {
      if (event.type === 'leader' && event.leader !== undefined) member.knowsLeaderOf = event.term
    }
    const post = (list: RaftEffects['send'], after: number): void => {
      for (const { to, message } of list) {
        const target = this.#members.find(({ id }) => id === to)
        if (target === undefined) continue
        this.#at(this.#now + after + this.#delay(), () =>
          this.#step(target, { type: 'message', from: member.id, message })
        )
      }
    }
    post(send, 0)
    // What rests on a write has one under way in every step of an election.
    post(sendAfter, WRITE_MS)
    if (write === undefined) return
    this.#at(this.#now + WRITE_MS, () => this.#step(member, { type: 'persisted', write: write.id }))
  }
}

/** The core draws from one to two timeouts; a stream of smaller numbers makes any other range of it. */
function classic(range: string): Setup {
  const [low, high] = range.split('-').map(Number) as [number, number]
  const timing = { heartbeatMs: low / 2, electionTimeoutMs: low, rankStepMs: 1, jitterMs: 0 }
  return {
    init: { timing, mode: 'classic', preVote: false, checkQuorum: false },
    random: (random) => ({ ...random, next: () => (random.next() * (high - low)) / low }),
    closes: false
  }
}

const ours = (closes: boolean): Setup => ({
  init: { timing: timingPresets.lan.raft },
  random: (random) => random,
  closes
})

const SETUPS: readonly (readonly [string, Setup])[] = [
  ...Object.keys(PUBLISHED).map((range) => [range, classic(range)] as const),
  ['lan, silent', ours(false)],
  ['lan, killed', ours(true)]
]

const chosen = options({ rounds: 1_000 })
const report = new Report('paper', chosen)
const rows: string[][] = []
for (const [name, setup] of SETUPS) {
  const random = seededRandom(`${chosen.seed}/${name}`)
  const trials = Array.from({ length: chosen.rounds }, (_, i) => new Trial(setup, random.fork(String(i))).run())
  const values = trials.map(({ ms }) => ms)
  const more = trials.filter(({ terms }) => terms > 1).length
  report.series({ timeouts: name, unit: 'ms', moreThanOneTerm: more }, values)
  const published = PUBLISHED[name]
  const theirs = (share: (typeof PUBLISHED_SHARES)[number]): string =>
    published === undefined ? '' : figure(published[PUBLISHED_SHARES.indexOf(share)]!)
  rows.push([name, ...quantileCells(values), String(more), theirs(0.5), theirs(0.9), theirs(0.99)])
}
report.table(
  'Milliseconds from the crash until all others know the next leader',
  ['timeouts', ...QUANTILES, 'took terms', 'paper: p50', 'p90', 'p99'],
  rows
)
plotCdf(chosen.out, 'paper', {
  title: "The Raft paper's figure 16: ours, and as published (dashed)",
  unit: 'ms',
  series: report
    .seriesOf(() => true)
    .flatMap(({ what, values }) => {
      const name = String(what['timeouts'])
      const published = PUBLISHED[name]?.map((ms, i) => [ms, PUBLISHED_SHARES[i]!] as const)
      const own = { name: `${name} (p50 ${figure(summary(values).p50)})`, values }
      return published === undefined ? [own] : [own, { name: `${name}, published`, values: published, dashed: true }]
    })
})
report.end()
