import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/core/json.ts'
import { canonicalJson } from '../../src/core/json.ts'
import { compileSchema, redactSecrets, secretPointers } from '../../src/replicated-config/index.ts'
import { hiddenSecrets } from '../../src/replicated-config/secrets.ts'

const secret = { type: 'string', 'x-secret': true }

describe('secrets', () => {
  it.each<[string, JsonValue, JsonValue, string[]]>([
    ['a member', { properties: { key: secret } }, { key: 'k', name: 'n' }, ['/key']],
    ['a member with an odd name', { properties: { 'a/b~': secret } }, { 'a/b~': 'k' }, ['/a~1b~0']],
    ['an item', { items: secret }, ['a', 'b'], ['/0', '/1']],
    ['an item by its place', { prefixItems: [true, secret] }, ['a', 'b', 'c'], ['/1']],
    ['names of a kind', { patternProperties: { Key$: secret } }, { aKey: 'k', b: 1 }, ['/aKey']],
    ['all other names', { properties: { a: true }, additionalProperties: secret }, { a: 1, b: 2 }, ['/b']],
    ['through a ref', { $defs: { k: secret }, items: { $ref: '#/$defs/k' } }, ['a'], ['/0']],
    ['an alternative that does not fit', { anyOf: [true, { properties: { a: secret } }] }, { a: 1 }, ['/a']],
    ['the branch not taken', { if: false, then: { items: secret } }, [1], ['/0']],
    ['the whole', secret, 'k', ['']],
    ['nothing', { properties: { key: { 'x-secret': false } } }, { key: 'k' }, []],
    ['nothing by negation', { not: secret }, 'k', []]
  ])('%s', (_, schema, value, pointers) => {
    compileSchema(schema)
    expect(secretPointers(schema, value)).toEqual(pointers)
  })

  it('are replaced in a copy', () => {
    const value = { tls: { key: 'hunter2', cert: 'public' }, list: [1] }
    const schema = { properties: { tls: { properties: { key: secret } } } }
    expect(redactSecrets(schema, value)).toEqual({ tls: { key: '[redacted]', cert: 'public' }, list: [1] })
    expect(value.tls.key).toBe('hunter2')
  })

  it('that are sent back as they were shown are found, at any depth; the same word elsewhere is only a word', () => {
    const schema = {
      properties: { tls: { items: { properties: { 'key/pem': secret, all: { 'x-secret': true } } } }, b: secret }
    }
    const value = { tls: [{ 'key/pem': 'k' }, { 'key/pem': '[redacted]', name: '[redacted]' }], b: '[redacted]' }
    expect(hiddenSecrets(schema, value)).toEqual(['/b', '/tls/1/key~1pem'])
    const shown = redactSecrets(schema, { tls: [{ all: { deep: 1 } }], b: 'k' })
    expect(hiddenSecrets(schema, shown)).toEqual(['/b', '/tls/0/all'])
    expect(hiddenSecrets(schema, { tls: [{ 'key/pem': 'k', all: { deep: '[redacted]' } }], c: '[redacted]' })).toEqual(
      []
    )
  })

  it('are found in time where alternatives multiply', () => {
    const node = {
      $defs: { n: { anyOf: Array.from({ length: 8 }, () => ({ items: { $ref: '#/$defs/n' } })), 'x-secret': false } }
    }
    let value: JsonValue = 'k'
    for (let depth = 0; depth < 60; depth++) value = [value]
    expect(secretPointers({ ...node, $ref: '#/$defs/n' }, value)).toEqual([])
  })

  it('never remain: no marked text survives, at any depth', () => {
    const schema = {
      $defs: {
        tree: {
          properties: { password: secret },
          additionalProperties: { $ref: '#/$defs/tree' },
          items: { $ref: '#/$defs/tree' }
        }
      },
      $ref: '#/$defs/tree'
    }
    const { tree } = fc.letrec<{ tree: JsonValue }>((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.integer(),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'password'), tie('tree'), { maxKeys: 3, noNullPrototype: true }),
        fc.record({ password: fc.constant('hunter2'), a: tie('tree') })
      )
    }))
    fc.assert(
      fc.property(tree, (value) => {
        expect(canonicalJson(redactSecrets(schema, value))).not.toContain('hunter2')
      })
    )
  })

  it('are not repeated by the problems that a validator finds', () => {
    const schema = {
      type: 'object',
      properties: {
        password: { 'x-secret': true, pattern: '^.{20,}$', minLength: 20, enum: ['a'], not: {}, oneOf: [true, true] }
      }
    }
    const problems = compileSchema(schema)({ password: 'hunter2' })
    expect(problems.length).toBeGreaterThan(3)
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })
})
