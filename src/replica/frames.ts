/**
 * The frames that travel on a session, one CBOR array each: [scope, generation, kind, …body].
 *
 * `scope` says what the frame belongs to: the domainId before a cluster exists (formation, peer exchange), the clusterId
 * from then on (consensus, requests). A frame of another scope or generation is refused before its body is looked at, so an
 * old cluster's votes can never count in a new one (FAULTS O6, invariant 21). The sender is the session's peer; a frame
 * does not name it, so it cannot lie about it. docs/PROTOCOL.md has the CDDL.
 */
import { equalBytes } from '../core/bytes.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { CborFields } from '../core/cbor-fields.ts'
import { QuorateError } from '../core/errors.ts'
import type { Claim } from '../formation/types.ts'
import { decodeFormationMessage, encodeFormationMessage, type FormationMessage } from '../formation/messages.ts'
import { decodeRaftMessage, encodeRaftMessage, type RaftMessage } from '../raft/messages.ts'
import type { LogPosition } from '../raft/types.ts'
import { KINDS, PEER_RECORDS_MAX, RECORD_BYTES_MAX, STATEMENT_BYTES_MAX, STATEMENTS_MAX } from './frame-kinds.ts'
import type { MemberOperation } from './member-changes.ts'
import { readFrameQuickly, writeFrameQuickly } from './quick-frames.ts'

const REQUEST_ID_BYTES = 16
const COMMAND_BYTES_MAX = 512 * 1_024
const TEXT_MAX = 512
/** Of a snapshot, and of one piece of it. */
export const SNAPSHOT_BYTES_MAX = 256 * 1_024 * 1_024
export const CHUNK_BYTES_MAX = 64 * 1_024
const DIGEST_BYTES = 32
/** Claims and signatures of a certificate, entries of an append: far above any legal frame, far below a flood. */
const ITEMS_MAX = 65_536

export type ForwardedOperation =
  | { readonly op: 'command'; readonly data: Uint8Array }
  | { readonly op: 'transfer'; readonly to: string | undefined }
  | { readonly op: 'leave' }
  | { readonly op: 'read' }
  | MemberOperation

/**
 * Why consensus does not hear a peer. `removed`: a committed configuration does not name it. `rolled-back`: its disk was set back, or
 * copied. `clone`: a copy of its disk is in use.
 */
export type FencedCode = (typeof FENCED_CODES)[number]
const FENCED_CODES = ['removed', 'rolled-back', 'clone'] as const

export type Frame =
  | { readonly kind: 'formation'; readonly message: FormationMessage }
  | { readonly kind: 'raft'; readonly message: RaftMessage }
  | { readonly kind: 'peers'; readonly records: readonly Uint8Array[] }
  | { readonly kind: 'forward'; readonly requestId: Uint8Array; readonly operation: ForwardedOperation }
  /**
   * `retry`: the request entered no log (with code `unknown` it may have), ask again (of `leader`, when known). A command that is
   * `done` has committed at `index`; how it ended its author sees when it applies it.
   */
  | {
      readonly kind: 'answer'
      readonly requestId: Uint8Array
      readonly status: 'done' | 'retry' | 'refused'
      readonly leader: string | undefined
      /**
       * Of a read that is done: what is applied up to here is at least as new as the moment of asking. Of a command that is done:
       * its place in the log. Otherwise 0.
       */
      readonly index: number
      readonly code: string
      readonly detail: string
    }
  /** "We do not hear you." `index`: of the committed configuration that does not name the receiver; 0 for `rolled-back`. */
  | { readonly kind: 'fenced'; readonly code: FencedCode; readonly index: number; readonly detail: string }
  /** A piece of a snapshot, from the leader of `leaderTerm`. Without data: "how much of it do you have?" */
  | {
      readonly kind: 'snapshot'
      readonly leaderTerm: number
      readonly name: SnapshotName
      readonly offset: number
      readonly data: Uint8Array
    }
  /**
   * The answer to each. `more`: the first `received` bytes are there; `whole`: nothing more of it is needed; `unusable`: it is whole,
   * and not what its name says, or of another version.
   */
  | {
      readonly kind: 'snapshot-progress'
      readonly digest: Uint8Array
      readonly received: number
      readonly state: SnapshotState
    }
  /** Signed boot statements, of the sender and of others: each counts by its own signature. */
  | { readonly kind: 'boots'; readonly statements: readonly Uint8Array[] }

/** Names a snapshot while it travels. */
export interface SnapshotName extends LogPosition {
  /** SHA-256 over all of it, and its length: what was received of it before the connection broke need not come again. */
  readonly digest: Uint8Array
  readonly size: number
}

/** A frame that an admitted peer should not have sent: another scope, an unknown kind, a body out of bounds. */
export class FrameError extends QuorateError {
  constructor(message: string, cause?: unknown) {
    super('FrameError', 'ERR_FRAME', message, { cause })
  }
}

/** It speaks of a cluster, and this node has none yet: it may be worth keeping until there is one. */
export class EarlyFrameError extends FrameError {}

