/**
 * The world: virtual time, machines, and what happens between them. Everything in it is a function of the seed and of the
 * calls made on it; it has no promise, no ambient time and no ambient chance.
 *
 * Time is counted in whole microseconds. Each machine has a clock of its own, which may run fast or slow.
 */
import { crc32 } from './crc.ts'
import { toHex } from '../core/bytes.ts'
import { invariant } from '../core/invariant.ts'
import { type Random, seededRandom } from '../core/random.ts'
import type { DialTarget } from '../discovery/port.ts'
import type { SnapshotPolicy } from '../replica/index.ts'
import type { ClientOutcome, ClientRequest, ReplicaEvent } from '../replica/types.ts'
import type { Actor, Cast } from './cast.ts'
import { Coverage, type CoverageKind } from './coverage.ts'
import { Door } from './door.ts'
import { createFate, FATE, type Fate } from './fate.ts'
import { EventHeap } from './heap.ts'
import { Machine } from './machine.ts'
import { Network } from './network.ts'
import { Oracle } from './oracle.ts'
import { Process } from './process.ts'
import type { Recorder } from './recorder.ts'
import { SeedAddresses } from './seed-addresses.ts'
import { type Session, SILENCE_US } from './session.ts'

export interface WorldInit {
  readonly cast: Cast
  readonly seed: number
  /** Another fate for every frame. Default: the seed. */
  readonly networkSeed?: number
  /** Keeps what a picture needs; slower. */
  readonly recorder?: Recorder
  /** Founders that every founder is told of at its start. Default: all. */
  readonly seedsKnown?: number
  /** Entries between two snapshots of a machine; a quarter of them stays in its log. Default: as shipped. */
  readonly snapshotEvery?: number
  /** Machines are given priorities by lot. Default: all have the default. */
  readonly drawsPriorities?: boolean
  /** Machines of any kind, drawn by lot, that each joiner is told of at its start. Default: all founders. */
  readonly joinerSeeds?: number
}

/** Room for clones, and for holders of copied tokens. */
const FURTHER_MAX = 10
/** Every world of up to nine founders is laid out alike, so that fates do not hang on their number. */
const CAPACITY_MIN = 16

export class World {
  readonly cast: Cast
  readonly seed: number
  readonly random: Random
  readonly fate: Fate
  readonly network: Network
  readonly oracle: Oracle
  readonly recorder: Recorder | undefined
  readonly machines: Machine[] = []
  readonly #byAddress = new Map<string, Machine>()
  readonly #heap = new EventHeap()
  readonly #seeds: SeedAddresses
  readonly drawsPriorities: boolean
  readonly snapshots: Partial<SnapshotPolicy>
  readonly #door: Door
  /** How often each fault did something, by its id in docs/SIMULATION.md. */
  readonly faults: Record<string, number> = {}
  readonly refusals: Record<string, number> = {}
  readonly coverage = new Coverage()
  nowUs = 0
  events = 0
  frames = 0
  frameBytes = 0
  elections = 0
  #trace = 0
  onOutcome: (process: Process, outcome: ClientOutcome) => void = () => undefined
  onEvent: (process: Process, event: ReplicaEvent) => void = () => undefined

  constructor({
    cast,
    seed,
    networkSeed,
    recorder,
    seedsKnown,
    joinerSeeds,
    snapshotEvery,
    drawsPriorities
  }: WorldInit) {
    this.cast = cast
    this.seed = seed
    this.random = seededRandom(seed)
    this.fate = createFate(networkSeed ?? seed)
    const actors = [...cast.actors, ...cast.joiners]
    this.network = new Network(this.fate, Math.max(CAPACITY_MIN, actors.length + FURTHER_MAX))
    this.oracle = new Oracle(this)
    this.recorder = recorder
    this.#seeds = new SeedAddresses(this, { seedsKnown, joinerSeeds })
    this.drawsPriorities = drawsPriorities ?? false
    this.snapshots =
      snapshotEvery === undefined ? {} : { entriesMax: snapshotEvery, trailingEntriesMax: Math.ceil(snapshotEvery / 4) }
    this.#door = new Door(this)
    for (const actor of actors) this.#addMachine(actor.name, actor, actor.address)
  }

