/** What stands in the body of a frame: cells, entries, and at the head of a segment the position of the log. */
import { utf8 } from '../../core/bytes.ts'
import { isCellName } from '../batch.ts'
import type { StoredEntry, WriteBatch } from '../port.ts'

const CELL = 1
const ENTRY = 2
const POSITION = 3

/** Where the log stands when a segment begins. `base` is the last entry that a snapshot replaced; 0 while there are no snapshots. */
export interface LogPosition {
  readonly baseIndex: number
  readonly baseTerm: number
  readonly lastIndex: number
}

export type Item =
  | { readonly type: 'cell'; readonly name: string; readonly value: Uint8Array }
  | { readonly type: 'entry'; readonly entry: StoredEntry }
  | { readonly type: 'position'; readonly position: LogPosition }

const cellHead = 6
const entryHead = 22
const positionBytes = 25

export function encodeBatch(batch: WriteBatch): Uint8Array<ArrayBuffer> {
  const cells = (batch.cells ?? []).map(({ name, value }) => ({ name: utf8(name), value }))
  const entries = batch.entries ?? []
  let length = 0
  for (const { name, value } of cells) length += cellHead + name.byteLength + value.byteLength
  for (const { data } of entries) length += entryHead + data.byteLength
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const cell of cells) at = putCell(bytes, view, at, cell.name, cell.value)
  for (const entry of entries) at = putEntry(bytes, view, at, entry)
  return bytes
}

export function encodeCheckpoint(
  position: LogPosition,
  cells: ReadonlyMap<string, Uint8Array>
): readonly Uint8Array<ArrayBuffer>[] {
  const head = new Uint8Array(positionBytes)
  const view = new DataView(head.buffer)
  head[0] = POSITION
  view.setBigUint64(1, BigInt(position.baseIndex))
  view.setBigUint64(9, BigInt(position.baseTerm))
  view.setBigUint64(17, BigInt(position.lastIndex))
  return [head, encodeBatch({ cells: Array.from(cells, ([name, value]) => ({ name, value })) })]
}

function putCell(bytes: Uint8Array, view: DataView, at: number, name: Uint8Array, value: Uint8Array): number {
  bytes[at] = CELL
  bytes[at + 1] = name.byteLength
  view.setUint32(at + 2, value.byteLength)
  bytes.set(name, at + cellHead)
  bytes.set(value, at + cellHead + name.byteLength)
  return at + cellHead + name.byteLength + value.byteLength
}

function putEntry(bytes: Uint8Array, view: DataView, at: number, entry: StoredEntry): number {
  bytes[at] = ENTRY
  bytes[at + 1] = entry.type
  view.setBigUint64(at + 2, BigInt(entry.index))
  view.setBigUint64(at + 10, BigInt(entry.term))
  view.setUint32(at + 18, entry.data.byteLength)
  bytes.set(entry.data, at + entryHead)
  return at + entryHead + entry.data.byteLength
}

/** Undefined when the body is not what the encoder would have written. Values are copies. */
export function decodeItems(body: Uint8Array): readonly Item[] | undefined {
  const items: Item[] = []
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  for (let at = 0; at < body.byteLength;) {
    const read = decodeItem(body, view, at)
    if (read === undefined) return undefined
    items.push(read.item)
    at = read.end
  }
  return items
}

function decodeItem(body: Uint8Array, view: DataView, at: number): { item: Item; end: number } | undefined {
  const type = body[at]
  const left = body.byteLength - at
  if (type === CELL && left >= cellHead) {
    const valueAt = at + cellHead + body[at + 1]!
    const end = valueAt + view.getUint32(at + 2)
    if (end > body.byteLength) return undefined
    const name = Buffer.from(body.subarray(at + cellHead, valueAt)).toString('latin1')
    if (!isCellName(name)) return undefined
    return { item: { type: 'cell', name, value: body.slice(valueAt, end) }, end }
  }
  if (type === ENTRY && left >= entryHead) {
    const end = at + entryHead + view.getUint32(at + 18)
    if (end > body.byteLength) return undefined
    const head = { index: safe(view.getBigUint64(at + 2)), term: safe(view.getBigUint64(at + 10)), type: body[at + 1]! }
    return { item: { type: 'entry', entry: { ...head, data: body.slice(at + entryHead, end) } }, end }
  }
  if (type === POSITION && left >= positionBytes) {
    const [baseIndex, baseTerm] = [safe(view.getBigUint64(at + 1)), safe(view.getBigUint64(at + 9))]
    const position = { baseIndex, baseTerm, lastIndex: safe(view.getBigUint64(at + 17)) }
    return { item: { type: 'position', position }, end: at + positionBytes }
  }
  return undefined
}

const safe = (value: bigint): number => (value > BigInt(Number.MAX_SAFE_INTEGER) ? NaN : Number(value))
