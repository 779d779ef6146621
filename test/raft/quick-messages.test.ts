/** The quick reader of messages against the general one, over messages that are right, and all that differ from one in one place. */
import { describe, expect, it, test } from 'vitest'
import { CborCursor } from '../../src/core/cbor-cursor.ts'
import { CborPen } from '../../src/core/cbor-pen.ts'
import { CborError, type CborValue, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { decodeRaftMessage, encodeRaftMessage, type RaftMessage, RaftMessageError } from '../../src/raft/messages.ts'
import { readQuickly, writeQuickly } from '../../src/raft/quick-messages.ts'

const data = Uint8Array.of(7, 8)
const everyDay: readonly RaftMessage[] = [
  { type: 'heartbeat', term: 3, commit: 4, seq: 5, waitMs: 6, heir: 7 },
  { type: 'heartbeat', term: 1, commit: 0, seq: 0, waitMs: 0, heir: 0 },
  { type: 'heartbeat-reply', term: 3, seq: 5, match: 4 },
  { type: 'heartbeat-reply', term: 1, seq: 0, match: 0 },
  { type: 'append-accepted', term: 3, match: 4 },
  { type: 'append-accepted', term: 1, match: 0 },
  { type: 'commit', term: 3, commit: 4 },
  { type: 'commit', term: 1, commit: 0 },
  { type: 'append', term: 3, prevIndex: 0, prevTerm: 0, commit: 0, entries: [] },
  { type: 'append', term: 3, prevIndex: 2, prevTerm: 3, commit: 2, entries: [] },
  {
    ...{ type: 'append', term: 3, prevIndex: 2, prevTerm: 1, commit: 1 },
    entries: [
      { index: 3, term: 1, type: 'command', data },
      { index: 4, term: 2, type: 'noop', data: new Uint8Array() },
      { index: 5, term: 3, type: 'command', data }
    ]
  },
  {
    type: 'append',
    term: 1,
    prevIndex: 0,
    prevTerm: 0,
    commit: 0,
    entries: [{ index: 1, term: 1, type: 'command', data }]
  }
]

const quickly = (bytes: Uint8Array): RaftMessage | undefined => readQuickly(new CborCursor(bytes))

function generally(bytes: Uint8Array): RaftMessage | undefined {
  try {
    return decodeRaftMessage(decodeCbor(bytes))
  } catch (error) {
    if (error instanceof RaftMessageError || error instanceof CborError) return undefined
    throw error
  }
}

/** What may stand where something else should. */
const STRANGE: readonly CborValue[] = [
  -1,
  0,
  1,
  2,
  3,
  4,
  5,
  9,
  true,
  null,
  'x',
  data,
  [],
  [1],
  [1, 1, data],
  [0, 1, data],
  [4, 1, data],
  [1, 2, data]
]

/** Everything that differs from `value` in one place: replaced, left out, said twice. */
function* oneOff(value: CborValue): Generator<CborValue> {
  for (const strange of STRANGE) yield strange
  if (!Array.isArray(value)) return
  const items = value as readonly CborValue[]
  for (let i = 0; i < items.length; i++) {
    for (const other of oneOff(items[i]!)) yield items.with(i, other)
    yield items.toSpliced(i, 1)
    yield items.toSpliced(i, 0, items[i]!)
  }
}

/** Bytes that differ in one place: replaced, left out, said twice, or a number in a longer form than it needs. */
function* oneByteOff(bytes: Uint8Array): Generator<Uint8Array> {
  const list = [...bytes]
  for (let i = 0; i < list.length; i++) {
    for (let byte = 0; byte < 256; byte++) yield Uint8Array.from(list.with(i, byte))
    yield Uint8Array.from(list.toSpliced(i, 1))
    yield Uint8Array.from(list.toSpliced(i, 0, list[i]!))
    yield Uint8Array.from(list.toSpliced(i, 1, 0x18, list[i]!))
  }
}

describe.each(everyDay)('$type of term $term', (message) => {
  const value = encodeRaftMessage(message)
  const bytes = encodeCbor(value)

  const same = (other: Uint8Array): boolean => {
    const found = quickly(other)
    if (found !== undefined) expect(found).toEqual(generally(other))
    return found !== undefined
  }

  it('is read, and as it is', () => {
    expect(quickly(bytes)).toEqual(message)
  })

  it('that differs in one value reads as in general, or is left to the general decoder', () => {
    expect([...oneOff(value)].filter((other) => same(encodeCbor(other))).length).toBeGreaterThan(0)
  })

  it('that differs in one byte as well', () => {
    expect([...oneByteOff(bytes)].filter(same).length).toBeGreaterThan(0)
  })

  it('is written as in general, or not at all when it carries entries', () => {
    const pen = new CborPen()
    pen.begin()
    const isWritten = message.type !== 'append'
    expect(writeQuickly(pen, message)).toBe(isWritten)
    expect(pen.finish()).toEqual(isWritten ? bytes : new Uint8Array(0))
  })

  it('with something behind it is left', () => {
    expect(quickly(Uint8Array.of(...bytes, 0))).toBeUndefined()
  })
})

test('what is not said every day is left: other messages, memberships, more entries than are usual', () => {
  const membership = encodeRaftMessage({
    ...{ type: 'append', term: 1, prevIndex: 0, prevTerm: 0, commit: 0 },
    entries: [{ index: 1, term: 1, type: 'membership', data }]
  })
  expect(quickly(encodeCbor(membership))).toBeUndefined()
  expect(
    quickly(encodeCbor(encodeRaftMessage({ type: 'vote', term: 1, lastIndex: 0, lastTerm: 0, transfer: false })))
  ).toBeUndefined()
  const many = (count: number): Uint8Array =>
    encodeCbor(
      encodeRaftMessage({
        ...{ type: 'append', term: 1, prevIndex: 0, prevTerm: 0, commit: 0 },
        entries: Array.from({ length: count }, (_, i) => ({ index: i + 1, term: 1, type: 'command' as const, data }))
      })
    )
  expect(quickly(many(256))).toEqual(generally(many(256)))
  expect(quickly(many(257))).toBeUndefined()
})

const others: readonly RaftMessage[] = [
  { type: 'append-rejected', term: 3, prevIndex: 2, hintIndex: 1, hintTerm: 1 },
  { type: 'pre-vote', nextTerm: 3, round: 1, lastIndex: 2, lastTerm: 1 },
  { type: 'pre-vote-reply', term: 3, round: 1, granted: true },
  { type: 'vote', term: 3, lastIndex: 2, lastTerm: 1, transfer: false },
  { type: 'vote-reply', term: 3, granted: true },
  { type: 'transfer', term: 3, lastIndex: 2, lastTerm: 1 }
]

test.each(others)('$type is left to the general encoder', (message) => {
  const pen = new CborPen()
  pen.begin()
  expect(writeQuickly(pen, message)).toBe(false)
  expect(pen.finish()).toEqual(new Uint8Array(0))
})
