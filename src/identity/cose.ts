/**
 * COSE signatures (RFC 9052) in the narrow form that our documents use: untagged COSE_Sign1 and COSE_Sign over deterministic
 * CBOR, Ed25519 only.
 *
 *     COSE_Sign1 = [protected{1: -8, 4: key, 16: kind}, {}, payload, signature]
 *     COSE_Sign  = [protected{16: kind}, {}, payload, [+ [protected{1: -8, 4: key}, {}, signature]]]
 *
 * The algorithm is written because RFC 9052 wants it, and must be -8 (EdDSA); it is never read to choose code. The key
 * identifier is the public key itself. `typ` (16, RFC 9596) names the document for people and tools, and the same text is the
 * `external_aad`, so that a signature for one kind of document can never serve another. Unprotected headers must be empty, and
 * every signature that is there must hold: a document is valid as a whole or not at all, and no byte of it is free to vary.
 *
 * Signers of a COSE_Sign are sorted by key and distinct, so k-of-n is a count of entries. Whether a key may sign is not decided
 * here; callers compare the keys with what their rule asks for, and do so first: reading a document costs no arithmetic on the
 * curve, so that a stranger's document is refused for the price of decoding it.
 */
import { compareBytes, equalBytes, utf8 } from '../core/bytes.ts'
import { encodeCbor, type CborValue } from '../core/cbor.ts'
import { invariant } from '../core/invariant.ts'
import { cborMap, decodeDocument, InvalidDocumentError, type DocumentKind } from './document.ts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verifySignature } from './ed25519.ts'
import type { Signer } from './signer.ts'

/** Signatures on one document; n of k-of-n is at most this. */
export const SIGNERS_MAX = 16

/** Headers, keys and signatures around a payload are far below this. */
const ENVELOPE_BYTES_MAX = 4096

const HEADER_ALG = 1
const HEADER_KID = 4
const HEADER_TYP = 16
const ALG_EDDSA = -8

/** A document whose structure was read; nothing about it is proved yet. */
export interface CoseDocument {
  readonly kind: DocumentKind
  readonly payload: Uint8Array
  readonly signatures: readonly CoseSignature[]
}

export interface CoseSignature {
  readonly publicKey: Uint8Array
  readonly signature: Uint8Array
  /** The bytes that were signed. */
  readonly signedBytes: Uint8Array
}

export async function sign1(kind: DocumentKind, payload: Uint8Array, signer: Signer): Promise<Uint8Array> {
  const signature = await checkedSign(signer, sign1ToSign(kind, signer.publicKey, payload))
  return sealSign1(kind, signer.publicKey, payload, signature)
}

/** What the signer of a COSE_Sign1 signs (RFC 9052 section 4.4). */
export const sign1ToSign = (kind: DocumentKind, publicKey: Uint8Array, payload: Uint8Array): Uint8Array =>
  encodeCbor(['Signature1', sign1Headers(kind, publicKey), utf8(kind), payload])

/** A COSE_Sign1 of a signature that was made elsewhere; whether it holds, its reader will see. */
export const sealSign1 = (
  kind: DocumentKind,
  publicKey: Uint8Array,
  payload: Uint8Array,
  signature: Uint8Array
): Uint8Array => encodeCbor([sign1Headers(kind, publicKey), new Map(), payload, signature])

/** Signs with all of `signers`; one key twice is a bug of the caller. */
export async function signMany(
  kind: DocumentKind,
  payload: Uint8Array,
  signers: readonly Signer[]
): Promise<Uint8Array> {
  const signatures = await Promise.all(
    signers.map(async (signer) => ({
      publicKey: signer.publicKey,
      signature: await checkedSign(signer, signatureStructure(kind, signer.publicKey, payload))
    }))
  )
  return encodeSign(kind, payload, signatures)
}

/** The same document with one signature more (or renewed): the offline half of k-of-n. */
export async function addSignature(
  kind: DocumentKind,
  bytes: Uint8Array,
  payloadBytesMax: number,
  signer: Signer
): Promise<Uint8Array> {
  const document = readSign(kind, bytes, payloadBytesMax)
  const others = document.signatures.filter(({ publicKey }) => !equalBytes(publicKey, signer.publicKey))
  const signature = await checkedSign(signer, signatureStructure(kind, signer.publicKey, document.payload))
  return encodeSign(kind, document.payload, [...others, { publicKey: signer.publicKey, signature }])
}

