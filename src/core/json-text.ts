/**
 * JSON as people write it, read without loss. `JSON.parse` keeps the last of two members with one name, turns 1e400 into infinity
 * and 12345678901234567890 into another number; a config that was meant otherwise than it is stored is a mistake that shows late.
 * So what the text says and a value cannot hold is refused here, by its place (JSON Pointer, RFC 6901).
 *
 * Fractions are rounded to the nearest double, as everywhere: that is what they mean in JSON (RFC 8259, section 6).
 */
import { QuorateError } from './errors.ts'
import type { JsonValue } from './json.ts'

/** The text is JSON, and its value would not be what it says. */
export class JsonTextError extends QuorateError {
  constructor(pointer: string, problem: string, value: string, nextStep: string) {
    const where = pointer === '' ? 'the value' : pointer
    super('JsonTextError', 'ERR_JSON_TEXT', `${where} ${problem}`, { details: { pointer, value }, nextStep })
  }
}

const DEPTH_MAX = 64

/** Throws SyntaxError for what is no JSON, JsonTextError for what would be changed. */
export function parseJsonText(text: string): JsonValue {
  const value = JSON.parse(text) as JsonValue
  new Scan(text).value('', 0)
  return value
}

/** Walks through a text that `JSON.parse` has accepted, so that it need not look for errors of syntax. */
class Scan {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(pointer: string, depth: number): void {
    if (depth > DEPTH_MAX) {
      throw new JsonTextError(pointer, `is nested deeper than ${DEPTH_MAX}`, '', 'Make the document flatter.')
    }
    switch (this.#next()) {
      case '{':
        return this.#members(pointer, depth)
      case '[':
        return this.#items(pointer, depth)
      case '"':
        return void this.#string()
      default:
        return judge(pointer, this.#take(/[^\s,\]}]+/y))
    }
  }

  #members(pointer: string, depth: number): void {
    const names = new Set<string>()
    this.#at++
    while (this.#next() !== '}') {
      if (this.#next() === ',') this.#at++
      this.#next()
      const name = JSON.parse(this.#string()) as string
      const place = `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
      if (names.has(name)) {
        throw new JsonTextError(
          place,
          'stands there twice',
          name,
          'Leave one of the two: nobody can tell which is meant.'
        )
      }
      names.add(name)
      this.#next()
      // The colon.
      this.#at++
      this.value(place, depth + 1)
    }
    this.#at++
  }

  #items(pointer: string, depth: number): void {
    this.#at++
    for (let i = 0; this.#next() !== ']'; i++) {
      if (this.#next() === ',') this.#at++
      this.value(`${pointer}/${i}`, depth + 1)
    }
    this.#at++
  }

  #string(): string {
    return this.#take(/"[^"\\]*(?:\\.[^"\\]*)*"/y)
  }

  /** The character behind white space. */
  #next(): string {
    this.#take(/\s*/y)
    return this.#text.charAt(this.#at)
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const [taken = ''] = pattern.exec(this.#text) ?? []
    this.#at += taken.length
    return taken
  }
}

/** The words `true`, `false` and `null` pass as well. */
function judge(pointer: string, literal: string): void {
  const value = Number(literal)
  if (Number.isNaN(value)) return
  const refuse = (what: string): never => {
    throw new JsonTextError(
      pointer,
      `is ${shown(literal)}, ${what}`,
      shown(literal),
      'Write a number that a double can hold, or put it in quotes and let its readers parse it.'
    )
  }
  if (!Number.isFinite(value)) refuse('which is larger than any number here can be')
  if (value === 0 && /^[^eE]*[1-9]/.test(literal)) refuse('which would become 0')
  // What this very number is written as comes back as it was, whichever digits a double has behind those.
  const isWhole = /^-?\d+$/.test(literal) && !Number.isSafeInteger(value)
  if (isWhole && String(value) !== literal && BigInt(literal) !== BigInt(value)) refuse(`which would become ${value}`)
}

const LITERAL_CHARS_SHOWN = 60

const shown = (literal: string): string =>
  literal.length <= LITERAL_CHARS_SHOWN ? literal : `${literal.slice(0, LITERAL_CHARS_SHOWN)}…`
