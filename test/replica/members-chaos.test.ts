/**
 * Members come, go, lose disks and are set back at random, while operators ask for whatever comes to their mind. Whatever happens: a
 * term has one leader, a config version has one content, a machine has one vote; and when the faults end, everybody goes on.
 */
import { describe, expect, it } from 'vitest'
import type { Random } from '../../src/core/random.ts'
import type { MemberOperation, ReplicaEvent } from '../../src/replica/index.ts'
import { encodeCommand } from '../../src/replicated-config/index.ts'
import { VirtualCluster } from './virtual-cluster.ts'

const FOUNDERS = 5
const GUESTS = ['g1', 'g2']
const ROUNDS = 60

class Chaos {
  readonly cluster: VirtualCluster
  readonly random: Random
  /** Whose disk was lost or set back and who is not a voter with its present one: no second one before. */
  hurt: string | undefined
  readonly told: Record<string, number> = {}
  readonly #leaders = new Map<number, string>()
  readonly #hashes = new Map<number, string>()
  readonly #read = new Map<object, number>()
  #requests = 0

  constructor(seed: number) {
    this.cluster = new VirtualCluster({
      size: FOUNDERS,
      seed,
      loss: seed % 2 === 0 ? 0.02 : 0,
      snapshots: seed % 3 === 0 ? {} : { entriesMax: 4 + (seed % 9), trailingEntriesMax: 1 + (seed % 4) }
    })
    this.random = this.cluster.random.fork('chaos')
    const token = { tokenId: 'ab'.repeat(16), role: 'voter', uses: GUESTS.length } as const
    for (const name of this.cluster.names) this.cluster.start(name)
    for (const name of GUESTS) this.cluster.join(name, token)
    this.cluster.connectAll()
    this.cluster.runUntil(() => this.cluster.names.slice(0, FOUNDERS).every((name) => this.#status(name)?.config))
  }

  #status(name: string) {
    return this.cluster.nodes.get(name)?.life?.replica.status()
  }

  #pick<T>(of: readonly T[]): T {
    return of[this.random.int(0, of.length - 1)]!
  }

