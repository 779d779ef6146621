/**
 * The write-ahead log.
 *
 * One append-only log in segments. Every group of batches that waited together becomes one frame, one write and one sync;
 * the promises of its batches resolve when the sync has returned. `format.ts` has the bytes, `recover.ts` the rule by which
 * a torn tail is told from damage, `directory.ts` the files. The owner holds the lock of the data directory (data-dir.ts).
 *
 * Opening rewrites the last frame in place and syncs it before anything that was read is believed. A process that was killed
 * between write and sync has left that frame in the page cache alone, and after a failed sync Linux marks the pages clean
 * although the disk never got them: in both cases reading it back proves nothing.
 *
 * Left out: snapshots and the removal of old segments. The format has their place: each segment begins with a checkpoint of
 * all cells and the position of the log, so that a segment whose entries a snapshot covers can go.
 */
import { InvariantError, invariant } from '../../core/invariant.ts'
import { LogOutline } from '../batch.ts'
import { StorageClosedError, openingError, writingError } from '../errors.ts'
import type { FileSystem, OpenFile } from '../file-system.ts'
import { nodeFileSystem } from '../file-system.ts'
import { GroupCommit } from '../group-commit.ts'
import { checkOwnerShape, ownerTag } from '../owner.ts'
import type { Recovered, StoreOwner, Storage, WriteBatch } from '../port.ts'
import { readWalDirectory, removeEmptyMarker, segmentPath, temporaryPath } from './directory.ts'
import { encodeFrame, encodeSegmentHeader, frameBytes, segmentHeaderBytes } from './format.ts'
import type { FrameInit, FrameKind } from './format.ts'
import { encodeBatch, encodeCheckpoint } from './items.ts'
import { Replay } from './recover.ts'

export interface WalInit {
  /** Made by `createWalDirectory`, locked by the caller. */
  readonly directory: string
  readonly owner: StoreOwner
  /** A new segment begins when a frame would pass this. Default 16 MiB. */
  readonly segmentBytes?: number
  /** Space is written ahead in steps of this, so that most syncs need not record a new file size. Default 256 KiB; 0 for none. */
  readonly growBytes?: number
  readonly fileSystem?: FileSystem
}

export interface WalStats {
  /** Since this process opened the log. */
  readonly frames: number
  readonly batches: number
  readonly bytes: number
  readonly segment: number
  /** Waiting for a sync, without the group that is being synced. */
  readonly queuedBatches: number
  readonly queuedBytes: number
}

export interface WalStorage extends Storage {
  stats(): WalStats
}

/** Batches that wait together share a frame up to this size, so that the first of them does not wait for a long write. */
const groupBytesMax = 1024 * 1024

/** Errors: StorageCorruptError, StorageForeignError, StorageAccessError, StorageFullError, StorageFailedError. */
export async function openWalStorage(init: WalInit): Promise<WalStorage> {
  checkOwnerShape(init.owner)
  const log = new WriteAheadLog(init)
  try {
    await log.open()
    return log
  } catch (error) {
    await log.release().catch(() => undefined)
    const free = await log.fileSystem.freeBytes(init.directory)
    throw openingError('opening', init.directory, error, free)
  }
}

/** The segment that is being written. */
interface Segment {
  readonly file: OpenFile
  readonly path: string
  readonly number: number
  /** Behind the checkpoint: a segment that is empty beyond it is never rotated. */
  readonly start: number
}

interface Pending {
  readonly bytes: Uint8Array
  readonly cells: readonly { readonly name: string; readonly value: Uint8Array }[]
  /** The log ends here after this batch. */
  readonly lastIndex: number
}

