/**
 * The bytes of the write-ahead log (docs/protocol/storage.md has the tables). Numbers are big-endian.
 *
 * A segment file is a header (header.ts), then frames. A frame is what one write and one
 * sync put on disk: every batch of one group commit, so that all of it was acknowledged or none. It carries its length, a
 * sequence number that rises by one, eight bytes that name the owner, the check of the frame before it, and a CRC-32 over
 * its header and one over its body. CRC-32 is zlib's (ISO 3309): Node has it in native code since 22.2, and it finds every
 * damage of up to 32 bits in a row.
 */
import { crc32 } from 'node:zlib'
import type { StoreOwner } from '../port.ts'
import { encodeFileHeader, readFileHeader, segmentKind } from './header.ts'
import { putUint16, putUint32, putUint64, uint16, uint32, uint64 } from './numbers.ts'

export const segmentHeaderBytes = segmentKind.headerBytes
export const frameHeaderBytes = 44
/** Header and end mark. */
const frameOverheadBytes = frameHeaderBytes + 1
/** The unit that a disk writes whole or not at all. */
export const sectorBytes = 512

const frameMark = Uint8Array.of(0xf7, 0x51, 0x46, 0x52)
const frameMarkWord = uint32(frameMark, 0)
/** Ends every frame, so that its last sector never reads as zeros when it is there. */
const endMark = 0xff

export interface SegmentHeader {
  readonly segment: number
  /** Of its first frame. */
  readonly sequence: number
  /** Check of the last frame of the segment before; 0 in the first segment. */
  readonly previous: number
}

/** `checkpoint` heads every segment and restates what older segments held; `seal` is the last word of a clean stop. */
export type FrameKind = 'batch' | 'checkpoint' | 'seal'
const frameKinds: readonly FrameKind[] = ['batch', 'checkpoint', 'seal']

export interface FrameHeader {
  readonly kind: FrameKind
  readonly sequence: number
  readonly ownerTag: Uint8Array
  /** Check of the frame before. */
  readonly previous: number
  readonly bodyBytes: number
  readonly bodyCrc: number
  /** Sectors of the frame that are all zeros because that is their content. */
  readonly zeroSectors: number
  /** CRC of this header, which holds the CRC of the body: the next frame repeats it. */
  readonly check: number
  /** Header, body and end mark. */
  readonly totalBytes: number
}

export function encodeSegmentHeader(header: SegmentHeader, owner: StoreOwner): Uint8Array<ArrayBuffer> {
  return encodeFileHeader(segmentKind, header.segment, owner, (bytes) => {
    putUint64(bytes, 24, header.sequence)
    putUint32(bytes, 32, header.previous)
  })
}

/** Throws StorageCorruptError or StorageForeignError when the file is not this segment of this owner. */
export function readSegmentHeader(path: string, file: Uint8Array, segment: number, owner: StoreOwner): SegmentHeader {
  const bytes = readFileHeader(path, file, segmentKind, segment, owner)
  return { segment, sequence: uint64(bytes, 24), previous: uint32(bytes, 32) }
}

export interface FrameInit {
  readonly kind: FrameKind
  readonly sequence: number
  readonly ownerTag: Uint8Array
  readonly previous: number
  readonly body: readonly Uint8Array[]
}

/** Writes the frame into `target` as it will stand at `position` of the file; `target` has room for `frameBytes(body)`. */
export function encodeFrame(target: Uint8Array, position: number, frame: FrameInit): { check: number; bytes: number } {
  let end = frameHeaderBytes
  for (const part of frame.body) {
    target.set(part, end)
    end += part.byteLength
  }
  target[end] = endMark
  const bytes = end + 1
  target.set(frameMark, 0)
  putUint32(target, 4, end - frameHeaderBytes)
  putUint64(target, 8, frame.sequence)
  target.set(frame.ownerTag, 16)
  putUint32(target, 24, frame.previous)
  putUint16(target, 28, frameKinds.indexOf(frame.kind) + 1)
  putUint16(target, 30, 0)
  // In a log the byte behind them is never zero, so what stands in bytes 32 to 43 before they are set does not matter here.
  putUint32(target, 32, countZeroSectors(target.subarray(0, bytes), position))
  putUint32(target, 36, crc32(target.subarray(frameHeaderBytes, end)))
  const check = crc32(target.subarray(0, 40))
  putUint32(target, 40, check)
  return { check, bytes }
}

export const frameBytes = (body: readonly Uint8Array[]): number =>
  body.reduce((sum, part) => sum + part.byteLength, frameOverheadBytes)

/** Undefined when there is no readable header at `at`. */
export function readFrameHeader(file: Uint8Array, at: number): FrameHeader | undefined {
  if (file.byteLength - at < frameHeaderBytes) return undefined
  if (uint32(file, at) !== frameMarkWord) return undefined
  const check = uint32(file, at + 40)
  if (crc32(file.subarray(at, at + 40)) !== check) return undefined
  const kind = frameKinds[uint16(file, at + 28) - 1]
  if (kind === undefined) return undefined
  const bodyBytes = uint32(file, at + 4)
  return {
    kind,
    sequence: uint64(file, at + 8),
    ownerTag: file.subarray(at + 16, at + 24),
    previous: uint32(file, at + 24),
    bodyBytes,
    bodyCrc: uint32(file, at + 36),
    zeroSectors: uint32(file, at + 32),
    check,
    totalBytes: bodyBytes + frameOverheadBytes
  }
}

/** The body, when all of the frame is there and right. */
export function readFrameBody(file: Uint8Array, at: number, header: FrameHeader): Uint8Array | undefined {
  const end = at + header.totalBytes
  if (file[end - 1] !== endMark) return undefined
  const body = file.subarray(at + frameHeaderBytes, end - 1)
  return crc32(body) === header.bodyCrc ? body : undefined
}

/** The next readable frame header at or after `from`, wherever it stands. */
export function findFrameHeader(
  file: Uint8Array,
  from: number
): { readonly at: number; readonly header: FrameHeader } | undefined {
  const buffer = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  for (let at = buffer.indexOf(frameMark, from); at !== -1; at = buffer.indexOf(frameMark, at + 1)) {
    const header = readFrameHeader(file, at)
    if (header !== undefined) return { at, header }
  }
  return undefined
}

/** Sectors of the file of which `bytes`, standing at `position`, holds nothing but zeros. The first and last may be parts. */
export function countZeroSectors(bytes: Uint8Array, position: number): number {
  let count = 0
  let from = 0
  while (from < bytes.byteLength) {
    const to = Math.min(bytes.byteLength, from + sectorBytes - ((position + from) % sectorBytes))
    if (isZero(bytes, from, to)) count++
    from = to
  }
  return count
}

export function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false
  return true
}
