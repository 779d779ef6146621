/**
 * The only judge of Ed25519 signatures in Quorate.
 *
 * Implementations of RFC 8032 disagree on crafted keys and signatures: points of low order, encodings with y >= p, keys with
 * a torsion component. OpenSSL's verdict on them even differs between supported Node versions. Two members that disagree on
 * one genesis found two clusters, so validity is decided here and nowhere else, by one rule:
 *
 *  1. the public key A is admissible: 32 bytes, canonical (y < p, no sign bit on x = 0), on the curve, and in the prime-order
 *     subgroup (not of small order, torsion-free);
 *  2. R is a canonical encoding and not of low order; S < L (RFC 8032 section 5.1.7: no second signature by adding L);
 *  3. [8][S]B = [8]R + [8][k]A, the cofactored equation, computed by @noble/ed25519.
 *
 * After rules 1 and 2 noble's `zip215: true` and `false` mean the same (they differ only in the encodings and keys that these
 * rules refuse). `false` is passed, so that the library's own strict checks stand behind ours. Signing is not judged: Ed25519
 * is deterministic, and `signer.ts` lets node:crypto do it.
 *
 * noble verifies about 1,200 signatures a second, and a hundred in a process that has just started. So OpenSSL is asked first,
 * and only its yes counts: it has found [S]B - [k]A = R, from which rule 3 follows by multiplying with 8. After its no, which is
 * where implementations disagree, noble decides (docs/decisions/0009). The same for keys: its X25519 can say that a point is of prime order
 * (prime-order.ts), and when it does not say so, noble decides. Accepted (key, message, signature) triples are remembered,
 * the most recent few thousand of them: a verdict is a pure function of its input, so remembering it changes nothing but time.
 */
import { hashes, Point, verify } from '@noble/ed25519'
import { createHash, createPublicKey, type KeyObject, verify as verifyByOpenssl } from 'node:crypto'
import { concat, fromHex, toHex } from '../core/bytes.ts'
import { sha256 } from '../core/hash.ts'
import { RecentMap } from '../core/recent-map.ts'
import { isPlainlyOfPrimeOrder } from './prime-order.ts'

hashes.sha512 = (message) => new Uint8Array(createHash('sha512').update(message).digest())

export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64

/** True when the key may ever stand in a signed document. Never throws. */
export function isAdmissiblePublicKey(publicKey: Uint8Array): boolean {
  if (publicKey.byteLength !== PUBLIC_KEY_BYTES) return false
  if (admittedKeys.get(publicKey) === true) return true
  const admissible = judgeKey(publicKey)
  // Refusals are not kept: whoever floods us with them would only push out what honest peers need.
  if (admissible) admittedKeys.set(publicKey.slice(), true)
  return admissible
}

/** True when `signature` is `publicKey`'s over `message` by the rule above. Never throws. */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.byteLength !== SIGNATURE_BYTES || !isAdmissiblePublicKey(publicKey)) return false
  // Lengths of key and signature are fixed, so the concatenation has one reading.
  const triple = sha256(publicKey, signature, message)
  if (acceptedSignatures.get(triple) === true) return true
  const accepted =
    isPlainPoint(signature.subarray(0, 32)) &&
    isReducedScalar(signature.subarray(32)) &&
    (isPlainlyValid(publicKey, message, signature) || verify(signature, message, publicKey, { zip215: false }))
  if (accepted) acceptedSignatures.set(triple, true)
  return accepted
}

/**
 * For the public key of a private key that this process holds: a multiple of the base point, encoded by whoever computed it,
 * so admissible without being judged.
 */
export function admitOwnKey(publicKey: Uint8Array): void {
  admittedKeys.set(publicKey.slice(), true)
}

/** True only when the equation without the cofactor holds, for a key and a signature that rules 1 and 2 have passed. */
function isPlainlyValid(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    let key = importedKeys.get(publicKey)
    if (key === undefined) {
      key = createPublicKey({ key: Buffer.from(concat(SPKI_PREFIX, publicKey)), format: 'der', type: 'spki' })
      importedKeys.set(publicKey.slice(), key)
    }
    return verifyByOpenssl(null, message, key, signature)
  } catch {
    return false
  }
}

/** RFC 8410: algorithm 1.3.101.112, a bit string of 32 bytes follows. */
const SPKI_PREFIX = fromHex('302a300506032b6570032100')!

function judgeKey(publicKey: Uint8Array): boolean {
  if (!isPlainPoint(publicKey)) return false
  if (isPlainlyOfPrimeOrder(yOf(publicKey))) return true
  try {
    const point = Point.fromBytes(publicKey, false)
    return !point.isSmallOrder() && point.isTorsionFree()
  } catch {
    return false
  }
}

/** Canonical (y < p) and none of the low-order encodings. Says nothing about being on the curve. */
function isPlainPoint(encoding: Uint8Array): boolean {
  const y = yOf(encoding)
  return y < P && !LOW_ORDER_Y.has(y)
}

const yOf = (encoding: Uint8Array): bigint => littleEndian(encoding) & ~SIGN_BIT

const isReducedScalar = (scalar: Uint8Array): boolean => littleEndian(scalar) < L

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.toReversed())}`)
}

const P = 2n ** 255n - 19n
const L = 2n ** 252n + 27742317777372353535851937790883648493n
const SIGN_BIT = 1n << 255n

/** y of two of the four points of order 8; the other two have -y. */
const EIGHTH_Y = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n

/**
 * The y coordinates of the eight points of order 1, 2, 4 and 8 (both signs of x share one y; RFC 7748 section 7 discusses the
 * danger). Non-canonical encodings of the same points have y >= p and fall to the range check.
 */
const LOW_ORDER_Y: ReadonlySet<bigint> = new Set([1n, P - 1n, 0n, EIGHTH_Y, P - EIGHTH_Y])

const admittedKeys = new RecentMap<true>(4096)
/** As OpenSSL wants them, of those that signed last. */
const importedKeys = new RecentMap<KeyObject>(64)
const acceptedSignatures = new RecentMap<true>(4096)
