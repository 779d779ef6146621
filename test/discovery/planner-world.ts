/** A driver and a network for the dial planner in virtual time: dials take time, reach whoever lives at the address, and are counted. */
import { seededRandom } from '../../src/core/random.ts'
import { createDialPlanner } from '../../src/discovery/dial-planner.ts'
import type { DialPolicy } from '../../src/discovery/dial-policy.ts'
import type { DialPlanner, DialPlannerInput, DialTarget, PeerHint } from '../../src/discovery/port.ts'

export type Answer = { readonly peerId: string } | 'refuses' | 'silent'

export interface Dialled {
  readonly at: number
  readonly target: DialTarget
}

interface Pending {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

export class PlannerWorld {
  now = 0
  readonly planner: DialPlanner
  /** Who lives where; an address that is not here is silent. */
  readonly addresses = new Map<string, Answer>()
  readonly connected = new Set<string>()
  readonly dialled: Dialled[] = []
  readonly transcript: string[] = []
  readonly inFlight = new Map<string, DialTarget>()
  inFlightMost = 0
  /** Every session that a dial opens is ended by the other side after so long; undefined: none is. */
  lastsMs: number | undefined
  readonly latencyMs: number
  readonly timeoutMs: number
  #deadline: number | undefined
  #pending: Pending[] = []
  #order = 0

  constructor(
    init: { self?: string; seed?: number; policy?: Partial<DialPolicy>; latencyMs?: number; timeoutMs?: number } = {}
  ) {
    this.latencyMs = init.latencyMs ?? 5
    this.timeoutMs = init.timeoutMs ?? 1_000
    this.planner = createDialPlanner({
      self: init.self ?? 'self',
      random: seededRandom(init.seed ?? 1),
      ...(init.policy === undefined ? {} : { policy: init.policy })
    })
  }

  hint(source: PeerHint['source'], peerId: string | undefined, ...addresses: string[]): void {
    this.input({ type: 'hint', hint: { source, peerId, addresses } })
  }

  gone(source: PeerHint['source'], peerId: string | undefined, ...addresses: string[]): void {
    this.input({ type: 'hint', hint: { source, peerId, addresses, gone: true } })
  }

  input(input: DialPlannerInput): void {
    const plan = this.planner.step(input, this.now)
    for (const alarm of plan.alarms) this.#note(`alarm ${alarm.code}: ${alarm.detail}`)
    for (const target of plan.dials) this.#dial(target)
    if (plan.deadline !== undefined && plan.deadline <= this.now) {
      throw new Error(`deadline ${plan.deadline} is not after now ${this.now}`)
    }
    this.#deadline = plan.deadline
  }

  disconnect(peerId: string): void {
    if (!this.connected.delete(peerId)) return
    this.#note(`lost ${peerId}`)
    this.input({ type: 'disconnected', peerId })
  }

  at(delayMs: number, run: () => void): void {
    this.#pending.push({ at: this.now + delayMs, order: this.#order++, run })
  }

  runFor(ms: number): void {
    const end = this.now + ms
    for (let steps = 0; ; steps++) {
      if (steps > 1_000_000) throw new Error('the world does not come to rest')
      const next = this.#pending.toSorted((a, b) => a.at - b.at || a.order - b.order)[0]
      const nextAt = Math.min(next?.at ?? Infinity, this.#deadline ?? Infinity)
      if (nextAt > end) break
      this.now = nextAt
      if (next !== undefined && next.at <= nextAt) {
        this.#pending = this.#pending.filter((pending) => pending !== next)
        next.run()
      } else this.input({ type: 'tick' })
    }
    this.now = end
  }

  dialsOf(key: string): number[] {
    return this.dialled.filter(({ target }) => target.key === key).map(({ at }) => at)
  }

  #dial(target: DialTarget): void {
    if (this.inFlight.has(target.key)) throw new Error(`two dials to ${target.key} at once`)
    if (target.peerId !== undefined && this.connected.has(target.peerId))
      throw new Error(`dialled connected ${target.key}`)
    this.inFlight.set(target.key, target)
    this.inFlightMost = Math.max(this.inFlightMost, this.inFlight.size)
    this.dialled.push({ at: this.now, target })
    this.#note(`dial ${target.key}${target.key === target.addresses[0] ? '' : ` at ${target.addresses.join(' ')}`}`)
    const answer = target.addresses
      .map((address) => this.addresses.get(address) ?? 'silent')
      .find((a) => a !== 'silent')
    this.at(answer === undefined ? this.timeoutMs : this.latencyMs, () => this.#answer(target, answer))
  }

  #answer(target: DialTarget, answer: Answer | undefined): void {
    this.inFlight.delete(target.key)
    const { key } = target
    if (answer === 'refuses') {
      this.#note(`refused ${key}`)
      return this.input({ type: 'dial-failed', key, code: 'ERR_STRANGER', refused: true })
    }
    if (answer === undefined || answer === 'silent') {
      this.#note(`unreachable ${key}`)
      return this.input({ type: 'dial-failed', key, code: 'ERR_UNREACHABLE' })
    }
    if (target.peerId !== undefined && target.peerId !== answer.peerId) {
      this.#note(`mismatch ${key}: ${answer.peerId} answered`)
      return this.input({ type: 'dial-failed', key, code: 'ERR_OTHER_PEER', peerId: answer.peerId })
    }
    this.#note(`reached ${answer.peerId}`)
    if (!this.connected.has(answer.peerId)) {
      this.connected.add(answer.peerId)
      if (this.lastsMs !== undefined) this.at(this.lastsMs, () => this.disconnect(answer.peerId))
      this.input({ type: 'connected', peerId: answer.peerId, address: target.addresses[0]! })
    }
    this.input({ type: 'dial-succeeded', key, peerId: answer.peerId })
  }

  #note(line: string): void {
    this.transcript.push(`${String(Math.round(this.now)).padStart(6)}  ${line}`)
  }
}
