/** What stands in the body of a frame: cells, entries, snapshots, compactions, and at the head of a segment the position of the log. */
import { utf8 } from '../../core/bytes.ts'
import { isCellName } from '../batch.ts'
import type { StoredEntry, WriteBatch } from '../port.ts'
import { putUint32, putUint64, uint32, uint64 } from './numbers.ts'
import type { LogPosition } from './position.ts'
import type { SnapshotRef } from './snapshot-file.ts'

const CELL = 1
const ENTRY = 2
const POSITION = 3
const SNAPSHOT = 4
const COMPACTION = 5
const GIVEN_UP = 6

const cellHead = 6
const entryHead = 22
const positionBytes = 17
const snapshotBytes = 66
/** A compaction, or a snapshot given up. */
const numberBytes = 9

/** A batch as the log holds it: the data of its snapshot is in a file of its own. */
export interface LogBatch {
  readonly cells?: WriteBatch['cells']
  readonly snapshot?: SnapshotRef | undefined
  /** The snapshot replaces a log that does not lead to it. */
  readonly beginsAnew?: boolean
  readonly compactTo?: number | undefined
  /** Number of a snapshot that is damaged and that the one before it stands in for. */
  readonly givenUp?: number | undefined
  readonly entries?: WriteBatch['entries']
}

/** Called for each item, in order; what is wrong with it, it throws. Values are windows on the body. */
export interface ItemReader {
  cell(name: string, value: Uint8Array): void
  entry(entry: StoredEntry): void
  position(position: Omit<LogPosition, 'snapshots'>): void
  snapshot(ref: SnapshotRef, beginsAnew: boolean): void
  compaction(index: number): void
  givenUp(number: number): void
}

export function encodeBatch(batch: LogBatch): Uint8Array<ArrayBuffer> {
  const cells = (batch.cells ?? []).map(({ name, value }) => ({ name: utf8(name), value }))
  const entries = batch.entries ?? []
  let length = 0
  for (const { name, value } of cells) length += cellHead + name.byteLength + value.byteLength
  if (batch.snapshot !== undefined) length += snapshotBytes
  if (batch.compactTo !== undefined) length += numberBytes
  if (batch.givenUp !== undefined) length += numberBytes
  for (const { data } of entries) length += entryHead + data.byteLength
  const bytes = new Uint8Array(length)
  let at = 0
  for (const cell of cells) at = putCell(bytes, at, cell.name, cell.value)
  if (batch.snapshot !== undefined) at = putSnapshot(bytes, at, batch.snapshot, batch.beginsAnew === true)
  if (batch.compactTo !== undefined) at = putNumber(bytes, at, COMPACTION, batch.compactTo)
  if (batch.givenUp !== undefined) at = putNumber(bytes, at, GIVEN_UP, batch.givenUp)
  for (const entry of entries) at = putEntry(bytes, at, entry)
  return bytes
}

export function encodeCheckpoint(
  { baseIndex, lastIndex, snapshots }: LogPosition,
  cells: ReadonlyMap<string, Uint8Array>
): readonly Uint8Array<ArrayBuffer>[] {
  const head = new Uint8Array(positionBytes + snapshots.length * snapshotBytes)
  head[0] = POSITION
  putUint64(head, 1, baseIndex)
  putUint64(head, 9, lastIndex)
  let at = positionBytes
  for (const snapshot of snapshots) at = putSnapshot(head, at, snapshot, false)
  return [head, encodeBatch({ cells: Array.from(cells, ([name, value]) => ({ name, value })) })]
}

function putCell(bytes: Uint8Array, at: number, name: Uint8Array, value: Uint8Array): number {
  bytes[at] = CELL
  bytes[at + 1] = name.byteLength
  putUint32(bytes, at + 2, value.byteLength)
  bytes.set(name, at + cellHead)
  bytes.set(value, at + cellHead + name.byteLength)
  return at + cellHead + name.byteLength + value.byteLength
}

function putEntry(bytes: Uint8Array, at: number, entry: StoredEntry): number {
  bytes[at] = ENTRY
  bytes[at + 1] = entry.type
  putUint64(bytes, at + 2, entry.index)
  putUint64(bytes, at + 10, entry.term)
  putUint32(bytes, at + 18, entry.data.byteLength)
  bytes.set(entry.data, at + entryHead)
  return at + entryHead + entry.data.byteLength
}

function putSnapshot(bytes: Uint8Array, at: number, ref: SnapshotRef, beginsAnew: boolean): number {
  bytes[at] = SNAPSHOT
  bytes[at + 1] = beginsAnew ? 1 : 0
  putUint64(bytes, at + 2, ref.number)
  putUint64(bytes, at + 10, ref.index)
  putUint64(bytes, at + 18, ref.term)
  putUint64(bytes, at + 26, ref.bytes)
  bytes.set(ref.digest, at + 34)
  return at + snapshotBytes
}

function putNumber(bytes: Uint8Array, at: number, type: number, value: number): number {
  bytes[at] = type
  putUint64(bytes, at + 1, value)
  return at + numberBytes
}

/** The position in the body of a checkpoint; undefined when it does not begin with one. */
export function readPosition(body: Uint8Array): Omit<LogPosition, 'snapshots'> | undefined {
  if (body[0] !== POSITION || body.byteLength < positionBytes) return undefined
  return { baseIndex: uint64(body, 1), lastIndex: uint64(body, 9) }
}

/** False when the body is not what the encoder would have written; items before that place have been read. */
export function readItems(body: Uint8Array, reader: ItemReader): boolean {
  let at = 0
  while (at < body.byteLength) {
    const end = readItem(body, at, reader)
    if (end === undefined) return false
    at = end
  }
  return true
}

/** The end of the item at `at`. */
function readItem(body: Uint8Array, at: number, reader: ItemReader): number | undefined {
  const left = body.byteLength - at
  switch (body[at]!) {
    case ENTRY: {
      if (left < entryHead) return undefined
      const end = at + entryHead + uint32(body, at + 18)
      if (end > body.byteLength) return undefined
      const data = body.subarray(at + entryHead, end)
      reader.entry({ index: uint64(body, at + 2), term: uint64(body, at + 10), type: body[at + 1]!, data })
      return end
    }
    case CELL: {
      if (left < cellHead) return undefined
      const valueAt = at + cellHead + body[at + 1]!
      const end = valueAt + uint32(body, at + 2)
      if (end > body.byteLength) return undefined
      const name = Buffer.from(body.subarray(at + cellHead, valueAt)).toString('latin1')
      if (!isCellName(name)) return undefined
      reader.cell(name, body.subarray(valueAt, end))
      return end
    }
    case POSITION:
      if (left < positionBytes) return undefined
      reader.position({ baseIndex: uint64(body, at + 1), lastIndex: uint64(body, at + 9) })
      return at + positionBytes
    case SNAPSHOT: {
      if (left < snapshotBytes || body[at + 1]! > 1) return undefined
      const [number, index, term, bytes] = [2, 10, 18, 26].map((offset) => uint64(body, at + offset))
      const digest = body.slice(at + 34, at + snapshotBytes)
      reader.snapshot({ number: number!, index: index!, term: term!, bytes: bytes!, digest }, body[at + 1] === 1)
      return at + snapshotBytes
    }
    case COMPACTION:
      if (left < numberBytes) return undefined
      reader.compaction(uint64(body, at + 1))
      return at + numberBytes
    case GIVEN_UP:
      if (left < numberBytes) return undefined
      reader.givenUp(uint64(body, at + 1))
      return at + numberBytes
    default:
      return undefined
  }
}
