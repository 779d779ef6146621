/**
 * What the store held when a node started, as what its replica begins with. Every start goes through here, also a simulated one: what is
 * forgotten here is forgotten by both.
 */
import { decodeFormationState, initialFormationState } from '../formation/index.ts'
import type { FormationState, FoundingCertificate } from '../formation/types.ts'
import type { BootProgress, BootStatement } from '../identity/boot-statement.ts'
import type { KnownStore } from '../membership/boots.ts'
import {
  BOOTS_CELL,
  decodeBoots,
  decodeHardState,
  FORMATION_CELL,
  recoverEntry,
  type StoredLogEntry,
  VOTE_CELL
} from './durable.ts'
import { decodeMet, MET_CELL } from './founders-met.ts'
import type { ReplicaInit } from './init.ts'
import type { StoredSnapshot } from './snapshot.ts'

/** Structurally what the storage port recovers. */
export interface HeldByStore {
  readonly cells: ReadonlyMap<string, Uint8Array>
  readonly entries: readonly StoredLogEntry[]
  readonly snapshot: StoredSnapshot | undefined
}

/** Vote and log. Throws StoredStateError. */
export const recoverConsensus = ({
  cells,
  entries,
  snapshot
}: HeldByStore): Pick<ReplicaInit, 'hardState' | 'entries' | 'snapshot'> => ({
  hardState: decodeHardState(cells.get(VOTE_CELL)),
  entries: entries.map(recoverEntry),
  snapshot
})

/** `kept` is the certificate beside the key: that latch outlives the log, so a node that lost its disk never founds a second time. */
export function recoverFormation(
  { cells }: HeldByStore,
  readClaim: ReplicaInit['crypto']['readClaim'],
  kept: FoundingCertificate | undefined
): FormationState {
  const stored = cells.get(FORMATION_CELL)
  const state = stored === undefined ? initialFormationState : decodeFormationState(stored, readClaim)
  return { ...state, certificate: state.certificate ?? kept }
}

/** What earlier lives have kept of others; `decode` reads a boot statement of this domain. */
export const recoverBoots = (
  { cells }: HeldByStore,
  decode: (bytes: Uint8Array) => BootStatement | undefined
): readonly KnownStore[] => decodeBoots(cells.get(BOOTS_CELL), decode)

/** Whom earlier lives of this store have met. Throws StoredStateError. */
export const recoverMet = ({ cells }: HeldByStore): readonly string[] => decodeMet(cells.get(MET_CELL))

/** What a process life finds on its disk, for its first boot statement. What a snapshot holds has committed; of the rest the cluster will say. */
export function recoveredProgress({ cells, entries, snapshot }: HeldByStore): BootProgress {
  const commitIndex = snapshot?.index ?? 0
  const lastIndex = Math.max(commitIndex, entries.at(-1)?.index ?? 0)
  return { ...decodeHardState(cells.get(VOTE_CELL)), lastIndex, commitIndex }
}
