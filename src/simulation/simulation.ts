/**
 * A cluster that you drive by hand: the typed face of the simulator for studies and tests. Every verb returns at once;
 * virtual time passes only in `run`, `runUntil` and `step`. The verbs are those of scenario files.
 */
import { InvalidOptionError } from '../core/errors.ts'
import { canonicalJson, type JsonValue } from '../core/json.ts'
import { checkNames, checkWhole } from '../core/options.ts'
import { encodeCommand } from '../replicated-config/index.ts'
import type { ClientOutcome } from '../replica/types.ts'
import { castOf } from './cast.ts'
import type { Machine } from './machine.ts'
import type { Violation } from './oracle.ts'
import type { Process } from './process.ts'
import { Recorder } from './recorder.ts'
import { isolatedBriefly } from './sandbox.ts'
import { type NodeView, nodeView, type SimulationResults } from './view.ts'
import { World } from './world.ts'

export interface SimulationInit {
  /** Founding size, 1 to 9: the machines are `n1`, `n2` and so on, and all of them are off at first. */
  readonly nodes: number
  /** Further machines, with a join token, numbered on from the founders. Default 0, at most 1,000. */
  readonly joiners?: number
  /** `voter`: they get a vote when they have caught up. Default `observer`: they receive, and never vote. */
  readonly joinRole?: 'voter' | 'observer'
  /** How many machines, drawn by lot, a joiner is told of when it starts. Default: all founders. */
  readonly joinerSeeds?: number
  /** From 0. Default 1. */
  readonly seed?: number
  /** Keep frames and events for a picture. Default false. */
  readonly record?: boolean
}

/** As many as a leader takes in. */
const JOINERS_MAX = 1_000

const OPTIONS: readonly (keyof SimulationInit)[] = ['nodes', 'joiners', 'joinRole', 'joinerSeeds', 'seed', 'record']

/** A seed that is none would be another run than the one that is meant. */
function checkOptions(init: SimulationInit): void {
  checkNames('options', init, OPTIONS)
  const { nodes, joiners = 0, joinRole = 'observer', joinerSeeds, seed = 1, record = false } = init
  checkWhole('nodes, the founding size,', nodes, 1, 9)
  checkWhole('joiners', joiners, 0, JOINERS_MAX)
  if (joinRole !== 'voter' && joinRole !== 'observer') {
    throw new InvalidOptionError(`joinRole is ${String(joinRole)}; it is voter or observer`)
  }
  if (joinerSeeds !== undefined) checkWhole('joinerSeeds', joinerSeeds, 1)
  checkWhole('seed', seed, 0)
  if (typeof record !== 'boolean') throw new InvalidOptionError(`record is ${String(record)}; it is true or false`)
}

/** Makes the documents of the cast, which is asynchronous; everything after it is not. Errors: InvalidOptionError. */
export async function createSimulation(init: SimulationInit): Promise<Simulation> {
  checkOptions(init)
  const { nodes, joiners = 0, joinRole = 'observer', joinerSeeds, seed = 1, record = false } = init
  const world = new World({
    cast: await castOf({ size: nodes, joiners, joinRole }),
    seed,
    ...(joinerSeeds === undefined ? {} : { joinerSeeds }),
    ...(record ? { recorder: new Recorder() } : {})
  })
  return new Simulation(world)
}

function checkSpan(what: string, ms: number): void {
  if (!Number.isFinite(ms) || ms < 0) throw new InvalidOptionError(`${what} is ${String(ms)}; it is a number from 0`)
}

export class Simulation {
  readonly world: World
  readonly outcomes: ClientOutcome[] = []
  #requests = 0

  constructor(world: World) {
    this.world = world
    world.onOutcome = (_process, outcome) => this.outcomes.push(outcome)
  }

  get nowMs(): number {
    return this.world.nowUs / 1_000
  }

  get violations(): readonly Violation[] {
    return this.world.oracle.violations
  }

  get names(): readonly string[] {
    return this.world.machines.map(({ name }) => name)
  }

  // ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Lets so many virtual milliseconds pass. */
  run(ms: number): void {
    checkSpan('the time to run, in ms,', ms)
    isolatedBriefly(() => this.world.run(this.world.nowUs + Math.round(ms * 1_000)))
  }

  /**
   * Lets virtual time pass until `done` holds, which is asked after every event, and at most `limitMs` of it (default 60,000).
   * False, and nothing else, when it did not come to hold within the limit.
   */
  runUntil(done: (simulation: Simulation) => boolean, limitMs = 60_000): boolean {
    checkSpan('limitMs', limitMs)
    return isolatedBriefly(() => this.world.run(this.world.nowUs + limitMs * 1_000, () => done(this)))
  }

