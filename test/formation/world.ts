/**
 * Machines, disks, links and a clock in which formations live: the harness of the transcripts and of the random simulation.
 *
 * Every message crosses as bytes and every disk holds bytes, so the codecs take part. Two oracles watch everything: at most
 * one founding set is ever certified, and no vote or acceptance leaves before the disk justifies it (FAULTS 7, 12, 13).
 */
import { decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { toHex } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/hash.ts'
import type { Random } from '../../src/core/random.ts'
import {
  type Claim,
  createFormation,
  decodeFormationMessage,
  decodeFormationState,
  encodeFormationMessage,
  encodeFormationState,
  encodeFoundingSet,
  type Formation,
  type FormationEffects,
  type FormationEnvelope,
  type FormationEvent,
  type FormationInput,
  type FormationMessage,
  type FoundingCertificate,
  type FoundingSet,
  initialFormationState
} from '../../src/formation/index.ts'
import { fakeCrypto, fakeSign, makeClaim, readClaim } from './fake-crypto.ts'

export interface WorldInit {
  readonly foundingSize: number
  readonly random: Random
  /** Of one message, drawn anew for each: so messages overtake each other. */
  readonly delayMs?: readonly [number, number]
  readonly writeMs?: readonly [number, number]
  readonly dropRate?: number
  readonly duplicateRate?: number
  readonly rankStepMs?: number
  readonly campaignTimeoutMs?: number
  /** Pool mode: claims name no seat. */
  readonly pool?: boolean
  readonly onMessage?: (at: number, from: Machine, to: Machine, message: FormationMessage) => void
  readonly onEvent?: (at: number, machine: Machine, event: FormationEvent) => void
}

export interface Machine {
  readonly name: string
  readonly claim: Claim
  disk: Uint8Array
  up: boolean
  /** Counts lives; what a former life had under way is void. */
  life: number
  formation: Formation | undefined
  durable: number
  waiting: { readonly after: number; readonly envelope: FormationEnvelope }[]
  deadline: number | undefined
  certificate: FoundingCertificate | undefined
  conflicted: boolean
  /** Names of the machines that this side has an open session with. */
  readonly sessions: Set<string>
}

const linkName = (a: string, b: string): string => (a < b ? `${a} ${b}` : `${b} ${a}`)
export const setName = (set: FoundingSet): string => set.claims.map((claim) => claim.incarnation).join(' ')
export const setDigest = (set: FoundingSet): string => toHex(sha256(encodeCbor(encodeFoundingSet(set)))).slice(0, 8)

export class World {
  readonly init: Required<WorldInit>
  readonly machines = new Map<string, Machine>()
  /** Every founding set that was ever certified, by digest. */
  readonly certified = new Map<string, FoundingSet>()
  readonly violations: string[] = []
  dropRate: number
  duplicateRate: number
  /** Messages that are lost whatever the rates say. */
  loses: (from: Machine, to: Machine, message: FormationMessage) => boolean = () => false
  messages = 0
  now = 0
  #sequence = 0
  readonly #queue: { readonly at: number; readonly sequence: number; readonly run: () => void }[] = []
  /** Group of each machine; only machines of one group reach each other. Default: all in group 0. */
  readonly #group = new Map<string, number>()
  /** Single links that are down, on top of the groups: so that who reaches whom need not be transitive. */
  readonly #cuts = new Set<string>()

  constructor(init: WorldInit) {
    this.init = {
      delayMs: [1, 1],
      writeMs: [2, 2],
      dropRate: 0,
      duplicateRate: 0,
      rankStepMs: 20,
      campaignTimeoutMs: 200,
      pool: false,
      onMessage: () => {},
      onEvent: () => {},
      ...init
    }
    this.dropRate = this.init.dropRate
    this.duplicateRate = this.init.duplicateRate
  }

  add(name: string, seat: number, peerId = name, store = 1): Machine {
    const machine: Machine = {
      name,
      claim: makeClaim(peerId, this.init.pool ? 0 : seat, store),
      disk: encodeFormationState(initialFormationState),
      up: false,
      life: 0,
      formation: undefined,
      durable: 0,
      waiting: [],
      deadline: undefined,
      certificate: undefined,
      conflicted: false,
      sessions: new Set()
    }
    this.machines.set(name, machine)
    return machine
  }

  machine(name: string): Machine {
    const machine = this.machines.get(name)
    if (machine === undefined) throw new Error(`no machine ${name}`)
    return machine
  }

  start(name: string): void {
    const machine = this.machine(name)
    if (machine.up) return
    machine.up = true
    machine.life++
    machine.durable = 0
    machine.waiting = []
    machine.certificate = undefined
    machine.conflicted = false
    const { foundingSize, rankStepMs, campaignTimeoutMs } = this.init
    machine.formation = createFormation({
      self: machine.claim,
      foundingSize,
      state: decodeFormationState(machine.disk, readClaim),
      crypto: fakeCrypto,
      rankStepMs,
      campaignTimeoutMs
    })
    this.#perform(machine, machine.formation.start(this.now))
    this.#connectAll()
  }

  crash(name: string): void {
    const machine = this.machine(name)
    if (!machine.up) return
    machine.up = false
    machine.life++
    machine.formation = undefined
    machine.deadline = undefined
    for (const peer of machine.sessions) this.#close(machine, this.machine(peer))
  }

  /** Machines of different groups cannot reach each other; unnamed machines share group 0. */
  partition(...groups: readonly (readonly string[])[]): void {
    this.#group.clear()
    for (const [i, group] of groups.entries()) for (const name of group) this.#group.set(name, i + 1)
    this.#connectAll()
  }

  /** Takes the link between two machines down until `heal`. */
  cut(a: string, b: string): void {
    this.#cuts.add(linkName(a, b))
    this.#connectAll()
  }

  heal(): void {
    this.#cuts.clear()
    this.partition()
  }

  run(ms: number): void {
    const end = this.now + ms
    for (;;) {
      const next = this.#queue[0]
      if (next === undefined || next.at > end) break
      this.#queue.shift()
      this.now = next.at
      next.run()
    }
    this.now = end
  }

  input(name: string, input: FormationInput): void {
    const machine = this.machine(name)
    if (machine.formation !== undefined) this.#perform(machine, machine.formation.step(input, this.now))
  }

  #after(ms: number, run: () => void): void {
    const event = { at: this.now + ms, sequence: this.#sequence++, run }
    let at = this.#queue.length
    while (at > 0 && this.#queue[at - 1]!.at > event.at) at--
    this.#queue.splice(at, 0, event)
  }

  /** Does nothing when the machine's life has ended meanwhile. */
  #afterIn(machine: Machine, ms: number, run: () => void): void {
    const { life } = machine
    this.#after(ms, () => {
      if (machine.life === life && machine.up) run()
    })
  }

  #between([low, high]: readonly [number, number]): number {
    return low === high ? low : this.init.random.int(low, high)
  }

  #connectAll(): void {
    const machines = [...this.machines.values()]
    for (const a of machines) {
      for (const b of machines) {
        if (a.name >= b.name) continue
        const open = a.sessions.has(b.name) || b.sessions.has(a.name)
        const wanted = a.up && b.up && this.#reaches(a.name, b.name)
        if (wanted && !open) this.#open(a, b)
        if (!wanted && open) this.#close(a, b)
      }
    }
  }

  #reaches(a: string, b: string): boolean {
    return (this.#group.get(a) ?? 0) === (this.#group.get(b) ?? 0) && !this.#cuts.has(linkName(a, b))
  }

  #open(a: Machine, b: Machine): void {
    for (const [near, far] of [
      [a, b],
      [b, a]
    ] as const) {
      near.sessions.add(far.name)
      const { life } = far
      this.#afterIn(near, this.#between(this.init.delayMs), () => {
        if (near.sessions.has(far.name) && far.life === life) {
          this.input(near.name, { type: 'founder-connected', claim: far.claim })
        }
      })
    }
  }

  #close(a: Machine, b: Machine): void {
    for (const [near, far] of [
      [a, b],
      [b, a]
    ] as const) {
      if (near.sessions.delete(far.name) && near.up) {
        this.input(near.name, { type: 'founder-disconnected', incarnation: far.claim.incarnation })
      }
    }
  }

  #perform(machine: Machine, effects: FormationEffects): void {
    for (const event of effects.events) {
      if (event.type === 'seat-conflict' && event.own) machine.conflicted = true
      if (event.type === 'rival-certificate') this.violations.push(`${machine.name} met a rival certificate`)
      this.init.onEvent(this.now, machine, event)
    }
    if (effects.write !== undefined) {
      const { id, state } = effects.write
      if (state.certificate !== undefined) this.#certify(state.certificate)
      const bytes = encodeFormationState(state)
      this.#afterIn(machine, this.#between(this.init.writeMs), () => this.#persist(machine, id, bytes))
    }
    for (const envelope of effects.send) this.#transmit(machine, envelope)
    for (const envelope of effects.sendAfter) machine.waiting.push({ after: effects.sendAfterWrite, envelope })
    this.#flush(machine)
    if (effects.sign !== undefined) {
      const { term, payload } = effects.sign
      const signed: FormationInput = { type: 'signed', term, payload, signature: fakeSign(machine.claim, payload) }
      this.#afterIn(machine, 0, () => this.input(machine.name, signed))
    }
    if (effects.formed !== undefined) {
      this.#certify(effects.formed)
      machine.certificate = effects.formed
      const latched = decodeFormationState(machine.disk, readClaim).certificate
      if (latched === undefined) this.violations.push(`${machine.name} says formed before its latch is durable`)
    }
    this.#arm(machine, effects.deadline)
  }

  #arm(machine: Machine, deadline: number | undefined): void {
    machine.deadline = deadline
    if (deadline === undefined) return
    this.#afterIn(machine, Math.max(0, deadline - this.now), () => {
      if (machine.deadline === deadline) this.input(machine.name, { type: 'tick' })
    })
  }

  #persist(machine: Machine, id: number, bytes: Uint8Array): void {
    // Write times vary, but a store keeps the order of its writes: an overtaken one is durable with the later.
    if (id <= machine.durable) return
    machine.durable = id
    machine.disk = bytes
    this.#flush(machine)
    this.input(machine.name, { type: 'persisted', write: id })
  }

  #flush(machine: Machine): void {
    const ready = machine.waiting.filter(({ after }) => after <= machine.durable)
    machine.waiting = machine.waiting.filter(({ after }) => after > machine.durable)
    for (const { envelope } of ready) this.#transmit(machine, envelope)
  }

  #transmit(from: Machine, { to: incarnation, message }: FormationEnvelope): void {
    this.messages++
    this.#justify(from, incarnation, message)
    const to = [...this.machines.values()].find((machine) => machine.claim.incarnation === incarnation)!
    this.init.onMessage(this.now, from, to, message)
    if (this.loses(from, to, message)) return
    const bytes = encodeCbor(encodeFormationMessage(message))
    const copies = this.init.random.next() < this.duplicateRate ? 2 : 1
    for (let i = 0; i < copies; i++) {
      if (this.init.random.next() < this.dropRate) continue
      this.#afterIn(to, this.#between(this.init.delayMs), () => {
        if (!to.sessions.has(from.name)) return
        const received = decodeFormationMessage(decodeCbor(bytes), readClaim)
        this.input(to.name, { type: 'message', from: from.claim.incarnation, message: received })
      })
    }
  }

  /** The disk must already say what a promise promises. */
  #justify(from: Machine, to: string, message: FormationMessage): void {
    if (message.type !== 'vote' && message.type !== 'accept') return
    const disk = decodeFormationState(from.disk, readClaim)
    const voted = disk.term > message.term || (disk.term === message.term && disk.votedFor === to)
    const accepted = (disk.accepted?.term ?? 0) >= message.term
    if (message.type === 'vote' ? !voted : !accepted) {
      this.violations.push(`${from.name} sent a ${message.type} of term ${message.term} that its disk does not justify`)
    }
  }

  #certify(certificate: FoundingCertificate): void {
    this.certified.set(setDigest(certificate.set), certificate.set)
    if (this.certified.size > 1) {
      const sets = [...this.certified.values()].map((set) => `{${setName(set)}}`).join(' and ')
      this.violations.push(`split: ${sets}`)
    }
  }
}
