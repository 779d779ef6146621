/**
 * Admission: how two nodes that have a secure channel find out whether they belong together.
 *
 * Both send a hello at once, judge the other's, and send a verdict. Both verdicts must be yes. It is symmetric: there is no
 * client and no server, and each side learns its own reason when it is refused.
 *
 *     hello    instance (8 bytes), sequence (4 bytes, big-endian), then the gate's hello
 *     verdict  the gate's verdict
 *     waiting  a node that holds no genesis yet cannot judge. It says so, reads the peer's verdict, which brings the genesis
 *              when it is a yes, judges, and sends its own. A second `waiting` means that it still cannot.
 *     heard    after a refusal, once both sides know: without it, the side that closes first could destroy the other's reason
 *              on its way (a TCP reset discards what was not read).
 *
 * After a yes nothing follows: what comes next on the bytes belongs to the next layer. The class is a state machine without
 * input or output of its own; `runExchange` drives it over bytes, the memory transport frame by frame.
 *
 * `instance` names the peer's process, `sequence` counts its dials. They say nothing about trust; with them both sides agree
 * which of several connections survives (session-table.ts).
 */
import { concat, toHex } from '../core/bytes.ts'
import { messageOf } from '../core/errors.ts'
import type { AdmissionGate, Admitted, Refusal } from './gate.ts'
import { FrameKind, type Frame } from './framing.ts'

export type ExchangeOutcome =
  | {
      readonly type: 'admitted'
      readonly admitted: Admitted
      /** Hex; names the peer's process. */
      readonly instance: string
      /** The peer's count of its dials. */
      readonly sequence: number
    }
  /** At least one of the two is set: what we said, and what they said. */
  | { readonly type: 'refused'; readonly ours: Refusal | undefined; readonly theirs: Refusal | undefined }

export interface ExchangeInit {
  readonly gate: AdmissionGate
  /** Proved by the secure channel. */
  readonly remotePeerId: string
  /** 8 bytes that name our process. */
  readonly instance: Uint8Array
  readonly sequence: number
}

export const INSTANCE_BYTES = 8
const PREFIX_BYTES = INSTANCE_BYTES + 4
const NOTHING = new Uint8Array(0)

const waiting: Frame = { kind: FrameKind.waiting, body: NOTHING }
const heard: Frame = { kind: FrameKind.heard, body: NOTHING }

/** The peer sent a frame that does not belong here. */
class OutOfTurn extends Error {}

export class AdmissionExchange {
  readonly #init: ExchangeInit
  #state: 'hello' | 'verdict' | 'heard' | 'done' = 'hello'
  #peerHello = NOTHING as Uint8Array
  #instance = ''
  #sequence = 0
  /** Undefined while we cannot judge. */
  #judged: { readonly admitted: Admitted } | { readonly refusal: Refusal } | undefined
  #peerWaits = false
  #outcome: ExchangeOutcome | undefined

  constructor(init: ExchangeInit) {
    this.#init = init
  }

  /** Set as soon as it is known; the exchange may still wait for `heard`. */
  get outcome(): ExchangeOutcome | undefined {
    return this.#outcome
  }

  /** Nothing more to send or to wait for. */
  get done(): boolean {
    return this.#state === 'done'
  }

  start(): readonly Frame[] {
    const { gate, instance, sequence } = this.#init
    const prefix = new Uint8Array(PREFIX_BYTES)
    prefix.set(instance)
    new DataView(prefix.buffer).setUint32(INSTANCE_BYTES, sequence)
    return [{ kind: FrameKind.hello, body: concat(prefix, gate.hello()) }]
  }

  /** Takes a frame of the peer, gives those to send. Throws only what the gate throws. */
  receive(frame: Frame): readonly Frame[] {
    try {
      switch (this.#state) {
        case 'hello':
          return this.#onHello(frame)
        case 'verdict':
          return this.#onAnswer(frame)
        case 'heard':
          if (frame.kind === FrameKind.heard) this.#state = 'done'
          return []
        case 'done':
          return []
      }
    } catch (error) {
      if (!(error instanceof OutOfTurn)) throw error
      return this.#refuse({ code: 'malformed', detail: error.message }, undefined)
    }
  }

