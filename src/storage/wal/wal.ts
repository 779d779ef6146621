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
 * A snapshot is a file of its own (snapshot-file.ts), durable before the frame that names it is written: that frame is the
 * moment at which the snapshot, the compaction and the entries of its batch are there, all or none. Segments and snapshots
 * that nothing needs any more are removed after it is durable. A removal that is lost in a crash is done at the next start.
 */
import { InvariantError, invariant } from '../../core/invariant.ts'
import { StorageClosedError, StorageFailedError, openingError, writingError } from '../errors.ts'
import type { FileSystem } from '../file-system.ts'
import { nodeFileSystem } from '../file-system.ts'
import { GroupCommit } from '../group-commit.ts'
import { checkOwnerShape } from '../owner.ts'
import type { Recovered, StoreOwner, Storage, WriteBatch } from '../port.ts'
import { readWalDirectory, removeEmptyMarker, segmentPath, snapshotPath, temporaryPath } from './directory.ts'
import type { WalDirectory } from './directory.ts'
import { Intake } from './intake.ts'
import type { SnapshotFile, Taken } from './intake.ts'
import { encodeBatch } from './items.ts'
import { loadLog, readSnapshot } from './load.ts'
import type { KnownSegment, LoadedLog, LoadInit } from './load.ts'
import { startOfLog } from './position.ts'
import { SegmentWriter } from './segment-writer.ts'

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

/**
 * A snapshot begins a new segment when the one at hand is fuller than this part of its size: what the snapshot will let go
 * is then in segments of its own, and little is read at the next start.
 */
const segmentsOfSnapshot = 16

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

class WriteAheadLog implements WalStorage {
  readonly fileSystem: FileSystem
  readonly #init: LoadInit
  readonly #segmentBytes: number
  readonly #writer: SegmentWriter
  readonly #commit: GroupCommit<Taken>
  #recovered: Recovered | undefined
  #intake: Intake
  /** Durable cells: what the checkpoint of the next segment restates. */
  #cells = new Map<string, Uint8Array>()
  /** Where the log stands on disk. */
  #durable = startOfLog
  /** Those on disk, the last is being written. */
  #segments: KnownSegment[] = []
  /** Files on disk. */
  #snapshots: number[] = []
  #counts = { frames: 0, batches: 0, bytes: 0 }
  #closed: Promise<void> | undefined