  #addMachine(name: string, actor: Actor, address: string): Machine {
    const { capacity } = this.network
    invariant(this.machines.length < capacity, () => `this world holds ${capacity} machines`)
    const machine = new Machine(this, this.machines.length, name, actor, address)
    this.machines.push(machine)
    this.#byAddress.set(address, machine)
    this.recorder?.machine(machine)
    return machine
  }

  /** The machine of somebody who holds a copied token; it is there from now on, and off. */
  holder(actor: Actor): Machine {
    const known = this.machines.find((machine) => machine.actor === actor)
    return known ?? this.#addMachine(actor.name, actor, actor.address)
  }

  get founders(): readonly Machine[] {
    return this.machines.slice(0, this.cast.actors.length)
  }

  get traceHash(): number {
    return this.#trace >>> 0
  }

  // ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  at(us: number, run: () => void): void {
    this.#heap.push(us, run)
  }

  after(us: number, run: () => void): void {
    this.#heap.push(this.nowUs + us, run)
  }

  /** Runs until virtual time `untilUs`, or until `done` holds after an event. True when it does. */
  run(untilUs: number, done?: () => boolean): boolean {
    const heap = this.#heap
    const { violations } = this.oracle
    for (let next = heap.peek(); next !== undefined && next.at <= untilUs; next = heap.peek()) {
      heap.pop()
      this.nowUs = next.at
      this.events++
      this.#trace = (Math.imul(this.#trace ^ next.at, 0x01000193) + next.seq) | 0
      next.run()
      if (violations.length > 0) return false
      if (done?.() === true) return true
    }
    this.nowUs = Math.max(this.nowUs, untilUs)
    return done?.() === true
  }

  /** An event's share of the trace. */
  mark(value: number): void {
    this.#trace = Math.imul(this.#trace ^ value, 0x01000193)
  }

  /** Uniform in [0, 1) for the n-th question about a machine. */
  chance(machine: Machine, n: number): number {
    return this.fate.unit(machine.index, machine.lives * 65_536 + n, FATE.sync)
  }

  /** Something that a campaign must have seen (coverage.ts) has happened. */
  covered(kind: CoverageKind, what: string): void {
    this.coverage.hit(kind, what)
  }

  fired(fault: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1
  }

  // ── Machines ────────────────────────────────────────────────────────────────────────────────────────────────────────

  machine(name: string): Machine {
    const machine = this.machines.find((one) => one.name === name)
    invariant(machine !== undefined, () => `there is no machine ${name}`)
    return machine
  }

  /** Starts a process on the machine. What the store refuses is kept as `refusal`, and the machine stays down. */
  start(machine: Machine): void {
    machine.hostUp = true
    if (machine.process !== undefined || machine.refusal !== undefined) return
    let process: Process
    try {
      process = new Process(machine)
    } catch (error) {
      return this.#refusedToStart(machine, error)
    }
    machine.process = process
    machine.isContested = false
    if (machine.log.damaged) this.oracle.believedDamage(process, 'it starts from a disk with a flipped bit')
    this.recorder?.life(machine, 'up')
    try {
      process.start(this.#seeds.of(machine))
    } catch (error) {
      process.die('kill')
      this.#refusedToStart(machine, error)
    }
  }

  #refusedToStart(machine: Machine, error: unknown): void {
    const { code, message } = error as { code?: string; message: string }
    machine.refusal = message
    this.recorder?.note(machine, 'refused to start', message)
    if (code === undefined || !STORE_REFUSALS.has(code)) this.oracle.threw(undefined, undefined, error)
  }

  /** Every machine is told of all others, where they are now: the end of FAULTS N14 and N15. */
  correctSeeds(): void {
    this.#seeds.correct()
    for (const machine of this.machines) machine.process?.seed(this.#seeds.of(machine))
  }

  /** `kill`: the process dies, what it wrote stays in the cache. `power`: what was not synced is torn. */
  crash(machine: Machine, how: 'kill' | 'power' = 'kill'): void {
    const { process } = machine
    if (process === undefined) return
    if (how === 'power') machine.hostUp = false
    process.die(how)
  }

  died(process: Process, how: 'kill' | 'disk' | 'power'): void {
    const { machine } = process
    this.recorder?.life(machine, 'down', how)
    if (how === 'power') {
      machine.hostUp = false
      this.#tear(machine)
    }
    for (const session of process.sessions.values()) session.farewell(process, how !== 'power')
    process.sessions.clear()
    this.oracle.ended(process)
  }

  #tear(machine: Machine): void {
    const { crashPoint } = machine
    machine.crashPoint = undefined
    const whole = crashPoint === 'power whole' || (crashPoint === undefined && this.chance(machine, 1) < 0.2)
    const none = this.chance(machine, 2) < 0.3
    const torn = machine.log.powerCut(
      (sector) => whole || (!none && this.chance(machine, 16 + (sector % 4096)) < 0.5),
      this.chance(machine, 3) < 0.5
    )
    if (torn) this.fired(whole ? 'D3' : 'D1')
  }

  /** A second machine with the same key and a copy of the disk (FAULTS P6). */
  clone(machine: Machine): Machine {
    const name = `${machine.name}c`
    const copy = this.#addMachine(name, machine.actor, `/ip4/10.0.1.${this.machines.length}/tcp/4001`)
    copy.storeNumber = machine.storeNumber
    copy.log = machine.log.copy()
    copy.certificate = machine.certificate
    copy.distrusted = machine.distrusted = true
    return copy
  }

  /** It gets another address, and says so in a record of its own; its connections are gone (FAULTS N15). */
  moveTo(machine: Machine): void {
    const move = machine.actor.moves[machine.moves]
    if (move === undefined) return
    machine.moves++
    machine.addressRecord = move.record
    this.#relocate(machine, move.address)
  }

  /** They get each other's address, and have not noticed: what they say about themselves is wrong. */
  swapAddresses(a: Machine, b: Machine): void {
    const [ofA, ofB] = [a.address, b.address]
    this.#relocate(a, ofB)
    this.#relocate(b, ofA)
  }

  #relocate(machine: Machine, address: string): void {
    if (this.#byAddress.get(machine.address) === machine) this.#byAddress.delete(machine.address)
    machine.address = address
    this.#byAddress.set(address, machine)
    const { process } = machine
    if (process === undefined) return
    for (const session of process.sessions.values()) session.vanish()
    process.plan({ type: 'self', addresses: [address] })
  }

  // ── Who talks to whom ───────────────────────────────────────────────────────────────────────────────────────────────

  machineAt(address: string): Machine | undefined {
    return this.#byAddress.get(address)
  }

  isCut(a: Machine, b: Machine): boolean {
    return this.network.isBlocked(a.index, b.index) || this.network.isBlocked(b.index, a.index)
  }

  /** The dial planner's wish. */
  dial(from: Process, target: DialTarget): void {
    this.#door.dial(from, target)
  }

  /** Somebody without a credential tries the door (FAULTS B4 to B6). */
  knock(machine: Machine, n: number): void {
    this.#door.knock(machine, n)
  }

  /** Sessions across a cut that lasts are given up by both transports. */
  cutsChanged(): void {
    for (const machine of this.machines) {
      for (const session of machine.process?.sessions.values() ?? []) this.#watchSilence(session, machine.process!)
    }
  }

  #watchSilence(session: Session, process: Process): void {
    const other = session.other(process)
    if (!this.isCut(process.machine, other.machine)) return
    this.after(SILENCE_US, () => {
      if (this.isCut(process.machine, other.machine)) session.closeBoth()
    })
  }

  // ── What the processes say ──────────────────────────────────────────────────────────────────────────────────────────

  request(process: Process, request: ClientRequest): void {
    process.input({ type: 'request', request })
  }

  settled(process: Process, outcome: ClientOutcome): void {
    this.oracle.settled(process, outcome)
    this.onOutcome(process, outcome)
  }

  reported(process: Process, event: ReplicaEvent): void {
    this.oracle.reported(process, event)
    this.recorder?.event(process.machine, event)
    if (event.type === 'role' && event.role === 'leader') this.elections++
    this.onEvent(process, event)
  }

  delivered(from: Process, to: Process, frame: Uint8Array, sentUs: number): void {
    this.frames++
    this.frameBytes += frame.byteLength
    from.machine.frames++
    to.machine.frames++
    this.#trace = crc32(frame, this.#trace >>> 0) ^ (to.machine.index << 8) ^ from.machine.index
    this.oracle.heard(from, to)
    this.recorder?.frame(from.machine, to.machine, frame, sentUs, this.nowUs)
  }

  lost(from: Process, to: Process, frame: Uint8Array): void {
    this.recorder?.frame(from.machine, to.machine, frame, this.nowUs, undefined)
  }

  /** For error texts and people: one line a machine. */
  describe(): string {
    return this.machines
      .map((machine) => {
        const { process, refusal, name } = machine
        if (process === undefined) return `${name} down${refusal === undefined ? '' : ` (${refusal})`}`
        const { formation, raft, config, sessions } = process.replica.status()
        const part =
          raft === undefined ? formation.stage : `${raft.role} of term ${raft.term}, commit ${raft.commitIndex}`
        const paused = process.paused ? ', paused' : ''
        return `${name} ${part}, config ${config?.current.version ?? '-'}, ${sessions.length} sessions${paused}`
      })
      .join('; ')
  }

  nameOf(incarnation: string): string {
    const [peerId, storeId] = incarnation.split('#')
    const actor = this.cast.actorOf(peerId!)
    if (actor === undefined) return incarnation
    const place = actor.stores.findIndex((store) => toHex(store.storeId) === storeId)
    return place > 0 ? `${actor.name} on disk ${place + 1}` : actor.name
  }
}

/** Errors by which the shipped store says that it will not serve: an answer, not a bug. */
const STORE_REFUSALS: ReadonlySet<string> = new Set(['ERR_STORAGE_CORRUPT', 'ERR_STORAGE_FOREIGN', 'ERR_STORED_STATE'])
