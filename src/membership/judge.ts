/**
 * The judge of a hello: a pure function from what a peer showed, and what the channel proved about it, to admission or one
 * refusal (DESIGN: trust; FAULTS B4 to B6). Cheap comparisons come first, signatures last.
 *
 * Before founding, two claims on one seat are both admitted: formation must hear of both, to name them and stop (a refusal here
 * would let the one that came first win, on each node another). After founding a seat belongs to the peer of the certificate.
 * The same peer with another store is admitted: it is a new incarnation that has lost its disk, and membership decides what it
 * may do, but not while the other one is alive: then the key was copied. Of one disk the life with the higher boot is let in, as a
 * restart would be, and once it is proved that the disk was copied, no other beside it. Dates are judged only for peers that are not
 * members yet.
 */
import { equalBytes, toHex } from '../core/bytes.ts'
import { readAddressRecord, type AddressRecord } from '../identity/address-record.ts'
import { isSameLife, lifeText } from '../identity/boot-contradiction.ts'
import { decodeBootStatement, readBootStatement, type BootStatement } from '../identity/boot-statement.ts'
import {
  decodeClaim,
  incarnationOf,
  provenClaim,
  readClaim,
  type ClaimFields,
  type VerifiedClaim
} from '../identity/claim.ts'
import { dateText } from '../identity/dates.ts'
import { InvalidDocumentError } from '../identity/document.ts'
import type { VerifiedGenesis } from '../identity/genesis.ts'
import { decodeToken, judgeDates } from '../identity/token.ts'
import { AGENT_CHARS_MAX, decodeHello, HELLO_VERSION, type Hello } from './hello.ts'
import { printable, refusal, type Refusal, type RefusalCode } from './refusal.ts'

/** What admission proved about a peer. */
export interface Admitted {
  readonly peerId: string
  /** Hex of 16 bytes. */
  readonly storeId: string
  /** `<peerId>#<storeId>`. */
  readonly incarnation: string
  /** Of the founding claim; undefined for a peer with a join token. */
  readonly seat: number | undefined
  /** What its credential entitles to; whether it votes is decided by membership. */
  readonly role: 'voter' | 'observer'
  /** As formation wants it; undefined for a peer with a join token. */
  readonly claim: VerifiedClaim['founding']
  /** The whole claim with its token: what a redemption commits. */
  readonly credential: VerifiedClaim
  readonly boot: number
  /** Hex of 16 bytes. */
  readonly bootNonce: string
  /** Where boot and nonce are from: the first one of this process life. */
  readonly statement: BootStatement
  /** Hex; undefined when the peer has not founded yet. */
  readonly clusterId: string | undefined
  /** What it signed about where it can be dialled. */
  readonly addresses: AddressRecord | undefined
  /** The record as signed, to be passed on. */
  readonly addressRecord: Uint8Array | undefined
  /** Program and version, printable; for people. */
  readonly agent: string
  /** What it wishes, from 0 to 1,000. */
  readonly priority: number
}

/** One process life of an incarnation, as somebody showed it. */
export interface BootSighting {
  readonly peerId: string
  /** Hex. */
  readonly storeId: string
  readonly boot: number
  /** Hex. */
  readonly bootNonce: string
}

/** What this node knows when it judges. */
export interface AdmissionContext {
  readonly self: { readonly peerId: string }
  readonly domainId: Uint8Array
  readonly generation: number
  /** Undefined for a node whose token only pins the domain, until a peer hands the document over. */
  readonly genesis: VerifiedGenesis | undefined
  /** Undefined until founded. */
  readonly clusterId: Uint8Array | undefined
  /** Seat -> who holds it, from the founding certificate; undefined until founded. */
  readonly seats: ReadonlyMap<number, { readonly peerId: string; readonly incarnation: string }> | undefined
  /** Whom Noise proved the peer to be. */
  readonly remotePeerId: string
  readonly wallMs: number
  /** Latest time that a signed document vouches for. Default: the creation of the genesis. */
  readonly floorMs?: number
  /** Incarnations that are members now, besides those of the certificate: their dates no longer matter. */
  readonly members?: ReadonlySet<string>
  /** PeerIds that have redeemed this token (hex), from the committed state. */
  readonly redeemedBy?: (tokenId: string) => readonly string[]
  /** True when the PeerId or the token id (hex) was revoked. */
  readonly isRevoked?: (id: string) => boolean
  /** Process lives that have a session with us now. */
  readonly live?: readonly BootSighting[]
  /** True when this incarnation has no vote, and its own statements prove to anybody why. */
  readonly isConvicted?: (incarnation: string) => boolean
}

