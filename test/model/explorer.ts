/**
 * A small explicit-state explorer for protocols that are pure local steps and a network.
 *
 * The network is a set that only grows: every message ever sent may be delivered at any later time, any number of times, in
 * any order, or never. That is loss, repetition, delay and reordering in one, and it makes a global state small: one number
 * for the local state of each node and one bit for each message. A local step is a pure function of a local state and an
 * action, so it runs once and is remembered: millions of global states cost a few thousand runs of the code under test.
 *
 * States are kept exactly (not by their hash), in one arena that is also the queue of the breadth-first search, so a
 * violation comes with a shortest path to it. The same steps can be walked at random where the space is too large.
 */
import type { Random } from '../../src/core/random.ts'

/** Addressed to nobody: stays in the network as a record of what has happened, outlives every crash, and is never heard. */
export const RECORD = -1

export interface Sent<M> {
  /** A node, or RECORD. */
  readonly to: number
  readonly message: M
}

export interface LocalResult<S, M> {
  readonly state: S
  readonly sent: readonly Sent<M>[]
}

export interface System<S, M> {
  readonly nodes: number
  initial(node: number): LocalResult<S, M>
  /** Names of what can happen to this node by itself: timers, a write becoming durable, a crash. */
  spontaneous(node: number, state: S): readonly string[]
  act(node: number, state: S, action: string): LocalResult<S, M>
  deliver(node: number, state: S, from: number, message: M): LocalResult<S, M>
  stateKey(state: S): string
  messageKey(message: M): string
  /** What of a local state the invariant looks at; undefined: nothing to see. */
  evidence(state: S): string | undefined
  /** What of a message the invariant looks at. */
  claimOf(message: M): { readonly subject: string; readonly value: string } | undefined
  /** Why these two cannot both be true, where equal subjects with different values do not say it all; or one by itself. */
  contradiction?(one: M, other: M): string | undefined
  /**
   * This message can change nothing at this node any more, now or in any later life, so that it may be forgotten: states that
   * differ in it only are then one state. Must not promise too much: what it forgets is not explored.
   */
  obsolete?(node: number, state: S, from: number, message: M): boolean
}

export interface Exploration {
  readonly states: number
  readonly transitions: number
  /** Distinct local steps, that is, runs of the code under test. */
  readonly localSteps: number
  readonly localStates: number
  readonly messages: number
  /** False when a bound was reached first. */
  readonly complete: boolean
  readonly violation: { readonly reason: string; readonly path: readonly string[] } | undefined
}

interface Message<M> {
  readonly from: number
  readonly to: number
  readonly message: M
  readonly claim: { readonly subject: string; readonly value: string } | undefined
  /** Messages that cannot both be true with this one. */
  readonly contradicts: Int32Array
}

interface Edge {
  readonly next: number
  readonly sent: readonly number[]
}

interface Local<S> {
  readonly node: number
  readonly state: S
  readonly evidence: string | undefined
  readonly actions: readonly string[]
  readonly onAction: (Edge | undefined)[]
  readonly onMessage: (Edge | undefined)[]
  /** Messages that certainly change nothing here. */
  readonly deaf: Int32Array
  /** All but the messages that are obsolete here, as far as they were judged. */
  readonly kept: Int32Array
  judged: number
}

const NONE = -1

export class Explorer<S, M> {
  readonly #system: System<S, M>
  readonly #words: number
  readonly #stride: number
  readonly #locals: Local<S>[] = []
  readonly #localIds = new Map<string, number>()
  readonly #messages: Message<M>[] = []
  readonly #messageIds = new Map<string, number>()
  readonly #addressed: Int32Array[]
  readonly #from: Int32Array
  readonly #next: Int32Array
  #localSteps = 0

  constructor(system: System<S, M>, messagesMax = 128) {
    this.#system = system
    this.#words = Math.ceil(messagesMax / 32)
    this.#stride = system.nodes + this.#words
    this.#from = new Int32Array(this.#stride)
    this.#next = new Int32Array(this.#stride)
    this.#addressed = Array.from({ length: system.nodes }, () => new Int32Array(this.#words))
  }

