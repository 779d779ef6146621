/**
 * The bytes of a snapshot: everything that the log led to, for whoever has no log from before (docs/PROTOCOL.md has the CDDL).
 *
 * That is the config with its history and the requests that it has answered, the redeemed tokens, the members, and who ever was
 * one: a removed incarnation stays removed also for members that never saw its removal (RAFT-HOLES 40). Nothing else: what a
 * node knows from itself (votes, boots, addresses) stays with it. Equal states give equal bytes, so that members that take
 * one at the same entry agree about every byte, and a transfer that one of them began another can go on with.
 *
 * The decoder is strict and bounded, checks the hash chain of the config, and throws SnapshotError and nothing else.
 */
import { decodeCbor, encodeCbor } from '../core/cbor.ts'
import { CborFields } from '../core/cbor-fields.ts'
import { QuorateError } from '../core/errors.ts'
import { decodeRedemptions, encodeRedemptions, type Redemptions } from '../membership/redemptions.ts'
import { decodeMembership, encodeMembership, NODE_ID_LENGTH_MAX } from '../raft/messages.ts'
import type { LogPosition, SnapshotMeta } from '../raft/types.ts'
import { type ConfigState, decodeConfigState, encodeConfigState } from '../replicated-config/index.ts'
import type { RememberedMembers } from './incarnations.ts'

/** What the state machine holds after the entry at `index`. */
export interface Snapshot extends SnapshotMeta, RememberedMembers {
  readonly config: ConfigState
  readonly redemptions: Redemptions
}

/** As the store holds it. */
export interface StoredSnapshot extends LogPosition {
  readonly data: Uint8Array
}

/** The bytes are no snapshot that this version can read. */
export class SnapshotError extends QuorateError {
  constructor(problem: string, cause?: unknown) {
    super('SnapshotError', 'ERR_SNAPSHOT', `not a snapshot: ${problem}`, { cause })
  }
}

const FORMAT = 1
/** In all: far above what a cluster leads to, far below what would exhaust memory. */
const ITEMS_MAX = 4 * 2 ** 20
const MEMBERSHIP_BYTES_MAX = 2 ** 20
const INCARNATIONS_MAX = 2 ** 20

export function encodeSnapshot(snapshot: Snapshot): Uint8Array<ArrayBuffer> {
  const { index, term, membership, membershipIndex, ever, everVoters, config, redemptions } = snapshot
  return encodeCbor([
    FORMAT,
    index,
    term,
    membershipIndex,
    encodeMembership(membership),
    ever,
    everVoters,
    encodeConfigState(config),
    encodeRedemptions(redemptions)
  ])
}

export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  try {
    return decode(bytes)
  } catch (error) {
    if (error instanceof SnapshotError) throw error
    if (error instanceof QuorateError) throw new SnapshotError(error.message, error)
    throw error
  }
}

function decode(bytes: Uint8Array): Snapshot {
  const f = new CborFields(decodeCbor(bytes, { itemsMax: ITEMS_MAX }), 'snapshot', fail)
  if (f.count('format') !== FORMAT) throw fail(`it is not of format ${FORMAT}`)
  const snapshot: Snapshot = {
    index: f.count('index'),
    term: f.count('term'),
    membershipIndex: f.count('membershipIndex'),
    membership: decodeMembership(f.bytes('membership', undefined, MEMBERSHIP_BYTES_MAX)),
    ever: incarnations(f, 'members of all times'),
    everVoters: incarnations(f, 'voters of all times'),
    config: decodeConfigState(f.value()),
    redemptions: decodeRedemptions(f.value(), fail)
  }
  f.end()
  const { index, term, membershipIndex } = snapshot
  if (index === 0 || term === 0) throw fail('it is of no entry')
  if (membershipIndex > index) throw fail(`its members are those of entry ${membershipIndex}, it is of entry ${index}`)
  return snapshot
}

function incarnations(f: CborFields, name: string): readonly string[] {
  return f.array(name, INCARNATIONS_MAX).map((id) => {
    if (typeof id === 'string' && id.length <= NODE_ID_LENGTH_MAX) return id
    throw fail(`${name} holds something that is no incarnation`)
  })
}

const fail = (problem: string): SnapshotError => new SnapshotError(problem)