export type Judgement =
  | { readonly ok: true; readonly admitted: Admitted; readonly wantsGenesis: boolean }
  /** `sighting`: it is refused as a copy, and this is what it has signed. */
  | { readonly ok: false; readonly refusal: Refusal; readonly sighting?: BootStatement }

/** Never throws: whatever the bytes are, there is a judgement. */
export function judgeHello(bytes: Uint8Array, context: AdmissionContext): Judgement {
  try {
    const hello = decodeHello(bytes)
    if ('unreadable' in hello) {
      return refuse('version', `the peer speaks version ${hello.version} of the hello, and we speak ${HELLO_VERSION}`)
    }
    return judge(hello, context)
  } catch (error) {
    if (error instanceof InvalidDocumentError) {
      return refuse(error.fault === 'bad-signature' ? 'bad-signature' : 'malformed', error.message)
    }
    throw error
  }
}

function judge(hello: Hello, context: AdmissionContext): Judgement {
  const problem = surfaceProblem(hello, context)
  if (problem !== undefined) return { ok: false, refusal: problem }
  const { genesis } = context
  if (genesis === undefined) {
    return refuse(
      'genesis-unknown',
      `we hold no genesis of domain ${toHex(context.domainId)} to check the peer against`
    )
  }
  if (hello.claim === undefined) {
    return refuse('no-credential', `${context.remotePeerId} showed no claim to a place in ${genesis.genesis.name}`)
  }
  const known = provenClaim(hello.claim, genesis, context.generation)
  const fields = known ?? decodeClaim(hello.claim).fields
  if (fields.peerId !== context.remotePeerId) {
    return refuse(
      'token-wrong-peer',
      `the claim is of ${fields.peerId}, and the channel proved ${context.remotePeerId}`
    )
  }
  const claim = known ?? proveClaim(hello.claim, fields, context, genesis)
  if ('code' in claim) return { ok: false, refusal: claim }
  const standing = standingProblem(claim, hello, context, genesis)
  if (standing !== undefined) return { ok: false, refusal: standing }
  const boot = proveBoot(hello.boot, claim)
  if ('code' in boot) return { ok: false, refusal: boot }
  const copy = cloneProblem(boot, context)
  if (copy !== undefined) return { ok: false, refusal: copy, sighting: boot }
  return admit(hello, claim, boot)
}

/** What needs no signature. */
function surfaceProblem(hello: Hello, context: AdmissionContext): Refusal | undefined {
  if (context.remotePeerId === context.self.peerId)
    return refusal('self', `we reached ourselves (${context.self.peerId})`)
  if (!equalBytes(hello.domainId, context.domainId)) {
    return refusal(
      'foreign-domain',
      `the peer belongs to domain ${toHex(hello.domainId)}, and we belong to ${toHex(context.domainId)}`
    )
  }
  if (hello.generation !== context.generation) {
    return refusal(
      'foreign-generation',
      `the peer is of generation ${hello.generation}, and we are of ${context.generation}`
    )
  }
  const { clusterId } = context
  if (clusterId !== undefined && hello.clusterId !== undefined && !equalBytes(clusterId, hello.clusterId)) {
    return refusal(
      'foreign-cluster',
      `the peer belongs to cluster ${toHex(hello.clusterId)}, and we belong to ${toHex(clusterId)} of the same domain`
    )
  }
  return undefined
}

