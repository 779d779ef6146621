/**
 * Callers of a cluster in virtual time, one at each node, while it crashes, loses frames and is cut apart; and the history of
 * what they asked and were told, in the order in which it happened.
 *
 * A caller asks one thing at a time. It gives up after a while, or when its node dies: what it asked may then have taken effect
 * at any time. Nodes, disks and network are those of the replica's own tests; everything else is the shipped code.
 */
import type { Random } from '../../src/core/random.ts'
import type { ClientOutcome, ClientRequest } from '../../src/replica/types.ts'
import { encodeCommand } from '../../src/replicated-config/index.ts'
import { VirtualCluster } from '../replica/virtual-cluster.ts'
import type { HistoryEvent } from './checker.ts'
import type { Register, RegisterCommand, RegisterResult } from './config-register.ts'

export interface CallersInit {
  readonly seed: number
  readonly size?: number
  /** How callers read: confirmed by a quorum, or what their node has applied, without asking anybody. */
  readonly reads: 'confirmed' | 'local'
  readonly ms?: number
}

export interface ClusterHistory {
  readonly events: readonly HistoryEvent<RegisterCommand, RegisterResult>[]
  readonly initial: Register
  readonly counts: Counts
}

export interface Counts {
  calls: number
  answers: number
  reads: number
  conflicts: number
  crashes: number
  partitions: number
  silences: number
  handOvers: number
  /** Taken, and taken over from a leader. */
  snapshots: number
  restorals: number
}

export const noCounts = (): Counts => ({
  calls: 0,
  answers: 0,
  reads: 0,
  conflicts: 0,
  crashes: 0,
  partitions: 0,
  silences: 0,
  handOvers: 0,
  snapshots: 0,
  restorals: 0
})

const GIVES_UP_MS = 4_000
const PAUSE_MS = 40

interface Caller {
  readonly name: string
  asked:
    { readonly id: number; readonly requestId: string; readonly life: object; readonly givesUpAt: number } | undefined
  nextAt: number
  /** The newest version that it has heard of. */
  version: number
}

/** The same seed is the same history. */
export function playCallers(init: CallersInit): ClusterHistory {
  return new Callers(init).play()
}

class Callers {
  readonly #init: Required<CallersInit>
  readonly #cluster: VirtualCluster
  readonly #random: Random
  readonly #callers: readonly Caller[]
  readonly #events: HistoryEvent<RegisterCommand, RegisterResult>[] = []
  readonly #counts = noCounts()
  #initial: Register = { version: 0, value: 0 }
  #nextId = 1
  #heals: () => void = () => {}

