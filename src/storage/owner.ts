/** Whose file is it? One comparison, one error, for every kind of file that carries its owner (FAULTS D5). */
import { equalBytes, toHex, utf8 } from '../core/bytes.ts'
import { sha256 } from '../core/hash.ts'
import { invariant } from '../core/invariant.ts'
import { StorageForeignError } from './errors.ts'
import type { StoreOwner } from './port.ts'

export const peerIdBytesMax = 128

export function checkOwnerShape(owner: StoreOwner): void {
  invariant(owner.domainId.byteLength === 32, () => `domainId has ${owner.domainId.byteLength} bytes, not 32`)
  invariant(owner.storeId.byteLength === 16, () => `storeId has ${owner.storeId.byteLength} bytes, not 16`)
  const length = utf8(owner.peerId).byteLength
  invariant(length >= 1 && length <= peerIdBytesMax, () => `peerId has ${length} bytes, not 1 to ${peerIdBytesMax}`)
}

/** Throws StorageForeignError with the first of domain, node, store that differs. */
export function checkSameOwner(file: string, expected: StoreOwner, found: StoreOwner): void {
  if (!equalBytes(expected.domainId, found.domainId)) {
    throw new StorageForeignError(file, 'domain', toHex(expected.domainId), toHex(found.domainId))
  }
  if (expected.peerId !== found.peerId) throw new StorageForeignError(file, 'node', expected.peerId, found.peerId)
  if (!equalBytes(expected.storeId, found.storeId)) {
    throw new StorageForeignError(file, 'store', toHex(expected.storeId), toHex(found.storeId))
  }
}

/** Eight bytes that name the owner in every record: too few to be a proof, enough that no two stores share them by chance. */
export function ownerTag(owner: StoreOwner): Uint8Array {
  return sha256(utf8('quorate storage owner\0'), owner.domainId, owner.storeId, utf8(owner.peerId)).subarray(0, 8)
}
