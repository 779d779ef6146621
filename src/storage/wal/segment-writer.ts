/**
 * The segment that is being written: one frame, one write, one sync; both in one call where the file can do that.
 *
 * A segment gets its name when its header and its checkpoint are durable. Space is written ahead in steps, so that most
 * syncs need not record a new file size.
 */
import { invariant } from '../../core/invariant.ts'
import type { FileSystem, OpenFile } from '../file-system.ts'
import { ownerTag } from '../owner.ts'
import type { StoreOwner } from '../port.ts'
import { segmentPath, temporaryPath } from './directory.ts'
import { encodeFrame, encodeSegmentHeader, frameBytes, segmentHeaderBytes } from './format.ts'
import type { FrameInit, FrameKind } from './format.ts'
import { encodeCheckpoint } from './items.ts'
import type { LogPosition } from './position.ts'
import type { Tail } from './recover.ts'

export interface SegmentWriterInit {
  readonly directory: string
  readonly owner: StoreOwner
  readonly fileSystem: FileSystem
  readonly segmentBytes: number
  readonly growBytes: number
}

interface Segment {
  readonly file: OpenFile
  readonly path: string
  readonly number: number
  /** Behind the checkpoint: a segment that is empty beyond it is never left. */
  readonly start: number
}

export class SegmentWriter {
  readonly #init: SegmentWriterInit
  readonly #tag: Uint8Array
  #segment: Segment | undefined
  /** Where the next frame goes. */
  #position = 0
  /** The file is at least this long; beyond `position` it is zeros. */
  #allocated = 0
  #sequence = 1
  #previous = 0
  #lastKind: FrameKind = 'checkpoint'
  #buffer = new Uint8Array(16 * 1024)

  constructor(init: SegmentWriterInit) {
    this.#init = init
    this.#tag = ownerTag(init.owner)
  }

  /** 0 before the first. */
  get number(): number {
    return this.#segment?.number ?? 0
  }

  get path(): string {
    return this.#segment?.path ?? this.#init.directory
  }

  get lastKind(): FrameKind {
    return this.#lastKind
  }

  /** True when a frame with this body would end beyond `limit` and the segment holds something. */
  isFullFor(body: readonly Uint8Array[], limit: number): boolean {
    return this.#position > this.#open.start && this.#position + frameBytes(body) > limit
  }

  /**
   * Goes on behind the last frame of a segment that was read. That frame is written again in place and synced, because
   * reading it back proves nothing about the disk.
   */
  async resume(number: number, tail: Tail): Promise<void> {
    const { directory, fileSystem } = this.#init
    const path = segmentPath(directory, number)
    const file = await fileSystem.open(path, { syncedWrites: true })
    this.#segment = { file, path, number, start: tail.start }
    await file.write(tail.lastFrame, tail.end - tail.lastFrame.byteLength)
    await file.truncate(tail.end)
    await file.sync()
    await fileSystem.syncDirectory(directory)
    this.#position = this.#allocated = tail.end
    this.#sequence = tail.sequence
    this.#previous = tail.previous
    this.#lastKind = tail.lastKind
  }

  /** Begins the next segment, with a checkpoint that restates what older ones held. */
  async start(position: LogPosition, cells: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const { directory, owner, fileSystem } = this.#init
    const number = this.number + 1
    const path = segmentPath(directory, number)
    const body = encodeCheckpoint(position, cells)
    const image = new Uint8Array(segmentHeaderBytes + frameBytes(body))
    image.set(encodeSegmentHeader({ segment: number, sequence: this.#sequence, previous: this.#previous }, owner))
    const frame = image.subarray(segmentHeaderBytes)
    const { check } = encodeFrame(frame, segmentHeaderBytes, this.#nextFrame('checkpoint', body))
    const file = await fileSystem.create(temporaryPath(path), 0o600, { syncedWrites: true })
    const before = this.#segment
    this.#segment = { file, path, number, start: image.byteLength }
    await before?.file.close()
    await file.write(image, 0)
    await file.sync()
    await fileSystem.rename(temporaryPath(path), path)
    await fileSystem.syncDirectory(directory)
    this.#position = segmentHeaderBytes
    this.#allocated = image.byteLength
    this.#advance('checkpoint', check, frame.byteLength)
  }

  /** Returns how many bytes the frame has. */
  async append(kind: FrameKind, body: readonly Uint8Array[]): Promise<number> {
    const { file } = this.#open
    const bytes = frameBytes(body)
    const image = this.#room(bytes)
    const { check } = encodeFrame(image, this.#position, this.#nextFrame(kind, body))
    await file.write(image, this.#position)
    if (file.syncsWrites !== true) await file.sync()
    this.#advance(kind, check, bytes)
    return bytes
  }

  /** Closes the file and nothing else. */
  async release(): Promise<void> {
    await this.#segment?.file.close()
    this.#segment = undefined
  }

  /** Where to build a frame of `bytes`: exactly that long, or up to the next step of zeros when it passes what is allocated. */
  #room(bytes: number): Uint8Array {
    const { growBytes, segmentBytes } = this.#init
    const end = this.#position + bytes
    if (end > this.#allocated && growBytes > 0) {
      const step = Math.ceil(end / growBytes) * growBytes
      this.#allocated = Math.max(end, Math.min(step, segmentBytes))
      return new Uint8Array(this.#allocated - this.#position)
    }
    if (this.#buffer.byteLength < bytes) this.#buffer = new Uint8Array(2 ** Math.ceil(Math.log2(bytes)))
    return this.#buffer.subarray(0, bytes)
  }

  #nextFrame(kind: FrameKind, body: readonly Uint8Array[]): FrameInit {
    return { kind, body, sequence: this.#sequence, previous: this.#previous, ownerTag: this.#tag }
  }

  #advance(kind: FrameKind, check: number, bytes: number): void {
    this.#position += bytes
    this.#sequence++
    this.#previous = check
    this.#lastKind = kind
  }

  get #open(): Segment {
    invariant(this.#segment !== undefined, 'the log is not open')
    return this.#segment
  }
}
