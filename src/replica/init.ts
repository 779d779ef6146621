/** What a replica is made from, and what it says of itself. */
import type { Random } from '../core/random.ts'
import type {
  Claim,
  FormationCrypto,
  FormationState,
  FormationStatus,
  FoundingCertificate
} from '../formation/types.ts'
import type { Admitted } from '../membership/admission.ts'
import type { Bar } from '../membership/boots.ts'
import type { JoinRole } from '../membership/redemptions.ts'
import type { Entry, HardState, RaftStatus, RaftTiming } from '../raft/types.ts'
import type { ConfigState, ValidateConfig } from '../replicated-config/index.ts'
import type { BootWatchInit } from './boot-watch.ts'
import type { RecordReader } from './sessions.ts'
import type { StoredSnapshot } from './snapshot.ts'
import type { SnapshotPolicy } from './snapshots.ts'
import type { Standing } from './standing.ts'

export interface ReplicaInit {
  /** This node's own claim: its incarnation, PeerId and seat. A node with a join token has no seat. */
  readonly self: Claim | Joiner
  readonly domainId: Uint8Array
  readonly generation: number
  readonly foundingSize: number
  /** Canonical JSON of the genesis' config: what the first entry of the log carries. */
  readonly initialConfigText: string
  readonly validateConfig: ValidateConfig
  /** What the store held. */
  readonly formationState: FormationState
  /** Incarnations with founding credentials that this store has met. Default none. */
  readonly foundersMet?: readonly string[]
  readonly hardState: HardState
  readonly entries: readonly Entry[]
  /** The newest; the entries begin anywhere up to the one behind it. */
  readonly snapshot?: StoredSnapshot | undefined
  /** See SnapshotPolicy. */
  readonly snapshots?: Partial<SnapshotPolicy> | undefined
  /** This process life's own boot statement, and what earlier ones have kept of others. */
  readonly boots: BootWatchInit
  readonly crypto: FormationCrypto
  /** Names the cluster of a certificate. */
  readonly clusterIdOf: (certificate: FoundingCertificate) => Uint8Array
  /** The certificate as a document, to be kept beside the key. */
  readonly certificateDocument: (certificate: FoundingCertificate) => Uint8Array
  readonly readAddressRecord: RecordReader
  readonly raftTiming: RaftTiming
  readonly formationTiming: { readonly rankStepMs: number; readonly campaignTimeoutMs: number }
  /** As in RaftInit. */
  readonly priority?: number
  readonly random: Random
}

/** Somebody who comes after founding. */
export interface Joiner {
  readonly incarnation: string
  readonly peerId: string
  readonly seat: undefined
  /** What its token grants. */
  readonly role: JoinRole
}

export interface ReplicaStatus {
  readonly formation: FormationStatus
  readonly raft: RaftStatus | undefined
  readonly clusterId: string | undefined
  /** Undefined until the first entry of the log has committed here. */
  readonly config: ConfigState | undefined
  /** The founding certificate's claims, by seat. */
  readonly founders: readonly Claim[]
  /** Incarnations that are known to have held founding credentials, ever; a second cluster would need `2 * foundingSize`. */
  readonly foundingIncarnations: number
  /** Seats that more than one PeerId has claimed in this process life: a token that was copied. By seat. */
  readonly contested: readonly { readonly seat: number; readonly peerIds: readonly string[] }[]
  /** This incarnation is in the certificate. */
  readonly member: boolean
  /** What this node's credential entitles it to; whether it votes is another matter. */
  readonly entitled: JoinRole
  /** What becomes of a member that has no vote: as its token, and what operators have said since, allow. */
  readonly voteOf: (incarnation: string) => 'by-itself' | 'when-promoted' | 'never'
  /** It came with a join token, so it never founds. */
  readonly joins: boolean
  readonly standing: Standing
  /** Incarnations that this node does not let vote, because their disks were set back or copied. By incarnation. */
  readonly barred: readonly (Bar & { readonly incarnation: string })[]
  /** Our own. */
  readonly priority: number
  /** By PeerId. */
  readonly sessions: readonly Admitted[]
  readonly requestsPending: number
}
