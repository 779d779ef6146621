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
/** The newest process lives of other members: how a disk that was set back is known again (FAULTS P5). */
export const BOOTS_CELL = 'boots'

export interface StoredLogEntry {
  readonly index: number
  readonly term: number
  readonly type: number
  readonly data: Uint8Array
}

export interface RememberedBoot {
  readonly peerId: string
  /** Hex. */
  readonly storeId: string
  readonly boot: number
  /** Hex. */
  readonly bootNonce: string
  /** Why it is barred from voting; undefined when nothing is held against it. */
  readonly barred: string | undefined
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

export const encodeBoots = (boots: readonly RememberedBoot[]): Uint8Array =>
  encodeCbor(
    boots.map(({ peerId, storeId, boot, bootNonce, barred }) => [peerId, storeId, boot, bootNonce, barred ?? null])
  )

export function decodeBoots(bytes: Uint8Array | undefined): readonly RememberedBoot[] {
  if (bytes === undefined) return []
  const value = decodeCbor(bytes)
  if (!Array.isArray(value)) throw new StoredStateError('memory of process lives')
  return (value as readonly CborValue[]).map((item) => {
    const [peerId, storeId, boot, bootNonce, barred] = Array.isArray(item) ? (item as readonly CborValue[]) : []
    const isRead =
      typeof peerId === 'string' &&
      typeof storeId === 'string' &&
      typeof boot === 'number' &&
      typeof bootNonce === 'string' &&
      (barred === null || typeof barred === 'string')
    if (!isRead) throw new StoredStateError('memory of process lives')
    return { peerId, storeId, boot, bootNonce, barred: barred ?? undefined }
  })
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
