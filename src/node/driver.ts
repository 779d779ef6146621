/**
 * The driver: what turns a replica's decisions into deeds, and deeds into its next inputs.
 *
 * One rule above all: persist, then send, then apply. A frame that rests on a write waits in `#waiting` until the store has
 * synced it; what may leave at once leaves at once, beside the running write (the leader's appends travel while its own disk
 * works). A write that fails is a crash: nothing more is stepped, sent or promised, and the node stops with the error.
 * A frame that waits is for one session; when that ends first, it is dropped, because the next one may belong to another
 * incarnation of the peer.
 *
 * In the middle of an election or a founding nobody waits for reports. What is about leading is reported, with all that comes after
 * it, when the writes of the turn have begun and its frames have left: a line on standard output takes as long as a vote.
 *
 * Nothing waits for time to pass: what is batched is what the same turn of the event loop brought. A notice that the log has
 * committed further leaves at the end of the turn, and not at all when an append that says the same has left before it.
 *
 * A timer that fires late says that this process stood still: the sockets may hold the very heartbeat whose absence the tick
 * would report. So a late tick first lets the pending input in.
 *
 * The driver owns no clock, disk, socket or key; it is handed them, and hands in `now`.
 */
import { type Clock, type Timer } from '../core/clock.ts'
import { atEndOfTurn } from '../core/microtask.ts'
import type { Replica } from '../replica/index.ts'
import type {
  ClientOutcome,
  ReplicaEffects,
  ReplicaEvent,
  ReplicaInput,
  ReplicaSend,
  SignRequest
} from '../replica/types.ts'
import type { Storage } from '../storage/port.ts'

export interface DriverInit {
  readonly replica: Pick<Replica, 'start' | 'stepAll'>
  readonly storage: Pick<Storage, 'write'>
  readonly clock: Clock
  readonly send: (peerId: string, frame: Uint8Array) => void
  /** Writes what was sent now, instead of at the end of this turn. */
  readonly flush?: () => void
  /** As `send`, beside the stream of consensus: what may be slow, and rests on no write. */
  readonly sendBulk: (peerId: string, frame: Uint8Array) => void
  readonly sign: (payload: Uint8Array) => Promise<Uint8Array>
  readonly onEvent: (event: ReplicaEvent) => void
  readonly onOutcome: (outcome: ClientOutcome) => void
  /** Called once; nothing is stepped after it. */
  readonly onFatal: (error: unknown) => void
}

/** A tick that comes this much after its deadline was held up. */
const LATE_MS = 5
/** Shorter than the pause between two heartbeats of most presets: an idle follower's timer never fires. */
const TIMER_EARLY_MS = 50
/**
 * Node counts in whole milliseconds and may fire up to one too early, which costs a second timer and another wake-up. Who waits for
 * as long as a heartbeat's pause asks for one more.
 */
const ROUNDING_MS = 1

export class Driver {
  readonly #init: DriverInit
  #inputs: ReplicaInput[] = []
  /** By rising `after`: writes are numbered in the order of the steps. */
  #waiting: { readonly after: number; readonly to: string; readonly frame: Uint8Array }[] = []
  /** By peer: how far the log has committed, told at the end of the turn unless an append has told it by then. */
  readonly #notices = new Map<string, Uint8Array>()
  /** Not told yet, in the order in which they arose. */
  #reports: Pick<ReplicaEffects, 'events' | 'outcomes'>[] = []
  #reporting = false
  #durable = 0
  #stepping = false
  #scheduled = false
  #stopped = false
  /** When the replica wants its next tick. */
  #deadline = Infinity
  #timer: Timer | undefined
  /** Not after the deadline. */
  #timerAt = Infinity

  constructor(init: DriverInit) {
    this.#init = init
  }

  start(): void {
    this.#stepping = true
    try {
      this.#carryOut(this.#init.replica.start(this.#init.clock.now()))
    } catch (error) {
      this.stop()
      throw error
    }
    this.#drain()
  }

