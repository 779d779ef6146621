/**
 * The order of admission, for both ends of a connection alike: each sends its hello at once, answers the other's with a verdict,
 * and holds the peer for admitted when both verdicts are good. Pure: `AdmissionExchange` is told frames and says which to send.
 *
 * A node that knows only the domainId cannot judge before it has the genesis. It holds its answer back until the peer's good
 * verdict brings the document, which the domainId proves. When neither side has it, both say `genesis-unknown` at once, so
 * nobody waits for the other. Frames are two each way and no more; anything else is malformed.
 */
import { invariant } from '../core/invariant.ts'
import { InvalidDocumentError } from '../identity/document.ts'
import { readPinnedGenesis, type VerifiedGenesis } from '../identity/genesis.ts'
import { decodeVerdict, encodeVerdict, type Verdict } from './hello.ts'
import { asksForGenesis, judgeHello, type AdmissionContext, type Admitted, type Judgement } from './judge.ts'
import { refusal, type Refusal } from './refusal.ts'

export type ExchangeResult =
  | {
      readonly type: 'admitted'
      readonly admitted: Admitted
      /** The document that the peer handed over, when we had none. */
      readonly genesis: VerifiedGenesis | undefined
    }
  | { readonly type: 'refused'; readonly by: 'us' | 'them'; readonly refusal: Refusal }

export interface ExchangeStep {
  /** Our verdict, to be sent now, also when the exchange ends with this step. */
  readonly send: Uint8Array | undefined
  /** Set once; nothing may be fed after it. */
  readonly result: ExchangeResult | undefined
}

/** One exchange with one peer: feed the peer's two frames in order. */
export class AdmissionExchange {
  readonly #context: () => AdmissionContext
  #genesis: VerifiedGenesis | undefined
  #brought: VerifiedGenesis | undefined
  #hello: Uint8Array | undefined
  #judgement: Judgement | undefined
  #consented = false
  #ended = false

  /** `context` is asked anew for each judgement: the world may change while a peer is slow. */
  constructor(context: () => AdmissionContext) {
    this.#context = context
  }

  /** The peer's next frame: its hello, then its verdict. Never throws for what the frame holds. */
  onFrame(frame: Uint8Array): ExchangeStep {
    invariant(!this.#ended, 'an ended exchange is told nothing')
    const step = this.#hello === undefined ? this.#onHello(frame) : this.#onVerdict(frame)
    this.#ended = step.result !== undefined
    return step
  }

  #onHello(frame: Uint8Array): ExchangeStep {
    this.#hello = frame.slice()
    this.#genesis = this.#context().genesis
    // Only a peer that has the genesis can help us to it; its verdict must come first.
    if (this.#genesis === undefined && !asksForGenesis(frame)) {
      const early = judgeHello(frame, this.#contextNow())
      if (!early.ok && early.refusal.code === 'genesis-unknown') return { send: undefined, result: undefined }
    }
    return this.#answer()
  }

  #onVerdict(frame: Uint8Array): ExchangeStep {
    const verdict = readVerdict(frame)
    if (verdict === undefined) {
      return this.#refused('us', refusal('malformed', 'the peer answered with something that is not a verdict'))
    }
    if (!verdict.ok) return this.#refused('them', refusal(verdict.code, verdict.detail))
    this.#consented = true
    if (this.#judgement !== undefined) return this.#finish(undefined)
    const { genesis } = verdict
    this.#brought = genesis === undefined ? undefined : readPinnedGenesis(genesis, this.#context().domainId)
    this.#genesis = this.#brought
    return this.#answer()
  }

  #answer(): ExchangeStep {
    invariant(this.#hello !== undefined, 'a verdict answers a hello')
    const judgement = judgeHello(this.#hello, this.#contextNow())
    this.#judgement = judgement
    if (!judgement.ok) {
      const send = encodeVerdict({ ok: false, ...judgement.refusal })
      return { send, result: { type: 'refused', by: 'us', refusal: judgement.refusal } }
    }
    const hand = judgement.wantsGenesis ? this.#genesis?.bytes : undefined
    const send = encodeVerdict(hand === undefined ? { ok: true } : { ok: true, genesis: hand })
    return this.#consented ? this.#finish(send) : { send, result: undefined }
  }

  #finish(send: Uint8Array | undefined): ExchangeStep {
    const judgement = this.#judgement
    invariant(judgement?.ok === true, 'both verdicts are good')
    return { send, result: { type: 'admitted', admitted: judgement.admitted, genesis: this.#brought } }
  }

  #refused(by: 'us' | 'them', reason: Refusal): ExchangeStep {
    return { send: undefined, result: { type: 'refused', by, refusal: reason } }
  }

  #contextNow(): AdmissionContext {
    const context = this.#context()
    return { ...context, genesis: context.genesis ?? this.#genesis }
  }
}

function readVerdict(frame: Uint8Array): Verdict | undefined {
  try {
    return decodeVerdict(frame)
  } catch (error) {
    if (error instanceof InvalidDocumentError) return undefined
    throw error
  }
}