  get #up(): readonly string[] {
    return this.cluster.names.filter((name) => this.cluster.nodes.get(name)?.life !== undefined)
  }

  round(): void {
    const { cluster, random } = this
    const name = this.#pick(cluster.names)
    const act = random.int(0, 9)
    if (act <= 1) this.#restart(name)
    else if (act === 2) this.#wipe(name)
    else if (act === 3) this.#setBack(name)
    else if (act <= 5) cluster.disconnect(name, this.#pick(cluster.names))
    else if (act <= 8) this.#operate()
    else cluster.connectAll()
    if (random.int(0, 3) === 0) this.#change()
    cluster.run(random.next() * 400)
    cluster.connectAll()
    this.check()
  }

  #restart(name: string): void {
    this.cluster.crash(name)
    this.cluster.run(this.random.next() * 200)
    this.cluster.start(name)
    this.#count('restart')
  }

  #isWell(): boolean {
    if (this.hurt !== undefined && this.#status(this.hurt)?.standing.type === 'voter') this.hurt = undefined
    return this.hurt === undefined
  }

  #mayHurt(name: string): boolean {
    if (!this.#isWell() || this.#status(name) === undefined) return false
    this.hurt = name
    return true
  }

  #wipe(name: string): void {
    if (!this.#mayHurt(name)) return
    this.cluster.wipe(name)
    this.cluster.start(name)
    this.#count('wipe')
  }

  /** A later life of it has been seen, so that somebody can know. */
  #setBack(name: string): void {
    if (!this.#mayHurt(name)) return
    const setBack = this.cluster.snapshot(name)
    this.#restart(name)
    this.cluster.connectAll()
    this.cluster.run(50)
    this.cluster.crash(name)
    setBack()
    this.cluster.start(name)
    this.cluster.connectAll()
    this.cluster.run(500)
    // What an operator does about it.
    this.cluster.wipe(name)
    this.cluster.start(name)
    this.#count('set-back')
  }

  #operate(): void {
    const { cluster } = this
    const leader = this.#up.find((name) => this.#status(name)?.raft?.writable === true)
    if (leader === undefined) return
    const voters = this.#status(leader)!.raft!.membership.voters.length
    const isWell = this.#isWell()
    const member = this.hurt ?? this.#pick(cluster.names)
    const op = isWell ? this.#pick(['promote', 'demote', 'demote', 'replace'] as const) : 'replace'
    if (op === 'demote' && voters <= 3) return
    const operation: MemberOperation = op === 'replace' ? { op, member, by: undefined } : { op, member }
    const requestId = this.#newId()
    cluster.input(this.#pick(this.#up), { type: 'request', request: { type: 'members', requestId, operation } })
    this.#count(op)
  }

  #change(): void {
    const requestId = this.#newId()
    const text = `{"limit":${this.#requests}}`
    const author = this.#pick(this.#up)
    const data = encodeCommand({ kind: 'config-set', requestId, author, at: 0, reason: '', text })
    this.cluster.input(author, { type: 'request', request: { type: 'command', requestId, data } })
  }

  #newId(): string {
    return (++this.#requests).toString(16).padStart(32, '0')
  }

  #count(what: string): void {
    this.told[what] = (this.told[what] ?? 0) + 1
  }

  /** What must never be. */
  check(): void {
    for (const { life, claim } of this.cluster.nodes.values()) {
      if (life === undefined) continue
      const from = this.#read.get(life) ?? 0
      this.#read.set(life, life.events.length)
      for (const event of life.events.slice(from)) this.#judge(event, claim.incarnation)
      const voters = life.replica.status().raft?.membership.voters ?? []
      const machines = new Set(voters.map((id) => id.split('#')[0]))
      if (machines.size !== voters.length) throw new Error(`one machine has two votes: ${voters.join(' ')}`)
    }
  }

  #judge(event: ReplicaEvent, incarnation: string): void {
    if (event.type === 'role' && event.role === 'leader') {
      const other = this.#leaders.get(event.term) ?? incarnation
      if (other !== incarnation) throw new Error(`term ${event.term} is led by ${other} and ${incarnation}`)
      this.#leaders.set(event.term, incarnation)
      this.#count('election')
    } else if (event.type === 'config') {
      const other = this.#hashes.get(event.version) ?? event.hash
      if (other !== event.hash) throw new Error(`version ${event.version} has two contents`)
      this.#hashes.set(event.version, event.hash)
    } else if (event.type === 'alarm') this.#count(`alarm ${event.code}`)
  }

  /** Everybody is up and connected: within a while a leader, the same config for all members, and nobody hurt left behind. */
  heal(): void {
    const { cluster } = this
    for (const name of cluster.names) if (this.#status(name) === undefined) cluster.start(name)
    const every = (): void => {
      cluster.connectAll()
      cluster.at(100, every)
    }
    every()
    const isWhole = (): boolean => {
      const members = cluster.names.filter((name) => /voter|learner/.test(this.#status(name)!.standing.type))
      const versions = new Set(members.map((name) => this.#status(name)!.config?.current.hash))
      const leader = cluster.names.find((name) => this.#status(name)!.raft?.writable === true)
      return members.length === FOUNDERS + GUESTS.length && versions.size === 1 && leader !== undefined
    }
    cluster.runUntil(isWhole, 60_000)
    this.check()
  }
}

describe('members under chaos', () => {
  it('keep what is promised, and recover (20 seeds)', () => {
    const told: Record<string, number> = {}
    for (let seed = 1; seed <= 20; seed++) {
      const chaos = new Chaos(seed)
      try {
        for (const name of GUESTS) chaos.cluster.start(name)
        for (let round = 0; round < ROUNDS; round++) chaos.round()
        chaos.heal()
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
      }
      for (const [what, times] of Object.entries({ ...chaos.told, ...chaos.cluster.snapshots }))
        told[what] = (told[what] ?? 0) + times
    }
    // A run in which nothing happened would prove nothing.
    const expected = ['restart', 'wipe', 'set-back', 'promote', 'demote', 'replace', 'election', 'taken', 'restored']
    for (const what of expected) {
      expect(told[what], what).toBeGreaterThan(10)
    }
    for (const what of ['alarm disk-lost', 'alarm rolled-back']) expect(told[what], what).toBeGreaterThan(10)
  })
})
