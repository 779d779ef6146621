/**
 * Who has used which join token: part of the replicated state, because "good for one machine" must hold for the whole cluster, and
 * not for each member alone (DESIGN: trust).
 *
 * A redemption is a command in the log. The first `uses` peers get in; the same peer may come again, with another disk too; anybody
 * else holds a copy. Admission has verified the token before its redemption is proposed, so the command repeats only what
 * the state machine counts: it is deterministic, total, and reads no signature. Nothing is ever forgotten: a token that could
 * be used up twice would be one without a limit.
 */
import { compareText, fromHex, toHex } from '../core/bytes.ts'
import { CborError, type CborKey, type CborMap, type CborValue, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { CborFields } from '../core/cbor-fields.ts'
import { invariant } from '../core/invariant.ts'

/** A `command` entry of this kind; the config's is another (docs/protocol/config.md). */
const KIND_REDEEM = 2
const KIND = 0
const TOKEN_ID = 1
const PEER_ID = 2
const ROLE = 3
const USES = 4

const TOKEN_ID_BYTES = 16
const PEER_ID_CHARS_MAX = 128
const ROLES = ['voter', 'observer'] as const

export type JoinRole = (typeof ROLES)[number]

export interface Redeem {
  /** Hex. */
  readonly tokenId: string
  readonly peerId: string
  readonly role: JoinRole
  /** How many peers the token is good for. */
  readonly uses: number
}

export function encodeRedeem({ tokenId, peerId, role, uses }: Redeem): Uint8Array<ArrayBuffer> {
  const id = fromHex(tokenId)
  invariant(id?.byteLength === TOKEN_ID_BYTES, () => `token id ${tokenId} is not ${TOKEN_ID_BYTES} bytes of hex`)
  return encodeCbor(
    new Map<CborKey, CborValue>([
      [KIND, KIND_REDEEM],
      [TOKEN_ID, id],
      [PEER_ID, peerId],
      [ROLE, role],
      [USES, uses]
    ])
  )
}

/** Never throws. `undefined`: another kind of command; `malformed`: ours, and not to be read. */
export function decodeRedeem(bytes: Uint8Array): Redeem | 'malformed' | undefined {
  // Key 0 comes first in a deterministic map, so most commands are known for another kind without being read.
  if (bytes[1] !== KIND || bytes[2] !== KIND_REDEEM) return undefined
  const map = readMap(bytes)
  if (map?.get(KIND) !== KIND_REDEEM) return undefined
  const tokenId = map.get(TOKEN_ID)
  const peerId = map.get(PEER_ID)
  const role = ROLES.find((known) => known === map.get(ROLE))
  const uses = map.get(USES)
  const isRead =
    map.size === 5 &&
    tokenId instanceof Uint8Array &&
    tokenId.byteLength === TOKEN_ID_BYTES &&
    typeof peerId === 'string' &&
    peerId.length > 0 &&
    peerId.length <= PEER_ID_CHARS_MAX &&
    role !== undefined &&
    typeof uses === 'number' &&
    uses >= 1
  return isRead ? { tokenId: toHex(tokenId), peerId, role, uses } : 'malformed'
}

function readMap(bytes: Uint8Array): CborMap | undefined {
  try {
    const value = decodeCbor(bytes, { depthMax: 1, itemsMax: 64 })
    return value instanceof Map ? (value as CborMap) : undefined
  } catch (error) {
    if (error instanceof CborError) return undefined
    throw error
  }
}

interface Redeemed {
  readonly role: JoinRole
  readonly peerIds: readonly string[]
}

/** Immutable. Equal on all members that have applied the same entries. */
export type Redemptions = ReadonlyMap<string, Redeemed>

export const NO_REDEMPTIONS: Redemptions = new Map()

export type RedeemResult =
  | { readonly type: 'redeemed' }
  /** By this very peer, before. */
  | { readonly type: 'repeated' }
  | { readonly type: 'used-up'; readonly by: readonly string[] }

export function applyRedeem(
  state: Redemptions,
  { tokenId, peerId, role, uses }: Redeem
): { readonly state: Redemptions; readonly result: RedeemResult } {
  const peerIds = redeemedBy(state, tokenId)
  if (peerIds.includes(peerId)) return { state, result: { type: 'repeated' } }
  if (peerIds.length >= uses) return { state, result: { type: 'used-up', by: peerIds } }
  const next = new Map(state)
  next.set(tokenId, { role, peerIds: [...peerIds, peerId] })
  return { state: next, result: { type: 'redeemed' } }
}

/** As part of a snapshot: equal redemptions give equal values, in whatever order the tokens were used. */
export const encodeRedemptions = (state: Redemptions): CborValue =>
  [...state]
    .toSorted(([a], [b]) => compareText(a, b))
    .map(([tokenId, { role, peerIds }]) => [fromHex(tokenId)!, role, peerIds])

/** `fail` makes the error for what is no such value, from one sentence. */
export function decodeRedemptions(value: CborValue | undefined, fail: (problem: string) => Error): Redemptions {
  const redemptions = new Map<string, Redeemed>()
  const list = new CborFields(value, 'redemptions', fail)
  while (list.left > 0) {
    const f = list.fields('token')
    const tokenId = toHex(f.bytes('id', TOKEN_ID_BYTES))
    const name = f.text('role', PEER_ID_CHARS_MAX)
    const role = ROLES.find((known) => known === name)
    if (role === undefined) throw fail(`redemptions: there is no role ${name}`)
    const peers = f.fields('peers')
    const peerIds: string[] = []
    while (peers.left > 0) peerIds.push(peers.text('peer', PEER_ID_CHARS_MAX))
    f.end()
    redemptions.set(tokenId, { role, peerIds })
  }
  return redemptions
}

/** PeerIds, in the order in which they came. */
export const redeemedBy = (state: Redemptions, tokenId: string): readonly string[] => state.get(tokenId)?.peerIds ?? []

/** The most that any token of this peer grants; undefined for whoever came without one. */
export function roleOf(state: Redemptions, peerId: string): JoinRole | undefined {
  let found: JoinRole | undefined
  for (const { role, peerIds } of state.values()) {
    if (!peerIds.includes(peerId)) continue
    if (role === 'voter') return role
    found = role
  }
  return found
}
