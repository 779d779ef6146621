/**
 * The cast of a simulated cluster: genesis, keys, tokens and claims, all of them real documents with real Ed25519
 * signatures, and the same in every run. They are made before a run begins, because making documents is asynchronous;
 * inside the run only verification and the acceptance signatures of formation remain, and both are synchronous.
 *
 * What keeps this fast enough for bulk runs is memory, not pretence: a verdict on the same bytes is the same verdict, so
 * each distinct document is proved once in a process by the shipped verifier, and remembered.
 */
import { createPrivateKey, sign, type KeyObject } from 'node:crypto'
import { concat, fromHex, toHex, utf8 } from '../core/bytes.ts'
import { sha256 } from '../core/hash.ts'
import { RecentMap } from '../core/recent-map.ts'
import type { JsonValue } from '../core/json.ts'
import type { FormationCrypto } from '../formation/types.ts'
import { makeAddressRecord, readAddressRecord, type AddressRecord } from '../identity/address-record.ts'
import { makeBootStatement } from '../identity/boot-statement.ts'
import { formationCrypto } from '../identity/certificate.ts'
import { decodeClaim, incarnationOf, makeClaim, readClaim } from '../identity/claim.ts'
import { createGenesis, type VerifiedGenesis } from '../identity/genesis.ts'
import type { JoinRole } from '../membership/redemptions.ts'
import { localKeyFromSeed } from '../identity/signer.ts'
import { createToken, type ParsedToken, parseToken, type TokenInit } from '../identity/token.ts'
import type { ReplicaInit } from '../replica/init.ts'

/** Epoch ms at which every simulated cluster was designed. */
export const GENESIS_AT_MS = 1_750_000_000_000
/** Disks that one machine may go through in a run. */
const STORES_MAX = 4
/** The same for machines that join: there may be a thousand of them. */
const JOINER_STORES_MAX = 2
const LISTEN_PORT = 4001
/** Places of those who hold copied tokens, beyond all joiners. */
const COPIES_FROM = 2_000

/** Tokens are good in the month after the cluster was designed. Runs begin a day later, and clocks jump by years (FAULTS N11). */
const MONTH = { notBeforeMs: GENESIS_AT_MS, expiresMs: GENESIS_AT_MS + 30 * 86_400_000 } as const

type LocalKey = ReturnType<typeof localKeyFromSeed>
/** How often the address of a machine can change in a run. */
const MOVES_MAX = 6

/** One disk of one machine: what an incarnation shows. */
export interface Store {
  readonly storeId: Uint8Array
  /** Who its replica is. */
  readonly self: ReplicaInit['self']
  /** The bundle that the hello shows. */
  readonly claimBytes: Uint8Array
}

export interface Actor {
  readonly name: string
  readonly peerId: string
  readonly publicKey: Uint8Array
  readonly address: string
  readonly addressRecord: Uint8Array
  /** Where a founder may be later, with the record that says so. */
  readonly moves: readonly { readonly address: string; readonly record: Uint8Array }[]
  readonly stores: readonly Store[]
  /** What lets it in, how many machines that is good for, and as what. */
  readonly token: { readonly tokenId: string; readonly uses: number; readonly role: JoinRole }
  /** Synchronous, unlike the shipped signer: the signature is the same, Ed25519 is deterministic. */
  sign(payload: Uint8Array): Uint8Array
}

/** Somebody without credentials of this cluster, and what it tries. */
export interface Stranger {
  readonly name: string
  readonly peerId: string
  readonly claimBytes: Uint8Array | undefined
  /** The boot statement of its own key. Default: that of whomever it robs, or else of whom it meets. */
  readonly boot?: Uint8Array
  /** Whose hello it has recorded: the place among the founders. */
  readonly robs?: number
  readonly domainId: Uint8Array
  readonly clusterId?: Uint8Array
  /** Before that it is no stranger: a founding token is as good as the next. */
  readonly comesAfterFounding?: boolean
  /** Its token is not valid at the time of these runs. */
  readonly isDated?: boolean
}

/** One credential that several machines hold a copy of, each with a key of its own. */
export interface CopiedToken {
  /** How many of them may become members by it. */
  readonly uses: number
  readonly holders: readonly Actor[]
}

/** A token of founder 1, which holds it as well, and join tokens for one machine (FAULTS O3, B4). They come only when a fault says so. */
export type CopiedTokens = Readonly<Record<'founding' | JoinRole, CopiedToken>>