  /**
   * Never re-enters a step: an input that arises while one is carried out waits for its turn. Frames and requests come in
   * heaps (one chunk of a stream, callers that were all answered at once), so they wait for the end of this microtask and are
   * taken together: one entry batch, one write, one message for all of them. A write that is done waits as long, behind the
   * frames that waited for it. Everything else is taken at once, behind them.
   */
  input(input: ReplicaInput): void {
    if (this.#stopped) return
    this.#inputs.push(input)
    if (this.#stepping) return
    if (!comesInHeaps(input) && input.type !== 'persisted') this.#drain()
    else if (!this.#scheduled) {
      this.#scheduled = true
      atEndOfTurn(this.#onEndOfTurn)
    }
  }

  readonly #onEndOfTurn = (): void => {
    this.#scheduled = false
    if (!this.#stepping) this.#drain()
  }

  /** Idempotent; may be called from within `onEvent` and `onOutcome`. */
  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#inputs = []
    this.#waiting = []
    this.#reports = []
    this.#notices.clear()
  }

  #drain(): void {
    this.#stepping = true
    try {
      while (this.#inputs.length > 0 && !this.#stopped) {
        const inputs = this.#nextRun()
        this.#forgetSession(inputs[0]!)
        this.#carryOut(this.#init.replica.stepAll(inputs, this.#init.clock.now()))
        // Due already: a timer of no length would cost a turn of the event loop and a millisecond. One tick, not a chain of them.
        if (this.#isDue() && inputs[0]!.type !== 'tick') this.#inputs.push({ type: 'tick' })
      }
    } catch (error) {
      // The core never throws on input; this is a bug, and its state can no longer be trusted.
      this.#fail(error)
    } finally {
      this.#stepping = false
      this.#reportSoon()
    }
  }

  /** Due, and not held up: a late tick lets the sockets speak first. */
  #isDue(): boolean {
    const lateMs = this.#init.clock.now() - this.#deadline
    return lateMs >= 0 && lateMs <= LATE_MS
  }

  /** Frames and requests that stand one behind the other, or one other input. */
  #nextRun(): readonly ReplicaInput[] {
    const inputs = this.#inputs
    if (inputs.length === 1) {
      this.#inputs = []
      return inputs
    }
    const end = inputs.findIndex((input) => !comesInHeaps(input))
    return inputs.splice(0, end === -1 ? inputs.length : Math.max(1, end))
  }

