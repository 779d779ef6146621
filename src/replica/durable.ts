/**
 * What the replica keeps in the store: which cells, and how consensus state becomes bytes. docs/PROTOCOL.md has the CDDL.
 */
import { CborError, type CborValue, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { QuorateError } from '../core/errors.ts'
import type { BootStatement } from '../identity/boot-statement.ts'
import type { Bar, KnownStore } from '../membership/boots.ts'
import { entryTypeCode, entryTypeOf } from '../raft/messages.ts'
import type { Entry, HardState } from '../raft/types.ts'

/** Founding term, vote, accepted set, certificate: one record (formation/state.ts). */
export const FORMATION_CELL = 'formation'
/** Raft's term and vote: one record (RAFT-HOLES 1). */
export const VOTE_CELL = 'raft.vote'
/** What is known of the process lives of members: how a disk that was set back or copied is known again (FAULTS P5, P6). */
export const BOOTS_CELL = 'boots'

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

function valueOf(bytes: Uint8Array, what: string): CborValue {
  try {
    return decodeCbor(bytes)
  } catch (error) {
    if (error instanceof CborError) throw new StoredStateError(what, error)
    throw error
  }
}

export const encodeHardState = (state: HardState): Uint8Array => encodeCbor([state.term, state.votedFor ?? null])

export function decodeHardState(bytes: Uint8Array | undefined): HardState {
  if (bytes === undefined) return { term: 0, votedFor: undefined }
  const value = valueOf(bytes, 'vote')
  if (Array.isArray(value) && value.length === 2) {
    const [term, votedFor] = value as readonly CborValue[]
    if (typeof term === 'number' && term >= 0 && (votedFor === null || typeof votedFor === 'string')) {
      return { term, votedFor: votedFor ?? undefined }
    }
  }
  throw new StoredStateError('vote')
}

export const encodeBoots = (stores: readonly KnownStore[]): Uint8Array =>
  encodeCbor(
    stores.map(({ newest, before, promises, bar }) => [
      newest.bytes,
      before?.bytes ?? null,
      [promises.term, promises.votedTerm, promises.matchTerm, promises.match, promises.kept],
      bar === undefined ? null : [bar.code, bar.detail, bar.proved, bar.statements]
    ])
  )

/** `decode` reads a boot statement of this domain. What was proved when it came is not proved again. */
export function decodeBoots(
  bytes: Uint8Array | undefined,
  decode: (bytes: Uint8Array) => BootStatement | undefined
): readonly KnownStore[] {
  if (bytes === undefined) return []
  const statement = (value: CborValue | undefined): BootStatement =>
    (value instanceof Uint8Array ? decode(value) : undefined) ?? unreadable()
  return list(valueOf(bytes, 'memory of process lives')).map((item) => {
    const [newest, before, promises, bar] = list(item, 4)
    const [term, votedTerm, matchTerm, match, kept] = list(promises, 5).map((value) =>
      typeof value === 'number' && value >= 0 ? value : unreadable()
    ) as [number, number, number, number, number]
    return {
      newest: statement(newest),
      before: before === null ? undefined : statement(before),
      promises: { term, votedTerm, matchTerm, match, kept },
      bar: bar === null ? undefined : (barOf(list(bar, 4)) ?? unreadable())
    }
  })
}

const unreadable = (): never => {
  throw new StoredStateError('memory of process lives')
}

const list = (value: CborValue | undefined, length?: number): readonly CborValue[] =>
  Array.isArray(value) && (length === undefined || value.length === length)
    ? (value as readonly CborValue[])
    : unreadable()

function barOf([code, detail, proved, statements]: readonly CborValue[]): Bar | undefined {
  if (code !== 'rolled-back' && code !== 'clone') return undefined
  if (typeof detail !== 'string' || typeof proved !== 'boolean' || !Array.isArray(statements)) return undefined
  const documents = (statements as readonly CborValue[]).filter((document) => document instanceof Uint8Array)
  return documents.length === statements.length ? { code, detail, proved, statements: documents } : undefined
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
