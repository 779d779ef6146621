/**
 * Secrets inside a config: a schema marks them with `x-secret: true`, and everything that shows a config to people asks here
 * first. Members still replicate and store them; this keeps them out of logs, reports and screens.
 *
 * When in doubt a value is a secret: a mark counts in every alternative (`anyOf`, `if`, …) whether or not that one fits.
 */
import { compareText } from '../core/bytes.ts'
import type { JsonObject, JsonValue } from '../core/json.ts'
import { pointerToken } from './diff.ts'
import { resolveRef } from './schema-check.ts'
import type { Nesting } from './schema-keywords.ts'
import { isArray, isObject, nestings, regexpOf } from './schema-keywords.ts'

export const REDACTED = '[redacted]'

/** The pointers of all values in `value` that the schema marks, sorted. The schema is one that `compileSchema` accepts. */
export function secretPointers(schema: JsonValue, value: JsonValue): readonly string[] {
  return [...new Marks(schema).find(value)].toSorted(compareText)
}

/** A copy with every secret replaced by `[redacted]`. */
export function redactSecrets(schema: JsonValue, value: JsonValue): JsonValue {
  const secrets = new Marks(schema).find(value)
  const copy = (item: JsonValue, pointer: string): JsonValue => {
    if (secrets.has(pointer)) return REDACTED
    if (isArray(item)) return item.map((inner, i) => copy(inner, `${pointer}/${i}`))
    if (!isObject(item)) return item
    return Object.fromEntries(
      Object.entries(item).map(([name, inner]) => [name, copy(inner, `${pointer}/${pointerToken(name)}`)])
    )
  }
  return copy(value, '')
}

/** Where `redactSecrets` has been and nobody put the secret back, sorted: what was read was sent again. */
export function hiddenSecrets(schema: JsonValue, value: JsonValue): readonly string[] {
  const secrets = new Marks(schema).find(value)
  const hidden = (item: JsonValue, pointer: string): readonly string[] => {
    if (item === REDACTED && secrets.has(pointer)) return [pointer]
    if (isArray(item)) return item.flatMap((inner, i) => hidden(inner, `${pointer}/${i}`))
    if (!isObject(item)) return []
    return Object.entries(item).flatMap(([name, inner]) => hidden(inner, `${pointer}/${pointerToken(name)}`))
  }
  return hidden(value, '').toSorted(compareText)
}

class Marks {
  readonly #root: JsonValue
  readonly #found = new Set<string>()
  /** Where each schema has been applied: without it, alternatives that share a schema would multiply at every level. */
  readonly #applied = new Map<JsonObject, Set<string>>()

  constructor(root: JsonValue) {
    this.#root = root
  }

  find(value: JsonValue): ReadonlySet<string> {
    this.#at(this.#root, value, '')
    return this.#found
  }

  #at(schema: JsonValue | undefined, value: JsonValue, pointer: string): void {
    if (!isObject(schema) || this.#isRepeated(schema, pointer)) return
    if (schema['x-secret'] === true) this.#found.add(pointer)
    for (const inner of inPlace(this.#root, schema)) this.#at(inner, value, pointer)
    if (isArray(value)) this.#items(schema, value, pointer)
    else if (isObject(value)) this.#members(schema, value, pointer)
  }

  #isRepeated(schema: JsonObject, pointer: string): boolean {
    const pointers = this.#applied.get(schema) ?? new Set()
    if (pointers.has(pointer)) return true
    this.#applied.set(schema, pointers.add(pointer))
    return false
  }

  #items({ prefixItems, items, contains }: JsonObject, value: readonly JsonValue[], pointer: string): void {
    const prefix = isArray(prefixItems) ? prefixItems : []
    for (const [i, item] of value.entries()) {
      this.#at(i < prefix.length ? prefix[i] : items, item, `${pointer}/${i}`)
      this.#at(contains, item, `${pointer}/${i}`)
    }
  }

  #members(
    { properties, patternProperties, additionalProperties }: JsonObject,
    value: JsonObject,
    pointer: string
  ): void {
    for (const [name, item] of Object.entries(value)) {
      const schemas = isObject(properties) && Object.hasOwn(properties, name) ? [properties[name]] : []
      for (const [pattern, inner] of isObject(patternProperties) ? Object.entries(patternProperties) : []) {
        if (regexpOf(pattern)?.test(name) === true) schemas.push(inner)
      }
      for (const inner of schemas.length > 0 ? schemas : [additionalProperties]) {
        this.#at(inner, item, `${pointer}/${pointerToken(name)}`)
      }
    }
  }
}

/** The schemas that speak about the same value; `not` says what it is not. */
function inPlace(root: JsonValue, schema: JsonObject): readonly (JsonValue | undefined)[] {
  const nested = [...nestings]
    .filter(([keyword, { inPlace: same }]) => same && keyword !== 'not' && Object.hasOwn(schema, keyword))
    .flatMap(([keyword, { shape }]) => listOf(shape, schema[keyword]!))
  const { $ref } = schema
  return typeof $ref === 'string' ? [...nested, resolveRef(root, $ref)] : nested
}

function listOf(shape: Nesting['shape'], inner: JsonValue): readonly JsonValue[] {
  if (shape === 'one') return [inner]
  if (isArray(inner)) return inner
  return isObject(inner) ? Object.values(inner) : []
}