  /** What was decided before the session came or went was meant for the one before. */
  #forgetSession(input: ReplicaInput): void {
    if (input.type !== 'session-open' && input.type !== 'session-close') return
    const peerId = input.type === 'session-open' ? input.peer.peerId : input.peerId
    this.#waiting = this.#waiting.filter(({ to }) => to !== peerId)
    this.#notices.delete(peerId)
  }

  /** Nearly all steps of a node that idles ask for a frame or for nothing, and a loop over nothing leaves an iterator to be collected. */
  #carryOut(effects: ReplicaEffects): void {
    const { writes, sends, bulk, sign, events, outcomes } = effects
    if (writes.length > 0) for (const { id, batch } of writes) this.#persist(id, batch)
    for (let i = 0; i < sends.length; i++) this.#send(sends[i]!)
    if (bulk.length > 0) for (const { to, frame } of bulk) this.#init.sendBulk(to, frame)
    if (sign.length > 0) for (const request of sign) this.#sign(request)
    if (events.length + outcomes.length > 0) this.#tellInTime(effects)
    this.#arm(effects.deadline)
  }

  #tellInTime(effects: ReplicaEffects): void {
    const isUrgent = effects.events.some(isAboutLeading)
    // The answer takes longer than our own write, and nobody waits for whoever called to take the rest of a connection down.
    if (isUrgent) this.#init.flush?.()
    if (isUrgent || this.#reports.length > 0) this.#reports.push(effects)
    else this.#tell(effects)
  }

  #tell({ events, outcomes }: Pick<ReplicaEffects, 'events' | 'outcomes'>): void {
    for (const event of events) this.#init.onEvent(event)
    for (const outcome of outcomes) this.#init.onOutcome(outcome)
  }

  /** Behind the microtasks in which the store begins its writes and the links write their frames. */
  #reportSoon(): void {
    if (this.#reports.length === 0 || this.#reporting) return
    this.#reporting = true
    atEndOfTurn(() => this.#report())
  }

  #report(): void {
    try {
      // The next one waits until this one has been told, also when it arises from it.
      for (let next = this.#reports[0]; next !== undefined; next = this.#reports[0]) {
        this.#tell(next)
        this.#reports.shift()
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#reporting = false
    }
  }

  #send({ to, frame, after, tells }: ReplicaSend): void {
    if (after > this.#durable) this.#waiting.push({ after, to, frame })
    else if (tells === 'notice') this.#keepNotice(to, frame)
    else {
      if (tells === 'append') this.#notices.delete(to)
      this.#init.send(to, frame)
    }
  }

  /** Whoever waited for this commit often writes again at once: then the next append tells the followers as well. */
  #keepNotice(to: string, frame: Uint8Array): void {
    if (this.#notices.size === 0) this.#init.clock.afterIo(() => this.#sendNotices())
    this.#notices.set(to, frame)
  }

  #sendNotices(): void {
    const notices = [...this.#notices]
    this.#notices.clear()
    for (const [to, frame] of notices) this.#init.send(to, frame)
  }

  #persist(id: number, batch: Parameters<Storage['write']>[0]): void {
    this.#init.storage.write(batch).then(
      () => {
        if (this.#stopped) return
        this.#durable = id
        this.#release(id)
        this.input({ type: 'persisted', write: id })
      },
      (error: unknown) => this.#fail(error)
    )
  }

  #release(durable: number): void {
    let ready = 0
    while (ready < this.#waiting.length && this.#waiting[ready]!.after <= durable) {
      const { to, frame } = this.#waiting[ready]!
      this.#init.send(to, frame)
      ready++
    }
    if (ready > 0) this.#waiting = this.#waiting.slice(ready)
  }

  #sign(request: SignRequest): void {
    this.#init.sign(request.payload).then(
      (signature) => this.input({ type: 'signed', ...request, signature }),
      (error: unknown) => this.#fail(error)
    )
  }

  /**
   * Nearly every message of a leader moves its followers' deadline. So a timer that is set is left alone when the deadline moves
   * back a little; when it fires, it looks how long there is still to wait.
   */
  #arm(deadline: number | undefined): void {
    this.#deadline = deadline ?? Infinity
    if (this.#stopped || this.#deadline === Infinity) return
    if (this.#deadline >= this.#timerAt && this.#deadline < this.#timerAt + TIMER_EARLY_MS) return
    const { clock } = this.#init
    this.#timer?.cancel()
    this.#timerAt = this.#deadline
    const delayMs = this.#deadline - clock.now()
    this.#timer = clock.setTimer(delayMs < TIMER_EARLY_MS ? delayMs : delayMs + ROUNDING_MS, this.#onTimer)
  }

  readonly #onTimer = (): void => this.#wake()

  #wake(): void {
    const { clock } = this.#init
    this.#timer = undefined
    this.#timerAt = Infinity
    const lateMs = clock.now() - this.#deadline
    if (lateMs < 0) this.#arm(this.#deadline)
    else if (lateMs > LATE_MS) clock.afterIo(() => this.input({ type: 'tick' }))
    else this.input({ type: 'tick' })
  }

  #fail(error: unknown): void {
    if (this.#stopped) return
    this.stop()
    this.#init.onFatal(error)
  }
}

const LEADING: ReadonlySet<ReplicaEvent['type']> = new Set([
  ...(['leader', 'role', 'writable'] as const),
  ...(['campaign', 'founding-leader', 'founded'] as const)
])

const isAboutLeading = ({ type }: ReplicaEvent): boolean => LEADING.has(type)

const comesInHeaps = ({ type }: ReplicaInput): boolean => type === 'frame' || type === 'request'
