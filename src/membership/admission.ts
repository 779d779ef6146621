/** Placeholder boundary; the room is being built. */
export type RefusalCode =
  | 'malformed'
  | 'version'
  | 'foreign-domain'
  | 'foreign-generation'
  | 'foreign-cluster'
  | 'genesis-unknown'
  | 'no-credential'
  | 'unknown-issuer'
  | 'bad-signature'
  | 'token-expired'
  | 'token-not-yet-valid'
  | 'token-wrong-peer'
  | 'token-already-used'
  | 'not-in-roster'
  | 'role-forbidden'
  | 'clone'
  | 'revoked'
  | 'self'
  | 'timeout'

export interface Refusal {
  readonly code: RefusalCode
  /** One sentence for people, naming the values. At most 512 characters, control characters escaped. */
  readonly detail: string
}

/** What admission proved about a peer. */
export interface Admitted {
  readonly peerId: string
  /** Hex of 16 bytes. */
  readonly storeId: string
}
