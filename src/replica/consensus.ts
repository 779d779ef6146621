/**
 * Consensus and what it drives: its writes and messages leave, its entries reach the state machine, its events reach everybody
 * whom they concern. It exists from the start and is silent until the cluster is founded.
 */
import { QuorateError } from '../core/errors.ts'
import { invariant } from '../core/invariant.ts'
import { utf8 } from '../core/bytes.ts'
import type { BootProgress } from '../identity/boot-statement.ts'
import { createRaft, type Raft } from '../raft/index.ts'
import type { ConsensusView, Entry, Membership, RaftStatus, RaftWrite } from '../raft/types.ts'
import type { RaftEffects, RaftEvent, RaftInit, RaftInput } from '../raft/types.ts'
import type { BootWatch } from './boot-watch.ts'
import { encodeHardState, storeEntry, StoredStateError, VOTE_CELL } from './durable.ts'
import type { Fences } from './fences.ts'
import type { FirstVote } from './first-vote.ts'
import { MemberHistory, peerIdOf } from './incarnations.ts'
import type { ReplicaInit } from './init.ts'
import type { Mail } from './mail.ts'
import type { Newcomers } from './newcomers.ts'
import type { Outbox } from './outbox.ts'
import { Repeats } from './repeats.ts'
import type { RequestDesk } from './requests.ts'
import type { Sessions } from './sessions.ts'
import { decodeSnapshot, type Snapshot, SnapshotError } from './snapshot.ts'
import { resolveSnapshots, type SnapshotPolicy, Snapshots } from './snapshots.ts'
import { StateMachine } from './state-machine.ts'
import type { DurableBatch, ReplicaEvent } from './types.ts'

type ConfigEvent = Extract<ReplicaEvent, { type: 'config' }>

export interface ConsensusSurroundings {
  readonly init: ReplicaInit
  readonly outbox: Outbox
  readonly mail: Mail
  readonly sessions: Sessions
  readonly fences: Fences
  readonly boots: BootWatch
  requests(): RequestDesk
  newcomers(): Newcomers
  /** Whoever holds a copy of a token that is used up. */
  turnAwayCopies(): void
}

export class Consensus {
  readonly #around: ConsensusSurroundings
  readonly machine: StateMachine
  readonly snapshots: Snapshots
  readonly #policy: SnapshotPolicy
  #raft: Raft | undefined
  /** PeerId of whoever leads, as far as is known, and the term in which that was learnt. */
  leader: string | undefined
  term = 0
  /** When it wants to be told the time. */
  deadline: number | undefined
  /** Newest entry that has committed and is on our own disk. */
  applied = 0
  #members = new Map<string, 'voter' | 'learner'>()
  /** What the disk held at the start, until as much has been applied. */
  #held: ReplicaInit['entries']
  readonly #repeats = new Repeats()

  constructor(around: ConsensusSurroundings) {
    const { init, outbox, mail } = around
    this.#around = around
    this.machine = new StateMachine(init.initialConfigText, init.validateConfig)
    this.#held = init.entries
    this.#policy = resolveSnapshots(init.snapshots)
    this.snapshots = new Snapshots({
      policy: this.#policy,
      machine: this.machine,
      position: () => this.#raft?.view ?? { term: 0, commitIndex: 0 },
      write: (number, batch) => outbox.write('snapshots', number, batch),
      toRaft: (input, now) => this.tell(input, now),
      send: (incarnation, frame) => mail.sendBulk(incarnation, frame),
      event: (event) => outbox.event(event)
    })
  }

  /** Undefined until founded. */
  get view(): ConsensusView | undefined {
    return this.#raft?.view
  }

  status(): RaftStatus | undefined {
    return this.#raft?.status()
  }

  get isLeader(): boolean {
    return this.leader === this.#around.init.self.peerId
  }

  /** What this node can say of its own disk. */
  progress(): BootProgress | undefined {
    const status = this.status()
    if (status?.durable === undefined) return undefined
    const { term, votedFor, lastIndex } = status.durable
    return { term, votedFor, lastIndex, commitIndex: Math.min(status.commitIndex, lastIndex) }
  }

