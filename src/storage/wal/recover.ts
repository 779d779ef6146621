/**
 * Reading the log back, and telling a torn tail from damage.
 *
 * The log keeps one rule while it writes: a frame is written only after the frame before it is synced, and a frame is one
 * write. So at a crash at most one frame is unacknowledged, it is the last, and what is missing of it is missing in whole
 * sectors: they read as zeros, or lie beyond the end of the file. From that follows what a frame that does not check is:
 *
 *   damage      when anything stands behind it (a readable frame header, another segment, any byte that is not zero),
 *               because then it had been acknowledged;
 *   damage      when all of its sectors are there: a crash does not change bytes, it only withholds them;
 *   torn tail   otherwise. It is cut.
 *
 * What remains undecidable is written down in docs/protocol/storage.md: whole sectors lost from the last frame of a store
 * that was not stopped cleanly (the last frame of one that was is a seal, which holds nothing), and the end of the last
 * file missing altogether. The question in the literature: Alagappan et al., "Protocol-Aware Recovery for Consensus-Based
 * Storage", FAST 2018.
 */
import { equalBytes, toHex } from '../../core/bytes.ts'
import { invariant } from '../../core/invariant.ts'
import { StorageCorruptError, StorageForeignError } from '../errors.ts'
import { ownerTag } from '../owner.ts'
import type { StoreOwner } from '../port.ts'
import {
  countZeroSectors,
  findFrameHeader,
  frameHeaderBytes,
  isZero,
  readFrameBody,
  readFrameHeader,
  sectorBytes,
  segmentHeaderBytes,
  readSegmentHeader
} from './format.ts'
import type { FrameHeader, FrameKind } from './format.ts'
import { LogState } from './log-state.ts'

export interface SegmentFile {
  readonly path: string
  readonly segment: number
  readonly bytes: Uint8Array
}

/** Where the log goes on. */
export interface Tail {
  /** Of the next frame. */
  readonly sequence: number
  /** Check of the last frame. */
  readonly previous: number
  readonly lastKind: FrameKind
  /** Behind the checkpoint of the segment. */
  readonly start: number
  /** Behind the last frame. */
  readonly end: number
  /** The bytes of the last frame. */
  readonly lastFrame: Uint8Array
  readonly tornBytes: number
}

/** Replays segments in order, from any on: each begins with a checkpoint. `tail` is that of the last. */
export class Replay {
  readonly state = new LogState()
  readonly #owner: StoreOwner
  readonly #tag: Uint8Array
  /** Undefined before the first segment. */
  #tail: Tail | undefined

  constructor(owner: StoreOwner) {
    this.#owner = owner
    this.#tag = ownerTag(owner)
  }