class WriteAheadLog implements WalStorage {
  readonly fileSystem: FileSystem
  readonly #directory: string
  readonly #owner: StoreOwner
  readonly #tag: Uint8Array
  readonly #segmentBytes: number
  readonly #growBytes: number
  readonly #commit: GroupCommit<Pending>
  #recovered: Recovered | undefined
  #segment: Segment | undefined
  /** Where the next frame goes. */
  #position = 0
  /** The file is at least this long; beyond `position` it is zeros. */
  #allocated = 0
  #sequence = 1
  #previous = 0
  #sealed = false
  /** Durable cells: what the checkpoint of the next segment restates. */
  #cells = new Map<string, Uint8Array>()
  /** The log ends here on disk. */
  #durableIndex = 0
  /** The log when all that is queued has been written. */
  #outline = new LogOutline({ baseIndex: 0, snapshot: undefined, entries: [] })
  #buffer = new Uint8Array(16 * 1024)
  #counts = { frames: 0, batches: 0, bytes: 0 }
  #closed: Promise<void> | undefined

  constructor({ directory, owner, segmentBytes, growBytes, fileSystem = nodeFileSystem }: WalInit) {
    this.fileSystem = fileSystem
    this.#directory = directory
    this.#owner = owner
    this.#tag = ownerTag(owner)
    this.#segmentBytes = segmentBytes ?? 16 * 1024 * 1024
    this.#growBytes = growBytes ?? 256 * 1024
    this.#commit = new GroupCommit((group) => this.#flush(group), groupBytesMax)
  }

