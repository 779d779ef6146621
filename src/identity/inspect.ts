/**
 * Describes any of our documents for people and programs: what it is, what it says, whether that is proved, and why not.
 * Nothing that it returns is secret: of a token's text and of a key file only the public part is shown.
 */
import { equalBytes, fromBase64Url, toHex } from '../core/bytes.ts'
import { QuorateError } from '../core/errors.ts'
import type { JsonValue } from '../core/json.ts'
import { decodeAddressRecord, readAddressRecord } from './address-record.ts'
import { contradictionOf } from './boot-contradiction.ts'
import { decodeBootStatement, readBootStatement } from './boot-statement.ts'
import { decodeCertificate, readCertificate } from './certificate.ts'
import { decodeClaim, readClaim, type ClaimFields } from './claim.ts'
import { dateText } from './dates.ts'
import { InvalidDocumentError } from './document.ts'
import { decodeGenesis, readGenesis, type VerifiedGenesis } from './genesis.ts'
import { peerIdFromPublicKey } from './peer-id.ts'
import { DATE_LEEWAY_MS, decodeToken, looksLikeToken, parseToken, verifyToken, type Token } from './token.ts'

export type Verified = 'yes' | 'no' | 'unknown'

export interface Description {
  readonly type:
    | 'genesis'
    | 'token'
    | 'claim'
    | 'founding-certificate'
    | 'address-record'
    | 'boot-statement'
    | 'boot-statements'
    | 'key'
    | 'unknown'
  /** `unknown`: it is whole as far as can be told, and proving it needs the genesis. */
  readonly verified: Verified
  /** Why, in one sentence. */
  readonly reason: string
  readonly facts: Readonly<Record<string, JsonValue>>
}

/** `text` may be the content of a file that holds text; `genesis` allows to prove what hangs on one. Never throws for content. */
export function inspectDocument(input: Uint8Array | string, genesis?: VerifiedGenesis): Description {
  const text = typeof input === 'string' ? input.trim() : asText(input)
  if (text !== undefined && looksLikeToken(text)) return guard('token', () => describeTokenText(text, genesis))
  if (text !== undefined && text.startsWith('{')) return describeKeyFile(text)
  const words = text?.split(/\s+/) ?? []
  if (words.length === 2) return describePair(words)
  const bytes =
    (text === undefined ? undefined : fromBase64Url(text)) ?? (typeof input === 'string' ? undefined : input)
  if (bytes === undefined) return nothing('it is neither a token nor a document')
  for (const [type, decode, describe] of READERS) {
    // The kind is written inside each document, so at most one of them takes it.
    if (holds(() => decode(bytes))) return guard(type, () => describe(bytes, genesis))
  }
  return nothing('it is not a document of this version of Quorate, or was damaged')
}

type Reader = readonly [
  Description['type'],
  (bytes: Uint8Array) => unknown,
  (bytes: Uint8Array, genesis: VerifiedGenesis | undefined) => Description
]

const READERS: readonly Reader[] = [
  ['genesis', decodeGenesis, describeGenesis],
  ['token', decodeToken, describeToken],
  ['claim', decodeClaim, describeClaim],
  ['founding-certificate', decodeCertificate, describeCertificate],
  ['address-record', decodeAddressRecord, describeAddressRecord],
  ['boot-statement', decodeBootStatement, describeBootStatement]
]

function describeGenesis(bytes: Uint8Array): Description {
  const { genesis, domainId, signedBy } = decodeGenesis(bytes)
  const facts = {
    domainId: toHex(domainId),
    name: genesis.name,
    foundingSize: genesis.foundingSize,
    mode: genesis.mode,
    generation: genesis.generation,
    timing: genesis.timing,
    created: dateText(genesis.createdAtMs),
    issuers: genesis.issuers.map(toHex),
    threshold: genesis.threshold,
    signedBy: signedBy.map(toHex),
    roster: genesis.roster.map(({ seat, peerId }) => ({ seat, peerId })),
    configBytes: Buffer.byteLength(genesis.config),
    schemaDigest: genesis.schemaDigest === undefined ? null : toHex(genesis.schemaDigest)
  }
  const meaning = `${signedBy.length} of its ${genesis.issuers.length} issuers signed; compare the domainId with what you expect`
  return proved('genesis', facts, () => readGenesis(bytes), meaning)
}

