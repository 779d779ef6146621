/**
 * A claim: "this incarnation takes this seat", or, with a join token, "this incarnation redeems this token".
 *
 * Signed by the node key, and by the token key where a token is used, so that it proves the holder of the token chose this
 * peer. In roster mode the genesis names the peers and the node key alone signs. A claim travels as a bundle of the claim and
 * the token's document, which makes it self-contained: with nothing but the genesis, anybody can verify it at any later time.
 * Therefore dates are not part of its truth; admission looks at them once (`membership/judge.ts`).
 *
 * The nonce is the founder's own randomness. The clusterId is a hash over all founders' claims, so a domain that is founded
 * again from empty disks never gets the same one.
 */
import { equalBytes, fromHex, toHex } from '../core/bytes.ts'
import { encodeCbor, type CborValue } from '../core/cbor.ts'
import { InvalidOptionError } from '../core/errors.ts'
import { invariant } from '../core/invariant.ts'
import type { Claim } from '../formation/types.ts'
import { readSign, signMany, verifyCose } from './cose.ts'
import { cborMap, decodeDocument, Fields, InvalidDocumentError } from './document.ts'
import { PUBLIC_KEY_BYTES } from './ed25519.ts'
import type { VerifiedGenesis } from './genesis.ts'
import { peerIdFromPublicKey } from './peer-id.ts'
import { Proven } from './proven.ts'
import type { Signer } from './signer.ts'
import { TOKEN_BYTES_MAX, verifyToken, type ParsedToken, type Token } from './token.ts'

export const CLAIM_BUNDLE_BYTES_MAX = 8 * 1024
const STORE_ID_BYTES = 16
const CLAIM_NONCE_BYTES = 16

const KIND = 'quorate/claim/v1'
const PAYLOAD_BYTES_MAX = 512
const COSE_BYTES_MAX = 2048

/** What a claim says; nothing about it is proved. */
export interface ClaimFields {
  readonly domainId: Uint8Array
  readonly generation: number
  /** Hex; undefined in roster mode. */
  readonly tokenId: string | undefined
  /** Undefined when it redeems a join token. */
  readonly seat: number | undefined
  readonly peerId: string
  /** Hex of 16 bytes. */
  readonly storeId: string
  readonly nonce: Uint8Array
}

/** A claim that holds for a genesis and generation. */
export interface VerifiedClaim extends ClaimFields {
  /** `<peerId>#<storeId>`. */
  readonly incarnation: string
  /** What the credential entitles to. */
  readonly role: 'voter' | 'observer'
  readonly token: Token | undefined
  /** The signed payload: what stands for the claim wherever it is hashed, because signatures must not name anything. */
  readonly payload: Uint8Array
  /** The bundle as it travels and is stored. */
  readonly bytes: Uint8Array
  /** The same as formation wants it; undefined without a seat. */
  readonly founding: Claim | undefined
}

export interface ClaimInit {
  readonly node: Signer
  /** 16 bytes, made when the data directory was born. */
  readonly storeId: Uint8Array
  /** 16 random bytes, made once and kept with the claim. */
  readonly nonce: Uint8Array
  /** What entitles the node: a token (its genesis may still be unknown), or a place in a roster. */
  readonly by:
    | { readonly type: 'token'; readonly token: Pick<ParsedToken, 'token' | 'document' | 'signer'> }
    | { readonly type: 'roster'; readonly genesis: VerifiedGenesis; readonly generation?: number }
}

/**
 * Makes the bundle; it is kept, and every later hello shows the same bytes. Throws InvalidOptionError when this node may claim
 * nothing. A token is taken at its word here, because a node may have nothing else yet; `readClaim` proves it.
 */
export async function makeClaim(init: ClaimInit): Promise<Uint8Array> {
  const { node, by } = init
  return by.type === 'token'
    ? claimByToken(init, by.token, requireBound(by.token.token, node.peerId))
    : claimByRoster(init, by.genesis, by.generation ?? by.genesis.genesis.generation)
}

async function claimByToken(
  init: ClaimInit,
  { document, signer }: Pick<ParsedToken, 'document' | 'signer'>,
  token: Token
): Promise<Uint8Array> {
  const payload = encodePayload(init, {
    domainId: token.domainId,
    generation: token.generation,
    tokenId: token.tokenId,
    seat: token.kind === 'founding' ? token.seat : undefined
  })
  return encodeCbor([await signMany(KIND, payload, [init.node, signer]), document])
}

