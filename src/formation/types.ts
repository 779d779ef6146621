/**
 * The boundary of formation on one screen: what it is told, what it asks for. `index.ts` explains the protocol.
 *
 * Formation is pure: no clock, disk, socket, key or chance of its own. Signatures are asked for as an effect, because a key
 * may live in another process (R-IDN-8), and checked through the injected `FormationCrypto`, so that a model checker can
 * drive the shipped code with arithmetic that costs nothing.
 */
import type { FormationMessage } from './messages.ts'

/** (PeerId, storeId) as one text: `<peerId>#<storeId in hex>`. Votes and acceptances are counted per incarnation. */
export type IncarnationId = string

/** A claim as formation needs it: verified at the edge, before it comes here. */
export interface Claim {
  readonly incarnation: IncarnationId
  readonly peerId: string
  /** 1 to N; 0 in pool mode, where claims name no seat and a member's place in the founding set becomes its seat. */
  readonly seat: number
  /** The signed document; its hash stands for it. */
  readonly bytes: Uint8Array
}

/** A proposed or accepted founding set: N claims, one for each seat, sorted by seat (in pool mode by incarnation). */
export interface FoundingSet {
  readonly claims: readonly Claim[]
}

export interface Acceptance {
  readonly incarnation: IncarnationId
  /** The acceptor's claim: proves that the signer holds founding credentials, also when it is not in the set. */
  readonly claim: Claim
  readonly signature: Uint8Array
}

/**
 * N acceptances of one set in one term, sorted by incarnation. What is agreed exactly once is the *set*: two certificates of
 * one founding may differ in term and signers (a leader that died right after the last signature). So `clusterId` must be
 * derived from (domainId, generation, set) alone, never from term or acceptances.
 */
export interface FoundingCertificate {
  readonly term: number
  readonly set: FoundingSet
  readonly acceptances: readonly Acceptance[]
}

/** Everything that must survive a crash, written as one record. */
export interface FormationState {
  readonly term: number
  readonly votedFor: IncarnationId | undefined
  readonly accepted: { readonly term: number; readonly set: FoundingSet } | undefined
  /** The latch: once set, this store never founds again. */
  readonly certificate: FoundingCertificate | undefined
}

export interface FormationCrypto {
  /** Stands for (domainId, generation, term, set): what an acceptor signs, as bytes. */
  acceptancePayload(term: number, set: FoundingSet): Uint8Array
  verifyAcceptance(payload: Uint8Array, acceptance: Acceptance): boolean
  /** Verifies a claim document that came inside a message; undefined when it does not hold for this genesis. */
  readClaim(bytes: Uint8Array): Claim | undefined
}

export interface FormationInit {
  readonly self: Claim
  readonly foundingSize: number
  readonly state: FormationState
  readonly crypto: FormationCrypto
  /** Rank i campaigns i steps after rank 0. More than a delay and a write, so that the ranks do not meet. */
  readonly rankStepMs: number
  /** How long a campaign may take before the next term; doubles with each that fails. Several delays and writes. */
  readonly campaignTimeoutMs: number
}

export type FormationInput =
  | { readonly type: 'tick' }
  /** An authenticated session with a holder of founding credentials is open. */
  | { readonly type: 'founder-connected'; readonly claim: Claim }
  | { readonly type: 'founder-disconnected'; readonly incarnation: IncarnationId }
  | { readonly type: 'message'; readonly from: IncarnationId; readonly message: FormationMessage }
  | { readonly type: 'persisted'; readonly write: number }
  /** A certificate that came by another way (the hello of a session, a file beside the key). Verified here. */
  | { readonly type: 'certificate-seen'; readonly certificate: FoundingCertificate }
  /** The answer to a `sign` effect. */
  | { readonly type: 'signed'; readonly term: number; readonly payload: Uint8Array; readonly signature: Uint8Array }

export interface FormationEnvelope {
  readonly to: IncarnationId
  readonly message: FormationMessage
}

export interface FormationEffects {
  readonly write: { readonly id: number; readonly state: FormationState } | undefined
  readonly send: readonly FormationEnvelope[]
  /** Must not leave before every write up to and including `sendAfterWrite` is durable. */
  readonly sendAfter: readonly FormationEnvelope[]
  readonly sendAfterWrite: number
  /** Sign this with the node key and answer with `signed`; issued only when the acceptance is durable. */
  readonly sign: { readonly term: number; readonly payload: Uint8Array } | undefined
  /** Set once, after the latch is durable. */
  readonly formed: FoundingCertificate | undefined
  readonly events: readonly FormationEvent[]
  readonly deadline: number | undefined
}

export type FormationEvent =
  | {
      readonly type: 'founder-seen'
      readonly seat: number
      readonly peerId: string
      readonly present: number
      readonly of: number
    }
  | { readonly type: 'campaign'; readonly term: number }
  | { readonly type: 'elected'; readonly term: number; readonly votes: number }
  | { readonly type: 'accepted'; readonly term: number }
  | {
      readonly type: 'seat-conflict'
      readonly seat: number
      readonly claims: readonly [Claim, Claim]
      readonly own: boolean
    }
  | { readonly type: 'formed'; readonly term: number }
  /** A valid certificate of a set other than the latched one: 2N incarnations were alive. An alarm for people. */
  | { readonly type: 'rival-certificate'; readonly certificate: FoundingCertificate }

export interface Formation {
  /** Once, before any step. A restored certificate is reported here as `formed`. */
  start(now: number): FormationEffects
  step(input: FormationInput, now: number): FormationEffects
  /** The stage alone, for whoever looks after every step. */
  stage(): FormationStage
  status(): FormationStatus
}

export const FORMATION_STAGES = ['gathering', 'electing', 'agreeing', 'formed', 'conflict'] as const

export type FormationStage = (typeof FORMATION_STAGES)[number]

export interface FormationStatus {
  readonly stage: FormationStage
  readonly term: number
  /** By seat. */
  readonly present: readonly Claim[]
  readonly missingSeats: readonly number[]
  /** Distinct incarnations that were met in this process life, or that its messages and durable state name. */
  readonly seen: readonly IncarnationId[]
  readonly conflict: { readonly seat: number; readonly claims: readonly [Claim, Claim] } | undefined
}
