/**
 * A snapshot is a file of its own: a header of 320 bytes that names owner, number, index, term, length and SHA-256 of the
 * data, and the data. The log refers to it by all of these, so that a file of another time, another node or another
 * snapshot in its place is not taken for it. SHA-256 and not a CRC, because one check stands for up to 256 MiB.
 */
import { equalBytes, toHex } from '../../core/bytes.ts'
import { sha256 } from '../../core/hash.ts'
import { StorageCorruptError, StorageForeignError } from '../errors.ts'
import type { StoredSnapshot, StoreOwner } from '../port.ts'
import { encodeFileHeader, kindAreaAt, readFileHeader, snapshotKind } from './header.ts'
import { putUint64, uint64 } from './numbers.ts'

/** What the log says about a snapshot. */
export interface SnapshotRef {
  /** From 1, in the order of writing; in the name of its file. */
  readonly number: number
  readonly index: number
  readonly term: number
  readonly bytes: number
  /** SHA-256 of the data. */
  readonly digest: Uint8Array
}

const digestAt = kindAreaAt + 24

export function describeSnapshot(number: number, { index, term, data }: StoredSnapshot): SnapshotRef {
  return { number, index, term, bytes: data.byteLength, digest: sha256(data) }
}

export function encodeSnapshotFile(ref: SnapshotRef, data: Uint8Array, owner: StoreOwner): Uint8Array<ArrayBuffer> {
  const header = encodeFileHeader(snapshotKind, ref.number, owner, (bytes) => {
    putUint64(bytes, kindAreaAt, ref.index)
    putUint64(bytes, kindAreaAt + 8, ref.term)
    putUint64(bytes, kindAreaAt + 16, ref.bytes)
    bytes.set(ref.digest, digestAt)
  })
  const file = new Uint8Array(header.byteLength + data.byteLength)
  file.set(header)
  file.set(data, header.byteLength)
  return file
}

/** The snapshot that `ref` describes, or StorageCorruptError or StorageForeignError. The data is a window on `file`. */
export function readSnapshotFile(path: string, file: Uint8Array, ref: SnapshotRef, owner: StoreOwner): StoredSnapshot {
  const bytes = readFileHeader(path, file, snapshotKind, ref.number, owner)
  const found = {
    index: uint64(bytes, kindAreaAt),
    term: uint64(bytes, kindAreaAt + 8),
    bytes: uint64(bytes, kindAreaAt + 16),
    digest: bytes.subarray(digestAt, digestAt + 32)
  }
  if (!isSame(ref, found)) throw new StorageForeignError(path, 'history', nameOf(ref), nameOf(found))
  const data = file.subarray(snapshotKind.headerBytes)
  if (data.byteLength !== ref.bytes) {
    throw new StorageCorruptError(path, file.byteLength, `it holds ${data.byteLength} bytes of ${ref.bytes}`)
  }
  if (!equalBytes(sha256(data), ref.digest)) {
    throw new StorageCorruptError(path, snapshotKind.headerBytes, 'its SHA-256 does not match')
  }
  return { index: ref.index, term: ref.term, data }
}

type Content = Omit<SnapshotRef, 'number'>

export const isSame = (a: Content, b: Content): boolean =>
  a.index === b.index && a.term === b.term && a.bytes === b.bytes && equalBytes(a.digest, b.digest)

const nameOf = ({ index, term, digest }: Content): string =>
  `a snapshot at ${index} of term ${term} with SHA-256 ${toHex(digest).slice(0, 16)}…`