async function claimByRoster(init: ClaimInit, genesis: VerifiedGenesis, generation: number): Promise<Uint8Array> {
  const { peerId } = init.node
  const { name, mode } = genesis.genesis
  const seat = rosterSeat(genesis, peerId)
  if (seat === undefined) {
    throw new InvalidOptionError(
      mode === 'roster' ? `${peerId} is not in the roster of ${name}` : `a token is needed to take a seat in ${name}`,
      { details: { peerId, cluster: name }, nextStep: 'Start the node with a token of this cluster.' }
    )
  }
  const payload = encodePayload(init, { domainId: genesis.domainId, generation, tokenId: undefined, seat })
  return encodeCbor([await signMany(KIND, payload, [init.node])])
}

function requireBound(token: Token, peerId: string): Token {
  if (token.boundPeer === undefined || token.boundPeer === peerId) return token
  throw new InvalidOptionError(`the token was made for ${token.boundPeer}, and this node is ${peerId}`, {
    details: { boundPeer: token.boundPeer, peerId },
    nextStep: 'Use it on the node that it was made for, or make another token.'
  })
}

function encodePayload(
  { node, storeId, nonce }: ClaimInit,
  claim: Pick<ClaimFields, 'domainId' | 'generation' | 'tokenId' | 'seat'>
): Uint8Array {
  invariant(storeId.byteLength === STORE_ID_BYTES, 'a store id has 16 bytes')
  invariant(nonce.byteLength === CLAIM_NONCE_BYTES, 'a founder nonce has 16 bytes')
  return encodeCbor(
    cborMap([
      ['domain', claim.domainId],
      ['gen', claim.generation],
      ['token', claim.tokenId === undefined ? undefined : fromHex(claim.tokenId)],
      ['seat', claim.seat],
      ['peer', node.publicKey],
      ['store', storeId],
      ['nonce', nonce]
    ])
  )
}

/** Reads and proves a bundle against the genesis. Throws InvalidDocumentError. */
export function readClaim(
  bytes: Uint8Array,
  genesis: VerifiedGenesis,
  generation = genesis.genesis.generation
): VerifiedClaim {
  return provenClaim(bytes, genesis, generation) ?? keepClaim(proveClaim(bytes, genesis, generation), genesis)
}

/** What `readClaim` answers, if it has done so before for these very bytes; costs no decoding. */
export function provenClaim(
  bytes: Uint8Array,
  genesis: VerifiedGenesis,
  generation: number
): VerifiedClaim | undefined {
  const claim = proven.get(genesis)?.get(bytes)
  return claim?.generation === generation ? claim : undefined
}

/** Founders, and members of a large cluster. */
const CLAIMS_REMEMBERED_MAX = 1_024
const proven = new WeakMap<VerifiedGenesis, Proven<VerifiedClaim>>()

function keepClaim(claim: VerifiedClaim, genesis: VerifiedGenesis): VerifiedClaim {
  let claims = proven.get(genesis)
  if (claims === undefined) proven.set(genesis, (claims = new Proven(CLAIMS_REMEMBERED_MAX)))
  payloads.set(claim.bytes, claim.payload)
  return claims.keep(claim.bytes, claim)
}

/** By the bundle of a claim that was proved. */
const payloads = new WeakMap<Uint8Array, Uint8Array>()

function proveClaim(bytes: Uint8Array, genesis: VerifiedGenesis, generation: number): VerifiedClaim {
  const { document, token: tokenDocument } = unbundle(bytes)
  const cose = readSign(KIND, document, PAYLOAD_BYTES_MAX)
  const { fields, publicKey } = decodePayload(cose.payload)
  requireDomain(fields, genesis, generation)
  const token = tokenDocument === undefined ? undefined : verifyToken(tokenDocument, genesis, generation)
  requireCredential(fields, token, genesis)
  // Exactly the keys that must sign: a further signature would let one claim have several forms.
  const expected = token === undefined ? [publicKey] : [publicKey, token.tokenKey]
  const signers = cose.signatures.map((signature) => signature.publicKey)
  if (
    signers.length !== expected.length ||
    !expected.every((key) => signers.some((signer) => equalBytes(signer, key)))
  ) {
    throw new InvalidDocumentError(KIND, 'missing-signature', 'it is not signed by the node key and the token key')
  }
  verifyCose(cose)
  return present(fields, token, cose.payload, bytes)
}

/** The claim's fields and its token's document, without any proof. Throws InvalidDocumentError. */
export function decodeClaim(bytes: Uint8Array): {
  readonly fields: ClaimFields
  readonly token: Uint8Array | undefined
} {
  const { document, token } = unbundle(bytes)
  return { fields: decodePayload(readSign(KIND, document, PAYLOAD_BYTES_MAX).payload).fields, token }
}

