/**
 * CRC-32 (ISO 3309), the same as `node:zlib` computes: for the trace of a run, where nearly everything is a frame of a few dozen
 * bytes and a call of the platform costs more than tables. Four bytes at a time, as Kounavis and Berry do with eight ("slicing").
 */
import { crc32 as ofPlatform } from 'node:zlib'

const SHORT_BYTES_MAX = 160

const ONE = Int32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1
  return rest
})
/** What a byte makes of the checksum when one, two and three more bytes follow it. */
const TWO = ONE.map(followed)
const THREE = TWO.map(followed)
const FOUR = THREE.map(followed)

function followed(rest: number): number {
  return (rest >>> 8) ^ ONE[rest & 0xff]!
}

/** From 0 to 2^32 - 1; `value` is the checksum of what came before. */
export function crc32(bytes: Uint8Array, value = 0): number {
  const { length } = bytes
  if (length > SHORT_BYTES_MAX) return ofPlatform(bytes, value)
  let rest = ~value
  const whole = length & ~3
  for (let i = 0; i < whole; i += 4) {
    rest ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    rest = FOUR[rest & 0xff]! ^ THREE[(rest >>> 8) & 0xff]! ^ TWO[(rest >>> 16) & 0xff]! ^ ONE[rest >>> 24]!
  }
  for (let i = whole; i < length; i++) rest = (rest >>> 8) ^ ONE[(rest ^ bytes[i]!) & 0xff]!
  return ~rest >>> 0
}
