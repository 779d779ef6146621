/**
 * Deterministic CBOR (RFC 8949 section 4.2.1), the subset that Quorate speaks: integers within ±(2^53 - 1), byte and text
 * strings, arrays, maps with integer or text keys, false, true, null. No floats, tags, indefinite lengths, undefined.
 *
 * The decoder accepts exactly what the encoder would have written: a document that was signed as bytes has one value and
 * one encoding, so two members can never read it differently. It never allocates for a declared length before it has
 * checked that the bytes are there, and it counts elements and depth as well as bytes (FAULTS B1 to B3). The only error
 * that it throws is CborError. Maps are `Map`s: a `__proto__` key is just a key.
 *
 * COSE needs one tag or none; we write none (RFC 9052 section 2 allows the untagged form where the context is known).
 */
import { compareBytes, copyOf, fromUtf8, utf8 } from './bytes.ts'
import { QuorateError } from './errors.ts'

export type CborKey = number | string
export type CborMap = ReadonlyMap<CborKey, CborValue>
export type CborValue = number | string | boolean | null | Uint8Array | readonly CborValue[] | CborMap

/** The bytes are not the deterministic CBOR that they should be. */
export class CborError extends QuorateError {
  constructor(message: string, detail = {}) {
    super('CborError', 'ERR_CBOR', message, { details: detail })
  }
}

export interface CborLimits {
  /** Deepest nesting of arrays and maps. Default 16. */
  readonly depthMax?: number
  /** Items in all arrays and maps together (a map entry counts two). Default 65,536. */
  readonly itemsMax?: number
}

const UINT = 0
const NEGATIVE = 1
const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAP = 5
const SIMPLE = 7

export function encodeCbor(value: CborValue): Uint8Array<ArrayBuffer> {
  const writer = idle.pop() ?? new Writer()
  writer.value(value)
  const bytes = writer.finish()
  idle.push(writer)
  return bytes
}

export function decodeCbor(bytes: Uint8Array, limits: CborLimits = {}): CborValue {
  const reader = new Reader(bytes, limits.depthMax ?? 16, limits.itemsMax ?? 65_536)
  const value = reader.value(0)
  reader.end()
  return value
}

/** A writer is used again: its buffer is most of what encoding a small message costs. One that threw is not. */
const idle: Writer[] = []
const BUFFER_BYTES_KEPT = 64 * 1_024
/** Up to so many letters of ASCII are written, or read, one by one: faster than a call of the platform for all of them. */
const ASCII_WRITTEN_MAX = 256
const ASCII_READ_MAX = 12

class Writer {
  #buffer = new Uint8Array(256)
  #view = new DataView(this.#buffer.buffer)
  #length = 0

