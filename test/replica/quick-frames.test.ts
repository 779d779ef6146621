/**
 * The quick way to read frames against the general one: what it reads, reads the same there, and what is refused there, it does
 * not read. It may leave frames to the general decoder, but not those that members exchange all day.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalBytes } from '../../src/core/bytes.ts'
import { CborCursor } from '../../src/core/cbor-cursor.ts'
import { CborPen } from '../../src/core/cbor-pen.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { decodeRaftMessage, encodeRaftMessage, type RaftMessage } from '../../src/raft/messages.ts'
import { readQuickly, writeQuickly } from '../../src/raft/quick-messages.ts'
import type { Entry } from '../../src/raft/types.ts'
import { decodeFrame, encodeFrame, type Frame, FrameError, type FrameScope } from '../../src/replica/frames.ts'

const scope: FrameScope = {
  domainId: new Uint8Array(32).fill(3),
  clusterId: Uint8Array.from({ length: 32 }, (_, i) => i * 5),
  generation: 300,
  readClaim: () => undefined
}

/** Every width that a number can have on the wire, and their borders. */
const number = fc.oneof(
  fc.nat(30),
  fc.constantFrom(23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER - 300),
  fc.maxSafeNat().map((value) => Math.min(value, Number.MAX_SAFE_INTEGER - 300))
)
const term = number.map((value) => Math.max(1, value))
const heartbeat = fc.record({
  type: fc.constant('heartbeat' as const),
  term,
  commit: number,
  seq: number,
  waitMs: number,
  heir: number
})
const answer = fc.record({ type: fc.constant('heartbeat-reply' as const), term, seq: number, match: number })
const accepted = fc.record({ type: fc.constant('append-accepted' as const), term, match: number })
const commit = fc.record({ type: fc.constant('commit' as const), term, commit: number })
const vote = fc.record({
  type: fc.constant('vote' as const),
  term,
  lastIndex: number,
  lastTerm: number,
  transfer: fc.boolean()
})
const append = fc
  .record({
    terms: fc.array(term, { minLength: 2, maxLength: 6 }),
    prevIndex: number,
    commit: number,
    data: fc.uint8Array({ maxLength: 300 }),
    type: fc.constantFrom('noop' as const, 'command' as const)
  })
  .map(({ terms, prevIndex, commit: committed, data, type }): RaftMessage => {
    const [prevTerm, ...later] = terms.toSorted((a, b) => a - b)
    const entries = later.map((at, i): Entry => ({ index: prevIndex + i + 1, term: at, type, data }))
    return {
      type: 'append',
      term: later.at(-1)!,
      prevIndex,
      prevTerm: prevIndex === 0 ? 0 : prevTerm!,
      commit: committed,
      entries
    }
  })
const message: fc.Arbitrary<RaftMessage> = fc.oneof(heartbeat, answer, accepted, commit, vote, append)

/** What the general decoders make of it, without the quick way. */
function generally(bytes: Uint8Array): Frame | 'refused' {
  try {
    const [id, generation, kind, body] = decodeCbor(bytes) as readonly CborValue[]
    if (!(id instanceof Uint8Array) || generation !== scope.generation) return 'refused'
    if (equalBytes(id, scope.clusterId!) && kind === 1) return { kind: 'raft', message: decodeRaftMessage(body!) }
    if (!equalBytes(id, scope.domainId) || !Array.isArray(body) || body.length > 32) return 'refused'
    const documents = body as readonly Uint8Array[]
    const isShort = (max: number): boolean =>
      documents.every((one) => one instanceof Uint8Array && one.byteLength <= max)
    if (kind === 2 && isShort(2_048)) return { kind: 'peers', records: documents }
    return kind === 8 && isShort(1_024) ? { kind: 'boots', statements: documents } : 'refused'
  } catch {
    return 'refused'
  }
}

function read(bytes: Uint8Array): Frame | 'refused' {
  try {
    const frame = decodeFrame(bytes, scope)
    return ['raft', 'peers', 'boots'].includes(frame.kind) ? frame : 'refused'
  } catch (error) {
    expect(error).toBeInstanceOf(FrameError)
    return 'refused'
  }
}

const documents = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc.constantFrom(255, 256, 1_024, 1_025, 2_048, 2_049).map((length) => new Uint8Array(length).fill(length))
  ),
  { maxLength: 34 }
)
const frame: fc.Arbitrary<Frame> = fc.oneof(
  { arbitrary: message.map((one): Frame => ({ kind: 'raft', message: one })), weight: 3 },
  documents.map((statements): Frame => ({ kind: 'boots', statements })),
  documents.map((records): Frame => ({ kind: 'peers', records }))
)

