/**
 * Identity: keys, and the documents that they sign. Everything here is data and pure functions, except `key-store.ts`, which
 * touches files and is exported last; rooms that must stay pure import the document files directly.
 */
export { CLAIM_BUNDLE_BYTES_MAX, decodeClaim, incarnationOf, makeClaim, readClaim } from './claim.ts'
export type { ClaimFields, ClaimInit, VerifiedClaim } from './claim.ts'
export { clusterIdOf, decodeCertificate, encodeCertificate, formationCrypto, readCertificate } from './certificate.ts'
export type { VerifiedCertificate } from './certificate.ts'
export {
  addressSequence,
  ADDRESSES_MAX,
  decodeAddressRecord,
  makeAddressRecord,
  readAddressRecord
} from './address-record.ts'
export type { AddressRecord } from './address-record.ts'
export { makeBootStatement, readBootStatement } from './boot-statement.ts'
export type { BootProgress, BootStatement, BootStatementInit } from './boot-statement.ts'
export { dateText } from './dates.ts'
export { InvalidDocumentError } from './document.ts'
export type { DocumentFault, DocumentKind } from './document.ts'
export { isAdmissiblePublicKey, verifySignature } from './ed25519.ts'
export {
  countersignGenesis,
  createGenesis,
  decodeGenesis,
  draftGenesis,
  FOUNDING_SIZE_MAX,
  GENESIS_BYTES_MAX,
  genesisWarnings,
  readGenesis,
  readPinnedGenesis
} from './genesis.ts'
export type { Genesis, GenesisInit, GenesisMode, RosterEntry, TimingPreset, VerifiedGenesis } from './genesis.ts'
export { isPeerId, peerIdFromPublicKey, publicKeyFromPeerId, shortPeerId } from './peer-id.ts'
export { Secret } from './secret.ts'
export { generateLocalKey, localKeyFromSeed, signerFromSeed } from './signer.ts'
export type { LocalKey, Signer } from './signer.ts'
export {
  createToken,
  DATE_LEEWAY_MS,
  decodeToken,
  looksLikeToken,
  parseToken,
  TokenTextError,
  verifyToken
} from './token.ts'
export type { FoundingToken, JoinToken, MintedToken, ParsedToken, Token, TokenInit } from './token.ts'
export { inspectDocument } from './inspect.ts'
export type { Description, Verified } from './inspect.ts'
export { KeyFileInvalidError, PassphraseError } from './key-file.ts'
export type { KeyType } from './key-file.ts'
export {
  fileKeyStore,
  ISSUER_KEY_FILE,
  KeyExistsError,
  KeyFileAccessError,
  KeyFileUnsafeError,
  memoryKeyStore,
  NODE_KEY_FILE,
  writePrivateFile
} from './key-store.ts'
export type { FileKeyStoreInit, KeyStore } from './key-store.ts'