  constructor(init: CallersInit) {
    this.#init = { size: 3, ms: 6_000, ...init }
    const { size, seed } = this.#init
    this.#cluster = new VirtualCluster({
      size,
      seed,
      jitterMs: 15,
      diskMs: 3,
      loss: seed % 2 === 0 ? 0.05 : 0,
      // Two histories of three are cut short again and again.
      snapshots: seed % 3 === 0 ? {} : { entriesMax: 3 + (seed % 7), trailingEntriesMax: 1 + (seed % 3) }
    })
    this.#random = this.#cluster.random.fork('callers')
    this.#callers = this.#cluster.names.map((name) => ({ name, asked: undefined, nextAt: 0, version: 1 }))
  }

  play(): ClusterHistory {
    const cluster = this.#cluster
    for (const name of cluster.names) cluster.start(name)
    cluster.connectAll()
    cluster.runUntil(() => cluster.names.every((name) => cluster.life(name).replica.status().config !== undefined))
    this.#initial = this.#stateOf(cluster.names[0]!)
    const end = cluster.now + this.#init.ms
    this.#tick(end)
    this.#fault(end)
    // Asked before every event, so that no answer waits for the next one.
    cluster.runUntil(() => {
      for (const caller of this.#callers) this.#listen(caller)
      return cluster.now >= end
    }, this.#init.ms + 1_000)
    this.#counts.snapshots = cluster.snapshots.taken
    this.#counts.restorals = cluster.snapshots.restored
    return { events: this.#events, initial: this.#initial, counts: this.#counts }
  }

  // --- callers ---

  #tick(end: number): void {
    for (const caller of this.#callers)
      if (caller.asked === undefined && this.#cluster.now >= caller.nextAt) this.#ask(caller)
    if (this.#cluster.now < end + 10) this.#cluster.at(5, () => this.#tick(end))
  }

  #ask(caller: Caller): void {
    const { life } = this.#cluster.nodes.get(caller.name)!
    // A node that has just started has nothing to read yet.
    if (life?.replica.status().config === undefined) return
    const id = this.#nextId++
    const command = this.#command(caller, id)
    this.#counts.calls++
    this.#events.push({ type: 'call', id, command })
    if (command.type === 'read' && this.#init.reads === 'local') {
      this.#answer(caller, id, { type: 'value', ...this.#stateOf(caller.name) })
      return
    }
    const requestId = id.toString(16).padStart(32, '0')
    caller.asked = { id, requestId, life, givesUpAt: this.#cluster.now + GIVES_UP_MS }
    this.#cluster.input(caller.name, { type: 'request', request: requestOf(command, requestId, caller.name) })
  }

  #command({ version }: Caller, id: number): RegisterCommand {
    const chance = this.#random.next()
    if (chance < 0.5) return { type: 'read' }
    if (chance < 0.75) return { type: 'set', value: id }
    return { type: 'compare-and-set', ifVersion: version, value: id }
  }

  #listen(caller: Caller): void {
    const { asked } = caller
    if (asked === undefined) return
    const { life } = this.#cluster.nodes.get(caller.name)!
    if (life !== asked.life || this.#cluster.now >= asked.givesUpAt) {
      if (life === asked.life) this.#cluster.input(caller.name, { type: 'cancel', requestId: asked.requestId })
      this.#rest(caller)
      return
    }
    const outcome = life.outcomes.find(({ requestId }) => requestId === asked.requestId)
    if (outcome === undefined) return
    const result = this.#resultOf(caller.name, outcome)
    if (result === undefined) this.#rest(caller)
    else this.#answer(caller, asked.id, result)
  }

  #answer(caller: Caller, id: number, result: RegisterResult): void {
    this.#events.push({ type: 'return', id, result })
    this.#counts.answers++
    if (result.type === 'value') this.#counts.reads++
    if (result.type === 'conflict') this.#counts.conflicts++
    caller.version = result.type === 'conflict' ? result.actual : result.version
    this.#rest(caller)
  }

  #rest(caller: Caller): void {
    caller.asked = undefined
    caller.nextAt = this.#cluster.now + this.#random.next() * PAUSE_MS
  }

  /** Undefined when nobody knows what became of it. */
  #resultOf(name: string, outcome: ClientOutcome): RegisterResult | undefined {
    if (outcome.type === 'done') return { type: 'value', ...this.#stateOf(name) }
    if (outcome.type === 'refused') return undefined
    const { result } = outcome
    if (result.type === 'set') return { type: 'set', version: result.version }
    if (result.type === 'conflict') return { type: 'conflict', actual: result.actual }
    throw new Error(`a command that is good was answered with ${result.type}`)
  }

  #stateOf(name: string): Register {
    const { version, value } = this.#cluster.life(name).replica.status().config!.current
    return { version, value: (value as { readonly limit: number }).limit }
  }

  // --- faults ---

  /**
   * One fault at a time, each healed before the next: one node is down, or cut off, or not heard without knowing it. Or the
   * leader is asked to hand over.
   */
  #fault(end: number): void {
    this.#cluster.at(100 + this.#random.next() * 500, () => {
      this.#heals()
      this.#heals = this.#random.next() < 0.2 ? () => {} : this.#harm()
      if (this.#cluster.now < end) this.#fault(end)
    })
  }

  #harm(): () => void {
    const cluster = this.#cluster
    const { names } = cluster
    const leader = names.find((name) => cluster.nodes.get(name)?.life?.replica.status().raft?.role === 'leader')
    const victim =
      leader !== undefined && this.#random.next() < 0.6 ? leader : names[this.#random.int(0, names.length - 1)]!
    switch (this.#random.int(0, 3)) {
      case 0:
        return this.#crash(victim)
      case 1:
        return this.#cutOff(victim)
      case 2:
        return this.#silence(victim)
      default:
        return this.#handOver(victim)
    }
  }

  #crash(victim: string): () => void {
    this.#counts.crashes++
    this.#cluster.crash(victim)
    return () => {
      this.#cluster.start(victim)
      this.#cluster.connectAll()
    }
  }

  #cutOff(victim: string): () => void {
    this.#counts.partitions++
    for (const other of this.#cluster.names) this.#cluster.disconnect(victim, other)
    return () => this.#cluster.connectAll()
  }

  #silence(victim: string): () => void {
    this.#counts.silences++
    const oneWay = this.#random.next() < 0.3
    this.#cluster.loses = (from, to) => from === victim || (to === victim && !oneWay)
    return () => {
      this.#cluster.loses = () => false
    }
  }

  #handOver(from: string): () => void {
    this.#counts.handOvers++
    const requestId = `f${this.#nextId++}`.padStart(32, '0')
    this.#cluster.input(from, { type: 'request', request: { type: 'transfer', requestId, to: undefined } })
    return () => {}
  }
}

function requestOf(command: RegisterCommand, requestId: string, author: string): ClientRequest {
  if (command.type === 'read') return { type: 'read', requestId }
  const data = encodeCommand({
    kind: 'config-set',
    requestId,
    author,
    at: 0,
    reason: '',
    text: `{"limit":${command.value}}`,
    ...(command.type === 'set' ? {} : { ifVersion: command.ifVersion })
  })
  return { type: 'command', requestId, data }
}