/** The claim, or why it does not hold. */
function proveClaim(
  bytes: Uint8Array,
  fields: ClaimFields,
  context: AdmissionContext,
  genesis: VerifiedGenesis
): VerifiedClaim | Refusal {
  const outside = outsiderProblem(bytes, fields, genesis)
  if (outside !== undefined) return outside
  try {
    return readClaim(bytes, genesis, context.generation)
  } catch (error) {
    if (!(error instanceof InvalidDocumentError)) throw error
    return refusal(codeOf(error, fields, context), error.message)
  }
}

/** Two mistakes that operators make, named before any signature is looked at. */
function outsiderProblem(bytes: Uint8Array, fields: ClaimFields, genesis: VerifiedGenesis): Refusal | undefined {
  const { token: document } = decodeClaim(bytes)
  const { name, mode, roster } = genesis.genesis
  if (document === undefined) {
    if (mode === 'roster' && !roster.some(({ peerId }) => peerId === fields.peerId)) {
      return refusal(
        'not-in-roster',
        `${fields.peerId} is not among the ${roster.length} peers of the roster of ${name}`
      )
    }
    return mode === 'roster'
      ? undefined
      : refusal('no-credential', `${fields.peerId} brings no token, and ${name} asks for one`)
  }
  const { boundPeer, tokenId } = decodeToken(document)
  if (boundPeer !== undefined && boundPeer !== fields.peerId) {
    return refusal('token-wrong-peer', `token ${tokenId} was made for ${boundPeer}, and ${fields.peerId} brings it`)
  }
  return undefined
}

function codeOf(error: InvalidDocumentError, fields: ClaimFields, context: AdmissionContext): RefusalCode {
  switch (error.fault) {
    case 'malformed':
      return 'malformed'
    case 'bad-signature':
    case 'missing-signature':
      return 'bad-signature'
    case 'unknown-issuer':
      return 'unknown-issuer'
    case 'foreign':
      return equalBytes(fields.domainId, context.domainId) && fields.generation !== context.generation
        ? 'foreign-generation'
        : 'foreign-domain'
    case 'rule':
      return 'role-forbidden'
  }
}

/** What the committed state says about a claim that holds. */
function standingProblem(
  claim: VerifiedClaim,
  hello: Hello,
  context: AdmissionContext,
  genesis: VerifiedGenesis
): Refusal | undefined {
  return (
    revocationProblem(claim, context) ??
    seatProblem(claim, context) ??
    usesProblem(claim, context) ??
    dateProblem(claim, hello, context, genesis)
  )
}

/** The boot statement of this very incarnation, or why it is none. */
function proveBoot(bytes: Uint8Array, claim: VerifiedClaim): BootStatement | Refusal {
  const { peerId, storeId, domainId, generation } = decodeBootStatement(bytes)
  const isOurs = equalBytes(domainId, claim.domainId) && generation === claim.generation
  if (peerId !== claim.peerId || storeId !== claim.storeId || !isOurs) {
    const whose = `${incarnationOf(peerId, storeId)} of domain ${toHex(domainId)}, generation ${generation}`
    return refusal('malformed', `the boot statement is of ${whose}, and ${claim.incarnation} brings it`)
  }
  return readBootStatement(bytes)
}

function revocationProblem({ peerId, tokenId }: VerifiedClaim, { isRevoked }: AdmissionContext): Refusal | undefined {
  if (isRevoked?.(peerId) === true) return refusal('revoked', `${peerId} was revoked`)
  if (tokenId !== undefined && isRevoked?.(tokenId) === true) return refusal('revoked', `token ${tokenId} was revoked`)
  return undefined
}

function seatProblem({ seat, peerId }: VerifiedClaim, { seats }: AdmissionContext): Refusal | undefined {
  const holder = seat === undefined ? undefined : seats?.get(seat)
  if (holder === undefined || holder.peerId === peerId) return undefined
  return refusal(
    'token-already-used',
    `seat ${seat} belongs to ${holder.peerId} since founding, and ${peerId} claims it`
  )
}

