/**
 * A process is one life of the shipped replica and dial planner on a machine, driven by the rules of `node/driver.ts`: persist, then
 * send, then apply; a failed write is a crash; a late timer first lets pending input in.
 */
import { utf8 } from '../core/bytes.ts'
import { sha256 } from '../core/hash.ts'
import { timingPresets } from '../config-init/timing.ts'
import { createDialPlanner } from '../discovery/dial-planner.ts'
import type { DialPlan, DialPlanner, DialPlannerInput, DialTarget } from '../discovery/port.ts'
import { clusterIdOf, encodeCertificate, readCertificate } from '../identity/certificate.ts'
import {
  recoverBoots,
  recoverConsensus,
  recoveredProgress,
  recoverFormation,
  recoverMet,
  Replica
} from '../replica/index.ts'
import type { ReplicaEffects, ReplicaEvent, ReplicaInput } from '../replica/types.ts'
import { anyConfig } from '../replicated-config/index.ts'
import type { WriteBatch } from '../storage/port.ts'
import type { Recovery } from './disk.ts'
import type { Machine } from './machine.ts'
import type { Session } from './session.ts'
import { type StatementMaker, statementMaker } from './statements.ts'
import type { World } from './world.ts'

/** The preset that a LAN has. */
export const TIMING = timingPresets.lan
/** One Ed25519 signature. */
const SIGN_US = 60

interface Waiting {
  readonly after: number
  readonly to: string
  readonly frame: Uint8Array
}

export class Process {
  readonly machine: Machine
  readonly world: World
  readonly replica: Replica
  readonly recovery: Recovery
  /** Its first boot statement, as the hello shows it. */
  readonly bootStatement: Uint8Array
  readonly sessions = new Map<string, Session>()
  alive = true
  paused = false
  /** The newest frame that it has sent. */
  lastFrame: Uint8Array | undefined
  readonly #planner: DialPlanner
  #pendingInputs: (() => void)[] = []
  #durable = 0
  #waiting: Waiting[] = []
  #queue: { readonly id: number; readonly batch: WriteBatch }[] = []
  #syncing = false
  #syncs = 0
  /** Local ms at which the replica wants its next tick. */
  #deadline: number | undefined
  #timerUs = Infinity
  #plannerDeadline: number | undefined
  #plannerTimerUs = Infinity
  /** Whom the planner was told to reach. */
  #wanted: string | undefined

  constructor(machine: Machine) {
    const { world, actor, store, log } = machine
    const { genesis, crypto } = world.cast
    this.machine = machine
    this.world = world
    this.recovery = log.open()
    machine.lives++
    const bootNonce = sha256(utf8(`${machine.name}/${machine.lives}`)).slice(0, 16)
    const { boot } = this.recovery
    const statements: StatementMaker = statementMaker(world.cast, actor, store, { boot, bootNonce })
    this.bootStatement = statements.make({
      ...recoveredProgress(this.recovery),
      sequence: 0,
      seen: undefined
    })
    const kept = machine.certificate === undefined ? undefined : readCertificate(machine.certificate, genesis)
    const random = world.random.fork(`${machine.name}/${machine.lives}`)
    this.replica = new Replica({
      self: store.self,
      domainId: genesis.domainId,
      generation: genesis.genesis.generation,
      foundingSize: genesis.genesis.foundingSize,
      initialConfigText: genesis.genesis.config,
      validateConfig: anyConfig,
      ...recoverConsensus(this.recovery),
      formationState: recoverFormation(this.recovery, crypto.readClaim, kept?.certificate),
      foundersMet: recoverMet(this.recovery),
      snapshots: world.snapshots,
      boots: {
        own: statements.decode(this.bootStatement)!,
        codec: statements,
        known: recoverBoots(this.recovery, statements.decode)
      },
      crypto,
      clusterIdOf: (certificate) => clusterIdOf(certificate, genesis),
      certificateDocument: encodeCertificate,
      readAddressRecord: world.cast.readAddressRecord,
      raftTiming: TIMING.raft,
      formationTiming: TIMING.formation,
      priority: machine.priority,
      random
    })
    this.#planner = createDialPlanner({ self: actor.peerId, random: random.fork('dial') })
  }

