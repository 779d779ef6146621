/**
 * Reads deterministic CBOR where it lies, for whoever knows what must stand there and is in a hurry: no value is built that nobody
 * asks for. It judges nothing. What is not exactly what was expected, short and in its shortest form, is answered by -1, and the
 * reader leaves the bytes to the decoder in `cbor.ts`, which accepts them after all or says what is wrong. So this can refuse too
 * much and stays harmless, and must never accept more.
 */
import { copyOf } from './bytes.ts'

export class CborCursor {
  readonly bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.byteLength
  }

  /** An integer from 0 to 2^32 - 1, or -1. */
  uint(): number {
    return this.#argument(0x00)
  }

  /** How many items the array has that begins here, or -1. */
  array(): number {
    return this.#argument(0x80)
  }

  /** How many bytes the byte string has that begins here, if all of them are there, or -1. */
  byteString(): number {
    const length = this.#argument(0x40)
    return length <= this.bytes.byteLength - this.at ? length : -1
  }

  /** A copy of the next `length` bytes. */
  take(length: number): Uint8Array {
    const { at } = this
    this.at = at + length
    return copyOf(this.bytes, at, length)
  }

  /** Are the next bytes a byte string, and this one? */
  isNext(expected: Uint8Array): boolean {
    if (this.byteString() !== expected.byteLength) return false
    const { bytes, at } = this
    for (let i = 0; i < expected.byteLength; i++) if (bytes[at + i] !== expected[i]) return false
    this.at = at + expected.byteLength
    return true
  }

  #argument(major: number): number {
    const { bytes, at } = this
    const left = bytes.byteLength - at
    const info = left > 0 ? bytes[at]! - major : -1
    if (info >= 0 && info < 24) {
      this.at = at + 1
      return info
    }
    if (info === 24 && left > 1) {
      this.at = at + 2
      const value = bytes[at + 1]!
      return value >= 24 ? value : -1
    }
    if (info === 25 && left > 2) {
      this.at = at + 3
      const value = (bytes[at + 1]! << 8) | bytes[at + 2]!
      return value >= 0x100 ? value : -1
    }
    if (info === 26 && left > 4) {
      this.at = at + 5
      const high = (bytes[at + 1]! << 8) | bytes[at + 2]!
      return high > 0 ? high * 0x10000 + ((bytes[at + 3]! << 8) | bytes[at + 4]!) : -1
    }
    return -1
  }
}
