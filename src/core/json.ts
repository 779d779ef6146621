/**
 * JSON values and their one canonical text (RFC 8785, JCS): members sorted by UTF-16 code units, shortest numbers, no
 * white space. A config's hash is the hash of this text, so every member computes the same one.
 */
import { compareText } from './bytes.ts'
import { QuorateError } from './errors.ts'

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [key: string]: JsonValue
}

/** The value has no JSON form: a function, NaN, a cycle, a lone surrogate. */
export class NotJsonError extends QuorateError {
  constructor(path: string, what: string) {
    super('NotJsonError', 'ERR_NOT_JSON', `${path === '' ? 'the value' : path} is ${what}, which JSON cannot hold`, {
      details: { path, what },
      nextStep: 'Pass plain JSON: objects, arrays, strings, finite numbers, booleans, null.'
    })
  }
}

const DEPTH_MAX = 64

export function canonicalJson(value: unknown): string {
  return write(value, '', 0)
}

function write(value: unknown, path: string, depth: number): string {
  if (depth > DEPTH_MAX) throw new NotJsonError(path, `nested deeper than ${DEPTH_MAX}`)
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new NotJsonError(path, String(value))
    return JSON.stringify(value)
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new NotJsonError(path, 'a text with a lone surrogate')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map((item, i) => write(item, `${path}/${i}`, depth + 1)).join(',')}]`
  if (typeof value === 'object' && isPlain(value)) {
    const members = Object.entries(value)
      .toSorted(([a], [b]) => compareText(a, b))
      .map(([key, item]) => `${write(key, path, depth)}:${write(item, `${path}/${key}`, depth + 1)}`)
    return `{${members.join(',')}}`
  }
  throw new NotJsonError(path, typeof value === 'object' ? 'an instance of a class' : `of type ${typeof value}`)
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
