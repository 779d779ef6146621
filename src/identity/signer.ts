/**
 * Whoever can sign with one Ed25519 key. The documents ask for signatures through this interface and never see the key, so
 * that it may live in a TPM, an agent or another process. The one implementation here keeps the seed in memory.
 */
import { createPrivateKey, createPublicKey, sign as signSync } from 'node:crypto'
import { concat, fromHex } from '../core/bytes.ts'
import { invariant } from '../core/invariant.ts'
import { secureBytes } from '../core/random.ts'
import { admitOwnKey } from './ed25519.ts'
import { peerIdFromPublicKey } from './peer-id.ts'
import { Secret } from './secret.ts'

export interface Signer {
  /** 32 bytes, raw. */
  readonly publicKey: Uint8Array
  readonly peerId: string
  /** The 64-byte Ed25519 signature of exactly these bytes (no pre-hash). */
  sign(bytes: Uint8Array): Promise<Uint8Array>
}

/** A key that this process holds. */
export interface LocalKey {
  readonly signer: Signer
  /** The 32-byte RFC 8032 seed; libp2p's raw private key is the seed followed by the public key. */
  readonly seed: Secret
}

export const SEED_BYTES = 32

export const generateLocalKey = (): LocalKey => localKeyFromSeed(secureBytes(SEED_BYTES))

export function localKeyFromSeed(seed: Uint8Array): LocalKey {
  return { signer: signerFromSeed(seed), seed: new Secret(seed) }
}

/** Signs with node:crypto: Ed25519 is deterministic, so the bytes are those that every implementation makes, sooner. */
export function signerFromSeed(seed: Uint8Array): Signer {
  invariant(seed.byteLength === SEED_BYTES, 'an Ed25519 seed has 32 bytes')
  const privateKey = createPrivateKey({ key: Buffer.from(concat(PKCS8_PREFIX, seed)), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  const publicKey = new Uint8Array(spki.subarray(spki.byteLength - 32))
  admitOwnKey(publicKey)
  return {
    publicKey,
    peerId: peerIdFromPublicKey(publicKey),
    sign: async (bytes) => new Uint8Array(signSync(null, bytes, privateKey))
  }
}

/** RFC 8410: version 0, algorithm 1.3.101.112, a 32-byte octet string in an octet string follows. */
const PKCS8_PREFIX = fromHex('302e020100300506032b657004220420')!
