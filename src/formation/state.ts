/**
 * The durable state of formation as the bytes of one cell: `[version, term, votedFor, accepted, certificate]`.
 *
 * One record, so that term and vote can never be torn apart. What cannot be read is never replaced by the initial state:
 * a voter that forgets its vote can vote twice.
 */
import { type CborValue, CborError, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { QuorateError } from '../core/errors.ts'
import { decodeCertificate, decodeFoundingSet, encodeCertificate, encodeFoundingSet } from './certificate-codec.ts'
import { FieldError, fieldsOf, type ReadClaim, termField } from './fields.ts'
import type { FormationState, IncarnationId } from './types.ts'

const VERSION = 1
const INCARNATION_LENGTH_MAX = 256

/** A store that has never founded anything. */
export const initialFormationState: FormationState = {
  term: 0,
  votedFor: undefined,
  accepted: undefined,
  certificate: undefined
}

/** The stored founding state passed the store's checksums, and still is not one. */
export class FormationStateError extends QuorateError {
  constructor(reason: string, cause: unknown) {
    super('FormationStateError', 'ERR_FORMATION_STATE', `the stored founding state cannot be read: ${reason}`, {
      cause,
      nextStep:
        'Was it written by a newer release, or for another genesis? Start that one, or let this machine join with a fresh data directory.'
    })
  }
}

export function encodeFormationState(state: FormationState): Uint8Array {
  return encodeCbor([
    VERSION,
    state.term,
    state.votedFor ?? null,
    state.accepted === undefined ? null : [state.accepted.term, encodeFoundingSet(state.accepted.set)],
    state.certificate === undefined ? null : encodeCertificate(state.certificate)
  ])
}

/** Throws FormationStateError and nothing else. */
export function decodeFormationState(bytes: Uint8Array, readClaim: ReadClaim): FormationState {
  try {
    return decode(decodeCbor(bytes), readClaim)
  } catch (error) {
    if (error instanceof FieldError || error instanceof CborError) throw new FormationStateError(error.message, error)
    throw error
  }
}

function decode(value: CborValue, readClaim: ReadClaim): FormationState {
  const [version, term, votedFor, accepted, certificate] = fieldsOf(value, 5, 'founding state')
  if (version !== VERSION) throw new FieldError(`not of version ${VERSION}, the one that this release writes`)
  const state: FormationState = {
    term: termField(term, 0),
    votedFor: incarnationField(votedFor),
    accepted: acceptedField(accepted, readClaim),
    certificate: certificate === null ? undefined : decodeCertificate(certificate, readClaim)
  }
  if (state.accepted !== undefined && state.accepted.term > state.term)
    throw new FieldError('accepted in a future term')
  return state
}

function incarnationField(value: CborValue | undefined): IncarnationId | undefined {
  if (value === null) return undefined
  if (typeof value === 'string' && value.length > 0 && value.length <= INCARNATION_LENGTH_MAX) return value
  throw new FieldError(`votedFor is not a text of 1 to ${INCARNATION_LENGTH_MAX}`)
}

function acceptedField(value: CborValue | undefined, readClaim: ReadClaim): FormationState['accepted'] {
  if (value === null) return undefined
  const [term, set] = fieldsOf(value, 2, 'accepted set')
  return { term: termField(term, 1), set: decodeFoundingSet(set, readClaim) }
}