function describeTokenText(text: string, genesis: VerifiedGenesis | undefined): Description {
  const parsed = parseToken(text)
  const described = describeToken(parsed.document, genesis ?? parsed.genesis)
  return { ...described, facts: { ...described.facts, carriesGenesis: parsed.genesis !== undefined } }
}

function describeToken(bytes: Uint8Array, genesis: VerifiedGenesis | undefined): Description {
  const facts = tokenFacts(decodeToken(bytes))
  if (genesis === undefined) return unproved('token', facts)
  return proved('token', facts, () => verifyToken(bytes, genesis), `issuers of ${genesis.genesis.name} signed it`)
}

function tokenFacts(token: Token): Readonly<Record<string, JsonValue>> {
  return {
    tokenId: token.tokenId,
    kind: token.kind,
    ...(token.kind === 'founding' ? { seat: token.seat } : { role: token.role, uses: token.uses }),
    domainId: toHex(token.domainId),
    generation: token.generation,
    tokenKey: toHex(token.tokenKey),
    notBefore: token.notBeforeMs === undefined ? null : dateText(token.notBeforeMs),
    expires: token.expiresMs === undefined ? null : dateText(token.expiresMs),
    // Clocks may be this far apart.
    leewaySeconds: DATE_LEEWAY_MS / 1_000,
    boundPeer: token.boundPeer ?? null
  }
}

function describeClaim(bytes: Uint8Array, genesis: VerifiedGenesis | undefined): Description {
  const facts = claimFacts(decodeClaim(bytes).fields)
  if (genesis === undefined) return unproved('claim', facts)
  return proved('claim', facts, () => readClaim(bytes, genesis), `it holds for ${genesis.genesis.name}`)
}

const claimFacts = (fields: ClaimFields): Readonly<Record<string, JsonValue>> => ({
  peerId: fields.peerId,
  storeId: fields.storeId,
  seat: fields.seat ?? null,
  tokenId: fields.tokenId ?? null,
  domainId: toHex(fields.domainId),
  generation: fields.generation
})

function describeCertificate(bytes: Uint8Array, genesis: VerifiedGenesis | undefined): Description {
  const raw = decodeCertificate(bytes)
  const members = raw.set.map((bundle) => claimFacts(decodeClaim(bundle).fields))
  const facts = { term: raw.term, members, acceptances: raw.acceptances.length }
  if (genesis === undefined) return unproved('founding-certificate', facts)
  const described = proved(
    'founding-certificate',
    facts,
    () => readCertificate(bytes, genesis),
    `${raw.acceptances.length} founders of ${genesis.genesis.name} signed it`
  )
  if (described.verified !== 'yes') return described
  return { ...described, facts: { clusterId: toHex(readCertificate(bytes, genesis).clusterId), ...facts } }
}

function describeAddressRecord(bytes: Uint8Array): Description {
  const record = decodeAddressRecord(bytes)
  const facts = { peerId: record.peerId, sequence: record.sequence, addresses: record.addresses }
  return proved('address-record', facts, () => readAddressRecord(bytes), `${record.peerId} signed it`)
}

function describeBootStatement(bytes: Uint8Array): Description {
  const statement = decodeBootStatement(bytes)
  const { peerId, boot } = statement
  const facts = bootFacts(statement)
  return proved('boot-statement', facts, () => readBootStatement(bytes), `${peerId} signed it, in boot ${boot}`)
}

