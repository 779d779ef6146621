/**
 * Carries out the dial planner: hints from every source in, dials out, outcomes back. It also keeps what a person wants to
 * know afterwards: what was tried, and who refused.
 */
import type { Clock, Timer } from '../core/clock.ts'
import { startDeadline } from '../core/deadline.ts'
import { QuorateError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { createDialPlanner } from '../discovery/dial-planner.ts'
import type {
  DialAttempts,
  DialPlan,
  DialPlanner,
  DialPlannerInput,
  Discovery,
  DiscoveryAlarm,
  PeerHint
} from '../discovery/port.ts'
import { AdmissionRefusedError } from '../transport/errors.ts'
import type { Transport } from '../transport/port.ts'

export interface DialerInit {
  readonly self: string
  readonly clock: Clock
  readonly random: Random
  readonly transport: Transport
  readonly sources: readonly Discovery[]
  readonly dialTimeoutMs: number
  /** A peer was heard of. */
  readonly onHint: (hint: PeerHint) => void
  readonly onAlarm: (alarm: DiscoveryAlarm) => void
}

export class Dialer {
  readonly #init: DialerInit
  readonly #planner: DialPlanner
  readonly #abort = new AbortController()
  #timer: Timer | undefined
  #sourcesStarted = false

  constructor(init: DialerInit) {
    this.#init = init
    this.#planner = createDialPlanner({ self: init.self, random: init.random.fork('dial') })
  }

  /** When the transport listens: sources may announce its addresses. */
  async start(): Promise<void> {
    this.tell({ type: 'self', addresses: this.#init.transport.addresses() })
    this.#sourcesStarted = true
    await Promise.all(
      this.#init.sources.map((source) =>
        source.start({ onHint: (hint) => this.hint(hint), onAlarm: (alarm) => this.#init.onAlarm(alarm) })
      )
    )
  }

  hint(hint: PeerHint): void {
    if (this.#abort.signal.aborted || hint.peerId === this.#init.self) return
    if (hint.gone !== true) this.#init.onHint(hint)
    this.tell({ type: 'hint', hint })
  }

  tell(input: DialPlannerInput): void {
    if (this.#abort.signal.aborted) return
    this.#carryOut(this.#planner.step(input, this.#init.clock.now()))
  }

  explain(): readonly DialAttempts[] {
    return this.#planner.explain(this.#init.clock.now())
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    this.#timer?.cancel()
    if (this.#sourcesStarted) await Promise.all(this.#init.sources.map((source) => source.stop()))
  }

  #carryOut(plan: DialPlan): void {
    for (const alarm of plan.alarms) this.#init.onAlarm(alarm)
    this.#timer?.cancel()
    const { clock } = this.#init
    this.#timer =
      plan.deadline === undefined
        ? undefined
        : // Whoever is at the door by now is seen before we dial whom it may be.
          clock.setTimer(plan.deadline - clock.now(), () => clock.afterIo(() => this.tell({ type: 'tick' })))
    for (const { key, peerId, addresses } of plan.dials) void this.#dial(key, { peerId, addresses })
  }

  async #dial(
    key: string,
    target: { readonly peerId: string | undefined; readonly addresses: readonly string[] }
  ): Promise<void> {
    const { transport, dialTimeoutMs, clock } = this.#init
    const deadline = startDeadline(clock, dialTimeoutMs, { parent: this.#abort.signal })
    try {
      const { peerId } = await transport.dial(target, { signal: deadline.signal })
      this.tell({ type: 'dial-succeeded', key, peerId })
    } catch (error) {
      this.tell({ type: 'dial-failed', key, ...failure(error) })
    } finally {
      deadline.cancel()
    }
  }
}

function failure(error: unknown): { code: string; refused?: boolean; peerId?: string } {
  if (error instanceof AdmissionRefusedError) {
    const { refusal, peerId } = error
    return { code: refusal.code, refused: true, ...(peerId === undefined ? {} : { peerId }) }
  }
  if (error instanceof QuorateError) return { code: error.message.slice(0, 200) }
  return {
    code: error instanceof Error && error.name === 'TimeoutError' ? 'no answer in time' : String(error).slice(0, 200)
  }
}
