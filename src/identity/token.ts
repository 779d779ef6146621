/**
 * Tokens: an issuer's permission for a machine that it has not met yet.
 *
 * The signed document names a throw-away key, and the text that the operator carries to the machine holds that key's seed.
 * The seed never leaves the machine: the node shows the document and signs its claim with the token key (`claim.ts`). Whoever
 * listens, or receives the document as a peer, cannot use it. A founding token grants one seat; a join token grants a role to
 * `uses` peers after founding. Claims follow CWT (RFC 8392: 4 exp, 5 nbf, 7 cti; RFC 8747: 8 cnf) where it has a claim for them.
 *
 * The text is `qtk1.` and base64url of [seed, document, genesis deflated?] with four bytes of checksum, so that a slip of the
 * hand is called one, and not a forgery. A token without the genesis stays below 500 characters for one issuer.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { equalBytes, fromBase64Url, concat, toBase64Url, toHex, utf8 } from '../core/bytes.ts'
import { encodeCbor, type CborValue } from '../core/cbor.ts'
import { InvalidOptionError, messageOf, QuorateError } from '../core/errors.ts'
import { sha256 } from '../core/hash.ts'
import { secureBytes } from '../core/random.ts'
import { readSign, signMany, verifyCose, type CoseDocument } from './cose.ts'
import { cborMap, decodeDocument, Fields, InvalidDocumentError } from './document.ts'
import { PUBLIC_KEY_BYTES } from './ed25519.ts'
import { GENESIS_BYTES_MAX, readPinnedGenesis, type VerifiedGenesis } from './genesis.ts'
import { peerIdFromPublicKey, publicKeyFromPeerId } from './peer-id.ts'
import { Secret } from './secret.ts'
import { SEED_BYTES, signerFromSeed, type Signer } from './signer.ts'

export const TOKEN_PREFIX = 'qtk1.'
export const TOKEN_BYTES_MAX = 4096
/** Longest token text: seed, document and 4 KiB of genesis. */
const TOKEN_CHARS_MAX = 16_384
const TOKEN_USES_MAX = 10_000
/** A genesis that deflates to more is not carried by tokens; it comes by file or from a peer. */
const TOKEN_GENESIS_DEFLATED_MAX = 4096

const KIND = 'quorate/token/v1'
const PAYLOAD_BYTES_MAX = 1024
const TOKEN_ID_BYTES = 16
const CHECKSUM_BYTES = 4
const CLAIM_EXP = 4
const CLAIM_NBF = 5
const CLAIM_CTI = 7
const CLAIM_CNF = 8
const SECONDS_MAX = Math.floor(Number.MAX_SAFE_INTEGER / 1000)

interface TokenFields {
  /** Hex of 16 random bytes. */
  readonly tokenId: string
  readonly domainId: Uint8Array
  readonly generation: number
  /** The throw-away key whose holder may use the token. */
  readonly tokenKey: Uint8Array
  /** Epoch ms; the token counts from here on. Whole seconds. */
  readonly notBeforeMs: number | undefined
  /** Epoch ms; the token no longer counts from here on. Whole seconds. Never unseats anybody. */
  readonly expiresMs: number | undefined
  /** When set, only this peer may use it. */
  readonly boundPeer: string | undefined
}

/** A seat among the founders; used once. */
export interface FoundingToken extends TokenFields {
  readonly kind: 'founding'
  readonly seat: number
}

/** Membership after founding, for up to `uses` different peers. */
export interface JoinToken extends TokenFields {
  readonly kind: 'join'
  readonly role: 'voter' | 'observer'
  readonly uses: number
}

export type Token = FoundingToken | JoinToken

export interface TokenInit {
  readonly grant:
    | { readonly kind: 'founding'; readonly seat: number }
    | { readonly kind: 'join'; readonly role: 'voter' | 'observer'; readonly uses?: number }
  /** Rounded down to a second. */
  readonly notBeforeMs?: number
  /** Rounded up to a second. */
  readonly expiresMs?: number
  readonly boundPeer?: string
  /** Carry the genesis in the text when it is small enough. Default true for founding tokens, false for join tokens. */
  readonly carryGenesis?: boolean
  /** Default: that of the genesis. */
  readonly generation?: number
  /** Default: random. Give them only to make the same token again. */
  readonly tokenId?: Uint8Array
  readonly seed?: Uint8Array
}

export interface MintedToken {
  readonly token: Token
  /** The line for the operator; as secret as a key until it has been used. */
  readonly text: Secret
  /** The signed document, without the seed. */
  readonly document: Uint8Array
}

