/** One crash and one election in virtual time, for bench/paper.ts, which says what it models. */
import { timingPresets } from '../../src/config-init/index.ts'
import type { Random } from '../../src/core/random.ts'
import {
  createRaft,
  type Entry,
  type Raft,
  type RaftEffects,
  type RaftInit,
  type RaftInput
} from '../../src/raft/index.ts'

const VOTERS = ['n1', 'n2', 'n3', 'n4', 'n5']
const LEADER = 'n5'
const WRITE_MS = 14
/** Without any randomness an election may never end; the published ones took up to nine minutes. */
const END_MS = 600_000

export interface Setup {
  readonly init: Pick<RaftInit, 'timing' | 'mode' | 'preVote' | 'checkQuorum'>
  readonly random: (random: Random) => Random
  /** Heartbeats before the last one: what a member has to learn punctuality from. */
  readonly history: number
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

const heartbeat = (waitMs: number): RaftInput & { readonly type: 'message' } => ({
  ...{ type: 'message', from: LEADER },
  message: { type: 'heartbeat', term: 1, commit: 0, seq: 1, waitMs, heir: 0 }
})

/** One crash, one election. */
export class Trial {
  #now: number
  readonly #due: Due[] = []
  readonly #members: readonly Member[]
  readonly #random: Random

  constructor(setup: Setup, random: Random) {
    this.#random = random
    const { heartbeatMs, rankStepMs } = setup.init.timing
    const beatAt = -random.next() * heartbeatMs
    this.#now = beatAt - setup.history * heartbeatMs
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
    for (let beat = setup.history; beat > 0; beat--) {
      const arrivals = this.#members.map((member, rank) => ({ member, rank, delayMs: this.#delay() }))
      for (const { member, rank, delayMs } of arrivals.toSorted((a, b) => a.delayMs - b.delayMs)) {
        this.#now = beatAt - beat * heartbeatMs + delayMs
        this.#step(member, heartbeat(rank * rankStepMs))
      }
    }
    this.#now = beatAt
    for (const [rank, member] of this.#members.entries()) {
      const heardAt = beatAt + this.#delay()
      this.#at(heardAt, () => this.#step(member, heartbeat(rank * rankStepMs)))
      if (!setup.closes) continue
      // What was sent on a connection comes before its end.
      const closedAt = Math.max(heardAt, this.#delay())
      this.#at(closedAt, () => this.#step(member, { type: 'disconnected', peer: LEADER }))
    }
  }

  /** Until all others know the leader of one term after the crash, ms; undefined when that took longer than ten minutes. */
  run(): { readonly ms: number; readonly terms: number } | undefined {
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
    return undefined
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
export function classic(range: string): Setup {
  const [low, high] = range.split('-').map(Number) as [number, number]
  const timing = { heartbeatMs: low / 2, electionTimeoutMs: low, rankStepMs: 1, jitterMs: 0 }
  return {
    init: { timing, mode: 'classic', preVote: false, checkQuorum: false },
    random: (random) => ({ ...random, next: () => (random.next() * (high - low)) / low }),
    history: 0,
    closes: false
  }
}

/** What a member remembers of a stall is a sixteenth after so many (src/raft/suspicion.ts). */
const CALM_HEARTBEATS = 4 * 128

/** Our defaults. */
export const ours = (closes: boolean): Setup => ({
  init: { timing: timingPresets.lan.raft },
  random: (random) => random,
  history: CALM_HEARTBEATS,
  closes
})
