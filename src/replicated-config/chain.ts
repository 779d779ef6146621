/**
 * The hash chain of versions:
 *
 *     hash(v) = SHA-256(CBOR([ "quorate/config/v1", v, hash(v - 1), SHA-256(text), author, reason, at ]))
 *
 * with 32 zero bytes before version 1. The text goes in by its digest, so that a version whose value was let go can still
 * be checked. Author, reason and time are bound as well: history cannot be reworded. The place in the log is not, so that
 * version 1 has the same hash on every member before there is a log.
 */
import { fromHex } from '../core/bytes.ts'
import { encodeCbor } from '../core/cbor.ts'
import { sha256Hex } from '../core/hash.ts'
import { invariant } from '../core/invariant.ts'
import type { ConfigHeader } from './types.ts'

const DOMAIN = 'quorate/config/v1'

export const NO_HASH = '0'.repeat(64)

export type ChainedFields = Pick<ConfigHeader, 'version' | 'previousHash' | 'digest' | 'author' | 'reason' | 'at'>

/** Hex of SHA-256 over the canonical text. What `quorate config diff` and GitOps pins compare. */
export const configDigest = (text: string): string => sha256Hex(text)

export function chainHash(fields: ChainedFields): string {
  const previous = fromHex(fields.previousHash)
  const digest = fromHex(fields.digest)
  invariant(previous?.byteLength === 32 && digest?.byteLength === 32, 'a config hash is not 32 bytes of hex')
  return sha256Hex(encodeCbor([DOMAIN, fields.version, previous, digest, fields.author, fields.reason, fields.at]))
}

/** The first version that does not follow from the one before it, or undefined when the chain holds. */
export function brokenLink(headers: readonly ConfigHeader[]): number | undefined {
  let previous: ConfigHeader | undefined
  for (const header of headers) {
    const follows =
      previous === undefined || (header.version === previous.version + 1 && header.previousHash === previous.hash)
    if (!follows || chainHash(header) !== header.hash) return header.version
    previous = header
  }
  return undefined
}
