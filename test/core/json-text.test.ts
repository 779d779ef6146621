import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonTextError, parseJsonText } from '../../src/core/json-text.ts'

describe('JSON text', () => {
  it('is read as JSON.parse reads it, wherever that loses nothing', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom(undefined, 1, '\t'), (text, space) => {
        const spaced = JSON.stringify(JSON.parse(text), undefined, space)
        expect(parseJsonText(spaced)).toEqual(JSON.parse(spaced))
      })
    )
    for (const text of [
      '0.1',
      '-0',
      '0e9',
      '0E5',
      '-0.0e-7',
      '1E5',
      '1000000000000000000000',
      '9007199254740991',
      '9007199254740992',
      '25083883637287510',
      '1e300',
      '"\\"\\\\"',
      ' [ ] '
    ]) {
      expect(parseJsonText(text)).toEqual(JSON.parse(text))
    }
    const deep = '{"a":['.repeat(32) + '0' + ']}'.repeat(32)
    expect(parseJsonText(deep)).toEqual(JSON.parse(deep))
    expect(parseJsonText(`"${'\\n'.repeat(1e6)}"`)).toHaveLength(1e6)
  })

  it.each([
    ['{"a":1e400}', '/a', '1e400', 'larger than any number'],
    ['{"a":[0, -1e999]}', '/a/1', '-1e999', 'larger than any number'],
    ['12345678901234567890', '', '12345678901234567890', 'would become 12345678901234567000'],
    ['[-9007199254740993]', '/0', '-9007199254740993', 'would become -9007199254740992'],
    ['[1e-400]', '/0', '1e-400', 'would become 0'],
    ['[0.0012e-400]', '/0', '0.0012e-400', 'would become 0'],
    ['[12345678901234567890\n]', '/0', '12345678901234567890', 'would become'],
    [`[0, 1${'0'.repeat(59)}1 ]`, '/1', `1${'0'.repeat(59)}…`, `is 1${'0'.repeat(59)}…, which`],
    [`9${'9'.repeat(59)}`, '', `9${'9'.repeat(59)}`, 'would become 1e+60'],
    ['{"a":1,"a":2}', '/a', 'a', 'stands there twice'],
    ['{"x/y":{"~":[{"b":1, "\\u0062" : 1}]}}', '/x~1y/~0/0/b', 'b', 'stands there twice'],
    ['{"__proto__":1,"__proto__":2}', '/__proto__', '__proto__', 'twice'],
    ['{"a":'.repeat(65) + '0' + '}'.repeat(65), '/a'.repeat(65), '', 'nested deeper than 64'],
    ['{"a":['.repeat(33) + ']}'.repeat(33), '/a/0'.repeat(32) + '/a', '', 'nested deeper than 64'],
    ['['.repeat(70_000) + ']'.repeat(70_000), '/0'.repeat(65), '', 'nested deeper than 64']
  ])('%s is refused by its place', (text, pointer, value, problem) => {
    const read = (): unknown => parseJsonText(text)
    expect(read).toThrow(JsonTextError)
    expect(read).toThrow(problem)
    try {
      read()
    } catch (error) {
      expect(error).toMatchObject({ details: { pointer, value }, nextStep: expect.any(String) as unknown })
    }
  })

  it('that is no JSON at all is told by JSON.parse', () => {
    for (const text of ['', '{', '{"a":1,}', '01', "{'a':1}"]) expect(() => parseJsonText(text)).toThrow(SyntaxError)
  })
})
