/**
 * How every file of the log begins: what it is, its number among its kind, and whose it is, in full (FAULTS D5). The bytes
 * from 24 to 35, and those between the PeerId and the CRC, belong to the kind. Numbers are big-endian.
 */
import { crc32 } from 'node:zlib'
import { equalBytes, utf8 } from '../../core/bytes.ts'
import { StorageCorruptError, StorageForeignError } from '../errors.ts'
import { checkSameOwner, peerIdBytesMax } from '../owner.ts'
import type { StoreOwner } from '../port.ts'

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
  put: (view: DataView, bytes: Uint8Array) => void
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(kind.headerBytes)
  const view = new DataView(bytes.buffer)
  const peerId = utf8(owner.peerId)
  bytes.set(magic, 0)
  view.setUint16(8, formatVersion)
  view.setUint16(10, kind.headerBytes)
  view.setUint32(12, kind.code)
  view.setBigUint64(16, BigInt(number))
  bytes.set(owner.storeId, 36)
  bytes.set(owner.domainId, 52)
  bytes[84] = peerId.byteLength
  bytes.set(peerId, 85)
  put(view, bytes)
  view.setUint32(kind.headerBytes - 4, crc32(bytes.subarray(0, -4)))
  return bytes
}

/**
 * The header of the file `path`, which must be of this kind, number and owner. Throws StorageCorruptError or
 * StorageForeignError.
 */
export function readFileHeader(
  path: string,
  file: Uint8Array,
  kind: FileKind,
  number: number,
  owner: StoreOwner
): { readonly view: DataView; readonly bytes: Uint8Array } {
  checkSameOwner(path, owner, readOwner(path, file, kind))
  const bytes = file.subarray(0, kind.headerBytes)
  const view = viewOf(bytes)
  const found = uint64(view, 16)
  if (found !== number) {
    throw new StorageForeignError(path, 'place in the log', `${kind.name} ${number}`, `${kind.name} ${found}`)
  }
  return { view, bytes }
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
  if (crc32(bytes.subarray(0, -4)) !== viewOf(bytes).getUint32(kind.headerBytes - 4)) {
    damaged('the checksum of its header does not match')
  }
  const peerIdBytes = bytes[84]!
  if (peerIdBytes > peerIdBytesMax) damaged(`a PeerId of ${peerIdBytes} bytes`)
  const peerId = Buffer.from(bytes.subarray(85, 85 + peerIdBytes)).toString()
  return { domainId: bytes.slice(52, 84), storeId: bytes.slice(36, 52), peerId }
}

/** Version and kind decide where the checksum stands, so they are believed before it when that header is whole by its own length. */
function checkKind(path: string, file: Uint8Array, kind: FileKind): void {
  const view = viewOf(file)
  const version = view.getUint16(8)
  const code = view.getUint32(12)
  if (version === formatVersion && code === kind.code) return
  const length = view.getUint16(10)
  const isWhole =
    length >= 20 && length <= file.byteLength && crc32(file.subarray(0, length - 4)) === view.getUint32(length - 4)
  if (!isWhole) throw new StorageCorruptError(path, 0, 'the checksum of its header does not match')
  if (version !== formatVersion) {
    throw new StorageForeignError(path, 'format version', String(formatVersion), String(version))
  }
  throw new StorageForeignError(path, 'kind', String(kind.code), String(code))
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Beyond 2^53 - 1 the number is no number that we have written: NaN, which equals nothing. */
export function uint64(view: DataView, at: number): number {
  const high = view.getUint32(at)
  return high > 0x1f_ffff ? NaN : high * 2 ** 32 + view.getUint32(at + 4)
}
