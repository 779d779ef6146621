import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import { CborError, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import type { CborKey, CborValue } from '../../src/core/cbor.ts'

const hex = (text: string): Uint8Array => fromHex(text.replaceAll(' ', ''))!
const map = (...entries: [CborKey, CborValue][]): CborValue => new Map(entries)

describe('RFC 8949, appendix A, as far as we speak it', () => {
  it.each<[string, CborValue]>([
    ['00', 0],
    ['01', 1],
    ['0a', 10],
    ['17', 23],
    ['18 18', 24],
    ['18 19', 25],
    ['18 64', 100],
    ['19 03e8', 1000],
    ['1a 000f4240', 1_000_000],
    ['1b 000000e8d4a51000', 1_000_000_000_000],
    ['20', -1],
    ['29', -10],
    ['38 63', -100],
    ['39 03e7', -1000],
    ['f4', false],
    ['f5', true],
    ['f6', null],
    ['40', new Uint8Array()],
    ['44 01020304', Uint8Array.of(1, 2, 3, 4)],
    ['60', ''],
    ['61 61', 'a'],
    ['64 49455446', 'IETF'],
    ['62 225c', '"\\'],
    ['62 c3bc', 'ü'],
    ['63 e6b0b4', '水'],
    ['64 f0908591', '\u{10151}'],
    ['80', []],
    ['83 01 02 03', [1, 2, 3]],
    ['83 01 82 02 03 82 04 05', [1, [2, 3], [4, 5]]],
    ['98 19 0102030405060708090a0b0c0d0e0f101112131415161718181819', Array.from({ length: 25 }, (_, i) => i + 1)],
    ['a0', map()],
    ['a2 01 02 03 04', map([1, 2], [3, 4])],
    ['a2 6161 01 6162 82 02 03', map(['a', 1], ['b', [2, 3]])],
    ['82 6161 a1 6162 6163', ['a', map(['b', 'c'])]],
    [
      'a5 6161 6141 6162 6142 6163 6143 6164 6144 6165 6145',
      map(['a', 'A'], ['b', 'B'], ['c', 'C'], ['d', 'D'], ['e', 'E'])
    ]
  ])('%s', (text, value) => {
    expect(toHex(encodeCbor(value))).toBe(text.replaceAll(' ', ''))
    expect(decodeCbor(hex(text))).toEqual(value)
  })

  it.each([
    ['1b ffffffffffffffff', 'an integer of 64 bits'],
    ['c2 49 010000000000000000', 'a bignum'],
    ['3b ffffffffffffffff', 'a negative integer of 64 bits'],
    ['f9 0000', 'a half float'],
    ['fa 47c35000', 'a float'],
    ['fb 3ff199999999999a', 'a double'],
    ['f7', 'undefined'],
    ['f0', 'a simple value'],
    ['f8 ff', 'a simple value of two bytes'],
    ['c0 74 323031332d30332d32315432303a30343a30305a', 'a tag'],
    ['5f 42 0102 43 030405 ff', 'indefinite bytes'],
    ['7f 65 7374726561 64 6d696e67 ff', 'indefinite text'],
    ['9f ff', 'an indefinite array'],
    ['bf 6161 01 ff', 'an indefinite map']
  ])('refuses %s, %s', (text) => {
    expect(() => decodeCbor(hex(text))).toThrow(CborError)
  })
})

describe('one value, one encoding', () => {
  it.each([
    ['18 17', 'an integer with a byte too many'],
    ['19 00ff', 'a short integer in two bytes'],
    ['1a 0000ffff', 'a short integer in four bytes'],
    ['1b 00000000ffffffff', 'a short integer in eight bytes'],
    ['38 17', 'a negative integer with a byte too many'],
    ['58 01 00', 'a length with a byte too many'],
    ['78 01 61', 'a text length with a byte too many'],
    ['98 01 00', 'a count with a byte too many'],
    ['b8 01 00 00', 'a map count with a byte too many'],
    ['a2 02 00 01 00', 'keys out of order'],
    ['a2 01 00 01 00', 'a repeated key'],
    ['a2 6161 00 01 00', 'a text before an integer'],
    ['a2 626161 00 6162 00', 'a longer key before a shorter one'],
    ['a1 40 00', 'bytes as a key'],
    ['a1 80 00', 'an array as a key'],
    ['a1 f4 00', 'a boolean as a key'],
    ['00 00', 'a second value'],
    ['61 ff', 'text that is not UTF-8'],
    ['63 eda080', 'a surrogate in UTF-8'],
    ['62 c080', 'an overlong zero'],
    ['1c', 'a reserved length'],
    ['3b 001fffffffffffff', 'the integer below the smallest'],
    ['1b 0020000000000000', 'the integer above the largest'],
    ['', 'nothing'],
    ['82 00', 'half an array'],
    ['a1 00', 'half an entry'],
    ['42 00', 'half a byte string'],
    ['19 00', 'half a length']
  ])('refuses %s, %s', (text) => {
    expect(() => decodeCbor(hex(text))).toThrow(CborError)
  })

  it('takes the largest and the smallest integer', () => {
    for (const value of [
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      0xffff_ffff,
      0x1_0000_0000,
      -0x1_0000_0001
    ]) {
      expect(decodeCbor(encodeCbor(value))).toBe(value)
    }
  })

  it('keeps a byte order mark: a text is its bytes', () => {
    expect(decodeCbor(encodeCbor('\u{feff}a'))).toBe('\u{feff}a')
  })

  it('sorts the keys of a map by their bytes', () => {
    const keys: CborKey[] = ['aa', 'b', '', -1, 100, 23, 24, 'z', 0]
    const encoded = encodeCbor(new Map(keys.map((key) => [key, null])))
    expect([...(decodeCbor(encoded) as Map<CborKey, null>).keys()]).toEqual([0, 23, 24, 100, -1, '', 'b', 'z', 'aa'])
  })

  it.each<[string, unknown]>([
    ['a fraction', 1.5],
    ['NaN', Number.NaN],
    ['an unsafe integer', 2 ** 53],
    ['a lone surrogate', '\ud800'],
    ['undefined', undefined],
    ['a plain object', {}],
    ['a fraction as a key', new Map([[1.5, 1]])]
  ])('does not write %s', (_, value) => {
    expect(() => encodeCbor(value as CborValue)).toThrow(CborError)
  })
})

const key = fc.oneof(fc.maxSafeInteger(), fc.string({ unit: 'grapheme', maxLength: 8 }))
const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    // CBOR has one zero; -0 is written as 0.
    fc.maxSafeInteger().map((integer) => integer + 0),
    fc.string({ unit: 'grapheme' }),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 30 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 30 }).map((entries) => new Map(entries))
  )
}))

