/**
 * The oracle: what must hold after every event, stated over what the processes ask for, what their disks hold and what they
 * send. It outlives processes and disks, so that a value which was once committed stays known when nobody is left to tell.
 *
 * The numbers are those of docs/SIMULATION.md. An invariant that fails stops the run: everything after it would be noise.
 */
import { crc32 } from 'node:zlib'
import { messageOf } from '../core/errors.ts'
import { type FormationState, decodeFormationState } from '../formation/index.ts'
import type { Entry, RaftStatus } from '../raft/types.ts'
import { FORMATION_CELL, VOTE_CELL, decodeHardState, recoverEntry, storeEntry } from '../replica/durable.ts'
import { decodeFrame } from '../replica/frames.ts'
import type { ClientOutcome, DurableBatch, ReplicaEffects, ReplicaEvent, ReplicaInput } from '../replica/types.ts'
import type { StoredEntry } from '../storage/port.ts'
import { type Process, TIMING } from './machine.ts'
import { flagIn, numberIn, raftTypeOf } from './peek.ts'
import type { World } from './world.ts'

export interface Violation {
  /** The stable name of the invariant. */
  readonly invariant: string
  readonly atMs: number
  readonly node: string
  readonly detail: string
}

/** One place of a log: its term, and a running hash of everything up to it. */
interface Place {
  readonly term: number
  readonly chain: number
}

/** What one process life shows of itself. */
interface View {
  readonly incarnation: string
  /** The log as it was handed to storage. */
  readonly log: Place[]
  term: number
  commit: number
  role: string
  version: number
  clusterId: string | undefined
  /** When a frame of each peer was last heard, by machine; µs. */
  readonly heardUs: Float64Array
}

/** What the disk of one incarnation holds, as far as it was acknowledged. */
interface Durable {
  term: number
  votedFor: string | undefined
  readonly log: Place[]
  formation: FormationState | undefined
}

interface Cluster {
  readonly leaders: Map<number, string>
  readonly committed: Place[]
  /** The term in which each was seen to commit first. */
  readonly committedIn: number[]
  /** By version. */
  readonly configs: Map<number, string>
  /** By the text of the value. */
  readonly versionOf: Map<string, number>
  /** By `index:term`. */
  readonly places: Map<string, number>
}

/** Frames that wait in one replica for one write. Far above what five voters need, far below a leak. */
const REQUESTS_MAX = 4_096

export class Oracle {
  readonly #world: World
  readonly violations: Violation[] = []
  /** Invariants are checked, but not those that a distrusted disk breaks by its nature. */
  readonly #views = new Map<Process, View>()
  readonly #durable = new Map<string, Durable>()
  readonly #clusters = new Map<string, Cluster>()
  readonly #clusterOf = new Map<string, string>()
  readonly #incarnations = new Set<string>()
  /** Highest config version that any caller was told of. */
  #acknowledged = 0
  readonly #reads = new Map<string, number>()
  readonly #applied = new Map<string, string>()
  termMax = 0
  /** The callers of this run never ask for the same value twice, so a value has one version. */
  valuesAreUnique = false

  constructor(world: World) {
    this.#world = world
  }

  get committed(): number {
    let most = 0
    for (const { committed } of this.#clusters.values()) most = Math.max(most, committed.length)
    return most
  }

  get founded(): boolean {
    return this.#clusters.size > 0
  }

  #fail(invariant: string, process: Process | undefined, detail: string): void {
    const { nowUs, recorder } = this.#world
    const violation = { invariant, atMs: nowUs / 1_000, node: process?.name ?? '', detail }
    this.violations.push(violation)
    recorder?.violation(violation)
  }

