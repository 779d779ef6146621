/**
 * A seeded world of a few members: virtual time, a network that delays, drops, repeats and reorders, disks that take their
 * time, crashes that lose what was not durable, logs that are cut behind snapshots of any age. An oracle that outlives the members
 * checks after every step what FAULTS calls the raft invariants. One seed is one run; every violation names its seed.
 *
 * For the oracle a log is always whole: where a snapshot has taken the place of entries, it sees those that the snapshot
 * stands for. What a member is given at a restart begins where its store begins.
 */
import { seededRandom } from '../../src/core/random.ts'
import type { Random } from '../../src/core/random.ts'
import { createRaft, decodeMembership } from '../../src/raft/index.ts'
import { jointVote } from '../../src/raft/quorum.ts'
import type {
  Entry,
  Envelope,
  HardState,
  Membership,
  NodeId,
  Raft,
  RaftEffects,
  RaftInput,
  SnapshotMeta
} from '../../src/raft/index.ts'

import { afterEntry, emptyState } from './embedder.ts'

export interface SimulationInit {
  readonly seed: number
  readonly size: number
  /** Members that start as learners or outside, available to membership changes. */
  readonly spares?: number
  readonly faultMs?: number
  readonly healMs?: number
  readonly mode?: 'staggered' | 'classic'
  readonly preVote?: boolean
  readonly checkQuorum?: boolean
  /** Each life of each member draws its own mode and switches, as during a rolling change of settings (RAFT-HOLES 7). */
  readonly mixed?: boolean
  /** Members save their state every few entries, and cut their logs. Default true. */
  readonly snapshots?: boolean
}

export class Violation extends Error {
  constructor(seed: number, atMs: number, invariant: string, detail: string) {
    super(`seed ${seed} at ${atMs.toFixed(1)} ms: ${invariant}: ${detail}`)
    this.name = 'Violation'
  }
}

const TIMING = { heartbeatMs: 20, electionTimeoutMs: 100, rankStepMs: 15, jitterMs: 5, diskStallMs: 250 }

interface Disk {
  hardState: HardState
  /** Whole, for the oracle. */
  entries: Entry[]
  snapshot: SnapshotMeta | undefined
  /** Entries up to here are gone, and those up to there are not needed any more. */
  gone: number
  unneeded: number
}

interface PendingWrite {
  readonly id: number
  readonly apply: (disk: Disk) => void
}

interface Member {
  readonly id: NodeId
  life: number
  raft: Raft | undefined
  readonly disk: Disk
  /** The log as the core has it, rebuilt from its writes. */
  log: Entry[]
  writes: PendingWrite[]
  diskBusyUntil: number
  waiting: { after: number; envelopes: readonly Envelope[] }[]
  persisted: number
  timer: number
  /** What it has made of the log. */
  state: SnapshotMeta
  /** A snapshot of its own is on its way to the disk. */
  saving: boolean
  /** Came last, from a leader. */
  offered: SnapshotMeta | undefined
  commit: number
  term: number
  /** Led when the current step began: a leader that the new configuration does not name resigns as it commits it. */
  led: boolean
  /** In which term. */
  ledTerm: number | undefined
  /** Refs without an outcome in this life, with what they asked for. */
  readonly refs: Map<number, { type: string; data?: string; floor?: number }>
  /** term -> vote ever durable on this disk. */
  readonly votes: Map<number, NodeId>
}

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

export interface SimulationResult {
  readonly elections: number
  readonly committed: number
  readonly reads: number
  readonly crashes: number
  readonly transfers: number
  readonly changes: number
  readonly snapshots: number
  /** Logs that a snapshot of somebody else replaced. */
  readonly installs: number
}

export class Simulation {
  readonly #init: SimulationInit
  readonly #random: Random
  readonly #members = new Map<NodeId, Member>()
  readonly #events: Event[] = []
  #order = 0
  now = 0
  #faulty = true
  #dropRate: number
  #repeatRate: number
  #delayMs: number
  /** Entries between two snapshots of one member. */
  readonly #snapshotEvery: number
  readonly #trailing: number
  /** Transfers of snapshots under way, by sender, its life, and receiver. */
  readonly #transfers = new Set<string>()
  readonly #blocked = new Set<string>()
  #nextRef = 1
  // --- the oracle ---
  readonly #leaders = new Map<number, string>()
  readonly #committed: Entry[] = []
  /** The term of the leader that committed it. */
  readonly #committedIn: number[] = []
  readonly #identity = new Map<string, string>()
  /** Highest index that a client was told is committed, or readable. */
  #visible = 0
  #counts = { elections: 0, committed: 0, reads: 0, crashes: 0, transfers: 0, changes: 0, snapshots: 0, installs: 0 }

