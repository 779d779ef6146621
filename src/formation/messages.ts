/**
 * What founders say to each other, and its bytes: one CBOR array each, `[kind, …fields]`.
 *
 * A message never names its sender: that is the authenticated peer of the session. Decoding is strict: exactly the fields,
 * within bounds that are checked before anything is built from them, and every claim is verified (`readClaim`) before a
 * value exists, so that the protocol only ever sees claims that hold for this genesis. The only error thrown is
 * FormationMessageError. docs/protocol/formation.md has the CDDL.
 */
import type { CborValue } from '../core/cbor.ts'
import { QuorateError } from '../core/errors.ts'
import { decodeCertificate, decodeFoundingSet, encodeCertificate, encodeFoundingSet } from './certificate-codec.ts'
import { bytesField, FieldError, fieldsOf, type ReadClaim, SIGNATURE_BYTES_MAX, termField } from './fields.ts'
import type { FoundingCertificate, FoundingSet } from './types.ts'

/** `acceptedTerm` is the term in which the sender accepted a founding set; 0 when it has accepted none. */
export type FormationMessage =
  | { readonly type: 'request-vote'; readonly term: number; readonly acceptedTerm: number }
  | { readonly type: 'vote'; readonly term: number }
  /** Of a vote or of a proposal made in term `of`; `term` is the refuser's own. */
  | { readonly type: 'refuse'; readonly of: number; readonly term: number; readonly acceptedTerm: number }
  | { readonly type: 'propose'; readonly term: number; readonly set: FoundingSet }
  | { readonly type: 'accept'; readonly term: number; readonly signature: Uint8Array }
  | { readonly type: 'certificate'; readonly certificate: FoundingCertificate }

/** What came is not a formation message; the session that carried it is at fault. */
export class FormationMessageError extends QuorateError {
  constructor(reason: string, cause?: unknown) {
    super('FormationMessageError', 'ERR_FORMATION_MESSAGE', `not a formation message: ${reason}`, { cause })
  }
}

const REQUEST_VOTE = 0
const VOTE = 1
const REFUSE = 2
const PROPOSE = 3
const ACCEPT = 4
const CERTIFICATE = 5

export function encodeFormationMessage(message: FormationMessage): CborValue {
  switch (message.type) {
    case 'request-vote':
      return [REQUEST_VOTE, message.term, message.acceptedTerm]
    case 'vote':
      return [VOTE, message.term]
    case 'refuse':
      return [REFUSE, message.of, message.term, message.acceptedTerm]
    case 'propose':
      return [PROPOSE, message.term, encodeFoundingSet(message.set)]
    case 'accept':
      return [ACCEPT, message.term, message.signature]
    case 'certificate':
      return [CERTIFICATE, encodeCertificate(message.certificate)]
  }
}

/** Throws FormationMessageError and nothing else. */
export function decodeFormationMessage(value: CborValue, readClaim: ReadClaim): FormationMessage {
  try {
    return decode(value, readClaim)
  } catch (error) {
    if (error instanceof FieldError) throw new FormationMessageError(error.message, error)
    throw error
  }
}

function decode(value: CborValue, readClaim: ReadClaim): FormationMessage {
  const kind: unknown = Array.isArray(value) ? (value as readonly CborValue[])[0] : undefined
  switch (kind) {
    case REQUEST_VOTE: {
      const [, term, acceptedTerm] = fieldsOf(value, 3, 'vote request')
      const request = { term: termField(term, 1), acceptedTerm: termField(acceptedTerm, 0) }
      if (request.acceptedTerm >= request.term) throw new FieldError('a set accepted in the term asked for, or later')
      return { type: 'request-vote', ...request }
    }
    case VOTE: {
      const [, term] = fieldsOf(value, 2, 'vote')
      return { type: 'vote', term: termField(term, 1) }
    }
    case REFUSE: {
      const [, of, term, acceptedTerm] = fieldsOf(value, 4, 'refusal')
      return {
        type: 'refuse',
        of: termField(of, 1),
        term: termField(term, 1),
        acceptedTerm: termField(acceptedTerm, 0)
      }
    }
    case PROPOSE: {
      const [, term, set] = fieldsOf(value, 3, 'proposal')
      return { type: 'propose', term: termField(term, 1), set: decodeFoundingSet(set, readClaim) }
    }
    case ACCEPT: {
      const [, term, signature] = fieldsOf(value, 3, 'acceptance')
      return {
        type: 'accept',
        term: termField(term, 1),
        signature: bytesField(signature, SIGNATURE_BYTES_MAX, 'signature')
      }
    }
    case CERTIFICATE: {
      const [, certificate] = fieldsOf(value, 2, 'certificate message')
      return { type: 'certificate', certificate: decodeCertificate(certificate, readClaim) }
    }
    default:
      throw new FieldError(`unknown kind ${typeof kind === 'number' ? kind : typeof kind}`)
  }
}
