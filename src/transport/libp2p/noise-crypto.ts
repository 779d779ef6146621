/**
 * The cryptography of Noise, by Node's own OpenSSL.
 *
 * libp2p-noise takes any implementation. Its default calls OpenSSL with the key as bytes, which Node turns into a key object on
 * every call (13 us, more than the encryption of 1 KiB), and runs WebAssembly below 1,200 bytes because of that. Here the key
 * object of a connection is made once. Measured for 1.3 KiB: seal 18 us before, 6 us now; open 18 and 5. A frame of 64 bytes takes
 * 4 us where WebAssembly takes 2, and that is all that WebAssembly could save: it would stay in memory for it, with its two copies of
 * 512 KiB, and be compiled by every start. The memory of a leader is part of every failover (docs/PERFORMANCE.md).
 *
 * So nothing of the default is used, and the command is bundled without it (scripts/bundle.ts).
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject
} from 'node:crypto'
import type { ICryptoInterface } from '@chainsafe/libp2p-noise'

const CIPHER = 'chacha20-poly1305'
const TAG_BYTES = 16
const OPTIONS = { authTagLength: TAG_BYTES }
/** Of a message of Noise: what is sealed natively has room for it in front. */
const LENGTH_BYTES = 2

/** What was sealed, with its length in front, as libp2p puts it on the wire. */
export function withLength(sealed: Uint8Array): Uint8Array {
  const { buffer, byteOffset, byteLength } = sealed
  const hasRoom = byteOffset === LENGTH_BYTES && buffer.byteLength === byteLength + LENGTH_BYTES
  const message = hasRoom ? new Uint8Array(buffer) : new Uint8Array(byteLength + LENGTH_BYTES)
  message[0] = byteLength >>> 8
  message[1] = byteLength
  if (!hasRoom) message.set(sealed, LENGTH_BYTES)
  return message
}

/** A key lives as long as the half of the connection that holds its bytes. */
const keys = new WeakMap<Uint8Array, KeyObject>()

function keyOf(bytes: Uint8Array): KeyObject {
  const known = keys.get(bytes)
  if (known !== undefined) return known
  const key = createSecretKey(bytes)
  keys.set(bytes, key)
  return key
}

/** What stands before the 32 bytes of an X25519 key in DER (RFC 8410): a private one in PKCS #8, a public one in SubjectPublicKeyInfo. */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex')

const privateKey = (raw: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, raw]), format: 'der', type: 'pkcs8' })

const publicKey = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, raw]), format: 'der', type: 'spki' })

const rawPublic = (key: KeyObject): Uint8Array =>
  key.export({ format: 'der', type: 'spki' }).subarray(PUBLIC_PREFIX.byteLength)

/** Of one piece no view is made. */
const wholeOf = (bytes: { subarray(): Uint8Array }): Uint8Array =>
  bytes instanceof Uint8Array ? bytes : bytes.subarray()

const HASH = 'sha256'
const HASH_BYTES = 32

export const noiseCrypto: ICryptoInterface = {
  hashSHA256: (data) => createHash(HASH).update(data.subarray()).digest(),
  getHKDF(chainingKey, input) {
    const all = new Uint8Array(hkdfSync(HASH, input, chainingKey, new Uint8Array(0), 3 * HASH_BYTES))
    const part = (i: number): Uint8Array => all.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)
    return [part(0), part(1), part(2)]
  },
  generateX25519KeyPair() {
    const pair = generateKeyPairSync('x25519')
    const secret = pair.privateKey.export({ format: 'der', type: 'pkcs8' })
    return { publicKey: rawPublic(pair.publicKey), privateKey: secret.subarray(PRIVATE_PREFIX.byteLength) }
  },
  generateX25519KeyPairFromSeed: (seed) => ({
    publicKey: rawPublic(createPublicKey(privateKey(seed))),
    privateKey: seed
  }),
  /** Throws when the public key is of low order. */
  generateX25519SharedKey: (own, theirs) =>
    diffieHellman({ privateKey: privateKey(own.subarray()), publicKey: publicKey(theirs.subarray()) }),
  chaCha20Poly1305Encrypt(plaintext, nonce, ad, key) {
    const cipher = createCipheriv(CIPHER, keyOf(key), nonce, OPTIONS)
    if (ad.byteLength > 0) cipher.setAAD(ad, { plaintextLength: plaintext.byteLength })
    // A stream cipher: all of its output comes here, and `final` adds nothing.
    const encrypted = cipher.update(wholeOf(plaintext))
    cipher.final()
    const message = new Uint8Array(LENGTH_BYTES + encrypted.byteLength + TAG_BYTES)
    message.set(encrypted, LENGTH_BYTES)
    message.set(cipher.getAuthTag(), LENGTH_BYTES + encrypted.byteLength)
    return message.subarray(LENGTH_BYTES)
  },
  /** Throws when the tag does not fit, and then gives nothing. */
  chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key) {
    const sealed = wholeOf(ciphertext)
    const length = sealed.byteLength - TAG_BYTES
    const decipher = createDecipheriv(CIPHER, keyOf(key), nonce, OPTIONS)
    if (ad.byteLength > 0) decipher.setAAD(ad, { plaintextLength: length })
    decipher.setAuthTag(sealed.subarray(length))
    const plaintext = decipher.update(sealed.subarray(0, length))
    decipher.final()
    return plaintext
  }
}
