/**
 * What the replica keeps in the store: which cells, and how consensus state becomes bytes. docs/PROTOCOL.md has the CDDL.
 */
import { type CborValue, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { QuorateError } from '../core/errors.ts'
import { entryTypeCode, entryTypeOf } from '../raft/messages.ts'
import type { Entry, HardState } from '../raft/types.ts'

/** Founding term, vote, accepted set, certificate: one record (formation/state.ts). */
export const FORMATION_CELL = 'formation'
/** Raft's term and vote: one record (RAFT-HOLES 1). */
export const VOTE_CELL = 'raft.vote'

export interface StoredLogEntry {
  readonly index: number
  readonly term: number
  readonly type: number
  readonly data: Uint8Array
}

/** What is in the store passed its checksums and is still not ours to understand: a newer format, or a bug. */
export class StoredStateError extends QuorateError {
  constructor(what: string, cause?: unknown) {
    super('StoredStateError', 'ERR_STORED_STATE', `the stored ${what} cannot be read`, {
      cause,
      nextStep:
        'Was this data directory written by a newer release? Start that release, or restore this node as a new member.'
    })
  }
}

export const encodeHardState = (state: HardState): Uint8Array => encodeCbor([state.term, state.votedFor ?? null])

export function decodeHardState(bytes: Uint8Array | undefined): HardState {
  if (bytes === undefined) return { term: 0, votedFor: undefined }
  const value = decodeCbor(bytes)
  if (Array.isArray(value) && value.length === 2) {
    const [term, votedFor] = value as readonly CborValue[]
    if (typeof term === 'number' && term >= 0 && (votedFor === null || typeof votedFor === 'string')) {
      return { term, votedFor: votedFor ?? undefined }
    }
  }
  throw new StoredStateError('vote')
}

export const storeEntry = (entry: Entry): StoredLogEntry => ({
  index: entry.index,
  term: entry.term,
  type: entryTypeCode(entry.type),
  data: entry.data
})

export function recoverEntry(stored: StoredLogEntry): Entry {
  const type = entryTypeOf(stored.type)
  if (type === undefined) throw new StoredStateError(`log entry ${stored.index} of type ${stored.type}`)
  return { index: stored.index, term: stored.term, type, data: stored.data }
}
