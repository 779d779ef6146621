/**
 * ChaCha20-Poly1305 for Noise, by Node's own OpenSSL.
 *
 * libp2p-noise takes any implementation. Its default calls OpenSSL with the key as bytes, which Node turns into a key object on
 * every call (13 us, more than the encryption of 1 KiB), and runs WebAssembly below 1,200 bytes because of that. Here the key
 * object of a connection is made once. Measured for 1.3 KiB: seal 18 us before, 6 us now; open 18 and 5. What is small stays
 * with WebAssembly, which needs no call into C++ for it: 2 us for 64 bytes instead of 4.
 *
 * Everything else (X25519, SHA-256, HKDF) is the default's: it is used in the handshake only.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import { asCrypto, defaultCrypto } from '@chainsafe/libp2p-noise/crypto'
import type { ICryptoInterface } from '@chainsafe/libp2p-noise'

const CIPHER = 'chacha20-poly1305'
const TAG_BYTES = 16
const OPTIONS = { authTagLength: TAG_BYTES }
/** From here on OpenSSL is the faster one. */
const NATIVE_FROM_BYTES = 384

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

export const noiseCrypto: ICryptoInterface = {
  ...defaultCrypto,
  chaCha20Poly1305Encrypt(plaintext, nonce, ad, key) {
    if (plaintext.byteLength < NATIVE_FROM_BYTES) return asCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, key)
    const cipher = createCipheriv(CIPHER, keyOf(key), nonce, OPTIONS)
    if (ad.byteLength > 0) cipher.setAAD(ad, { plaintextLength: plaintext.byteLength })
    // A stream cipher: all of its output comes here, and `final` adds nothing.
    const encrypted = cipher.update(plaintext.subarray())
    cipher.final()
    const message = new Uint8Array(LENGTH_BYTES + encrypted.byteLength + TAG_BYTES)
    message.set(encrypted, LENGTH_BYTES)
    message.set(cipher.getAuthTag(), LENGTH_BYTES + encrypted.byteLength)
    return message.subarray(LENGTH_BYTES)
  },
  /** Throws when the tag does not fit, and then gives nothing. */
  chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key, target) {
    if (ciphertext.byteLength < NATIVE_FROM_BYTES) {
      return asCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key, target)
    }
    const sealed = ciphertext.subarray()
    const length = sealed.byteLength - TAG_BYTES
    const decipher = createDecipheriv(CIPHER, keyOf(key), nonce, OPTIONS)
    if (ad.byteLength > 0) decipher.setAAD(ad, { plaintextLength: length })
    decipher.setAuthTag(sealed.subarray(length))
    const plaintext = decipher.update(sealed.subarray(0, length))
    decipher.final()
    return plaintext
  }
}
