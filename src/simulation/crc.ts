/**
 * CRC-32 (ISO 3309), the same as `node:zlib` computes: for the trace of a run, where nearly everything is a frame of a few dozen
 * bytes and a call of the platform costs more than a table.
 */
import { crc32 as ofPlatform } from 'node:zlib'

const SHORT_BYTES_MAX = 128

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1
  return rest
})

/** From 0 to 2^32 - 1; `value` is the checksum of what came before. */
export function crc32(bytes: Uint8Array, value = 0): number {
  const { length } = bytes
  if (length > SHORT_BYTES_MAX) return ofPlatform(bytes, value)
  let rest = ~value
  for (let i = 0; i < length; i++) rest = (rest >>> 8) ^ TABLE[(rest ^ bytes[i]!) & 0xff]!
  return ~rest >>> 0
}