export interface ParsedToken {
  /** Not proved against a genesis unless `genesis` is there; `verifyToken` proves it. */
  readonly token: Token
  readonly document: Uint8Array
  /** Of the token key. */
  readonly seed: Secret
  /** Signs as the token key. */
  readonly signer: Signer
  /** The genesis that the text carried; its domainId is the token's, and the token is proved by its issuers. */
  readonly genesis: VerifiedGenesis | undefined
}

/** The text is no token, or was damaged on its way. */
export class TokenTextError extends QuorateError {
  constructor(reason: string, cause?: unknown) {
    super('TokenTextError', 'ERR_TOKEN_TEXT', `not a usable token: ${reason}`, {
      nextStep:
        'Copy the whole line again, from `qtk1.` to its end. `quorate up --token` takes the file that holds it as well.',
      ...(cause === undefined ? {} : { cause })
    })
  }
}

/** Makes a token for this genesis, signed by its issuers. Throws InvalidOptionError. */
export async function createToken(
  genesis: VerifiedGenesis,
  issuers: readonly Signer[],
  init: TokenInit
): Promise<MintedToken> {
  const seed = init.seed ?? secureBytes(SEED_BYTES)
  const token = resolveToken(genesis, init, signerFromSeed(seed).publicKey)
  const problem = tokenProblem(token, genesis)
  if (problem !== undefined) throw new InvalidOptionError(`a token cannot be made: ${problem}`)
  const { threshold, issuers: known } = genesis.genesis
  const entitled = issuers.filter(({ publicKey }) => known.some((issuer) => equalBytes(issuer, publicKey)))
  if (entitled.length !== issuers.length || entitled.length < threshold) {
    throw new InvalidOptionError(
      `a token needs the signatures of ${threshold} issuers of its genesis; ${entitled.length} of the ${issuers.length} keys at hand are issuers`
    )
  }
  const document = await signMany(KIND, encodeToken(token), issuers)
  const carry = (init.carryGenesis ?? token.kind === 'founding') ? deflatedGenesis(genesis) : undefined
  return { token, document, text: Secret.ofText(formatToken(seed, document, carry)) }
}

/** Reads the line that an operator passed. Throws TokenTextError; InvalidDocumentError when what it carries does not hold. */
export function parseToken(text: string): ParsedToken {
  const [seed, document, deflated] = tokenParts(text)
  const token = decodeToken(document)
  const signer = signerFromSeed(seed)
  if (!equalBytes(signer.publicKey, token.tokenKey)) {
    throw new TokenTextError('its secret does not belong to its document')
  }
  const genesis = deflated === undefined ? undefined : inflateGenesis(deflated, token.domainId)
  if (genesis !== undefined) verifyToken(document, genesis, token.generation)
  return { token, document, seed: new Secret(seed), signer, genesis }
}

/** True for anything that starts like a token text; `--token` uses it to tell a line from a file name. */
export const looksLikeToken = (text: string): boolean => text.trimStart().startsWith(TOKEN_PREFIX)

/** The structure without any proof. Throws InvalidDocumentError. */
export const decodeToken = (document: Uint8Array): Token => decodePayload(readTokenCose(document).payload)

/** The token, proved: signed by enough issuers of this genesis, for its domain and the generation. Dates are not looked at. */
export function verifyToken(
  document: Uint8Array,
  genesis: VerifiedGenesis,
  generation = genesis.genesis.generation
): Token {
  const cose = readTokenCose(document)
  const token = decodePayload(cose.payload)
  if (!equalBytes(token.domainId, genesis.domainId)) {
    throw new InvalidDocumentError(
      KIND,
      'foreign',
      `it is for domain ${toHex(token.domainId)}, and this is ${toHex(genesis.domainId)}`
    )
  }
  if (token.generation !== generation) {
    throw new InvalidDocumentError(
      KIND,
      'foreign',
      `it is for generation ${token.generation}, and this is ${generation}`
    )
  }
  const { issuers, threshold } = genesis.genesis
  for (const { publicKey } of cose.signatures) {
    if (!issuers.some((issuer) => equalBytes(issuer, publicKey))) {
      throw new InvalidDocumentError(
        KIND,
        'unknown-issuer',
        `${toHex(publicKey)} signed it and is not an issuer of cluster ${genesis.genesis.name}`
      )
    }
  }
  verifyCose(cose)
  if (cose.signatures.length < threshold) {
    throw new InvalidDocumentError(
      KIND,
      'missing-signature',
      `${cose.signatures.length} issuers signed it, ${threshold} must`
    )
  }
  const problem = tokenProblem(token, genesis)
  if (problem !== undefined) throw new InvalidDocumentError(KIND, 'rule', problem)
  return token
}

/** Leeway for clocks that are a little apart (RFC 8392 leaves its size to us). */
export const DATE_LEEWAY_MS = 60_000

