/**
 * The genesis: what the founders agree on before they have met, signed by k of n issuers.
 *
 * `domainId` is the SHA-256 of the payload bytes as they were signed, never of a re-encoding, and not of the signatures: a
 * further issuer may sign later without renaming the domain. Whoever holds the domainId (a token pins it) can take the rest
 * from anybody.
 *
 * The document lists its own issuers, so a signature proves only that the document is whole; it is the domainId, from a token
 * or from the operator's hand, that says which genesis is meant. Left out: mode `pool` (one shared founding token), whose name
 * is reserved and refused.
 */
import { compareBytes, equalBytes, toHex } from '../core/bytes.ts'
import { encodeCbor, type CborValue } from '../core/cbor.ts'
import { InvalidOptionError, messageOf } from '../core/errors.ts'
import { sha256 } from '../core/hash.ts'
import { canonicalJson, type JsonValue } from '../core/json.ts'
import { secureBytes } from '../core/random.ts'
import { addSignature, readSign, signMany, SIGNERS_MAX, verifyCose } from './cose.ts'
import { cborMap, decodeDocument, Fields, InvalidDocumentError } from './document.ts'
import { isAdmissiblePublicKey, PUBLIC_KEY_BYTES } from './ed25519.ts'
import { peerIdFromPublicKey, publicKeyFromPeerId } from './peer-id.ts'
import type { Signer } from './signer.ts'

export type GenesisMode = 'seats' | 'roster'
export type TimingPreset = 'fast' | 'lan' | 'wan' | 'edge'

/** Largest founding size: every founder must sign, so each one more makes founding slower and more fragile. */
export const FOUNDING_SIZE_MAX = 9
/** Of version 1. It travels in the genesis; later versions may be larger. */
export const CONFIG_BYTES_MAX = 40 * 1024
export const SCHEMA_BYTES_MAX = 16 * 1024
/** Largest signed genesis: with a little around it, it fits a frame of 64 KiB. */
export const GENESIS_BYTES_MAX = 62 * 1024

const KIND = 'quorate/genesis/v1'
const NONCE_BYTES = 16
const PAYLOAD_BYTES_MAX = 59 * 1024
const NAME_SHAPE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const TIMINGS: readonly TimingPreset[] = ['fast', 'lan', 'wan', 'edge']

export interface RosterEntry {
  /** 1 to foundingSize. */
  readonly seat: number
  readonly peerId: string
}

export interface Genesis {
  /** Cluster name: 1 to 63 of a-z, 0-9 and inner hyphens, a DNS label; safe in paths and terminals. */
  readonly name: string
  /** N: how many founders there are, all of whom must sign the founding certificate. */
  readonly foundingSize: number
  readonly mode: GenesisMode
  /** Ed25519 public keys, sorted. */
  readonly issuers: readonly Uint8Array[]
  /** How many distinct issuers must sign a genesis or a token. */
  readonly threshold: number
  /** Canonical JSON text of config version 1. */
  readonly config: string
  /** Canonical JSON text of the config's JSON Schema. */
  readonly schema: string | undefined
  /** SHA-256 of the canonical schema text; may stand without `schema` when the members have it from elsewhere. */
  readonly schemaDigest: Uint8Array | undefined
  readonly timing: TimingPreset
  /** From 1; only a recovery raises it. */
  readonly generation: number
  /** Epoch ms by the maker's clock; no member's clock is believed to be earlier (FAULTS O12). */
  readonly createdAtMs: number
  /** One entry a seat, sorted; empty in mode seats. */
  readonly roster: readonly RosterEntry[]
  /** 16 random bytes: the same settings signed twice are two domains. */
  readonly nonce: Uint8Array
}

/** A genesis that its issuers signed. Only `readGenesis` and `createGenesis` make one. */
export interface VerifiedGenesis {
  readonly genesis: Genesis
  /** 32 bytes. */
  readonly domainId: Uint8Array
  /** Public keys of the issuers that signed, at least `threshold` of them. */
  readonly signedBy: readonly Uint8Array[]
  /** The document as read; what is stored and handed to peers. */
  readonly bytes: Uint8Array
}

export interface GenesisInit {
  readonly name: string
  readonly foundingSize: number
  /** Default `roster` when a roster is given, otherwise `seats`. */
  readonly mode?: GenesisMode | 'pool'
  /** Default: the public keys of the signers. */
  readonly issuers?: readonly Uint8Array[]
  /** Default: all issuers. */
  readonly threshold?: number
  /** Config version 1, a JSON value. Default `{}`. */
  readonly config?: JsonValue
  /** JSON Schema of the config. */
  readonly schema?: JsonValue
  readonly schemaDigest?: Uint8Array
  /** Default `lan`. */
  readonly timing?: TimingPreset
  /** Default 1. */
  readonly generation?: number
  readonly createdAtMs: number
  readonly roster?: readonly RosterEntry[]
  /** Default: random. Give it only to make the same document again. */
  readonly nonce?: Uint8Array
}

