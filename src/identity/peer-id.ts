/**
 * A PeerId is a node's Ed25519 public key as libp2p writes it: base58btc of an identity multihash of the protobuf
 * `{ Type: Ed25519, Data: key }` (libp2p specs, peer-ids). The key is inside the text, so translating needs no lookup, and
 * doing it here keeps libp2p itself out of everything that only wants to read a document.
 */
import { base58btc } from 'multiformats/bases/base58'
import { concat, equalBytes } from '../core/bytes.ts'
import { invariant } from '../core/invariant.ts'
import { PUBLIC_KEY_BYTES } from './ed25519.ts'

/** Multihash identity (00), 36 bytes (24), protobuf field 1 = Ed25519 (08 01), field 2 of 32 bytes (12 20). */
const PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)

/** Every Ed25519 PeerId has 52 characters: the prefix fixes the leading digits. */
export const PEER_ID_CHARS = 52

export function peerIdFromPublicKey(publicKey: Uint8Array): string {
  invariant(publicKey.byteLength === PUBLIC_KEY_BYTES, 'a public key has 32 bytes')
  return base58btc.baseEncode(concat(PREFIX, publicKey))
}

/** The 32-byte key, or undefined when the text is not the PeerId of an Ed25519 key. Does not judge the key itself. */
export function publicKeyFromPeerId(peerId: string): Uint8Array | undefined {
  if (!PEER_ID_SHAPE.test(peerId)) return undefined
  try {
    const bytes = base58btc.baseDecode(peerId)
    if (bytes.byteLength !== PREFIX.byteLength + PUBLIC_KEY_BYTES) return undefined
    return equalBytes(bytes.subarray(0, PREFIX.byteLength), PREFIX) ? bytes.slice(PREFIX.byteLength) : undefined
  } catch {
    return undefined
  }
}

export const isPeerId = (text: string): boolean => publicKeyFromPeerId(text) !== undefined

/** `12D3KooWAbC…xyz123`, for people; never compare it. */
export const shortPeerId = (peerId: string): string =>
  peerId.length <= 20 ? peerId : `${peerId.slice(0, 12)}…${peerId.slice(-6)}`

const PEER_ID_SHAPE = /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/
