/**
 * The disk of one machine at byte level, and the write-ahead log on it.
 *
 * The bytes are the shipped ones: segment header, frames and items are written by the encoders of `storage/wal`, and what a
 * crash leaves is read back by its `Replay`, which alone decides what is a torn tail and what is damage. What is replaced is
 * the asynchronous shell around them (open, group commit by promises, rotation into further segments): here one segment is
 * written by a few synchronous lines with the same order of write and sync. The shell has tests of its own (test/storage).
 *
 * Snapshots are files beside the segment, synced before the frame that names them is written; so a crash leaves a file that
 * nothing names, or all of it. Old entries leave the log and not the segment, which never ends here.
 *
 * A write first reaches the page cache, and the disk when it is synced. A killed process leaves the cache; a power cut takes
 * it, except for the sectors that happened to arrive.
 */
import { encodeCbor, decodeCbor } from '../core/cbor.ts'
import { StorageCorruptError } from '../storage/errors.ts'
import { ownerTag } from '../storage/owner.ts'
import type { Recovered, StoredSnapshot, StoreOwner, WriteBatch } from '../storage/port.ts'
import { snapshotPath } from '../storage/wal/directory.ts'
import { encodeFrame, encodeSegmentHeader, frameBytes, sectorBytes, segmentHeaderBytes } from '../storage/wal/format.ts'
import { Intake } from '../storage/wal/intake.ts'
import type { Taken } from '../storage/wal/intake.ts'
import { encodeBatch, encodeCheckpoint } from '../storage/wal/items.ts'
import type { LoadedLog } from '../storage/wal/load.ts'
import { newestSnapshot, startOfLog, withoutNewest } from '../storage/wal/position.ts'
import type { LogPosition } from '../storage/wal/position.ts'
import { Replay } from '../storage/wal/recover.ts'
import { readSnapshotFile } from '../storage/wal/snapshot-file.ts'
import type { SnapshotRef } from '../storage/wal/snapshot-file.ts'

const DIRECTORY = 'wal'
const SEGMENT_PATH = `${DIRECTORY}/0000000001.wal`
const BOOT_CELL = 'boot'

export interface Recovery extends Recovered {
  readonly boot: number
}

type FoundSnapshot = Pick<LoadedLog, 'snapshot' | 'position' | 'skipped'>

/** What a write that was not synced leaves behind after a power cut: for each sector, did it arrive? */
export type Arrives = (sector: number) => boolean

export class SimulatedLog {
  readonly #owner: StoreOwner
  readonly #tag: Uint8Array
  /** What the machine reads: the disk and the cache over it. */
  #image = new Uint8Array(0)
  #end = 0
  /** What was synced ends here. */
  #syncedEnd = 0
  /** The frame that is written and not synced. */
  #inFlight: { readonly position: number; readonly length: number } | undefined
  #sequence = 1
  #previous = 0
  /** Snapshot files by number: they are synced before the frame that names them is written. */
  #files = new Map<number, Uint8Array>()
  #intake: Intake
  /** Accepted and not written, in order. */
  #taken: Taken[] = []
  /** The log when the frame that is written was synced. */
  #written = startOfLog
  #durable: LogPosition = startOfLog
  /** Bytes that were acknowledged are not what they were: whoever opens this must notice. */
  damaged = false
  /** The snapshot that has a flipped bit. */
  #rotten: number | undefined

  constructor(owner: StoreOwner) {
    this.#owner = owner
    this.#tag = ownerTag(owner)
    this.#intake = Intake.empty(owner, 1)
  }

  /** How much was acknowledged. */
  get bytes(): number {
    return this.#syncedEnd
  }

  /** A copy of the whole disk: a machine image (FAULTS P5, P6). */
  copy(): SimulatedLog {
    return this.asReadBy(this)
  }