/** Makes and signs a genesis. Throws InvalidOptionError, one plain sentence for the first rule that is broken. */
export async function createGenesis(init: GenesisInit, signers: readonly Signer[]): Promise<VerifiedGenesis> {
  const genesis = resolveGenesis(init, signers)
  const problem = genesisProblem(genesis)
  if (problem !== undefined) throw new InvalidOptionError(problem, { details: { name: genesis.name } })
  const payload = encodeGenesis(genesis)
  if (payload.byteLength > PAYLOAD_BYTES_MAX) {
    throw new InvalidOptionError(
      `the genesis has ${payload.byteLength} bytes, at most ${PAYLOAD_BYTES_MAX} are allowed`
    )
  }
  for (const { publicKey, peerId } of signers) {
    if (!genesis.issuers.some((issuer) => equalBytes(issuer, publicKey))) {
      throw new InvalidOptionError(`signer ${peerId} is not one of the issuers that the genesis names`)
    }
  }
  if (signers.length < genesis.threshold) {
    throw new InvalidOptionError(
      `${genesis.threshold} issuers must sign a genesis of this threshold, ${signers.length} are at hand`,
      { nextStep: 'Use draftGenesis, and let each issuer add its signature with countersignGenesis.' }
    )
  }
  return readGenesis(await signMany(KIND, payload, signers))
}

/** A genesis with fewer signatures than its threshold, to be passed from issuer to issuer. */
export async function draftGenesis(init: GenesisInit, signer: Signer): Promise<Uint8Array> {
  const genesis = resolveGenesis(init, [signer])
  const problem = genesisProblem(genesis)
  if (problem !== undefined) throw new InvalidOptionError(problem, { details: { name: genesis.name } })
  return signMany(KIND, encodeGenesis(genesis), [signer])
}

/** Adds one issuer's signature. The domainId stays. Throws InvalidDocumentError when the draft does not hold. */
export async function countersignGenesis(bytes: Uint8Array, signer: Signer): Promise<Uint8Array> {
  const { genesis } = openGenesis(bytes)
  if (!genesis.issuers.some((issuer) => equalBytes(issuer, signer.publicKey))) {
    throw new InvalidOptionError(`signer ${signer.peerId} is not one of the issuers that the genesis names`)
  }
  return addSignature(KIND, bytes, PAYLOAD_BYTES_MAX, signer)
}

/** Reads and proves a genesis. Throws InvalidDocumentError. */
export function readGenesis(bytes: Uint8Array): VerifiedGenesis {
  const verified = openGenesis(bytes)
  const { genesis, signedBy } = verified
  if (signedBy.length < genesis.threshold) {
    throw new InvalidDocumentError(
      KIND,
      'missing-signature',
      `${signedBy.length} issuers signed, ${genesis.threshold} of ${genesis.issuers.length} must`,
      { nextStep: 'Let the remaining issuers sign the same file.' }
    )
  }
  return verified
}

/** As readGenesis, but `undefined` unless it is the genesis with this domainId: for one that a peer handed over. */
export function readPinnedGenesis(bytes: Uint8Array, domainId: Uint8Array): VerifiedGenesis | undefined {
  try {
    const verified = readGenesis(bytes)
    return equalBytes(verified.domainId, domainId) ? verified : undefined
  } catch (error) {
    if (error instanceof InvalidDocumentError) return undefined
    throw error
  }
}

/** The structure without any proof, for drafts and for `inspect`. Throws InvalidDocumentError. */
export function decodeGenesis(bytes: Uint8Array): VerifiedGenesis {
  if (bytes.byteLength > GENESIS_BYTES_MAX) {
    throw new InvalidDocumentError(
      KIND,
      'malformed',
      `${bytes.byteLength} bytes, at most ${GENESIS_BYTES_MAX} are allowed`
    )
  }
  const document = readSign(KIND, bytes, PAYLOAD_BYTES_MAX)
  const genesis = decodePayload(document.payload)
  return {
    genesis,
    domainId: sha256(document.payload),
    signedBy: document.signatures.map(({ publicKey }) => publicKey),
    bytes: bytes.slice()
  }
}

/** All signatures hold and are by issuers, however many there are. */
function openGenesis(bytes: Uint8Array): VerifiedGenesis {
  const decoded = decodeGenesis(bytes)
  for (const publicKey of decoded.signedBy) {
    if (!decoded.genesis.issuers.some((issuer) => equalBytes(issuer, publicKey))) {
      throw new InvalidDocumentError(KIND, 'unknown-issuer', `${toHex(publicKey)} signed and is not one of its issuers`)
    }
  }
  verifyCose(readSign(KIND, bytes, PAYLOAD_BYTES_MAX))
  return decoded
}