  /** The next `count` events. */
  step(count = 1): void {
    checkWhole('the number of events', count, 1)
    let left = count
    isolatedBriefly(() => this.world.run(Infinity, () => --left <= 0))
  }

  // ── Machines ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Starts a machine that was off, or again after a crash. */
  add(name: string): void {
    this.#tell('add', [name])
    this.world.start(this.#machine(name))
  }

  /** Starts every founder. */
  addAll(): void {
    for (const { name } of this.world.founders) this.add(name)
  }

  /** Starts every machine, founders and joiners, spread over `withinMs` of virtual time. Default: all in this moment. */
  addEverybody(withinMs = 0): void {
    this.#tell('add', [], `all within ${withinMs} ms`)
    const random = this.world.random.fork('arrivals')
    for (const machine of this.world.machines) {
      this.world.after(Math.round(random.next() * withinMs * 1_000), () => this.world.start(machine))
    }
  }

  crash(name: string, how: 'kill' | 'power' = 'kill'): void {
    this.#tell('crash', [name], how)
    this.world.crash(this.#machine(name), how)
  }

  restart(name: string): void {
    this.#tell('restart', [name])
    this.world.crash(this.#machine(name))
    this.world.start(this.#machine(name))
  }

  /** Its data directory is gone; key and founding certificate stay. It stays down. */
  wipe(name: string): void {
    this.#tell('wipe', [name])
    this.world.crash(this.#machine(name))
    if (!this.#machine(name).wipe()) throw new InvalidOptionError(`${name} has no further disk to lose`)
  }

  /** A second machine with the same key and a copy of the disk; `n1` gets the clone `n1c`. */
  clone(name: string): string {
    this.#tell('clone', [name])
    return this.world.clone(this.#machine(name)).name
  }

  pause(name: string): void {
    const process = this.#process(name)
    this.#tell('pause', [name])
    this.world.recorder?.paused(process.machine, true)
    process.pause()
  }

  resume(name: string): void {
    const process = this.#process(name)
    this.#tell('resume', [name])
    this.world.recorder?.paused(process.machine, false)
    isolatedBriefly(() => process.resume())
  }

  // ── Network ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Nothing passes between machines of different groups; those that are in none are one more group. */
  partition(...groups: readonly (readonly string[])[]): void {
    const { network, machines } = this.world
    this.#checkGroups(groups)
    this.#tell('partition', groups.flat(), groups.map((group) => group.join(' ')).join(' | '), true)
    const groupOf = (machine: Machine): number => {
      const at = groups.findIndex((group) => group.includes(machine.name))
      return at === -1 ? groups.length : at
    }
    for (const a of machines) for (const b of machines) if (groupOf(a) !== groupOf(b)) network.block(a.index, b.index)
    this.world.cutsChanged()
  }

  /** A group with a name that is in no machine's lane, or in two groups at once, would cut something else than is meant. */
  #checkGroups(groups: readonly (readonly string[])[]): void {
    if (groups.length === 0) throw new InvalidOptionError('a partition has one group or more')
    const all = groups.flatMap((group) => group.map((name) => this.#machine(name).name))
    const twice = all.find((name, i) => all.indexOf(name) !== i)
    if (twice !== undefined) throw new InvalidOptionError(`${twice} is in two groups of the partition`)
    const empty = groups.findIndex((group) => group.length === 0)
    if (empty !== -1) throw new InvalidOptionError(`group ${empty + 1} of the partition is empty`)
    if (groups.length === 1 && all.length === this.names.length) {
      throw new InvalidOptionError('the one group of the partition has every machine: nothing would be cut')
    }
  }

  /** Takes every partition and every hold away; what was held is lost. */
  repair(): void {
    this.#tell('repair', [])
    this.world.recorder?.end(this.nowMs, ['partition', 'hold'])
    this.world.network.clear()
    this.world.network.held.clear()
    this.world.cutsChanged()
  }

  /** Frames from one machine to the other wait until they are released. */
  hold(from: string, to: string): void {
    this.world.network.held.set(this.#link(from, to), [])
    this.#tell('hold', [from, to], `${from} → ${to}`, true)
  }

  release(from: string, to: string): void {
    const at = this.#link(from, to)
    this.#tell('release', [from, to], `${from} → ${to}`)
    this.world.recorder?.end(this.nowMs, ['hold'], [this.#machine(from), this.#machine(to)])
    const held = this.world.network.held.get(at) ?? []
    this.world.network.held.delete(at)
    for (const deliver of held) this.world.after(1, deliver)
  }

  #link(from: string, to: string): number {
    return this.world.network.link(this.#machine(from).index, this.#machine(to).index)
  }

  /** How fast the machine's clock runs; 1 is right. */
  clock(name: string, rate: number): void {
    if (!Number.isFinite(rate) || rate <= 0)
      throw new InvalidOptionError(`the rate is ${String(rate)}; it is a number above 0`)
    this.world.recorder?.end(this.nowMs, ['clock'], [this.#machine(name)])
    this.#tell('clock', [name], `${name} runs at ${rate}`, rate !== 1)
    this.#machine(name).setClock(rate)
  }

  // ── Callers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Asks the machine to change the config. The answer comes as an outcome with this request id. */
  set(name: string, value: JsonValue, ifVersion?: number): string {
    const requestId = (++this.#requests).toString(16).padStart(32, '0')
    const process = this.#process(name)
    this.#tell('set', [name], `${name} ${canonicalJson(value)}`)
    const data = encodeCommand({
      kind: 'config-set',
      requestId,
      author: process.machine.actor.peerId,
      at: Math.floor(this.nowMs),
      reason: '',
      text: canonicalJson(value),
      ...(ifVersion === undefined ? {} : { ifVersion })
    })
    isolatedBriefly(() => this.world.request(process, { type: 'command', requestId, data }))
    return requestId
  }

  transfer(name: string, to?: string): string {
    const requestId = (++this.#requests).toString(16).padStart(32, '0')
    this.#tell('transfer', to === undefined ? [name] : [name, to])
    const target = to === undefined ? undefined : this.#machine(to).actor.peerId
    isolatedBriefly(() => this.world.request(this.#process(name), { type: 'transfer', requestId, to: target }))
    return requestId
  }

  /** Requests that nobody has answered yet. */
  get unanswered(): number {
    return this.#requests - this.outcomes.length
  }

  // ── What can be seen ────────────────────────────────────────────────────────────────────────────────────────────────

  /** The writable leader of the highest term. */
  get leader(): string | undefined {
    let best: NodeView | undefined
    for (const { process, name } of this.world.machines) {
      const status = process?.replica.consensus()
      if (status?.writable === true && status.term > (best?.term ?? 0)) best = this.node(name)
    }
    return best?.name
  }

  get isFormed(): boolean {
    return this.world.founders.every(({ process }) => process !== undefined && this.world.oracle.version(process) > 0)
  }

  /** Every machine runs, is a member, and holds the config. */
  get isJoined(): boolean {
    const { machines, oracle } = this.world
    const { leader } = this
    const holds = ({ process }: Machine): boolean => process !== undefined && oracle.version(process) > 0
    return leader !== undefined && this.node(leader).members === machines.length && machines.every(holds)
  }

  results(): SimulationResults {
    const { events, frames, frameBytes, elections, oracle, refusals, traceHash } = this.world
    return {
      nowMs: this.nowMs,
      events,
      frames,
      frameBytes,
      elections,
      termMax: oracle.termMax,
      commits: oracle.committed,
      refusals: { ...refusals },
      violations: [...oracle.violations],
      nodes: this.nodes(),
      traceHash: traceHash.toString(16)
    }
  }

  node(name: string): NodeView {
    return nodeView(this.#machine(name), this.world)
  }

  nodes(): readonly NodeView[] {
    return this.names.map((name) => this.node(name))
  }

  /** For the picture. `words`: default the names. */
  #tell(verb: string, names: readonly string[], words = names.join(' '), lasts = false): void {
    const { recorder } = this.world
    if (recorder === undefined) return
    const machines = names.map((name) => this.#machine(name))
    const all = verb === 'crash' ? `${names.join(' ')} ${words}` : words
    recorder.verb(this.nowMs, verb, all, machines, lasts)
  }

  #machine(name: string): Machine {
    const machine = this.world.machines.find((one) => one.name === name)
    if (machine !== undefined) return machine
    throw new InvalidOptionError(`there is no machine ${name}; there are ${this.names.join(', ')}`)
  }

  #process(name: string): Process {
    const { process } = this.#machine(name)
    if (process !== undefined) return process
    throw new InvalidOptionError(`${name} is down`, { nextStep: `Start it with \`add ${name}\` first.` })
  }
}
