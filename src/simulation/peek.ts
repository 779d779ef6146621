/**
 * Reads the few numbers of a consensus frame that an invariant needs, at the place where the shipped encoder puts them, so
 * that looking at every frame costs next to nothing. The places are not written down here: they are found by encoding
 * samples when this module loads, and a frame that has another shape is decoded in full by whoever needs it.
 */
import { encodeFrame, type FrameScope } from '../replica/frames.ts'
import type { RaftMessage } from '../raft/messages.ts'
import { loosenShapes } from './shapes.ts'

const ID = new Uint8Array(32)
const scope = (generation: number): FrameScope => ({
  domainId: ID,
  clusterId: ID,
  generation,
  readClaim: () => undefined
})

const sample = (message: RaftMessage): Uint8Array => encodeFrame({ kind: 'raft', message }, scope(1))

const SAMPLE = sample({ type: 'heartbeat-reply', term: 7, seq: 0, match: 0 })
/** The kind of the message stands right before its term. */
const TYPE_AT = SAMPLE.lastIndexOf(7) - 1
const KIND_AT = TYPE_AT - 2
const RAFT = SAMPLE[KIND_AT]!

const FORMATION = encodeFrame(
  { kind: 'formation', message: { type: 'request-vote', term: 1, acceptedTerm: 0 } },
  scope(1)
)[KIND_AT]!

/** It belongs to founding. */
export const isFormationFrame = (frame: Uint8Array): boolean => frame[KIND_AT] === FORMATION

const answer = (status: 'done' | 'retry'): Uint8Array =>
  encodeFrame(
    { kind: 'answer', requestId: ID.subarray(0, 16), status, leader: undefined, index: 0, code: '', detail: '' },
    scope(1)
  )

const DONE = answer('done')
const ANSWER = DONE[KIND_AT]!
const STATUS_AT = answer('retry').findIndex((byte, at) => byte !== DONE[at])

/** An answer that is no yes. */
export const isRefusal = (frame: Uint8Array): boolean =>
  frame[KIND_AT] === ANSWER && frame[STATUS_AT] !== DONE[STATUS_AT]

const codeOf = (message: RaftMessage): number => sample(message)[TYPE_AT]!

/** One of every kind. */
const samples = (): readonly RaftMessage[] => [
  { type: 'pre-vote', nextTerm: 1, round: 0, lastIndex: 0, lastTerm: 0 },
  { type: 'pre-vote-reply', term: 1, round: 0, granted: false },
  { type: 'pre-vote-offer', nextTerm: 1, lastIndex: 0, lastTerm: 0, seq: 0 },
  { type: 'vote', term: 1, lastIndex: 0, lastTerm: 0, transfer: false },
  { type: 'vote-reply', term: 1, granted: false },
  { type: 'append', term: 1, prevIndex: 0, prevTerm: 0, commit: 0, entries: [] },
  { type: 'append-accepted', term: 1, match: 0 },
  { type: 'append-rejected', term: 1, prevIndex: 1, hintIndex: 0, hintTerm: 0 },
  { type: 'heartbeat', term: 1, commit: 0, seq: 1, waitMs: 0, heir: 0 },
  { type: 'heartbeat-reply', term: 1, seq: 0, match: 0 },
  { type: 'commit', term: 1, commit: 0 },
  { type: 'transfer', term: 1, lastIndex: 0, lastTerm: 0 }
]

const CODES = new Map(samples().map((message) => [codeOf(message), message.type]))
loosenShapes(samples())

const TRUE = 0xf5

/** What the frame is; undefined when it is no consensus frame. */
export function raftTypeOf(frame: Uint8Array): RaftMessage['type'] | undefined {
  return frame[KIND_AT] === RAFT ? CODES.get(frame[TYPE_AT]!) : undefined
}

/** Where the field after `place` others begins. */
function fieldAt(frame: Uint8Array, place: number): number {
  let at = TYPE_AT + 1
  for (let i = 0; i < place; i++) at += 1 + (WIDTH[frame[at]! & 31] ?? 0)
  return at
}

/** Bytes that follow the head of a number, by its low five bits. */
const WIDTH: readonly number[] = Object.assign(Array<number>(32).fill(0), { 24: 1, 25: 2, 26: 4, 27: 8 })

/** The unsigned number after `place` other fields of the message. */
export function numberIn(frame: Uint8Array, place: number): number {
  let at = fieldAt(frame, place)
  const head = frame[at++]! & 31
  if (head < 24) return head
  let value = 0
  for (let i = WIDTH[head]!; i > 0; i--) value = value * 256 + frame[at++]!
  return value
}

export const flagIn = (frame: Uint8Array, place: number): boolean => frame[fieldAt(frame, place)] === TRUE
