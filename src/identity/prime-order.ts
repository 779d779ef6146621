/**
 * Whether a point of Ed25519 lies in the prime-order subgroup, asked of OpenSSL's X25519.
 *
 * The question is whether L times the point is nothing. @noble/ed25519 answers it by multiplying: 0.6 ms when the code is warm, 2 to 6
 * in a process that has just started, for each peer that it meets. X25519 multiplies in 0.05 ms from the first call on, but only by
 * numbers k that are multiples of 8 between 2^254 and 2^255 (RFC 7748 section 5), which lose whatever torsion there was. k = 5L - 1
 * is such a number. With A = Q + T, where Q is of prime order and T is the torsion, kA = -Q, and Q and -Q have one u. So the u
 * that comes out is the u of A if and only if T is nothing (or A = -Q, which makes 2Q = -T, so that both are nothing: a low order,
 * which the caller refuses). u = (1 + y) / (1 - y), section 4.1.
 *
 * A y that is on no point gives a u on the twist, whose order is 4 times a prime L' near 2^253. There kR = R or kR = -R would need
 * an R whose order divides 5L - 2 or 5L. Both are odd and no multiples of L', so there is none.
 */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto'
import { etc } from '@noble/ed25519'
import { concat, equalBytes, fromHex } from '../core/bytes.ts'

const P = 2n ** 255n - 19n
const L = 2n ** 252n + 27742317777372353535851937790883648493n

/** RFC 8410: algorithm 1.3.101.110; an octet string, or a bit string, of 32 bytes follows. */
const PKCS8_PREFIX = fromHex('302e020100300506032b656e04220420')!
const SPKI_PREFIX = fromHex('302a300506032b656e032100')!

let multiplier: KeyObject | undefined

/** True only when it does; `y` is below P and of no point of low order. False also when OpenSSL would not say. */
export function isPlainlyOfPrimeOrder(y: bigint): boolean {
  try {
    multiplier ??= createPrivateKey({ key: der(PKCS8_PREFIX, littleEndian(5n * L - 1n)), format: 'der', type: 'pkcs8' })
    const u = littleEndian(((1n + y) * etc.invert(P + 1n - y, P)) % P)
    const publicKey = createPublicKey({ key: der(SPKI_PREFIX, u), format: 'der', type: 'spki' })
    return equalBytes(diffieHellman({ privateKey: multiplier, publicKey }), u)
  } catch {
    return false
  }
}

const der = (prefix: Uint8Array, bytes: Uint8Array): Buffer => Buffer.from(concat(prefix, bytes))

const littleEndian = (n: bigint): Uint8Array => fromHex(n.toString(16).padStart(64, '0'))!.toReversed()
