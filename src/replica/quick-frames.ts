/**
 * The frames of every day, read and written in one pass over their bytes (`raft/quick-messages.ts`). Whatever is not plainly one of
 * them is left to `frames.ts`: what is read here reads the same there, and what is written here are the same bytes.
 */
import { CborCursor } from '../core/cbor-cursor.ts'
import { CborPen } from '../core/cbor-pen.ts'
import type { RaftMessage } from '../raft/messages.ts'
import { readQuickly, writeQuickly } from '../raft/quick-messages.ts'
import {
  BOOTS,
  PEER_RECORDS_MAX,
  PEERS,
  RAFT,
  RECORD_BYTES_MAX,
  STATEMENT_BYTES_MAX,
  STATEMENTS_MAX
} from './frame-kinds.ts'
import type { Frame, FrameScope } from './frames.ts'

/** What members say all day, and what they pass on; anything else, and anything wrong, is for the general decoder. */
export function readFrameQuickly(
  bytes: Uint8Array,
  { clusterId, domainId, generation }: FrameScope
): Frame | undefined {
  const cursor = new CborCursor(bytes)
  if (cursor.array() !== 4) return undefined
  const { at } = cursor
  if (clusterId !== undefined && cursor.isNext(clusterId)) {
    if (cursor.uint() !== generation || cursor.uint() !== RAFT) return undefined
    const message = readQuickly(cursor)
    return message === undefined ? undefined : { kind: 'raft', message }
  }
  cursor.at = at
  if (!cursor.isNext(domainId) || cursor.uint() !== generation) return undefined
  const kind = cursor.uint()
  if (kind === BOOTS) {
    const statements = windowsOn(cursor, STATEMENTS_MAX, STATEMENT_BYTES_MAX)
    return statements === undefined ? undefined : { kind: 'boots', statements }
  }
  if (kind !== PEERS) return undefined
  const records = windowsOn(cursor, PEER_RECORDS_MAX, RECORD_BYTES_MAX)
  return records === undefined ? undefined : { kind: 'peers', records }
}

/**
 * Documents that are passed on are known to most who hear them, so they are not copied: these are windows on the frame, for the step that
 * hears it. Who keeps one keeps a copy. Not by `subarray`: of a Buffer that is a Buffer, whose own `slice` would be a window again.
 */
function windowsOn(cursor: CborCursor, countMax: number, bytesMax: number): readonly Uint8Array[] | undefined {
  const count = cursor.array()
  if (count < 0 || count > countMax) return undefined
  const { buffer, byteOffset } = cursor.bytes
  const windows: Uint8Array[] = []
  for (let i = 0; i < count; i++) {
    const length = cursor.byteString()
    if (length < 0 || length > bytesMax) return undefined
    windows.push(new Uint8Array(buffer, byteOffset + cursor.at, length))
    cursor.at += length
  }
  return cursor.isAtEnd ? windows : undefined
}

const pen = new CborPen()

/** What members say all day; undefined for anything else. */
export function writeFrameQuickly(id: Uint8Array, generation: number, message: RaftMessage): Uint8Array | undefined {
  pen.begin()
  pen.array(4)
  pen.byteString(id)
  pen.uint(generation)
  pen.uint(RAFT)
  return writeQuickly(pen, message) ? pen.finish() : undefined
}