export interface Cast {
  readonly genesis: VerifiedGenesis
  readonly crypto: FormationCrypto
  /** The founders. */
  readonly actors: readonly Actor[]
  /** Machines with a join token. */
  readonly joiners: readonly Actor[]
  readonly copied: CopiedTokens
  readonly strangers: readonly Stranger[]
  readonly readAddressRecord: (bytes: Uint8Array) => AddressRecord | undefined
  /** A founder, a joiner, or the holder of a copied token. */
  actorOf(peerId: string): Actor | undefined
}

export interface CastInit {
  /** Founding size. */
  readonly size: number
  /** Machines that share one join token. Default 0. */
  readonly joiners?: number
  /** What that token entitles to. Default `observer`: they receive, and never vote. */
  readonly joinRole?: JoinRole
}

const casts = new Map<string, Promise<Cast>>()

/** The cast of a cluster of `size` founders, or more. Made once in a process. */
export function castOf(init: number | CastInit): Promise<Cast> {
  const { size, joiners = 0, joinRole = 'observer' } = typeof init === 'number' ? { size: init } : init
  const key = `${size}/${joiners}/${joinRole}`
  const known = casts.get(key)
  if (known !== undefined) return known
  const made = makeCast({ size, joiners, joinRole })
  casts.set(key, made)
  return made
}

/** Who takes part in the run of a seed: in a third of them one more machine comes with a join token. */
export const castOfSeed = (size: number, seed: number): Promise<Cast> =>
  castOf(seed % 3 === 0 ? { size, joiners: 1, joinRole: seed % 2 === 0 ? 'voter' : 'observer' } : size)

const bytesOf = (length: number, name: string): Uint8Array =>
  sha256(utf8(`quorate simulation: ${name}`)).slice(0, length)

async function makeCast({ size, joiners: joining, joinRole }: Required<CastInit>): Promise<Cast> {
  const issuer = localKeyFromSeed(bytesOf(32, 'issuer'))
  const genesis = await createGenesis(
    {
      name: `simulated-${size}`,
      foundingSize: size,
      config: { limit: 1 } satisfies JsonValue,
      createdAtMs: GENESIS_AT_MS,
      nonce: bytesOf(16, `genesis ${size}`)
    },
    [issuer.signer]
  )
  const tokenFor = async (grant: TokenInit['grant'], name: string): Promise<ParsedToken> => {
    const init = { grant, ...MONTH, tokenId: bytesOf(16, `token ${name}`), seed: bytesOf(32, `token seed ${name}`) }
    return parseToken((await createToken(genesis, [issuer.signer], init)).text.revealText())
  }
  const actors: Actor[] = []
  const tokenOfSeat = (seat: number): Promise<ParsedToken> => tokenFor({ kind: 'founding', seat }, `${size}/${seat}`)
  for (let seat = 1; seat <= size; seat++) {
    const token = await tokenOfSeat(seat)
    actors.push(await makeActor({ genesis, token, size, place: seat, stores: STORES_MAX }))
  }
  const joiners: Actor[] = []
  const invitation = await tokenFor({ kind: 'join', role: joinRole, uses: Math.max(1, joining) }, `${size}/join`)
  for (let place = size + 1; place <= size + joining; place++) {
    joiners.push(await makeActor({ genesis, token: invitation, size, place, stores: JOINER_STORES_MAX }))
  }
  const strangers = await makeStrangers(genesis, issuer, actors)
  const single = (role: JoinRole): Promise<ParsedToken> =>
    tokenFor({ kind: 'join', role, uses: 1 }, `${size}/single ${role}`)
  const holders = async (token: ParsedToken, places: readonly number[]): Promise<readonly Actor[]> => {
    const made: Actor[] = []
    for (const place of places) made.push(await makeActor({ genesis, token, size, place, stores: 1 }))
    return made
  }
  const copied: CopiedTokens = {
    founding: { uses: 1, holders: await holders(await tokenOfSeat(1), [COPIES_FROM]) },
    observer: { uses: 1, holders: await holders(await single('observer'), [COPIES_FROM + 1, COPIES_FROM + 2]) },
    voter: { uses: 1, holders: await holders(await single('voter'), [COPIES_FROM + 3, COPIES_FROM + 4]) }
  }
  const everybody = [...actors, ...joiners, ...Object.values(copied).flatMap((token) => token.holders)]
  const byPeerId = new Map(everybody.map((actor) => [actor.peerId, actor]))
  return {
    genesis,
    crypto: remembering(formationCrypto(genesis)),
    actors,
    joiners,
    copied,
    strangers,
    readAddressRecord: remember((bytes) => readAddressRecord(bytes)),
    actorOf: (peerId) => byPeerId.get(peerId)
  }
}

