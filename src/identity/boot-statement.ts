/**
 * A boot statement: what one process life of one data directory says of itself, signed by the node's key. "This is boot 7 of this
 * store, under this nonce; my disk has reached this term, this vote, this place of the log."
 *
 * A life makes its first statement (`sequence` 0) when it starts, from what it read back, and further ones as it goes on; all
 * statements of one store are ordered by (boot, sequence), and an honest store never takes anything back. So two statements that
 * contradict each other prove to anybody, at any later time and without asking anybody, that a disk was set back or copied
 * (`membership/boots.ts` has the rules). Only the key's owner can make such a pair: nobody can be accused by hearsay.
 *
 * `seen` names a statement of the same store that this life did not make and that its disk knows nothing of. It is what an
 * honest node says when it is shown a later life of itself, and it proves that both were alive.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import { encodeCbor } from '../core/cbor.ts'
import { sha256 } from '../core/hash.ts'
import { invariant } from '../core/invariant.ts'
import { type CoseDocument, readSign1, sealSign1, sign1, sign1ToSign, verifyCose } from './cose.ts'
import { cborMap, decodeDocument, Fields, InvalidDocumentError } from './document.ts'
import { peerIdFromPublicKey } from './peer-id.ts'
import { Proven } from './proven.ts'
import type { Signer } from './signer.ts'

export const BOOT_STATEMENT_BYTES_MAX = 1_024

const KIND = 'quorate/boot-statement/v1'
const PAYLOAD_BYTES_MAX = 512
const ID_BYTES = 16
const NODE_ID_CHARS_MAX = 256

/** How far a life's disk has got. Everything here is durable when it is said. */
export interface BootProgress {
  readonly term: number
  /** The incarnation that it voted for in that term. */
  readonly votedFor: string | undefined
  /** Where its log ends. */
  readonly lastIndex: number
  /** Up to here it holds what has committed; nothing of that ever goes. */
  readonly commitIndex: number
}

/** What is said, without who says it: the key is the signature's. */
export interface BootStatementInit extends BootProgress {
  readonly domainId: Uint8Array
  readonly generation: number
  /** 16 bytes. */
  readonly storeId: Uint8Array
  /** From 1. */
  readonly boot: number
  /** 16 random bytes of this process life. */
  readonly bootNonce: Uint8Array
  /** 0 for the first statement of a life, then rising by one. */
  readonly sequence: number
  /** Hex: the id of a statement of this store that this life has not made and does not remember. */
  readonly seen: string | undefined
}

export interface BootStatement extends BootProgress {
  /** Hex of SHA-256 of what was signed: names the statement. */
  readonly id: string
  readonly peerId: string
  /** Hex. */
  readonly storeId: string
  readonly boot: number
  /** Hex. */
  readonly bootNonce: string
  readonly sequence: number
  readonly seen: string | undefined
  /** As it travels, is kept and is shown to others. */
  readonly bytes: Uint8Array
}

/** Where a statement belongs; not part of `BootStatement`, because whoever reads one knows its own domain. */
export interface BootStatementScope {
  readonly domainId: Uint8Array
  readonly generation: number
}

export const makeBootStatement = (node: Signer, init: BootStatementInit): Promise<Uint8Array> =>
  sign1(KIND, encodePayload(init), node)

/** The bytes that the node's key is to sign, for whoever cannot wait for it. */
export const bootStatementToSign = (publicKey: Uint8Array, init: BootStatementInit): Uint8Array =>
  sign1ToSign(KIND, publicKey, encodePayload(init))

/** The document, with a signature over what `bootStatementToSign` gave for the same content. */
export const sealBootStatement = (publicKey: Uint8Array, init: BootStatementInit, signature: Uint8Array): Uint8Array =>
  sealSign1(KIND, publicKey, encodePayload(init), signature)

/** Reads and proves a statement; whose it is, is in the result. Throws InvalidDocumentError. */
export function readBootStatement(bytes: Uint8Array): BootStatement & BootStatementScope {
  const known = proven.get(bytes)
  if (known !== undefined) return known
  const cose = readSign1(KIND, bytes, PAYLOAD_BYTES_MAX)
  const statement = decodePayload(cose, bytes)
  verifyCose(cose)
  return proven.keep(statement.bytes, statement)
}

/** The newest of a large cluster's members. */
const proven = new Proven<BootStatement & BootStatementScope>(2_048)

/** The structure without any proof. Throws InvalidDocumentError. */
export const decodeBootStatement = (bytes: Uint8Array): BootStatement & BootStatementScope =>
  proven.get(bytes) ?? decodePayload(readSign1(KIND, bytes, PAYLOAD_BYTES_MAX), bytes)

function decodePayload(cose: CoseDocument, bytes: Uint8Array): BootStatement & BootStatementScope {
  const fields = new Fields(KIND, decodeDocument(KIND, cose.payload, PAYLOAD_BYTES_MAX, { depthMax: 1, itemsMax: 24 }))
  const statement = {
    id: toHex(sha256(cose.payload)),
    peerId: peerIdFromPublicKey(cose.signatures[0]!.publicKey),
    domainId: fields.bytes('domain', 32),
    generation: fields.integer('gen', 1),
    storeId: toHex(fields.bytes('store', ID_BYTES)),
    boot: fields.integer('boot', 1),
    bootNonce: toHex(fields.bytes('nonce', ID_BYTES)),
    sequence: fields.integer('seq'),
    term: fields.integer('term'),
    votedFor: fields.optional('vote', () => fields.text('vote', NODE_ID_CHARS_MAX)),
    lastIndex: fields.integer('last'),
    commitIndex: fields.integer('commit'),
    seen: fields.optional('seen', () => toHex(fields.bytes('seen', 32))),
    bytes: bytes.slice()
  }
  fields.end()
  if (statement.commitIndex > statement.lastIndex) {
    const { commitIndex, lastIndex } = statement
    throw new InvalidDocumentError(
      KIND,
      'rule',
      `it holds what has committed up to ${commitIndex} in a log that ends at ${lastIndex}`
    )
  }
  return statement
}

function encodePayload(init: BootStatementInit): Uint8Array {
  invariant(init.storeId.byteLength === ID_BYTES && init.bootNonce.byteLength === ID_BYTES, 'ids have 16 bytes')
  return encodeCbor(
    cborMap([
      ['domain', init.domainId],
      ['gen', init.generation],
      ['store', init.storeId],
      ['boot', init.boot],
      ['nonce', init.bootNonce],
      ['seq', init.sequence],
      ['term', init.term],
      ['vote', init.votedFor],
      ['last', init.lastIndex],
      ['commit', init.commitIndex],
      ['seen', init.seen === undefined ? undefined : fromHex(init.seen)]
    ])
  )
}