export interface FrameScope {
  readonly domainId: Uint8Array
  /** Undefined until founded: every cluster frame is then early or foreign. */
  readonly clusterId: Uint8Array | undefined
  readonly generation: number
  readonly readClaim: (bytes: Uint8Array) => Claim | undefined
}

const STATUSES = ['done', 'retry', 'refused'] as const
const SNAPSHOT_STATES = ['more', 'whole', 'unusable'] as const
export type SnapshotState = (typeof SNAPSHOT_STATES)[number]

const isOfTheDomain = (kind: Frame['kind']): boolean =>
  kind === 'formation' || kind === 'peers' || kind === 'fenced' || kind === 'boots'

const scopeOf = (kind: Frame['kind'], scope: FrameScope): Uint8Array | undefined =>
  isOfTheDomain(kind) ? scope.domainId : scope.clusterId

export function encodeFrame(frame: Frame, scope: FrameScope): Uint8Array {
  const id = scopeOf(frame.kind, scope)
  if (id === undefined) throw new FrameError(`a ${frame.kind} frame before the cluster is founded`)
  if (frame.kind === 'raft') {
    const bytes = writeFrameQuickly(id, scope.generation, frame.message)
    if (bytes !== undefined) return bytes
  }
  return encodeCbor([id, scope.generation, KINDS.indexOf(frame.kind), encodeBody(frame)])
}

function encodeBody(frame: Frame): CborValue {
  switch (frame.kind) {
    case 'formation':
      return encodeFormationMessage(frame.message)
    case 'raft':
      return encodeRaftMessage(frame.message)
    case 'peers':
      return frame.records
    case 'forward':
      return [frame.requestId, frame.operation.op, argumentOf(frame.operation)]
    case 'answer':
      return [
        frame.requestId,
        STATUSES.indexOf(frame.status),
        frame.leader ?? null,
        frame.index,
        cut(frame.code),
        cut(frame.detail)
      ]
    case 'fenced':
      return [frame.code, frame.index, cut(frame.detail)]
    case 'snapshot': {
      const { leaderTerm, name, offset, data } = frame
      return [leaderTerm, name.index, name.term, name.digest, name.size, offset, data]
    }
    case 'snapshot-progress':
      return [frame.digest, frame.received, SNAPSHOT_STATES.indexOf(frame.state)]
    case 'boots':
      return frame.statements
  }
}

/** A cut may go through the middle of a character, and half a character has no UTF-8 form. */
const cut = (words: string): string => words.slice(0, TEXT_MAX).toWellFormed()

/** Why this operation fits into no frame; undefined when it does. */
export function operationProblem(operation: ForwardedOperation): string | undefined {
  const names = 'member' in operation ? [operation.member] : []
  if (operation.op === 'transfer' && operation.to !== undefined) names.push(operation.to)
  if (operation.op === 'replace' && operation.by !== undefined) names.push(operation.by)
  if (names.some((name) => name.length > TEXT_MAX)) return `a name has more than ${TEXT_MAX} characters`
  if (!names.every((name) => name.isWellFormed())) return 'a name holds half a character'
  if (operation.op === 'command' && operation.data.byteLength > COMMAND_BYTES_MAX) {
    return `the command has ${operation.data.byteLength} bytes; at most ${COMMAND_BYTES_MAX} are allowed`
  }
  return undefined
}

function argumentOf(operation: ForwardedOperation): CborValue {
  switch (operation.op) {
    case 'command':
      return operation.data
    case 'transfer':
      return operation.to ?? null
    case 'leave':
    case 'read':
      return null
    case 'promote':
    case 'demote':
    case 'remove':
      return operation.member
    case 'replace':
      return [operation.member, operation.by ?? null]
  }
}

/** Throws FrameError and nothing else. */
export function decodeFrame(bytes: Uint8Array, scope: FrameScope): Frame {
  try {
    return readFrameQuickly(bytes, scope) ?? decode(bytes, scope)
  } catch (error) {
    if (error instanceof FrameError) throw error
    if (error instanceof QuorateError) throw new FrameError(`frame refused: ${error.message}`, error)
    throw error
  }
}

function decode(bytes: Uint8Array, scope: FrameScope): Frame {
  const [id, generation, kindNumber, body] = fields(decodeCbor(bytes, { itemsMax: ITEMS_MAX }), 4, 'frame')
  const kind = numbered(KINDS, kindNumber)
  if (kind === undefined || typeof generation !== 'number')
    throw new FrameError('a frame without a known kind and a generation')
  if (generation !== scope.generation) {
    throw new FrameError(`frame of generation ${generation}; this node is in ${scope.generation}`)
  }
  const expected = scopeOf(kind, scope)
  if (expected === undefined) throw new EarlyFrameError(`a ${kind} frame before this node's cluster is founded`)
  if (!(id instanceof Uint8Array) || !equalBytes(id, expected))
    throw new FrameError(`a ${kind} frame of another cluster`)
  return decodeBody(kind, body as CborValue, scope)
}

