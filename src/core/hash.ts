/** The one hash. */
import { createHash, hash as digestOf } from 'node:crypto'
import { fromHex } from './bytes.ts'

/** SHA-256 of what comes in pieces. */
export interface Hashing {
  add(part: Uint8Array): void
  /** Once, at the end. */
  digest(): Uint8Array<ArrayBuffer>
}

export function startSha256(): Hashing {
  const hash = createHash('sha256')
  return {
    add: (part) => void hash.update(part),
    digest: () => new Uint8Array(hash.digest())
  }
}

/** Hex of SHA-256 over bytes, or over the UTF-8 of a text. */
export const sha256Hex = (data: Uint8Array | string): string => digestOf('sha256', data, 'hex')

/** SHA-256 (FIPS 180-4) of the parts, one after the other. The only hash that names anything in Quorate. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const [only] = parts
  // One call for one piece: half the cost of an object that is fed and asked. The text costs less than a buffer to copy from.
  if (only !== undefined && parts.length === 1) return fromHex(digestOf('sha256', only, 'hex'))!
  const all = createHash('sha256')
  for (const part of parts) all.update(part)
  return new Uint8Array(all.digest())
}
