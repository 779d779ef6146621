import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson, NotJsonError } from '../../src/core/json.ts'

describe('canonical JSON (RFC 8785)', () => {
  it('sorts members by UTF-16 code units, as the example of section 3.2.3', () => {
    const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 }
    const names = Object.keys(JSON.parse(canonicalJson(value)) as object).filter((name) => name !== '1')
    expect(names).toEqual(['\r', '\u0080', '\u00f6', '\u20ac', '\u{1f600}', '\ufb33'])
    // JSON.parse puts `1` first; the text does not.
    expect(canonicalJson(value)).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}')
  })

  // Appendix B of the RFC: bits of the double, text.
  it.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555555', '333333333.3333333'],
    ['becbf647612f3696', '-0.0000033333333333333333']
  ])('writes the double %s as %s', (bits, text) => {
    expect(canonicalJson(Buffer.from(bits, 'hex').readDoubleBE())).toBe(text)
  })

  it('sorts a name before its own beginnings with more behind', () => {
    expect(canonicalJson({ 'a!': 1, a: 2, 'a b': 3, A: 4, '': 5 })).toBe('{"":5,"A":4,"a":2,"a b":3,"a!":1}')
  })

  it('escapes only what it must', () => {
    expect(canonicalJson('\u0000\b\t\n\f\r"\\/\u007f\u2028é')).toBe('"\\u0000\\b\\t\\n\\f\\r\\"\\\\/\u007f\u2028é"')
  })

  it('does not depend on the order in which members were added', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.jsonValue()), { maxLength: 12 }), (entries) => {
        const once = Object.fromEntries(entries)
        const again = Object.fromEntries(Object.entries(once).toReversed())
        expect(canonicalJson(again)).toBe(canonicalJson(once))
      })
    )
  })

  it('calls nothing of the value: a toJSON is a member like any other, and an own one of an array is none', () => {
    const list = Object.assign([1], { toJSON: () => 2 })
    expect(canonicalJson({ a: list, toJSON: 3 })).toBe('{"a":[1],"toJSON":3}')
    expect(() => canonicalJson({ toJSON: () => 2 })).toThrow(/toJSON is of type function/)
  })

  it('is the text of the same value, and its own canonical text', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = canonicalJson(value)
        // -0 is written as 0.
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(canonicalJson(JSON.parse(text))).toBe(text)
      })
    )
  })

  it('keeps a member called __proto__', () => {
    expect(canonicalJson(JSON.parse('{"__proto__":{"a":1},"a":2}'))).toBe('{"__proto__":{"a":1},"a":2}')
  })

  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  it.each<[string, unknown, RegExp]>([
    ['NaN', { a: [Number.NaN] }, /\/a\/0 is NaN/],
    ['Infinity', Infinity, /the value is Infinity/],
    ['undefined', { a: undefined }, /\/a is of type undefined/],
    ['a function', [() => 1], /\/0 is of type function/],
    ['a symbol', Symbol('a'), /of type symbol/],
    ['a bigint', 1n, /of type bigint/],
    ['a Date', new Date(0), /an instance of a class/],
    ['a Map', new Map(), /an instance of a class/],
    ['bytes', new Uint8Array(1), /an instance of a class/],
    ['a lone surrogate', { a: '\udc00' }, /\/a is a text with a lone surrogate/],
    ['a lone surrogate in a name', { '\ud800': 1 }, /lone surrogate/],
    ['a cycle', cycle, /nested deeper than 64/],
    ['a hole', Array.from({ length: 1 }), /\/0 is of type undefined/]
  ])('refuses %s', (_, value, message) => {
    expect(() => canonicalJson(value)).toThrow(NotJsonError)
    expect(() => canonicalJson(value)).toThrow(message)
  })
})
