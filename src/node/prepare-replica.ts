/** Makes the replica of a node from its home and genesis: what is stored is read back, what is signed is verified. */
import type { Timing } from '../config-init/index.ts'
import type { Random } from '../core/random.ts'
import { equalBytes } from '../core/bytes.ts'
import { invariant } from '../core/invariant.ts'
import { decodeAddressRecord, readAddressRecord } from '../identity/address-record.ts'
import {
  bootStatementToSign,
  decodeBootStatement,
  readBootStatement,
  sealBootStatement
} from '../identity/boot-statement.ts'
import { clusterIdOf, encodeCertificate, formationCrypto, readCertificate } from '../identity/certificate.ts'
import { readClaim } from '../identity/claim.ts'
import { InvalidDocumentError } from '../identity/document.ts'
import type { VerifiedGenesis } from '../identity/genesis.ts'
import type { OwnStatement, StatementCodec } from '../replica/boot-watch.ts'
import {
  type RecordReader,
  recoverBoots,
  recoverConsensus,
  recoverFormation,
  recoverMet,
  Replica,
  type SnapshotPolicy
} from '../replica/index.ts'
import { configJudge } from './config-judge.ts'
import type { Home } from './home.ts'

/** What a replica needs of a home. */
export type ReplicaHome = Pick<
  Home,
  'key' | 'domainId' | 'generation' | 'storeId' | 'claim' | 'boot' | 'bootNonce' | 'bootStatement' | 'certificate'
> & { readonly storage: Pick<Home['storage'], 'recovered'> }

export interface ReplicaParts {
  readonly home: ReplicaHome
  readonly genesis: VerifiedGenesis
  readonly timing: Timing
  readonly random: Random
  readonly snapshots: SnapshotPolicy
  readonly priority: number
}

export function prepareReplica({ home, genesis, timing, random, snapshots, priority }: ReplicaParts): Replica {
  const { generation, storage } = home
  const { foundingSize, config } = genesis.genesis
  const crypto = formationCrypto(genesis, generation)
  const { founding, incarnation, peerId, role } = readClaim(home.claim, genesis, generation)
  const kept = home.certificate === undefined ? undefined : readCertificate(home.certificate, genesis, generation)
  const codec = statementCodec(home)
  const own = codec.decode(home.bootStatement)
  invariant(own !== undefined, 'our own boot statement is one')
  return new Replica({
    self: founding ?? { incarnation, peerId, seat: undefined, role },
    domainId: home.domainId,
    generation,
    foundingSize,
    initialConfigText: config,
    validateConfig: configJudge(genesis.genesis),
    ...recoverConsensus(storage.recovered),
    formationState: recoverFormation(storage.recovered, crypto.readClaim, kept?.certificate),
    foundersMet: recoverMet(storage.recovered),
    snapshots,
    boots: { own, codec, known: recoverBoots(storage.recovered, codec.decode) },
    crypto,
    clusterIdOf: (certificate) => clusterIdOf(certificate, genesis, generation),
    certificateDocument: encodeCertificate,
    readAddressRecord: readNews,
    raftTiming: timing.raft,
    formationTiming: timing.formation,
    priority,
    random
  })
}

/** Boot statements of this domain and generation; what does not hold is undefined or false. */
function statementCodec({ key, domainId, generation, storeId, boot, bootNonce }: ReplicaHome): StatementCodec {
  const { publicKey } = key.signer
  const content = (own: OwnStatement) => ({ domainId, generation, storeId, boot, bootNonce, ...own })
  return {
    decode(bytes) {
      const statement = attempt(() => decodeBootStatement(bytes))
      const isOurs = statement !== undefined && equalBytes(statement.domainId, domainId)
      return isOurs && statement.generation === generation ? statement : undefined
    },
    isGenuine: ({ bytes }) => attempt(() => readBootStatement(bytes)) !== undefined,
    toSign: (own) => bootStatementToSign(publicKey, content(own)),
    seal: (own, signature) => sealBootStatement(publicKey, content(own), signature)
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof InvalidDocumentError) return undefined
    throw error
  }
}

/** What does not hold is undefined, as hints are: no exception leaves the core for it. The signature is looked at last. */
const readNews: RecordReader = (bytes, isNews) => {
  const record = attempt(() => decodeAddressRecord(bytes))
  if (record === undefined || !isNews(record.peerId, record.sequence)) return undefined
  return attempt(() => readAddressRecord(bytes))
}
