/**
 * The replicated config: one JSON document that all members agree on, with its history.
 *
 * A config is a row of versions. Version 1 stands in the signed genesis, so every member has it before there is a cluster;
 * each later version is a `config-set` command that the log has committed. Every member applies the committed commands in
 * the order of the log to the same pure function, so all of them hold the same versions with the same hashes, and may
 * check one another by comparing a single hash.
 *
 * What a command does depends on nothing but the state and its bytes:
 *
 * - *Compare-and-set.* `ifVersion` names the version that the author saw; another one in between makes a conflict, and
 *   nothing changes. Without it the last writer wins.
 * - *Validation.* The value is judged against the schema of the genesis while it is applied, by each member on its own.
 *   The verdict decides what the state becomes, so the judge is part of the protocol (`schema.ts`, ADR 0004). A leader asks
 *   `judgeCommand` first, and so refuses most mistakes before they cost a log entry.
 * - *Retries.* A proposer that lost its leader cannot know whether its command will still commit. It sends the same
 *   `requestId` again; whichever copy is applied first decides, and the others get its answer. The latest 1,024 answers
 *   are kept.
 * - *Garbage.* Bytes that are no command change nothing and say so; the function never throws.
 *
 * History: the newest 1,000 versions (and at most 32 Mi letters of text) keep their value; 10,000 before them keep hash, author,
 * reason and time, which is enough to verify the chain; older ones are forgotten. Rollback is a new version with an old value.
 *
 * Secrets are marked by the schema (`x-secret: true`) and replaced wherever a config is shown (`secrets.ts`); members
 * store and replicate them as they are.
 *
 * Left out: access control. Every admitted member may propose; who may act on a node is its operator's business.
 *
 * Specified in docs/protocol/config.md; RFC 8785 (canonical text), RFC 7396 (merge patch), RFC 6901 (pointers).
 */
export { brokenLink, chainHash, configDigest } from './chain.ts'
export { diffConfig } from './diff.ts'
export type { ConfigChange } from './diff.ts'
export { decodeCommand, encodeCommand } from './command.ts'
export type { DecodedCommand } from './command.ts'
export {
  ConfigConflictError,
  configErrorOf,
  ConfigTooLargeError,
  InvalidConfigError,
  UnreadableCommandError
} from './errors.ts'
export { ANSWERS_MAX, CONFIG_BYTES_MAX, REASON_LENGTH_MAX } from './limits.ts'
export { mergePatch } from './merge-patch.ts'
export { InvalidSchemaError } from './schema-check.ts'
export { anyConfig, compileSchema } from './schema.ts'
export { redactSecrets, secretPointers } from './secrets.ts'
export { decodeConfigState, encodeConfigState, InvalidConfigStateError } from './snapshot.ts'
export { applyCommand, initialConfig, judgeCommand, recordAt } from './state.ts'
export type { Applied, AppliedEntry, Verdict } from './state.ts'
export type {
  AnsweredRequest,
  ApplyResult,
  ConfigHeader,
  ConfigProblem,
  ConfigRecord,
  ConfigSet,
  ConfigState,
  ValidateConfig
} from './types.ts'