  /** Ends it with our own refusal, for example at the deadline. */
  giveUp(refusal: Refusal): void {
    this.#outcome ??= { type: 'refused', ours: refusal, theirs: undefined }
    this.#state = 'done'
  }

  #onHello(frame: Frame): readonly Frame[] {
    if (frame.kind !== FrameKind.hello) throw new OutOfTurn(`frame of kind ${frame.kind} instead of a hello`)
    if (frame.body.byteLength < PREFIX_BYTES) throw new OutOfTurn(`a hello of ${frame.body.byteLength} bytes`)
    this.#instance = toHex(frame.body.subarray(0, INSTANCE_BYTES))
    this.#sequence = new DataView(frame.body.buffer, frame.body.byteOffset).getUint32(INSTANCE_BYTES)
    // A copy: it may be judged again, after its chunk has been reused.
    this.#peerHello = frame.body.slice(PREFIX_BYTES)
    this.#state = 'verdict'
    return [this.#judge() ?? waiting]
  }

  /** Our verdict, or undefined when the gate cannot say yet. */
  #judge(): Frame | undefined {
    const judgement = this.#init.gate.judge(this.#peerHello, this.#init.remotePeerId)
    if (judgement.type === 'undecided') return undefined
    this.#judged = judgement.type === 'admitted' ? judgement : { refusal: judgement.refusal }
    return { kind: FrameKind.verdict, body: judgement.verdict }
  }

  #onAnswer(frame: Frame): readonly Frame[] {
    switch (frame.kind) {
      case FrameKind.verdict:
        return this.#onVerdict(frame.body)
      case FrameKind.waiting:
        return this.#onWaiting()
      case FrameKind.heard:
        if (this.#ourRefusal === undefined) throw new OutOfTurn('the peer ended an admission that nobody had refused')
        return this.#refuse(this.#ourRefusal, undefined, 'done')
      default:
        throw new OutOfTurn(`frame of kind ${frame.kind} instead of a verdict`)
    }
  }

  #onVerdict(body: Uint8Array): readonly Frame[] {
    const verdict = this.#init.gate.readVerdict(body, this.#init.remotePeerId)
    if (!verdict.ok) return this.#refuse(this.#ourRefusal, verdict.refusal)
    const sent: Frame[] = []
    if (this.#judged === undefined) {
      const frame = this.#judge()
      if (frame === undefined) return [waiting, ...this.#refuse(cannotJudge('the peer’s verdict'), undefined)]
      sent.push(frame)
    }
    if (this.#ourRefusal !== undefined) return [...sent, ...this.#refuse(this.#ourRefusal, undefined)]
    this.#admit()
    return sent
  }

  #onWaiting(): readonly Frame[] {
    if (this.#judged === undefined) return this.#refuse(cannotJudge('the peer, which has none either'), undefined)
    if (!this.#peerWaits) {
      this.#peerWaits = true
      return []
    }
    const theirs: Refusal = { code: 'genesis-unknown', detail: 'the peer holds no genesis and could not judge us' }
    return this.#refuse(this.#ourRefusal, theirs)
  }

  get #ourRefusal(): Refusal | undefined {
    return this.#judged !== undefined && 'refusal' in this.#judged ? this.#judged.refusal : undefined
  }

  #admit(): void {
    if (this.#judged === undefined || !('admitted' in this.#judged)) return
    const { admitted } = this.#judged
    this.#outcome = { type: 'admitted', admitted, instance: this.#instance, sequence: this.#sequence }
    this.#state = 'done'
  }

  #refuse(ours: Refusal | undefined, theirs: Refusal | undefined, next: 'heard' | 'done' = 'heard'): readonly Frame[] {
    this.#outcome = { type: 'refused', ours, theirs }
    this.#state = next
    return [heard]
  }
}

const cannotJudge = (source: string): Refusal => ({
  code: 'genesis-unknown',
  detail: `this node holds no genesis, and none came from ${source}`
})

/** What a gate that threw amounts to, for the events. */
export const gateFailed = (error: unknown): Refusal => ({
  code: 'malformed',
  detail: `the peer could not be judged: ${messageOf(error)}`.slice(0, 512)
})
