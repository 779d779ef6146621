/**
 * What all signed documents have in common: their kinds, the one error that reading one can throw, and a strict reader for
 * the fields of a decoded CBOR map.
 *
 * A reader names every field it takes; a field that nobody took is refused. A document is thus either understood whole or
 * not at all, and a later version cannot smuggle in a meaning that an older member overlooks.
 */
import { CborError, decodeCbor, type CborKey, type CborLimits, type CborMap, type CborValue } from '../core/cbor.ts'
import { QuorateError } from '../core/errors.ts'

/** Names a document and its version; part of what is signed (RFC 9052 section 4.3, `external_aad`). */
export type DocumentKind =
  | 'quorate/genesis/v1'
  | 'quorate/token/v1'
  | 'quorate/claim/v1'
  | 'quorate/founding-certificate/v1'
  | 'quorate/address-record/v1'
  | 'quorate/boot-statement/v1'

/**
 * Why a document does not hold.
 * `malformed`: not an encoding of this kind. `bad-signature`: altered, or signed by another key than it names.
 * `unknown-issuer`: signed, but not by issuers of this genesis. `missing-signature`: fewer signers than the rule asks for.
 * `foreign`: of another domain or generation. `rule`: well formed and signed, but its values break a rule.
 */
export type DocumentFault = 'malformed' | 'bad-signature' | 'unknown-issuer' | 'missing-signature' | 'foreign' | 'rule'

/** The bytes are not a valid document of the kind that was asked for. The only error that readers of documents throw. */
export class InvalidDocumentError extends QuorateError {
  readonly kind: string
  readonly fault: DocumentFault
  /** The reason alone, without the kind in front. */
  readonly reason: string

  constructor(
    kind: string,
    fault: DocumentFault,
    reason: string,
    detail: { readonly cause?: unknown; readonly nextStep?: string } = {}
  ) {
    super('InvalidDocumentError', 'ERR_INVALID_DOCUMENT', `${nounOf(kind)}: ${reason}`, {
      details: { kind, fault },
      nextStep: 'Fetch it again from where it was made: `quorate inspect FILE` says what a file holds.',
      ...detail
    })
    this.kind = kind
    this.fault = fault
    this.reason = reason
  }
}

/** `quorate/founding-certificate/v1` -> `founding certificate`. */
const nounOf = (kind: string): string => (kind.split('/')[1] ?? kind).replaceAll('-', ' ')

/** Decodes one CBOR value; anything wrong is an InvalidDocumentError of this kind. */
export function decodeDocument(kind: string, bytes: Uint8Array, bytesMax: number, limits: CborLimits): CborValue {
  if (bytes.byteLength > bytesMax) {
    throw new InvalidDocumentError(kind, 'malformed', `${bytes.byteLength} bytes, at most ${bytesMax} are allowed`)
  }
  try {
    return decodeCbor(bytes, limits)
  } catch (error) {
    if (!(error instanceof CborError)) throw error
    throw new InvalidDocumentError(kind, 'malformed', error.message, { cause: error })
  }
}

/** Takes the fields of a decoded map one by one, each with its type and bounds, then insists that none is left. */
export class Fields {
  readonly #kind: string
  readonly #map: CborMap
  readonly #taken = new Set<CborKey>()

  constructor(kind: string, value: CborValue) {
    if (!(value instanceof Map)) throw new InvalidDocumentError(kind, 'malformed', 'a map is expected')
    this.#kind = kind
    this.#map = value as CborMap
  }

  has(key: CborKey): boolean {
    return this.#map.has(key)
  }

  bytes(key: CborKey, least: number, most = least): Uint8Array {
    const value = this.#take(key)
    if (!(value instanceof Uint8Array)) return this.fail(key, 'is not a byte string')
    if (value.byteLength < least || value.byteLength > most) {
      const expected = least === most ? `${least}` : `${least} to ${most}`
      return this.fail(key, `has ${value.byteLength} bytes instead of ${expected}`)
    }
    return value
  }

  text(key: CborKey, unitsMax: number): string {
    const value = this.#take(key)
    if (typeof value !== 'string') return this.fail(key, 'is not a text')
    if (value.length > unitsMax)
      return this.fail(key, `has ${value.length} characters, at most ${unitsMax} are allowed`)
    return value
  }

  integer(key: CborKey, least = 0, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.#take(key)
    if (typeof value !== 'number') return this.fail(key, 'is not an integer')
    if (value < least || value > most) return this.fail(key, `is ${value}, not within ${least} to ${most}`)
    return value
  }

  flag(key: CborKey): boolean {
    const value = this.#take(key)
    return typeof value === 'boolean' ? value : this.fail(key, 'is not true or false')
  }

  oneOf<T extends string>(key: CborKey, allowed: readonly T[]): T {
    const value = this.#take(key)
    const found = allowed.find((candidate) => candidate === value)
    return found ?? this.fail(key, `is not one of ${allowed.join(', ')}`)
  }

  array(key: CborKey, itemsMax: number): readonly CborValue[] {
    const value = this.#take(key)
    if (!Array.isArray(value)) return this.fail(key, 'is not an array')
    const items = value as readonly CborValue[]
    if (items.length > itemsMax) return this.fail(key, `has ${items.length} items, at most ${itemsMax} are allowed`)
    return items
  }

  map(key: CborKey): Fields {
    const value = this.#take(key)
    return value instanceof Map ? new Fields(this.#kind, value) : this.fail(key, 'is not a map')
  }

  /** The field, if the map has it. */
  optional<T>(key: CborKey, take: () => T): T | undefined {
    return this.#map.has(key) ? take() : undefined
  }

  end(): void {
    for (const key of this.#map.keys()) {
      if (!this.#taken.has(key)) this.fail(key, 'is not known to this version')
    }
  }

  fail(key: CborKey, what: string): never {
    throw new InvalidDocumentError(this.#kind, 'malformed', `field ${JSON.stringify(key)} ${what}`)
  }

  #take(key: CborKey): CborValue {
    const value = this.#map.get(key)
    if (value === undefined) return this.fail(key, 'is missing')
    this.#taken.add(key)
    return value
  }
}

/** A map of the entries that have a value. */
export function cborMap(entries: readonly (readonly [CborKey, CborValue | undefined])[]): CborMap {
  const map = new Map<CborKey, CborValue>()
  for (const [key, value] of entries) if (value !== undefined) map.set(key, value)
  return map
}
