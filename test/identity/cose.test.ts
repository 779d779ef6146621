/** The bytes that are signed, made by hand from RFC 9052 and judged by another implementation of Ed25519. */
import { createPublicKey, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { concat, fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { decodeCbor, encodeCbor, type CborValue } from '../../src/core/cbor.ts'
import { readSign, readSign1, sign1, signMany, verifyCose } from '../../src/identity/cose.ts'
import { InvalidDocumentError } from '../../src/identity/document.ts'
import type { Signer } from '../../src/identity/signer.ts'
import { keyOf } from './fixtures.ts'

const { signer } = keyOf('cose')
const payload = utf8('This is the content.')

/** One CBOR byte string of 24 to 255 bytes, or of up to 23. */
const bstr = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength < 24
    ? concat(Uint8Array.of(0x40 | bytes.byteLength), bytes)
    : concat(Uint8Array.of(0x58, bytes.byteLength), bytes)
const tstr = (text: string): Uint8Array =>
  text.length < 24
    ? concat(Uint8Array.of(0x60 | text.length), utf8(text))
    : concat(Uint8Array.of(0x78, text.length), utf8(text))

function openssl({ publicKey }: Signer, bytes: Uint8Array, signature: Uint8Array): boolean {
  const x = Buffer.from(publicKey).toString('base64url')
  return verify(null, bytes, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }), signature)
}

describe('COSE_Sign1', () => {
  it('is what RFC 9052 section 4.2 and 4.4 say', async () => {
    const kind = 'quorate/address-record/v1'
    // {1: -8, 4: key, 16: kind}
    const headers = concat(fromHex('a3012704')!, bstr(signer.publicKey), Uint8Array.of(0x10), tstr(kind))
    const structure = concat(Uint8Array.of(0x84), tstr('Signature1'), bstr(headers), bstr(utf8(kind)), bstr(payload))
    const document = await sign1(kind, payload, signer)
    const signature = document.slice(-64)
    expect(openssl(signer, structure, signature)).toBe(true)
    const expected = concat(Uint8Array.of(0x84), bstr(headers), Uint8Array.of(0xa0), bstr(payload), bstr(signature))
    expect(toHex(document)).toBe(toHex(expected))
    const read = readSign1(kind, document, 100)
    verifyCose(read)
    expect(read.signatures[0]!.signedBytes).toEqual(structure)
    expect(read.payload).toEqual(payload)
  })
})

describe('COSE_Sign', () => {
  it('is what RFC 9052 section 4.1 and 4.4 say', async () => {
    const kind = 'quorate/token/v1'
    const body = concat(fromHex('a110')!, tstr(kind))
    const own = concat(fromHex('a2012704')!, bstr(signer.publicKey))
    const structure = concat(
      Uint8Array.of(0x85),
      tstr('Signature'),
      bstr(body),
      bstr(own),
      bstr(utf8(kind)),
      bstr(payload)
    )
    const document = await signMany(kind, payload, [signer])
    const signature = document.slice(-64)
    expect(openssl(signer, structure, signature)).toBe(true)
    const list = concat(fromHex('8183')!, bstr(own), Uint8Array.of(0xa0), bstr(signature))
    expect(toHex(document)).toBe(
      toHex(concat(Uint8Array.of(0x84), bstr(body), Uint8Array.of(0xa0), bstr(payload), list))
    )
  })

  it('has 1 to 16 signers, of admissible keys, and a payload below the cap of its kind', async () => {
    const kind = 'quorate/token/v1'
    const many = Array.from({ length: 17 }, (_, i) => keyOf(`signer ${i}`).signer)
    await expect(signMany(kind, payload, many)).rejects.toThrow(/1 to 16 signatures/)
    await expect(signMany(kind, payload, [])).rejects.toThrow(/1 to 16 signatures/)
    await expect(signMany(kind, payload, [signer, signer])).rejects.toThrow(/each signer signs once/)
    verifyCose(readSign(kind, await signMany(kind, payload, many.slice(1)), 100))
    const document = await signMany(kind, payload, [signer])
    expect(() => readSign(kind, document, payload.byteLength - 1)).toThrow(/payload of 20 bytes, at most 19/)
    const weak = fromHex(toHex(document).replace(toHex(signer.publicKey), '01'.padEnd(64, '0')))!
    expect(() => verifyCose(readSign(kind, weak, 100))).toThrow(/signature does not hold/)
    const algorithm = fromHex(toHex(document).replace('a2012704', 'a2012604'))!
    expect(() => readSign(kind, algorithm, 100)).toThrow(InvalidDocumentError)
  })

  it('refuses one signer twice, and signers out of order', async () => {
    const kind = 'quorate/token/v1'
    const [a, b] = await Promise.all(
      ['one', 'two'].map(async (name) => decodeCbor(await signMany(kind, payload, [keyOf(name).signer])) as CborValue[])
    )
    const [headers, unprotected, body] = a!
    const entryOf = (document: readonly CborValue[]): CborValue => (document[3] as readonly CborValue[])[0]!
    const withSignatures = (...list: readonly CborValue[]): Uint8Array =>
      encodeCbor([headers!, unprotected!, body!, list])
    const pair = [entryOf(a!), entryOf(b!)]
    const good = [withSignatures(...pair), withSignatures(...pair.toReversed())].filter((document) => {
      try {
        verifyCose(readSign(kind, document, 100))
        return true
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidDocumentError)
        return false
      }
    })
    expect(good).toHaveLength(1)
    expect(() => readSign(kind, withSignatures(pair[0]!, pair[0]!), 100)).toThrow(/repeated or not sorted/)
    expect(() => readSign(kind, withSignatures(), 100)).toThrow(/0 signatures instead of 1 to 16/)
  })

  it('does not believe a signer that signs something else', async () => {
    const broken: Signer = { ...signer, sign: () => signer.sign(utf8('other')) }
    await expect(signMany('quorate/token/v1', payload, [broken])).rejects.toThrow(/its key verifies/)
  })
})
