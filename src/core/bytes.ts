/** Bytes and their texts. Everything that is compared, hashed or sent is a plain `Uint8Array`. */
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text)

/** How many bytes `utf8` would give. */
export const utf8Length = (text: string): number => Buffer.byteLength(text)

/** Throws a TypeError on invalid UTF-8. */
export const fromUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes)

export function toHex(bytes: Uint8Array): string {
  const { byteLength } = bytes
  if (byteLength > SHORT_HEX_BYTES_MAX) return Buffer.from(bytes.buffer, bytes.byteOffset, byteLength).toString('hex')
  let text = ''
  for (let i = 0; i < byteLength; i++) text += hexPairs[bytes[i]!]!
  return text
}

/** An id or a hash. Of so few bytes the platform moves the buffer out of the heap first, which costs more than all the rest. */
const SHORT_HEX_BYTES_MAX = 32

const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/**
 * A copy of `length` bytes from `at` on; all of them are there. A plain array also of a Buffer, whose `slice` is a window on itself.
 * Few bytes are copied one by one: a window on a small array moves that out of the heap.
 */
export function copyOf(bytes: Uint8Array, at: number, length: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(length)
  if (length > COPIED_ONE_BY_ONE_MAX) copy.set(bytes.subarray(at, at + length))
  else for (let i = 0; i < length; i++) copy[i] = bytes[at + i]!
  return copy
}

const COPIED_ONE_BY_ONE_MAX = 96

/** Undefined when the text is not an even number of lower- or upper-case hex digits. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 2 !== 0) return undefined
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    const digits = (hexDigit(text.charCodeAt(2 * i)) << 4) | hexDigit(text.charCodeAt(2 * i + 1))
    if (digits < 0) return undefined
    bytes[i] = digits
  }
  return bytes
}

/** Its value, or -1. */
const hexDigit = (code: number): number => (code < 128 ? hexDigits[code]! : -1)

const hexDigits = Int8Array.from({ length: 128 }, (_, code) =>
  /[0-9a-fA-F]/.test(String.fromCharCode(code)) ? Number.parseInt(String.fromCharCode(code), 16) : -1
)

export const toBase64Url = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')

/** Undefined when the text is not canonical base64url without padding. */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return undefined
  const bytes = new Uint8Array(Buffer.from(text, 'base64url'))
  return toBase64Url(bytes) === text ? bytes : undefined
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0
  for (const part of parts) length += part.byteLength
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true
  if (a.byteLength !== b.byteLength) return false
  if (a.byteLength > SHORT_BYTES_MAX) return Buffer.compare(a, b) === 0
  for (let i = 0; i < a.byteLength; i++) if (a[i] !== b[i]) return false
  return true
}

/** So few are compared one by one: faster than a call of the platform. */
const SHORT_BYTES_MAX = 96

/** Lexicographic, shorter first: the order of deterministic CBOR map keys and of anything we sort before sending. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.byteLength, b.byteLength)
  for (let i = 0; i < shared; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return a.byteLength - b.byteLength
}

/** Total order of strings by UTF-16 code unit; unlike `localeCompare` it is the same on every machine. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