/** The claim of somebody who joins is proved by those who meet it, and by nobody before. */
function selfOf(
  claim: Uint8Array,
  peerId: string,
  storeId: Uint8Array,
  { token }: ParsedToken,
  genesis: VerifiedGenesis
): Store['self'] {
  if (token.kind === 'founding') return readClaim(claim, genesis).founding!
  return { incarnation: incarnationOf(peerId, toHex(storeId)), peerId, seat: undefined, role: token.role }
}

const grantOf = ({ token }: ParsedToken): Actor['token'] =>
  token.kind === 'join'
    ? { tokenId: token.tokenId, uses: token.uses, role: token.role }
    : { tokenId: token.tokenId, uses: 1, role: 'voter' }

interface ActorInit {
  readonly genesis: VerifiedGenesis
  readonly token: ParsedToken
  readonly size: number
  /** From 1; founders first. */
  readonly place: number
  readonly stores: number
}

async function makeActor({ genesis, token, size, place, stores: disks }: ActorInit): Promise<Actor> {
  const seed = bytesOf(32, `node ${place}`)
  const { signer } = localKeyFromSeed(seed)
  const stores: Store[] = []
  for (let number = 1; number <= disks; number++) {
    const storeId = bytesOf(16, `store ${size}/${place}/${number}`)
    const nonce = bytesOf(16, `nonce ${size}/${place}/${number}`)
    const claimBytes = await makeClaim({ node: signer, storeId, nonce, by: { type: 'token', token } })
    stores.push({ storeId, self: selfOf(claimBytes, signer.peerId, storeId, token, genesis), claimBytes })
  }
  // The last two numbers of the address are the place, in base 250.
  const address = `/ip4/10.0.${Math.floor(place / 250) * 2}.${place % 250}/tcp/${LISTEN_PORT}`
  const key = privateKey(seed)
  const moves: Actor['moves'][number][] = []
  const movesMax = place <= size ? MOVES_MAX : 0
  const name = place < COPIES_FROM ? `n${place}` : `c${place - COPIES_FROM + 1}`
  for (let move = 1; move <= movesMax; move++) {
    const at = `/ip4/10.1.${move}.${place}/tcp/${LISTEN_PORT}`
    moves.push({ address: at, record: await makeAddressRecord(signer, [at], move + 1) })
  }
  return {
    name,
    peerId: signer.peerId,
    publicKey: signer.publicKey,
    address,
    addressRecord: await makeAddressRecord(signer, [address], 1),
    moves,
    stores,
    token: grantOf(token),
    sign: signing(key)
  }
}

/**
 * One for each way of having no business here (FAULTS B4 to B6). Everything else about each of them is as it should be: what lets it
 * in when its own check is missing must not be caught by the next one.
 */