describe('properties', () => {
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(value, (original) => {
        expect(decodeCbor(encodeCbor(original), { depthMax: 64 })).toEqual(original)
      })
    )
  })

  it('accepts only what it would have written, and throws nothing but CborError', () => {
    const mutated = fc
      .tuple(value, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }))
      .map(([item, changes]) => {
        const bytes = encodeCbor(item)
        for (const [at, byte] of changes) bytes[at % bytes.byteLength] = byte
        return bytes
      })
    let accepted = 0
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 40 })), (bytes) => {
        let decoded: CborValue
        try {
          decoded = decodeCbor(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(CborError)
          return
        }
        accepted += 1
        expect(toHex(encodeCbor(decoded))).toBe(toHex(bytes))
      }),
      { numRuns: 5000 }
    )
    expect(accepted).toBeGreaterThan(100)
  })

  it('writes a map as if its keys had come in their order, whichever they are and whenever they came', () => {
    // Around every length of a head, on both sides of zero, and texts that look like numbers.
    const near = [-257, -256, -25, -24, -2, -1, 0, 1, 2, 5, 6, 7, 9, 22, 23, 24, 25, 255, 256, 65_535, 65_536]
    const sizes = { minLength: 2, maxLength: 8 }
    const some = fc.oneof(
      fc.uniqueArray(fc.oneof(fc.constantFrom(...near), fc.constantFrom('', '0', '5', 'a', 'aa')), sizes),
      fc.uniqueArray(fc.nat({ max: 23 }), sizes)
    )
    const drawn = some.chain((keys) =>
      fc.tuple(fc.constant(keys), fc.shuffledSubarray(keys, { minLength: keys.length }))
    )
    const written = (keys: readonly CborKey[]): string => toHex(encodeCbor(new Map(keys.map((each) => [each, 0]))))
    fc.assert(
      fc.property(drawn, ([keys, others]) => {
        const ordered = keys.map((each) => toHex(encodeCbor(each))).toSorted()
        expect(written(keys)).toBe(`a${keys.length}${ordered.map((head) => `${head}00`).join('')}`)
        expect(written(others)).toBe(written(keys))
      }),
      { numRuns: 500 }
    )
  })

  it('reads a view into a larger buffer, and gives byte strings of their own', () => {
    const whole = hex('ff ff 42 0102 ff')
    const decoded = decodeCbor(whole.subarray(2, 5)) as Uint8Array
    whole.fill(0)
    expect([...decoded]).toEqual([1, 2])
    expect(decoded.buffer.byteLength).toBe(2)
  })
})