function decodeBody(kind: Frame['kind'], body: CborValue, scope: FrameScope): Frame {
  switch (kind) {
    case 'formation':
      return { kind, message: decodeFormationMessage(body, scope.readClaim) }
    case 'raft':
      return { kind, message: decodeRaftMessage(body) }
    case 'peers':
      return { kind, records: documents(body, PEER_RECORDS_MAX, RECORD_BYTES_MAX, 'peers') }
    case 'boots':
      return { kind, statements: documents(body, STATEMENTS_MAX, STATEMENT_BYTES_MAX, 'boots') }
    case 'forward': {
      const [requestId, op, argument] = fields(body, 3, 'forward')
      return { kind, requestId: requestIdOf(requestId), operation: operationOf(op, argument) }
    }
    case 'answer': {
      const [requestId, statusNumber, leader, index, code, detail] = fields(body, 6, 'answer')
      const status = numbered(STATUSES, statusNumber)
      if (status === undefined) throw new FrameError('answer without a known status')
      if (typeof index !== 'number' || index < 0) throw new FrameError('answer without an index')
      return {
        kind,
        requestId: requestIdOf(requestId),
        status,
        leader: leader === null ? undefined : text(leader),
        index,
        code: text(code),
        detail: text(detail)
      }
    }
    case 'fenced': {
      const [code, index, detail] = fields(body, 3, 'fenced')
      const known = FENCED_CODES.find((one) => one === code)
      if (known === undefined) throw new FrameError('fenced for an unknown reason')
      if (typeof index !== 'number' || index < 0) throw new FrameError('fenced without an index')
      return { kind, code: known, index, detail: text(detail) }
    }
    case 'snapshot':
      return pieceOf(body)
    case 'snapshot-progress': {
      const f = new CborFields(body, kind, refuse)
      const digest = f.bytes('digest', DIGEST_BYTES)
      const received = f.count('received')
      const state = numbered(SNAPSHOT_STATES, f.value())
      f.end()
      if (state === undefined) throw new FrameError('snapshot-progress without a known state')
      return { kind, digest, received, state }
    }
  }
}

const refuse = (problem: string): FrameError => new FrameError(problem)

function pieceOf(body: CborValue): Frame {
  const f = new CborFields(body, 'snapshot', refuse)
  const leaderTerm = f.count('leader term')
  const name = {
    index: f.count('index'),
    term: f.count('term'),
    digest: f.bytes('digest', DIGEST_BYTES),
    size: f.count('size')
  }
  const offset = f.count('offset')
  const data = f.bytes('data', undefined, CHUNK_BYTES_MAX)
  f.end()
  if (name.index === 0 || name.term === 0 || leaderTerm < name.term) throw refuse('snapshot: it is of no entry')
  if (name.size > SNAPSHOT_BYTES_MAX)
    throw refuse(`snapshot: ${name.size} bytes; at most ${SNAPSHOT_BYTES_MAX} are allowed`)
  if (offset + data.byteLength > name.size) throw refuse('snapshot: a piece reaches beyond its end')
  return { kind: 'snapshot', leaderTerm, name, offset, data }
}

/** Only a number is an index: `KINDS['length']` is a value as well. */
const numbered = <Name>(names: readonly Name[], value: CborValue | undefined): Name | undefined =>
  typeof value === 'number' ? names[value] : undefined

function fields(value: CborValue, count: number, what: string): readonly CborValue[] {
  if (!Array.isArray(value) || value.length !== count) throw new FrameError(`${what} is not an array of ${count}`)
  return value as readonly CborValue[]
}

function documents(body: CborValue, countMax: number, bytesMax: number, what: string): readonly Uint8Array[] {
  if (!Array.isArray(body) || body.length > countMax) {
    throw new FrameError(`${what} is not an array of at most ${countMax}`)
  }
  return (body as readonly CborValue[]).map((document) => {
    if (!(document instanceof Uint8Array) || document.byteLength > bytesMax) {
      throw new FrameError(`${what} holds something else than a byte string of at most ${bytesMax}`)
    }
    return document
  })
}

function operationOf(op: CborValue | undefined, argument: CborValue | undefined): ForwardedOperation {
  if (op === 'command' && argument instanceof Uint8Array && argument.byteLength <= COMMAND_BYTES_MAX) {
    return { op, data: argument }
  }
  if (op === 'transfer') return { op, to: argument === null ? undefined : text(argument) }
  if ((op === 'leave' || op === 'read') && argument === null) return { op }
  if (op === 'promote' || op === 'demote' || op === 'remove') return { op, member: text(argument) }
  if (op === 'replace') {
    const [member, by] = fields(argument ?? null, 2, 'replace')
    return { op, member: text(member), by: by === null ? undefined : text(by) }
  }
  throw new FrameError('forward of an unknown operation or with a wrong argument')
}

function requestIdOf(value: CborValue | undefined): Uint8Array {
  if (value instanceof Uint8Array && value.byteLength === REQUEST_ID_BYTES) return value
  throw new FrameError(`a request id is not ${REQUEST_ID_BYTES} bytes`)
}

function text(value: CborValue | undefined): string {
  if (typeof value === 'string' && value.length <= TEXT_MAX) return value
  throw new FrameError(`not a text of at most ${TEXT_MAX}`)
}