  get tail(): Tail {
    invariant(this.#tail !== undefined, 'no segment was read')
    return this.#tail
  }

  /** `isLast`: only the last segment may have a torn tail. */
  read(file: SegmentFile, isLast: boolean): void {
    this.#checkHeader(file)
    let at = segmentHeaderBytes
    while (!isZero(file.bytes, at, file.bytes.byteLength)) {
      const header = readFrameHeader(file.bytes, at)
      if (header !== undefined) this.#checkPlace(file, at, header)
      const body = header === undefined ? undefined : readFrameBody(file.bytes, at, header)
      if (header === undefined || body === undefined) {
        const damage =
          at === segmentHeaderBytes || !isLast ? 'its checksum does not match' : this.#damage(file, at, header)
        if (damage !== undefined) throw new StorageCorruptError(file.path, at, damage)
        this.#tail = { ...this.tail, tornBytes: file.bytes.findLastIndex((byte) => byte !== 0) + 1 - at }
        return
      }
      this.#apply(file, at, header, body)
      at += header.totalBytes
    }
    if (at === segmentHeaderBytes) throw new StorageCorruptError(file.path, at, 'its checkpoint is missing')
  }

  #checkHeader({ path, segment, bytes }: SegmentFile): void {
    const header = readSegmentHeader(path, bytes, segment, this.#owner)
    // What came before the first segment that is read has gone, and only this header knows how it ended.
    const { sequence, previous } = this.#tail ?? (segment === 1 ? startOfChain : header)
    if (header.sequence !== sequence || header.previous !== previous) {
      const found = nameOf(header.sequence, header.previous)
      throw new StorageForeignError(path, 'history', nameOf(sequence, previous), found)
    }
    this.#tail = { ...startOfChain, sequence, previous }
  }

  /** A header that reads well and is not the one that belongs here was written elsewhere, or at another time. */
  #checkPlace({ path }: SegmentFile, at: number, header: FrameHeader): void {
    if (!equalBytes(header.ownerTag, this.#tag)) {
      throw new StorageForeignError(`${path} at byte ${at}`, 'store', toHex(this.#tag), toHex(header.ownerTag))
    }
    const { sequence, previous } = this.tail
    if (header.sequence !== sequence || header.previous !== previous) {
      const found = nameOf(header.sequence, header.previous)
      throw new StorageCorruptError(path, at, `${found} stands where ${nameOf(sequence, previous)} belongs`)
    }
    if ((header.kind === 'checkpoint') !== (at === segmentHeaderBytes)) {
      throw new StorageCorruptError(path, at, `a ${header.kind} frame does not belong here`)
    }
  }

  /** Why the frame at `at` of the last segment is damaged; undefined when it is a torn tail. */
  #damage({ bytes }: SegmentFile, at: number, header: FrameHeader | undefined): string | undefined {
    const later = this.#laterFrame(bytes, at)
    if (later !== undefined) {
      return `its checksum does not match, and frame ${later.sequence}, written after it was synced, stands at byte ${later.at}`
    }
    const size = bytes.byteLength
    if (header === undefined) {
      if (isZero(bytes, at + frameHeaderBytes, size)) return undefined
      const sectorsEnd = Math.ceil((at + frameHeaderBytes) / sectorBytes) * sectorBytes
      if (countZeroSectors(bytes.subarray(at, sectorsEnd), at) > 0) return undefined
      return 'the header of a frame is there and does not check'
    }
    const end = at + header.totalBytes
    if (end > size) return undefined
    if (!isZero(bytes, end, size)) return 'its checksum does not match, and more was written behind it'
    const image = bytes.subarray(at, end)
    if (image.at(-1) === 0 || countZeroSectors(image, at) > header.zeroSectors) return undefined
    return 'all of the frame is there, and its checksum does not match'
  }

  #laterFrame(bytes: Uint8Array, from: number): { readonly sequence: number; readonly at: number } | undefined {
    for (let found = findFrameHeader(bytes, from); found !== undefined; found = findFrameHeader(bytes, found.at + 1)) {
      const { sequence, ownerTag: tag } = found.header
      if (equalBytes(tag, this.#tag) && sequence > this.tail.sequence) return { sequence, at: found.at }
    }
    return undefined
  }

  #apply(file: SegmentFile, at: number, header: FrameHeader, body: Uint8Array): void {
    const refuse = (reason: string): never => {
      throw new StorageCorruptError(file.path, at, `frame ${header.sequence} ${reason}`)
    }
    this.state.apply(header.kind, body, refuse)
    const end = at + header.totalBytes
    this.#tail = {
      sequence: header.sequence + 1,
      previous: header.check,
      lastKind: header.kind,
      start: header.kind === 'checkpoint' ? end : this.tail.start,
      end,
      lastFrame: file.bytes.subarray(at, end),
      tornBytes: 0
    }
  }
}

const startOfChain: Tail = {
  sequence: 1,
  previous: 0,
  lastKind: 'seal',
  start: 0,
  end: 0,
  lastFrame: new Uint8Array(),
  tornBytes: 0
}

const nameOf = (sequence: number, previous: number): string =>
  `frame ${sequence} after ${previous.toString(16).padStart(8, '0')}`