  constructor(init: SimulationInit) {
    this.#init = init
    this.#random = seededRandom(`raft/${init.seed}`)
    this.#dropRate = this.#random.next() < 0.5 ? 0 : this.#random.next() * 0.2
    this.#repeatRate = this.#random.next() < 0.5 ? 0 : this.#random.next() * 0.2
    this.#delayMs = 1 + this.#random.next() * 8
    this.#snapshotEvery = init.snapshots === false ? Infinity : this.#random.int(3, 60)
    this.#trailing = this.#random.int(1, 12)
    for (let i = 1; i <= init.size + (init.spares ?? 0); i++) {
      this.#members.set(`n${i}`, newMember(`n${i}`, init.size))
    }
  }

  run(): SimulationResult {
    const faultMs = this.#init.faultMs ?? 3000
    for (const member of this.#members.values()) this.#start(member)
    this.#at(0, () => this.#client())
    this.#at(50, () => this.#trouble())
    this.#runUntil(faultMs)
    this.#heal()
    this.#runUntil(faultMs + (this.#init.healMs ?? 2000))
    this.#checkLiveness()
    return { ...this.#counts }
  }

  #fail(invariant: string, detail: string): never {
    throw new Violation(this.#init.seed, this.now, invariant, detail)
  }

  // --- events ---

  #at(delay: number, run: () => void): void {
    push(this.#events, { at: this.now + delay, order: this.#order++, run })
  }

  #runUntil(end: number): void {
    for (let steps = 0; this.#events.length > 0 && this.#events[0]!.at <= end; steps++) {
      if (steps > 500_000) this.#fail('boundedness', 'too many events')
      const event = pop(this.#events)!
      this.now = event.at
      event.run()
    }
    this.now = end
  }

  // --- members ---

  #baseMembership(): Membership {
    return firstMembership(this.#init.size)
  }

  #start(member: Member): void {
    member.life++
    member.log = [...member.disk.entries]
    member.writes = []
    member.waiting = []
    member.persisted = 0
    member.state = member.disk.snapshot ?? emptyState(this.#baseMembership())
    member.saving = false
    member.commit = member.state.index
    member.term = member.disk.hardState.term
    member.diskBusyUntil = this.now
    member.refs.clear()
    member.raft = createRaft({
      self: member.id,
      membership: this.#baseMembership(),
      hardState: member.disk.hardState,
      // The store may keep more than it was asked to keep.
      entries: member.disk.entries.slice(this.#random.int(member.disk.gone, member.disk.unneeded)),
      ...(member.disk.snapshot === undefined ? {} : { snapshot: member.disk.snapshot }),
      timing: TIMING,
      ...this.#switches(),
      // The same stream in every life: nothing that protects the log may rest on chance.
      random: seededRandom(`${this.#init.seed}/${member.id}`),
      firstEntryData: new TextEncoder().encode('first'),
      limits: {
        appendEntriesMax: 4,
        inflightMax: 3,
        catchUpEntriesMax: 4,
        trailingEntriesMax: this.#trailing,
        snapshotHeartbeatsMax: 8
      }
    })
    this.#effects(member, member.raft.start(this.now))
  }

  #switches(): { mode: 'staggered' | 'classic'; preVote: boolean; checkQuorum: boolean } {
    const { mode = 'staggered', preVote = true, checkQuorum = true, mixed = false } = this.#init
    if (!mixed) return { mode, preVote, checkQuorum }
    const flip = (): boolean => this.#random.next() < 0.5
    return { mode: flip() ? 'staggered' : 'classic', preVote: flip(), checkQuorum: flip() }
  }

  #step(member: Member, life: number, input: RaftInput): void {
    if (member.raft === undefined || member.life !== life) return
    const before = member.raft.status().role
    member.led = before === 'leader'
    member.ledTerm = member.led ? member.raft.status().term : undefined
    const effects = member.raft.step(input, this.now)
    if (input.type === 'tick' && effects.deadline !== undefined && effects.deadline <= this.now) {
      this.#fail('timers', `${member.id} wants to be called again at once, for ever`)
    }
    this.#effects(member, effects)
    const status = member.raft.status()
    if (status.role === 'leader' && before !== 'leader') this.#elected(member, status.term)
  }

  #effects(member: Member, effects: RaftEffects): void {
    if (effects.write !== undefined) this.#write(member, effects.write)
    this.#send(member, effects.send)
    if (effects.sendAfter.length > 0) {
      if (effects.sendAfterWrite <= member.persisted) this.#send(member, effects.sendAfter)
      else member.waiting.push({ after: effects.sendAfterWrite, envelopes: effects.sendAfter })
    }
    this.#checkCommit(member)
    for (const { to, index } of effects.sendSnapshots) this.#sendSnapshot(member, to, index)
    if (effects.restored !== undefined) this.#checkRestored(member, effects.restored)
    for (const entry of effects.committed) this.#checkEmitted(member, entry)
    for (const outcome of effects.outcomes) this.#checkOutcome(member, outcome)
    if (effects.deadline !== undefined) this.#arm(member, effects.deadline)
    this.#saveState(member)
  }

