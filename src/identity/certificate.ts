/**
 * The founding certificate: N claims, one a seat, and N signatures over exactly that set in one term (DESIGN: formation).
 *
 * `clusterId` is the SHA-256 of the body (domain, generation, claims) without a term. What is agreed exactly once is the set: a
 * leader that died right after the last signature may leave two certificates of one set, signed in different terms by different
 * acceptors, and both must name the same cluster. So neither term nor signatures are part of it, and a claim enters the body as
 * its signed payload, not as its bundle with signatures.
 *
 * An acceptance is the signature of a COSE_Sign signer (RFC 9052 section 4.4) whose payload is the body; the signer's header
 * names no key, because all acceptors of a term must sign the same bytes. Who signed follows from the claim beside it.
 *
 *     certificate = [kind, term, [+ claim bundle], [+ [index into the set | claim bundle, signature]]]
 *
 * Domain and generation come from the genesis that it is checked against, and are inside every signed byte of it.
 */
import { compareText, equalBytes } from '../core/bytes.ts'
import { encodeCbor, type CborValue } from '../core/cbor.ts'
import { sha256 } from '../core/hash.ts'
import type { Acceptance, Claim, FormationCrypto, FoundingCertificate, FoundingSet } from '../formation/types.ts'
import { CLAIM_BUNDLE_BYTES_MAX, claimPayload, readClaim } from './claim.ts'
import { signatureStructure } from './cose.ts'
import { decodeDocument, InvalidDocumentError } from './document.ts'
import { SIGNATURE_BYTES, verifySignature } from './ed25519.ts'
import { FOUNDING_SIZE_MAX, type VerifiedGenesis } from './genesis.ts'
import { publicKeyFromPeerId } from './peer-id.ts'
import { Proven } from './proven.ts'

/** A bundle for each seat, and in the worst case another one for each acceptor. */
const CERTIFICATE_BYTES_MAX = 2 * FOUNDING_SIZE_MAX * (CLAIM_BUNDLE_BYTES_MAX + 128)

const KIND = 'quorate/founding-certificate/v1'
/** A campaign a millisecond would need 34 years to get here. */
const TERM_MAX = 2 ** 40

/** A certificate that holds for a genesis and generation. */
export interface VerifiedCertificate {
  readonly certificate: FoundingCertificate
  /** 32 bytes. */
  readonly clusterId: Uint8Array
  /** The document as read; what is stored and handed to peers. */
  readonly bytes: Uint8Array
}

/** The signatures and claims of one genesis and generation, as formation asks for them. Never throws. */
export function formationCrypto(genesis: VerifiedGenesis, generation = genesis.genesis.generation): FormationCrypto {
  // A leader of founding checks one acceptance after the other of one set, in one term.
  let last: { readonly term: number; readonly set: FoundingSet; readonly payload: Uint8Array } | undefined
  return {
    acceptancePayload(term, set) {
      if (last?.term !== term || last.set !== set) {
        const payload = signatureStructure(KIND, undefined, certificateBody(genesis, generation, term, set))
        last = { term, set, payload }
      }
      return last.payload
    },
    verifyAcceptance: (payload, acceptance) => {
      const publicKey = publicKeyFromPeerId(acceptance.claim.peerId)
      return (
        publicKey !== undefined &&
        acceptance.incarnation === acceptance.claim.incarnation &&
        verifySignature(publicKey, payload, acceptance.signature)
      )
    },
    readClaim: (bytes) => readFoundingClaim(bytes, genesis, generation)
  }
}

/** Stands for the term in the body that names the cluster. Nobody signs it: terms start at 1. */
const NO_TERM = 0

/** The clusterId that this certificate's set has; says nothing about whether the certificate holds. */
export function clusterIdOf(
  certificate: FoundingCertificate,
  genesis: VerifiedGenesis,
  generation = genesis.genesis.generation
): Uint8Array {
  return sha256(certificateBody(genesis, generation, NO_TERM, certificate.set))
}

export function encodeCertificate(certificate: FoundingCertificate): Uint8Array {
  const { term, set, acceptances } = certificate
  return encodeCbor([
    KIND,
    term,
    set.claims.map(({ bytes }) => bytes),
    acceptances.map(({ claim, signature }) => {
      const index = set.claims.findIndex((member) => equalBytes(member.bytes, claim.bytes))
      return [index === -1 ? claim.bytes : index, signature]
    })
  ])
}

/** Reads and proves a certificate against the genesis. Throws InvalidDocumentError. */
export function readCertificate(
  bytes: Uint8Array,
  genesis: VerifiedGenesis,
  generation = genesis.genesis.generation
): VerifiedCertificate {
  if (generation !== genesis.genesis.generation) return proveCertificate(bytes, genesis, generation)
  let known = proven.get(genesis)
  if (known === undefined) proven.set(genesis, (known = new Proven(CERTIFICATES_REMEMBERED_MAX)))
  const before = known.get(bytes)
  if (before !== undefined) return before
  const certificate = proveCertificate(bytes, genesis, generation)
  return known.keep(certificate.bytes, certificate)
}

/** A cluster has one; further ones of the same set may have been signed in other terms, and a simulator sees many clusters. */
const CERTIFICATES_REMEMBERED_MAX = 32
/** Of the genesis' own generation. */
const proven = new WeakMap<VerifiedGenesis, Proven<VerifiedCertificate>>()

