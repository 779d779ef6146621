/**
 * The oracle: what must hold after every event, stated over what the processes ask for, what their disks hold and what they
 * send. It outlives processes and disks, so that a value which was once committed stays known when nobody is left to tell.
 *
 * The parts (`oracle/`) are by theme: logs and commits, disks, offices and elections, members, callers. The invariants are those
 * of docs/SIMULATION.md. One that fails stops the run: everything after it would be noise.
 */
import { messageOf } from '../core/errors.ts'
import { decodeFrame } from '../replica/frames.ts'
import type { Membership } from '../raft/types.ts'
import { decodeHardState, FORMATION_CELL, VOTE_CELL } from '../replica/durable.ts'
import type { ClientOutcome, DurableBatch, ReplicaEffects, ReplicaEvent, ReplicaInput } from '../replica/types.ts'
import { isRefusal } from './peek.ts'
import type { Machine } from './machine.ts'
import type { Process } from './process.ts'
import { CallerOracle } from './oracle/callers.ts'
import { CredentialOracle } from './oracle/credentials.ts'
import { DiskOracle } from './oracle/disk.ts'
import { LogOracle } from './oracle/log.ts'
import { Memory, recoveredLog, type View, type Violation } from './oracle/memory.ts'
import { MemberOracle } from './oracle/members.ts'
import { OfficeOracle } from './oracle/offices.ts'
import { PreVoteOracle } from './oracle/pre-votes.ts'
import type { RegisterCommand } from './oracle/register.ts'
import { SnapshotOracle } from './oracle/snapshots.ts'
import { TalkOracle } from './oracle/talk.ts'
import { VoteOracle } from './oracle/votes.ts'
import type { World } from './world.ts'
import type { Invariant } from './oracle/names.ts'

export type { Violation } from './oracle/memory.ts'

export class Oracle {
  readonly #memory: Memory
  readonly #logs: LogOracle
  readonly #disks: DiskOracle
  readonly #snapshots: SnapshotOracle
  readonly #offices: OfficeOracle
  readonly #members: MemberOracle
  readonly #callers: CallerOracle
  readonly #credentials: CredentialOracle
  /** Frames, by whomever. */
  #refused = 0
  readonly #talk: TalkOracle
  readonly #votes: VoteOracle
  readonly #preVotes: PreVoteOracle

  constructor(world: World) {
    this.#memory = new Memory(world)
    this.#logs = new LogOracle(this.#memory)
    this.#disks = new DiskOracle(this.#memory)
    this.#snapshots = new SnapshotOracle(this.#memory)
    this.#offices = new OfficeOracle(this.#memory)
    this.#credentials = new CredentialOracle(this.#memory)
    this.#members = new MemberOracle(this.#memory, this.#credentials)
    this.#callers = new CallerOracle(this.#memory)
    this.#talk = new TalkOracle(this.#memory)
    this.#votes = new VoteOracle(this.#memory)
    this.#preVotes = new PreVoteOracle(this.#memory)
  }

  get violations(): readonly Violation[] {
    return this.#memory.violations
  }

