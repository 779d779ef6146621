import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { Point, verify } from '@noble/ed25519'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { isAdmissiblePublicKey, verifySignature } from '../../src/identity/ed25519.ts'
import { isPlainlyOfPrimeOrder } from '../../src/identity/prime-order.ts'
import { signerFromSeed } from '../../src/identity/signer.ts'
import { keyOf } from './fixtures.ts'

const VECTORS = new URL('../../../shared/data/wycheproof-ed25519.json', import.meta.url)
const present = existsSync(VECTORS)

interface Vectors {
  readonly numberOfTests: number
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk: string }
    readonly tests: readonly {
      readonly tcId: number
      readonly msg: string
      readonly sig: string
      readonly result: string
      readonly comment: string
    }[]
  }[]
}

describe('Wycheproof', () => {
  it.skipIf(!present)(`gives the verdict of every vector${present ? '' : ' (../shared/data is not there)'}`, () => {
    const vectors = JSON.parse(readFileSync(VECTORS, 'utf8')) as Vectors
    const wrong: string[] = []
    let count = 0
    for (const { publicKey, tests } of vectors.testGroups) {
      for (const { tcId, msg, sig, result, comment } of tests) {
        count++
        const accepted = verifySignature(fromHex(publicKey.pk)!, fromHex(msg)!, fromHex(sig)!)
        if (accepted !== (result === 'valid')) wrong.push(`${tcId} ${comment}: ${accepted}`)
      }
    }
    expect(wrong).toEqual([])
    expect(count).toBe(vectors.numberOfTests)
    expect(count).toBe(151)
  })
})

describe('keys and signatures that implementations disagree on', () => {
  const message = utf8('a message')

  /** The eight points of low order, made from one of order 8 rather than from the table under test. */
  const torsion: Point[] = []
  const eighth = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', true)
  for (let i = 0, point = Point.ZERO; i < 8; i++, point = point.add(eighth)) torsion.push(point)

  it('refuses all low-order points, also in encodings that are not canonical', () => {
    expect(new Set(torsion.map((point) => point.toHex())).size).toBe(8)
    for (const encoding of torsion.flatMap(encodingsOf)) {
      expect(isAdmissiblePublicKey(encoding), toHex(encoding)).toBe(false)
    }
  })

  it('refuses every low-order R, in every encoding, although the equation holds', () => {
    // With R of low order and S = k a, the cofactored equation holds for any message: a nonce of zero, which anybody notices.
    const key = keyOf('zero nonce')
    const { publicKey } = key.signer
    const encodings = new Map(torsion.flatMap(encodingsOf).map((encoding) => [toHex(encoding), encoding]))
    // The eight points and the six other encodings of some of them.
    expect(encodings.size).toBe(14)
    for (const [hex, R] of encodings) {
      const forged = zeroNonceSignature(key.seed.reveal(), publicKey, R, message)
      expect(verify(forged, message, publicKey, { zip215: true }), hex).toBe(true)
      expect(verifySignature(publicKey, message, forged), hex).toBe(false)
    }
  })

  it('accepts an R with a torsion component: the equation is the cofactored one', () => {
    const key = keyOf('mixed nonce')
    const nonce = 123_456_789n
    for (const point of torsion) {
      const R = Point.BASE.multiply(nonce).add(point).toBytes()
      const S = (nonce + challenge(R, key.signer.publicKey, message) * secretScalar(key.seed.reveal())) % L
      const signature = Uint8Array.of(...R, ...littleEndian(S))
      expect(verifySignature(key.signer.publicKey, message, signature)).toBe(true)
    }
  })

  it('has rule 3 decided by noble wherever OpenSSL says no, and refuses what neither accepts', async () => {
    const { signer } = keyOf('second opinion')
    const signature = await signer.sign(message)
    const other = await signer.sign(utf8('another message'))
    // R of one signature, S of another: sound encodings, no solution of either equation.
    expect(
      verifySignature(signer.publicKey, message, Uint8Array.of(...signature.subarray(0, 32), ...other.subarray(32)))
    ).toBe(false)
  })

  it('refuses a public key with a torsion component', () => {
    const sound = Point.fromBytes(keyOf('mixed').signer.publicKey)
    expect(isAdmissiblePublicKey(sound.toBytes())).toBe(true)
    for (const point of torsion.slice(1)) expect(isAdmissiblePublicKey(sound.add(point).toBytes())).toBe(false)
  })

  it('takes no key of prime order for another, nor any other for one', () => {
    const kinds = { sound: 0, torsion: 0, none: 0 }
    const scalar = fc.bigInt({ min: 1n, max: L - 1n })
    fc.assert(
      fc.property(scalar, fc.nat(7), (n, i) => {
        const point = Point.BASE.multiply(n).add(torsion[i]!)
        kinds[i === 0 ? 'sound' : 'torsion']++
        expect(isPlainlyOfPrimeOrder(fromLittleEndian(point.toBytes()) % 2n ** 255n)).toBe(point.isTorsionFree())
      }),
      { numRuns: 200 }
    )
    fc.assert(
      fc.property(fc.bigInt({ min: 2n, max: P - 2n }), (y) => {
        let isSound = false
        try {
          isSound = Point.fromBytes(littleEndian(y)).isTorsionFree()
        } catch {
          kinds.none++
        }
        expect(isPlainlyOfPrimeOrder(y)).toBe(isSound)
      }),
      { numRuns: 200 }
    )
    for (const count of Object.values(kinds)) expect(count).toBeGreaterThan(10)
    // Where there is nothing to divide by, and where nothing comes out.
    for (const y of [1n, P - 1n, 0n]) expect(isPlainlyOfPrimeOrder(y)).toBe(false)
  })

  it('refuses S + L, which is the same number to the equation', async () => {
    const { signer } = keyOf('malleable')
    const signature = await signer.sign(message)
    expect(verifySignature(signer.publicKey, message, signature)).toBe(true)
    const lifted = signature.slice()
    lifted.set(littleEndian(fromLittleEndian(signature.subarray(32)) + L), 32)
    expect(verifySignature(signer.publicKey, message, lifted)).toBe(false)
  })

  it('refuses what is not on the curve, not canonical, or not of the right length, and never throws', async () => {
    const { signer } = keyOf('lengths')
    const signature = await signer.sign(message)
    const notOnCurve = littleEndian(2n)
    expect(() => Point.fromBytes(notOnCurve)).toThrow()
    expect(isAdmissiblePublicKey(notOnCurve)).toBe(false)
    expect(isAdmissiblePublicKey(littleEndian(P + 3n))).toBe(false)
    for (const length of [0, 31, 33, 64]) {
      expect(isAdmissiblePublicKey(new Uint8Array(length))).toBe(false)
      expect(verifySignature(new Uint8Array(length), message, signature)).toBe(false)
    }
    for (const length of [0, 63, 65]) {
      expect(verifySignature(signer.publicKey, message, new Uint8Array(length))).toBe(false)
    }
    // A canonical R that is no point at all.
    const noPoint = signature.slice()
    noPoint.set(littleEndian(2n))
    expect(verifySignature(signer.publicKey, message, noPoint)).toBe(false)
  })
})