describe('what is declared is not allocated', () => {
  it.each([
    '5b 001fffffffffffff',
    '7b 001fffffffffffff',
    '9b 001fffffffffffff',
    'bb 000fffffffffffff',
    'bb 001fffffffffffff',
    '9a 7fffffff 00',
    '5a 7fffffff 00'
  ])('%s is refused at once', (text) => {
    const before = process.memoryUsage()
    for (let i = 0; i < 100; i++) expect(() => decodeCbor(hex(text))).toThrow(CborError)
    const after = process.memoryUsage()
    // A hundred honest attempts would be far above 100 GB; the bound is wide because other things allocate too.
    expect(after.heapTotal + after.arrayBuffers - before.heapTotal - before.arrayBuffers).toBeLessThan(256 * 2 ** 20)
  })

  it('a count is compared with the bytes that are left before anything is read', () => {
    expect(() => decodeCbor(hex('84 f7 f7 f7'))).toThrow(/more items declared than bytes are left/)
    expect(() => decodeCbor(hex('a2 f7 f7 f7'))).toThrow(/more items declared than bytes are left/)
  })

  it('counts depth', () => {
    const nested = (depth: number): Uint8Array => hex(`${'81'.repeat(depth)}00`)
    expect(decodeCbor(nested(16))).toBeDefined()
    expect(() => decodeCbor(nested(17))).toThrow(/nested deeper than 16/)
    expect(() => decodeCbor(nested(100_000))).toThrow(CborError)
    expect(() => decodeCbor(hex('a1 00 81 00'), { depthMax: 1 })).toThrow(/nested/)
  })

  it('counts items over the whole document, a map entry twice', () => {
    const list = encodeCbor([[0, 0], new Map([[0, 0]])])
    expect(decodeCbor(list, { itemsMax: 6 })).toBeDefined()
    expect(() => decodeCbor(list, { itemsMax: 5 })).toThrow(/too many items/)
  })

  it('grows its own buffer as far as it must', () => {
    const long = 'x'.repeat(1_000_000)
    expect(decodeCbor(encodeCbor([long, new Uint8Array(1_000_000), long]))).toEqual([
      long,
      new Uint8Array(1_000_000),
      long
    ])
  })
})

it('says where it failed', () => {
  expect(() => decodeCbor(hex('82 00 f7'))).toThrow(/simple value or float 23 is not allowed \(at byte 3\)/)
})
