/**
 * The shipped consensus core as a system for the explorer.
 *
 * A local state is a disk and the inputs since the last start: a step runs the core again from there, and states are told
 * apart by everything that the core holds (open-raft.ts). The network is the explorer's growing set, so messages are lost,
 * repeated, delayed and reordered at will, over restarts as well. A write becomes durable at any later moment; a crash loses
 * what is in memory and every write that is not durable.
 *
 * Time is left to chance: a timer fires whenever the model says so, exactly on its deadline, and nothing else looks at a
 * clock. That is more than can happen; raft is safe under any timing.
 *
 * With snapshots, a member may save its state whenever something was handed out, and a snapshot that a leader asks to have sent
 * is one more message. For what is recorded, and checked, logs are always whole: where entries are gone, the ones that the snapshot
 * stands for are carried along.
 *
 * What has happened is recorded in the network for ever (`Record`), so that no crash can hide it:
 * who led a term with which log, which entry was at a place in a term, what was committed by whom, what was applied.
 */
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { unreachable } from '../../src/core/invariant.ts'
import type { Random } from '../../src/core/random.ts'
import type {
  Entry,
  HardState,
  Membership,
  Raft,
  RaftEffects,
  RaftInput,
  RaftMessage,
  RaftWrite,
  SnapshotMeta
} from '../../src/raft/index.ts'
import { afterEntry, emptyState } from '../raft/embedder.ts'
import { type LocalResult, RECORD, type Sent, type System } from './explorer.ts'
import { type CreateRaft, stateText } from './open-raft.ts'

export interface RaftModelInit {
  readonly create: CreateRaft
  readonly termMax: number
  readonly logMax: number
  /** What a leader may propose; two different values show when two lives of one leader fill one place. Default: x. */
  readonly values?: readonly string[]
  /** Writes become durable some time later (default), or in the step that made them. */
  readonly disk?: 'asynchronous' | 'synchronous'
  /** Who may crash. Default: all. */
  readonly crashing?: readonly number[]
  /** Pre-vote and CheckQuorum, with so many rounds of pre-votes in each life. Default: neither. */
  readonly preVoteRounds?: number
  /**
   * Who may offer its pre-vote to whom, whenever it follows nobody: more often than it would, since leaders do not beat here, and so name
   * nobody. Default: nobody.
   */
  readonly offers?: readonly (readonly [from: number, to: number])[]
  /** Refusals are heard; otherwise they are always lost, as they may be. Default false. */
  readonly refusals?: boolean
  /** A leader may hand over, once a term. */
  readonly transfers?: boolean
  /**
   * Whoever commits tells a client, who then asks any member that believes to lead: it must not be answered from before that
   * commit. Each asks for its reads by heartbeats, and reads once for each commit index in a life.
   */
  readonly reads?: boolean
  /** Who votes at first. Default: all; the others learn. */
  readonly voters?: readonly number[]
  /** Who shall vote instead, as a leader may be asked at any time. */
  readonly changes?: readonly (readonly number[])[]
  /** Who may campaign for each term, from term 1. Default: anybody. */
  readonly candidates?: readonly (readonly number[])[]
  /** What the disks hold at first: the term, the vote, and the terms of the entries. */
  readonly disks?: readonly { readonly term: number; readonly vote?: number; readonly entries: readonly number[] }[]
  /** The group was just founded, as `disks` say: who is voted for in term 1 opens it, in its first life. Default false. */
  readonly justFounded?: boolean
  /** In its later lives as well, for as long as its log is empty: a planted bug. */
  readonly opensAgain?: boolean
  /** What a restart finds of its disk: a planted bug. */
  readonly restore?: (state: HardState) => HardState
  readonly appendEntriesMax?: number
  /** Members save their states and cut their logs, but for one entry. Default false. */
  readonly snapshots?: boolean
}

/** What has happened, never delivered to anybody. */
type Record =
  | { readonly type: 'led'; readonly term: number; readonly by: string; readonly log: string }
  | { readonly type: 'wrote'; readonly place: string; readonly entry: string }
  | { readonly type: 'applied'; readonly index: number; readonly entry: string }
  | { readonly type: 'committed'; readonly index: number; readonly entry: string; readonly term: number }
  /** What is wrong by itself. */
  | { readonly type: 'flaw'; readonly what: string }