  value(value: CborValue): void {
    if (typeof value === 'number') {
      if (!Number.isSafeInteger(value)) throw new CborError(`${value} is not an integer within ±(2^53 - 1)`)
      if (value >= 0) this.#head(UINT, value)
      else this.#head(NEGATIVE, -1 - value)
    } else if (typeof value === 'string') {
      if (!this.#ascii(value)) this.#text(value)
    } else if (value instanceof Uint8Array) {
      this.#head(BYTES, value.byteLength)
      this.#raw(value)
    } else if (value === null) this.#head(SIMPLE, 22)
    else if (typeof value === 'boolean') this.#head(SIMPLE, value ? 21 : 20)
    else if (value instanceof Map) this.#map(value as CborMap)
    else if (Array.isArray(value)) {
      const items = value as readonly CborValue[]
      this.#head(ARRAY, items.length)
      // Of an iterator each item would be an object: nearly every message is a list of lists.
      for (let i = 0; i < items.length; i++) this.value(items[i]!)
    } else throw new CborError(`no CBOR form for a value of type ${typeof value}`)
  }

  finish(): Uint8Array<ArrayBuffer> {
    const bytes = this.#buffer.slice(0, this.#length)
    if (this.#buffer.byteLength > BUFFER_BYTES_KEPT) this.#allocate(256)
    // What was written may be a secret; it does not outlive its document here.
    else this.#buffer.fill(0, 0, this.#length)
    this.#length = 0
    return bytes
  }

  #allocate(bytes: number): void {
    this.#buffer = new Uint8Array(bytes)
    this.#view = new DataView(this.#buffer.buffer)
  }

  /** False, and nothing is written, when it is long or holds more than ASCII. */
  #ascii(text: string): boolean {
    const { length } = text
    if (length > ASCII_WRITTEN_MAX) return false
    const start = this.#length
    this.#head(TEXT, length)
    this.#reserve(length)
    const buffer = this.#buffer
    let at = this.#length
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) {
        this.#length = start
        return false
      }
      buffer[at++] = code
    }
    this.#length = at
    return true
  }

  #text(text: string): void {
    if (!text.isWellFormed()) throw new CborError('text with a lone surrogate has no UTF-8 form')
    const bytes = utf8(text)
    this.#head(TEXT, bytes.byteLength)
    this.#raw(bytes)
  }

  #map(map: CborMap): void {
    if (areInOrder(map)) {
      this.#head(MAP, map.size)
      for (const [key, value] of map) {
        this.#head(UINT, key as number)
        this.value(value)
      }
      return
    }
    const entries: { key: Uint8Array; value: CborValue }[] = []
    for (const [key, value] of map) entries.push({ key: encodedKey(key), value })
    entries.sort((a, b) => compareBytes(a.key, b.key))
    this.#head(MAP, entries.length)
    for (const { key, value } of entries) {
      this.#raw(key)
      this.value(value)
    }
  }

  #head(major: number, argument: number): void {
    if (this.#length + 9 > this.#buffer.byteLength) this.#reserve(9)
    const type = major << 5
    if (argument < 24) this.#buffer[this.#length++] = type | argument
    else if (argument < 0x100) {
      this.#buffer[this.#length++] = type | 24
      this.#buffer[this.#length++] = argument
    } else if (argument < 0x10000) {
      this.#buffer[this.#length++] = type | 25
      this.#view.setUint16(this.#length, argument)
      this.#length += 2
    } else if (argument < 0x1_0000_0000) {
      this.#buffer[this.#length++] = type | 26
      this.#view.setUint32(this.#length, argument)
      this.#length += 4
    } else {
      this.#buffer[this.#length++] = type | 27
      this.#view.setUint32(this.#length, Math.floor(argument / 0x1_0000_0000))
      this.#view.setUint32(this.#length + 4, argument % 0x1_0000_0000)
      this.#length += 8
    }
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.byteLength
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#buffer.byteLength) return
    const before = this.#buffer.subarray(0, this.#length)
    this.#allocate(Math.max(this.#buffer.byteLength * 2, this.#length + more))
    this.#buffer.set(before)
  }
}

/** Rising integers of one byte each, as nearly every map has them: its deterministic order is the one in which it was filled. */
function areInOrder(map: CborMap): boolean {
  let last = -1
  for (const key of map.keys()) {
    if (typeof key !== 'number' || !(key > last && key < 24) || !Number.isInteger(key)) return false
    last = key
  }
  return true
}

/** The names of fields, of which there are few; what somebody else makes up does not push them out. */
const knownKeys = new Map<CborKey, Uint8Array>()
const KEYS_KNOWN_MAX = 256
const KEY_LETTERS_MAX = 16

function encodedKey(key: CborKey): Uint8Array {
  const known = knownKeys.get(key)
  if (known !== undefined) return known
  const bytes = encodeCbor(key)
  const isName = typeof key === 'string' && key.length <= KEY_LETTERS_MAX
  if (isName && knownKeys.size < KEYS_KNOWN_MAX) knownKeys.set(key, bytes)
  return bytes
}

/** Whoever sends thousands of empty strings of bytes gets one. Nobody can write to it: it holds nothing. */
const NO_BYTES = new Uint8Array(0)

/** The upper half of 2^53 - 1. */
const HIGH_MAX = 2 ** 21 - 1

class Reader {
  readonly #bytes: Uint8Array
  readonly #depthMax: number
  #itemsLeft: number
  #at = 0

  constructor(bytes: Uint8Array, depthMax: number, itemsMax: number) {
    this.#bytes = bytes
    this.#depthMax = depthMax
    this.#itemsLeft = itemsMax
  }