  get recovered(): Recovered {
    invariant(this.#recovered !== undefined, 'the log is not open')
    return this.#recovered
  }

  async write(batch: WriteBatch): Promise<void> {
    if (this.#closed !== undefined) throw new StorageClosedError()
    invariant(batch.snapshot === undefined, 'the log keeps no snapshots yet')
    this.#outline.accept(batch)
    const bytes = encodeBatch(batch)
    // `new Uint8Array`, not `slice`: a caller's Buffer would answer with a window on itself.
    const cells = (batch.cells ?? []).map(({ name, value }) => ({ name, value: new Uint8Array(value) }))
    await this.#commit.add({ bytes, cells, lastIndex: this.#outline.lastIndex }, bytes.byteLength)
  }

  stats(): WalStats {
    const { items, bytes } = this.#commit.queued
    return { ...this.#counts, segment: this.#segment?.number ?? 0, queuedBatches: items, queuedBytes: bytes }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async open(): Promise<void> {
    const { segments, stale, isNew } = await readWalDirectory(this.#directory, this.fileSystem)
    const replay = new Replay(this.#owner)
    for (const segment of segments) {
      const path = segmentPath(this.#directory, segment)
      replay.read({ path, segment, bytes: await this.fileSystem.read(path) }, segment === segments.length)
    }
    for (const path of stale) await this.fileSystem.remove(path)
    const { cells, entries, tail } = replay
    this.#cells = new Map(cells)
    this.#durableIndex = entries.length
    this.#outline = new LogOutline({ baseIndex: 0, snapshot: undefined, entries })
    this.#recovered = { cells, snapshot: undefined, entries, tornBytes: tail.tornBytes }
    if (segments.length === 0) await this.#startSegment(1)
    else await this.#resume(segments.length, replay)
    if (isNew) await removeEmptyMarker(this.#directory, this.fileSystem)
  }

  /** Closes the file and nothing else. */
  async release(): Promise<void> {
    await this.#segment?.file.close()
    this.#segment = undefined
  }

  async #resume(number: number, { tail }: Replay): Promise<void> {
    const path = segmentPath(this.#directory, number)
    const file = await this.fileSystem.open(path)
    this.#segment = { file, path, number, start: tail.start }
    await file.write(tail.lastFrame, tail.end - tail.lastFrame.byteLength)
    await file.truncate(tail.end)
    await file.sync()
    await this.fileSystem.syncDirectory(this.#directory)
    this.#position = this.#allocated = tail.end
    this.#sequence = tail.sequence
    this.#previous = tail.previous
    this.#sealed = tail.lastKind === 'seal'
  }

  async #flush(group: readonly Pending[]): Promise<void> {
    try {
      await this.#append(
        'batch',
        group.map((pending) => pending.bytes)
      )
    } catch (error) {
      throw await this.#failure(error)
    }
    this.#counts.batches += group.length
    for (const { cells, lastIndex } of group) {
      for (const { name, value } of cells) this.#cells.set(name, value)
      this.#durableIndex = lastIndex
    }
  }

  /** One frame, one write, one sync; before it a new segment when the frame would not fit. */
  async #append(kind: FrameKind, body: readonly Uint8Array[]): Promise<void> {
    const bytes = frameBytes(body)
    if (this.#position > this.#open.start && this.#position + bytes > this.#segmentBytes) {
      await this.#startSegment(this.#open.number + 1)
    }
    const { file } = this.#open
    const image = this.#room(bytes)
    const { check } = encodeFrame(image, this.#position, this.#nextFrame(kind, body))
    await file.write(image, this.#position)
    await file.sync()
    this.#advance(check, bytes)
    this.#sealed = kind === 'seal'
    this.#counts.frames++
    this.#counts.bytes += bytes
  }

  /** Where to build a frame of `bytes`: exactly that long, or up to the next step of zeros when it passes what is allocated. */
  #room(bytes: number): Uint8Array {
    const end = this.#position + bytes
    if (end > this.#allocated && this.#growBytes > 0) {
      const step = Math.ceil(end / this.#growBytes) * this.#growBytes
      this.#allocated = Math.max(end, Math.min(step, this.#segmentBytes))
      return new Uint8Array(this.#allocated - this.#position)
    }
    if (this.#buffer.byteLength < bytes) this.#buffer = new Uint8Array(2 ** Math.ceil(Math.log2(bytes)))
    return this.#buffer.subarray(0, bytes)
  }

  /** The segment gets its name when its header and checkpoint are durable. */
  async #startSegment(number: number): Promise<void> {
    const path = segmentPath(this.#directory, number)
    const body = encodeCheckpoint({ baseIndex: 0, baseTerm: 0, lastIndex: this.#durableIndex }, this.#cells)
    const image = new Uint8Array(segmentHeaderBytes + frameBytes(body))
    const header = { segment: number, sequence: this.#sequence, previous: this.#previous, owner: this.#owner }
    image.set(encodeSegmentHeader(header))
    const frame = image.subarray(segmentHeaderBytes)
    const { check } = encodeFrame(frame, segmentHeaderBytes, this.#nextFrame('checkpoint', body))
    const file = await this.fileSystem.create(temporaryPath(path), 0o600)
    const before = this.#segment
    this.#segment = { file, path, number, start: image.byteLength }
    await before?.file.close()
    await file.write(image, 0)
    await file.sync()
    await this.fileSystem.rename(temporaryPath(path), path)
    await this.fileSystem.syncDirectory(this.#directory)
    this.#position = segmentHeaderBytes
    this.#allocated = image.byteLength
    this.#advance(check, frame.byteLength)
  }

  #nextFrame(kind: FrameKind, body: readonly Uint8Array[]): FrameInit {
    return { kind, body, sequence: this.#sequence, previous: this.#previous, ownerTag: this.#tag }
  }

  #advance(check: number, bytes: number): void {
    this.#position += bytes
    this.#sequence++
    this.#previous = check
  }

  get #open(): Segment {
    invariant(this.#segment !== undefined, 'the log is not open')
    return this.#segment
  }

  async #failure(cause: unknown): Promise<Error> {
    if (cause instanceof InvariantError) return cause
    return writingError('writing', this.#open.path, cause, await this.fileSystem.freeBytes(this.#directory))
  }

  async #close(): Promise<void> {
    await this.#commit.drain()
    try {
      if (this.#commit.failure === undefined && !this.#sealed) await this.#append('seal', [])
    } catch {
      // The seal only makes damage easier to tell. Everything that was promised is on disk without it.
    }
    await this.release().catch(() => undefined)
  }
}