/** Reads the structure of a COSE_Sign1; `verifyCose` proves it. Throws InvalidDocumentError. */
export function readSign1(kind: DocumentKind, bytes: Uint8Array, payloadBytesMax: number): CoseDocument {
  const [headers, unprotected, payload, signature] = envelope(kind, bytes, payloadBytesMax)
  const protectedBytes = bytesOf(kind, headers, 'protected header')
  const publicKey = keyFrom(kind, protectedBytes, cborMap([[HEADER_TYP, kind]]))
  emptyMap(kind, unprotected)
  const payloadBytes = bytesOf(kind, payload, 'payload')
  return {
    kind,
    payload: payloadBytes,
    signatures: [
      {
        publicKey,
        signature: signatureOf(kind, signature),
        signedBytes: sign1ToSign(kind, publicKey, payloadBytes)
      }
    ]
  }
}

/** Reads the structure of a COSE_Sign; `verifyCose` proves it. Throws InvalidDocumentError. */
export function readSign(kind: DocumentKind, bytes: Uint8Array, payloadBytesMax: number): CoseDocument {
  const [headers, unprotected, payload, list] = envelope(kind, bytes, payloadBytesMax)
  if (!equalBytes(bytesOf(kind, headers, 'protected header'), bodyHeaders(kind))) {
    throw new InvalidDocumentError(kind, 'malformed', `its protected header does not say ${kind}`)
  }
  emptyMap(kind, unprotected)
  const payloadBytes = bytesOf(kind, payload, 'payload')
  if (!Array.isArray(list)) throw new InvalidDocumentError(kind, 'malformed', 'signatures are not an array')
  const items = list as readonly CborValue[]
  if (items.length === 0 || items.length > SIGNERS_MAX) {
    throw new InvalidDocumentError(kind, 'malformed', `${items.length} signatures instead of 1 to ${SIGNERS_MAX}`)
  }
  const signatures = items.map((item) => readSignature(kind, payloadBytes, item))
  signatures.reduce((previous, next) => {
    if (compareBytes(previous.publicKey, next.publicKey) < 0) return next
    throw new InvalidDocumentError(kind, 'malformed', 'signers are repeated or not sorted')
  })
  return { kind, payload: payloadBytes, signatures }
}

/** Throws InvalidDocumentError unless every signature holds. */
export function verifyCose(document: CoseDocument): void {
  for (const { publicKey, signature, signedBytes } of document.signatures) {
    if (!verifySignature(publicKey, signedBytes, signature)) {
      throw new InvalidDocumentError(
        document.kind,
        'bad-signature',
        'its signature does not hold; it was altered or is incomplete',
        { nextStep: 'Get the document again from where it was made; do not edit it.' }
      )
    }
  }
}

/** What a signer of a COSE_Sign signs (RFC 9052 section 4.4). Without `publicKey` the signer's header names no key. */
export function signatureStructure(
  kind: DocumentKind,
  publicKey: Uint8Array | undefined,
  payload: Uint8Array
): Uint8Array {
  return encodeCbor(['Signature', bodyHeaders(kind), signerHeaders(publicKey), utf8(kind), payload])
}

const sign1Headers = (kind: DocumentKind, publicKey: Uint8Array): Uint8Array =>
  encodeCbor(
    cborMap([
      [HEADER_ALG, ALG_EDDSA],
      [HEADER_KID, publicKey],
      [HEADER_TYP, kind]
    ])
  )

const bodyHeaders = (kind: DocumentKind): Uint8Array => encodeCbor(cborMap([[HEADER_TYP, kind]]))

const signerHeaders = (publicKey: Uint8Array | undefined): Uint8Array =>
  encodeCbor(
    cborMap([
      [HEADER_ALG, ALG_EDDSA],
      [HEADER_KID, publicKey]
    ])
  )

