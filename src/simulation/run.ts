/**
 * One run: a cluster forms and serves while faults happen (the safety phase), then a random core is healed and must make
 * progress within a bound that follows from the timing (the liveness phase); the rest may stay dead. A run is a function of
 * its options.
 *
 * The two phases are TigerBeetle's way of stating liveness: while everything may fail, nothing can be demanded but safety.
 */
import { namedBy } from '../replica/incarnations.ts'
import { encodeCommand } from '../replicated-config/index.ts'
import type { Cast } from './cast.ts'
import { FaultDriver } from './fault-driver.ts'
import { drawPlan, type Fault, type FaultId } from './faults.ts'
import { LAST_RESORT } from '../core/priority.ts'
import type { Machine } from './machine.ts'
import { type Process, TIMING } from './process.ts'
import type { Violation } from './oracle.ts'
import { isQuorum } from './oracle/members.ts'
import type { Recorder } from './recorder.ts'
import { isolated } from './sandbox.ts'
import { SILENCE_US } from './session.ts'
import { World } from './world.ts'

export interface RunInit {
  readonly cast: Cast
  readonly seed: number
  /** Length of the safety phase in virtual seconds. */
  readonly seconds: number
  /** The safety phase ends here already; everything is drawn for `seconds` all the same. Default: `seconds`. */
  readonly healAtSeconds?: number
  /** Default: drawn from the seed. */
  readonly plan?: readonly Fault[]
  /** Draw only these kinds. */
  readonly only?: readonly FaultId[]
  /** Another fate for every message, the same faults. Default: the seed. */
  readonly networkSeed?: number
  readonly recorder?: Recorder
  /** Default `busy`. */
  readonly load?: Load
}

export interface RunResult {
  readonly seed: number
  readonly plan: readonly Fault[]
  readonly violation: Violation | undefined
  readonly virtualMs: number
  readonly events: number
  readonly frames: number
  readonly elections: number
  readonly termMax: number
  readonly commits: number
  readonly faults: Readonly<Record<string, number>>
  readonly refusals: Readonly<Record<string, number>>
  /** How often each thing that a campaign must see was seen (coverage.ts). */
  readonly coverage: Readonly<Record<string, number>>
  /** From healing to progress; undefined when nothing could be demanded. */
  readonly recoveryMs: number | undefined
  readonly formed: boolean
  readonly traceHash: number
}

/**
 * How long a healed core may take. Half-open connections are given up after `SILENCE_US`, the longest back-off of the dial
 * planner and one dial follow, then elections: twenty election timeouts are far more than rounds of split votes need.
 */
const RETRY_MAX_MS = 10_000
const REFUSED_MAX_MS = 60_000
/** After progress, nothing more may happen for so long. */
const QUIET_MS = 1_000
/** A core that is not fully connected by then, or still answers callers, is not asked to be quiet. */
const CALM_WITHIN_MS = 1_000
/** Until the last request has its answer, once there is a leader; a connection may be gone without anybody having noticed. */
const ANSWERED_WITHIN_MS = 10_000
/** What any two say to each other then beside heartbeats: statements, addresses, the last commit. */
const QUIET_FRAMES_MAX = 32
const boundMs = (refusals: number): number =>
  SILENCE_US / 1_000 +
  RETRY_MAX_MS +
  TIMING.network.dialTimeoutMs +
  20 * TIMING.raft.electionTimeoutMs +
  (refusals > 0 ? REFUSED_MAX_MS + RETRY_MAX_MS : 0)

/** How often somebody asks for something: from busy, so that cut-off leaders hold entries of their own, to idle. */
const ASKED_EVERY_MS = { busy: [40, 150, 500, 1_500], light: [500, 1_500, 4_000] } as const
/** How far apart faults of one kind are at least, in the mean: a long run has quiet stretches, which a short and dense one has not. */
const FAULTY_EVERY_MS = { busy: 8_000, light: 30_000 } as const

/** How much happens in a run: `light` has fewer requests and fewer faults of each kind, for long runs of many seeds. */
export type Load = keyof typeof ASKED_EVERY_MS
/** The share of callers that ask for much at once. */
const HURRIED = 0.06
const HURRIED_REQUESTS = 12

export function run(init: RunInit): RunResult {
  return isolated(() => new Run(init).run())
}