  // --- snapshots ---

  #saveState(member: Member): void {
    const { state, life } = member
    if (member.saving || state.index < (member.disk.snapshot?.index ?? 0) + this.#snapshotEvery) return
    member.saving = true
    this.#at(this.#random.next() * 20, () => {
      if (member.life !== life) return
      member.saving = false
      // One that came from a leader is newer.
      if ((member.disk.snapshot?.index ?? 0) >= state.index) return
      member.disk.snapshot = state
      this.#counts.snapshots++
      this.#step(member, life, { type: 'snapshotted', index: state.index })
    })
  }

  /** Takes its time, fails, or is never heard of again; what has come may come once more, much later. */
  #sendSnapshot(member: Member, to: NodeId, least: number): void {
    const snapshot = member.disk.snapshot
    if (snapshot === undefined || snapshot.index < least) this.#fail('snapshots', `${member.id} has none of ${least}`)
    const { life } = member
    const transfer = `${member.id} ${life} ${to}`
    if (this.#transfers.has(transfer)) return
    this.#transfers.add(transfer)
    const { term } = member.raft!.status()
    const report = (type: 'snapshot-sent' | 'snapshot-failed'): void => {
      this.#transfers.delete(transfer)
      this.#step(member, life, { type, peer: to, index: snapshot.index })
    }
    const arrive = (): void => {
      const target = this.#members.get(to)!
      target.offered = snapshot
      this.#step(target, target.life, { type: 'install', from: member.id, term, snapshot })
    }
    this.#at(this.#random.next() * 120, () => {
      const lost = this.#blocked.has(`${member.id}>${to}`) || (this.#faulty && this.#random.next() < 0.2)
      if (!lost) arrive()
      if (!lost && this.#faulty && this.#random.next() < 0.2) this.#at(this.#random.next() * 800, arrive)
      if (lost && this.#random.next() < 0.5) this.#transfers.delete(transfer)
      else report(lost ? 'snapshot-failed' : 'snapshot-sent')
    })
  }

  #checkRestored(member: Member, restored: SnapshotMeta): void {
    const { id, disk, state } = member
    if (restored.index <= state.index)
      this.#fail('snapshots', `${id} goes from ${state.index} back to ${restored.index}`)
    if (disk.snapshot?.index !== restored.index) this.#fail('snapshots', `${id} restores what its disk does not hold`)
    member.state = restored
    this.#counts.installs++
  }

  /** A snapshot stands for exactly what has committed, and names the members that it led to. */
  #checkSnapshot({ id }: Member, snapshot: SnapshotMeta): void {
    const last = this.#committed[snapshot.index - 1]
    if (last?.term !== snapshot.term) this.#fail('snapshots', `${id} takes ${snapshot.index}@${snapshot.term}`)
    const known = this.#committed.slice(0, snapshot.index).findLast(({ type }) => type === 'membership')
    if ((known?.index ?? 0) !== snapshot.membershipIndex) {
      this.#fail('snapshots', `the members in ${snapshot.index} are those of ${snapshot.membershipIndex}`)
    }
  }

  #arm(member: Member, deadline: number): void {
    const timer = ++member.timer
    const late = this.#faulty && this.#random.next() < 0.02 ? this.#random.next() * 60 : 0
    this.#at(Math.max(0, deadline - this.now) + late, () => {
      if (member.timer === timer) this.#step(member, member.life, { type: 'tick' })
    })
  }

  #write(member: Member, write: NonNullable<RaftEffects['write']>): void {
    const { hardState, snapshot, compactTo = 0, entries } = write
    const taken = snapshot === undefined ? undefined : this.#takeSnapshot(member, snapshot)
    if (entries !== undefined) this.#splice(member.log, entries)
    for (const entry of entries ?? []) {
      this.#checkIdentity(member, entry)
      if (entry.type === 'membership') this.#checkMembership(member, entry)
    }
    member.writes.push({
      id: write.id,
      apply: (disk) => {
        if (taken !== undefined) {
          disk.snapshot = taken
          disk.entries = this.#committed.slice(0, taken.index)
          disk.gone = disk.unneeded = taken.index
        }
        if (compactTo > 0) {
          if (compactTo > (disk.snapshot?.index ?? 0)) this.#fail('storage contract', `cut at ${compactTo}`)
          disk.unneeded = Math.max(disk.unneeded, compactTo)
          disk.gone = this.#random.int(disk.gone, disk.unneeded)
        }
        if (entries !== undefined) this.#splice(disk.entries, entries)
        if (hardState !== undefined) this.#checkHardState(member, hardState)
      }
    })
    const spike = this.#faulty && this.#random.next() < 0.01 ? 300 : 0
    member.diskBusyUntil = Math.max(this.now, member.diskBusyUntil) + this.#random.next() * 4 + spike
    const { life } = member
    this.#at(member.diskBusyUntil - this.now, () => {
      if (member.life !== life || member.raft === undefined) return
      this.#sync(member, write.id)
      this.#step(member, life, { type: 'persisted', write: write.id })
    })
  }

  /** It takes the place of the log, for the core at once. */
  #takeSnapshot(member: Member, { index }: { readonly index: number }): SnapshotMeta {
    const taken = member.offered
    if (taken?.index !== index) this.#fail('storage contract', `${member.id} takes a snapshot that nobody offered`)
    if (same(member.log[index - 1], this.#committed[index - 1])) {
      this.#fail('snapshots', `${member.id} replaces a log that holds entry ${index}`)
    }
    this.#checkSnapshot(member, taken)
    member.log = this.#committed.slice(0, index)
    return taken
  }

  #splice(log: Entry[], entries: readonly Entry[]): void {
    const first = entries[0]!.index
    if (first > log.length + 1) this.#fail('storage contract', `a gap before ${first}`)
    log.length = first - 1
    log.push(...entries)
  }

  #sync(member: Member, id: number): void {
    while (member.writes.length > 0 && member.writes[0]!.id <= id) member.writes.shift()!.apply(member.disk)
    member.persisted = id
    while (member.waiting.length > 0 && member.waiting[0]!.after <= id) {
      this.#send(member, member.waiting.shift()!.envelopes)
    }
  }

  #send(member: Member, envelopes: readonly Envelope[]): void {
    for (const { to, message } of envelopes) {
      this.#checkSend(member, to, message)
      const copies = this.#faulty && this.#random.next() < this.#repeatRate ? 2 : 1
      for (let i = 0; i < copies; i++) {
        if (this.#faulty && this.#random.next() < this.#dropRate) continue
        const long = i > 0 || (this.#faulty && this.#random.next() < 0.02) ? this.#random.next() * 400 : 0
        this.#at(this.#random.next() * this.#delayMs + long, () => {
          if (this.#blocked.has(`${member.id}>${to}`)) return
          const target = this.#members.get(to)
          if (target !== undefined) this.#step(target, target.life, { type: 'message', from: member.id, message })
        })
      }
    }
  }

  // --- trouble ---

  #crash(member: Member): void {
    if (member.raft === undefined) return
    this.#counts.crashes++
    // What was queued may have reached the disk without anybody having been told.
    for (const write of member.writes) {
      if (this.#random.next() < 0.5) break
      write.apply(member.disk)
    }
    member.raft = undefined
    member.writes = []
    member.waiting = []
    member.life++
    const others = [...this.#members.values()].filter((other) => other !== member)
    for (const other of others) {
      const { life } = other
      this.#at(1 + this.#random.next() * 5, () => this.#step(other, life, { type: 'disconnected', peer: member.id }))
    }
    this.#at(1 + this.#random.next() * (this.#random.next() < 0.5 ? 3 : 300), () => this.#restart(member))
  }

  #restart(member: Member): void {
    if (member.raft !== undefined) return
    this.#start(member)
    for (const other of this.#members.values()) {
      if (other === member) continue
      const { life } = member
      const otherLife = other.life
      this.#at(1 + this.#random.next() * 5, () => {
        this.#step(member, life, { type: 'connected', peer: other.id })
        this.#step(other, otherLife, { type: 'connected', peer: member.id })
      })
    }
  }

  #trouble(): void {
    if (!this.#faulty) return
    const members = [...this.#members.values()]
    const roll = this.#random.next()
    if (roll < 0.3) this.#crash(this.#pick(members))
    else if (roll < 0.5) this.#crashLeader()
    else if (roll < 0.7) this.#partition(members)
    else if (roll < 0.85) this.#blocked.clear()
    else if (roll < 0.92) this.#flap()
    else for (const member of members) this.#crash(member)
    this.#at(this.#random.next() * 250, () => this.#trouble())
  }

  #crashLeader(): void {
    const leader = this.#leader() ?? this.#pick([...this.#members.values()])
    this.#crash(leader)
  }

  /** Cuts some directed links: symmetric halves, one-way, bridges all come out of this. */
  #partition(members: readonly Member[]): void {
    const whole = this.#random.next() < 0.5
    const side = new Set(members.filter(() => this.#random.next() < 0.5).map((member) => member.id))
    for (const a of members) {
      for (const b of members) {
        const cut = whole ? side.has(a.id) !== side.has(b.id) : this.#random.next() < 0.3
        if (a !== b && cut) this.#blocked.add(`${a.id}>${b.id}`)
      }
    }
  }

  /** One member loses its connection to the leader and gets it back. */
  #flap(): void {
    const leader = this.#leader()
    const member = this.#pick([...this.#members.values()])
    if (leader === undefined || leader === member) return
    this.#step(member, member.life, { type: 'disconnected', peer: leader.id })
    this.#step(leader, leader.life, { type: 'disconnected', peer: member.id })
    const [a, b] = [member.life, leader.life]
    this.#at(this.#random.next() * 30, () => {
      this.#step(member, a, { type: 'connected', peer: leader.id })
      this.#step(leader, b, { type: 'connected', peer: member.id })
    })
  }

  #heal(): void {
    this.#faulty = false
    this.#blocked.clear()
    for (const member of this.#members.values()) this.#restart(member)
  }

  // --- clients ---

  #client(): void {
    const member = this.#pick([...this.#members.values()])
    const target = this.#random.next() < 0.7 ? (this.#leader() ?? member) : member
    if (target.raft !== undefined) this.#request(target)
    this.#at(this.#random.next() * 12, () => this.#client())
  }

  #request(target: Member): void {
    const roll = this.#random.next()
    const proposal = (): { ref: number; data: Uint8Array } => {
      const ref = this.#nextRef++
      target.refs.set(ref, { type: 'propose', data: `c${ref}` })
      return { ref, data: new TextEncoder().encode(`c${ref}`) }
    }
    if (roll < 0.65) {
      this.#step(target, target.life, { type: 'propose', ...proposal() })
      return
    }
    if (roll < 0.75) {
      const proposals = Array.from({ length: this.#random.int(1, 6) }, proposal)
      this.#step(target, target.life, { type: 'propose-batch', proposals })
      return
    }
    const ref = this.#nextRef++
    if (roll < 0.87 || !this.#faulty) {
      target.refs.set(ref, { type: 'read', floor: this.#visible })
      this.#step(target, target.life, { type: 'read', ref })
    } else if (roll < 0.9 || (this.#init.spares ?? 0) === 0) {
      target.refs.set(ref, { type: 'transfer' })
      this.#step(target, target.life, { type: 'transfer', ref })
    } else this.#change(target, ref)
  }

  /** Anybody who follows the log may become a voter, anybody else a learner. */
  #change(target: Member, ref: number): void {
    target.refs.set(ref, { type: 'change' })
    const { membership } = target.raft!.status()
    const known = new Set([...membership.voters, ...membership.learners])
    const ids = [...this.#members.keys()]
    const voters = ids.filter((id) => known.has(id) && this.#random.next() < 0.6)
    const learners = ids.filter((id) => !voters.includes(id) && this.#random.next() < 0.8)
    this.#step(target, target.life, { type: 'change-membership', ref, change: { voters, learners } })
  }

  #leader(): Member | undefined {
    let best: Member | undefined
    for (const member of this.#members.values()) {
      const status = member.raft?.status()
      if (status?.role === 'leader' && (best === undefined || status.term > best.raft!.status().term)) best = member
    }
    return best
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random.int(0, items.length - 1)]!
  }

  // --- invariants ---

  #elected(member: Member, term: number): void {
    this.#counts.elections++
    const name = `${member.id} in life ${member.life}`
    const other = this.#leaders.get(term)
    if (other !== undefined && other !== name) this.#fail('election safety', `${other} and ${name} lead term ${term}`)
    this.#leaders.set(term, name)
    for (const [i, entry] of this.#committed.entries()) {
      // Late votes can elect a leader of a term that is over already: what a later term committed is not for it to have.
      if (this.#committedIn[i]! >= term) break
      if (!same(member.log[i], entry)) {
        this.#fail('leader completeness', `${name} of term ${term} lacks committed entry ${i + 1}`)
      }
    }
  }

  /** Log matching by induction: (index, term) names one entry after one predecessor. */
  #checkIdentity(member: Member, entry: Entry): void {
    const key = `${entry.index}@${entry.term}`
    const before = entry.index === 1 ? 0 : member.log[entry.index - 2]!.term
    const identity = `${before}/${entry.type}/${text(entry)}`
    const known = this.#identity.get(key)
    if (known === undefined) this.#identity.set(key, identity)
    else if (known !== identity) this.#fail('log matching', `${key} is ${known} and ${identity} (${member.id})`)
  }

  #checkHardState(member: Member, { term, votedFor }: HardState): void {
    const before = member.disk.hardState
    if (term < before.term) this.#fail('vote durability', `${member.id} goes from term ${before.term} to ${term}`)
    const known = member.votes.get(term)
    if (known !== undefined && votedFor !== known) {
      this.#fail('vote durability', `${member.id} voted for ${known} and ${votedFor} in term ${term}`)
    }
    if (votedFor !== undefined) member.votes.set(term, votedFor)
    member.disk.hardState = { term, votedFor }
  }

  #checkSend(member: Member, to: NodeId, message: Envelope['message']): void {
    const { disk } = member
    const refuse = (): never =>
      this.#fail(
        'nothing before durable',
        `${member.id} sends ${message.type} to ${to} with term ${disk.hardState.term} on disk`
      )
    if (message.type === 'pre-vote') return
    if (message.type === 'vote') {
      // The only message that may leave before its own term is durable (candidate.ts says why), but not before its log is.
      if (message.lastIndex > disk.entries.length) refuse()
      return
    }
    if (message.type === 'pre-vote-offer') {
      if (disk.hardState.term < message.nextTerm - 1) refuse()
      return
    }
    if (disk.hardState.term < message.term) refuse()
    if (message.type === 'vote-reply' && message.granted) {
      if (disk.hardState.term === message.term && disk.hardState.votedFor !== to) refuse()
    } else if (message.type === 'append-accepted') {
      if (disk.entries.length < message.match) refuse()
      this.#checkAcknowledged(member, to, message.term, message.match)
    }
  }

  #checkAcknowledged(member: Member, to: NodeId, term: number, match: number): void {
    const leader = this.#members.get(to)
    if (match === 0 || leader?.raft === undefined || this.#leaders.get(term) !== `${to} in life ${leader.life}`) return
    if (leader.raft.status().role !== 'leader' || leader.raft.status().term !== term) return
    if (!same(leader.log[match - 1], member.disk.entries[match - 1])) {
      this.#fail('nothing before durable', `${member.id} acknowledges ${match} that its disk does not hold`)
    }
  }

  #checkCommit(member: Member): void {
    const { commitIndex, term, role, membership, membershipIndex } = member.raft!.status()
    // What it acts on is the newest configuration that its log holds, or stands for (RAFT-HOLES 30, 35).
    const newest = (this.#init.spares ?? 0) === 0 ? 0 : (membershipBefore(member.log, Infinity)?.index ?? 0)
    if (membershipIndex !== newest) {
      this.#fail(
        'configuration',
        `${member.id} acts on that of ${membershipIndex}, its log ends with that of ${newest}`
      )
    }
    if (term < member.term) this.#fail('monotonic term', `${member.id} goes from ${member.term} to ${term}`)
    if (commitIndex < member.commit)
      this.#fail('monotonic commit', `${member.id} from ${member.commit} to ${commitIndex}`)
    if (commitIndex > this.#committed.length) {
      if (role !== 'leader' && !member.led)
        this.#fail('commit', `${member.id} is no leader and commits ${commitIndex} first`)
      for (const half of [membership.voters, membership.outgoing]) this.#checkHeld(member, half, commitIndex)
    }
    for (let index = member.commit + 1; index <= commitIndex; index++) {
      const entry = member.log[index - 1]!
      if (index === this.#committed.length + 1) {
        this.#committed.push(entry)
        this.#committedIn.push(term)
        this.#counts.committed++
      } else if (!same(entry, this.#committed[index - 1])) {
        this.#fail('state machine safety', `${member.id} commits another entry ${index}`)
      }
    }
    member.term = term
    member.commit = commitIndex
  }

  /** FAULTS invariant 9: at most one change is under way, and each configuration's quorums meet those of the one before. */
  #checkMembership(member: Member, entry: Entry): void {
    const before = membershipBefore(member.log, entry.index) ?? { index: 0, membership: this.#baseMembership() }
    if (member.led && before.index > member.raft!.status().commitIndex) {
      this.#fail('one change at a time', `${member.id} appends ${entry.index} while ${before.index} has not committed`)
    }
    const after = decodeMembership(entry.data)
    if (!quorumsMeet(before.membership, after)) {
      this.#fail('quorums meet', `${JSON.stringify(before.membership)} and ${JSON.stringify(after)}`)
    }
  }

  #checkHeld(leader: Member, voters: readonly NodeId[], index: number): void {
    const entry = leader.log[index - 1]
    const holders = voters.filter((id) => same(this.#members.get(id)!.disk.entries[index - 1], entry))
    if (voters.length > 0 && holders.length * 2 <= voters.length) {
      this.#fail(
        'commit',
        `entry ${index} is on the disks of ${holders.join(', ') || 'nobody'} of ${voters.join(', ')} only`
      )
    }
    // With what it commits last it may hand over, and be in the next term.
    if (entry?.term !== (leader.ledTerm ?? leader.raft!.status().term))
      this.#fail('commit', `entry ${index} is of an earlier term`)
  }

  #checkEmitted(member: Member, entry: Entry): void {
    if (entry.index !== member.state.index + 1)
      this.#fail('emission', `${member.id} emits ${entry.index} after ${member.state.index}`)
    member.state = afterEntry(member.state, entry)
    if (!same(entry, this.#committed[entry.index - 1])) {
      this.#fail('state machine safety', `${member.id} emits another entry ${entry.index}`)
    }
    if (!same(entry, member.disk.entries[entry.index - 1])) {
      this.#fail('emission', `${member.id} emits entry ${entry.index} that its disk does not hold`)
    }
  }

  #checkOutcome(member: Member, outcome: RaftEffects['outcomes'][number]): void {
    const asked = member.refs.get(outcome.ref)
    if (asked === undefined) this.#fail('outcomes', `${member.id} answers ${outcome.ref} twice or unasked`)
    member.refs.delete(outcome.ref)
    if (outcome.type === 'committed') {
      const entry = this.#committed[outcome.index - 1]
      if (asked.type === 'propose' && (entry === undefined || text(entry) !== asked.data)) {
        this.#fail('outcomes', `${asked.data} is not entry ${outcome.index}`)
      }
      if (asked.type === 'change') this.#counts.changes++
      this.#visible = Math.max(this.#visible, outcome.index)
    } else if (outcome.type === 'readable') {
      this.#counts.reads++
      if (outcome.index < asked.floor!)
        this.#fail('linearizable reads', `index ${outcome.index}, ${asked.floor} was visible before`)
      this.#visible = Math.max(this.#visible, outcome.index)
    } else if (outcome.type === 'transferred') this.#counts.transfers++
  }

  #checkLiveness(): void {
    const leader = this.#leader()
    if (leader === undefined) this.#fail('liveness', `nobody leads after healing: ${this.#describe()}`)
    const status = leader.raft!.status()
    if (!status.writable) this.#fail('liveness', `the leader cannot write after healing: ${this.#describe()}`)
    if (status.membership.outgoing.length > 0) this.#fail('liveness', `still joint after healing: ${this.#describe()}`)
    for (const id of [...status.membership.voters, ...status.membership.learners]) {
      const member = this.#members.get(id)!
      // The client keeps writing to the end: the last few entries may still be on their way.
      if (member.state.index < status.commitIndex - 20) {
        this.#fail('liveness', `${id} is at ${member.state.index} of ${status.commitIndex}: ${this.#describe()}`)
      }
    }
    const old = [...leader.refs].filter(([ref, { type }]) => ref < this.#nextRef - 100 && type !== 'transfer')
    if (old.length > 0) this.#fail('outcomes', `request ${old[0]![0]} (${old[0]![1].type}) has no outcome`)
  }

  #describe(): string {
    return [...this.#members.values()]
      .map(({ id, raft }) => {
        const s = raft?.status()
        return s === undefined
          ? `${id} down`
          : `${id} ${s.role} term ${s.term} last ${s.lastIndex} commit ${s.commitIndex}`
      })
      .join('; ')
  }
}