async function makeStrangers(
  genesis: VerifiedGenesis,
  issuer: LocalKey,
  actors: readonly Actor[]
): Promise<readonly Stranger[]> {
  const { peerId } = localKeyFromSeed(bytesOf(32, 'stranger')).signer
  const foreignIssuer = localKeyFromSeed(bytesOf(32, 'foreign issuer'))
  const foreign = await createGenesis(
    { name: 'foreign', foundingSize: 3, createdAtMs: GENESIS_AT_MS, nonce: bytesOf(16, 'foreign genesis') },
    [foreignIssuer.signer]
  )
  const stolen = actors[0]!.stores[0]!.claimBytes
  const altered = stolen.slice()
  altered[altered.length - 1]! ^= 1
  const base = { peerId, domainId: genesis.domainId }
  // What somebody writes who takes himself for an issuer.
  const usurped = { ...genesis, genesis: { ...genesis.genesis, issuers: foreign.genesis.issuers } }
  const claimWith = async (
    init: Omit<TokenInit, 'tokenId' | 'seed'>,
    name: string,
    by = issuer
  ): Promise<Pick<Stranger, 'claimBytes' | 'boot'> & { readonly claimBytes: Uint8Array }> => {
    const token = await createToken(by === issuer ? genesis : usurped, [by.signer], {
      ...init,
      tokenId: bytesOf(16, name),
      seed: bytesOf(32, name)
    })
    const node = localKeyFromSeed(bytesOf(32, 'stranger')).signer
    const [storeId, nonce] = [bytesOf(16, `store of ${name}`), bytesOf(16, `nonce of ${name}`)]
    const { domainId } = genesis
    const { generation } = genesis.genesis
    const nothing = { term: 0, votedFor: undefined, lastIndex: 0, commitIndex: 0, sequence: 0, seen: undefined }
    const life = { boot: 1, bootNonce: bytesOf(16, `boot of ${name}`) }
    return {
      claimBytes: await makeClaim({
        node,
        storeId,
        nonce,
        by: { type: 'token', token: parseToken(token.text.revealText()) }
      }),
      boot: await makeBootStatement(node, { domainId, generation, storeId, ...life, ...nothing })
    }
  }
  const join = { grant: { kind: 'join', role: 'observer' } } as const
  const dayMs = 86_400_000
  const expired = await claimWith({ ...join, expiresMs: GENESIS_AT_MS + dayMs / 2 }, 'expired')
  const early = await claimWith({ ...join, notBeforeMs: GENESIS_AT_MS + 400 * dayMs }, 'early')
  const second = await claimWith({ grant: { kind: 'founding', seat: 1 } }, 'second for seat 1')
  const selfMade = await claimWith(join, 'self-made', foreignIssuer)
  // It has seen somebody's token, as every member has, and not the key in it.
  const observed = await claimWith(join, 'observed')
  const forged = { ...observed, claimBytes: withoutTokenKey(observed.claimBytes) }
  const honest = { domainId: genesis.domainId, peerId: actors[0]!.peerId, claimBytes: stolen }
  return [
    { ...base, name: 'no-claim', claimBytes: undefined },
    { ...base, name: 'foreign-domain', domainId: foreign.domainId, claimBytes: undefined },
    { ...base, name: 'stolen-claim', claimBytes: stolen, robs: 0 },
    { ...base, name: 'altered-claim', peerId: actors[0]!.peerId, claimBytes: altered },
    { ...base, name: 'garbage', claimBytes: bytesOf(32, 'garbage') },
    { ...base, ...expired, name: 'expired', isDated: true },
    { ...base, ...early, name: 'early', isDated: true },
    { ...base, ...second, name: 'second for a seat', comesAfterFounding: true },
    { ...base, ...selfMade, name: 'self-made token' },
    { ...base, ...forged, name: 'token without its key' },
    { ...honest, name: 'a clone' },
    { ...honest, name: 'from another cluster', clusterId: bytesOf(32, 'another cluster'), comesAfterFounding: true }
  ]
}

/** The claim's last byte is one of a signature, right before the head of the token: three bytes. */
function withoutTokenKey(claim: Uint8Array): Uint8Array {
  const { token } = decodeClaim(claim)
  const forged = claim.slice()
  forged[claim.byteLength - token!.byteLength - 4]! ^= 1
  return forged
}

function remembering(crypto: FormationCrypto): FormationCrypto {
  return { ...crypto, readClaim: remember((bytes) => crypto.readClaim(bytes)) }
}

/** Remembers the verdict on every distinct document; one that does not hold is undefined. */
export function remember<T>(read: (bytes: Uint8Array) => T | undefined): (bytes: Uint8Array) => T | undefined {
  const known = new RecentMap<{ readonly value: T | undefined }>(KNOWN_MAX)
  return (bytes) => {
    let verdict = known.get(bytes)
    if (verdict === undefined) known.set(bytes.slice(), (verdict = { value: tolerant(read, bytes) }))
    return verdict.value
  }
}

const KNOWN_MAX = 4_096

function tolerant<T>(read: (bytes: Uint8Array) => T | undefined, bytes: Uint8Array): T | undefined {
  try {
    return read(bytes)
  } catch {
    return undefined
  }
}

/** Ed25519 is deterministic, and the first life of a machine says the same in every run: equal payloads are signed once. */
function signing(key: KeyObject): Actor['sign'] {
  const known = new RecentMap<Uint8Array>(SIGNATURES_KNOWN_MAX)
  return (payload) => {
    let signature = known.get(payload)
    if (signature === undefined) known.set(payload.slice(), (signature = new Uint8Array(sign(null, payload, key))))
    return signature.slice()
  }
}

const SIGNATURES_KNOWN_MAX = 1_024

/** RFC 8410, as the shipped signer writes it. */
const privateKey = (seed: Uint8Array): KeyObject =>
  createPrivateKey({
    key: Buffer.from(concat(fromHex('302e020100300506032b657004220420')!, seed)),
    format: 'der',
    type: 'pkcs8'
  })
