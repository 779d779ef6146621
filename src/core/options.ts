/** Options as JavaScript hands them over: with no compiler in between, a typing error must not become a default in silence. */
import { InvalidOptionError } from './errors.ts'

/** Throws InvalidOptionError for whatever is no object, or has a name that is none of `names`. `what`: `discovery`, for its sentences. */
export function checkNames(what: string, given: unknown, names: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidOptionError(`${what} is ${shown(given)}; it is an object with ${names.join(', ')}`)
  }
  const unknown = Object.keys(given).find((name) => !names.includes(name))
  if (unknown === undefined) return
  const list = names.join(', ')
  throw new InvalidOptionError(
    `unknown option ${unknown}${what === 'options' ? '' : ` of ${what}`}; the options are ${list}`
  )
}

/** Throws InvalidOptionError unless it is undefined or a list of texts. */
export function checkTexts(what: string, given: unknown, example: string): void {
  if (given === undefined || (Array.isArray(given) && given.every((text) => typeof text === 'string'))) return
  throw new InvalidOptionError(
    `${what} is ${shown(given)}; it is a list of texts, such as [${JSON.stringify(example)}]`
  )
}

/** Throws InvalidOptionError unless it is a whole number within these bounds. */
export function checkWhole(what: string, given: unknown, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(given) && (given as number) >= least && (given as number) <= most) return
  const bounds = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`
  throw new InvalidOptionError(`${what} is ${shown(given)}; it is a whole number ${bounds}`)
}

const SHOWN_MAX = 60

/** A value of any type in a sentence. */
export function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? quoted(value) : String(value)
  if (Array.isArray(value)) return `a list of ${value.length}`
  return `an object with ${Object.keys(value).slice(0, 5).join(', ') || 'nothing in it'}`
}

const quoted = (text: string): string => JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text)
