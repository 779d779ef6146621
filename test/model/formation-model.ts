/**
 * The shipped formation code as a system for the explorer.
 *
 * Each node is one incarnation. A wiped machine is another incarnation on the same seat: which one of them the others are
 * connected to is chosen anew whenever something is heard or a timer fires. Timers may fire at any moment; a crash loses
 * what is in memory and every write that is not yet durable; a write becomes durable at any later moment, or with a
 * synchronous disk in the same step. A signature is given at once: a crash before it equals a crash after it, unsent.
 *
 * What is left out of a state (`pace`, `seen`) can only move timers and texts. Terms are bounded by `termMax`.
 */
import { compareText, equalBytes, toHex } from '../../src/core/bytes.ts'
import {
  type Core,
  foundingQuorum,
  initialCore,
  type Outcome,
  type Pace,
  type Role,
  UNPACED
} from '../../src/formation/core.ts'
import {
  type Claim,
  type FormationCrypto,
  type FormationInput,
  type FormationMessage,
  type FormationState,
  type FoundingSet,
  initialFormationState
} from '../../src/formation/index.ts'
import { begin, transition } from '../../src/formation/step.ts'
import { fakeCrypto, fakeSign } from '../formation/fake-crypto.ts'
import type { LocalResult, Sent, System } from './explorer.ts'

export interface ModelInit {
  readonly foundingSize: number
  readonly claims: readonly Claim[]
  readonly termMax: number
  /** Writes become durable some time later (default), or in the step that made them. */
  readonly disk?: 'asynchronous' | 'synchronous'
  readonly crashes?: boolean
  /** Message types that are always lost, to make a space smaller. Loss is allowed anyway; their handling is then not explored. */
  readonly lost?: readonly FormationMessage['type'][]
  /**
   * Who may be heard in each term, from term 1: the candidate and whom it reaches. Everything else said in that term is lost.
   * Narrows a deep search to the partitions under which a planted bug shows; other terms are not reached.
   */
  readonly schedule?: readonly { readonly candidate: number; readonly reaches: readonly number[] }[]
  /** Also forbid that two sets are ever proposed in one term. Holds below the bound only. */
  readonly oneSetPerTerm?: boolean
  /** Planted bugs. None of these is reachable from shipped code. */
  readonly plant?: {
    readonly quorum?: number
    readonly crypto?: FormationCrypto
    /** The disk says that a write is durable as soon as it is asked for. */
    readonly lyingDisk?: boolean
    /** Messages that do not wait for the write that they rest on. */
    readonly hasty?: FormationMessage['type']
    /** What a restart finds on its disk. */
    readonly restore?: (state: FormationState) => FormationState
    /** What reaches the handler in place of a message. */
    readonly tamper?: (message: FormationMessage, receiver: FormationState) => FormationMessage
  }
}

export interface Local {
  readonly core: Core
  readonly disk: FormationState
  readonly unwritten: readonly { readonly id: number; readonly state: FormationState }[]
  readonly held: readonly { readonly after: number; readonly to: string; readonly message: FormationMessage }[]
}

/** Whatever was planned: a timer may fire now, and nothing is known that would make a campaign futile. */
const AT_ANY_TIME: Pace = { ...UNPACED, campaignAt: 0 }
/** Later than every deadline. */
const LATE = Number.POSITIVE_INFINITY

export class FormationModel implements System<Local, FormationMessage> {
  readonly nodes: number
  readonly #init: ModelInit
  readonly #crypto: FormationCrypto
  readonly #views: readonly (readonly (readonly Claim[])[])[]

  constructor(init: ModelInit) {
    this.#init = init
    this.nodes = init.claims.length
    this.#crypto = init.plant?.crypto ?? fakeCrypto
    this.#views = init.claims.map((self) => views(self, init.claims))
  }

  initial(node: number): LocalResult<Local, FormationMessage> {
    return this.#boot(node, initialFormationState)
  }