/** Advice that is not an error: an even founding size costs a machine and tolerates no more failures. */
export function genesisWarnings(genesis: Pick<Genesis, 'foundingSize'>): readonly string[] {
  const { foundingSize } = genesis
  if (foundingSize % 2 === 1) return []
  return [
    `${foundingSize} founders survive ${Math.ceil(foundingSize / 2) - 1} failures, as many as ${foundingSize - 1} would; ` +
      'an odd founding size is better value'
  ]
}

function resolveGenesis(init: GenesisInit, signers: readonly Signer[]): Genesis {
  const mode = init.mode ?? (init.roster === undefined ? 'seats' : 'roster')
  if (mode === 'pool') {
    throw new InvalidOptionError('mode pool is reserved and not available', {
      nextStep: 'Use mode seats (one token a founder) or roster (PeerIds known beforehand).'
    })
  }
  const issuers = (init.issuers ?? signers.map(({ publicKey }) => publicKey)).toSorted(compareBytes)
  const schema = init.schema === undefined ? undefined : canonicalJson(init.schema)
  return {
    name: init.name,
    foundingSize: init.foundingSize,
    mode,
    issuers,
    threshold: init.threshold ?? issuers.length,
    config: canonicalJson(init.config === undefined ? {} : init.config),
    schema,
    schemaDigest: init.schemaDigest ?? (schema === undefined ? undefined : sha256(Buffer.from(schema))),
    timing: init.timing ?? 'lan',
    generation: init.generation ?? 1,
    createdAtMs: Math.floor(init.createdAtMs),
    roster: (init.roster ?? []).toSorted((a, b) => a.seat - b.seat),
    nonce: init.nonce ?? secureBytes(NONCE_BYTES)
  }
}

/** The first rule that these values break, with the values; the same for what we make and for what we read. */
function genesisProblem(genesis: Genesis): string | undefined {
  const { name, foundingSize, issuers, threshold, generation, createdAtMs, nonce } = genesis
  if (!NAME_SHAPE.test(name)) {
    return `the name ${JSON.stringify(name.slice(0, 80))} is not 1 to 63 of a-z, 0-9 and inner hyphens`
  }
  if (!Number.isSafeInteger(foundingSize) || foundingSize < 1 || foundingSize > FOUNDING_SIZE_MAX) {
    return `a founding size of ${foundingSize} is not within 1 to ${FOUNDING_SIZE_MAX}`
  }
  if (!TIMINGS.includes(genesis.timing)) return `timing ${JSON.stringify(genesis.timing)} is not ${TIMINGS.join(', ')}`
  if (!Number.isSafeInteger(generation) || generation < 1)
    return `generation ${generation} is not a whole number from 1`
  if (!Number.isSafeInteger(createdAtMs) || createdAtMs < 0) return `creation time ${createdAtMs} is not in epoch ms`
  if (nonce.byteLength !== NONCE_BYTES) return `a nonce of ${nonce.byteLength} bytes instead of ${NONCE_BYTES}`
  return (
    issuersProblem(issuers, threshold) ??
    rosterProblem(genesis) ??
    jsonProblem('config', genesis.config, CONFIG_BYTES_MAX) ??
    schemaProblem(genesis)
  )
}

function issuersProblem(issuers: readonly Uint8Array[], threshold: number): string | undefined {
  if (issuers.length < 1 || issuers.length > SIGNERS_MAX)
    return `${issuers.length} issuers instead of 1 to ${SIGNERS_MAX}`
  if (!Number.isSafeInteger(threshold) || threshold < 1 || threshold > issuers.length) {
    return `a threshold of ${threshold} is not within 1 to ${issuers.length}, the number of issuers`
  }
  for (const [i, issuer] of issuers.entries()) {
    if (!isAdmissiblePublicKey(issuer)) return `issuer ${toHex(issuer)} is not a sound Ed25519 public key`
    if (i > 0 && compareBytes(issuers[i - 1]!, issuer) >= 0)
      return `issuers are repeated or not sorted (${toHex(issuer)})`
  }
  return undefined
}

function rosterProblem({ mode, roster, foundingSize }: Genesis): string | undefined {
  if (mode === 'seats') return roster.length === 0 ? undefined : 'mode seats has no roster; use mode roster'
  if (roster.length !== foundingSize) return `a roster of ${roster.length} for ${foundingSize} seats`
  const peers = new Set<string>()
  for (const [i, { seat, peerId }] of roster.entries()) {
    if (seat !== i + 1)
      return `roster entry ${i + 1} is for seat ${seat}; seats run from 1 to ${foundingSize}, each once`
    const publicKey = publicKeyFromPeerId(peerId)
    if (publicKey === undefined || !isAdmissiblePublicKey(publicKey)) {
      return `seat ${seat}: ${JSON.stringify(peerId.slice(0, 80))} is not the PeerId of a sound Ed25519 key`
    }
    if (peers.has(peerId)) return `${peerId} has two seats`
    peers.add(peerId)
  }
  return undefined
}