function usesProblem({ token, peerId }: VerifiedClaim, { redeemedBy }: AdmissionContext): Refusal | undefined {
  if (token?.kind !== 'join') return undefined
  const users = redeemedBy?.(token.tokenId) ?? []
  if (users.includes(peerId) || users.length < token.uses) return undefined
  return refusal(
    'token-already-used',
    `token ${token.tokenId} was good for ${token.uses} ${token.uses === 1 ? 'peer' : 'peers'} and was used by ${users.join(', ')}`
  )
}

function dateProblem(
  claim: VerifiedClaim,
  hello: Hello,
  context: AdmissionContext,
  genesis: VerifiedGenesis
): Refusal | undefined {
  const { token } = claim
  if (token === undefined || isMember(claim, context)) return undefined
  const { wallMs } = context
  const floorMs = context.floorMs ?? genesis.genesis.createdAtMs
  const clocks = `our clock says ${dateText(wallMs)}, the peer's ${dateText(hello.wallMs)}`
  switch (judgeDates(token, wallMs, floorMs)) {
    case 'expired':
      return refusal('token-expired', `token ${token.tokenId} ended at ${dateText(token.expiresMs!)}; ${clocks}`)
    case 'not-yet-valid':
      return refusal(
        'token-not-yet-valid',
        `token ${token.tokenId} begins at ${dateText(token.notBeforeMs!)}; ${clocks}`
      )
    case 'valid':
      return undefined
  }
}

/** A peer that was let in once is not put out by a date: one clock that jumps would otherwise end the quorum. */
function isMember({ incarnation, peerId, token }: VerifiedClaim, context: AdmissionContext): boolean {
  if (context.members?.has(incarnation) === true) return true
  for (const holder of context.seats?.values() ?? []) if (holder.incarnation === incarnation) return true
  return token !== undefined && (context.redeemedBy?.(token.tokenId).includes(peerId) ?? false)
}

function cloneProblem(boot: BootStatement, { live, isConvicted }: AdmissionContext): Refusal | undefined {
  const { peerId, storeId } = boot
  const other = live?.find((sighting) => sighting.peerId === peerId && sighting.storeId !== storeId)
  if (other !== undefined) {
    return refusal('clone', `${peerId} is alive on two disks, ${other.storeId} and ${storeId}: its key was copied`)
  }
  const twin = live?.find((one) => one.peerId === peerId && one.boot === boot.boot && !isSameLife(one, boot))
  const incarnation = incarnationOf(peerId, storeId)
  if (twin !== undefined) {
    return refusal('clone', `${incarnation} is alive twice, as ${lifeText(twin)} and as ${lifeText(boot)}`)
  }
  // Until there is proof it may bring it, and has to be told. After that each of the two would only end the other's session, for ever.
  const later = live?.find((one) => one.peerId === peerId && one.boot > boot.boot)
  if (later === undefined || isConvicted?.(incarnation) !== true) return undefined
  return refusal(
    'clone',
    `${incarnation} has no vote since its disk was set back or copied, and is here as ${lifeText(later)}: ${lifeText(boot)} is not let in beside it`
  )
}

function admit(hello: Hello, claim: VerifiedClaim, statement: BootStatement): Judgement {
  const addresses = hello.addressRecord === undefined ? undefined : readAddressRecord(hello.addressRecord)
  if (addresses !== undefined && addresses.peerId !== claim.peerId) {
    return refuse('malformed', `the address record is of ${addresses.peerId}, and ${claim.peerId} brings it`)
  }
  return {
    ok: true,
    wantsGenesis: hello.needGenesis,
    admitted: {
      peerId: claim.peerId,
      storeId: claim.storeId,
      incarnation: claim.incarnation,
      seat: claim.seat,
      role: claim.role,
      claim: claim.founding,
      credential: claim,
      boot: statement.boot,
      bootNonce: statement.bootNonce,
      statement,
      clusterId: hello.clusterId === undefined ? undefined : toHex(hello.clusterId),
      addresses,
      addressRecord: hello.addressRecord,
      agent: printable(hello.agent, AGENT_CHARS_MAX),
      priority: hello.priority
    }
  }
}

const refuse = (code: RefusalCode, detail: string): Judgement => ({ ok: false, refusal: refusal(code, detail) })
