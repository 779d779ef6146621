/**
 * The state of one incarnation's formation as an immutable value, and the draft in which one step changes it.
 *
 * That a step maps a value to a value is what makes the model checker cheap: it runs the shipped code once for each pair of
 * local state and input, however many global states contain it. `pace` and `seen` are kept apart from the rest because they
 * can only decide when something happens or what is shown, never what is safe; the checker ignores them and lets every
 * timer fire at any moment.
 */
import { compareText } from '../core/bytes.ts'
import { compareClaims } from './founding-set.ts'
import type { FormationMessage } from './messages.ts'
import type {
  Acceptance,
  Claim,
  FormationEffects,
  FormationEnvelope,
  FormationEvent,
  FormationInit,
  FormationState,
  FoundingCertificate,
  FoundingSet,
  IncarnationId
} from './types.ts'

export interface Settings extends Omit<FormationInit, 'state'> {
  /** How many votes elect and how many acceptances found: `foundingQuorum(foundingSize)`, apart only for the checker. */
  readonly quorum: number
}

/** All of the founding size. See index.ts for why a majority would not do. */
export const foundingQuorum = (foundingSize: number): number => foundingSize

export interface Conflict {
  readonly seat: number
  readonly claims: readonly [Claim, Claim]
  readonly own: boolean
}

export type Role =
  | { readonly type: 'idle' }
  /** Voted for `leader`, or accepted its set, in the current term. */
  | { readonly type: 'following'; readonly leader: IncarnationId }
  | {
      readonly type: 'candidate'
      /** The write of our own vote, which counts once that is durable. */
      readonly voteWrite: number
      /** Claims of the others that voted for us in this term, by incarnation. */
      readonly votes: readonly Claim[]
      readonly refusals: readonly IncarnationId[]
    }
  | { readonly type: 'leader'; readonly set: FoundingSet; readonly acceptances: readonly Acceptance[] }
  /** `state.certificate` is set; `formed` was reported when `announced`. */
  | { readonly type: 'latched'; readonly write: number; readonly announced: boolean }

/** How far our signature under `state.accepted` is. */
export interface OwnAcceptance {
  readonly write: number
  readonly asked: boolean
  readonly signature: Uint8Array | undefined
}

export interface Pace {
  /** Idle and following: when to campaign. Candidate and leader: when to give this term up. */
  readonly campaignAt: number | undefined
  readonly resendAt: number | undefined
  /** Since things last went well; spreads those who keep getting into each other's way. */
  readonly campaigns: number
  /** What connected founders said about the term of their accepted set; decides the order of campaigns. */
  readonly acceptedTerms: ReadonlyMap<IncarnationId, number>
}

export interface Core {
  readonly settings: Settings
  readonly state: FormationState
  readonly lastWrite: number
  readonly durableWrite: number
  /** Connected founders without ourselves, by incarnation. */
  readonly founders: readonly Claim[]
  /** Of these, who voted for us in the first term before we asked, by incarnation. */
  readonly offers: readonly Claim[]
  /** Once it is our own seat, for good. */
  readonly conflict: Conflict | undefined
  readonly role: Role
  readonly own: OwnAcceptance
  readonly pace: Pace
  /** Distinct incarnations ever met, by name; up to SEEN_MAX. */
  readonly seen: readonly IncarnationId[]
}

const SEEN_MAX = 1_024
export const UNPACED: Pace = { campaignAt: undefined, resendAt: undefined, campaigns: 0, acceptedTerms: new Map() }

export function initialCore(init: FormationInit, quorum: number): Core {
  const { state, ...settings } = init
  const named = [...(state.accepted?.set.claims ?? []), ...certificateClaims(state.certificate)]
  const seen = [init.self.incarnation, ...named.map((claim) => claim.incarnation)]
  return {
    settings: { ...settings, quorum },
    state,
    lastWrite: 0,
    durableWrite: 0,
    founders: [],
    offers: [],
    conflict: undefined,
    role: state.certificate === undefined ? { type: 'idle' } : { type: 'latched', write: 0, announced: false },
    own: { write: 0, asked: false, signature: undefined },
    pace: UNPACED,
    seen: unite([], state.votedFor === undefined ? seen : [...seen, state.votedFor])
  }
}

