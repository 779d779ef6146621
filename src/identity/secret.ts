/** Bytes that must never be printed. */
import { fromUtf8, utf8 } from '../core/bytes.ts'

/** Whatever formats a Secret (inspect, JSON, string conversion) gets `[redacted]`. */
export class Secret {
  readonly #bytes: Uint8Array

  /** Takes a copy; the caller may clear its own. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes.slice()
  }

  /** The bytes themselves. Every call of this is a place to review. */
  reveal(): Uint8Array {
    return this.#bytes
  }

  static ofText(text: string): Secret {
    return new Secret(utf8(text))
  }

  /** The bytes as text, for a secret that was made of one. */
  revealText(): string {
    return fromUtf8(this.#bytes)
  }

  /** Overwrites the bytes, best effort: the engine may have copied them before. */
  erase(): void {
    this.#bytes.fill(0)
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  get [Symbol.toStringTag](): string {
    return 'Secret'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED
  }
}

const REDACTED = '[redacted]'
