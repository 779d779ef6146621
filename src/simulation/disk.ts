/**
 * The disk of one machine at byte level, and the write-ahead log on it.
 *
 * The bytes are the shipped ones: segment header, frames and items are written by the encoders of `storage/wal`, and what a
 * crash leaves is read back by its `Replay`, which alone decides what is a torn tail and what is damage. What is replaced is
 * the asynchronous shell around them (open, group commit by promises, rotation into further segments): here one segment is
 * written by a few synchronous lines with the same order of write and sync. The shell has tests of its own (test/storage).
 *
 * A write first reaches the page cache, and the disk when it is synced. A killed process leaves the cache; a power cut takes
 * it, except for the sectors that happened to arrive.
 */
import { encodeCbor, decodeCbor } from '../core/cbor.ts'
import { LogOutline } from '../storage/batch.ts'
import { ownerTag } from '../storage/owner.ts'
import type { StoreOwner, StoredEntry, WriteBatch } from '../storage/port.ts'
import { encodeFrame, encodeSegmentHeader, frameBytes, sectorBytes, segmentHeaderBytes } from '../storage/wal/format.ts'
import { encodeBatch, encodeCheckpoint } from '../storage/wal/items.ts'
import { Replay } from '../storage/wal/recover.ts'

const SEGMENT_PATH = 'wal/0000000001.wal'
const BOOT_CELL = 'boot'

export interface Recovery {
  readonly cells: ReadonlyMap<string, Uint8Array>
  readonly entries: readonly StoredEntry[]
  readonly boot: number
  readonly tornBytes: number
}

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
  #inFlight: { readonly position: number; readonly bytes: Uint8Array } | undefined
  #sequence = 1
  #previous = 0
  #outline = new LogOutline({ baseIndex: 0, snapshot: undefined, entries: [] })
  /** Bytes that were acknowledged are not what they were: whoever opens this must notice. */
  damaged = false

  constructor(owner: StoreOwner) {
    this.#owner = owner
    this.#tag = ownerTag(owner)
  }

  /** How much was acknowledged. */
  get bytes(): number {
    return this.#syncedEnd
  }

  /** A copy of the whole disk: a machine image (FAULTS P5, P6). */
  copy(): SimulatedLog {
    const copy = new SimulatedLog(this.#owner)
    copy.#image = this.#image.slice(0, this.#end)
    copy.#end = copy.#syncedEnd = this.#end
    return copy
  }

  /** These bytes as the machine of `other` would read them (FAULTS D5). */
  asReadBy(other: SimulatedLog): SimulatedLog {
    const copy = new SimulatedLog(other.#owner)
    copy.#image = this.#image.slice(0, this.#end)
    copy.#end = copy.#syncedEnd = this.#end
    return copy
  }

  /** Reads back what is there, counts this boot, and throws what the shipped recovery throws. */
  open(): Recovery {
    this.#inFlight = undefined
    if (this.#end === 0) this.#create()
    const replay = new Replay(this.#owner)
    replay.read({ path: SEGMENT_PATH, segment: 1, bytes: this.#image.subarray(0, this.#end) }, true)
    const { cells, entries, tail } = replay
    this.#image = this.#image.slice(0, tail.end)
    this.#end = tail.end
    this.#sequence = tail.sequence
    this.#previous = tail.previous
    this.#outline = new LogOutline({ baseIndex: 0, snapshot: undefined, entries })
    const stored = cells.get(BOOT_CELL)
    const boot = (stored === undefined ? 0 : (decodeCbor(stored) as number)) + 1
    this.write([{ cells: [{ name: BOOT_CELL, value: encodeCbor(boot) }] }])
    this.synced()
    return { cells: new Map(cells), entries: [...entries], boot, tornBytes: tail.tornBytes }
  }

  /** Checks that the batch continues the log, as the shipped log does when it is handed over. */
  accept(batch: WriteBatch): void {
    this.#outline.accept(batch)
  }

  /** One frame for all batches that waited together, into the page cache. */
  write(batches: readonly WriteBatch[]): void {
    const body = batches.map(encodeBatch)
    const bytes = new Uint8Array(frameBytes(body))
    const position = this.#end
    const frame = {
      kind: 'batch',
      body,
      sequence: this.#sequence,
      previous: this.#previous,
      ownerTag: this.#tag
    } as const
    const { check } = encodeFrame(bytes, position, frame)
    this.#sequence++
    this.#previous = check
    this.#put(position, bytes)
    this.#inFlight = { position, bytes }
  }

  synced(): void {
    this.#inFlight = undefined
    this.#syncedEnd = this.#end
  }

  /** The device takes no more: only `keep` bytes of the frame under way reached the file. */
  cutShort(keep: number): void {
    if (this.#inFlight === undefined) return
    const { position, bytes } = this.#inFlight
    this.#end = position
    this.#put(position, bytes.subarray(0, Math.min(keep, bytes.byteLength - 1)))
    this.#inFlight = undefined
  }

  /** The machine loses power: sectors of the unsynced frame arrive or read as zeros, and the file keeps its new length or not. */
  powerCut(arrives: Arrives, extended: boolean): boolean {
    if (this.#inFlight === undefined) return false
    const { position, bytes } = this.#inFlight
    this.#inFlight = undefined
    let end = position
    for (let i = 0; i < bytes.byteLength; i++) {
      if (arrives(Math.floor((position + i) / sectorBytes))) end = position + i + 1
      else this.#image[position + i] = 0
    }
    this.#end = extended ? position + bytes.byteLength : end
    return true
  }

  /** Bit rot at rest, somewhere in what was acknowledged (FAULTS D4). */
  flip(place: number, bit: number): void {
    this.#image[Math.floor(place * this.#syncedEnd)]! ^= 1 << bit
    this.damaged = true
  }

  #create(): void {
    const body = encodeCheckpoint({ baseIndex: 0, baseTerm: 0, lastIndex: 0 }, new Map())
    const image = new Uint8Array(segmentHeaderBytes + frameBytes(body))
    image.set(encodeSegmentHeader({ segment: 1, sequence: 1, previous: 0, owner: this.#owner }))
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
    if (end > this.#image.byteLength) {
      const grown = new Uint8Array(Math.max(4_096, end * 2))
      grown.set(this.#image.subarray(0, this.#end))
      this.#image = grown
    }
    this.#image.set(bytes, position)
    this.#end = end
  }
}
