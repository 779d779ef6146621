/**
 * Big-endian numbers in bytes. Not by a DataView: a view of a small array moves it out of the heap, and its 64-bit numbers are
 * BigInts; together they cost more than everything else that writes a batch does.
 */

export function putUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** Of a whole number up to 2^53 - 1. */
export function putUint64(bytes: Uint8Array, at: number, value: number): void {
  putUint32(bytes, at, Math.floor(value / 2 ** 32))
  putUint32(bytes, at + 4, value % 2 ** 32)
}

export const uint16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!

export const uint32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0

/** Beyond 2^53 - 1 the number is no number that we have written: NaN, which equals nothing. */
export function uint64(bytes: Uint8Array, at: number): number {
  const high = uint32(bytes, at)
  return high > 0x1f_ffff ? NaN : high * 2 ** 32 + uint32(bytes, at + 4)
}
