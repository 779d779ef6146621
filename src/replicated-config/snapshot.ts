/**
 * The config's state as one CBOR value, and back: its part of a snapshot (docs/protocol/config.md has the CDDL).
 *
 * Equal states give equal bytes, and what comes back is equal to what went in, answers to retries included. Hashes are not
 * stored but the last: all of them follow from the versions, and the last one proves the whole row. Reading it costs
 * one hash for each version that is kept; it throws InvalidConfigStateError and nothing else.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import type { CborValue } from '../core/cbor.ts'
import { CborFields } from '../core/cbor-fields.ts'
import { QuorateError } from '../core/errors.ts'
import { invariant, unreachable } from '../core/invariant.ts'
import type { JsonValue } from '../core/json.ts'
import { chainHash, configDigest, NO_HASH } from './chain.ts'
import {
  ANSWERS_MAX,
  AUTHOR_LENGTH_MAX,
  CONFIG_BYTES_MAX,
  HEADERS_MAX,
  HISTORY_VERSIONS_MAX,
  PROBLEMS_MAX,
  REASON_LENGTH_MAX
} from './limits.ts'
import { Recent } from './recent.ts'
import type { AnsweredRequest, ApplyResult, ConfigHeader, ConfigProblem, ConfigRecord, ConfigState } from './types.ts'

/** Bytes that claim to be a config's state and are none. */
export class InvalidConfigStateError extends QuorateError {
  constructor(problem: string, cause?: unknown) {
    super('InvalidConfigStateError', 'ERR_CONFIG_STATE', `not the state of a config: ${problem}`, { cause })
  }
}

const HASH_BYTES = 32
const REQUEST_ID_BYTES = 16
const DETAIL_LENGTH_MAX = 4_096

export function encodeConfigState({ current, history, older, answered }: ConfigState): CborValue {
  const first = older.at(0) ?? history.at(0)
  invariant(first !== undefined, 'a config has a first version')
  return [
    bytesOf(first.previousHash),
    first.version,
    [...older].map((header) => [bytesOf(header.digest), ...wordsOf(header)]),
    [...history].map((record) => [record.text, ...wordsOf(record)]),
    bytesOf(current.hash),
    [...answered].map(({ requestId, result }) => [bytesOf(requestId), ...encodeResult(result)])
  ]
}

const wordsOf = ({ author, reason, at, index, term }: ConfigHeader): readonly CborValue[] => [
  author,
  reason,
  at,
  index,
  term
]

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex)
  invariant(bytes !== undefined, () => `${hex} is not hex`)
  return bytes
}

export function decodeConfigState(value: CborValue | undefined): ConfigState {
  const f = new CborFields(value, 'config', fail)
  const chain = new Chain(toHex(f.bytes('the hash before the first version', HASH_BYTES)), f.count('first version'))
  let older = Recent.empty<ConfigHeader>()
  for (const item of f.array('older versions', HEADERS_MAX)) older = older.add(chain.header(item), HEADERS_MAX)
  let history = Recent.empty<ConfigRecord>()
  let historyLetters = 0
  for (const item of f.array('versions', HISTORY_VERSIONS_MAX)) {
    const record = chain.record(item)
    history = history.add(record, HISTORY_VERSIONS_MAX)
    historyLetters += record.text.length
  }
  const current = history.at(history.length - 1)
  if (current === undefined) throw fail('it has no version')
  if (toHex(f.bytes('the hash of the last version', HASH_BYTES)) !== current.hash) {
    throw fail('the versions do not lead to the hash of the last one')
  }
  let answered = Recent.empty<AnsweredRequest>(({ requestId }) => requestId)
  for (const item of f.array('answers', ANSWERS_MAX)) answered = answered.add(decodeAnswer(item), ANSWERS_MAX)
  f.end()
  return { current, history, older, answered, historyLetters }
}

const fail = (problem: string, cause?: unknown): InvalidConfigStateError => new InvalidConfigStateError(problem, cause)

/** Gives each version its number and hashes, from the first to the last. */
class Chain {
  #hash: string
  #version: number

  constructor(previousHash: string, firstVersion: number) {
    if (firstVersion < 1) throw fail('the first version has no number')
    if (firstVersion === 1 && previousHash !== NO_HASH) throw fail('something came before version 1')
    this.#hash = previousHash
    this.#version = firstVersion
  }

  header(item: CborValue): ConfigHeader {
    const f = new CborFields(item, `version ${this.#version}`, fail)
    return this.#next(toHex(f.bytes('digest', HASH_BYTES)), f)
  }

  record(item: CborValue): ConfigRecord {
    const f = new CborFields(item, `version ${this.#version}`, fail)
    const text = f.text('text', CONFIG_BYTES_MAX)
    const value = parsed(text)
    return { ...this.#next(configDigest(text), f), value, text }
  }

  #next(digest: string, f: CborFields): ConfigHeader {
    const fields = {
      version: this.#version++,
      previousHash: this.#hash,
      digest,
      author: f.text('author', AUTHOR_LENGTH_MAX),
      reason: f.text('reason', REASON_LENGTH_MAX),
      at: f.count('at')
    }
    const header = { ...fields, hash: chainHash(fields), index: f.count('index'), term: f.count('term') }
    f.end()
    this.#hash = header.hash
    return header
  }
}

function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch (error) {
    if (error instanceof SyntaxError) throw fail('a version is not JSON', error)
    throw error
  }
}

function encodeResult(result: ApplyResult): readonly CborValue[] {
  switch (result.type) {
    case 'set':
      return [0, result.version, bytesOf(result.hash)]
    case 'conflict':
      return [1, result.expected, result.actual]
    case 'invalid':
      return [2, ...result.problems.flatMap(({ pointer, message }) => [pointer, message].map(shortened))]
    case 'too-large':
      return [3, result.bytes, result.bytesMax]
    case 'malformed':
      return [4, shortened(result.detail)]
    default:
      return unreachable(result)
  }
}

/** Words for people: a key may be longer than any sentence about it needs. */
const shortened = (words: string): string => words.slice(0, DETAIL_LENGTH_MAX).toWellFormed()

function decodeAnswer(item: CborValue): AnsweredRequest {
  const f = new CborFields(item, 'answer', fail)
  const requestId = toHex(f.bytes('requestId', REQUEST_ID_BYTES))
  const result = decodeResult(f)
  f.end()
  return { requestId, result }
}

function decodeResult(f: CborFields): ApplyResult {
  switch (f.count('type')) {
    case 0:
      return { type: 'set', version: f.count('version'), hash: toHex(f.bytes('hash', HASH_BYTES)) }
    case 1:
      return { type: 'conflict', expected: f.count('expected'), actual: f.count('actual') }
    case 2:
      return { type: 'invalid', problems: decodeProblems(f) }
    case 3:
      return { type: 'too-large', bytes: f.count('bytes'), bytesMax: f.count('bytesMax') }
    case 4:
      return { type: 'malformed', detail: f.text('detail', DETAIL_LENGTH_MAX) }
    default:
      throw fail('an answer of an unknown type')
  }
}

function decodeProblems(f: CborFields): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = []
  while (f.left > 0 && problems.length < PROBLEMS_MAX) {
    problems.push({ pointer: f.text('pointer', DETAIL_LENGTH_MAX), message: f.text('message', DETAIL_LENGTH_MAX) })
  }
  return problems
}