export const certificateClaims = (certificate: FoundingCertificate | undefined): readonly Claim[] =>
  certificate === undefined ? [] : [...certificate.set.claims, ...certificate.acceptances.map((a) => a.claim)]

/** Ourselves and the connected founders, by seat. */
export const present = (core: Core): readonly Claim[] => [core.settings.self, ...core.founders].toSorted(compareClaims)

export const isComplete = (core: Core): boolean => core.founders.length + 1 >= core.settings.foundingSize

export const acceptedTermOf = (core: Core): number => core.state.accepted?.term ?? 0

export interface Outcome {
  readonly core: Core
  readonly effects: FormationEffects
}

/** One step in the making. Handlers change `core` through it and say what has to happen outside. */
export class Step {
  readonly now: number
  #core: Core
  #dirty = false
  #formed: FoundingCertificate | undefined
  #sign: FormationEffects['sign']
  readonly #send: FormationEnvelope[] = []
  readonly #sendAfter: FormationEnvelope[] = []
  readonly #events: FormationEvent[] = []

  constructor(core: Core, now: number) {
    this.#core = core
    this.now = now
  }

  get core(): Core {
    return this.#core
  }

  set(change: Partial<Omit<Core, 'settings' | 'state' | 'lastWrite'>>): void {
    this.#core = { ...this.#core, ...change }
  }

  setPace(change: Partial<Pace>): void {
    this.set({ pace: { ...this.#core.pace, ...change } })
  }

  /** Everything saved in one step is one write. Its id is `core.lastWrite` afterwards. */
  save(change: Partial<FormationState>): void {
    const lastWrite = this.#dirty ? this.#core.lastWrite : this.#core.lastWrite + 1
    this.#dirty = true
    this.#core = { ...this.#core, state: { ...this.#core.state, ...change }, lastWrite }
  }

  send(to: IncarnationId, message: FormationMessage): void {
    this.#send.push({ to, message })
  }

  /** For promises: leaves when everything saved until now is durable. */
  sendAfterSaved(to: IncarnationId, message: FormationMessage): void {
    this.#sendAfter.push({ to, message })
  }

  broadcast(message: FormationMessage, except?: IncarnationId): void {
    for (const founder of this.#core.founders) {
      if (founder.incarnation !== except) this.send(founder.incarnation, message)
    }
  }

  sign(term: number, payload: Uint8Array): void {
    this.#sign = { term, payload }
  }

  formed(certificate: FoundingCertificate): void {
    this.#formed = certificate
  }

  emit(event: FormationEvent): void {
    this.#events.push(event)
  }

  saw(claims: readonly Claim[]): void {
    this.set({
      seen: unite(
        this.#core.seen,
        claims.map((claim) => claim.incarnation)
      )
    })
  }

  finish(): Outcome {
    const core = this.#core
    return {
      core,
      effects: {
        write: this.#dirty ? { id: core.lastWrite, state: core.state } : undefined,
        send: this.#send,
        sendAfter: this.#sendAfter,
        sendAfterWrite: this.#sendAfter.length === 0 ? 0 : core.lastWrite,
        sign: this.#sign,
        formed: this.#formed,
        events: this.#events,
        deadline: deadlineOf(core)
      }
    }
  }
}

function deadlineOf({ pace }: Core): number | undefined {
  if (pace.campaignAt === undefined) return pace.resendAt
  return pace.resendAt === undefined ? pace.campaignAt : Math.min(pace.campaignAt, pace.resendAt)
}

function unite(seen: readonly IncarnationId[], more: readonly IncarnationId[]): readonly IncarnationId[] {
  const fresh = new Set(more.filter((incarnation) => !seen.includes(incarnation)))
  if (fresh.size === 0 || seen.length >= SEEN_MAX) return seen
  return [...seen, ...fresh].toSorted(compareText).slice(0, SEEN_MAX)
}