test('every message is written as it is in general', () => {
  const isOne = (one: RaftMessage): void => {
    const general = encodeCbor([scope.clusterId!, scope.generation, 1, encodeRaftMessage(one)])
    expect(encodeFrame({ kind: 'raft', message: one }, scope)).toEqual(general)
  }
  fc.assert(fc.property(message, isOne), { numRuns: 500 })
})

test('what is nothing but numbers is written quickly', () => {
  const pen = new CborPen()
  const daily: readonly RaftMessage[] = [
    { type: 'heartbeat', term: 3, commit: 700, seq: 70_000, waitMs: 1, heir: 0 },
    { type: 'heartbeat-reply', term: 3, seq: 70_000, match: 255 },
    { type: 'append-accepted', term: 3, match: 8 },
    { type: 'commit', term: 3, commit: 8 }
  ]
  for (const one of daily) {
    pen.begin()
    expect([writeQuickly(pen, one), pen.finish()]).toEqual([true, encodeCbor(encodeRaftMessage(one))])
  }
  pen.begin()
  expect(writeQuickly(pen, { type: 'vote-reply', term: 3, granted: true })).toBe(false)
  expect(pen.finish()).toEqual(new Uint8Array(0))
})

test('every frame is read as it is in general', () => {
  fc.assert(
    fc.property(frame, (sent) => {
      const bytes = encodeFrame(sent, scope)
      if (sent.kind === 'raft') expect(read(bytes)).toEqual(sent)
      expect(read(bytes)).toEqual(generally(bytes))
    }),
    { numRuns: 500 }
  )
})

/** What a frame of this scope begins with, before its message. */
const HEAD_BYTES = 36

test('whatever is done to a frame, it is read, or refused, as it is in general', () => {
  const change = fc.record({
    at: fc.nat(400),
    byte: fc.oneof(fc.constantFrom(0, 0x18, 0x19, 0x1a, 0x1b, 0x40, 0x80, 0xf5), fc.nat(255)),
    how: fc.constantFrom('set' as const, 'insert' as const, 'drop' as const, 'cut' as const)
  })
  fc.assert(
    fc.property(frame, fc.array(change, { minLength: 1, maxLength: 2 }), (sent, changes) => {
      const bytes = [...encodeFrame(sent, scope)]
      for (const { at, byte, how } of changes) {
        // The head of the frame is always the same: most changes go where the message is, while there is one.
        const { length } = bytes
        const place =
          at % 5 === 0 || length <= HEAD_BYTES ? at % (length + 1) : HEAD_BYTES + (at % (length - HEAD_BYTES))
        if (how === 'set') bytes[place] = byte
        else if (how === 'cut') bytes.length = place
        else bytes.splice(place, how === 'drop' ? 1 : 0, ...(how === 'insert' ? [byte] : []))
      }
      const changed = Uint8Array.from(bytes)
      expect(read(changed)).toEqual(generally(changed))
    }),
    {
      numRuns: 2_000,
      // Cut down to nothing, and then once more.
      examples: [
        [
          { kind: 'raft', message: { type: 'append-accepted', term: 1, match: 0 } },
          [
            { at: 0, byte: 0, how: 'cut' as const },
            { at: 0, byte: 0, how: 'cut' as const }
          ]
        ]
      ]
    }
  )
})

test('what members say all day is read quickly', () => {
  const id = { index: 8, term: 3, type: 'command', data: new Uint8Array(200) } as const
  const daily: readonly RaftMessage[] = [
    { type: 'heartbeat', term: 3, commit: 700, seq: 70_000, waitMs: 1, heir: 0 },
    { type: 'heartbeat-reply', term: 3, seq: 70_000, match: 255 },
    { type: 'append', term: 3, prevIndex: 7, prevTerm: 2, commit: 6, entries: [id] },
    { type: 'append', term: 3, prevIndex: 7, prevTerm: 2, commit: 6, entries: [] },
    { type: 'append-accepted', term: 3, match: 8 },
    { type: 'commit', term: 3, commit: 8 }
  ]
  for (const sent of daily) expect(readQuickly(new CborCursor(encodeCbor(encodeRaftMessage(sent))))).toEqual(sent)
})

test('documents of a frame that came as a buffer are plain bytes: a copy of one outlives the frame', () => {
  const bytes = Buffer.from(
    encodeFrame({ kind: 'boots', statements: [Uint8Array.of(1, 2, 3), new Uint8Array(0)] }, scope)
  )
  const heard = read(bytes)
  const [first, second] = heard === 'refused' || heard.kind !== 'boots' ? [] : heard.statements
  const copy = first!.slice()
  bytes.fill(9)
  expect([[...copy], [...second!]]).toEqual([[1, 2, 3], []])
})
