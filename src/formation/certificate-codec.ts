/**
 * Bytes of a founding set and of a founding certificate, the same in a message, in the store and beside the key.
 *
 * An acceptor that is itself in the set is written as its place there; only a signer outside the set brings its claim along.
 * A certificate thus has one encoding, and carries each claim once. Claims are verified here, signatures in certificate.ts.
 */
import { equalBytes } from '../core/bytes.ts'
import type { CborValue } from '../core/cbor.ts'
import {
  bytesField,
  claimField,
  FieldError,
  fieldsOf,
  listField,
  type ReadClaim,
  SIGNATURE_BYTES_MAX,
  termField
} from './fields.ts'
import type { Acceptance, Claim, FoundingCertificate, FoundingSet } from './types.ts'

export const encodeFoundingSet = (set: FoundingSet): CborValue => set.claims.map((claim) => claim.bytes)

export function decodeFoundingSet(value: CborValue | undefined, readClaim: ReadClaim): FoundingSet {
  return { claims: listField(value, 'founding set').map((bytes) => claimField(bytes, readClaim)) }
}

export function encodeCertificate(certificate: FoundingCertificate): CborValue {
  const { term, set, acceptances } = certificate
  return [
    term,
    encodeFoundingSet(set),
    acceptances.map((acceptance) => [encodeSigner(acceptance.claim, set), acceptance.signature])
  ]
}

/** Throws FieldError. Says nothing about the signatures. */
export function decodeCertificate(value: CborValue | undefined, readClaim: ReadClaim): FoundingCertificate {
  const [term, setValue, list] = fieldsOf(value, 3, 'certificate')
  const set = decodeFoundingSet(setValue, readClaim)
  const acceptances = listField(list, 'acceptances').map((item): Acceptance => {
    const [signer, signature] = fieldsOf(item, 2, 'acceptance')
    const claim = decodeSigner(signer, set, readClaim)
    return { incarnation: claim.incarnation, claim, signature: bytesField(signature, SIGNATURE_BYTES_MAX, 'signature') }
  })
  return { term: termField(term, 1), set, acceptances }
}

function encodeSigner(signer: Claim, set: FoundingSet): CborValue {
  const place = set.claims.findIndex((claim) => equalBytes(claim.bytes, signer.bytes))
  return place === -1 ? signer.bytes : place
}

function decodeSigner(value: CborValue | undefined, set: FoundingSet, readClaim: ReadClaim): Claim {
  if (typeof value === 'number') {
    const claim = set.claims[value]
    if (claim === undefined) throw new FieldError(`no place ${value} in the founding set`)
    return claim
  }
  const claim = claimField(value, readClaim)
  if (set.claims.some((member) => equalBytes(member.bytes, claim.bytes))) {
    throw new FieldError('a signer in the founding set is not written as its place there')
  }
  return claim
}
