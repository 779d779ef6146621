/**
 * Quorate: clusters that form by themselves. This list is the whole public face of the package; everything else may change.
 *
 * `createNode` for a program of its own, `quorum` as a service in an existing libp2p node, `createGenesis` and `createToken`
 * to prepare a cluster from code. Errors carry `name`, `code`, `details` and `nextStep`; switch on the code.
 */
export { NODE_OLDEST } from './core/node-version.ts'
export { createNode } from './node/create-node.ts'
export { quorum } from './node/service.ts'
export type { QuorumService, QuorumServiceInit } from './node/service.ts'
export type {
  CallOptions,
  ConfigHistoryEntry,
  ConfigVersion,
  DiscoveryInit,
  LeaderInfo,
  Logger,
  MemberInfo,
  MemberRole,
  NodeEvent,
  NodeEventName,
  NodeInit,
  NodeListener,
  NodeStatus,
  QuorateNode,
  ReadyInfo,
  SnapshotPolicy,
  StageName,
  StampedNodeEvent,
  UpdateOptions
} from './node/types.ts'
export {
  CredentialMismatchError,
  NoCredentialError,
  NodeKeyMissingError,
  NodeStoppedError,
  NoQuorumError,
  NotAdmittedError,
  NotReadyError,
  OutcomeUnknownError,
  RequestRefusedError,
  SeatConflictError
} from './node/errors.ts'

export { InvalidOptionError, QuorateError } from './core/errors.ts'
export { NotJsonError } from './core/json.ts'
export type { JsonObject, JsonValue } from './core/json.ts'

export { createGenesis } from './node/create-genesis.ts'
export { readGenesis } from './identity/genesis.ts'
export type { Genesis, GenesisInit, TimingPreset, VerifiedGenesis } from './identity/genesis.ts'
export { createToken, parseToken, TokenTextError } from './identity/token.ts'
export type { MintedToken, ParsedToken, TokenInit } from './identity/token.ts'
export { generateLocalKey, localKeyFromSeed } from './identity/signer.ts'
export type { LocalKey, Signer } from './identity/signer.ts'
export { Secret } from './identity/secret.ts'
export { InvalidDocumentError } from './identity/document.ts'

export { ConfigConflictError, ConfigTooLargeError, InvalidConfigError } from './replicated-config/errors.ts'
export { InvalidSchemaError } from './replicated-config/schema-check.ts'
export {
  DataDirLockedError,
  DataDirUnsafeError,
  StorageCorruptError,
  StorageFailedError,
  StorageForeignError,
  StorageFullError
} from './storage/errors.ts'
export { AdmissionRefusedError, DialFailedError, ListenFailedError } from './transport/errors.ts'
