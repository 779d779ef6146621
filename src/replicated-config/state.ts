/** The state machine: `applyCommand(state, entry)` is deterministic and total, and never changes the state that it is given. */
import { utf8Length } from '../core/bytes.ts'
import { canonicalJson, NotJsonError } from '../core/json.ts'
import type { JsonValue } from '../core/json.ts'
import { chainHash, configDigest, NO_HASH } from './chain.ts'
import { decodeCommand } from './command.ts'
import { InvalidConfigError } from './errors.ts'
import {
  ANSWERS_MAX,
  CONFIG_BYTES_MAX,
  HEADERS_MAX,
  HISTORY_LETTERS_MAX,
  HISTORY_VERSIONS_MAX,
  PROBLEMS_MAX
} from './limits.ts'
import { Recent } from './recent.ts'
import type { ApplyResult, ConfigHeader, ConfigProblem, ConfigRecord, ConfigSet, ConfigState } from './types.ts'
import type { ValidateConfig } from './types.ts'

/** Structurally an `Entry` of the log. */
export interface AppliedEntry {
  readonly index: number
  readonly term: number
  readonly data: Uint8Array
}

export interface Applied {
  readonly state: ConfigState
  readonly result: ApplyResult
  /** The request had been answered before; `result` is that answer and the state has not changed. */
  readonly repeated: boolean
  /** Of the command; undefined when it is malformed. */
  readonly requestId: string | undefined
}

/**
 * Version 1, which every member has from the genesis. Throws InvalidConfigError when `text` is not canonical JSON or too
 * large: such a genesis is refused when it is read.
 */
export function initialConfig(text: string): ConfigState {
  const read = readText(text)
  if (read.type === 'invalid') throw new InvalidConfigError(read.problems)
  if (read.type === 'too-large') throw new InvalidConfigError([tooLargeProblem(read.bytes)])
  const digest = configDigest(text)
  const fields = { version: 1, previousHash: NO_HASH, digest, author: 'genesis', reason: 'initial config', at: 0 }
  const current = { ...fields, hash: chainHash(fields), index: 0, term: 0, value: read.value, text }
  return {
    current,
    history: Recent.empty<ConfigRecord>().add(current, HISTORY_VERSIONS_MAX),
    older: Recent.empty(),
    answered: Recent.empty(({ requestId }) => requestId),
    historyLetters: text.length
  }
}

export function applyCommand(state: ConfigState, entry: AppliedEntry, validate: ValidateConfig): Applied {
  const decoded = decodeCommand(entry.data)
  if (decoded.type === 'malformed') return { state, result: decoded, repeated: false, requestId: undefined }
  const { command } = decoded
  const { requestId } = command
  const before = state.answered.find(requestId)
  if (before !== undefined) return { state, result: before.result, repeated: true, requestId }
  const verdict = judgeCommand(state, command, validate)
  if (verdict.type !== 'accepted')
    return { state: remember(state, command, verdict), result: verdict, repeated: false, requestId }
  const next = append(state, nextRecord(state, entry, command, verdict.value))
  const result: ApplyResult = { type: 'set', version: next.current.version, hash: next.current.hash }
  return { state: remember(next, command, result), result, repeated: false, requestId }
}

export type Verdict = { readonly type: 'accepted'; readonly value: JsonValue } | Exclude<ApplyResult, { type: 'set' }>

/** What `applyCommand` would say of it now. A leader asks before it appends, so that a mistake costs no log entry. */
export function judgeCommand(state: ConfigState, command: ConfigSet, validate: ValidateConfig): Verdict {
  const actual = state.current.version
  if (command.ifVersion !== undefined && command.ifVersion !== actual) {
    return { type: 'conflict', expected: command.ifVersion, actual }
  }
  const read = readText(command.text)
  if (read.type !== 'accepted') return read
  const problems = validate(read.value)
  return problems.length === 0 ? read : { type: 'invalid', problems: problems.slice(0, PROBLEMS_MAX) }
}

/** The record of a version that is still kept in full. */
export const recordAt = ({ history, current }: ConfigState, version: number): ConfigRecord | undefined =>
  history.at(history.length - 1 - (current.version - version))

function readText(text: string): Exclude<Verdict, { type: 'conflict' | 'malformed' }> {
  const bytes = utf8Length(text)
  if (bytes > CONFIG_BYTES_MAX) return { type: 'too-large', bytes, bytesMax: CONFIG_BYTES_MAX }
  try {
    const value = JSON.parse(text) as JsonValue
    if (canonicalJson(value) === text) return { type: 'accepted', value }
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof NotJsonError)) throw error
  }
  return { type: 'invalid', problems: [{ pointer: '', message: 'The text is not canonical JSON (RFC 8785).' }] }
}

function tooLargeProblem(bytes: number): ConfigProblem {
  return { pointer: '', message: `The config has ${bytes} bytes; at most ${CONFIG_BYTES_MAX} are allowed.` }
}

function nextRecord(state: ConfigState, entry: AppliedEntry, command: ConfigSet, value: JsonValue): ConfigRecord {
  const fields = {
    version: state.current.version + 1,
    previousHash: state.current.hash,
    digest: configDigest(command.text),
    author: command.author,
    reason: command.reason,
    at: command.at
  }
  return { ...fields, hash: chainHash(fields), index: entry.index, term: entry.term, value, text: command.text }
}

function append(state: ConfigState, record: ConfigRecord): ConfigState {
  const { history } = state
  let { older } = state
  let letters = state.historyLetters + record.text.length
  let kept = history.length
  // The new version always stays, however large: history never empties.
  while (kept > 0 && (kept >= HISTORY_VERSIONS_MAX || letters > HISTORY_LETTERS_MAX)) {
    const oldest = history.at(history.length - kept)!
    letters -= oldest.text.length
    older = older.add(headerOf(oldest), HEADERS_MAX)
    kept--
  }
  return { ...state, current: record, history: history.add(record, kept + 1), older, historyLetters: letters }
}

function headerOf(record: ConfigRecord): ConfigHeader {
  const { version, hash, previousHash, digest, author, reason, at, index, term } = record
  return { version, hash, previousHash, digest, author, reason, at, index, term }
}

function remember(state: ConfigState, { requestId }: ConfigSet, result: ApplyResult): ConfigState {
  return { ...state, answered: state.answered.add({ requestId, result }, ANSWERS_MAX) }
}