/** The signed payload of a bundle, without any proof. */
export const claimPayload = (bytes: Uint8Array): Uint8Array =>
  payloads.get(bytes) ?? readSign(KIND, unbundle(bytes).document, PAYLOAD_BYTES_MAX).payload

export const incarnationOf = (peerId: string, storeId: string): string => `${peerId}#${storeId}`

const rosterSeat = ({ genesis }: VerifiedGenesis, peerId: string): number | undefined =>
  genesis.roster.find((entry) => entry.peerId === peerId)?.seat

function requireDomain(fields: ClaimFields, genesis: VerifiedGenesis, generation: number): void {
  if (!equalBytes(fields.domainId, genesis.domainId)) {
    throw new InvalidDocumentError(
      KIND,
      'foreign',
      `it is for domain ${toHex(fields.domainId)}, and this is ${toHex(genesis.domainId)}`
    )
  }
  if (fields.generation !== generation) {
    throw new InvalidDocumentError(
      KIND,
      'foreign',
      `it is for generation ${fields.generation}, and this is ${generation}`
    )
  }
}

/** The claim says what its credential grants: no more, no less. */
function requireCredential(fields: ClaimFields, token: Token | undefined, genesis: VerifiedGenesis): void {
  const { tokenId, seat, peerId } = fields
  if (token === undefined) {
    if (tokenId !== undefined) rule(`it names token ${tokenId} and does not bring it`)
    if (genesis.genesis.mode !== 'roster')
      rule(`${peerId} brings no token, and ${genesis.genesis.name} is founded by tokens`)
    const own = rosterSeat(genesis, peerId)
    if (own === undefined) rule(`${peerId} is not in the roster of ${genesis.genesis.name}`)
    if (own !== seat) rule(`it takes seat ${seat}, and the roster gives ${peerId} seat ${own}`)
    return
  }
  if (tokenId !== token.tokenId) rule(`it names token ${tokenId} and brings token ${token.tokenId}`)
  const granted = token.kind === 'founding' ? token.seat : undefined
  if (seat !== granted) rule(`it takes seat ${seat ?? 'none'}, and its token grants seat ${granted ?? 'none'}`)
  if (token.boundPeer !== undefined && token.boundPeer !== peerId) {
    rule(`its token is for ${token.boundPeer}, and it is of ${peerId}`)
  }
}

function present(fields: ClaimFields, token: Token | undefined, payload: Uint8Array, bytes: Uint8Array): VerifiedClaim {
  const incarnation = incarnationOf(fields.peerId, fields.storeId)
  const own = bytes.slice()
  return {
    ...fields,
    incarnation,
    role: token?.kind === 'join' ? token.role : 'voter',
    token,
    payload,
    bytes: own,
    founding:
      fields.seat === undefined ? undefined : { incarnation, peerId: fields.peerId, seat: fields.seat, bytes: own }
  }
}

function unbundle(bytes: Uint8Array): { readonly document: Uint8Array; readonly token: Uint8Array | undefined } {
  const value = decodeDocument(KIND, bytes, CLAIM_BUNDLE_BYTES_MAX, { depthMax: 1, itemsMax: 2 })
  const [document, token] = Array.isArray(value) ? (value as readonly CborValue[]) : []
  const isDocument = document instanceof Uint8Array && document.byteLength <= COSE_BYTES_MAX
  const isToken = token === undefined || (token instanceof Uint8Array && token.byteLength <= TOKEN_BYTES_MAX)
  if (isDocument && isToken) return { document, token }
  throw new InvalidDocumentError(KIND, 'malformed', 'a bundle of a claim and at most one token is expected')
}

function decodePayload(payload: Uint8Array): { readonly fields: ClaimFields; readonly publicKey: Uint8Array } {
  const map = new Fields(KIND, decodeDocument(KIND, payload, PAYLOAD_BYTES_MAX, { depthMax: 1, itemsMax: 16 }))
  const publicKey = map.bytes('peer', PUBLIC_KEY_BYTES)
  const fields: ClaimFields = {
    domainId: map.bytes('domain', 32),
    generation: map.integer('gen', 1),
    tokenId: map.optional('token', () => toHex(map.bytes('token', 16))),
    seat: map.optional('seat', () => map.integer('seat', 1)),
    peerId: peerIdFromPublicKey(publicKey),
    storeId: toHex(map.bytes('store', STORE_ID_BYTES)),
    nonce: map.bytes('nonce', CLAIM_NONCE_BYTES)
  }
  map.end()
  return { fields, publicKey }
}

const rule = (reason: string): never => {
  throw new InvalidDocumentError(KIND, 'rule', reason)
}
