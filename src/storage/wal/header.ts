/**
 * How every file of the log begins: what it is, its number among its kind, and whose it is, in full (FAULTS D5). The bytes
 * from 24 to 35, and those between the PeerId and the CRC, belong to the kind. Numbers are big-endian.
 */
import { crc32 } from 'node:zlib'
import { equalBytes, utf8 } from '../../core/bytes.ts'
import { StorageCorruptError, StorageForeignError } from '../errors.ts'
import { checkSameOwner, peerIdBytesMax } from '../owner.ts'
import type { StoreOwner } from '../port.ts'
import { putUint16, putUint32, putUint64, uint16, uint32, uint64 } from './numbers.ts'

export const formatVersion = 1

/** A changed line ending, or a stripped eighth bit, shows at once. */
const magic = Uint8Array.of(0x89, 0x51, 0x57, 0x41, 0x4c, 0x0d, 0x0a, 0x1a)

export interface FileKind {
  /** In the header. */
  readonly code: number
  readonly headerBytes: number
  /** For people. */
  readonly name: string
}

export const segmentKind: FileKind = { code: 1, headerBytes: 256, name: 'segment' }
export const snapshotKind: FileKind = { code: 2, headerBytes: 320, name: 'snapshot' }

/** Where the second area of the kind begins: behind storeId, domainId, and the longest PeerId. */
export const kindAreaAt = 85 + peerIdBytesMax

/** `put` writes what belongs to the kind. */
export function encodeFileHeader(
  kind: FileKind,
  number: number,
  owner: StoreOwner,
  put: (bytes: Uint8Array) => void
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(kind.headerBytes)
  const peerId = utf8(owner.peerId)
  bytes.set(magic, 0)
  putUint16(bytes, 8, formatVersion)
  putUint16(bytes, 10, kind.headerBytes)
  putUint32(bytes, 12, kind.code)
  putUint64(bytes, 16, number)
  bytes.set(owner.storeId, 36)
  bytes.set(owner.domainId, 52)
  bytes[84] = peerId.byteLength
  bytes.set(peerId, 85)
  put(bytes)
  putUint32(bytes, kind.headerBytes - 4, crc32(bytes.subarray(0, -4)))
  return bytes
}

/**
 * The bytes of the header of the file `path`, which must be of this kind, number and owner. Throws StorageCorruptError or
 * StorageForeignError.
 */
export function readFileHeader(
  path: string,
  file: Uint8Array,
  kind: FileKind,
  number: number,
  owner: StoreOwner
): Uint8Array {
  checkSameOwner(path, owner, readOwner(path, file, kind))
  const bytes = file.subarray(0, kind.headerBytes)
  const found = uint64(bytes, 16)
  if (found !== number) {
    throw new StorageForeignError(path, 'place in the log', `${kind.name} ${number}`, `${kind.name} ${found}`)
  }
  return bytes
}

/** Whose file it is, when it is a file of this kind and its header is whole. Throws the same errors. */
export function readOwner(path: string, file: Uint8Array, kind: FileKind): StoreOwner {
  const damaged = (reason: string): never => {
    throw new StorageCorruptError(path, 0, reason)
  }
  if (file.byteLength < kind.headerBytes) {
    damaged(`${file.byteLength} bytes cannot hold the header of a ${kind.name}`)
  }
  if (!equalBytes(file.subarray(0, 8), magic)) damaged('it does not begin like a file of this log')
  checkKind(path, file, kind)
  const bytes = file.subarray(0, kind.headerBytes)
  if (crc32(bytes.subarray(0, -4)) !== uint32(bytes, kind.headerBytes - 4)) {
    damaged('the checksum of its header does not match')
  }
  const peerIdBytes = bytes[84]!
  if (peerIdBytes > peerIdBytesMax) damaged(`a PeerId of ${peerIdBytes} bytes`)
  const peerId = Buffer.from(bytes.subarray(85, 85 + peerIdBytes)).toString()
  return { domainId: bytes.slice(52, 84), storeId: bytes.slice(36, 52), peerId }
}

/** Version and kind decide where the checksum stands, so they are believed before it when that header is whole by its own length. */
function checkKind(path: string, file: Uint8Array, kind: FileKind): void {
  const version = uint16(file, 8)
  const code = uint32(file, 12)
  if (version === formatVersion && code === kind.code) return
  const length = uint16(file, 10)
  const isWhole =
    length >= 20 && length <= file.byteLength && crc32(file.subarray(0, length - 4)) === uint32(file, length - 4)
  if (!isWhole) throw new StorageCorruptError(path, 0, 'the checksum of its header does not match')
  if (version !== formatVersion) {
    throw new StorageForeignError(path, 'format version', String(formatVersion), String(version))
  }
  throw new StorageForeignError(path, 'kind', String(kind.code), String(code))
}
