/**
 * Reads a CBOR array item by item, each with its rule, so that a decoder says what it expects in the order in which it stands there.
 * What does not fit is the caller's own error: `fail` makes it from one sentence that names the field.
 */
import type { CborValue } from './cbor.ts'

export class CborFields {
  readonly #items: readonly CborValue[]
  readonly #what: string
  readonly #fail: (problem: string) => Error
  #at = 0

  constructor(value: CborValue | undefined, what: string, fail: (problem: string) => Error) {
    if (!Array.isArray(value)) throw fail(`${what} is not an array`)
    this.#items = value as readonly CborValue[]
    this.#what = what
    this.#fail = fail
  }

  /** Items that were not read yet. */
  get left(): number {
    return this.#items.length - this.#at
  }

  /** Whatever it is. */
  value(): CborValue | undefined {
    return this.#items[this.#at++]
  }

  /** From 0 to 2^53 - 1. */
  count(name: string): number {
    const value = this.value()
    if (typeof value === 'number' && value >= 0) return value
    throw this.#wrong(name, 'is not an integer from 0')
  }

  text(name: string, lengthMax: number): string {
    const value = this.value()
    if (typeof value === 'string' && value.length <= lengthMax) return value
    throw this.#wrong(name, `is not a text of at most ${lengthMax}`)
  }

  boolean(name: string): boolean {
    const value = this.value()
    if (typeof value === 'boolean') return value
    throw this.#wrong(name, 'is neither true nor false')
  }

  /** Exactly so many bytes, or at most `lengthMax` when no length is given. */
  bytes(name: string, length: number | undefined, lengthMax = length): Uint8Array {
    const value = this.value()
    const fits =
      value instanceof Uint8Array &&
      (length === undefined ? value.byteLength <= (lengthMax ?? Infinity) : value.byteLength === length)
    if (fits) return value
    throw this.#wrong(name, length === undefined ? `is not at most ${lengthMax} bytes` : `is not ${length} bytes`)
  }

  array(name: string, lengthMax: number): readonly CborValue[] {
    const value = this.value()
    if (!Array.isArray(value)) throw this.#wrong(name, 'is not an array')
    if (value.length > lengthMax) throw this.#wrong(name, `has more than ${lengthMax} items`)
    return value as readonly CborValue[]
  }

  /** One of an array's items, as an array of its own. */
  fields(name: string): CborFields {
    return new CborFields(this.value(), `${this.#what}: ${name}`, this.#fail)
  }

  /** Nothing may follow. */
  end(): void {
    if (this.left !== 0) throw this.#fail(`${this.#what} has ${this.#items.length} items where ${this.#at} belong`)
  }

  #wrong(name: string, problem: string): Error {
    return this.#fail(`${this.#what}: ${name} ${problem}`)
  }
}
