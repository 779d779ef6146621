/**
 * How long a group is without a leader, counted in one-way delays and writes: a world in which every message takes exactly
 * `DELAY`, every write exactly `WRITE`, and a dead peer is noticed after exactly `NOTICE`.
 */
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { createRaft } from '../../src/raft/index.ts'
import type { Raft, RaftEffects, RaftInput } from '../../src/raft/index.ts'

const DELAY = 5
const WRITE = 3
const NOTICE = 2
const TIMING = { heartbeatMs: 20, electionTimeoutMs: 200, rankStepMs: 10, jitterMs: 0 }

class Clockwork {
  now = 0
  readonly #nodes = new Map<string, Raft>()
  readonly #timers = new Map<string, number>()
  readonly #diskFreeAt = new Map<string, number>()
  readonly #waiting = new Map<string, { after: number; effects: RaftEffects }[]>()
  #events: { at: number; run: () => void }[] = []
  readonly ledBy = new Map<string, string | undefined>()
  readonly log: { at: number; id: string; what: string }[] = []

  constructor(size: number) {
    const ids = Array.from({ length: size }, (_, i) => `n${i + 1}`)
    for (const id of ids) {
      const raft = createRaft({
        self: id,
        membership: { voters: ids, outgoing: [], learners: [], learnersNext: [], autoLeave: false },
        hardState: { term: 0, votedFor: undefined },
        entries: [],
        timing: TIMING,
        random: seededRandom(id)
      })
      this.#nodes.set(id, raft)
      this.#waiting.set(id, [])
      this.#effects(id, raft.start(0))
    }
  }

  step(id: string, input: RaftInput): void {
    const raft = this.#nodes.get(id)
    if (raft !== undefined) this.#effects(id, raft.step(input, this.now))
  }

  #effects(id: string, effects: RaftEffects): void {
    const { write, deadline } = effects
    if (write !== undefined) {
      const done = Math.max(this.now, this.#diskFreeAt.get(id) ?? 0) + WRITE
      this.#diskFreeAt.set(id, done)
      this.#at(done, () => this.#persisted(id, write.id))
    }
    this.#send(id, effects.send)
    if (effects.sendAfter.length > 0) this.#waiting.get(id)!.push({ after: effects.sendAfterWrite, effects })
    for (const event of effects.events) {
      if (event.type === 'leader') this.ledBy.set(id, event.leader)
      if (event.type === 'role' || event.type === 'leader' || event.type === 'writable') {
        this.log.push({ at: this.now, id, what: event.type === 'role' ? event.role : event.type })
      }
    }
    const timer = (this.#timers.get(id) ?? 0) + 1
    this.#timers.set(id, timer)
    if (deadline === undefined) return
    this.#at(Math.max(this.now, deadline), () => {
      if (this.#timers.get(id) === timer) this.step(id, { type: 'tick' })
    })
  }

  #persisted(id: string, write: number): void {
    const waiting = this.#waiting.get(id)!
    while (waiting.length > 0 && waiting[0]!.after <= write) this.#send(id, waiting.shift()!.effects.sendAfter)
    this.step(id, { type: 'persisted', write })
  }

  #send(from: string, envelopes: RaftEffects['send']): void {
    if (!this.#nodes.has(from)) return
    for (const { to, message } of envelopes) {
      this.#at(this.now + DELAY, () => this.step(to, { type: 'message', from, message }))
    }
  }

  #at(at: number, run: () => void): void {
    const place = this.#events.findLastIndex((event) => event.at <= at) + 1
    this.#events.splice(place, 0, { at, run })
  }

  runUntil(holds: () => boolean, limit = 2000): number {
    while (!holds() && this.#events.length > 0 && this.now < limit) {
      const { at, run } = this.#events.shift()!
      this.now = at
      run()
    }
    return this.now
  }

  /** Without notice the connections of the dead stay open: a machine that lost its power. */
  kill(id: string, notice = true): void {
    this.#nodes.delete(id)
    if (!notice) return
    for (const other of this.#nodes.keys()) {
      this.#at(this.now + NOTICE, () => this.step(other, { type: 'disconnected', peer: id }))
    }
  }

  leader(): string | undefined {
    return [...this.#nodes].find(([, raft]) => raft.status().role === 'leader')?.[0]
  }

  writable(): boolean {
    return [...this.#nodes.values()].some((raft) => raft.status().writable)
  }

  everybodyKnows(leader: string): boolean {
    return [...this.#nodes.keys()].every((id) => this.ledBy.get(id) === leader)
  }
}

/** A group that has been led for a while, at the moment just after a heartbeat round. */
function settled(size: number): Clockwork {
  const world = new Clockwork(size)
  world.runUntil(() => world.now >= 100)
  expect(world.leader()).toBe('n1')
  return world
}

describe.each([3, 5])('a group of %i', (size) => {
  test('elects its first leader in four delays and one write, and is writable two delays and a write later', () => {
    const world = new Clockwork(size)
    expect(world.runUntil(() => world.leader() !== undefined)).toBe(4 * DELAY + WRITE)
    expect(world.runUntil(() => world.writable())).toBe(6 * DELAY + 2 * WRITE)
  })

  test('replaces a killed leader in the notice, three delays and one write; one delay later everybody knows', () => {
    const world = settled(size)
    const killedAt = world.now
    world.kill('n1')
    world.runUntil(() => world.leader() !== undefined)
    expect(world.now - killedAt).toBe(NOTICE + 3 * DELAY + WRITE)
    const leader = world.leader()!
    world.runUntil(() => world.everybodyKnows(leader))
    expect(world.now - killedAt).toBe(NOTICE + 4 * DELAY + WRITE)
    expect(world.log.filter(({ at, what }) => at >= killedAt && what === 'candidate')).toHaveLength(1)
  })

  test('replaces a leader that fell silent in a timeout, three delays and one write after it was last heard', () => {
    const world = settled(size)
    const killedAt = world.now
    world.kill('n1', false)
    world.runUntil(() => world.leader() !== undefined)
    const campaign = 3 * DELAY + WRITE
    // It was last heard at most a heartbeat before it died, and at the latest a delay after.
    expect(world.now - killedAt).toBeGreaterThan(TIMING.electionTimeoutMs - TIMING.heartbeatMs + campaign)
    expect(world.now - killedAt).toBeLessThanOrEqual(TIMING.electionTimeoutMs + DELAY + campaign)
    expect(world.log.filter(({ at, what }) => at >= killedAt && what === 'candidate')).toHaveLength(1)
  })

  test('hands over in one delay and one write among three, in two more delays among more; one later everybody knows', () => {
    const world = settled(size)
    const askedAt = world.now
    world.step('n1', { type: 'transfer', ref: 1, to: 'n2' })
    world.runUntil(() => world.leader() === 'n2')
    const delays = size === 3 ? 1 : 3
    expect(world.now - askedAt).toBe(delays * DELAY + WRITE)
    world.runUntil(() => world.everybodyKnows('n2'))
    expect(world.now - askedAt).toBe((delays + 1) * DELAY + WRITE)
  })
})
