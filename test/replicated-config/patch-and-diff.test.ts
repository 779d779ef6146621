import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import { canonicalJson, NotJsonError } from '../../src/core/json.ts'
import { diffConfig, mergePatch } from '../../src/replicated-config/index.ts'
import type { ConfigChange } from '../../src/replicated-config/index.ts'

const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>
const parse = (text: string): JsonValue => JSON.parse(text) as JsonValue

describe('JSON Merge Patch', () => {
  // RFC 7396, appendix A: target, patch, result.
  it.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"a":1,"e":null}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}']
  ])('%s with %s gives %s', (target, patch, result) => {
    expect(canonicalJson(mergePatch(parse(target), parse(patch)))).toBe(result)
  })

  it('takes a member called __proto__ for a member', () => {
    const patched = mergePatch({}, parse('{"__proto__":{"polluted":true}}')) as JsonObject
    expect(Object.hasOwn(patched, '__proto__')).toBe(true)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    expect(canonicalJson(mergePatch(patched, parse('{"__proto__":{"polluted":null}}')))).toBe('{"__proto__":{}}')
  })

  it('changes neither argument, and is idempotent', () => {
    fc.assert(
      fc.property(json, json, (target, patch) => {
        const before = canonicalJson([target, patch])
        const once = mergePatch(target, patch)
        expect(canonicalJson([target, patch])).toBe(before)
        expect(canonicalJson(mergePatch(once, patch))).toBe(canonicalJson(once))
      })
    )
  })

  it('refuses a patch that is too deep instead of overflowing', () => {
    const deep = parse(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`)
    expect(() => mergePatch({}, deep)).toThrow(NotJsonError)
  })
})

/** Applies one change with the words of RFC 6902. */
function applyChange(value: JsonValue, { type, pointer, ...rest }: ConfigChange): JsonValue {
  const after = 'after' in rest ? rest.after : null
  if (pointer === '') return after
  const names = pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
  const root = structuredClone(value)
  const last = names.pop()!
  // eslint-disable-next-line typescript/no-explicit-any
  let at = root as unknown as Map<string, unknown> & Record<string, unknown>
  for (const name of names) at = at[name] as typeof at
  if (Array.isArray(at)) at.splice(Number(last), type === 'add' ? 0 : 1, ...(type === 'remove' ? [] : [after]))
  else if (type === 'remove') delete at[last]
  else Object.defineProperty(at, last, { value: after, enumerable: true, writable: true, configurable: true })
  return root
}

describe('diff', () => {
  it('says nothing of equal values, whatever the order of their members', () => {
    expect(diffConfig(parse('{"a":1,"b":[{}]}'), parse('{"b":[{}],"a":1}'))).toEqual([])
  })

  it('names each change by its pointer', () => {
    const before = { 'a/b': 1, '~': { gone: true }, list: [1, 2, 3], same: 0 }
    const after = { 'a/b': 2, '~': { come: null }, list: [1, 9], same: 0 }
    expect(diffConfig(before, after)).toEqual([
      { type: 'replace', pointer: '/a~1b', before: 1, after: 2 },
      { type: 'replace', pointer: '/list/1', before: 2, after: 9 },
      { type: 'remove', pointer: '/list/2', before: 3 },
      { type: 'add', pointer: '/~0/come', after: null },
      { type: 'remove', pointer: '/~0/gone', before: true }
    ])
  })

  it('turns the first value into the second, change by change', () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        const changed = diffConfig(before, after).reduce(applyChange, before)
        expect(canonicalJson(changed)).toBe(canonicalJson(after))
      }),
      { numRuns: 500 }
    )
  })

  it('is empty exactly when the canonical texts are equal', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(diffConfig(a, b).length === 0).toBe(canonicalJson(a) === canonicalJson(b))
      })
    )
  })
})
