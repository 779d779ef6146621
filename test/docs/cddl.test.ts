/** The validator itself: what it takes, what it refuses, what it remembers. */
import { describe, expect, it } from 'vitest'
import { type CborValue, encodeCbor } from '../../src/core/cbor.ts'
import { Cddl } from './cddl.ts'

const GRAMMAR = `
\`\`\`cddl
; a comment, with "quotes" and = signs
thing = [kind: 1 / 2, name: tstr .size (1..3), list: [0*2 uint], body]
body  = (7, uint // 8, [+ tstr] // 9)
map   = { "a": uint, ? 4: bool, (more // fewer) }
more  = ("b": bstr .size 2)
fewer = ("c": null)
box<kind, inner> = [kind, bytes .cbor inner]
boxed = box<"x", [+ level]>
level = &(low: 0, high: 3)
above = uint .gt 4
\`\`\`
`
const cddl = new Cddl()
cddl.add('a.md', GRAMMAR)

const fits = (name: string, value: CborValue): boolean => cddl.problem('a.md', name, value) === undefined

describe('the CDDL of the docs', () => {
  it.each<readonly [string, CborValue, boolean]>([
    ['thing', [1, 'abc', [5, 6], 7, 0], true],
    ['thing', [2, 'a', [], 8, ['x', 'y']], true],
    ['thing', [2, 'a', [], 9], true],
    ['thing', [3, 'a', [], 9], false],
    ['thing', [1, '', [], 9], false],
    ['thing', [1, 'abcd', [], 9], false],
    ['thing', [1, 'a', [1, 2, 3], 9], false],
    ['thing', [1, 'a', [-1], 9], false],
    ['thing', [1, 'a', [], 8, []], false],
    ['thing', [1, 'a', [], 9, 1], false],
    ['thing', [1, 'a', []], false],
    [
      'map',
      new Map<string | number, CborValue>([
        ['a', 1],
        ['b', new Uint8Array(2)]
      ]),
      true
    ],
    [
      'map',
      new Map<string | number, CborValue>([
        ['a', 1],
        [4, true],
        ['c', null]
      ]),
      true
    ],
    [
      'map',
      new Map<string | number, CborValue>([
        ['a', 1],
        [4, 1],
        ['c', null]
      ]),
      false
    ],
    [
      'map',
      new Map<string | number, CborValue>([
        ['a', 1],
        ['b', new Uint8Array(3)]
      ]),
      false
    ],
    ['map', new Map<string | number, CborValue>([['a', 1]]), false],
    [
      'map',
      new Map<string | number, CborValue>([
        ['a', 1],
        ['c', null],
        ['d', 1]
      ]),
      false
    ],
    ['boxed', ['x', encodeCbor([0, 3])], true],
    ['boxed', ['x', encodeCbor([0, 1])], false],
    ['boxed', ['y', encodeCbor([0])], false],
    ['boxed', ['x', Uint8Array.of(0xff)], false],
    ['above', 5, true],
    ['above', 4, false]
  ])('%s %j: %s', (name, value, expected) => {
    expect(fits(name, value)).toBe(expected)
  })

  it('remembers what was taken, and knows what could be', () => {
    const taken = new Set<string>()
    cddl.problem('a.md', 'thing', [1, 'abc', [5], 7, 0], taken)
    const left = [...cddl.places('a.md', 'thing')].filter((place) => !taken.has(place))
    expect(left).toEqual([
      'a.md:4 alternative 2',
      'a.md:4 2',
      'a.md:5 group 2',
      'a.md:5 8',
      'a.md:5 group 3',
      'a.md:5 9'
    ])
  })

  it('does not know what is not defined', () => {
    cddl.add('b.md', '```cddl\nlost = [nobody]\n```\n')
    expect(() => cddl.problem('b.md', 'lost', [1])).toThrow('nobody is defined in 0 other chapters')
    expect(() => new Cddl().add('c.md', '```cddl\na = [b\n```\n')).toThrow('c.md:end')
  })
})
