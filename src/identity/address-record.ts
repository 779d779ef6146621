/**
 * A node's own statement of where it can be dialled, signed by its key, so that members may pass it on (finding one member
 * suffices to find all). It orders itself by a sequence that is made of the persisted boot counter, never of a clock: a node
 * whose clock was set back would otherwise be remembered at its old addresses.
 */
import { encodeCbor } from '../core/cbor.ts'
import { InvalidOptionError } from '../core/errors.ts'
import { type CoseDocument, readSign1, sign1, verifyCose } from './cose.ts'
import { cborMap, decodeDocument, Fields, InvalidDocumentError } from './document.ts'
import { peerIdFromPublicKey } from './peer-id.ts'
import { Proven } from './proven.ts'
import type { Signer } from './signer.ts'

export const ADDRESSES_MAX = 8
const ADDRESS_CHARS_MAX = 256
export const ADDRESS_RECORD_BYTES_MAX = 4096

const KIND = 'quorate/address-record/v1'
const PAYLOAD_BYTES_MAX = 3072
const ADDRESS_SHAPE = /^(?:\/[A-Za-z0-9][A-Za-z0-9.:%_-]*)+$/
const CHANGES_PER_BOOT = 2 ** 20

export interface AddressRecord {
  readonly peerId: string
  /** Multiaddr texts. */
  readonly addresses: readonly string[]
  /** A record replaces those of the same peer with a lower sequence. */
  readonly sequence: number
}

/** Sequence of the `change`-th record (from 0) in the process life that `boot` counts. */
export function addressSequence(boot: number, change: number): number {
  return boot * CHANGES_PER_BOOT + Math.min(change, CHANGES_PER_BOOT - 1)
}

/** Throws InvalidOptionError when there are too many addresses, or one is not a multiaddr. */
export async function makeAddressRecord(
  node: Signer,
  addresses: readonly string[],
  sequence: number
): Promise<Uint8Array> {
  const problem = recordProblem({ peerId: node.peerId, addresses, sequence })
  if (problem !== undefined) throw new InvalidOptionError(`an address record cannot be made: ${problem}`)
  const payload = encodeCbor(
    cborMap([
      ['seq', sequence],
      ['addrs', addresses]
    ])
  )
  return sign1(KIND, payload, node)
}

/** Reads and proves a record; whose it is, is in the result. Throws InvalidDocumentError. */
export function readAddressRecord(bytes: Uint8Array): AddressRecord {
  const known = proven.get(bytes)
  if (known !== undefined) return known
  const cose = readSign1(KIND, bytes, PAYLOAD_BYTES_MAX)
  const record = decodePayload(cose)
  verifyCose(cose)
  return proven.keep(bytes.slice(), record)
}

/** The newest of a large cluster's members. */
const proven = new Proven<AddressRecord>(1_024)

/** The structure without any proof. Throws InvalidDocumentError. */
export const decodeAddressRecord = (bytes: Uint8Array): AddressRecord =>
  proven.get(bytes) ?? decodePayload(readSign1(KIND, bytes, PAYLOAD_BYTES_MAX))

function decodePayload(cose: CoseDocument): AddressRecord {
  const limits = { depthMax: 2, itemsMax: 4 + ADDRESSES_MAX }
  const fields = new Fields(KIND, decodeDocument(KIND, cose.payload, PAYLOAD_BYTES_MAX, limits))
  const record: AddressRecord = {
    peerId: peerIdFromPublicKey(cose.signatures[0]!.publicKey),
    sequence: fields.integer('seq'),
    addresses: fields.array('addrs', ADDRESSES_MAX).map((address) => {
      return typeof address === 'string' ? address : fields.fail('addrs', 'holds something that is not a text')
    })
  }
  fields.end()
  const problem = recordProblem(record)
  if (problem !== undefined) throw new InvalidDocumentError(KIND, 'rule', problem)
  return record
}

function recordProblem({ peerId, addresses, sequence }: AddressRecord): string | undefined {
  if (!Number.isSafeInteger(sequence) || sequence < 0) return `sequence ${sequence} is not a whole number`
  if (addresses.length > ADDRESSES_MAX) return `${addresses.length} addresses, at most ${ADDRESSES_MAX} are allowed`
  for (const address of addresses) {
    if (address.length > ADDRESS_CHARS_MAX || !ADDRESS_SHAPE.test(address)) {
      return `${JSON.stringify(address.slice(0, 80))} is not a multiaddr of at most ${ADDRESS_CHARS_MAX} characters`
    }
    const owner = /\/p2p\/([^/]+)$/.exec(address)?.[1]
    if (owner !== undefined && owner !== peerId) return `${address} leads to another peer than the signer ${peerId}`
  }
  return undefined
}
