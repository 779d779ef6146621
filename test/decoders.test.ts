/**
 * Every decoder of bytes that come from a peer, an operator or a disk: whatever the bytes are, it answers, or throws its one typed error;
 * and what they declare is not allocated before it is there.
 */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { concat, utf8 } from '../src/core/bytes.ts'
import { CborError, decodeCbor, encodeCbor } from '../src/core/cbor.ts'
import {
  decodeFormationMessage,
  decodeFormationState,
  encodeFormationMessage,
  encodeFormationState,
  FormationMessageError,
  FormationStateError,
  initialFormationState
} from '../src/formation/index.ts'
import { decodeAddressRecord, makeAddressRecord } from '../src/identity/address-record.ts'
import { decodeBootStatement, makeBootStatement } from '../src/identity/boot-statement.ts'
import { decodeCertificate, readCertificate } from '../src/identity/certificate.ts'
import { decodeClaim, readClaim } from '../src/identity/claim.ts'
import { InvalidDocumentError } from '../src/identity/document.ts'
import { decodeGenesis, readGenesis, type VerifiedGenesis } from '../src/identity/genesis.ts'
import { decodeToken, parseToken, TokenTextError, verifyToken } from '../src/identity/token.ts'
import { decodeDenial, encodeDenial } from '../src/membership/denial.ts'
import { decodeHello, decodeVerdict, encodeHello, encodeVerdict, HELLO_VERSION } from '../src/membership/hello.ts'
import { decodeRedeem, encodeRedeem } from '../src/membership/redemptions.ts'
import { decodeMembership, encodeMembership, RaftMessageError } from '../src/raft/index.ts'
import { decodeBoots, decodeHardState, encodeBoots, encodeHardState, StoredStateError } from '../src/replica/durable.ts'
import { decodeFrame, encodeFrame, FrameError, type FrameScope } from '../src/replica/frames.ts'
import { decodeSnapshot, SnapshotError } from '../src/replica/snapshot.ts'
import { decodeCommand, encodeCommand } from '../src/replicated-config/index.ts'
import { FrameDecoder } from '../src/transport/framing.ts'
import { FramingError } from '../src/transport/errors.ts'
import { makeClaim, readClaim as readFakeClaim } from './formation/fake-crypto.ts'
import { bytes16, bytes32, certificateBytes, claimBy, nodes, seatsGenesis, seatToken } from './identity/fixtures.ts'
import { makeStatement } from './replica/fake-statements.ts'

const [alpha] = nodes
const scope: FrameScope = {
  domainId: bytes32('domain'),
  clusterId: bytes32('cluster'),
  generation: 1,
  readClaim: readFakeClaim
}

interface Decoder {
  readonly name: string
  readonly decode: (bytes: Uint8Array) => unknown
  /** Undefined: it never throws. */
  readonly error: (new (...args: never[]) => Error) | undefined
  /** Of what it reads. */
  readonly sample: Uint8Array
}

let decoders: readonly Decoder[]
let genesis: VerifiedGenesis