const bootFacts = (statement: ReturnType<typeof decodeBootStatement>): Readonly<Record<string, JsonValue>> => ({
  id: statement.id,
  peerId: statement.peerId,
  storeId: statement.storeId,
  domainId: toHex(statement.domainId),
  generation: statement.generation,
  boot: statement.boot,
  bootNonce: statement.bootNonce,
  sequence: statement.sequence,
  term: statement.term,
  votedFor: statement.votedFor ?? null,
  lastIndex: statement.lastIndex,
  commitIndex: statement.commitIndex,
  seen: statement.seen ?? null
})

/** Two boot statements, as an alarm brings them: what do they prove together? */
function describePair(words: readonly string[]): Description {
  const documents = words.flatMap((word) => fromBase64Url(word) ?? [])
  if (documents.length !== 2 || !documents.every((bytes) => holds(() => decodeBootStatement(bytes)))) {
    return nothing('it is two words, and not two boot statements')
  }
  const [a, b] = documents.map(decodeBootStatement) as [DecodedStatement, DecodedStatement]
  const facts = { first: bootFacts(a), second: bootFacts(b) }
  const is = (verified: Verified, reason: string): Description => ({ type: 'boot-statements', verified, reason, facts })
  if (!documents.every((bytes) => holds(() => readBootStatement(bytes)))) return is('no', 'a signature does not hold')
  if (!equalBytes(a.domainId, b.domainId) || a.generation !== b.generation) {
    return is('no', 'they are of different domains or generations')
  }
  const contradiction = contradictionOf(a, b)
  return contradiction === undefined
    ? is('no', 'both hold, and an intact disk can have made both')
    : is('yes', `they prove that ${a.peerId}#${a.storeId} ${contradiction.reason}`)
}

type DecodedStatement = ReturnType<typeof decodeBootStatement>

/** Public members by name; whatever else the file holds is not looked at, so it cannot be shown. */
function describeKeyFile(text: string): Description {
  const record = objectOf(text)
  if (record === undefined || record['quorate-key'] === undefined) return nothing('it is JSON and no key file')
  const key = typeof record['publicKey'] === 'string' ? fromBase64Url(record['publicKey']) : undefined
  if (key?.byteLength !== 32) return nothing('it is a key file without a public key')
  const facts = {
    keyType: record['type'] === 'issuer' ? 'issuer' : 'node',
    encrypted: record['cipher'] !== 'none',
    publicKey: toHex(key),
    peerId: peerIdFromPublicKey(key)
  }
  return { type: 'key', verified: 'unknown', reason: 'the secret part was not opened', facts }
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined
  } catch {
    return undefined
  }
}

function proved(
  type: Description['type'],
  facts: Description['facts'],
  prove: () => unknown,
  meaning: string
): Description {
  try {
    prove()
    return { type, verified: 'yes', reason: meaning, facts }
  } catch (error) {
    if (!(error instanceof InvalidDocumentError)) throw error
    return { type, verified: 'no', reason: error.message, facts }
  }
}

const unproved = (type: Description['type'], facts: Description['facts']): Description => ({
  type,
  verified: 'unknown',
  reason: 'proving it needs the genesis: pass --genesis',
  facts
})

function guard(type: Description['type'], describe: () => Description): Description {
  try {
    return describe()
  } catch (error) {
    if (error instanceof QuorateError) return { type, verified: 'no', reason: error.message, facts: {} }
    throw error
  }
}

const nothing = (reason: string): Description => ({ type: 'unknown', verified: 'no', reason, facts: {} })

function holds(decode: () => unknown): boolean {
  try {
    decode()
    return true
  } catch (error) {
    if (error instanceof InvalidDocumentError) return false
    throw error
  }
}

/** Undefined unless all of it is printable ASCII and white space. */
function asText(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  return /^[\t\n\r\x20-\x7e]*$/.test(text) ? text.trim() : undefined
}
