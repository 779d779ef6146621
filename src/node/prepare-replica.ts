/** Makes the replica of a node from its home and genesis: what is stored is read back, what is signed is verified. */
import type { Timing } from '../config-init/index.ts'
import type { Random } from '../core/random.ts'
import { decodeFormationState, initialFormationState } from '../formation/state.ts'
import { decodeAddressRecord, readAddressRecord } from '../identity/address-record.ts'
import { clusterIdOf, encodeCertificate, formationCrypto, readCertificate } from '../identity/certificate.ts'
import { readClaim } from '../identity/claim.ts'
import { InvalidDocumentError } from '../identity/document.ts'
import type { VerifiedGenesis } from '../identity/genesis.ts'
import {
  BOOTS_CELL,
  decodeBoots,
  decodeHardState,
  FORMATION_CELL,
  recoverEntry,
  VOTE_CELL
} from '../replica/durable.ts'
import { type RecordReader, Replica, type SnapshotPolicy } from '../replica/index.ts'
import { configJudge } from './config-judge.ts'
import type { Home } from './home.ts'

export interface ReplicaParts {
  readonly home: Home
  readonly genesis: VerifiedGenesis
  readonly timing: Timing
  readonly random: Random
  readonly snapshots: SnapshotPolicy
}

export function prepareReplica({ home, genesis, timing, random, snapshots }: ReplicaParts): Replica {
  const { generation, storage } = home
  const { foundingSize, config } = genesis.genesis
  const crypto = formationCrypto(genesis, generation)
  const { founding, incarnation, peerId, role } = readClaim(home.claim, genesis, generation)
  const { cells, entries, snapshot } = storage.recovered
  const stored = cells.get(FORMATION_CELL)
  const state = stored === undefined ? initialFormationState : decodeFormationState(stored, crypto.readClaim)
  const kept = home.certificate === undefined ? undefined : readCertificate(home.certificate, genesis, generation)
  return new Replica({
    self: founding ?? { incarnation, peerId, seat: undefined, role },
    domainId: home.domainId,
    generation,
    foundingSize,
    initialConfigText: config,
    validateConfig: configJudge(genesis.genesis),
    // The latch beside the key outlives the log: a node that lost its disk never founds a second time.
    formationState: { ...state, certificate: state.certificate ?? kept?.certificate },
    hardState: decodeHardState(cells.get(VOTE_CELL)),
    entries: entries.map(recoverEntry),
    snapshot,
    snapshots,
    boots: decodeBoots(cells.get(BOOTS_CELL)),
    crypto,
    clusterIdOf: (certificate) => clusterIdOf(certificate, genesis, generation),
    certificateDocument: encodeCertificate,
    readAddressRecord: readNews,
    raftTiming: timing.raft,
    formationTiming: timing.formation,
    random
  })
}

/** What does not hold is undefined, as hints are: no exception leaves the core for it. The signature is looked at last. */
const readNews: RecordReader = (bytes, isNews) => {
  try {
    const { peerId, sequence } = decodeAddressRecord(bytes)
    return isNews(peerId, sequence) ? readAddressRecord(bytes) : undefined
  } catch (error) {
    if (error instanceof InvalidDocumentError) return undefined
    throw error
  }
}