function proveCertificate(bytes: Uint8Array, genesis: VerifiedGenesis, generation: number): VerifiedCertificate {
  const raw = decodeCertificate(bytes)
  const { foundingSize } = genesis.genesis
  const claims = raw.set.map((bundle) => requireClaim(bundle, genesis, generation))
  requireSeats(claims, foundingSize)
  const acceptances = raw.acceptances.map(({ by, signature }): Acceptance => {
    const claim = typeof by === 'number' ? claims[by]! : requireClaim(by, genesis, generation)
    return { incarnation: claim.incarnation, claim, signature }
  })
  const certificate: FoundingCertificate = { term: raw.term, set: { claims }, acceptances }
  requireAcceptances(certificate, formationCrypto(genesis, generation), foundingSize)
  return { certificate, clusterId: clusterIdOf(certificate, genesis, generation), bytes: bytes.slice() }
}

interface RawCertificate {
  readonly term: number
  readonly set: readonly Uint8Array[]
  readonly acceptances: readonly { readonly by: number | Uint8Array; readonly signature: Uint8Array }[]
}

/** The structure without any proof. Throws InvalidDocumentError. */
export function decodeCertificate(bytes: Uint8Array): RawCertificate {
  const limits = { depthMax: 4, itemsMax: 6 + 4 * FOUNDING_SIZE_MAX }
  const value = decodeDocument(KIND, bytes, CERTIFICATE_BYTES_MAX, limits)
  const [kind, term, set, acceptances, ...rest] = Array.isArray(value) ? (value as readonly CborValue[]) : []
  if (kind !== KIND || rest.length > 0) return malformed(`an array that starts with ${KIND} is expected`)
  if (typeof term !== 'number' || term < 1 || term > TERM_MAX) {
    return malformed('its term is not within 1 to 2^40')
  }
  const bundles = arrayOf(set, 'set').map((item) =>
    item instanceof Uint8Array ? item : malformed('a claim is not bytes')
  )
  return {
    term,
    set: bundles,
    acceptances: arrayOf(acceptances, 'acceptances').map((item) => {
      const [by, signature, ...more] = Array.isArray(item) ? (item as readonly CborValue[]) : []
      if (!(signature instanceof Uint8Array) || signature.byteLength !== SIGNATURE_BYTES || more.length > 0) {
        return malformed('an acceptance is not a claim and a signature')
      }
      if (typeof by === 'number' && by >= 0 && by < bundles.length) return { by, signature }
      // One form for one meaning: a claim of the set is named by its place there.
      if (by instanceof Uint8Array && !bundles.some((bundle) => equalBytes(bundle, by))) return { by, signature }
      return malformed('an acceptance does not name its claim')
    })
  }
}

function arrayOf(value: CborValue | undefined, what: string): readonly CborValue[] {
  if (!Array.isArray(value)) return malformed(`its ${what} is not an array`)
  const items = value as readonly CborValue[]
  if (items.length < 1 || items.length > FOUNDING_SIZE_MAX) {
    return malformed(`its ${what} has ${items.length} items instead of 1 to ${FOUNDING_SIZE_MAX}`)
  }
  return items
}

function requireSeats(claims: readonly Claim[], foundingSize: number): void {
  if (claims.length !== foundingSize) return rule(`it has ${claims.length} claims for ${foundingSize} seats`)
  for (const [i, { seat }] of claims.entries()) {
    if (seat !== i + 1)
      return rule(`claim ${i + 1} is for seat ${seat}; seats run from 1 to ${foundingSize}, each once`)
  }
  if (new Set(claims.map(({ peerId }) => peerId)).size !== claims.length) rule('one peer has two seats')
}

function requireAcceptances(certificate: FoundingCertificate, crypto: FormationCrypto, foundingSize: number): void {
  const { term, set, acceptances } = certificate
  for (const [i, { incarnation }] of acceptances.entries()) {
    const sorted = i === 0 || compareText(acceptances[i - 1]!.incarnation, incarnation) < 0
    if (!sorted) rule(`acceptances are repeated or not sorted (${incarnation})`)
  }
  if (acceptances.length !== foundingSize) {
    throw new InvalidDocumentError(KIND, 'missing-signature', `${acceptances.length} accepted, ${foundingSize} must`)
  }
  const payload = crypto.acceptancePayload(term, set)
  for (const acceptance of acceptances) {
    if (!crypto.verifyAcceptance(payload, acceptance)) {
      throw new InvalidDocumentError(KIND, 'bad-signature', `the acceptance of ${acceptance.incarnation} does not hold`)
    }
  }
}

function requireClaim(bytes: Uint8Array, genesis: VerifiedGenesis, generation: number): Claim {
  const claim = readClaim(bytes, genesis, generation)
  return claim.founding ?? rule(`the claim of ${claim.incarnation} takes no seat`)
}

function readFoundingClaim(bytes: Uint8Array, genesis: VerifiedGenesis, generation: number): Claim | undefined {
  try {
    return readClaim(bytes, genesis, generation).founding
  } catch (error) {
    if (error instanceof InvalidDocumentError) return undefined
    throw error
  }
}

const certificateBody = (genesis: VerifiedGenesis, generation: number, term: number, set: FoundingSet): Uint8Array =>
  encodeCbor([genesis.domainId, generation, term, set.claims.map(({ bytes }) => claimPayload(bytes))])

const malformed = (reason: string): never => {
  throw new InvalidDocumentError(KIND, 'malformed', reason)
}

const rule = (reason: string): never => {
  throw new InvalidDocumentError(KIND, 'rule', reason)
}
