/**
 * Sizes that every member must agree on, because they decide what a command does. They are part of the protocol: to change
 * one is to change the protocol's version.
 */

/** Of the canonical text in UTF-8. A config tells nodes what to do; data belongs elsewhere. */
export const CONFIG_BYTES_MAX = 256 * 1024

/** UTF-16 code units. */
export const REASON_LENGTH_MAX = 1024

/** PeerIds have 52 characters; room for other key types. */
export const AUTHOR_LENGTH_MAX = 128

/** Versions kept with their value, as long as their texts together have no more UTF-16 code units than the second. */
export const HISTORY_VERSIONS_MAX = 1000
export const HISTORY_LETTERS_MAX = 32 * 2 ** 20

/** Versions kept without their value, behind those. */
export const HEADERS_MAX = 10_000

/** Answers kept for retries. A retry that comes later than this many commands is taken for a new request. */
export const ANSWERS_MAX = 1024

/** Problems reported of one value; the rest is cut. */
export const PROBLEMS_MAX = 20

/** Steps that judging one value may take. Part of the verdict, and so of the protocol. */
export const SCHEMA_STEPS_MAX = 1_000_000

/** How many schemas deep a judgement may be. */
export const SCHEMA_DEPTH_MAX = 256
