/**
 * The messages of every day, read in one pass over their bytes: a heartbeat and its answer, an append and its acknowledgement, a
 * commit. They are nearly all that members say to each other, and half of what hearing one of them costs is decoding it in general.
 * Those that are nothing but numbers are written in one pass as well.
 *
 * Whatever is not plainly one of them is left to `decodeRaftMessage`, which alone refuses: what is read here reads the same there.
 * What is written here are the bytes that `encodeRaftMessage` stands for.
 */
import type { CborCursor } from '../core/cbor-cursor.ts'
import type { CborPen } from '../core/cbor-pen.ts'
import {
  APPEND,
  APPEND_ACCEPTED,
  COMMIT,
  entryTypeOf,
  HEARTBEAT,
  HEARTBEAT_REPLY,
  type RaftMessage
} from './messages.ts'
import type { Entry } from './types.ts'

/** Entries of one append that are read here. */
const ENTRIES_MAX = 256

/** The message that begins at the cursor and ends where the bytes end; undefined when the general decoder has to look at it. */
export function readQuickly(cursor: CborCursor): RaftMessage | undefined {
  const count = cursor.array()
  const kind = cursor.uint()
  const term = cursor.uint()
  if (term <= 0) return undefined
  const message = readFields(cursor, count, kind, term)
  return cursor.isAtEnd ? message : undefined
}

/** False, and nothing is written, for a message that is not one of those. */
export function writeQuickly(pen: CborPen, m: RaftMessage): boolean {
  switch (m.type) {
    case 'heartbeat':
      writeHead(pen, 6, HEARTBEAT, m.term)
      pen.uint(m.commit)
      pen.uint(m.seq)
      pen.uint(m.waitMs)
      pen.uint(m.heir)
      return true
    case 'heartbeat-reply':
      writeHead(pen, 4, HEARTBEAT_REPLY, m.term)
      pen.uint(m.seq)
      pen.uint(m.match)
      return true
    case 'append-accepted':
      writeHead(pen, 3, APPEND_ACCEPTED, m.term)
      pen.uint(m.match)
      return true
    case 'commit':
      writeHead(pen, 3, COMMIT, m.term)
      pen.uint(m.commit)
      return true
    case 'append':
    case 'append-rejected':
    case 'pre-vote':
    case 'pre-vote-reply':
    case 'pre-vote-offer':
    case 'vote':
    case 'vote-reply':
    case 'transfer':
      return false
  }
}

function writeHead(pen: CborPen, count: number, kind: number, term: number): void {
  pen.array(count)
  pen.uint(kind)
  pen.uint(term)
}

function readFields(cursor: CborCursor, count: number, kind: number, term: number): RaftMessage | undefined {
  if (kind === HEARTBEAT && count === 6) {
    const commit = cursor.uint()
    const seq = cursor.uint()
    const waitMs = cursor.uint()
    const heir = cursor.uint()
    const isWhole = commit >= 0 && seq >= 0 && waitMs >= 0 && heir >= 0
    return isWhole ? { type: 'heartbeat', term, commit, seq, waitMs, heir } : undefined
  }
  if (kind === HEARTBEAT_REPLY && count === 4) {
    const seq = cursor.uint()
    const match = cursor.uint()
    return seq < 0 || match < 0 ? undefined : { type: 'heartbeat-reply', term, seq, match }
  }
  if (kind === APPEND && count === 6) return readAppend(cursor, term)
  if (kind === APPEND_ACCEPTED && count === 3) {
    const match = cursor.uint()
    return match < 0 ? undefined : { type: 'append-accepted', term, match }
  }
  if (kind === COMMIT && count === 3) {
    const commit = cursor.uint()
    return commit < 0 ? undefined : { type: 'commit', term, commit }
  }
  return undefined
}

function readAppend(cursor: CborCursor, term: number): RaftMessage | undefined {
  const prevIndex = cursor.uint()
  const prevTerm = cursor.uint()
  const commit = cursor.uint()
  const count = cursor.array()
  if (prevIndex < 0 || prevTerm < 0 || commit < 0 || count < 0 || count > ENTRIES_MAX) return undefined
  if (prevTerm > term || (prevIndex === 0) !== (prevTerm === 0)) return undefined
  const entries: Entry[] = []
  let least = Math.max(prevTerm, 1)
  for (let i = 1; i <= count; i++) {
    const entry = readEntry(cursor, prevIndex + i)
    if (entry === undefined || entry.term < least || entry.term > term) return undefined
    least = entry.term
    entries.push(entry)
  }
  return { type: 'append', term, prevIndex, prevTerm, commit, entries }
}

/** Memberships have rules of their own, and are rare. */
function readEntry(cursor: CborCursor, index: number): Entry | undefined {
  if (cursor.array() !== 3) return undefined
  const term = cursor.uint()
  const type = entryTypeOf(cursor.uint())
  const length = cursor.byteString()
  if (type === undefined || type === 'membership' || length < 0) return undefined
  return { index, term, type, data: cursor.take(length) }
}
