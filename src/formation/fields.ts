/** Reading single fields of a decoded CBOR value, strictly, and the bounds that hold for all of them. */
import type { CborValue } from '../core/cbor.ts'
import { QuorateError } from '../core/errors.ts'
import type { Claim } from './types.ts'

/** Largest founding size, as in a genesis: founding needs all of N at once. */
export const FOUNDING_SIZE_MAX = 9
/** As in a claim document, which carries the founding credential that it rests on. */
export const CLAIM_BYTES_MAX = 8_192
export const SIGNATURE_BYTES_MAX = 1_024
/** A campaign a millisecond would need 34 years to get here, and arithmetic on terms stays exact far beyond. */
export const TERM_MAX = 2 ** 40

/** Verifies a claim document for this genesis; undefined when it does not hold. */
export type ReadClaim = (bytes: Uint8Array) => Claim | undefined

/** Internal to the codecs, which turn it into the error of what they were reading. */
export class FieldError extends QuorateError {
  constructor(message: string) {
    super('FieldError', 'ERR_FORMATION_FIELD', message)
  }
}

export function fieldsOf(value: CborValue | undefined, count: number, what: string): readonly CborValue[] {
  if (!Array.isArray(value) || value.length !== count) throw new FieldError(`${what} is not an array of ${count}`)
  return value as readonly CborValue[]
}

/** 1 to FOUNDING_SIZE_MAX items. */
export function listField(value: CborValue | undefined, what: string): readonly CborValue[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > FOUNDING_SIZE_MAX) {
    throw new FieldError(`${what} is not an array of 1 to ${FOUNDING_SIZE_MAX}`)
  }
  return value as readonly CborValue[]
}

export function termField(value: CborValue | undefined, least: 0 | 1): number {
  if (typeof value !== 'number' || value < least || value > TERM_MAX) {
    throw new FieldError(`a term is not an integer from ${least} to 2^40`)
  }
  return value
}

export function bytesField(value: CborValue | undefined, bytesMax: number, what: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.byteLength === 0 || value.byteLength > bytesMax) {
    throw new FieldError(`${what} is not a byte string of 1 to ${bytesMax}`)
  }
  return value
}

export function claimField(value: CborValue | undefined, readClaim: ReadClaim): Claim {
  const claim = readClaim(bytesField(value, CLAIM_BYTES_MAX, 'claim'))
  if (claim === undefined) throw new FieldError('a claim does not hold for this genesis')
  return claim
}