  /** Breadth first, until everything is seen, a violation is found, or `statesMax` states are held. */
  explore(statesMax: number): Exploration {
    const arena = new Arena(this.#stride, statesMax)
    const first = this.#initial()
    arena.add(first, NONE, NONE)
    const tally = { transitions: 0, complete: true }
    let violation = this.#violated(first)
    for (let at = 0; violation === undefined && at < arena.count; at++) violation = this.#expand(arena, at, tally)
    return this.#result(arena.count, tally.transitions, tally.complete, violation)
  }

  #expand(arena: Arena, at: number, tally: { transitions: number; complete: boolean }): Exploration['violation'] {
    const state = this.#from
    const next = this.#next
    let violation: Exploration['violation']
    arena.read(at, state)
    this.#forEachEdge(state, (label, node, edge) => {
      if (violation !== undefined) return
      tally.transitions++
      next.set(state)
      this.#follow(next, node, edge)
      const id = arena.add(next, at, label)
      if (id === NONE) tally.complete = false
      if (!arena.fresh) return
      const found = this.#violated(next, edge)
      if (found !== undefined) violation = { ...found, path: this.#pathTo(arena, id) }
    })
    return violation
  }

  /** Seeded random walks from the start; finds deep violations where the whole space is out of reach. */
  walk(random: Random, walks: number, stepsMax: number, weightOf: (label: string) => number): Exploration {
    let transitions = 0
    for (let w = 0; w < walks; w++) {
      const state = this.#initial()
      const path: string[] = []
      for (let s = 0; s < stepsMax; s++) {
        const chosen = this.#choose(state, random, weightOf)
        if (chosen === undefined) break
        transitions++
        path.push(chosen.name)
        this.#follow(state, chosen.node, chosen.edge)
        const violation = this.#violated(state, chosen.edge)
        if (violation !== undefined) return this.#result(0, transitions, false, { ...violation, path })
      }
    }
    return this.#result(0, transitions, false, undefined)
  }

  #choose(
    state: Int32Array,
    random: Random,
    weightOf: (label: string) => number
  ): { readonly node: number; readonly edge: Edge; readonly name: string } | undefined {
    let total = 0
    let chosen: { readonly node: number; readonly edge: Edge; readonly name: string } | undefined
    this.#forEachEdge(state, (label, node, edge) => {
      const name = this.#nameOf(label, state)
      const weight = weightOf(name)
      total += weight
      if (random.next() * total < weight) chosen = { node, edge, name }
    })
    return chosen
  }

  #result(states: number, transitions: number, complete: boolean, violation: Exploration['violation']): Exploration {
    return {
      states,
      transitions,
      localSteps: this.#localSteps,
      localStates: this.#locals.length,
      messages: this.#messages.length,
      complete: complete && violation === undefined,
      violation
    }
  }

  #initial(): Int32Array {
    const state = new Int32Array(this.#stride)
    for (let node = 0; node < this.#system.nodes; node++) {
      this.#follow(state, node, this.#edge(node, this.#system.initial(node)))
    }
    return state
  }

  #follow(state: Int32Array, node: number, edge: Edge): void {
    state[node] = edge.next
    const { nodes } = this.#system
    for (const id of edge.sent) state[nodes + (id >> 5)]! |= 1 << (id & 31)
    if (this.#system.obsolete === undefined) return
    for (let other = 0; other < nodes; other++) {
      const { kept } = this.#judge(this.#locals[state[other]!]!)
      for (let w = 0; w < this.#words; w++) state[nodes + w]! &= kept[w]!
    }
  }

  /** Brings what is obsolete in a local state up to date with the messages that were made since. */
  #judge(local: Local<S>): Local<S> {
    for (; local.judged < this.#messages.length; local.judged++) {
      const id = local.judged
      const { from, to, message } = this.#messages[id]!
      if (to === local.node && this.#system.obsolete!(local.node, local.state, from, message)) {
        local.kept[id >> 5]! &= ~(1 << (id & 31))
      }
    }
    return local
  }

  /** Labels: 4 bits of node, then the message (from 0) or the action (from -1 downwards). */
  #forEachEdge(state: Int32Array, visit: (label: number, node: number, edge: Edge) => void): void {
    const { nodes } = this.#system
    for (let node = 0; node < nodes; node++) {
      const local = this.#locals[state[node]!]!
      for (let a = 0; a < local.actions.length; a++) visit(node * 65_536 + 32_768 + a, node, this.#onAction(local, a))
      for (let w = 0; w < this.#words; w++) {
        let bits = state[nodes + w]! & this.#addressed[node]![w]! & ~local.deaf[w]!
        while (bits !== 0) {
          const bit = 31 - Math.clz32(bits & -bits)
          bits &= bits - 1
          const id = w * 32 + bit
          const edge = this.#onMessage(local, id, state[node]!)
          if (edge !== undefined) visit(node * 65_536 + id, node, edge)
        }
      }
    }
  }

  #onAction(local: Local<S>, action: number): Edge {
    const known = local.onAction[action]
    if (known !== undefined) return known
    this.#localSteps++
    const edge = this.#edge(local.node, this.#system.act(local.node, local.state, local.actions[action]!))
    local.onAction[action] = edge
    return edge
  }

  #onMessage(local: Local<S>, id: number, localId: number): Edge | undefined {
    const known = local.onMessage[id]
    if (known !== undefined) return known
    this.#localSteps++
    const { from, message } = this.#messages[id]!
    const edge = this.#edge(local.node, this.#system.deliver(local.node, local.state, from, message))
    if (edge.next === localId && edge.sent.length === 0) {
      local.deaf[id >> 5]! |= 1 << (id & 31)
      return undefined
    }
    local.onMessage[id] = edge
    return edge
  }

  #edge(node: number, result: LocalResult<S, M>): Edge {
    const sent = result.sent.map(({ to, message }) => this.#messageId(node, to, message))
    return { next: this.#localId(node, result.state), sent: [...new Set(sent)] }
  }

  #localId(node: number, state: S): number {
    const key = `${node} ${this.#system.stateKey(state)}`
    const known = this.#localIds.get(key)
    if (known !== undefined) return known
    this.#localIds.set(key, this.#locals.length)
    this.#locals.push({
      node,
      state,
      evidence: this.#system.evidence(state),
      actions: this.#system.spontaneous(node, state),
      onAction: [],
      onMessage: [],
      deaf: this.#noBits(),
      kept: this.#noBits().fill(-1),
      judged: 0
    })
    return this.#locals.length - 1
  }

  #messageId(from: number, to: number, message: M): number {
    const sender = to === RECORD ? 0 : from
    const key = `${sender} ${to} ${this.#system.messageKey(message)}`
    const known = this.#messageIds.get(key)
    if (known !== undefined) return known
    const id = this.#messages.length
    if (id >= this.#words * 32) throw new Error(`more than ${this.#words * 32} distinct messages: raise messagesMax`)
    this.#messageIds.set(key, id)
    const made = { from: sender, to, message, claim: this.#system.claimOf(message), contradicts: this.#noBits() }
    for (const [other, theirs] of this.#messages.entries()) {
      if (this.#contradiction(made, theirs) === undefined) continue
      made.contradicts[other >> 5]! |= 1 << (other & 31)
      theirs.contradicts[id >> 5]! |= 1 << (id & 31)
    }
    if (this.#contradiction(made, made) !== undefined) made.contradicts[id >> 5]! |= 1 << (id & 31)
    this.#messages.push(made)
    if (to !== RECORD) this.#addressed[to]![id >> 5]! |= 1 << (id & 31)
    return id
  }

  #noBits(): Int32Array {
    return new Int32Array(this.#words)
  }

  #contradiction(one: Message<M>, other: Message<M>): string | undefined {
    const { claim } = one
    if (claim !== undefined && claim.subject === other.claim?.subject && claim.value !== other.claim.value) {
      return `two values for ${claim.subject}`
    }
    return this.#system.contradiction?.(one.message, other.message)
  }

  /** All evidence in local states is the same, and no two messages claim different values for one subject. */
  #violated(state: Int32Array, edge?: Edge): { readonly reason: string; readonly path: readonly string[] } | undefined {
    for (const id of edge?.sent ?? []) {
      const said = this.#messages[id]!
      for (let w = 0; w < this.#words; w++) {
        const both = said.contradicts[w]! & state[this.#system.nodes + w]!
        if (both === 0) continue
        const other = this.#messages[w * 32 + 31 - Math.clz32(both & -both)]!
        return { reason: this.#contradiction(said, other)!, path: [] }
      }
    }
    let seen: string | undefined
    for (let node = 0; node < this.#system.nodes; node++) {
      const { evidence } = this.#locals[state[node]!]!
      if (evidence === undefined) continue
      if (seen !== undefined && seen !== evidence) return { reason: `${seen} and ${evidence}`, path: [] }
      seen = evidence
    }
    return undefined
  }

  #pathTo(arena: Arena, id: number): string[] {
    const path: string[] = []
    const state = new Int32Array(this.#stride)
    for (let at = id; arena.parent(at) !== NONE; at = arena.parent(at)) {
      arena.read(arena.parent(at), state)
      path.push(this.#nameOf(arena.label(at), state))
    }
    return path.toReversed()
  }

  #nameOf(label: number, state: Int32Array): string {
    const node = Math.floor(label / 65_536)
    const rest = label % 65_536
    if (rest >= 32_768) return `${node} ${this.#locals[state[node]!]!.actions[rest - 32_768]!}`
    const { from, message } = this.#messages[rest]!
    return `${node} hears ${from}: ${this.#system.messageKey(message)}`
  }
}

/** States of fixed width with an exact open-addressing index. */
class Arena {
  count = 0
  /** Was the state of the last `add` new? */
  fresh = false
  readonly #stride: number
  readonly #statesMax: number
  #data: Int32Array
  #parents: Int32Array
  #labels: Int32Array
  #index: Int32Array

  constructor(stride: number, statesMax: number) {
    this.#stride = stride
    this.#statesMax = statesMax
    const capacity = Math.min(statesMax, 1 << 14)
    this.#data = new Int32Array(capacity * stride)
    this.#parents = new Int32Array(capacity)
    this.#labels = new Int32Array(capacity)
    this.#index = new Int32Array(1 << 16).fill(NONE)
  }

  parent = (id: number): number => this.#parents[id]!
  label = (id: number): number => this.#labels[id]!

  read(id: number, into: Int32Array): void {
    const from = id * this.#stride
    for (let i = 0; i < this.#stride; i++) into[i] = this.#data[from + i]!
  }

  /** The state's id, or NONE when it is new and there is no room. */
  add(state: Int32Array, parent: number, label: number): number {
    this.fresh = false
    const mask = this.#index.length - 1
    let slot = this.#hash(state, 0) & mask
    for (;;) {
      const id = this.#index[slot]!
      if (id === NONE) break
      if (this.#equal(id, state)) return id
      slot = (slot + 1) & mask
    }
    if (this.count >= this.#statesMax) return NONE
    if (this.count >= this.#parents.length) this.#grow()
    const id = this.count++
    this.#data.set(state, id * this.#stride)
    this.#parents[id] = parent
    this.#labels[id] = label
    this.#index[slot] = id
    this.fresh = true
    if (this.count * 2 > this.#index.length) this.#reindex()
    return id
  }

  #equal(id: number, state: Int32Array): boolean {
    const from = id * this.#stride
    for (let i = 0; i < this.#stride; i++) if (this.#data[from + i] !== state[i]) return false
    return true
  }

  #hash(words: Int32Array, from: number): number {
    let h = 0x811c9dc5
    for (let i = 0; i < this.#stride; i++) {
      h = Math.imul(h ^ words[from + i]!, 0x9e3779b1)
      h ^= h >>> 15
    }
    return (h ^ (h >>> 13)) >>> 0
  }

  #grow(): void {
    const capacity = Math.min(this.#statesMax, this.#parents.length * 2)
    const copy = (old: Int32Array, length: number): Int32Array => {
      const grown = new Int32Array(length)
      grown.set(old)
      return grown
    }
    this.#data = copy(this.#data, capacity * this.#stride)
    this.#parents = copy(this.#parents, capacity)
    this.#labels = copy(this.#labels, capacity)
  }

  #reindex(): void {
    const index = new Int32Array(this.#index.length * 2).fill(NONE)
    const mask = index.length - 1
    for (let id = 0; id < this.count; id++) {
      let slot = this.#hash(this.#data, id * this.#stride) & mask
      while (index[slot] !== NONE) slot = (slot + 1) & mask
      index[slot] = id
    }
    this.#index = index
  }
}
