/** What the replicated config is told, what it answers, and what it remembers. `index.ts` explains the rules. */
import type { JsonValue } from '../core/json.ts'
import type { Recent } from './recent.ts'

/** A proposed change, as it rides in a `command` entry of the log. */
export interface ConfigSet {
  readonly kind: 'config-set'
  /** 16 random bytes in lower-case hex, chosen once by the proposer: a retry carries the same and gets the first answer. */
  readonly requestId: string
  /** PeerId of the node that proposes. */
  readonly author: string
  /** Wall time of the proposer, whole milliseconds since the epoch. For people; nothing decides on it. */
  readonly at: number
  /** Why, in the author's words. May be empty. */
  readonly reason: string
  /** Canonical JSON (RFC 8785) of the new value. */
  readonly text: string
  /** Compare-and-set: applies only on top of this version. Absent: applies on top of any. */
  readonly ifVersion?: number
}

/** One thing that the value breaks. */
export interface ConfigProblem {
  /** JSON Pointer (RFC 6901) into the value; empty for the whole of it. */
  readonly pointer: string
  /** One plain sentence that names the rule. */
  readonly message: string
}

/** The verdict on a value; no problem means valid. Must give every member the same answer: see `schema.ts`. */
export type ValidateConfig = (value: JsonValue) => readonly ConfigProblem[]

/** How a command ended; the same on every member. */
export type ApplyResult =
  | { readonly type: 'set'; readonly version: number; readonly hash: string }
  | { readonly type: 'conflict'; readonly expected: number; readonly actual: number }
  | { readonly type: 'invalid'; readonly problems: readonly ConfigProblem[] }
  | { readonly type: 'too-large'; readonly bytes: number; readonly bytesMax: number }
  /** Not a command that this version of Quorate can read. */
  | { readonly type: 'malformed'; readonly detail: string }

/** What is kept of every version. */
export interface ConfigHeader {
  /** From 1: the initial config. */
  readonly version: number
  /** Hex; names this version and, through `previousHash`, everything before it. */
  readonly hash: string
  /** Hex; 64 zeros for version 1. */
  readonly previousHash: string
  /** Hex of SHA-256 over the canonical text alone: equal values have equal digests, whatever their history. */
  readonly digest: string
  /** PeerId of the node that proposed it, or `genesis`. */
  readonly author: string
  readonly reason: string
  readonly at: number
  /** Where in the log it was applied; 0 and 0 for version 1, which every member has from the genesis. */
  readonly index: number
  readonly term: number
}

export interface ConfigRecord extends ConfigHeader {
  readonly value: JsonValue
  /** The canonical text of `value`. */
  readonly text: string
}

/** An answer that is kept for retries. */
export interface AnsweredRequest {
  readonly requestId: string
  readonly result: ApplyResult
}

/** Immutable. Equal on all members that have applied the same entries. */
export interface ConfigState {
  readonly current: ConfigRecord
  /** The newest versions in full, oldest first; the last is `current`. */
  readonly history: Recent<ConfigRecord>
  /** Versions whose value was let go, oldest first; together with `history` they are contiguous. */
  readonly older: Recent<ConfigHeader>
  /** The latest answers, oldest first, by requestId. */
  readonly answered: Recent<AnsweredRequest>
  /** UTF-16 code units of the texts in `history`. */
  readonly historyLetters: number
}
