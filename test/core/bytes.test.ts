import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  compareBytes,
  compareText,
  concat,
  copyOf,
  equalBytes,
  fromBase64Url,
  fromHex,
  fromUtf8,
  toBase64Url,
  toHex,
  utf8
} from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/hash.ts'

const bytes = fc.uint8Array({ maxLength: 64 })

describe('copies', () => {
  it('share nothing with what they were taken from, a buffer included, however long', () => {
    for (const length of [0, 1, 32, 96, 97, 300]) {
      const whole = Buffer.from(Array.from({ length: length + 9 }, (_, i) => i % 200))
      const copy = copyOf(whole, 4, length)
      expect(copy.constructor).toBe(Uint8Array)
      expect([...copy]).toEqual([...whole.subarray(4, 4 + length)])
      whole.fill(0xee)
      expect(copy.includes(0xee)).toBe(false)
    }
  })
})

describe('texts of bytes', () => {
  it('come back', () => {
    fc.assert(
      fc.property(bytes, (original) => {
        expect(fromHex(toHex(original))).toEqual(original)
        expect(fromBase64Url(toBase64Url(original))).toEqual(original)
      })
    )
    for (let length = 0; length < 100; length++) {
      const original = Uint8Array.from({ length }, (_, i) => i * 37)
      expect(toHex(original)).toBe(Buffer.from(original).toString('hex'))
      expect(toHex(original.subarray(length >> 1))).toBe(Buffer.from(original.subarray(length >> 1)).toString('hex'))
    }
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(fromUtf8(utf8(text))).toBe(text)
      })
    )
  })

  it('are of the view, not of the buffer behind it', () => {
    const view = Uint8Array.of(1, 2, 3, 4).subarray(1, 3)
    expect(toHex(view)).toBe('0203')
    expect(toBase64Url(view)).toBe('AgM')
  })

  it.each(['0', '0g', 'zz', '0x00', ' 00', '00 ', '0š', '\u0130\u0131'])('%j is not hex', (text) => {
    expect(fromHex(text)).toBeUndefined()
  })

  it('hex may be of either case', () => {
    expect(fromHex('aBCd')).toEqual(Uint8Array.of(0xab, 0xcd))
  })

  it.each(['AA==', 'A', 'AB', 'A+', 'A/', 'AA ', 'Ä'])('%j is not canonical base64url', (text) => {
    expect(fromBase64Url(text)).toBeUndefined()
  })

  it('has one base64url text for each byte string', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 6 }), (text) => {
        const decoded = fromBase64Url(text)
        if (decoded !== undefined) expect(toBase64Url(decoded)).toBe(text)
      })
    )
  })

  it('refuses bytes that are not UTF-8', () => {
    expect(() => fromUtf8(Uint8Array.of(0xff))).toThrow(TypeError)
  })
})

describe('comparison', () => {
  it('orders bytes as hex texts are ordered', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(compareText(toHex(a), toHex(b)))
        expect(equalBytes(a, b)).toBe(toHex(a) === toHex(b))
        expect(equalBytes(a, a.slice())).toBe(true)
      })
    )
  })

  it('orders texts by code unit, whatever the locale', () => {
    expect(['b', 'Z', 'a', 'ä', '', 'aa'].toSorted(compareText)).toEqual(['', 'Z', 'a', 'aa', 'b', 'ä'])
  })
})

it('concat puts parts in a row and shares nothing', () => {
  const part = Uint8Array.of(1, 2)
  const whole = concat(part, new Uint8Array(), Uint8Array.of(3))
  part.fill(9)
  expect(whole).toEqual(Uint8Array.of(1, 2, 3))
  expect(concat()).toEqual(new Uint8Array())
})

describe('sha256', () => {
  // FIPS 180-4, examples: one block, two blocks, nothing.
  it.each([
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'
    ],
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855']
  ])('%j', (text, digest) => {
    expect(toHex(sha256(utf8(text)))).toBe(digest)
  })

  it('of parts is that of their concatenation', () => {
    expect(sha256(utf8('a'), utf8('bc'))).toEqual(sha256(utf8('abc')))
  })
})