/**
 * Whether the dates of a token allow its use now. `floorMs` is the latest time that a signed document vouches for; a wall
 * clock below it was never set, so it can show that a token has expired, and never that it is too early (FAULTS O12).
 */
export function judgeDates(token: Token, wallMs: number, floorMs: number): 'valid' | 'expired' | 'not-yet-valid' {
  const trusted = wallMs >= floorMs
  const nowMs = trusted ? wallMs : floorMs
  if (token.expiresMs !== undefined && nowMs - DATE_LEEWAY_MS >= token.expiresMs) return 'expired'
  if (trusted && token.notBeforeMs !== undefined && nowMs + DATE_LEEWAY_MS < token.notBeforeMs) return 'not-yet-valid'
  return 'valid'
}

const readTokenCose = (document: Uint8Array): CoseDocument => readSign(KIND, document, PAYLOAD_BYTES_MAX)

function resolveToken(genesis: VerifiedGenesis, init: TokenInit, tokenKey: Uint8Array): Token {
  const { grant, notBeforeMs, expiresMs } = init
  const fields: TokenFields = {
    tokenId: toHex(init.tokenId ?? secureBytes(TOKEN_ID_BYTES)),
    domainId: genesis.domainId,
    generation: init.generation ?? genesis.genesis.generation,
    tokenKey,
    notBeforeMs: notBeforeMs === undefined ? undefined : Math.floor(notBeforeMs / 1000) * 1000,
    expiresMs: expiresMs === undefined ? undefined : Math.ceil(expiresMs / 1000) * 1000,
    boundPeer: init.boundPeer
  }
  return grant.kind === 'founding'
    ? { ...fields, kind: 'founding', seat: grant.seat }
    : { ...fields, kind: 'join', role: grant.role, uses: grant.uses ?? 1 }
}

function tokenProblem(token: Token, { genesis }: VerifiedGenesis): string | undefined {
  if (token.kind === 'founding') {
    if (genesis.mode === 'roster') return 'a roster has no founding tokens: its seats belong to PeerIds'
    if (!Number.isSafeInteger(token.seat) || token.seat < 1 || token.seat > genesis.foundingSize) {
      return `seat ${token.seat} is not within 1 to ${genesis.foundingSize}`
    }
  } else if (!Number.isSafeInteger(token.uses) || token.uses < 1 || token.uses > TOKEN_USES_MAX) {
    return `${token.uses} uses are not within 1 to ${TOKEN_USES_MAX}`
  }
  const { notBeforeMs, expiresMs, boundPeer, generation } = token
  if (!Number.isSafeInteger(generation) || generation < 1)
    return `generation ${generation} is not a whole number from 1`
  for (const dateMs of [notBeforeMs, expiresMs]) {
    if (dateMs !== undefined && (!(dateMs >= 0) || dateMs > SECONDS_MAX * 1000)) return `date ${dateMs} is out of range`
  }
  if (notBeforeMs !== undefined && expiresMs !== undefined && expiresMs <= notBeforeMs) {
    return `it would end (${expiresMs}) before it begins (${notBeforeMs})`
  }
  if (boundPeer !== undefined && publicKeyFromPeerId(boundPeer) === undefined) {
    return `${JSON.stringify(boundPeer.slice(0, 80))} is not the PeerId of an Ed25519 key`
  }
  return undefined
}

function encodeToken(token: Token): Uint8Array {
  const { notBeforeMs, expiresMs, boundPeer } = token
  return encodeCbor(
    cborMap([
      [CLAIM_CTI, Buffer.from(token.tokenId, 'hex')],
      [CLAIM_NBF, notBeforeMs === undefined ? undefined : notBeforeMs / 1000],
      [CLAIM_EXP, expiresMs === undefined ? undefined : expiresMs / 1000],
      [CLAIM_CNF, new Map([[1, coseKey(token.tokenKey)]])],
      ['domain', token.domainId],
      ['gen', token.generation],
      ['kind', token.kind],
      ['seat', token.kind === 'founding' ? token.seat : undefined],
      ['role', token.kind === 'join' ? token.role : undefined],
      ['uses', token.kind === 'join' ? token.uses : undefined],
      ['peer', boundPeer === undefined ? undefined : publicKeyFromPeerId(boundPeer)]
    ])
  )
}

/** RFC 9053 section 7.2: key type OKP, curve Ed25519, x. */
const coseKey = (publicKey: Uint8Array): ReadonlyMap<number, CborValue> =>
  new Map<number, CborValue>([
    [1, 1],
    [-1, 6],
    [-2, publicKey]
  ])