/** A client that has seen this much commit wants to read. */
interface Asked {
  readonly type: 'asked'
  readonly index: number
}

/** A whole snapshot on its way, with the entries that it stands for. */
interface Install {
  readonly type: 'install'
  readonly term: number
  readonly snapshot: Saved
}

export type ModelMessage = RaftMessage | Install | Record | Asked

interface Saved {
  readonly meta: SnapshotMeta
  readonly entries: readonly Entry[]
}

interface Told {
  readonly input: RaftInput
  readonly now: number
}

interface Disk {
  readonly hardState: HardState
  readonly entries: readonly Entry[]
  readonly saved?: Saved | undefined
  readonly justFounded?: boolean
}

export interface RaftLocal {
  /** What the life began with. */
  readonly born: Disk
  readonly inputs: readonly Told[]
  readonly disk: Disk
  readonly unwritten: readonly RaftWrite[]
  /** What it has made of the log, and what it was handed and took. */
  readonly made: Saved
  readonly taken: Saved | undefined
  readonly held: readonly { readonly after: number; readonly sent: Sent<ModelMessage> }[]
  readonly role: string
  /** Commit indexes for which it was asked to read in this life. */
  readonly asked: readonly number[]
  /** The term in which it is a candidate. */
  readonly campaign: number | undefined
  readonly key: string
}

const NAMES = ['n1', 'n2', 'n3', 'n4', 'n5']
const noChance: Random = { next: () => 0, int: (low) => low, fork: () => noChance }
const decoder = new TextDecoder()
const textOf = ({ index, term, type, data }: Entry): string =>
  `${index}@${term} ${type} ${type === 'membership' ? toHex(data) : decoder.decode(data)}`
/** Whoever of the three does not vote learns. */
const membersWith = (voters: readonly number[]): { voters: readonly string[]; learners: readonly string[] } => ({
  voters: voters.map((at) => NAMES[at]!),
  learners: [0, 1, 2].filter((at) => !voters.includes(at)).map((at) => NAMES[at]!)
})
const node = (id: string): number => NAMES.indexOf(id)

export class RaftModel implements System<RaftLocal, ModelMessage> {
  readonly nodes = 3
  readonly #init: RaftModelInit
  readonly #membership: Membership

  constructor(init: RaftModelInit) {
    this.#init = init
    this.#membership = { ...membersWith(init.voters ?? [0, 1, 2]), outgoing: [], learnersNext: [], autoLeave: false }
  }