  get committed(): number {
    let most = 0
    for (const { committed } of this.#memory.clusters.values()) most = Math.max(most, committed.length)
    return most
  }

  get founded(): boolean {
    return this.#memory.clusters.size > 0
  }

  get termMax(): number {
    return this.#logs.termMax
  }

  /** The callers of this run never ask for the same value twice, so a value has one version. */
  set valuesAreUnique(unique: boolean) {
    this.#callers.valuesAreUnique = unique
  }

  /** Configurations that these machines may act on, the newest that has committed first; the founders' when there is none. */
  configurations(machines: readonly Machine[]): readonly Membership[] {
    const versions = this.#members.inPlay(machines, this.committed)
    return versions.length === 0 ? this.#memory.founding.slice(0, 1) : versions
  }

  version(process: Process): number {
    return this.#memory.views.get(process)?.version ?? 0
  }

  // ── Lives ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  started(process: Process): void {
    const { recovery } = process
    const { incarnation } = process.machine
    const vote = decodeHardState(recovery.cells.get(VOTE_CELL))
    const clusterId = this.#memory.clusterOf.get(incarnation)
    const { committed = [] } = (clusterId === undefined ? undefined : this.#memory.clusters.get(clusterId)) ?? {}
    const log = recoveredLog(recovery, committed)
    if (process.machine.store.self.seat !== undefined) this.#memory.incarnations.add(incarnation)
    this.#memory.views.set(process, {
      incarnation,
      log,
      term: vote.term,
      handed: this.#disks.votedByCertificate(process) ?? vote,
      commit: 0,
      membership: undefined,
      role: 'follower',
      reportedRole: 'follower',
      version: 0,
      mayJump: recovery.snapshot !== undefined,
      hash: '',
      clusterId,
      leadsSinceUs: -Infinity,
      heardUs: new Map()
    })
    const cell = recovery.cells.get(FORMATION_CELL)
    const formation = cell === undefined ? undefined : this.#disks.formation(cell)
    this.#disks.recovered(process, { ...vote, log: [...log], formation })
    this.#members.recovered(process)
    this.#snapshots.recovered(process)
  }

  ended(process: Process): void {
    const view = this.#memory.views.get(process)
    if (view !== undefined) this.#members.ended(view)
    this.#memory.views.delete(process)
  }

  // ── Every step ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What a step asks for. */
  stepAsks(process: Process, { writes, sends }: ReplicaEffects): void {
    this.#preVotes.asks(process, sends)
    for (const { batch } of writes) this.#handed(process, batch)
  }

  #handed(process: Process, { cells, snapshot, entries }: DurableBatch): void {
    const view = this.#memory.views.get(process)
    if (view === undefined) return
    for (const { name, value } of cells ?? []) if (name === VOTE_CELL) view.handed = decodeHardState(value)
    if (snapshot !== undefined) this.#snapshots.asked(process, view, snapshot)
    if (snapshot !== undefined && this.#logs.replaced(process, view, snapshot)) {
      this.#members.replaced(process, view, snapshot)
    }
    if (entries?.[0] === undefined) return
    this.#members.appended(process, view, entries)
    this.#logs.appended(process, view, entries)
  }

  /** What a step has made of the replica. */
  stepped(process: Process, input: ReplicaInput | undefined): void {
    const status = process.replica.consensus()
    if (status === undefined) return this.#forming(process)
    const view = this.#memory.views.get(process)
    if (view === undefined) return
    if (status.term !== view.term && input?.type === 'frame') this.#members.movedBy(process, view, input.from)
    this.#logs.stepped(process, view, status, input)
    this.#votes.stepped(process, view, status)
    this.#preVotes.stepped(process, status, input)
    this.#members.stepped(process, view, status)
  }

  #forming({ replica }: Process): void {
    this.#memory.world.covered('formation stage', replica.stage)
    this.#memory.world.covered('standing', replica.standing.type)
  }

  /** A batch has reached the disk. */
  persisted(process: Process, batch: DurableBatch): void {
    const isReplaced = this.#disks.persisted(process, batch)
    this.#snapshots.persisted(process, batch)
    if (isReplaced) this.#members.storedSnapshot(process, batch.snapshot!)
    if (batch.entries?.[0] !== undefined) this.#members.persisted(process, batch.entries)
  }

  sends(process: Process, to: string, frame: Uint8Array): void {
    this.#disks.sends(process, to, frame)
    this.#talk.sends(process, to, frame)
    if (isRefusal(frame)) this.#coverAnswer(process, frame)
  }

  #coverAnswer({ replica }: Process, bytes: Uint8Array): void {
    const { genesis, crypto } = this.#memory.world.cast
    const { domainId } = genesis
    const { clusterId } = replica
    const { generation } = genesis.genesis
    const frame = decodeFrame(bytes, { domainId, clusterId, generation, readClaim: crypto.readClaim })
    if (frame.kind === 'answer') this.#memory.world.covered('request', frame.code)
  }

  heard(from: Process, to: Process): void {
    this.#memory.views.get(to)?.heardUs.set(from.machine.incarnation, this.#memory.world.nowUs)
  }

  /** Bytes that no member would send are refused by name, and nothing else follows from them. */
  refuses(process: Process, hear: () => void): void {
    const refused = this.#refused
    this.unmoved(process, 'a frame that no member would send', hear)
    // Before founding, frames of a cluster that is not known yet are kept for a while.
    const isHeard = process.alive && !process.paused && process.replica.consensus() !== undefined
    if (isHeard && this.#refused !== refused + 1) {
      this.#memory.fail('refused-by-name', process, 'a frame that no member would send was not refused')
    }
  }

  /** Nothing that consensus or founding decides by may change. */
  unmoved(process: Process, what: string, hear: () => void): void {
    const before = decidesBy(process)
    hear()
    if (!process.alive || process.paused) return
    const after = decidesBy(process)
    if (after === before) return
    this.#memory.fail('refused-by-name', process, `${what} moves it from ${before} to ${after}`)
  }

  // ── Events, callers, strangers ──────────────────────────────────────────────────────────────────────────────────────

  reported(process: Process, event: ReplicaEvent): void {
    const view = this.#memory.views.get(process)
    if (view === undefined) return
    switch (event.type) {
      case 'founded':
        this.#offices.founded(process, view, event.clusterId)
        this.#credentials.founded(process, event.clusterId, event.certificate)
        this.#memory.world.covered('formation stage', 'formed')
        return this.#coverStanding(process)
      case 'role':
        this.#memory.world.covered('role', `${view.reportedRole} > ${event.role}`)
        view.reportedRole = event.role
        if (event.role === 'leader') this.#elected(process, view, event.term)
        return
      case 'config':
        return this.#callers.config(process, view, event.version, event.hash)
      case 'snapshot':
        this.#memory.world.covered('snapshot', event.action)
        if (event.action !== 'restored') return
        this.#memory.world.fired('D9')
        view.mayJump = true
        return
      case 'member':
        return this.#coverStanding(process)
      case 'alarm':
        this.#memory.world.covered('alarm', event.code)
        this.#coverStanding(process)
        if (event.code === 'initial-config-differs') this.#memory.fail('initial-config', process, event.detail)
        return
      case 'founder-seen':
      case 'campaign':
      case 'founding-leader':
      case 'seat-conflict':
      case 'leader':
      case 'writable':
      case 'no-quorum':
      case 'hint':
      case 'unwelcome':
        return
      case 'frame-refused':
        this.#refused++
        return
    }
  }

  #coverStanding({ replica }: Process): void {
    this.#memory.world.covered('standing', replica.standing.type)
  }

  #elected(process: Process, view: View, term: number): void {
    this.#offices.elected(process, view, term)
    const status = process.replica.consensus()
    if (status !== undefined) this.#members.elected(process, view, status)
  }

  /** Somebody asks for this, at whatever node. */
  asked(requestId: string, command: RegisterCommand<string>): void {
    this.#callers.asked(requestId, command)
  }

  settled(process: Process, outcome: ClientOutcome): void {
    if (outcome.type === 'refused') this.#memory.world.covered('request', outcome.code)
    this.#callers.settled(process, outcome)
  }

  letIn(process: Process, stranger: string): void {
    this.#memory.fail('no-stranger', process, `it admitted ${stranger}`)
  }

  /** A clock that was never set tells nothing, so nobody is refused for a date by it (FAULTS O12). */
  refusedForDate(process: Process, detail: string): void {
    this.#memory.fail('unset-clock', process, `its clock is from before the genesis, and yet: ${detail}`)
  }

  /** Damage at rest must be found when the disk is read (FAULTS D4, D5). */
  believedDamage(process: Process, what: string): void {
    this.#memory.fail('damage-is-found', process, what)
  }

  threw(process: Process | undefined, input: ReplicaInput | undefined, error: unknown): void {
    this.#memory.fail('no-exception', process, `${input?.type ?? 'start'}: ${messageOf(error)}`)
  }

  stuck(what: Invariant, detail: string): void {
    this.#memory.fail(what, undefined, detail)
  }
}

function decidesBy({ replica }: Process): string {
  const status = replica.consensus()
  if (status === undefined) {
    const { stage, term } = replica.status().formation
    return `${stage}, founding term ${term}`
  }
  const { role, term, votedFor, commitIndex, lastIndex } = status
  return `${role} of term ${term}, vote ${votedFor ?? 'none'}, commit ${commitIndex} of ${lastIndex}`
}