describe('remembering', () => {
  it('gives the same verdict again, and never another message’s', async () => {
    const { signer } = keyOf('again')
    const signature = await signer.sign(utf8('one'))
    for (let i = 0; i < 3; i++) {
      expect(verifySignature(signer.publicKey, utf8('one'), signature)).toBe(true)
      expect(verifySignature(signer.publicKey, utf8('two'), signature)).toBe(false)
    }
  })

  it('holds for every key and message, and for no changed bit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 64 }),
        fc.nat(511),
        async (seed, message, bit) => {
          const signer = signerFromSeed(seed)
          const signature = await signer.sign(message)
          expect(verifySignature(signer.publicKey, message, signature)).toBe(true)
          const flipped = signature.slice()
          flipped[bit >> 3]! ^= 1 << (bit & 7)
          expect(verifySignature(signer.publicKey, message, flipped)).toBe(false)
          // What OpenSSL waves through is what noble accepts.
          expect(verify(signature, message, signer.publicKey, { zip215: false })).toBe(true)
          expect(Point.fromBytes(signer.publicKey).isTorsionFree()).toBe(true)
        }
      ),
      { numRuns: 40 }
    )
  })

  it('signs as RFC 8032 section 7.1 does', async () => {
    const signer = signerFromSeed(fromHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb')!)
    expect(toHex(signer.publicKey)).toBe('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
    expect(toHex(await signer.sign(Uint8Array.of(0x72)))).toBe(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
        '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
    )
  })
})

const L = 2n ** 252n + 27742317777372353535851937790883648493n
const P = 2n ** 255n - 19n

function encodingsOf(point: Point): Uint8Array[] {
  const { y } = point.toAffine()
  const numbers = y < 19n ? [y, y + P] : [y]
  return numbers.flatMap((number) => [littleEndian(number), littleEndian(number | (1n << 255n))])
}

function zeroNonceSignature(seed: Uint8Array, publicKey: Uint8Array, R: Uint8Array, message: Uint8Array): Uint8Array {
  const signature = new Uint8Array(64)
  signature.set(R)
  signature.set(littleEndian((challenge(R, publicKey, message) * secretScalar(seed)) % L), 32)
  return signature
}

/** k of RFC 8032 section 5.1.7. */
const challenge = (R: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint =>
  fromLittleEndian(createHash('sha512').update(R).update(publicKey).update(message).digest()) % L

/** s of RFC 8032 section 5.1.5. */
function secretScalar(seed: Uint8Array): bigint {
  const half = createHash('sha512').update(seed).digest().subarray(0, 32)
  half[0]! &= 248
  half[31] = (half[31]! & 127) | 64
  return fromLittleEndian(half)
}

const fromLittleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(bytes.toReversed())}`)

function littleEndian(number: bigint): Uint8Array {
  return fromHex(number.toString(16).padStart(64, '0'))!.toReversed()
}