  initial(at: number): LocalResult<RaftLocal, ModelMessage> {
    const found = this.#init.disks?.[at]
    if (found === undefined) return this.#boot(at, { hardState: { term: 0, votedFor: undefined }, entries: [] })
    const { term, vote, entries } = found
    return this.#boot(at, {
      justFounded: (this.#init.justFounded ?? false) && term === 1,
      hardState: { term, votedFor: vote === undefined ? undefined : NAMES[vote]! },
      entries: entries.map((t, i) => ({ index: i + 1, term: t, type: 'command', data: utf8(`t${t}`) }))
    })
  }

  spontaneous(at: number, local: RaftLocal): readonly string[] {
    const { raft } = this.#replay(at, local)
    const status = raft.status()
    const { role, term, lastIndex, leader } = status
    const actions: string[] = []
    if (role === 'leader') {
      if (lastIndex < this.#init.logMax)
        for (const value of this.#init.values ?? ['x']) actions.push(`proposes ${value}`)
      if (lastIndex < this.#init.logMax - 1) {
        for (const [i, voters] of (this.#init.changes ?? []).entries()) {
          if (status.membership.voters.join() !== membersWith(voters).voters.join()) actions.push(`changes voters ${i}`)
        }
      }
      if (this.#init.transfers === true && term < this.#init.termMax && !handingOver(raft)) {
        for (let to = 0; to < this.nodes; to++) if (to !== at) actions.push(`hands over to ${to}`)
      }
      if (this.#init.preVoteRounds !== undefined) actions.push('resigns')
    } else if (this.#mayCampaign(at, term + 1, raft)) actions.push('campaigns')
    if (this.#init.preVoteRounds !== undefined && role === 'follower' && leader !== undefined)
      actions.push('loses the leader')
    if (role === 'follower' && leader === undefined && term < this.#init.termMax)
      for (const [from, to] of this.#init.offers ?? []) if (from === at) actions.push(`offers its vote to ${to}`)
    if (local.unwritten.length > 0) actions.push('persists')
    if (this.#init.snapshots === true && local.made.meta.index > status.snapshotIndex) actions.push('saves')
    const mayCrash = this.#init.crashing?.includes(at) ?? true
    if (mayCrash && this.#reboot(at, local).state.key !== local.key) actions.push('crashes')
    return actions
  }

  act(at: number, local: RaftLocal, action: string): LocalResult<RaftLocal, ModelMessage> {
    const [verb, ...rest] = action.split(' ')
    const word = rest.at(-1)!
    if (verb === 'crashes') return this.#reboot(at, local)
    const run = this.#replay(at, local)
    if (verb === 'persists') run.persist()
    else if (verb === 'saves') run.save()
    else if (verb === 'proposes') {
      const ref = run.raft.status().lastIndex + 1
      run.input({ type: 'propose', ref, data: utf8(word) })
    } else if (verb === 'changes') {
      const change = membersWith(this.#init.changes![Number(word)]!)
      run.input({ type: 'change-membership', ref: -1, change })
    } else if (verb === 'hands') run.input({ type: 'transfer', ref: 0, to: NAMES[Number(word)]! })
    else if (verb === 'loses') run.input({ type: 'disconnected', peer: run.raft.status().leader! })
    else if (verb === 'offers') run.offer(Number(word))
    else if (verb === 'resigns') run.input({ type: 'tick' }, LATE)
    else run.timer()
    return run.result()
  }

  deliver(at: number, local: RaftLocal, from: number, message: ModelMessage): LocalResult<RaftLocal, ModelMessage> {
    const run = this.#replay(at, local)
    if (message.type === 'asked') {
      run.read(message.index)
      return run.result()
    }
    if (message.type === 'install') run.install(NAMES[from]!, message)
    else run.input({ type: 'message', from: NAMES[from]!, message: message as RaftMessage })
    return run.result()
  }

  stateKey = ({ key }: RaftLocal): string => key

  messageKey(message: ModelMessage): string {
    if (message.type === 'install') return `install ${message.term} ${savedText(message.snapshot)}`
    if (message.type !== 'append') return JSON.stringify(message)
    return JSON.stringify({ ...message, entries: message.entries.map(textOf) })
  }

  evidence(): undefined {}

  claimOf(message: ModelMessage): { readonly subject: string; readonly value: string } | undefined {
    if (message.type === 'led') return { subject: `the leader of term ${message.term}`, value: message.by }
    if (message.type === 'wrote') return { subject: `the entry ${message.place}`, value: message.entry }
    if (message.type !== 'applied') return undefined
    return { subject: `what is applied at ${message.index}`, value: message.entry }
  }

  /** Leader completeness: what was committed in one term is in the log of whoever leads a later one. */
  contradiction(one: ModelMessage, other: ModelMessage): string | undefined {
    if (one.type === 'flaw') return one.what
    if (one.type === 'led' && other.type === 'committed') return this.contradiction(other, one)
    if (one.type !== 'committed' || other.type !== 'led' || other.term <= one.term) return undefined
    if (other.log.split(';').includes(one.entry)) return undefined
    return `the leader of term ${other.term} lacks ${one.entry}, which committed in term ${one.term}`
  }

  /**
   * Nobody goes back behind the term on its disk, nor campaigns in it again (both are checked, see `flaw`). So answers to an
   * earlier campaign are heard by nobody, and questions of an earlier term are only ever refused. After the last term of a
   * space nobody asks for pre-votes any more.
   */
  obsolete(at: number, { disk, role, campaign }: RaftLocal, _from: number, message: ModelMessage): boolean {
    const { term, votedFor } = disk.hardState
    switch (message.type) {
      case 'vote-reply':
        return message.term < term || (message.term === term && campaign !== term)
      case 'append-accepted':
      case 'append-rejected':
      case 'heartbeat-reply':
        return message.term < term || (message.term === term && role === 'follower' && votedFor !== NAMES[at])
      case 'vote':
      case 'append':
      case 'commit':
      case 'heartbeat':
      case 'transfer':
        return this.#quiet && message.term < term
      case 'pre-vote':
        return this.#quiet && message.nextTerm < term
      case 'pre-vote-reply':
        return term >= this.#init.termMax
      case 'pre-vote-offer':
        return message.nextTerm <= term || term >= this.#init.termMax
      case 'asked':
      case 'install':
      case 'led':
      case 'wrote':
      case 'applied':
      case 'committed':
      case 'flaw':
        return false
      default:
        return unreachable(message)
    }
  }

  get #quiet(): boolean {
    return this.#init.refusals !== true
  }

  #mayCampaign(at: number, term: number, raft: Raft): boolean {
    const { termMax, candidates, preVoteRounds } = this.#init
    if (term > termMax || candidates?.[term - 1]?.includes(at) === false) return false
    return preVoteRounds === undefined || roundOf(raft) < preVoteRounds
  }

  #start(at: number, born: Disk): Raft {
    const { create, preVoteRounds } = this.#init
    return create({
      self: NAMES[at]!,
      membership: this.#membership,
      hardState: born.hardState,
      entries: born.entries,
      ...(born.saved === undefined ? {} : { snapshot: born.saved.meta }),
      justFounded: born.justFounded ?? false,
      timing: {
        heartbeatMs: 1,
        electionTimeoutMs: 2,
        rankStepMs: 1,
        jitterMs: 0,
        diskStallMs: Number.MAX_SAFE_INTEGER
      },
      preVote: preVoteRounds !== undefined,
      checkQuorum: preVoteRounds !== undefined,
      random: noChance,
      limits: { appendEntriesMax: this.#init.appendEntriesMax ?? 512, trailingEntriesMax: 1 }
    })
  }

  #boot(at: number, born: Disk): LocalResult<RaftLocal, ModelMessage> {
    const raft = this.#start(at, born)
    const run = new Run(raft, this.#init, {
      born,
      inputs: [],
      disk: born,
      unwritten: [],
      made: born.saved ?? { meta: emptyState(this.#membership), entries: [] },
      taken: undefined,
      held: [],
      role: '',
      asked: [],
      campaign: undefined,
      key: ''
    })
    run.begin(raft.start(EARLY))
    return run.result()
  }

  #reboot(at: number, { disk }: RaftLocal): LocalResult<RaftLocal, ModelMessage> {
    const { hardState, entries } = disk
    const justFounded = this.#init.opensAgain === true && hardState.term === 1 && entries.length === 0
    return this.#boot(at, { ...disk, justFounded, hardState: this.#init.restore?.(hardState) ?? hardState })
  }

  /** The member as it was: from the disk of its birth, through everything that it has heard since. */
  #replay(at: number, local: RaftLocal): Run {
    const raft = this.#start(at, local.born)
    let { deadline } = raft.start(EARLY)
    for (const { input, now } of local.inputs) ({ deadline } = raft.step(input, now))
    return new Run(raft, this.#init, local, deadline)
  }
}

/** Before any deadline. */
const EARLY = 0
/** An election timeout after anything that a leader has heard. */
const LATE = 1e6

const roundOf = (raft: Raft): number => (raft as unknown as { readonly $round: number }).$round
const handingOver = (raft: Raft): boolean =>
  (raft as unknown as { readonly requests: { readonly handover: unknown } }).requests.handover !== undefined

/** One local step: drives the core and plays its disk. */
class Run {
  readonly raft: Raft
  readonly #init: RaftModelInit
  readonly #born: Disk
  readonly #inputs: Told[]
  readonly #sent: Sent<ModelMessage>[] = []
  #disk: Disk
  #unwritten: readonly RaftWrite[]
  #made: Saved
  #taken: Saved | undefined
  #held: RaftLocal['held']
  #deadline: number | undefined
  #asked: readonly number[]

  constructor(raft: Raft, init: RaftModelInit, local: RaftLocal, deadline?: number) {
    this.raft = raft
    this.#init = init
    this.#born = local.born
    this.#inputs = [...local.inputs]
    this.#disk = local.disk
    this.#unwritten = local.unwritten
    this.#made = local.made
    this.#taken = local.taken
    this.#held = local.held
    this.#asked = local.asked
    this.#deadline = deadline
  }

  begin(effects: RaftEffects): void {
    this.#take(effects, 0, 'follower')
  }

  input(input: RaftInput, now = EARLY): void {
    const { commitIndex, role } = this.raft.status()
    this.#inputs.push({ input, now })
    this.#take(this.raft.step(input, now), commitIndex, role)
  }

  /** Once for each index: a client that asks again learns no more. */
  read(index: number): void {
    if (this.raft.status().role !== 'leader' || this.#asked.includes(index)) return
    this.#asked = [...this.#asked, index].toSorted((a, b) => a - b)
    this.input({ type: 'read', ref: index })
  }

  offer(to: number): void {
    const { term } = this.raft.status()
    const { lastIndex, lastTerm } = (this.raft as unknown as { readonly log: OpenLog }).log
    this.#sent.push({ to, message: { type: 'pre-vote-offer', nextTerm: term + 1, lastIndex, lastTerm, seq: 0 } })
  }

  /** The timer that it waits for, on time. */
  timer(): void {
    this.input({ type: 'tick' }, this.#deadline)
  }

  /** The state that it has made of the log is durable. */
  save(): void {
    this.#disk = { ...this.#disk, saved: this.#made }
    this.input({ type: 'snapshotted', index: this.#made.meta.index })
  }

  install(from: string, { term, snapshot }: Install): void {
    const before = this.#taken
    this.#taken = snapshot
    const { snapshotIndex, firstIndex } = this.raft.status()
    this.input({ type: 'install', from, term, snapshot: snapshot.meta })
    const isTaken = this.raft.status().firstIndex !== firstIndex || this.raft.status().snapshotIndex !== snapshotIndex
    if (!isTaken) this.#taken = before
  }

  persist(): void {
    const [first, ...rest] = this.#unwritten
    this.#unwritten = rest
    const { id, hardState, snapshot, compactTo = 0, entries = [] } = first!
    const { term } = this.#disk.hardState
    if (hardState !== undefined && hardState.term < term) this.#flaw(`the term on disk goes back from ${term}`)
    const isKept = ({ index }: Entry): boolean => index > compactTo && index < (entries[0]?.index ?? Infinity)
    this.#disk = {
      hardState: hardState ?? this.#disk.hardState,
      entries: [...(snapshot === undefined ? this.#disk.entries.filter(isKept) : []), ...entries],
      saved: snapshot === undefined ? this.#disk.saved : this.#taken
    }
    for (const { after, sent } of this.#held) if (after <= id) this.#sent.push(sent)
    this.#held = this.#held.filter(({ after }) => after > id)
    this.input({ type: 'persisted', write: id })
  }

  result(): LocalResult<RaftLocal, ModelMessage> {
    const { raft } = this
    const { role, term } = raft.status()
    const base = this.#unwritten[0]?.id ?? 0
    const disk = `${this.#disk.hardState.term} ${this.#disk.hardState.votedFor} ${this.#disk.entries.map(textOf).join(';')}`
    const unwritten = this.#unwritten.map(({ hardState, snapshot, compactTo, entries }) =>
      JSON.stringify([hardState, snapshot, compactTo, entries?.map(textOf)])
    )
    const held = this.#held.map(({ after, sent }) => `${after - base} ${JSON.stringify(sent)}`).toSorted()
    const saved = [this.#disk.saved, this.#made, this.#taken].map(savedText)
    const core = stateText(raft, this.#init.reads)
    const key = [core, this.#asked.join(), disk, unwritten.join(), held.join(), ...saved].join('|')
    const state = {
      born: this.#born,
      inputs: this.#inputs,
      disk: this.#disk,
      unwritten: this.#unwritten,
      made: this.#made,
      taken: this.#taken,
      held: this.#held,
      role,
      asked: this.#asked,
      campaign: role === 'candidate' ? term : undefined,
      key
    }
    return { state, sent: this.#sent }
  }

  #take(effects: RaftEffects, commitBefore: number, roleBefore: string): void {
    this.#deadline = effects.deadline
    const { term } = this.raft.status()
    // A leader's no-op is the first entry of its term: what it led with is the log before it.
    const elected = effects.events.some((event) => event.type === 'role' && event.role === 'leader')
    const log = this.#wholeLog()
    const campaigns = effects.events.some((event) => event.type === 'role' && event.role === 'candidate')
    if (campaigns && this.#disk.hardState.term >= term) this.#flaw(`campaigns in term ${term} again`)
    if (elected) {
      const before = log.filter((entry) => entry.term < term)
      this.#record({
        type: 'led',
        term,
        by: (this.raft as unknown as { readonly self: string }).self,
        log: before.map(textOf).join(';')
      })
    }
    for (const entry of effects.write?.entries ?? []) {
      const previous = log[entry.index - 2]?.term ?? 0
      this.#record({
        type: 'wrote',
        place: `${entry.index}@${entry.term}`,
        entry: `${textOf(entry)} after ${previous}`
      })
    }
    const { commitIndex, role } = this.raft.status()
    if (role === 'leader' || roleBefore === 'leader') {
      for (let index = commitBefore + 1; index <= commitIndex; index++) {
        this.#record({ type: 'committed', index, entry: textOf(log[index - 1]!), term })
      }
    }
    if (this.#init.reads === true && role === 'leader' && commitIndex > commitBefore) this.#tellClients(commitIndex)
    for (const outcome of effects.outcomes) {
      if (outcome.type === 'readable' && outcome.index < outcome.ref) {
        this.#flaw(`a read that was asked for after ${outcome.ref} had committed sees ${outcome.index}`)
      }
    }
    if (effects.restored !== undefined) {
      this.#made = this.#taken!
      for (const entry of this.#made.entries) this.#applied(entry)
    }
    for (const entry of effects.committed) {
      this.#made = { meta: afterEntry(this.#made.meta, entry), entries: [...this.#made.entries, entry] }
      this.#applied(entry)
    }
    for (const { to } of effects.sendSnapshots) {
      this.#sent.push({ to: node(to), message: { type: 'install', term, snapshot: this.#disk.saved! } })
    }
    if (effects.write !== undefined) this.#unwritten = [...this.#unwritten, effects.write]
    for (const { to, message } of effects.send) if (this.#isHeard(message)) this.#sent.push({ to: node(to), message })
    for (const { to, message } of effects.sendAfter) {
      if (this.#isHeard(message)) this.#hold({ after: effects.sendAfterWrite, sent: { to: node(to), message } })
    }
    if (this.#init.disk === 'synchronous') while (this.#unwritten.length > 0) this.persist()
  }

  #tellClients(index: number): void {
    for (let to = 0; to < 3; to++) this.#sent.push({ to, message: { type: 'asked', index } })
  }

  /** The network is a set, so the earlier of two copies makes the later one redundant. */
  #hold(held: RaftLocal['held'][number]): void {
    const text = JSON.stringify(held.sent)
    if (!this.#held.some(({ sent }) => JSON.stringify(sent) === text)) this.#held = [...this.#held, held]
  }

  #isHeard(message: RaftMessage): boolean {
    if (this.#init.refusals === true) return true
    if (message.type === 'vote-reply' || message.type === 'pre-vote-reply') return message.granted
    return message.type !== 'heartbeat-reply' || message.seq > 0
  }

  #applied(entry: Entry): void {
    this.#record({ type: 'applied', index: entry.index, entry: textOf(entry) })
  }

  /** Those that are gone are the ones that were handed out, or that the snapshot stands for whose place it took. */
  #wholeLog(): readonly Entry[] {
    const { log } = this.raft as unknown as { readonly log: OpenLog }
    const { index } = log.base
    const gone = (index <= this.#made.entries.length ? this.#made : this.#taken!).entries.slice(0, index)
    return [...gone, ...log.tail(index + 1)]
  }

  #flaw(what: string): void {
    this.#record({ type: 'flaw', what })
  }

  #record(record: Record): void {
    this.#sent.push({ to: RECORD, message: record })
  }
}

interface OpenLog {
  readonly lastIndex: number
  readonly lastTerm: number
  readonly base: { readonly index: number }
  tail(from: number): readonly Entry[]
}

const savedText = (saved: Saved | undefined): string =>
  saved === undefined ? '' : `${JSON.stringify(saved.meta)} ${saved.entries.map(textOf).join(';')}`