beforeAll(async () => {
  genesis = await seatsGenesis()
  const seat = await seatToken(genesis, 1)
  const claim = await claimBy(alpha, seat)
  const certificate = await certificateBytes(genesis)
  const boot = await makeBootStatement(alpha.signer, {
    ...{ domainId: genesis.domainId, generation: 1, storeId: bytes16('store'), boot: 1, bootNonce: bytes16('nonce') },
    ...{ sequence: 0, term: 1, votedFor: undefined, lastIndex: 2, commitIndex: 1, seen: undefined }
  })
  const hello = encodeHello({
    ...{ version: HELLO_VERSION, domainId: genesis.domainId, generation: 1, claim, boot, clusterId: undefined },
    ...{ addressRecord: undefined, wallMs: 1, agent: 'x', priority: 100, needGenesis: false }
  })
  const statement = makeStatement({
    ...{ peerId: 'a', storeId: '1', boot: 1, bootNonce: 'n', sequence: 0, seen: undefined },
    ...{ term: 1, votedFor: undefined, lastIndex: 0, commitIndex: 0 }
  })
  const promises = { term: 1, votedTerm: 1, matchTerm: 1, match: 2, kept: 1 }
  const set = { claims: [makeClaim('a', 1)] }
  const document = InvalidDocumentError
  decoders = [
    { name: 'genesis', decode: readGenesis, error: document, sample: genesis.bytes },
    { name: 'genesis, unproved', decode: decodeGenesis, error: document, sample: genesis.bytes },
    { name: 'token', decode: (bytes) => verifyToken(bytes, genesis, 1), error: document, sample: seat.document },
    { name: 'token, unproved', decode: decodeToken, error: document, sample: seat.document },
    {
      name: 'text of a token',
      decode: (bytes) => parseToken(`qtk1.${Buffer.from(bytes).toString('base64url')}`),
      error: TokenTextError,
      sample: seat.document
    },
    { name: 'claim', decode: (bytes) => readClaim(bytes, genesis), error: document, sample: claim },
    { name: 'claim, unproved', decode: decodeClaim, error: document, sample: claim },
    { name: 'certificate', decode: (bytes) => readCertificate(bytes, genesis), error: document, sample: certificate },
    { name: 'certificate, unproved', decode: decodeCertificate, error: document, sample: certificate },
    {
      name: 'address record',
      decode: decodeAddressRecord,
      error: document,
      sample: await makeAddressRecord(alpha.signer, [], 1)
    },
    { name: 'boot statement', decode: decodeBootStatement, error: document, sample: boot },
    { name: 'hello', decode: decodeHello, error: document, sample: hello },
    {
      name: 'verdict',
      decode: decodeVerdict,
      error: document,
      sample: encodeVerdict({ ok: false, code: 'self', detail: '' })
    },
    {
      name: 'frame',
      decode: (bytes) => decodeFrame(bytes, scope),
      error: FrameError,
      sample: encodeFrame({ kind: 'peers', records: [boot] }, scope)
    },
    {
      name: 'founding message',
      decode: (bytes) => decodeFormationMessage(orNull(bytes), readFakeClaim),
      error: FormationMessageError,
      sample: encodeCbor(encodeFormationMessage({ type: 'propose', term: 1, set }))
    },
    {
      name: 'founding state',
      decode: (bytes) => decodeFormationState(bytes, readFakeClaim),
      error: FormationStateError,
      sample: encodeFormationState({ ...initialFormationState, term: 1, accepted: { term: 1, set } })
    },
    {
      name: 'membership',
      decode: decodeMembership,
      error: RaftMessageError,
      sample: encodeMembership({ voters: ['a'], outgoing: [], learners: ['b'], learnersNext: [], autoLeave: false })
    },
    {
      name: 'vote',
      decode: decodeHardState,
      error: StoredStateError,
      sample: encodeHardState({ term: 3, votedFor: 'a#1' })
    },
    {
      name: 'memory of boots',
      decode: (bytes) => decodeBoots(bytes, () => statement),
      error: StoredStateError,
      sample: encodeBoots([{ newest: statement, before: statement, promises, bar: undefined }])
    },
    {
      name: 'snapshot',
      decode: decodeSnapshot,
      error: SnapshotError,
      sample: encodeCbor([1, 5, 2, 0, bytes16('m'), [], [], [], []])
    },
    {
      name: 'command',
      decode: decodeCommand,
      error: undefined,
      sample: encodeCommand({
        kind: 'config-set',
        requestId: '0a'.repeat(16),
        author: 'a',
        at: 1,
        reason: '',
        text: '{}'
      })
    },
    {
      name: 'redemption',
      decode: decodeRedeem,
      error: undefined,
      sample: encodeRedeem({ tokenId: '0a'.repeat(16), peerId: 'a', role: 'voter', uses: 1 })
    },
    { name: 'denial', decode: decodeDenial, error: undefined, sample: encodeDenial('a#1') },
    { name: 'stream of frames', decode: readStream, error: FramingError, sample: Uint8Array.of(0, 0, 0, 2, 16, 7) }
  ]
})

/** What is not CBOR never gets as far as a message. */
function orNull(bytes: Uint8Array) {
  try {
    return decodeCbor(bytes)
  } catch (error) {
    if (error instanceof CborError) return null
    throw error
  }
}

function readStream(bytes: Uint8Array): void {
  const decoder = new FrameDecoder(1_024)
  decoder.push(bytes)
  while (decoder.next() !== undefined);
}

function expectTyped({ name, decode, error }: Decoder, bytes: Uint8Array): void {
  try {
    decode(bytes)
  } catch (thrown) {
    if (error === undefined || !(thrown instanceof error))
      throw new Error(`${name}: ${String(thrown)}`, { cause: thrown })
  }
}

/** Heads that declare far more than there is: byte and text strings, arrays, maps of up to 2^64 - 1. */
const heads = [0x5a, 0x5b, 0x7a, 0x7b, 0x9a, 0x9b, 0xba, 0xbb].flatMap((head) =>
  [0xff, 0x7f, 0x00].map((byte) => Uint8Array.of(head, byte, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
)

describe('every decoder', () => {
  it('answers or throws its typed error, for random, changed, cut and grown bytes', () => {
    const change = fc.record({
      at: fc.nat(),
      mask: fc.integer({ min: 1, max: 255 }),
      end: fc.nat(),
      more: fc.uint8Array({ maxLength: 9 })
    })
    for (const decoder of decoders) {
      const { sample } = decoder
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => expectTyped(decoder, bytes)),
        { numRuns: 150 }
      )
      fc.assert(
        fc.property(change, ({ at, mask, end, more }) => {
          const changed = sample.slice()
          changed[at % changed.length]! ^= mask
          expectTyped(decoder, changed)
          expectTyped(decoder, sample.slice(0, end % sample.length))
          expectTyped(decoder, concat(sample, more))
        }),
        { numRuns: 60 }
      )
    }
  })

  it('allocates nothing for what is only declared', () => {
    const before = process.memoryUsage()
    for (const decoder of decoders) {
      for (const head of heads) {
        expectTyped(decoder, head)
        // The same inside of an array, a map, and where the sample has its first item.
        expectTyped(decoder, concat(Uint8Array.of(0x84), head))
        expectTyped(decoder, concat(Uint8Array.of(0xa1, 0x00), head))
        expectTyped(decoder, concat(decoder.sample.subarray(0, 1), head, utf8('rest')))
      }
    }
    const after = process.memoryUsage()
    // The smallest of them declares 16 MiB.
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(8 * 2 ** 20)
  })

  it('reads its own sample, but for the snapshot, which has tests of its own', () => {
    for (const { name, decode, sample } of decoders) {
      if (name !== 'snapshot' && name !== 'text of a token') expect(() => decode(sample), name).not.toThrow()
    }
  })
})
