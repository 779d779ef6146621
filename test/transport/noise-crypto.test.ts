/** Our cryptography for Noise beside the default of libp2p-noise: the same bytes, and the same refusals. */
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { noiseCrypto } from '../../src/transport/libp2p/noise-crypto.ts'

const key = new Uint8Array(32).fill(7)
const nonce = new Uint8Array(12).fill(3)

/** Also on both sides of the default's threshold, 1,200 less the tag. */
const size = fc.oneof(fc.constantFrom(0, 1, 1_183, 1_184, 1_199, 1_200, 1_216), fc.nat({ max: 5_000 }))
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31 + length) % 256)

it('seals and opens as the default does, with and without associated data', () => {
  fc.assert(
    fc.property(size, fc.constantFrom(0, 32), (length, adBytes) => {
      const [plain, ad] = [bytes(length), bytes(adBytes)]
      const sealed = noiseCrypto.chaCha20Poly1305Encrypt(plain, nonce, ad, key).slice()
      expect(sealed).toEqual(new Uint8Array(defaultCrypto.chaCha20Poly1305Encrypt(plain, nonce, ad, key).slice()))
      const opened = noiseCrypto.chaCha20Poly1305Decrypt(sealed, nonce, ad, key, new Uint8Array(length))
      expect(new Uint8Array(opened.subarray())).toEqual(plain)
    }),
    { numRuns: 60 }
  )
})

it('opens nothing that was altered, sealed with another key, or meant for another place', () => {
  for (const length of [100, 2_000]) {
    const sealed = noiseCrypto.chaCha20Poly1305Encrypt(bytes(length), nonce, bytes(0), key).slice()
    const open =
      (from: Uint8Array, at = nonce, ad = bytes(0), with_ = key) =>
      () =>
        noiseCrypto.chaCha20Poly1305Decrypt(from.slice(), at, ad, with_, new Uint8Array(length))
    for (const at of [0, length - 1, length, length + 15]) {
      const altered = sealed.slice()
      altered[at]! ^= 1
      expect(open(altered), `byte ${at} of ${length} altered`).toThrow()
    }
    expect(open(sealed, new Uint8Array(12))).toThrow()
    expect(open(sealed, nonce, bytes(4))).toThrow()
    expect(open(sealed, nonce, bytes(0), new Uint8Array(32))).toThrow()
    expect(open(sealed)).not.toThrow()
  }
})

it('a key is known by its bytes object, and a new one of the same bytes is the same key', () => {
  const sealed = noiseCrypto.chaCha20Poly1305Encrypt(bytes(500), nonce, bytes(0), key).slice()
  const again = noiseCrypto.chaCha20Poly1305Encrypt(bytes(500), nonce, bytes(0), key.slice()).slice()
  expect(again).toEqual(sealed)
})

const some = fc.uint8Array({ maxLength: 200 })
const seed = fc.uint8Array({ minLength: 32, maxLength: 32 })

it('hashes and derives keys as the default does', () => {
  fc.assert(
    fc.property(some, seed, (data, chainingKey) => {
      expect(new Uint8Array(noiseCrypto.hashSHA256(data))).toEqual(new Uint8Array(defaultCrypto.hashSHA256(data)))
      expect(noiseCrypto.getHKDF(chainingKey, data)).toEqual(defaultCrypto.getHKDF(chainingKey, data))
    }),
    { numRuns: 40 }
  )
})

it('agrees on a secret with the default, from seeds and from fresh keys', () => {
  fc.assert(
    fc.property(seed, (from) => {
      const [ours, theirs] = [noiseCrypto.generateX25519KeyPair(), defaultCrypto.generateX25519KeyPairFromSeed(from)]
      expect([ours.publicKey.byteLength, ours.privateKey.byteLength]).toEqual([32, 32])
      const again = noiseCrypto.generateX25519KeyPairFromSeed(from)
      expect(new Uint8Array(again.publicKey)).toEqual(new Uint8Array(theirs.publicKey))
      const secret = noiseCrypto.generateX25519SharedKey(ours.privateKey, theirs.publicKey)
      expect(new Uint8Array(secret)).toEqual(
        new Uint8Array(defaultCrypto.generateX25519SharedKey(theirs.privateKey, ours.publicKey))
      )
      expect(noiseCrypto.generateX25519SharedKey(again.privateKey, ours.publicKey)).toEqual(secret)
    }),
    { numRuns: 20 }
  )
})

it('takes no public key of low order, which would make the secret known to everybody', () => {
  const { privateKey } = noiseCrypto.generateX25519KeyPair()
  expect(() => noiseCrypto.generateX25519SharedKey(privateKey, new Uint8Array(32))).toThrow()
})