function firstMembership(size: number): Membership {
  const voters = Array.from({ length: size }, (_, i) => `n${i + 1}`).toSorted()
  return { voters, outgoing: [], learners: [], learnersNext: [], autoLeave: false }
}

function newMember(id: NodeId, size: number): Member {
  return {
    id,
    life: 0,
    raft: undefined,
    disk: { hardState: { term: 0, votedFor: undefined }, entries: [], snapshot: undefined, gone: 0, unneeded: 0 },
    log: [],
    writes: [],
    diskBusyUntil: 0,
    waiting: [],
    persisted: 0,
    timer: 0,
    state: emptyState(firstMembership(size)),
    saving: false,
    offered: undefined,
    commit: 0,
    term: 0,
    led: false,
    ledTerm: undefined,
    refs: new Map(),
    votes: new Map()
  }
}

const decoder = new TextDecoder()
const text = (entry: Entry): string => decoder.decode(entry.data)

const same = (a: Entry | undefined, b: Entry | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.index === b.index &&
    a.term === b.term &&
    a.type === b.type &&
    text(a) === text(b))

function membershipBefore(log: readonly Entry[], index: number): { index: number; membership: Membership } | undefined {
  const entry = log.findLast((one) => one.type === 'membership' && one.index < index)
  return entry === undefined ? undefined : { index: entry.index, membership: decodeMembership(entry.data) }
}

/** By brute force over all sets of members: no two disjoint sets are quorums, one of each configuration. */
function quorumsMeet(a: Membership, b: Membership): boolean {
  const ids = [...new Set([...a.voters, ...a.outgoing, ...b.voters, ...b.outgoing])]
  for (let mask = 0; mask < 2 ** ids.length; mask++) {
    const has = (id: NodeId): boolean => (mask & (1 << ids.indexOf(id))) !== 0
    if (jointVote(a, has) === 'won' && jointVote(b, (id) => !has(id)) === 'won') return false
  }
  return true
}

// --- a binary heap by (at, order) ---

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

function push(heap: Event[], event: Event): void {
  let at = heap.length
  heap.push(event)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!before(event, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = event
}

function pop(heap: Event[]): Event | undefined {
  const top = heap[0]
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return top
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
    if (!before(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return top
}