function jsonProblem(what: string, text: string, bytesMax: number): string | undefined {
  const length = Buffer.byteLength(text)
  if (length > bytesMax) return `${what} has ${length} bytes, at most ${bytesMax} are allowed`
  try {
    const value: unknown = JSON.parse(text)
    return canonicalJson(value) === text ? undefined : `${what} is not canonical JSON (RFC 8785)`
  } catch (error) {
    return `${what} is not JSON: ${messageOf(error).slice(0, 120)}`
  }
}

function schemaProblem({ schema, schemaDigest }: Genesis): string | undefined {
  if (schema !== undefined) {
    const problem = jsonProblem('schema', schema, SCHEMA_BYTES_MAX)
    if (problem !== undefined) return problem
    if (schemaDigest === undefined || !equalBytes(schemaDigest, sha256(Buffer.from(schema)))) {
      return 'the schema digest is not the SHA-256 of the canonical schema text'
    }
  }
  if (schemaDigest !== undefined && schemaDigest.byteLength !== 32) {
    return `a schema digest of ${schemaDigest.byteLength} bytes instead of 32`
  }
  return undefined
}

function encodeGenesis(genesis: Genesis): Uint8Array {
  const { schema, schemaDigest, roster } = genesis
  return encodeCbor(
    cborMap([
      ['name', genesis.name],
      ['seats', genesis.foundingSize],
      ['mode', genesis.mode],
      ['issuers', genesis.issuers],
      ['threshold', genesis.threshold],
      ['config', genesis.config],
      ['schema', schema],
      // A digest beside its text would say the same thing twice, and could say two things.
      ['schemaDigest', schema === undefined ? schemaDigest : undefined],
      ['timing', genesis.timing],
      ['generation', genesis.generation],
      ['created', genesis.createdAtMs],
      ['roster', roster.length === 0 ? undefined : roster.map(({ peerId }) => publicKeyFromPeerId(peerId)!)],
      ['nonce', genesis.nonce]
    ])
  )
}

function decodePayload(payload: Uint8Array): Genesis {
  const limits = { depthMax: 2, itemsMax: 2 * 16 + SIGNERS_MAX + FOUNDING_SIZE_MAX }
  const fields = new Fields(KIND, decodeDocument(KIND, payload, PAYLOAD_BYTES_MAX, limits))
  if (fields.has('mode') && fields.text('mode', 16) === 'pool') {
    throw new InvalidDocumentError(KIND, 'rule', 'mode pool is reserved and not available in this version')
  }
  const schema = fields.optional('schema', () => fields.text('schema', SCHEMA_BYTES_MAX))
  const digest = fields.optional('schemaDigest', () => fields.bytes('schemaDigest', 32))
  if (schema !== undefined && digest !== undefined) fields.fail('schemaDigest', 'stands beside the schema itself')
  const genesis: Genesis = {
    name: fields.text('name', 63),
    foundingSize: fields.integer('seats'),
    mode: fields.oneOf('mode', ['seats', 'roster']),
    issuers: fields.array('issuers', SIGNERS_MAX).map((key) => keyOf(fields, 'issuers', key)),
    threshold: fields.integer('threshold'),
    config: fields.text('config', CONFIG_BYTES_MAX),
    schema,
    schemaDigest: schema === undefined ? digest : sha256(Buffer.from(schema)),
    timing: fields.oneOf('timing', TIMINGS),
    generation: fields.integer('generation', 1),
    createdAtMs: fields.integer('created'),
    roster: readRoster(fields),
    nonce: fields.bytes('nonce', NONCE_BYTES)
  }
  fields.end()
  const problem = genesisProblem(genesis)
  if (problem !== undefined) throw new InvalidDocumentError(KIND, 'rule', problem)
  return genesis
}

function readRoster(fields: Fields): readonly RosterEntry[] {
  const keys = fields.optional('roster', () => fields.array('roster', FOUNDING_SIZE_MAX))
  if (keys?.length === 0) fields.fail('roster', 'is empty; it is left out instead')
  return (keys ?? []).map((key, i) => ({ seat: i + 1, peerId: peerIdFromPublicKey(keyOf(fields, 'roster', key)) }))
}

function keyOf(fields: Fields, name: string, value: CborValue): Uint8Array {
  if (value instanceof Uint8Array && value.byteLength === PUBLIC_KEY_BYTES) return value
  return fields.fail(name, `holds something that is not a key of ${PUBLIC_KEY_BYTES} bytes`)
}
