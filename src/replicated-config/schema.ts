/**
 * The judge of a config: JSON Schema 2020-12, as an interpreter of our own.
 *
 * The verdict decides what every member's state becomes, so it is part of the protocol like the hash rule: one meaning, on
 * every version of Node.js and of Quorate. A general validator gives no such promise from one release to the next, and
 * compiles schemas to code, which hardened machines forbid (ADR 0004). Hence three properties:
 *
 * - *Total and bounded.* Any value gets an answer. Work is counted in steps; a schema that needs more than a million on a
 *   value is answered with a problem that says so, on every member alike.
 * - *Exact.* `multipleOf` divides decimals, not floats; lengths count characters, not UTF-16 units; equality is equality of
 *   canonical text.
 * - *Closed.* A keyword that is not judged by is refused when the schema is read, so that no typo and no newer draft passes
 *   as "valid". Left out on purpose: `$dynamicRef`, `$anchor`, refs to other documents, `unevaluated…`, `content…`.
 *
 * `format` is an annotation, as in the standard. `pattern` is the engine's regular expression: a pattern with catastrophic
 * backtracking is its author's to avoid, and that author signed the genesis.
 */
import { canonicalJson } from '../core/json.ts'
import type { JsonObject, JsonValue } from '../core/json.ts'
import { pointerToken } from './diff.ts'
import { PROBLEMS_MAX, SCHEMA_DEPTH_MAX, SCHEMA_STEPS_MAX } from './limits.ts'
import { InvalidSchemaError, resolveRef, schemaProblems } from './schema-check.ts'
import { isArray, isObject, regexpOf } from './schema-keywords.ts'
import type { ConfigProblem, ValidateConfig } from './types.ts'

/** Accepts everything: for a genesis without a schema. */
export const anyConfig: ValidateConfig = () => []

/** Throws InvalidSchemaError when the schema cannot be used. */
export function compileSchema(schema: JsonValue): ValidateConfig {
  const problems = schemaProblems(schema)
  if (problems.length > 0) throw new InvalidSchemaError(problems.slice(0, PROBLEMS_MAX))
  return (value) => new Judge(schema).judge(value)
}

class OutOfSteps extends Error {}

/** One judgement of one value. */
class Judge {
  readonly #root: JsonValue
  #steps = 0
  #depth = 0

  constructor(root: JsonValue) {
    this.#root = root
  }

  judge(value: JsonValue): readonly ConfigProblem[] {
    try {
      return this.#at(this.#root, value, '').slice(0, PROBLEMS_MAX)
    } catch (error) {
      if (!(error instanceof OutOfSteps)) throw error
      return [{ pointer: '', message: 'The schema takes too many steps on this value.' }]
    }
  }

  /** At most PROBLEMS_MAX problems, and so at every level below. */
  #at(schema: JsonValue, value: JsonValue, pointer: string): ConfigProblem[] {
    if (schema === true) return []
    if (!isObject(schema)) return [{ pointer, message: 'Nothing is allowed here.' }]
    this.#spend(1)
    this.#depth += 1
    if (this.#depth > SCHEMA_DEPTH_MAX) throw new OutOfSteps()
    const problems = [
      ...this.#value(schema, value, pointer),
      ...(typeof value === 'number' ? numberProblems(schema, value, pointer) : []),
      ...(typeof value === 'string' ? this.#letters(schema, value, pointer) : []),
      ...(isArray(value) ? this.#array(schema, value, pointer) : []),
      ...(isObject(value) ? this.#object(schema, value, pointer) : []),
      ...this.#combined(schema, value, pointer)
    ]
    this.#depth -= 1
    return problems.slice(0, PROBLEMS_MAX)
  }

  #holds(schema: JsonValue, value: JsonValue): boolean {
    return this.#at(schema, value, '').length === 0
  }

  #spend(steps: number): void {
    this.#steps += steps
    if (this.#steps > SCHEMA_STEPS_MAX) throw new OutOfSteps()
  }

  /** The text by which values are compared; a step for each sixteen letters. */
  #text(value: JsonValue): string {
    const text = canonicalJson(value)
    this.#spend(text.length >> 4)
    return text
  }

  #value(schema: JsonObject, value: JsonValue, pointer: string): ConfigProblem[] {
    const { type, enum: allowed, const: only } = schema
    const types = (isArray(type) ? type : type === undefined ? [] : [type]) as readonly string[]
    if (types.length > 0 && !types.some((name) => isOfType(name, value))) {
      return [{ pointer, message: `Must be ${types.join(' or ')}, not ${typeNameOf(value)}.` }]
    }
    if (isArray(allowed) && !this.#includes(allowed, value)) {
      return [{ pointer, message: `Must be one of ${brief(canonicalJson(allowed))}.` }]
    }
    if (only !== undefined && this.#text(only) !== this.#text(value)) {
      return [{ pointer, message: `Must be ${brief(canonicalJson(only))}.` }]
    }
    return []
  }