  end(): void {
    if (this.#at !== this.#bytes.byteLength) this.#fail(`${this.#bytes.byteLength - this.#at} bytes follow the value`)
  }

  value(depth: number): CborValue {
    const initial = this.#byte()
    const major = initial >> 5
    const info = initial & 31
    if (major === SIMPLE) {
      if (info === 20) return false
      if (info === 21) return true
      if (info === 22) return null
      return this.#fail(`simple value or float ${info} is not allowed`)
    }
    if (major === 6) return this.#fail('tags are not allowed')
    const argument = this.#argument(info)
    switch (major) {
      case UINT:
        return argument
      case NEGATIVE:
        if (argument === Number.MAX_SAFE_INTEGER) return this.#fail('integer below -(2^53 - 1)')
        return -1 - argument
      case BYTES:
        return this.#bytesOf(argument)
      case TEXT:
        return this.#text(argument)
      case ARRAY:
        return this.#array(argument, depth)
      default:
        return this.#map(argument, depth)
    }
  }

  #array(count: number, depth: number): CborValue[] {
    this.#enter(count, depth)
    const items: CborValue[] = []
    for (let i = 0; i < count; i++) items.push(this.value(depth + 1))
    return items
  }

  #map(count: number, depth: number): CborMap {
    this.#enter(count * 2, depth)
    const map = new Map<CborKey, CborValue>()
    let before = -1
    for (let i = 0; i < count; i++) {
      const start = this.#at
      const key = this.value(depth + 1)
      if (typeof key !== 'number' && typeof key !== 'string') return this.#fail('map key is not an integer or a text')
      if (before !== -1 && !this.#isAscending(before, start)) {
        return this.#fail('map keys are repeated or not in deterministic order')
      }
      before = start
      map.set(key, this.value(depth + 1))
    }
    return map
  }

  /** Of two keys in their shortest form, which say themselves where they end, so that none begins another. */
  #isAscending(before: number, start: number): boolean {
    const bytes = this.#bytes
    for (let i = 0; start + i < this.#at; i++) {
      const difference = bytes[start + i]! - bytes[before + i]!
      if (difference !== 0) return difference > 0
    }
    return false
  }

  /** Checked before anything is allocated: each item takes at least one byte. */
  #enter(items: number, depth: number): void {
    if (depth >= this.#depthMax) this.#fail(`nested deeper than ${this.#depthMax}`)
    if (items > this.#bytes.byteLength - this.#at) this.#fail('more items declared than bytes are left')
    if (items > this.#itemsLeft) this.#fail('too many items')
    this.#itemsLeft -= items
  }

  #text(length: number): string {
    const short = length <= ASCII_READ_MAX ? this.#ascii(length) : undefined
    if (short !== undefined) return short
    const bytes = this.#take(length)
    try {
      return fromUtf8(bytes)
    } catch {
      return this.#fail('text is not valid UTF-8')
    }
  }

  /** Undefined, and nothing is read, when it holds more than ASCII. */
  #ascii(length: number): string | undefined {
    this.#need(length)
    const bytes = this.#bytes
    const start = this.#at
    let text = ''
    for (let i = start; i < start + length; i++) {
      const code = bytes[i]!
      if (code > 0x7f) return undefined
      text += String.fromCharCode(code)
    }
    this.#at = start + length
    return text
  }

  #argument(info: number): number {
    if (info < 24) return info
    if (info === 24) return this.#minimal(this.#byte(), 24)
    if (info === 25) {
      return this.#minimal(this.#uint(2), 0x100)
    }
    if (info === 26) {
      return this.#minimal(this.#uint(4), 0x10000)
    }
    if (info === 27) {
      const high = this.#uint(4)
      if (high > HIGH_MAX) return this.#fail('integer or length above 2^53 - 1')
      return this.#minimal(high * 0x1_0000_0000 + this.#uint(4), 0x1_0000_0000)
    }
    return this.#fail('indefinite or reserved length')
  }

  #minimal(value: number, least: number): number {
    return value >= least ? value : this.#fail('integer or length is not in its shortest form')
  }

  /** Big-endian; a view of the bytes for these few would cost more than all of a small frame. */
  #uint(width: number): number {
    this.#need(width)
    let value = 0
    for (let i = 0; i < width; i++) value = value * 256 + this.#bytes[this.#at++]!
    return value
  }

  #bytesOf(length: number): Uint8Array {
    this.#need(length)
    if (length === 0) return NO_BYTES
    const copy = copyOf(this.#bytes, this.#at, length)
    this.#at += length
    return copy
  }

  #take(length: number): Uint8Array {
    this.#need(length)
    const bytes = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return bytes
  }

  #byte(): number {
    this.#need(1)
    return this.#bytes[this.#at++]!
  }

  #need(length: number): void {
    if (length > this.#bytes.byteLength - this.#at) this.#fail('ends in the middle of a value')
  }

  #fail(reason: string): never {
    throw new CborError(`not deterministic CBOR: ${reason} (at byte ${this.#at})`, { at: this.#at })
  }
}