  spontaneous(node: number, local: Local): readonly string[] {
    const { core, disk, unwritten } = local
    const actions: string[] = []
    if (core.state.certificate === undefined && this.#mayCampaign(node, core.state.term + 1)) {
      actions.push(...this.#views[node]!.map((_, view) => `campaigns ${view}`))
    }
    if (core.state.term === 0 && (this.#init.schedule === undefined || this.#mayCampaign(node, 1))) {
      actions.push(...this.#views[node]!.map((_, view) => `gathers ${view}`))
    }
    if (unwritten.length > 0) actions.push('persists')
    const crashMatters = this.stateKey(local) !== this.stateKey(this.#boot(node, disk).state)
    if (this.#init.crashes !== false && crashMatters) actions.push('crashes')
    return actions
  }

  act(node: number, local: Local, action: string): LocalResult<Local, FormationMessage> {
    if (action === 'crashes') return this.#boot(node, this.#init.plant?.restore?.(local.disk) ?? local.disk)
    const run = new Run(local, this.#init)
    if (action === 'persists') run.persist()
    else {
      const view = this.#views[node]![Number(action.split(' ')[1])]!
      if (action.startsWith('gathers')) run.leave(view[0])
      run.connectTo(view)
      if (action.startsWith('campaigns')) run.input({ type: 'tick' }, LATE)
    }
    return this.#result(run)
  }

  deliver(_node: number, local: Local, from: number, message: FormationMessage): LocalResult<Local, FormationMessage> {
    const sender = this.#init.claims[from]!
    const run = new Run(local, this.#init)
    run.connectTo([sender])
    const heard = this.#init.plant?.tamper?.(message, run.core.state) ?? message
    run.input({ type: 'message', from: sender.incarnation, message: heard }, 0)
    return this.#result(run)
  }

  stateKey({ core, disk, unwritten, held }: Local): string {
    const { pace: _pace, seen: _seen, settings: _settings, ...matters } = core
    return keyOf({ matters, disk, unwritten, held })
  }

  messageKey = (message: FormationMessage): string => keyOf(message)

  evidence({ core, unwritten }: Local): string | undefined {
    const certificate = core.state.certificate ?? unwritten.at(-1)?.state.certificate
    return certificate === undefined ? undefined : setKey(certificate.set)
  }

  claimOf(message: FormationMessage): { readonly subject: string; readonly value: string } | undefined {
    if (this.#init.oneSetPerTerm !== true || message.type !== 'propose') return undefined
    return { subject: `the set of term ${message.term}`, value: setKey(message.set) }
  }

  #boot(node: number, disk: FormationState): LocalResult<Local, FormationMessage> {
    const settings = {
      self: this.#init.claims[node]!,
      foundingSize: this.#init.foundingSize,
      state: disk,
      crypto: this.#crypto,
      rankStepMs: 1,
      campaignTimeoutMs: 10
    }
    const quorum = this.#init.plant?.quorum ?? foundingQuorum(this.#init.foundingSize)
    const { core } = begin(initialCore(settings, quorum), 0)
    // All are here, and nobody has noticed: whoever does may offer its vote, to one or the other (`gathers`).
    const founders = this.#views[node]![0]!.toSorted((a, b) => compareText(a.incarnation, b.incarnation))
    return this.#result(new Run({ core: { ...core, founders }, disk, unwritten: [], held: [] }, this.#init))
  }

  #result(run: Run): LocalResult<Local, FormationMessage> {
    const node = (incarnation: string): number =>
      this.#init.claims.findIndex((claim) => claim.incarnation === incarnation)
    const from = node(run.core.settings.self.incarnation)
    const sent: Sent<FormationMessage>[] = []
    for (const { to, message } of run.sent) {
      if (this.#init.lost?.includes(message.type) === true || !this.#isHeard(from, node(to), message)) continue
      sent.push({ to: node(to), message })
    }
    return { state: run.local(), sent }
  }

  #mayCampaign(node: number, term: number): boolean {
    const { schedule, termMax } = this.#init
    return term <= termMax && (schedule?.slice(term - 1).some(({ candidate }) => candidate === node) ?? true)
  }

  #isHeard(from: number, to: number, message: FormationMessage): boolean {
    if (this.#init.schedule === undefined || message.type === 'certificate') return true
    const term = this.#init.schedule[(message.type === 'refuse' ? message.of : message.term) - 1]
    if (term === undefined) return false
    return (
      (from === term.candidate && term.reaches.includes(to)) || (to === term.candidate && term.reaches.includes(from))
    )
  }
}

/** One local step: drives the shipped code and plays its disk and key. */
class Run {
  core: Core
  readonly sent: { readonly to: string; readonly message: FormationMessage }[] = []
  readonly #init: ModelInit
  #disk: FormationState
  #unwritten: Local['unwritten']
  #held: Local['held']

  constructor(local: Local, init: ModelInit) {
    this.core = local.core
    this.#disk = local.disk
    this.#unwritten = local.unwritten
    this.#held = local.held
    this.#init = init
  }

  /** Makes these claims live, and nobody live who contests one of them. */
  connectTo(claims: readonly Claim[]): void {
    for (const claim of claims) {
      if (this.core.founders.some((founder) => founder.incarnation === claim.incarnation)) continue
      for (const rival of this.core.founders.filter((founder) => contests(founder, claim))) {
        this.input({ type: 'founder-disconnected', incarnation: rival.incarnation }, 0)
      }
      this.input({ type: 'founder-connected', claim }, 0)
    }
  }

  leave(claim: Claim | undefined): void {
    if (claim !== undefined) this.input({ type: 'founder-disconnected', incarnation: claim.incarnation }, 0)
  }

  input(input: FormationInput, now: number): void {
    this.#take(transition(this.core, input, now))
  }

  persist(): void {
    const [first, ...rest] = this.#unwritten
    if (first === undefined) return
    this.#unwritten = rest
    this.#disk = first.state
    this.#acknowledge(first.id)
  }

  #acknowledge(write: number): void {
    for (const { to, message, after } of this.#held) if (after <= write) this.sent.push({ to, message })
    this.#held = this.#held.filter(({ after }) => after > write)
    this.input({ type: 'persisted', write }, 0)
  }

  /** Write numbers count from the durable one, so that equal situations are equal states. */
  local(): Local {
    const { core } = this
    const base = core.durableWrite
    const relative = (write: number): number => Math.max(0, write - base)
    return {
      core: {
        ...core,
        pace: AT_ANY_TIME,
        seen: [],
        lastWrite: relative(core.lastWrite),
        durableWrite: 0,
        own: { ...core.own, write: relative(core.own.write) },
        role: relativeRole(core.role, relative)
      },
      disk: this.#disk,
      unwritten: this.#unwritten.map(({ id, state }) => ({ id: relative(id), state })),
      held: this.#held.map((held) => ({ ...held, after: relative(held.after) }))
    }
  }

  /** The network is a set: the same message twice is once, and the earlier copy makes the later one redundant. */
  #hold(held: Local['held'][number]): void {
    const key = keyOf([held.to, held.message])
    if (this.#held.some(({ to, message }) => keyOf([to, message]) === key)) return
    this.#held = [...this.#held, held].toSorted((a, b) => compareText(keyOf(a), keyOf(b)))
  }

  #take({ core, effects }: Outcome): void {
    this.core = core
    if (effects.write !== undefined) this.#unwritten = [...this.#unwritten, effects.write]
    this.sent.push(...effects.send)
    for (const { to, message } of effects.sendAfter) {
      const hasty = this.#init.plant?.hasty === message.type
      if (hasty || effects.sendAfterWrite <= core.durableWrite) this.sent.push({ to, message })
      else this.#hold({ after: effects.sendAfterWrite, to, message })
    }
    if (effects.sign !== undefined) {
      const { term, payload } = effects.sign
      const signature = fakeSign(core.settings.self, payload)
      this.#take(transition(core, { type: 'signed', term, payload, signature }, 0))
    }
    if (this.#init.disk === 'synchronous') while (this.#unwritten.length > 0) this.persist()
    if (this.#init.plant?.lyingDisk === true && effects.write !== undefined) {
      this.#acknowledge(effects.write.id)
    }
  }
}

function relativeRole(role: Role, relative: (write: number) => number): Role {
  if (role.type === 'candidate') return { ...role, voteWrite: relative(role.voteWrite) }
  if (role.type === 'latched') return { ...role, write: relative(role.write) }
  return role
}

const contests = (a: Claim, b: Claim): boolean => (a.seat !== 0 && a.seat === b.seat) || a.peerId === b.peerId

/** Every way in which all other seats can be taken by one incarnation each; in pool mode all are there. */
function views(self: Claim, claims: readonly Claim[]): readonly (readonly Claim[])[] {
  if (self.seat === 0) return [claims.filter((claim) => claim !== self)]
  let choices: readonly (readonly Claim[])[] = [[]]
  const seats = [...new Set(claims.map((claim) => claim.seat))].filter((seat) => seat !== self.seat)
  for (const seat of seats) {
    const here = claims.filter((claim) => claim.seat === seat)
    choices = choices.flatMap((choice) => here.map((claim) => [...choice, claim]))
  }
  return choices
}

const setKey = (set: FoundingSet): string => set.claims.map((claim) => claim.incarnation).join(' ')

/** A claim stands for itself by its incarnation; bytes are shown as hex. */
function keyOf(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (item instanceof Uint8Array) return toHex(item)
    if (typeof item === 'object' && item !== null && 'incarnation' in item && 'bytes' in item) return item.incarnation
    return item
  })
}

/** Acceptances whose payload leaves out the term, as a plant: signatures of different terms then verify for each other. */
export const termlessCrypto: FormationCrypto = {
  ...fakeCrypto,
  acceptancePayload: (_term, set) => fakeCrypto.acceptancePayload(0, set),
  verifyAcceptance: (payload, acceptance) => equalBytes(acceptance.signature, fakeSign(acceptance.claim, payload))
}
