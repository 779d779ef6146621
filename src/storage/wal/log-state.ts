/**
 * What the frames of the log add up to: cells, position, and the entries that are still needed.
 *
 * It may begin at any segment, because each begins with a checkpoint. Then the entries of the segments before are unknown
 * here, and that is right when the log has let them go by the end; `missingFrom` says whether it has.
 */
import { equalBytes } from '../../core/bytes.ts'
import type { StoredEntry } from '../port.ts'
import type { FrameKind } from './format.ts'
import { readItems } from './items.ts'
import type { ItemReader } from './items.ts'
import { compactedTo, newestSnapshot, startOfLog, withoutNewest, withSnapshot } from './position.ts'
import type { LogPosition } from './position.ts'
import { isSame } from './snapshot-file.ts'
import type { SnapshotRef } from './snapshot-file.ts'

/** Throws the error that names file and place. */
type Refuse = (reason: string) => never

export class LogState {
  readonly cells = new Map<string, Uint8Array>()
  /** Its last index is kept apart, because it moves with every entry. */
  #position: LogPosition = startOfLog
  #lastIndex = 0
  #entries: StoredEntry[] = []
  /** Entries before this one are unknown or gone. */
  #firstKnown = 1
  #begun = false

  /** Where the log ended when the last checkpoint was written. */
  beganAt = 0

  get position(): LogPosition {
    return { ...this.#position, lastIndex: this.#lastIndex }
  }

  /** Undefined when all entries that are still needed are known; otherwise the first of those that are not. */
  get missingFrom(): number | undefined {
    const { baseIndex } = this.#position
    return this.#firstKnown > baseIndex + 1 ? baseIndex + 1 : undefined
  }

  /** The entries behind the base, once all has been read. */
  entries(): readonly StoredEntry[] {
    const gone = this.#position.baseIndex + 1 - this.#firstKnown
    return gone === 0 ? this.#entries : this.#entries.slice(gone)
  }

  apply(kind: FrameKind, body: Uint8Array, refuse: Refuse): void {
    const isReadable = kind === 'checkpoint' ? this.#readCheckpoint(body, refuse) : this.#readBatch(body, refuse)
    if (!isReadable) refuse('has a body that cannot be read')
  }

  #readCheckpoint(body: Uint8Array, refuse: Refuse): boolean {
    let position: LogPosition = startOfLog
    const cells = new Map<string, Uint8Array>()
    const isReadable = readItems(body, {
      ...strangers(refuse),
      position: (read) => (position = { ...read, snapshots: [] }),
      snapshot: (ref) => (position = { ...position, snapshots: [...position.snapshots, ref] }),
      cell: (name, value) => cells.set(name, value.slice())
    })
    if (!isReadable) return false
    if (this.#begun && !isSameCells(this.cells, cells)) refuse('restates other cells than the log before it has led to')
    for (const [name, value] of cells) this.cells.set(name, value)
    this.#goOnAt(position, refuse)
    return true
  }

  #goOnAt(position: LogPosition, refuse: Refuse): void {
    const { baseIndex, lastIndex } = position
    if (!this.#begun) this.#firstKnown = lastIndex + 1
    else if (!isSamePosition(this.position, position)) {
      const { baseIndex: base, lastIndex: last } = this.position
      refuse(`says that the log goes from ${baseIndex} to ${lastIndex}, and it goes from ${base} to ${last}`)
    }
    this.#begun = true
    this.beganAt = lastIndex
    this.#position = position
    this.#lastIndex = lastIndex
  }

  #readBatch(body: Uint8Array, refuse: Refuse): boolean {
    // One copy for all of its entries and cells: much cheaper than one for each, and no segment stays in memory for an entry.
    return readItems(body.slice(), {
      ...strangers(refuse),
      cell: (name, value) => this.cells.set(name, value),
      entry: (entry) => this.#append(entry, refuse),
      snapshot: (ref, beginsAnew) => this.#replaceSnapshot(ref, beginsAnew, refuse),
      compaction: (index) => this.#compact(index, refuse),
      givenUp: (number) => this.#giveUp(number, refuse)
    })
  }

  /** Index of the newest snapshot. */
  get #newest(): number {
    return newestSnapshot(this.#position)?.index ?? 0
  }

  #append(entry: StoredEntry, refuse: Refuse): void {
    const { index } = entry
    if (!(index > this.#newest && index <= this.#lastIndex + 1)) {
      refuse(`holds entry ${index}, and the log ends at ${this.#lastIndex}`)
    }
    if (index < this.#firstKnown) this.#firstKnown = index
    if (index <= this.#lastIndex) this.#entries.length = index - this.#firstKnown
    this.#entries.push(entry)
    this.#lastIndex = index
  }

  #replaceSnapshot(ref: SnapshotRef, beginsAnew: boolean, refuse: Refuse): void {
    if (!(ref.index > this.#newest)) refuse(`holds snapshot ${ref.index} after snapshot ${this.#newest}`)
    if (!beginsAnew && ref.index > this.#lastIndex) {
      refuse(`holds snapshot ${ref.index} of a log that ends at ${this.#lastIndex}`)
    }
    this.#position = withSnapshot(this.#position, ref, beginsAnew)
    if (!beginsAnew) return
    this.#lastIndex = ref.index
    this.#entries = []
    this.#firstKnown = ref.index + 1
  }

  #compact(index: number, refuse: Refuse): void {
    if (!(index <= this.#newest))
      refuse(`lets entries go up to ${index}, and the newest snapshot ends at ${this.#newest}`)
    this.#position = compactedTo(this.#position, index)
  }

  #giveUp(number: number, refuse: Refuse): void {
    const { snapshots } = this.#position
    if (snapshots.length < 2 || snapshots.at(-1)?.number !== number)
      refuse(`gives up snapshot ${number}, which it must not`)
    this.#position = withoutNewest(this.#position)
  }
}

function isSamePosition(a: LogPosition, b: LogPosition): boolean {
  if (a.baseIndex !== b.baseIndex || a.lastIndex !== b.lastIndex || a.snapshots.length !== b.snapshots.length)
    return false
  return a.snapshots.every((ref, i) => ref.number === b.snapshots[i]!.number && isSame(ref, b.snapshots[i]!))
}

function isSameCells(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): boolean {
  const isIn = ([name, value]: [string, Uint8Array]): boolean => {
    const other = b.get(name)
    return other !== undefined && equalBytes(value, other)
  }
  return a.size === b.size && [...a].every(isIn)
}

/** Items that have no place in the frame at hand; cells and snapshots have one in each. */
const strangers = (refuse: Refuse): Omit<ItemReader, 'cell' | 'snapshot'> => ({
  entry: () => refuse('holds an entry where none belongs'),
  position: () => refuse('holds a position where none belongs'),
  compaction: () => refuse('holds a compaction where none belongs'),
  givenUp: () => refuse('gives up a snapshot where none can be')
})
