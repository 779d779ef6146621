/** Reads a schema once and refuses what Quorate would judge differently from what its author meant. */
import { QuorateError } from '../core/errors.ts'
import { canonicalJson } from '../core/json.ts'
import type { JsonValue } from '../core/json.ts'
import { pointerToken } from './diff.ts'
import { SCHEMA_DEPTH_MAX } from './limits.ts'
import type { Nesting } from './schema-keywords.ts'
import { assertions, isAnnotation, isArray, isObject, nestings, regexpOf } from './schema-keywords.ts'
import type { ConfigProblem } from './types.ts'

/** The schema of the genesis cannot be used. */
export class InvalidSchemaError extends QuorateError {
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ pointer, message }) => `${pointer === '' ? '(root)' : pointer}: ${message}`)
    super('InvalidSchemaError', 'ERR_CONFIG_SCHEMA', `the config schema cannot be used: ${lines.join(' ')}`, {
      details: { problems },
      nextStep: 'Use the keywords of JSON Schema 2020-12 that docs/protocol/config.md lists.'
    })
    this.problems = problems
  }
}

const DRAFT = /^https:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/

/** Every problem of the schema; empty when it can be used. Throws NotJsonError when it is not JSON. */
export function schemaProblems(schema: JsonValue): readonly ConfigProblem[] {
  canonicalJson(schema)
  const problems: ConfigProblem[] = []
  const seen = new Map<string, JsonValue>()
  visit(schema, '', seen, problems)
  const draft = isObject(schema) ? schema['$schema'] : undefined
  if (draft !== undefined && !(typeof draft === 'string' && DRAFT.test(draft))) {
    problems.push({ pointer: '/$schema', message: 'Only draft 2020-12 is known.' })
  }
  if (problems.length === 0) problems.push(...refProblems(seen))
  return problems
}

/** The schema that `#/…` names, or undefined. */
export function resolveRef(root: JsonValue, ref: string): JsonValue | undefined {
  let at: JsonValue | undefined = root
  for (const token of tokensOf(ref)) {
    if (isArray(at)) at = /^(?:0|[1-9]\d*)$/.test(token) ? at[Number(token)] : undefined
    else if (isObject(at)) at = Object.hasOwn(at, token) ? at[token] : undefined
    else return undefined
  }
  return at
}

/** The pointer of a ref, in the one form in which `visit` writes pointers. */
const pointerOf = (ref: string): string =>
  tokensOf(ref)
    .map((token) => `/${pointerToken(token)}`)
    .join('')

function tokensOf(ref: string): string[] {
  const text = percentDecoded(ref.slice(1))
  return text === ''
    ? []
    : text
        .slice(1)
        .split('/')
        .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function visit(schema: JsonValue, pointer: string, seen: Map<string, JsonValue>, problems: ConfigProblem[]): void {
  seen.set(pointer, schema)
  if (typeof schema === 'boolean') return
  if (!isObject(schema)) {
    problems.push({ pointer, message: 'A schema is an object, true or false.' })
    return
  }
  for (const [keyword, value] of Object.entries(schema)) {
    visitKeyword(keyword, value, `${pointer}/${pointerToken(keyword)}`, seen, problems)
  }
}

function visitKeyword(
  keyword: string,
  value: JsonValue,
  pointer: string,
  seen: Map<string, JsonValue>,
  problems: ConfigProblem[]
): void {
  const nesting = nestings.get(keyword)
  const assertion = assertions.get(keyword)
  if (nesting !== undefined) {
    const inner = schemasIn(nesting.shape, value, pointer)
    if (inner === undefined) problems.push({ pointer, message: `\`${keyword}\` must be ${shapeWords[nesting.shape]}.` })
    else for (const [at, schema] of inner) visit(schema, at, seen, problems)
    if (keyword === 'patternProperties' && isObject(value)) {
      for (const pattern of Object.keys(value)) {
        if (regexpOf(pattern) === undefined)
          problems.push({ pointer, message: `"${pattern}" is no regular expression.` })
      }
    }
  } else if (assertion !== undefined) {
    if (!assertion[0](value)) problems.push({ pointer, message: `\`${keyword}\` must be ${assertion[1]}.` })
  } else if (keyword === '$id' && pointer !== '/$id') {
    problems.push({ pointer, message: '`$id` is allowed only at the top, where it moves no reference.' })
  } else if (!isAnnotation(keyword)) {
    problems.push({ pointer, message: `The keyword \`${keyword}\` is not known here; your own begin with \`x-\`.` })
  }
}

const shapeWords = { one: 'a schema', list: 'a list of schemas with at least one', named: 'an object of schemas' }

function schemasIn(
  shape: Nesting['shape'],
  value: JsonValue,
  pointer: string
): readonly (readonly [pointer: string, schema: JsonValue])[] | undefined {
  switch (shape) {
    case 'one':
      return [[pointer, value]]
    case 'list':
      return isArray(value) && value.length > 0 ? value.map((schema, i) => [`${pointer}/${i}`, schema]) : undefined
    case 'named':
      return isObject(value)
        ? Object.entries(value).map(([name, schema]) => [`${pointer}/${pointerToken(name)}`, schema])
        : undefined
  }
}

/** Refs that lead nowhere or to something that is no schema, and schemas that would judge one value for ever. */
function refProblems(seen: ReadonlyMap<string, JsonValue>): ConfigProblem[] {
  const lost: ConfigProblem[] = []
  for (const [pointer, schema] of seen) {
    const ref = isObject(schema) ? schema['$ref'] : undefined
    if (typeof ref === 'string' && !seen.has(pointerOf(ref))) {
      lost.push({ pointer: `${pointer}/$ref`, message: `There is no schema at ${ref}.` })
    }
  }
  return lost.length > 0 ? lost : endlessChains(seen)
}

function endlessChains(seen: ReadonlyMap<string, JsonValue>): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const done = new Set<string>()
  const walk = (pointer: string, path: readonly string[]): void => {
    if (path.includes(pointer) || path.length > SCHEMA_DEPTH_MAX) {
      problems.push({ pointer, message: 'The schema refers to itself, or too far, without a step into the value.' })
    } else if (!done.has(pointer)) {
      for (const next of inPlaceFrom(pointer, seen.get(pointer))) walk(next, [...path, pointer])
      done.add(pointer)
    }
  }
  for (const pointer of seen.keys()) walk(pointer, [])
  return problems
}

/** The schemas that judge the same value as this one. */
function inPlaceFrom(pointer: string, schema: JsonValue | undefined): string[] {
  if (!isObject(schema)) return []
  const nested = [...nestings]
    .filter(([keyword, { inPlace }]) => inPlace && Object.hasOwn(schema, keyword))
    .flatMap(([keyword, { shape }]) => schemasIn(shape, schema[keyword]!, `${pointer}/${keyword}`) ?? [])
    .map(([at]) => at)
  const ref = schema['$ref']
  return typeof ref === 'string' ? [...nested, pointerOf(ref)] : nested
}
