/**
 * "This learner gets no vote by itself": what an operator says who demotes a machine that came with a voter's token and has not had its
 * vote yet. It must be in the log, because whoever leads next would promote the machine otherwise, and so would whoever leads now if
 * a promotion that is under way is rolled back. An operator may still promote it.
 */
import { CborError, type CborKey, type CborValue, decodeCbor, encodeCbor } from '../core/cbor.ts'

/** A `command` entry of this kind; config-set is 1, redeem is 2 (docs/protocol/config.md). */
const KIND_DENY = 3
const KIND = 0
const MEMBER = 1

/** `<peerId>#<storeId>`. */
const MEMBER_CHARS_MAX = 256

export interface Denial {
  /** Whose vote is denied. */
  readonly incarnation: string
}

export const encodeDenial = (incarnation: string): Uint8Array<ArrayBuffer> =>
  encodeCbor(
    new Map<CborKey, CborValue>([
      [KIND, KIND_DENY],
      [MEMBER, incarnation]
    ])
  )

/** Never throws. `undefined`: another kind of command; `malformed`: ours, and not to be read. */
export function decodeDenial(bytes: Uint8Array): Denial | 'malformed' | undefined {
  // Key 0 comes first in a deterministic map, so other commands are known without being read.
  if (bytes[1] !== KIND || bytes[2] !== KIND_DENY) return undefined
  const incarnation = memberOf(bytes)
  const isRead = typeof incarnation === 'string' && incarnation.length > 0 && incarnation.length <= MEMBER_CHARS_MAX
  return isRead ? { incarnation } : 'malformed'
}

function memberOf(bytes: Uint8Array): CborValue | undefined {
  try {
    const value = decodeCbor(bytes, { depthMax: 1, itemsMax: 8 })
    return value instanceof Map && value.size === 2 ? value.get(MEMBER) : undefined
  } catch (error) {
    if (error instanceof CborError) return undefined
    throw error
  }
}