class Run {
  readonly #init: RunInit
  readonly #plan: readonly Fault[]
  readonly #world: World
  readonly #faults: FaultDriver
  #requests = 0
  /** Callers have stopped asking. */
  #isQuiet = false

  constructor(init: RunInit) {
    const { cast, seed, seconds, only, recorder, networkSeed, load = 'busy' } = init
    this.#init = init
    const everyMs = FAULTY_EVERY_MS[load]
    const span = { seed, size: cast.actors.length, spanMs: seconds * 1_000, everyMs }
    this.#plan = init.plan ?? drawPlan({ ...span, ...(only === undefined ? {} : { only }) })
    const few = this.#plan.find(({ id }) => id === 'N14')
    const early = this.#plan.find(({ id }) => id === 'D9')
    this.#world = new World({
      cast,
      seed,
      drawsPriorities: true,
      ...(networkSeed === undefined ? {} : { networkSeed }),
      ...(recorder === undefined ? {} : { recorder }),
      ...(few === undefined ? {} : { seedsKnown: few.value }),
      ...(early === undefined ? {} : { snapshotEvery: early.value })
    })
    this.#world.oracle.valuesAreUnique = true
    this.#faults = new FaultDriver(this.#world, this.#plan, {
      burst: (process, times) => this.#burst(process, times),
      read: (process) => this.#read(process)
    })
  }

  run(): RunResult {
    const world = this.#world
    const { seconds, seed } = this.#init
    const random = world.random.fork('workload')
    for (const machine of world.founders) {
      world.at(random.int(0, 200_000), () => world.start(machine))
    }
    // Whoever joins comes in the first half, into whatever is going on.
    for (const machine of world.machines.slice(world.founders.length)) {
      world.at(random.int(0, seconds * 500_000), () => world.start(machine))
    }
    const every = ASKED_EVERY_MS[this.#init.load ?? 'busy']
    this.#workload(every[random.fork('requests').int(0, every.length - 1)]!)
    let recoveryMs: number | undefined
    world.run((this.#init.healAtSeconds ?? seconds) * 1_000_000)
    const formed = world.oracle.founded
    if (world.oracle.violations.length === 0) recoveryMs = this.#recover()
    return {
      seed,
      plan: this.#plan,
      violation: world.oracle.violations[0],
      virtualMs: world.nowUs / 1_000,
      events: world.events,
      frames: world.frames,
      elections: world.elections,
      termMax: world.oracle.termMax,
      commits: world.oracle.committed,
      faults: world.faults,
      refusals: world.refusals,
      coverage: world.coverage.counts,
      recoveryMs,
      formed,
      traceHash: world.traceHash
    }
  }

  // ── Callers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Somebody changes or reads the config, at any machine, about every `everyMs`. */
  #workload(everyMs: number): void {
    const world = this.#world
    const random = world.random.fork('callers')
    const again = (): void => {
      if (this.#isQuiet) return
      const machine = world.founders[random.int(0, world.founders.length - 1)]!
      const dice = random.next()
      // Now and then somebody is in a hurry: a log that is long where nobody hears it.
      const times = random.next() < HURRIED ? HURRIED_REQUESTS : 1
      for (let i = 0; i < times; i++) {
        if (machine.process !== undefined && world.oracle.founded) this.#ask(machine.process, dice)
      }
      world.after(Math.ceil(everyMs * 1_000 * (0.2 + 1.6 * random.next())), again)
    }
    world.after(everyMs * 1_000, again)
  }

  #ask(process: Process, dice: number): void {
    if (dice < 0.35) return this.#read(process)
    const requestId = this.#nextId()
    const version = this.#world.oracle.version(process)
    const ifVersion = dice < 0.6 && version > 0 ? version : undefined
    this.#set(process, requestId, ifVersion)
  }

  #read(process: Process): void {
    const requestId = this.#nextId()
    this.#world.oracle.asked(requestId, { type: 'read' })
    this.#world.request(process, { type: 'read', requestId })
  }

  #burst(process: Process, times: number): void {
    for (let i = 0; i < times && process.alive; i++) this.#set(process, this.#nextId(), undefined)
  }

  #nextId(): string {
    return (++this.#requests).toString(16).padStart(32, '0')
  }

  #set(process: Process, requestId: string, ifVersion: number | undefined): void {
    const value = `{"limit":${1_000 + this.#requests}}`
    this.#world.oracle.asked(
      requestId,
      ifVersion === undefined ? { type: 'set', value } : { type: 'compare-and-set', ifVersion, value }
    )
    const data = encodeCommand({
      kind: 'config-set',
      requestId,
      author: process.machine.actor.peerId,
      at: Math.floor(this.#world.nowUs / 1_000),
      reason: '',
      text: value,
      ...(ifVersion === undefined ? {} : { ifVersion })
    })
    this.#world.request(process, { type: 'command', requestId, data })
  }

  // ── Liveness ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Heals a core that can make progress and demands it. Undefined when too much was lost for any promise. */
  #recover(): number | undefined {
    const world = this.#world
    this.#faults.heal()
    const core = this.#core()
    if (core === undefined) return undefined
    if (!this.#isPastDates(core)) for (const machine of core) machine.wallOffsetMs = 0
    for (const machine of world.machines) if (!core.includes(machine)) world.crash(machine)
    for (const machine of core) world.start(machine)
    const healedUs = world.nowUs
    const limitUs = healedUs + this.#boundMs() * 1_000
    const isUp = (): boolean => core.every(({ process }) => process !== undefined)
    const leads = (): boolean => core.some(({ process }) => process?.replica.consensus()?.writable === true)
    if (!world.run(limitUs, leads)) return this.#stuck('a leader', core)
    const author = core[this.#requests % core.length]!.process
    if (author === undefined || !isUp()) return this.#stuck('every process', core)
    const requestId = this.#nextId()
    let applied = false
    world.onOutcome = (_process, outcome) => {
      if (outcome.requestId === requestId) applied = true
    }
    this.#set(author, requestId, undefined)
    const agreed = (): boolean => applied && this.#agreed(core)
    if (!world.run(limitUs + 5_000_000, agreed)) return this.#stuck('a committed change on every member', core)
    const recoveryMs = (world.nowUs - healedUs) / 1_000
    this.#stayQuiet(core)
    return recoveryMs
  }

  /** The dates of founders who know the cluster do not matter any more: their clocks may stay wrong, by years (FAULTS N11). */
  #isPastDates(core: readonly Machine[]): boolean {
    const { founders } = this.#world
    return core.every(
      (machine) => machine.storeNumber === 0 && machine.certificate !== undefined && founders.includes(machine)
    )
  }

  /** Whoever is a member by what its leader acts on: a request to leave may have been under way when all was healed. */
  #agreed(core: readonly Machine[]): boolean {
    const consensus = core.map(({ process }) => process?.replica.consensus())
    const membership = consensus.find((status) => status?.writable === true)?.membership
    if (membership === undefined) return false
    const members = core.filter(({ incarnation }) => namedBy(membership).includes(incarnation))
    const versions = members.map(({ process }) => (process === undefined ? -1 : this.#world.oracle.version(process)))
    return versions.every((version) => version === versions[0] && version > 0)
  }

  /** When nothing fails and nobody asks, nobody is elected, and members say little more than heartbeats (invariants 24 and 30). */
  #stayQuiet(core: readonly Machine[]): void {
    const world = this.#world
    this.#isQuiet = true
    // A connection that one side has forgotten is a fault until somebody notices, and what was asked may take an election.
    const isLed = (): boolean => {
      const views = core.map(({ process }) => process?.replica.consensus())
      return views.some((view) => view?.writable === true) && views.every((view) => view?.term === views[0]?.term)
    }
    const isCalm = (): boolean =>
      isLed() &&
      world.nowUs > world.network.lastDuplicateUs &&
      core.every(({ process }) => process !== undefined && this.#isCalm(process, core))
    const untilUs = world.nowUs + CALM_WITHIN_MS * 1_000
    while (!isCalm()) {
      if (world.oracle.violations.length > 0) return
      if (world.nowUs >= untilUs) return this.#answerAll(core)
      world.run(world.nowUs + 50_000)
    }
    const { elections, frames } = world
    const { termMax } = world.oracle
    world.run(world.nowUs + QUIET_MS * 1_000)
    if (world.oracle.violations.length > 0) return
    const others = core.length - 1
    const framesMax = (2 * others * QUIET_MS) / TIMING.raft.heartbeatMs + QUIET_FRAMES_MAX * core.length * others
    const said = world.frames - frames
    const elected = world.elections - elections
    if (elected > 0 || world.oracle.termMax > termMax) {
      const detail = `${elected} elections, from term ${termMax} to ${world.oracle.termMax}: ${world.describe()}`
      world.oracle.stuck('quiet', detail)
    } else if (said > framesMax)
      world.oracle.stuck('quiet', `${said} frames in ${QUIET_MS} ms; at most ${framesMax} are due`)
  }

  /** Invariant 23 where nobody is calm yet: whatever was asked ends one way or the other, and nothing of it is kept. */
  #answerAll(core: readonly Machine[]): void {
    const world = this.#world
    const pending = (): readonly Machine[] =>
      core.filter(({ process }) => (process?.replica.status().requestsPending ?? 0) > 0)
    const limitMs = this.#boundMs() + ANSWERED_WITHIN_MS
    if (world.run(world.nowUs + limitMs * 1_000, () => pending().length === 0)) return
    const names = pending().map(({ name, process }) => `${name} (${process!.replica.status().requestsPending})`)
    if (world.oracle.violations.length > 0 || !this.#isEnough(core)) return
    const detail = `${limitMs} ms after the last of them, requests are pending at ${names.join(', ')}: ${world.describe()}`
    world.oracle.stuck('bounded', detail)
  }

  #boundMs(): number {
    return boundMs(Object.values(this.#world.refusals).reduce((sum, count) => sum + count, 0))
  }

  /** A removal may have been under way when all was healed, and whoever is left be too few: then nobody can be answered. */
  #isEnough(core: readonly Machine[]): boolean {
    const ids = new Set(core.map(({ incarnation }) => incarnation))
    return this.#world.oracle.configurations(core).every((membership) => isQuorum(membership, (id) => ids.has(id)))
  }

  #isCalm({ replica, sessions, machine }: Process, core: readonly Machine[]): boolean {
    const isMet = (other: Machine): boolean => {
      const session = sessions.get(other.actor.peerId)
      return session?.isWith(other) === true && session.isSound()
    }
    // A leader that is a last resort hands over as soon as it can.
    if (replica.consensus()?.role === 'leader' && machine.priority === LAST_RESORT) return false
    return replica.status().requestsPending === 0 && core.every((other) => other === machine || isMet(other))
  }

  #stuck(what: string, core: readonly Machine[]): undefined {
    if (this.#world.oracle.violations.length > 0) return undefined
    const names = core.map(({ name }) => name).join(' ')
    this.#world.oracle.stuck('progress', `the healed core ${names} does not get ${what}: ${this.#world.describe()}`)
    return undefined
  }

  /** Members with their disks, enough of them for every configuration that may be in force. */
  #core(): readonly Machine[] | undefined {
    const world = this.#world
    const random = world.random.fork('core')
    const sound = world.machines.filter(
      ({ refusal, distrusted, hasLied, log }) => refusal === undefined && !distrusted && !hasLied && !log.damaged
    )
    const holders = sound.filter(({ certificate }) => certificate !== undefined)
    if (holders.length === 0) {
      // A copied token may have been accepted, and whoever held it is gone: then founding waits for it, for ever if need be.
      if (world.machines.some(({ actor }) => world.cast.copied.founding.holders.includes(actor))) return undefined
      const intact = sound.filter((machine) => world.founders.includes(machine) && !this.#faults.lost.has(machine))
      return intact.length === world.founders.length ? intact : undefined
    }
    const configurations = world.oracle.configurations(sound)
    const intact = sound.filter(({ incarnation }) => namedBy(configurations[0]!).includes(incarnation))
    const isEnough = (machines: readonly Machine[]): boolean => {
      const ids = new Set(machines.map(({ incarnation }) => incarnation))
      // Somebody in the core must know that the cluster exists, or it is no core.
      return (
        machines.some(({ certificate }) => certificate !== undefined) &&
        configurations.every((membership) => isQuorum(membership, (id) => ids.has(id)))
      )
    }
    if (!isEnough(intact)) return undefined
    const count = random.int(1, intact.length)
    const order = intact.map((machine) => ({ machine, key: random.next() })).toSorted((a, b) => a.key - b.key)
    const machines = order.map(({ machine }) => machine)
    for (let size = count; size < machines.length; size++) {
      if (isEnough(machines.slice(0, size))) return machines.slice(0, size)
    }
    return intact
  }
}