  #includes(allowed: readonly JsonValue[], value: JsonValue): boolean {
    const text = this.#text(value)
    return allowed.some((candidate) => this.#text(candidate) === text)
  }

  #letters(schema: JsonObject, value: string, pointer: string): ConfigProblem[] {
    const { minLength, maxLength, pattern } = schema
    if (minLength === undefined && maxLength === undefined && pattern === undefined) return []
    this.#spend(value.length >> 4)
    const problems = countProblems(schema, 'Length', characters(value), pointer)
    if (typeof pattern === 'string' && regexpOf(pattern)?.test(value) !== true) {
      problems.push({ pointer, message: `Must match ${pattern}.` })
    }
    return problems
  }

  #array(schema: JsonObject, value: readonly JsonValue[], pointer: string): ConfigProblem[] {
    const { prefixItems, items, contains, uniqueItems } = schema
    const problems = countProblems(schema, 'Items', value.length, pointer)
    const prefix = isArray(prefixItems) ? prefixItems : []
    for (const [i, item] of value.entries()) {
      if (problems.length >= PROBLEMS_MAX) return problems
      this.#spend(1)
      const inner = i < prefix.length ? prefix[i] : items
      if (inner !== undefined) problems.push(...this.#at(inner, item, `${pointer}/${i}`))
    }
    if (uniqueItems === true && new Set(value.map((item) => this.#text(item))).size < value.length) {
      problems.push({ pointer, message: 'Must not hold the same item twice.' })
    }
    if (contains !== undefined) {
      const found = value.filter((item) => this.#holds(contains, item)).length
      const { minContains = 1, maxContains = Infinity } = schema as { minContains?: number; maxContains?: number }
      if (found < minContains || found > maxContains) {
        problems.push({
          pointer,
          message: `Holds ${found} items that fit \`contains\`; ${range(minContains, maxContains)}.`
        })
      }
    }
    return problems
  }

  #object(schema: JsonObject, value: JsonObject, pointer: string): ConfigProblem[] {
    const problems = countProblems(schema, 'Properties', Object.keys(value).length, pointer)
    const missing = (names: JsonValue | undefined, because: string): void => {
      for (const name of (isArray(names) ? names : []) as readonly string[]) {
        if (!Object.hasOwn(value, name)) problems.push({ pointer, message: `\`${name}\` is missing${because}.` })
      }
    }
    missing(schema['required'], '')
    for (const [name, names] of entriesOf(schema['dependentRequired'])) {
      if (Object.hasOwn(value, name)) missing(names, `, which \`${name}\` needs`)
    }
    for (const [name, inner] of entriesOf(schema['dependentSchemas'])) {
      if (Object.hasOwn(value, name)) problems.push(...this.#at(inner, value, pointer))
    }
    for (const [name, item] of Object.entries(value)) {
      if (problems.length >= PROBLEMS_MAX) return problems
      this.#spend(1)
      problems.push(...this.#member(schema, name, item, pointer))
    }
    return problems
  }

  #member(schema: JsonObject, name: string, item: JsonValue, pointer: string): ConfigProblem[] {
    const at = `${pointer}/${pointerToken(name)}`
    const { properties, patternProperties, additionalProperties, propertyNames } = schema
    const problems: ConfigProblem[] = []
    let known = false
    if (isObject(properties) && Object.hasOwn(properties, name)) {
      known = true
      problems.push(...this.#at(properties[name]!, item, at))
    }
    for (const [pattern, inner] of entriesOf(patternProperties)) {
      this.#spend(1)
      if (regexpOf(pattern)?.test(name) !== true) continue
      known = true
      problems.push(...this.#at(inner, item, at))
    }
    if (!known && additionalProperties === false) {
      problems.push({ pointer: at, message: 'Is not a known member.' })
    } else if (!known && additionalProperties !== undefined) {
      problems.push(...this.#at(additionalProperties, item, at))
    }
    if (propertyNames !== undefined && !this.#holds(propertyNames, name)) {
      problems.push({ pointer: at, message: 'Has a name that is not allowed.' })
    }
    return problems
  }

  #combined(schema: JsonObject, value: JsonValue, pointer: string): ConfigProblem[] {
    const { $ref, allOf, anyOf, oneOf, not, if: condition } = schema
    const problems: ConfigProblem[] = []
    if (typeof $ref === 'string') problems.push(...this.#at(resolveRef(this.#root, $ref)!, value, pointer))
    if (isArray(allOf)) for (const inner of allOf) problems.push(...this.#at(inner, value, pointer))
    if (isArray(anyOf) && !anyOf.some((inner) => this.#holds(inner, value))) {
      problems.push({ pointer, message: `Fits none of the ${anyOf.length} alternatives.` })
    }
    if (isArray(oneOf)) {
      const fitting = oneOf.filter((inner) => this.#holds(inner, value)).length
      if (fitting !== 1) {
        problems.push({ pointer, message: `Fits ${fitting} of the ${oneOf.length} alternatives; it must fit one.` })
      }
    }
    if (not !== undefined && this.#holds(not, value))
      problems.push({ pointer, message: 'Is of a kind that is forbidden.' })
    if (condition !== undefined) {
      const branch = this.#holds(condition, value) ? schema['then'] : schema['else']
      if (branch !== undefined) problems.push(...this.#at(branch, value, pointer))
    }
    return problems
  }
}

const entriesOf = (value: JsonValue | undefined): [string, JsonValue][] =>
  isObject(value) ? Object.entries(value) : []

const brief = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text)

const typeNameOf = (value: JsonValue): string =>
  value === null ? 'null' : isArray(value) ? 'array' : typeof value === 'object' ? 'object' : typeof value

function isOfType(name: string, value: JsonValue): boolean {
  return name === 'integer' ? Number.isInteger(value) : name === typeNameOf(value)
}

function numberProblems(schema: JsonObject, value: number, pointer: string): ConfigProblem[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema as Readonly<
    Record<string, number>
  >
  const rules: readonly (readonly [broken: boolean, sentence: string])[] = [
    [minimum !== undefined && value < minimum, `Must be at least ${minimum}.`],
    [maximum !== undefined && value > maximum, `Must be at most ${maximum}.`],
    [exclusiveMinimum !== undefined && value <= exclusiveMinimum, `Must be above ${exclusiveMinimum}.`],
    [exclusiveMaximum !== undefined && value >= exclusiveMaximum, `Must be below ${exclusiveMaximum}.`],
    [multipleOf !== undefined && !isMultiple(value, multipleOf), `Must be a multiple of ${multipleOf}.`]
  ]
  return rules.filter(([broken]) => broken).map(([, message]) => ({ pointer, message }))
}

/** Code points, as the standard counts. */
function characters(text: string): number {
  let count = 0
  for (const _ of text) count += 1
  return count
}

const countWords = { Items: 'items', Properties: 'members', Length: 'characters' }

function countProblems(
  schema: JsonObject,
  what: keyof typeof countWords,
  count: number,
  pointer: string
): ConfigProblem[] {
  const { [`min${what}`]: least = 0, [`max${what}`]: most = Infinity } = schema as Readonly<Record<string, number>>
  return count >= least && count <= most
    ? []
    : [{ pointer, message: `Has ${count} ${countWords[what]}; ${range(least, most)}.` }]
}

const range = (least: number, most: number): string =>
  most === Infinity ? `at least ${least} are needed` : `${least} to ${most} are allowed`

/** Exact for the decimals that both numbers are written as. */
function isMultiple(value: number, of: number): boolean {
  const [a, aExponent] = decimalOf(value)
  const [b, bExponent] = decimalOf(of)
  const shift = Math.min(aExponent, bExponent)
  return (a * 10n ** BigInt(aExponent - shift)) % (b * 10n ** BigInt(bExponent - shift)) === 0n
}

/** The shortest decimal that reads back as the number, as an integer and a power of ten (at most 324 away from zero). */
function decimalOf(value: number): [mantissa: bigint, exponent: number] {
  const [digits, exponent] = value.toExponential().split('e') as [string, string]
  const [whole, fraction = ''] = digits.split('.') as [string, string?]
  return [BigInt(whole + fraction), Number(exponent) - fraction.length]
}
