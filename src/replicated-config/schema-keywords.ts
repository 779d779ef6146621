/** Which keywords of JSON Schema 2020-12 (draft-bhutton-json-schema-01) Quorate judges by, and what each must look like. */
import type { JsonObject, JsonValue } from '../core/json.ts'

export const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isArray = (value: JsonValue | undefined): value is readonly JsonValue[] => Array.isArray(value)

export const TYPES = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer'] as const

/** Say something to people or programs; judge nothing. `format` is one of them, as the standard's default has it. */
const annotations = new Set(
  '$comment title description default examples deprecated readOnly writeOnly format $id $schema'.split(' ')
)

/** A user's own annotations, such as `x-secret`. */
export const isAnnotation = (keyword: string): boolean => annotations.has(keyword) || keyword.startsWith('x-')

/** Keywords that hold schemas. `inPlace`: they judge the same value again, so a cycle through them would never end. */
export const nestings: ReadonlyMap<string, Nesting> = new Map([
  ['$defs', { shape: 'named', inPlace: false }],
  ['additionalProperties', { shape: 'one', inPlace: false }],
  ['allOf', { shape: 'list', inPlace: true }],
  ['anyOf', { shape: 'list', inPlace: true }],
  ['contains', { shape: 'one', inPlace: false }],
  ['dependentSchemas', { shape: 'named', inPlace: true }],
  ['else', { shape: 'one', inPlace: true }],
  ['if', { shape: 'one', inPlace: true }],
  ['items', { shape: 'one', inPlace: false }],
  ['not', { shape: 'one', inPlace: true }],
  ['oneOf', { shape: 'list', inPlace: true }],
  ['patternProperties', { shape: 'named', inPlace: false }],
  ['prefixItems', { shape: 'list', inPlace: false }],
  ['properties', { shape: 'named', inPlace: false }],
  ['propertyNames', { shape: 'one', inPlace: false }],
  ['then', { shape: 'one', inPlace: true }]
])

export interface Nesting {
  readonly shape: 'one' | 'list' | 'named'
  readonly inPlace: boolean
}

const isCount = (value: JsonValue): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isNumber = (value: JsonValue): boolean => typeof value === 'number'
const isType = (value: JsonValue): boolean => (TYPES as readonly JsonValue[]).includes(value)
const isNames = (value: JsonValue | undefined): boolean =>
  isArray(value) && value.every((name) => typeof name === 'string') && new Set(value).size === value.length

/** Keywords that hold no schema: whether the value is well-formed, and the words for when it is not. */
type Assertion = readonly [holds: (value: JsonValue) => boolean, rule: string]

const assertionRules: Readonly<Record<string, Assertion>> = {
  $ref: [(value) => typeof value === 'string' && /^#(?:\/|$)/.test(value), 'a pointer into this schema, `#` or `#/…`'],
  const: [() => true, 'a value'],
  dependentRequired: [(value) => isObject(value) && Object.values(value).every(isNames), 'an object of lists of names'],
  enum: [(value) => isArray(value) && value.length > 0, 'a list with at least one value'],
  exclusiveMaximum: [isNumber, 'a number'],
  exclusiveMinimum: [isNumber, 'a number'],
  maxContains: [isCount, 'a count'],
  maxItems: [isCount, 'a count'],
  maxLength: [isCount, 'a count'],
  maxProperties: [isCount, 'a count'],
  maximum: [isNumber, 'a number'],
  minContains: [isCount, 'a count'],
  minItems: [isCount, 'a count'],
  minLength: [isCount, 'a count'],
  minProperties: [isCount, 'a count'],
  minimum: [isNumber, 'a number'],
  multipleOf: [(value) => typeof value === 'number' && value > 0, 'a number above 0'],
  pattern: [(value) => typeof value === 'string' && regexpOf(value) !== undefined, 'a regular expression'],
  required: [isNames, 'a list of distinct names'],
  type: [
    (value) => isType(value) || (isArray(value) && value.length > 0 && isNames(value) && value.every(isType)),
    `one of ${TYPES.join(', ')}, or a list of them`
  ],
  uniqueItems: [(value) => typeof value === 'boolean', 'true or false']
}

export const assertions: ReadonlyMap<string, Assertion> = new Map(Object.entries(assertionRules))

/** ECMA-262 with the `u` flag, as the standard recommends; undefined when it is none. */
export function regexpOf(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern, 'u')
  } catch {
    return undefined
  }
}