  /** These bytes as the machine of `other` would read them (FAULTS D5). */
  asReadBy(other: SimulatedLog): SimulatedLog {
    const copy = new SimulatedLog(other.#owner)
    copy.#image = this.#image.slice(0, this.#end)
    copy.#end = copy.#syncedEnd = this.#end
    copy.#files = new Map(this.#files)
    return copy
  }

  /** Reads back what is there, counts this boot, and throws what the shipped recovery throws. */
  open(): Recovery {
    this.#inFlight = undefined
    if (this.#end === 0) this.#create()
    const replay = new Replay(this.#owner)
    replay.read({ path: SEGMENT_PATH, segment: 1, bytes: this.#image.subarray(0, this.#end) }, true)
    const { state, tail } = replay
    const { cells } = state
    const entries = state.entries()
    const found = this.#readSnapshot(state.position)
    this.#image = this.#image.slice(0, tail.end)
    this.#end = tail.end
    this.#sequence = tail.sequence
    this.#previous = tail.previous
    this.#taken = []
    this.#durable = this.#written = found.position
    const nextSnapshot = Math.max(0, ...this.#files.keys()) + 1
    this.#intake = new Intake({ ...found, owner: this.#owner, entries, nextSnapshot })
    this.#removeUnneeded()
    // A newer one, whose frame was not acknowledged and had arrived all the same, is what counts.
    if (this.#rotten !== undefined && this.#rotten < (newestSnapshot(found.position)?.number ?? 0)) this.damaged = false
    this.#rotten = undefined
    if (found.skipped !== undefined) this.#giveUp(found.skipped.number)
    const stored = cells.get(BOOT_CELL)
    const boot = (stored === undefined ? 0 : (decodeCbor(stored) as number)) + 1
    const count = { cells: [{ name: BOOT_CELL, value: encodeCbor(boot) }] }
    this.accept(count)
    this.write([count])
    this.synced()
    const skippedSnapshot = found.skipped?.damage.message
    return { cells, snapshot: found.snapshot, entries, boot, tornBytes: tail.tornBytes, skippedSnapshot }
  }

  /** The damage was noticed and made good. */
  #giveUp(number: number): void {
    this.#append([encodeBatch({ givenUp: number })])
    this.synced()
    this.damaged = false
  }

  /** Checks that the batch continues the log, as the shipped log does when it is handed over. */
  accept(batch: WriteBatch): void {
    this.#taken.push(this.#intake.take(batch))
  }

  /** The snapshots on disk, then one frame for all batches that waited together, into the page cache. */
  write(batches: readonly WriteBatch[]): void {
    const group = this.#taken.splice(0, batches.length)
    for (const { snapshot } of group) if (snapshot !== undefined) this.#files.set(snapshot.ref.number, snapshot.image)
    this.#written = group.at(-1)?.position ?? this.#written
    this.#append(group.map((taken) => taken.bytes))
  }

  #append(body: readonly Uint8Array[]): void {
    const position = this.#end
    const length = frameBytes(body)
    this.#reserve(position + length)
    const frame = {
      kind: 'batch',
      body,
      sequence: this.#sequence,
      previous: this.#previous,
      ownerTag: this.#tag
    } as const
    const { check } = encodeFrame(this.#image.subarray(position, position + length), position, frame)
    this.#sequence++
    this.#previous = check
    this.#end = position + length
    this.#inFlight = { position, length }
  }

  synced(): void {
    this.#inFlight = undefined
    this.#syncedEnd = this.#end
    this.#durable = this.#written
    this.#removeUnneeded()
  }

  /** The device takes no more: only `keep` bytes of the frame under way reached the file. */
  cutShort(keep: number): void {
    if (this.#inFlight === undefined) return
    const { position, length } = this.#inFlight
    this.#end = position + Math.min(Math.floor(keep), length - 1)
    this.#inFlight = undefined
  }

  /** The machine loses power: sectors of the unsynced frame arrive or read as zeros, and the file keeps its new length or not. */
  powerCut(arrives: Arrives, extended: boolean): boolean {
    if (this.#inFlight === undefined) return false
    const { position, length } = this.#inFlight
    this.#inFlight = undefined
    let end = position
    for (let i = 0; i < length; i++) {
      if (arrives(Math.floor((position + i) / sectorBytes))) end = position + i + 1
      else this.#image[position + i] = 0
    }
    this.#end = extended ? position + length : end
    return true
  }

  /** Bit rot at rest, somewhere in what was acknowledged (FAULTS D4). */
  flip(place: number, bit: number): void {
    const newest = newestSnapshot(this.#durable)
    const file = newest === undefined ? new Uint8Array() : this.#files.get(newest.number)!
    const at = Math.floor(place * (this.#syncedEnd + file.byteLength))
    if (at < this.#syncedEnd) {
      this.#image[at]! ^= 1 << bit
    } else {
      const rotten = file.slice()
      rotten[at - this.#syncedEnd]! ^= 1 << bit
      this.#files.set(newest!.number, rotten)
      this.#rotten = newest!.number
    }
    this.damaged = true
  }

  /** As the shipped log: the newest, or the one before it when the log still leads from there to the same state. */
  #readSnapshot(position: LogPosition): FoundSnapshot {
    const newest = newestSnapshot(position)
    if (newest === undefined) return { snapshot: undefined, position, skipped: undefined }
    try {
      return { snapshot: this.#read(newest), position, skipped: undefined }
    } catch (damage) {
      const before = withoutNewest(position)
      const other = newestSnapshot(before)
      if (!(damage instanceof StorageCorruptError) || other === undefined) throw damage
      return { snapshot: this.#read(other), position: before, skipped: { number: newest.number, damage } }
    }
  }

  #read(ref: SnapshotRef): StoredSnapshot {
    const path = snapshotPath(DIRECTORY, ref.number)
    const file = this.#files.get(ref.number)
    if (file === undefined) throw new StorageCorruptError(path, 0, 'it is missing')
    return readSnapshotFile(path, file, ref, this.#owner)
  }

  #removeUnneeded(): void {
    const needed = new Set(this.#durable.snapshots.map(({ number }) => number))
    for (const number of this.#files.keys()) if (!needed.has(number)) this.#files.delete(number)
  }

  #create(): void {
    const body = encodeCheckpoint(startOfLog, new Map())
    const image = new Uint8Array(segmentHeaderBytes + frameBytes(body))
    image.set(encodeSegmentHeader({ segment: 1, sequence: 1, previous: 0 }, this.#owner))
    encodeFrame(image.subarray(segmentHeaderBytes), segmentHeaderBytes, {
      kind: 'checkpoint',
      body,
      sequence: 1,
      previous: 0,
      ownerTag: this.#tag
    })
    this.#put(0, image)
  }

  #put(position: number, bytes: Uint8Array): void {
    const end = position + bytes.byteLength
    this.#reserve(end)
    this.#image.set(bytes, position)
    this.#end = end
  }

  #reserve(end: number): void {
    if (end <= this.#image.byteLength) return
    const grown = new Uint8Array(Math.max(4_096, end * 2))
    grown.set(this.#image.subarray(0, this.#end))
    this.#image = grown
  }
}