  // ── Its beginning ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * These decide from now on; `first`: what founders begin with; `connections`: who is there, with their priorities. `announce` is
   * called before anything is said. Throws StoredStateError.
   */
  found(
    membership: Membership,
    first: FirstVote | undefined,
    connections: RaftInit['connections'],
    now: number,
    announce: () => void
  ): void {
    invariant(this.#raft === undefined, 'founded twice')
    const { init, fences } = this.#around
    const snapshot = recoveredSnapshot(init)
    this.#raft = recovered({
      self: init.self.incarnation,
      membership,
      hardState: init.hardState,
      ...first,
      entries: init.entries,
      ...(snapshot === undefined ? {} : { snapshot }),
      timing: init.raftTiming,
      random: init.random.fork('raft'),
      firstEntryData: utf8(init.initialConfigText),
      ...(init.priority === undefined ? {} : { priority: init.priority }),
      ...(connections === undefined ? {} : { connections }),
      limits: {
        trailingEntriesMax: this.#policy.trailingEntriesMax,
        trailingBytesMax: this.#policy.trailingBytesMax
      }
    })
    fences.history = new MemberHistory(membership)
    this.machine.found(membership)
    announce()
    if (snapshot !== undefined) {
      this.snapshots.recovered(init.snapshot!)
      this.#restore(snapshot, now, 'newest')
      this.#reportMembers(snapshot.membership)
    }
    this.#take(this.#raft.start(now), now)
  }

  // ── Every step ──────────────────────────────────────────────────────────────────────────────────────────────────────

  tell(input: RaftInput, now: number): void {
    if (this.#raft !== undefined) this.#take(this.#raft.step(input, now), now)
  }

  /** At every heartbeat: loops over nothing would leave more to be collected than the heartbeat does. */
  #take(effects: RaftEffects, now: number): void {
    const { outbox, mail, requests, newcomers } = this.#around
    this.deadline = effects.deadline
    if (effects.write !== undefined) this.#write(effects.write, now)
    const after = outbox.after('raft', effects.sendAfterWrite)
    const { send, sendAfter, events } = effects
    for (let i = 0; i < send.length; i++) mail.sendRaft(send[i]!.to, send[i]!.message, 0)
    for (let i = 0; i < sendAfter.length; i++) mail.sendRaft(sendAfter[i]!.to, sendAfter[i]!.message, after)
    for (let i = 0; i < events.length; i++) this.#event(events[i]!, now)
    if (effects.restored !== undefined) this.#restore(this.snapshots.restored(effects.restored), now)
    if (effects.committed.length > 0) this.#applyAll(effects.committed, now)
    if (effects.sendSnapshots.length > 0) {
      for (const request of effects.sendSnapshots) this.snapshots.requested(request, now)
    }
    if (effects.outcomes.length === 0) return
    for (const outcome of effects.outcomes) {
      requests().settled(outcome, now)
      newcomers().settled(outcome, now)
    }
  }

  #write({ id, hardState, snapshot, compactTo, entries }: RaftWrite, now: number): void {
    const batch: DurableBatch = {
      ...(hardState === undefined ? {} : { cells: [{ name: VOTE_CELL, value: encodeHardState(hardState) }] }),
      ...(snapshot === undefined ? {} : { snapshot: this.snapshots.taken(snapshot) }),
      ...(compactTo === undefined ? {} : { compactTo }),
      ...(entries === undefined ? {} : { entries: entries.map(storeEntry) })
    }
    if (hardState !== undefined) this.#around.boots.moved('vote', now)
    this.#around.outbox.write('raft', id, batch)
  }

  // ── The state machine ───────────────────────────────────────────────────────────────────────────────────────────────

  #applyAll(entries: readonly Entry[], now: number): void {
    const { boots, requests, newcomers, turnAwayCopies } = this.#around
    let redeems = false
    const old: ConfigEvent[] = []
    for (const entry of entries) {
      const wasHeld = this.#wasHeld(entry)
      if (!wasHeld && old.length > 0) this.#tellOld(old)
      redeems = this.#apply(entry, wasHeld ? old : undefined) || redeems
    }
    this.#tellOld(old)
    if (redeems) {
      turnAwayCopies()
      newcomers().look(now)
    }
    const { index, term } = entries.at(-1)!
    this.applied = index
    boots.moved('progress', now)
    requests().appliedUpTo(index, term)
  }

  /** True when a token was redeemed, or a copy of one was refused. `old` gets the versions of an entry that was here before this start. */
  #apply(entry: Entry, old: ConfigEvent[] | undefined): boolean {
    const { outbox, requests, fences } = this.#around
    this.snapshots.applied(entry)
    const { events, answer, redeems, denies } = this.machine.apply(entry)
    if (denies !== undefined) fences.history?.denied(denies)
    for (const event of events) {
      if (old !== undefined && event.type === 'config') old.push(event)
      else outbox.event(event)
    }
    if (answer !== undefined && requests().applied(answer.requestId)) outbox.outcome({ type: 'applied', ...answer })
    return redeems === true
  }

  /** Of what was here already only the newest is worth a word to people; whoever follows the order gets all of it. */
  #tellOld(events: ConfigEvent[]): void {
    const newest = events.at(-1)
    for (const event of events.splice(0)) {
      this.#around.outbox.event({ ...event, recovered: event === newest ? 'newest' : 'older' })
    }
  }

  /** Same index and term, same entry. What this life has added is told as news. */
  #wasHeld({ index, term }: Entry): boolean {
    const [first] = this.#held
    if (first === undefined) return false
    if (index >= first.index + this.#held.length - 1) {
      const isLast = this.#held.at(-1)!.index === index && this.#held.at(-1)!.term === term
      this.#held = []
      return isLast
    }
    return this.#held[index - first.index]?.term === term
  }

  /** The state is another one, as if all entries up to it had been applied here; `old`: it was here before. */
  #restore(snapshot: Snapshot, now: number, old?: 'newest'): void {
    const { outbox, fences, boots, requests, newcomers, turnAwayCopies } = this.#around
    for (const event of this.machine.restore(snapshot)) {
      outbox.event(event.type === 'config' && old !== undefined ? { ...event, recovered: old } : event)
    }
    fences.history?.restore(snapshot)
    this.applied = Math.max(this.applied, snapshot.index)
    boots.membersChanged()
    turnAwayCopies()
    this.#tellFenced(now)
    newcomers().look(now)
    requests().restored(snapshot.index, snapshot.term, this.machine.answers)
  }

  // ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #event(event: RaftEvent, now: number): void {
    const { outbox } = this.#around
    switch (event.type) {
      case 'role':
        outbox.event(event)
        return
      case 'leader':
        this.#leaderChanged(event.leader, event.term)
        return
      case 'writable':
        outbox.event(event)
        this.#around.newcomers().look(now)
        return
      case 'membership':
        if (event.committed) this.#membersChanged(event.membership, event.index, now)
        return
      case 'anomaly': {
        const peerId = peerIdOf(event.from)
        const detail = this.#repeats.pass(peerId, `${peerId}: ${event.detail}`, now)
        if (detail !== undefined) outbox.event({ type: 'alarm', code: 'anomaly', detail })
        return
      }
      case 'no-quorum':
        outbox.event({ ...event, heardFrom: event.heardFrom.map(peerIdOf) })
        return
    }
  }

  #leaderChanged(leader: string | undefined, term: number): void {
    this.#around.boots.settle()
    this.leader = leader === undefined ? undefined : peerIdOf(leader)
    this.term = term
    if (!this.isLeader) this.snapshots.officeLost()
    this.#around.outbox.event({ type: 'leader', term, leader: this.leader })
  }

  #membersChanged(membership: Membership, index: number, now: number): void {
    const { fences, boots, newcomers } = this.#around
    fences.history?.committed(membership, index)
    this.#reportMembers(membership)
    boots.membersChanged()
    this.#tellFenced(now)
    newcomers().look(now)
  }

  #tellFenced(now: number): void {
    for (const peer of this.#around.sessions.list()) this.#around.fences.tell(peer, now)
  }

  #reportMembers(membership: Membership): void {
    const { outbox } = this.#around
    const next = new Map<string, 'voter' | 'learner'>()
    for (const id of membership.voters) next.set(peerIdOf(id), 'voter')
    for (const id of membership.learners) if (!next.has(peerIdOf(id))) next.set(peerIdOf(id), 'learner')
    for (const [peerId, role] of next) {
      if (this.#members.get(peerId) !== role) outbox.event({ type: 'member', peerId, role })
    }
    for (const peerId of this.#members.keys()) {
      if (!next.has(peerId)) outbox.event({ type: 'member', peerId, role: 'removed' })
    }
    this.#members = next
  }
}

/** What storage recovered and consensus could never have written is damage, whatever the checksums say. */
function recovered(init: RaftInit): Raft {
  try {
    return createRaft(init)
  } catch (error) {
    if (error instanceof QuorateError) throw new StoredStateError(`log (${error.message})`, error)
    throw error
  }
}

function recoveredSnapshot({ snapshot }: ReplicaInit): Snapshot | undefined {
  try {
    return snapshot === undefined ? undefined : decodeSnapshot(snapshot.data)
  } catch (error) {
    if (error instanceof SnapshotError) throw new StoredStateError(`snapshot (${error.message})`, error)
    throw error
  }
}