function encodeSign(
  kind: DocumentKind,
  payload: Uint8Array,
  signatures: readonly { readonly publicKey: Uint8Array; readonly signature: Uint8Array }[]
): Uint8Array {
  const sorted = signatures.toSorted((a, b) => compareBytes(a.publicKey, b.publicKey))
  invariant(sorted.length > 0 && sorted.length <= SIGNERS_MAX, `1 to ${SIGNERS_MAX} signatures`)
  for (let i = 1; i < sorted.length; i++) {
    invariant(!equalBytes(sorted[i - 1]!.publicKey, sorted[i]!.publicKey), 'each signer signs once')
  }
  const list = sorted.map(({ publicKey, signature }) => [signerHeaders(publicKey), new Map(), signature])
  return encodeCbor([bodyHeaders(kind), new Map(), payload, list])
}

/** A signer may be a device of somebody else's making; what it returns is checked before it is believed. */
async function checkedSign(signer: Signer, bytes: Uint8Array): Promise<Uint8Array> {
  const signature = await signer.sign(bytes)
  invariant(verifySignature(signer.publicKey, bytes, signature), 'the signer made a signature that its key verifies')
  return signature
}

function envelope(kind: DocumentKind, bytes: Uint8Array, payloadBytesMax: number): readonly CborValue[] {
  const limits = { depthMax: 4, itemsMax: 4 + SIGNERS_MAX * 4 }
  const value = decodeDocument(kind, bytes, payloadBytesMax + ENVELOPE_BYTES_MAX, limits)
  if (!Array.isArray(value) || value.length !== 4) {
    throw new InvalidDocumentError(kind, 'malformed', 'not a COSE signature: an array of four is expected')
  }
  const payload = (value as readonly CborValue[])[2]
  if (payload instanceof Uint8Array && payload.byteLength > payloadBytesMax) {
    throw new InvalidDocumentError(
      kind,
      'malformed',
      `payload of ${payload.byteLength} bytes, at most ${payloadBytesMax}`
    )
  }
  return value as readonly CborValue[]
}

function readSignature(kind: DocumentKind, payload: Uint8Array, item: CborValue): CoseSignature {
  if (!Array.isArray(item) || item.length !== 3) {
    throw new InvalidDocumentError(kind, 'malformed', 'a signature is not an array of three')
  }
  const [headers, unprotected, signature] = item as readonly CborValue[]
  const publicKey = keyFrom(kind, bytesOf(kind, headers, 'protected header'), new Map())
  emptyMap(kind, unprotected)
  return {
    publicKey,
    signature: signatureOf(kind, signature),
    signedBytes: signatureStructure(kind, publicKey, payload)
  }
}

/** The key of a protected header that must hold exactly: alg EdDSA, the key, and `others`. */
function keyFrom(kind: DocumentKind, bytes: Uint8Array, others: ReadonlyMap<number | string, CborValue>): Uint8Array {
  const headers = decodeDocument(kind, bytes, 128, { depthMax: 1, itemsMax: 8 })
  const publicKey = headers instanceof Map ? (headers as ReadonlyMap<unknown, unknown>).get(HEADER_KID) : undefined
  if (!(publicKey instanceof Uint8Array) || publicKey.byteLength !== PUBLIC_KEY_BYTES) {
    throw new InvalidDocumentError(kind, 'malformed', 'its protected header names no public key of 32 bytes')
  }
  const expected = encodeCbor(
    new Map<number | string, CborValue>([...others, [HEADER_ALG, ALG_EDDSA], [HEADER_KID, publicKey]])
  )
  if (!equalBytes(bytes, expected)) {
    throw new InvalidDocumentError(kind, 'malformed', `its protected header is not that of an EdDSA-signed ${kind}`)
  }
  return publicKey
}

function bytesOf(kind: DocumentKind, value: CborValue | undefined, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new InvalidDocumentError(kind, 'malformed', `${what} is not a byte string`)
}

function signatureOf(kind: DocumentKind, value: CborValue | undefined): Uint8Array {
  const bytes = bytesOf(kind, value, 'signature')
  if (bytes.byteLength === SIGNATURE_BYTES) return bytes
  throw new InvalidDocumentError(
    kind,
    'malformed',
    `signature of ${bytes.byteLength} bytes instead of ${SIGNATURE_BYTES}`
  )
}

function emptyMap(kind: DocumentKind, value: CborValue | undefined): void {
  if (value instanceof Map && value.size === 0) return
  throw new InvalidDocumentError(kind, 'malformed', 'unprotected headers are not empty')
}