  get name(): string {
    return this.machine.name
  }

  /** Begins this life: the replica first, then whom to look for. */
  start(seeds: readonly string[]): void {
    this.world.oracle.started(this)
    this.#carryOut(this.replica.start(this.machine.nowMs()))
    this.world.oracle.stepped(this, undefined)
    this.plan({ type: 'self', addresses: [this.machine.address] })
    this.#wantVoters()
    this.seed(seeds)
    for (const [peerId, address] of this.machine.peerCache) {
      this.plan({ type: 'hint', hint: { source: 'cache', peerId, addresses: [address] } })
    }
  }

  seed(addresses: readonly string[]): void {
    this.plan({ type: 'hint', hint: { source: 'seed', peerId: undefined, addresses } })
  }

  /** Everything that happens to a process passes here; while it stands still, it queues in the kernel. */
  input(input: ReplicaInput): void {
    if (!this.alive) return
    if (this.paused) {
      this.#pendingInputs.push(() => this.#step(input))
      return
    }
    this.#step(input)
  }

  #step(input: ReplicaInput): void {
    if (!this.alive) return
    try {
      this.#carryOut(this.replica.step(input, this.machine.nowMs()))
    } catch (error) {
      // Out of the replica, or out of a store that is asked for what no store can do.
      this.world.oracle.threw(this, input, error)
      this.die('kill')
      return
    }
    this.world.oracle.stepped(this, input)
  }

  #carryOut(effects: ReplicaEffects): void {
    this.world.oracle.stepAsks(this, effects)
    for (const { id, batch } of effects.writes) this.#persist(id, batch)
    for (const { to, frame, after } of effects.sends) {
      if (after <= this.#durable) this.#send(to, frame)
      else this.#waiting.push({ after, to, frame })
    }
    for (const { to, frame } of effects.bulk) this.#send(to, frame)
    for (const request of effects.sign) {
      const signature = this.machine.actor.sign(request.payload)
      this.world.after(SIGN_US, () => this.input({ type: 'signed', ...request, signature }))
    }
    for (const event of effects.events) this.#event(event)
    for (const outcome of effects.outcomes) this.world.settled(this, outcome)
    this.#arm(effects.deadline)
    // As the shipped node: it stops, and says why.
    if (this.machine.isContested) this.die('kill')
  }

  #event(event: ReplicaEvent): void {
    this.world.reported(this, event)
    const { type } = event
    if (type === 'founded' && this.machine.certificate === undefined) {
      this.machine.certificate = event.certificate
      this.machine.certificateAtUs = this.world.nowUs
    }
    if (type === 'seat-conflict' && event.own) this.machine.isContested = true
    if (type === 'founded' || type === 'member') this.#wantVoters()
    else if (type === 'unwelcome') this.sessions.get(event.peerId)?.closeBoth()
    else if (type === 'hint') {
      const { peerId, addresses } = event
      this.plan({ type: 'hint', hint: { source: 'exchange', peerId, addresses } })
    }
  }

  #wantVoters(): void {
    const peerIds = this.replica.wanted()
    const key = peerIds?.join(' ')
    if (peerIds === undefined || key === this.#wanted) return
    this.#wanted = key
    this.plan({ type: 'wanted', peerIds })
  }

  #send(to: string, frame: Uint8Array): void {
    this.lastFrame = frame
    this.world.oracle.sends(this, to, frame)
    this.sessions.get(to)?.send(this, frame)
  }

  // ── The store: group commit, one sync at a time ─────────────────────────────────────────────────────────────────────

  #persist(id: number, batch: WriteBatch): void {
    this.machine.log.accept(batch)
    this.#queue.push({ id, batch })
    if (!this.#syncing) this.#flush()
  }

  #flush(): void {
    const group = this.#queue
    this.#queue = []
    this.#syncing = true
    const { machine, world } = this
    machine.log.write(group.map(({ batch }) => batch))
    if (machine.crashPoint === 'before-sync') return this.#crashAtPoint()
    if (machine.crashPoint === 'power torn' || machine.crashPoint === 'power whole') return this.die('power')
    const us = Math.ceil(machine.diskUs * (0.5 + world.chance(machine, this.#syncs++)))
    world.after(us, () => this.#synced(group))
  }

  #synced(group: readonly { readonly id: number; readonly batch: WriteBatch }[]): void {
    if (!this.alive) return
    const { machine, world } = this
    if (machine.diskFault !== undefined) {
      if (machine.diskFault === 'full') machine.log.cutShort(world.chance(machine, this.#syncs) * 64)
      machine.diskFault = undefined
      this.die('disk')
      return
    }
    machine.log.synced()
    for (const { batch } of group) world.oracle.persisted(this, batch)
    if (machine.crashPoint === 'after-sync') return this.#crashAtPoint()
    this.#durable = group.at(-1)!.id
    let ready = 0
    while (ready < this.#waiting.length && this.#waiting[ready]!.after <= this.#durable) {
      const { to, frame } = this.#waiting[ready++]!
      this.#send(to, frame)
    }
    if (ready > 0) this.#waiting = this.#waiting.slice(ready)
    if (machine.crashPoint === 'after-send') return this.#crashAtPoint()
    this.#syncing = false
    for (const { id } of group) this.input({ type: 'persisted', write: id })
    if (this.#queue.length > 0 && !this.#syncing && this.alive) this.#flush()
  }

  #crashAtPoint(): void {
    this.machine.crashPoint = undefined
    this.die('kill')
  }

  // ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One timer in the heap at a time: when it comes early, it is set anew. A deadline that moves away costs nothing. */
  #arm(deadline: number | undefined): void {
    this.#deadline = deadline
    if (deadline === undefined) return
    const at = this.machine.whenUs(deadline)
    if (at >= this.#timerUs) return
    this.#timerUs = at
    this.world.at(at, () => this.#timer(at))
  }

  #timer(at: number): void {
    if (!this.alive || this.#timerUs !== at) return
    this.#timerUs = Infinity
    if (this.paused) return
    this.tickIfDue()
  }

  tickIfDue(): void {
    if (this.#deadline === undefined || !this.alive) return
    if (this.machine.nowMs() >= this.#deadline) this.#step({ type: 'tick' })
    else this.#arm(this.#deadline)
  }

  plan(input: DialPlannerInput): void {
    if (!this.alive) return
    const plan: DialPlan = this.#planner.step(input, this.machine.nowMs())
    this.#plannerDeadline = plan.deadline
    for (const target of plan.dials) this.#dial(target)
    this.#armPlanner()
  }

  #dial(target: DialTarget): void {
    this.world.dial(this, target)
  }

  #armPlanner(): void {
    if (this.#plannerDeadline === undefined) return
    const at = this.machine.whenUs(this.#plannerDeadline)
    if (at >= this.#plannerTimerUs) return
    this.#plannerTimerUs = at
    this.world.at(at, () => {
      if (this.#plannerTimerUs !== at) return
      this.#plannerTimerUs = Infinity
      if (!this.alive || this.paused || this.#plannerDeadline === undefined) return
      if (this.machine.nowMs() >= this.#plannerDeadline) this.plan({ type: 'tick' })
      else this.#armPlanner()
    })
  }

  // ── Its end, and its stand-still ────────────────────────────────────────────────────────────────────────────────────

  pause(): void {
    this.paused = true
  }

  /** Wakes: what waits in the sockets comes before the timers that are late (FAULTS P2). */
  resume(): void {
    if (!this.paused) return
    this.paused = false
    const pending = this.#pendingInputs
    this.#pendingInputs = []
    for (const run of pending) run()
    this.tickIfDue()
    this.plan({ type: 'tick' })
  }

  /** What happens to it while it stands still and is not an input of the replica. */
  later(run: () => void): void {
    if (this.paused) this.#pendingInputs.push(run)
    else run()
  }

  /** `kill` and `disk`: the kernel closes its sockets. `power`: nobody hears anything. */
  die(how: 'kill' | 'disk' | 'power'): void {
    if (!this.alive) return
    this.alive = false
    this.machine.process = undefined
    this.#pendingInputs = []
    this.world.died(this, how)
  }
}