  // ── Lives ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  started(process: Process): void {
    const { machine, recovery } = process
    const { incarnation } = machine
    const vote = decodeHardState(recovery.cells.get(VOTE_CELL))
    const log = chainOf(recovery.entries.map(recoverEntry))
    this.#incarnations.add(incarnation)
    this.#views.set(process, {
      incarnation,
      log,
      term: vote.term,
      commit: 0,
      role: 'follower',
      version: 0,
      clusterId: this.#clusterOf.get(incarnation),
      heardUs: new Float64Array(16).fill(-Infinity)
    })
    const cell = recovery.cells.get(FORMATION_CELL)
    const formation = cell === undefined ? undefined : this.#formation(cell)
    this.#recovered(process, { ...vote, log: [...log], formation })
  }

  /** What was acknowledged is read back (invariant 6, on the disk image). More may be there: a write that nobody was told of. */
  #recovered(process: Process, found: Durable): void {
    const { incarnation, distrusted } = process.machine
    const known = this.#durable.get(incarnation)
    if (known !== undefined && !distrusted) {
      if (found.term < known.term)
        this.#fail('durable-vote', process, `term ${known.term} was synced, ${found.term} is read back`)
      else if (found.term === known.term && known.votedFor !== undefined && found.votedFor !== known.votedFor) {
        this.#fail('durable-vote', process, `the vote of term ${found.term} is another one after the restart`)
      }
      if (known.formation?.certificate !== undefined && found.formation?.certificate === undefined) {
        this.#fail('durable-latch', process, 'the founding certificate was synced and is gone')
      }
    }
    this.#durable.set(incarnation, found)
  }

  ended(process: Process): void {
    this.#views.delete(process)
  }

  #formation(cell: Uint8Array): FormationState {
    return decodeFormationState(cell, this.#world.cast.crypto.readClaim)
  }

  // ── What a step asks for ────────────────────────────────────────────────────────────────────────────────────────────

  asked(process: Process, { writes }: ReplicaEffects): void {
    for (const { batch } of writes) if (batch.entries !== undefined) this.#appended(process, batch.entries)
  }

  #appended(process: Process, entries: readonly StoredEntry[]): void {
    const view = this.#views.get(process)
    const first = entries[0]
    if (view === undefined || first === undefined) return
    const { log } = view
    if (view.role === 'leader' && first.index <= log.length && view.term === process.replica.consensus()?.term) {
      const before = log[first.index - 1]!.chain
      if (before !== link(log[first.index - 2]?.chain ?? 0, first)) {
        this.#fail('leader-append-only', process, `as leader of term ${view.term} it replaces entry ${first.index}`)
      }
    }
    log.length = first.index - 1
    const cluster = this.#clusterFor(view)
    for (const entry of entries) {
      const chain = link(log.at(-1)?.chain ?? 0, entry)
      log.push({ term: entry.term, chain })
      if (cluster !== undefined) this.#match(process, cluster, entry, chain)
    }
  }

  #match(process: Process, cluster: Cluster, { index, term }: StoredEntry, chain: number): void {
    const key = `${index}:${term}`
    const known = cluster.places.get(key)
    if (known === undefined) cluster.places.set(key, chain)
    else if (known !== chain) {
      this.#fail(
        'log-matching',
        process,
        `entry ${index} of term ${term} is not the one that another log has, or what is before it`
      )
    }
  }

  #clusterFor(view: View): Cluster | undefined {
    return view.clusterId === undefined ? undefined : this.#clusters.get(view.clusterId)
  }

  // ── After every step ────────────────────────────────────────────────────────────────────────────────────────────────

  stepped(process: Process, input: ReplicaInput | undefined): void {
    const view = this.#views.get(process)
    const status = process.replica.consensus()
    if (view === undefined || status === undefined) return
    const cluster = this.#clusterFor(view)
    if (cluster === undefined) return
    if (status.term !== view.term) this.#termMoved(process, view, status, input)
    view.role = status.role
    if (status.commitIndex !== view.commit) this.#committed(process, view, cluster, status)
    if (status.lastIndex !== view.log.length) {
      this.#fail(
        'write-what-you-say',
        process,
        `the log ends at ${status.lastIndex}, storage was handed ${view.log.length}`
      )
    }
    if (status.role === 'leader' && input?.type === 'tick') this.#inTouch(process, view, status)
  }

  #termMoved(process: Process, view: View, status: RaftStatus, input: ReplicaInput | undefined): void {
    if (status.term < view.term)
      this.#fail('monotonic-term', process, `its term goes from ${view.term} to ${status.term}`)
    if (input?.type === 'frame' && raftTypeOf(input.frame) === 'pre-vote') {
      this.#fail('pre-vote-is-harmless', process, `a pre-vote moves its term from ${view.term} to ${status.term}`)
    }
    view.term = status.term
    if (status.term > this.termMax) this.termMax = status.term
  }

  #committed(process: Process, view: View, cluster: Cluster, status: RaftStatus): void {
    const { commitIndex } = status
    if (commitIndex < view.commit) {
      this.#fail('monotonic-commit', process, `its commit index goes from ${view.commit} to ${commitIndex}`)
      return
    }
    if (status.role === 'leader' && view.log[commitIndex - 1]?.term !== status.term) {
      this.#fail('commit-own-term', process, `it commits entry ${commitIndex} of an earlier term by counting`)
    }
    for (let i = view.commit; i < commitIndex; i++) {
      const place = view.log[i]
      const known = cluster.committed[i]
      if (place === undefined)
        this.#fail('commit-within-log', process, `it commits entry ${i + 1}, which it does not hold`)
      else if (known === undefined) {
        cluster.committed.push(place)
        cluster.committedIn.push(status.term)
        this.#storedByMajority(process, i, place, status)
      } else if (known.chain !== place.chain) {
        this.#fail(
          'state-machine-safety',
          process,
          `entry ${i + 1} was committed in term ${known.term}; here it is another one, of term ${place.term}`
        )
      }
    }
    view.commit = commitIndex
  }

  /** Invariant 8: whoever counts has synced it, in each half of the configuration in force. */
  #storedByMajority(process: Process, at: number, place: Place, { membership }: RaftStatus): void {
    for (const group of [membership.voters, membership.outgoing]) {
      if (group.length === 0) continue
      const holders = group.filter((id) => this.#durable.get(id)?.log[at]?.chain === place.chain)
      if (holders.length * 2 <= group.length) {
        const names = holders.map((id) => this.#world.nameOf(id)).join(', ')
        this.#fail(
          'committed-is-stored',
          process,
          `entry ${at + 1} is committed; of ${group.length} voters only [${names}] have synced it`
        )
      }
    }
  }

  /** Invariant 11: a leader that has heard no quorum for long does not speak as leader any more. */
  #inTouch(process: Process, view: View, { membership, term }: RaftStatus): void {
    const { machine, world } = process
    const limitUs = ((TIMING.raft.electionTimeoutMs + TIMING.raft.heartbeatMs) * 1_000 * 2) / machine.clockRate
    const heard = membership.voters.filter((id) => {
      if (id === view.incarnation) return true
      const peer = world.machines.find(({ actor }) => id.startsWith(`${actor.peerId}#`))
      return (
        peer !== undefined &&
        world.nowUs - Math.max(view.heardUs[peer.index]!, this.#leaderSince(view, world)) < limitUs
      )
    })
    if (heard.length * 2 <= membership.voters.length) {
      this.#fail(
        'leader-in-touch',
        process,
        `it leads term ${term} and has heard ${heard.length} of ${membership.voters.length} voters`
      )
    }
  }

  readonly #leadsSince = new Map<View, number>()

  #leaderSince(view: View, world: World): number {
    return this.#leadsSince.get(view) ?? world.nowUs
  }

  heard(from: Process, to: Process): void {
    const view = this.#views.get(to)
    if (view !== undefined) view.heardUs[from.machine.index] = this.#world.nowUs
  }

  // ── Disk and wire ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** A batch is durable: (term, vote) is written once a term, and the latch once and for all (invariants 6, 13). */
  persisted(process: Process, { cells, entries }: DurableBatch): void {
    const durable = this.#durable.get(process.machine.incarnation)!
    for (const { name, value } of cells ?? []) {
      if (name === VOTE_CELL) this.#voted(process, durable, value)
      else if (name === FORMATION_CELL) this.#formed(process, durable, this.#formation(value))
    }
    const first = entries?.[0]
    if (first === undefined) return
    durable.log.length = first.index - 1
    for (const entry of entries!)
      durable.log.push({ term: entry.term, chain: link(durable.log.at(-1)?.chain ?? 0, entry) })
  }

  #voted(process: Process, durable: Durable, value: Uint8Array): void {
    const { term, votedFor } = decodeHardState(value)
    if (term < durable.term)
      this.#fail('monotonic-term', process, `term ${durable.term} is on disk, ${term} is written over it`)
    if (term === durable.term && durable.votedFor !== undefined && votedFor !== durable.votedFor) {
      this.#fail(
        'one-vote-a-term',
        process,
        `in term ${term} it voted for ${this.#world.nameOf(durable.votedFor)} and then for another`
      )
    }
    durable.term = term
    durable.votedFor = votedFor
  }

  #formed(process: Process, durable: Durable, next: FormationState): void {
    const before = durable.formation
    if (before !== undefined) {
      if (next.term < before.term)
        this.#fail(
          'formation-term',
          process,
          `founding term ${before.term} is on disk, ${next.term} is written over it`
        )
      if (next.term === before.term && before.votedFor !== undefined && next.votedFor !== before.votedFor) {
        this.#fail('formation-one-vote', process, `it votes twice in founding term ${next.term}`)
      }
      if (before.certificate !== undefined && next.certificate === undefined) {
        this.#fail('durable-latch', process, 'the founding certificate is overwritten')
      }
      if ((next.accepted?.term ?? 0) < (before.accepted?.term ?? 0)) {
        this.#fail('formation-acceptance', process, 'its accepted founding set goes back to an earlier term')
      }
    }
    durable.formation = next
  }

  /** Invariant 7: what leaves rests on nothing that is not on disk. */
  sends(process: Process, to: string, frame: Uint8Array): void {
    const type = raftTypeOf(frame)
    const durable = this.#durable.get(process.machine.incarnation)
    if (durable === undefined) return
    switch (type as string | undefined) {
      case 'vote-reply':
        if (!flagIn(frame, 1)) return
        if (durable.term !== numberIn(frame, 0) || !(durable.votedFor ?? '').startsWith(`${to}#`)) {
          // A later term may be on disk by now; then the vote was, too.
          if (durable.term <= numberIn(frame, 0)) this.#undurable(process, `its vote in term ${numberIn(frame, 0)}`)
        }
        return
      case 'append-accepted':
        if (numberIn(frame, 1) > durable.log.length) this.#undurable(process, `entries up to ${numberIn(frame, 1)}`)
        return
      case undefined:
        this.#sendsFormation(process, durable, frame)
        return
      default:
        return
    }
  }

  #undurable(process: Process, what: string): void {
    this.#fail('durable-before-send', process, `it tells a peer of ${what} before the disk has it`)
  }

  #sendsFormation(process: Process, durable: Durable, bytes: Uint8Array): void {
    const { cast } = this.#world
    const scope = {
      domainId: cast.genesis.domainId,
      clusterId: undefined,
      generation: cast.genesis.genesis.generation,
      readClaim: cast.crypto.readClaim
    }
    let frame
    try {
      frame = decodeFrame(bytes, scope)
    } catch {
      return
    }
    if (frame.kind !== 'formation') return
    const { message } = frame
    const { formation } = durable
    if (message.type === 'vote' && (formation === undefined || formation.term < message.term)) {
      this.#undurable(process, `its founding vote in term ${message.term}`)
    }
    if (message.type === 'accept' && (formation?.accepted?.term ?? 0) < message.term) {
      this.#undurable(process, `a founding set accepted in term ${message.term}`)
    }
  }

  // ── Events, callers, strangers ──────────────────────────────────────────────────────────────────────────────────────

  reported(process: Process, event: ReplicaEvent): void {
    const view = this.#views.get(process)
    if (view === undefined) return
    if (event.type === 'founded') this.#founded(process, view, event.clusterId)
    else if (event.type === 'role' && event.role === 'leader') this.#elected(process, view, event.term)
    else if (event.type === 'config') this.#config(process, view, event.version, event.hash)
    else if (event.type === 'alarm' && event.code === 'initial-config-differs') {
      this.#fail('initial-config', process, event.detail)
    }
  }

  /** Invariants 12, 13, 21. */
  #founded(process: Process, view: View, clusterId: string): void {
    const { incarnation } = view
    const before = this.#clusterOf.get(incarnation)
    if (before !== undefined && before !== clusterId) {
      this.#fail(
        'one-cluster',
        process,
        `it was in cluster ${before.slice(0, 8)} and is now in ${clusterId.slice(0, 8)}`
      )
    }
    this.#clusterOf.set(incarnation, clusterId)
    view.clusterId = clusterId
    if (!this.#clusters.has(clusterId)) {
      this.#clusters.set(clusterId, {
        leaders: new Map(),
        committed: [],
        committedIn: [],
        configs: new Map(),
        versionOf: new Map(),
        places: new Map()
      })
    }
    const size = this.#world.cast.actors.length
    if (this.#clusters.size > 1 && this.#incarnations.size < 2 * size) {
      this.#fail(
        'one-cluster',
        process,
        `${this.#clusters.size} clusters of one genesis with ${this.#incarnations.size} incarnations; a split needs ${2 * size}`
      )
    }
  }

  /** Invariants 1 and 4. */
  #elected(process: Process, view: View, term: number): void {
    this.#leadsSince.set(view, this.#world.nowUs)
    const cluster = this.#clusterFor(view)
    if (cluster === undefined) return
    const known = cluster.leaders.get(term)
    if (known !== undefined) {
      this.#fail(
        'election-safety',
        process,
        `term ${term} has two leaders, ${this.#world.nameOf(known)} and ${process.name}`
      )
    }
    cluster.leaders.set(term, view.incarnation)
    this.#electedByVotes(process, view, term)
    // A leader of an earlier term, elected late, need not hold what a later term has committed meanwhile.
    const last = cluster.committedIn.findLastIndex((inTerm) => inTerm < term) + 1
    const place = cluster.committed[last - 1]
    if (place !== undefined && view.log[last - 1]?.chain !== place.chain) {
      const detail = `it leads term ${term} without entry ${last}, committed in term ${cluster.committedIn[last - 1]}`
      this.#fail('leader-completeness', process, detail)
    }
  }

  /** A majority's votes for it are on disk, its own among them. Whoever is in a later term by now may have voted before. */
  #electedByVotes(process: Process, { incarnation }: View, term: number): void {
    const membership = process.replica.consensus()?.membership
    const hasVoted = (id: string): boolean => {
      const durable = this.#durable.get(id)
      return (
        durable !== undefined && (durable.term > term || (durable.term === term && durable.votedFor === incarnation))
      )
    }
    for (const group of [membership?.voters ?? [], membership?.outgoing ?? []]) {
      const votes = group.filter(hasVoted)
      if (
        group.length > 0 &&
        (votes.length * 2 <= group.length || (group.includes(incarnation) && !hasVoted(incarnation)))
      ) {
        const names = votes.map((id) => this.#world.nameOf(id)).join(', ')
        this.#fail('elected-by-durable-votes', process, `it leads term ${term}; only [${names}] have its vote on disk`)
      }
    }
  }

  /** Invariants 14 and 16. */
  #config(process: Process, view: View, version: number, hash: string): void {
    const cluster = this.#clusterFor(view)
    if (version !== view.version + 1) this.#fail('config-order', process, `config ${version} follows ${view.version}`)
    view.version = version
    if (this.valuesAreUnique && cluster !== undefined) this.#once(process, cluster, version)
    const known = cluster?.configs.get(version)
    if (known === undefined) cluster?.configs.set(version, hash)
    else if (known !== hash) {
      this.#fail(
        'config-agreement',
        process,
        `config ${version} has hash ${hash.slice(0, 8)} here and ${known.slice(0, 8)} elsewhere`
      )
    }
  }

  /** A request that is tried again takes effect once, whoever led when (invariant: exactly once). */
  #once(process: Process, cluster: Cluster, version: number): void {
    const record = process.replica.status().config?.history.find((one) => one.version === version)
    if (record === undefined) return
    const { text } = record
    const known = cluster.versionOf.get(text)
    if (known === undefined) cluster.versionOf.set(text, version)
    else if (known !== version)
      this.#fail('exactly-once', process, `one request made config ${known} and config ${version}`)
  }

  asksToRead(requestId: string): void {
    this.#reads.set(requestId, this.#acknowledged)
  }

  /** A caller was answered: reads are no older than what callers knew when they asked; a request is applied once. */
  settled(process: Process, outcome: ClientOutcome): void {
    const { requestId } = outcome
    if (outcome.type === 'done') {
      const known = this.#reads.get(requestId)
      const version = this.#views.get(process)?.version ?? 0
      if (known !== undefined && version < known) {
        this.#fail(
          'linearizable-read',
          process,
          `a read sees config ${version}; ${known} was acknowledged before it was asked for`
        )
      }
    }
    if (outcome.type !== 'applied' || outcome.result.type !== 'set') return
    const text = `${outcome.result.version}/${outcome.result.hash}`
    const before = this.#applied.get(requestId)
    if (before !== undefined && before !== text)
      this.#fail('exactly-once', process, `request ${requestId} was applied as ${before} and as ${text}`)
    this.#applied.set(requestId, text)
    this.#acknowledged = Math.max(this.#acknowledged, outcome.result.version)
  }

  letIn(process: Process, stranger: string): void {
    this.#fail('no-stranger', process, `it admitted ${stranger}`)
  }

  /** Damage at rest must be found when the disk is read (FAULTS D4, D5). */
  believedDamage(process: Process, what: string): void {
    this.#fail('damage-is-found', process, what)
  }

  threw(process: Process | undefined, input: ReplicaInput | undefined, error: unknown): void {
    this.#fail('no-exception', process, `${input?.type ?? 'start'}: ${messageOf(error)}`)
  }

  stuck(what: string, detail: string): void {
    this.#fail(what, undefined, detail)
  }

  /** Invariant 23, at quiescence. */
  quiet(process: Process): void {
    const pending = process.replica.status().requestsPending
    if (pending > REQUESTS_MAX) this.#fail('bounded', process, `${pending} requests are pending`)
  }

  version(process: Process): number {
    return this.#views.get(process)?.version ?? 0
  }
}

const HEAD = new Uint8Array(12)
const HEAD_VIEW = new DataView(HEAD.buffer)

/** The running hash of a log after `entry`. */
function link(previous: number, { term, type, data }: StoredEntry): number {
  HEAD_VIEW.setUint32(0, term)
  HEAD_VIEW.setUint32(4, type)
  HEAD_VIEW.setUint32(8, previous)
  return crc32(data, crc32(HEAD))
}

function chainOf(entries: readonly Entry[]): Place[] {
  const places: Place[] = []
  for (const entry of entries) {
    places.push({ term: entry.term, chain: link(places.at(-1)?.chain ?? 0, storeEntry(entry)) })
  }
  return places
}
