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
  // Most values have their members in order already: then the platform's own text is the canonical one, at a tenth of the cost.
  return isInOrder(value, 0) ? JSON.stringify(value) : write(value, '', 0)
}

/** JSON that JSON.stringify writes in its canonical form. False for whatever needs a closer look, or has no JSON form. */
function isInOrder(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value === 'number') return Number.isFinite(value)
  if (value === null || typeof value === 'boolean') return true
  return typeof value === 'object' && depth < DEPTH_MAX && areInOrder(value, depth + 1)
}

function areInOrder(value: object, depth: number): boolean {
  // Called by JSON.stringify, and not by us.
  if ('toJSON' in value && typeof value.toJSON === 'function') return false
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isInOrder(value[i], depth)) return false
    return true
  }
  if (!isPlain(value)) return false
  let previous: string | undefined
  for (const key of Object.keys(value)) {
    if (!key.isWellFormed() || (previous !== undefined && previous >= key)) return false
    if (!isInOrder((value as JsonObject)[key], depth)) return false
    previous = key
  }
  return true
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
