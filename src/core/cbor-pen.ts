/**
 * Writes deterministic CBOR straight into one small buffer, for whoever says short things of unsigned integers all day: the
 * counterpart of `CborCursor`. No list is built to be walked through. What does not fit, or is no such integer, makes `finish` answer
 * undefined, and the writer leaves the value to `encodeCbor`, which writes the same bytes or says what is wrong.
 */
import { copyOf } from './bytes.ts'

/** A byte string of 32, and a dozen integers. */
const ROOM_BYTES = 96
/** The longest head, of a value that is written here. */
const HEAD_BYTES_MAX = 5

export class CborPen {
  readonly #bytes = new Uint8Array(ROOM_BYTES)
  #at = 0
  #fits = true

  begin(): void {
    this.#at = 0
    this.#fits = true
  }

  /** An array of so many items begins. */
  array(count: number): void {
    this.#head(0x80, count)
  }

  uint(value: number): void {
    this.#head(0x00, value)
  }

  byteString(bytes: Uint8Array): void {
    const { byteLength } = bytes
    this.#head(0x40, byteLength)
    if (byteLength > ROOM_BYTES - this.#at) this.#fits = false
    if (!this.#fits) return
    const at = this.#at
    for (let i = 0; i < byteLength; i++) this.#bytes[at + i] = bytes[i]!
    this.#at = at + byteLength
  }

  /** What was written since `begin`; undefined when it is not all there. */
  finish(): Uint8Array<ArrayBuffer> | undefined {
    return this.#fits ? copyOf(this.#bytes, 0, this.#at) : undefined
  }

  #head(major: number, argument: number): void {
    const bytes = this.#bytes
    const at = this.#at
    // Also false for what is no integer of 32 bits: as a number it is then another one.
    if (at > ROOM_BYTES - HEAD_BYTES_MAX || argument >>> 0 !== argument) {
      this.#fits = false
    } else if (argument < 24) {
      bytes[at] = major | argument
      this.#at = at + 1
    } else if (argument < 0x100) {
      bytes[at] = major | 24
      bytes[at + 1] = argument
      this.#at = at + 2
    } else if (argument < 0x10000) {
      bytes[at] = major | 25
      bytes[at + 1] = argument >>> 8
      bytes[at + 2] = argument
      this.#at = at + 3
    } else {
      bytes[at] = major | 26
      bytes[at + 1] = argument >>> 24
      bytes[at + 2] = argument >>> 16
      bytes[at + 3] = argument >>> 8
      bytes[at + 4] = argument
      this.#at = at + 5
    }
  }
}