function decodePayload(payload: Uint8Array): Token {
  const fields = new Fields(KIND, decodeDocument(KIND, payload, PAYLOAD_BYTES_MAX, { depthMax: 3, itemsMax: 40 }))
  const seconds = (claim: number): number => fields.integer(claim, 0, SECONDS_MAX) * 1000
  const kind = fields.oneOf('kind', ['founding', 'join'])
  const boundPeer = fields.optional('peer', () => fields.bytes('peer', PUBLIC_KEY_BYTES))
  const common: TokenFields = {
    tokenId: toHex(fields.bytes(CLAIM_CTI, TOKEN_ID_BYTES)),
    domainId: fields.bytes('domain', 32),
    generation: fields.integer('gen', 1),
    tokenKey: readConfirmation(fields),
    notBeforeMs: fields.optional(CLAIM_NBF, () => seconds(CLAIM_NBF)),
    expiresMs: fields.optional(CLAIM_EXP, () => seconds(CLAIM_EXP)),
    boundPeer: boundPeer === undefined ? undefined : peerIdFromPublicKey(boundPeer)
  }
  const token: Token =
    kind === 'founding'
      ? { ...common, kind, seat: fields.integer('seat', 1) }
      : {
          ...common,
          kind,
          role: fields.oneOf('role', ['voter', 'observer']),
          uses: fields.integer('uses', 1, TOKEN_USES_MAX)
        }
  fields.end()
  return token
}

function readConfirmation(fields: Fields): Uint8Array {
  const confirmation = fields.map(CLAIM_CNF)
  const key = confirmation.map(1)
  key.integer(1, 1, 1)
  key.integer(-1, 6, 6)
  const publicKey = key.bytes(-2, PUBLIC_KEY_BYTES)
  key.end()
  confirmation.end()
  return publicKey
}

function formatToken(seed: Uint8Array, document: Uint8Array, deflated: Uint8Array | undefined): string {
  const body = encodeCbor(deflated === undefined ? [seed, document] : [seed, document, deflated])
  return TOKEN_PREFIX + toBase64Url(concat(body, checksum(body)))
}

function tokenParts(text: string): readonly [Uint8Array, Uint8Array, Uint8Array | undefined] {
  const line = text.trim()
  if (line === '') throw new TokenTextError('it is empty')
  if (!line.startsWith(TOKEN_PREFIX)) throw new TokenTextError(`it does not start with ${TOKEN_PREFIX}`)
  if (line.length > TOKEN_CHARS_MAX)
    throw new TokenTextError(`it has ${line.length} characters, at most ${TOKEN_CHARS_MAX}`)
  const bytes = fromBase64Url(line.slice(TOKEN_PREFIX.length))
  if (bytes === undefined)
    throw new TokenTextError('it holds a character that is not base64url, or lacks some at its end')
  const body = bytes.subarray(0, -CHECKSUM_BYTES)
  if (bytes.byteLength <= CHECKSUM_BYTES || !equalBytes(bytes.subarray(-CHECKSUM_BYTES), checksum(body))) {
    throw new TokenTextError('its checksum is wrong, so it was mistyped or cut')
  }
  try {
    const value = decodeDocument(KIND, body, TOKEN_CHARS_MAX, { depthMax: 1, itemsMax: 3 })
    const [seed, document, deflated] = Array.isArray(value) ? (value as readonly CborValue[]) : []
    if (
      seed instanceof Uint8Array &&
      seed.byteLength === SEED_BYTES &&
      document instanceof Uint8Array &&
      (deflated === undefined || deflated instanceof Uint8Array)
    ) {
      return [seed, document, deflated]
    }
  } catch (error) {
    if (!(error instanceof InvalidDocumentError)) throw error
    throw new TokenTextError(error.reason, error)
  }
  throw new TokenTextError('it does not hold a secret and a document')
}

const checksum = (body: Uint8Array): Uint8Array => sha256(utf8(TOKEN_PREFIX), body).subarray(0, CHECKSUM_BYTES)

function deflatedGenesis(genesis: VerifiedGenesis): Uint8Array | undefined {
  const deflated = deflateRawSync(genesis.bytes, { level: 9 })
  return deflated.byteLength <= TOKEN_GENESIS_DEFLATED_MAX ? new Uint8Array(deflated) : undefined
}

function inflateGenesis(deflated: Uint8Array, domainId: Uint8Array): VerifiedGenesis {
  let bytes: Uint8Array
  try {
    bytes = new Uint8Array(inflateRawSync(deflated, { maxOutputLength: GENESIS_BYTES_MAX }))
  } catch (error) {
    throw new TokenTextError(`the genesis that it carries cannot be unpacked (${messageOf(error)})`, error)
  }
  const genesis = readPinnedGenesis(bytes, domainId)
  if (genesis === undefined) throw new TokenTextError('the genesis that it carries is not the one that it is for')
  return genesis
}