  constructor({ directory, owner, segmentBytes, growBytes, fileSystem = nodeFileSystem }: WalInit) {
    this.fileSystem = fileSystem
    this.#init = { directory, owner, fileSystem }
    this.#intake = Intake.empty(owner, 1)
    this.#segmentBytes = segmentBytes ?? 16 * 1024 * 1024
    this.#writer = new SegmentWriter({
      ...this.#init,
      segmentBytes: this.#segmentBytes,
      growBytes: growBytes ?? 256 * 1024
    })
    this.#commit = new GroupCommit((group) => this.#flush(group), groupBytesMax)
  }

  get recovered(): Recovered {
    invariant(this.#recovered !== undefined, 'the log is not open')
    return this.#recovered
  }

  async write(batch: WriteBatch): Promise<void> {
    if (this.#closed !== undefined) throw new StorageClosedError()
    const taken = this.#intake.take(batch)
    await this.#commit.add(taken, taken.bytes.byteLength + (taken.snapshot?.image.byteLength ?? 0))
  }

  stats(): WalStats {
    const { items, bytes } = this.#commit.queued
    return { ...this.#counts, segment: this.#writer.number, queuedBatches: items, queuedBytes: bytes }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async open(): Promise<void> {
    const found = await readWalDirectory(this.#init.directory, this.fileSystem)
    const loaded = found.segments.length === 0 ? undefined : await loadLog(this.#init, found)
    for (const path of found.stale) await this.fileSystem.remove(path)
    this.#snapshots = [...found.snapshots]
    if (loaded === undefined) {
      this.#recovered = { cells: new Map(), snapshot: undefined, entries: [], tornBytes: 0, skippedSnapshot: undefined }
      await this.#startSegment()
    } else {
      await this.#goOn(loaded, found)
    }
    if (found.isNew) await removeEmptyMarker(this.#init.directory, this.fileSystem)
    await this.#removeUnneeded()
  }

  /** Closes the file and nothing else. */
  release(): Promise<void> {
    return this.#writer.release()
  }

  async #goOn({ replay, segments, snapshot, position, skipped }: LoadedLog, found: WalDirectory): Promise<void> {
    const { state, tail } = replay
    const entries = state.entries()
    this.#cells = new Map(state.cells)
    this.#durable = position
    const nextSnapshot = Math.max(0, ...found.snapshots) + 1
    this.#intake = new Intake({ owner: this.#init.owner, position, snapshot, entries, nextSnapshot })
    const leftOver = found.segments.filter((number) => number < segments[0]!.number)
    this.#segments = [...leftOver.map((number) => ({ number, beganAt: 0 })), ...segments]
    this.#recovered = {
      cells: state.cells,
      snapshot,
      entries,
      tornBytes: tail.tornBytes,
      skippedSnapshot: skipped?.damage.message
    }
    await this.#writer.resume(segments.at(-1)!.number, tail)
    if (skipped !== undefined) await this.#append('batch', [encodeBatch({ givenUp: skipped.number })])
  }

  async #flush(group: readonly Taken[]): Promise<void> {
    try {
      await this.#commitGroup(group)
    } catch (error) {
      throw await this.#failure(this.#writer.path, error)
    }
  }

  async #commitGroup(group: readonly Taken[]): Promise<void> {
    const snapshots = group.flatMap(({ snapshot }) => snapshot ?? [])
    for (const snapshot of snapshots) await this.#saveSnapshot(snapshot)
    const limit = this.#segmentBytes / (snapshots.length > 0 ? segmentsOfSnapshot : 1)
    const bodies = group.map(({ bytes }) => bytes)
    if (this.#writer.isFullFor(bodies, limit)) await this.#startSegment()
    await this.#append('batch', bodies)
    this.#counts.batches += group.length
    for (const { cells } of group) for (const { name, value } of cells) this.#cells.set(name, value)
    const before = this.#durable
    this.#durable = group.at(-1)!.position
    if (before.baseIndex !== this.#durable.baseIndex || snapshots.length > 0) await this.#letGo()
  }

  /** Of files, and of the memory that what was recovered takes. */
  async #letGo(): Promise<void> {
    await this.#removeUnneeded()
    const { baseIndex, snapshots } = this.#durable
    const { snapshot, entries, ...others } = this.recovered
    this.#recovered = {
      ...others,
      snapshot: snapshot?.index === snapshots.at(-1)?.index ? snapshot : undefined,
      entries: entries.filter(({ index }) => index > baseIndex)
    }
  }

  async #append(kind: 'batch' | 'seal', body: readonly Uint8Array[]): Promise<void> {
    this.#counts.bytes += await this.#writer.append(kind, body)
    this.#counts.frames++
  }

  async #startSegment(): Promise<void> {
    await this.#writer.start(this.#durable, this.#cells)
    this.#segments.push({ number: this.#writer.number, beganAt: this.#durable.lastIndex })
  }

  /** Durable under its name, and proven by reading it back, before any frame names it. */
  async #saveSnapshot({ ref, image }: SnapshotFile): Promise<void> {
    const path = snapshotPath(this.#init.directory, ref.number)
    try {
      await this.#writeWhole(path, image)
    } catch (error) {
      throw await this.#failure(path, error)
    }
    this.#snapshots.push(ref.number)
    try {
      await readSnapshot(this.#init, ref)
    } catch (error) {
      throw new StorageFailedError('reading back', path, error)
    }
  }

  async #writeWhole(path: string, image: Uint8Array): Promise<void> {
    const file = await this.fileSystem.create(temporaryPath(path), 0o600)
    try {
      await file.write(image, 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await this.fileSystem.rename(temporaryPath(path), path)
    await this.fileSystem.syncDirectory(this.#init.directory)
  }

  /** What the durable position does not lean on. That the names are gone need not be durable. */
  async #removeUnneeded(): Promise<void> {
    const { directory } = this.#init
    const { baseIndex, snapshots } = this.#durable
    const firstNeeded = this.#segments.findLastIndex(({ beganAt }) => beganAt <= baseIndex)
    for (const { number } of this.#segments.splice(0, Math.max(0, firstNeeded))) {
      await this.fileSystem.remove(segmentPath(directory, number))
    }
    const isNeeded = (number: number): boolean => snapshots.some((ref) => ref.number === number)
    for (const number of this.#snapshots.filter((snapshot) => !isNeeded(snapshot))) {
      await this.fileSystem.remove(snapshotPath(directory, number))
    }
    this.#snapshots = this.#snapshots.filter(isNeeded)
  }

  async #failure(path: string, cause: unknown): Promise<Error> {
    if (cause instanceof InvariantError) return cause
    return writingError('writing', path, cause, await this.fileSystem.freeBytes(this.#init.directory))
  }

  async #close(): Promise<void> {
    await this.#commit.drain()
    try {
      if (this.#commit.failure === undefined && this.#writer.lastKind !== 'seal') await this.#append('seal', [])
    } catch {
      // The seal only makes damage easier to tell. Everything that was promised is on disk without it.
    }
    await this.release().catch(() => undefined)
  }
}
