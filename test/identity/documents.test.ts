/** What every document must hold: a round trip, no byte that may vary, no error but the typed one, and fixed bytes. */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { FoundingCertificate } from '../../src/formation/types.ts'
import { equalBytes, fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { addressSequence, makeAddressRecord, readAddressRecord } from '../../src/identity/address-record.ts'
import { encodeCertificate, formationCrypto, readCertificate } from '../../src/identity/certificate.ts'
import { readClaim } from '../../src/identity/claim.ts'
import { addSignature, readSign, readSign1, sign1, signMany, verifyCose } from '../../src/identity/cose.ts'
import { decodeCbor, encodeCbor, type CborValue } from '../../src/core/cbor.ts'
import { InvalidDocumentError } from '../../src/identity/document.ts'
import { createGenesis, readGenesis, type VerifiedGenesis } from '../../src/identity/genesis.ts'
import { verifyToken } from '../../src/identity/token.ts'
import {
  bytes16,
  certificateBytes,
  certify,
  claimBy,
  found,
  genesisInit,
  issuer,
  keyOf,
  nodes,
  rosterClaim,
  rosterGenesis,
  seatsGenesis,
  seatToken,
  tokenFor
} from './fixtures.ts'
import { expectRecorded } from './vectors.ts'

interface Sample {
  readonly bytes: Uint8Array
  /** Throws InvalidDocumentError unless the bytes hold. */
  readonly read: (bytes: Uint8Array) => unknown
}

const samples = new Map<string, Sample>()
let seats: VerifiedGenesis
let roster: VerifiedGenesis

beforeAll(async () => {
  seats = await seatsGenesis()
  roster = await rosterGenesis()
  const twoIssuers = await createGenesis({ ...genesisInit, threshold: 2 }, [issuer.signer, keyOf('second').signer])
  const founding = await seatToken(seats, 1, { notBeforeMs: 1_700_000_000_000, expiresMs: 1_900_000_000_000 })
  const join = await tokenFor(
    seats,
    'join',
    { kind: 'join', role: 'observer', uses: 5 },
    { boundPeer: nodes[3].signer.peerId }
  )
  const record = await makeAddressRecord(
    nodes[0].signer,
    ['/ip4/192.0.2.7/tcp/4001', `/dns4/a.example/tcp/4001/p2p/${nodes[0].signer.peerId}`],
    addressSequence(3, 1)
  )
  const token = (bytes: Uint8Array): unknown => verifyToken(bytes, seats)
  samples
    .set('genesis-seats', { bytes: seats.bytes, read: readGenesis })
    .set('genesis-roster', { bytes: roster.bytes, read: readGenesis })
    .set('genesis-two-issuers', { bytes: twoIssuers.bytes, read: readGenesis })
    .set('token-founding', { bytes: founding.document, read: token })
    .set('token-join', { bytes: join.document, read: token })
    .set('claim-seat', { bytes: await claimBy(nodes[0], founding), read: (bytes) => readClaim(bytes, seats) })
    .set('claim-roster', { bytes: await rosterClaim(nodes[1], roster), read: (bytes) => readClaim(bytes, roster) })
    .set('claim-join', { bytes: await claimBy(nodes[3], join), read: (bytes) => readClaim(bytes, seats) })
    .set('certificate-seats', { bytes: await certificateBytes(seats), read: (bytes) => readCertificate(bytes, seats) })
    .set('certificate-roster', {
      bytes: await certificateBytes(roster),
      read: (bytes) => readCertificate(bytes, roster)
    })
    .set('address-record', { bytes: record, read: readAddressRecord })
})

const MASKS = [0x01, 0x20, 0x80]

const NAMES = [
  'genesis-seats',
  'genesis-roster',
  'genesis-two-issuers',
  'token-founding',
  'token-join',
  'claim-seat',
  'claim-roster',
  'claim-join',
  'certificate-seats',
  'certificate-roster',
  'address-record'
]

describe.each(NAMES)('%s', (name) => {
  it('has the bytes that it always had', () => {
    expectRecorded(name, samples.get(name)!.bytes)
  })

  it('is read, and refused with any byte changed, cut or added', () => {
    const { bytes, read } = samples.get(name)!
    read(bytes)
    const survivors: string[] = []
    const refuses = (altered: Uint8Array, what: string): void => {
      try {
        read(altered)
        survivors.push(what)
      } catch (error) {
        if (!(error instanceof InvalidDocumentError)) throw error
      }
    }
    // Short documents at every byte. What a long one is made of is tested by itself, so it is enough to visit each part of it.
    const stride = Math.ceil(bytes.byteLength / 450)
    for (let at = 0; at < bytes.byteLength; at += stride) {
      const altered = bytes.slice()
      altered[at]! ^= MASKS[at % MASKS.length]!
      refuses(altered, `byte ${at}`)
      refuses(bytes.slice(0, at), `cut at ${at}`)
    }
    refuses(Uint8Array.of(...bytes, 0), 'one byte more')
    expect(survivors).toEqual([])
  })

  it('throws nothing but InvalidDocumentError for bytes of any sort', () => {
    const { bytes, read } = samples.get(name)!
    const splice = fc
      .tuple(fc.nat(bytes.byteLength), fc.nat(40), fc.uint8Array({ maxLength: 40 }))
      .map(([at, gone, put]) => Uint8Array.of(...bytes.slice(0, at), ...put, ...bytes.slice(at + gone)))
    fc.assert(
      fc.property(fc.oneof(splice, fc.uint8Array({ maxLength: 200 })), (altered) => {
        if (equalBytes(altered, bytes)) return
        expect(() => read(altered)).toThrow(InvalidDocumentError)
      }),
      { numRuns: 150 }
    )
  })
})

describe('one kind of document for another', () => {
  it('is never read, whatever document is offered to whatever reader', () => {
    for (const [name, { bytes }] of samples) {
      for (const [other, { read }] of samples) {
        const same = name.split('-')[0] === other.split('-')[0]
        if (!same) expect(() => read(bytes), `${name} as ${other}`).toThrow(InvalidDocumentError)
      }
    }
  })

  it('does not verify when only the label is exchanged', async () => {
    const payload = utf8('the same payload')
    const token = await signMany('quorate/token/v1', payload, [issuer.signer])
    const claim = await signMany('quorate/claim/v1', payload, [issuer.signer])
    const relabelled = replace(token, utf8('quorate/token/v1'), utf8('quorate/claim/v1'))
    expect(relabelled.byteLength).toBe(claim.byteLength)
    const read = readSign('quorate/claim/v1', relabelled, 100)
    expect(() => verifyCose(read)).toThrow(/altered/)
    verifyCose(readSign('quorate/claim/v1', claim, 100))
  })

  it('does not verify as COSE_Sign1 what was signed as COSE_Sign', async () => {
    const document = await sign1('quorate/address-record/v1', utf8('x'), issuer.signer)
    expect(() => readSign('quorate/address-record/v1', document, 100)).toThrow(InvalidDocumentError)
    expect(() => readSign1('quorate/token/v1', document, 100)).toThrow(/protected header/)
  })

  it('keeps signers sorted and distinct when signatures are added one by one', async () => {
    const signers = ['x', 'y', 'z'].map((name) => keyOf(name).signer)
    const together = await signMany('quorate/token/v1', utf8('p'), signers)
    let one = await signMany('quorate/token/v1', utf8('p'), [signers[2]!])
    for (const signer of [signers[0]!, signers[1]!, signers[0]!]) {
      one = await addSignature('quorate/token/v1', one, 10, signer)
    }
    expect(toHex(one)).toBe(toHex(together))
  })
})

describe('names that are hashes', () => {
  it('are what they always were', async () => {
    const certificate = readCertificate(await certificateBytes(seats), seats)
    expect({ domainId: toHex(seats.domainId), clusterId: toHex(certificate.clusterId) }).toMatchInlineSnapshot(`
      {
        "clusterId": "6eae0b57305f820783353c292d1097e244d9fa01ab290d77246daf054771f819",
        "domainId": "92d43caec8c9229fb54800d68b478d98686eec00ad815e5e2aff21810f64e04a",
      }
    `)
  })
})

describe('the founding certificate', () => {
  it('is signed for its term and its set, also right after another one was asked for', async () => {
    const { set } = await found(seats)
    const other = { claims: set.claims.slice(1) }
    const asked = [[1, set], [1, set], [2, set], [2, other], [1, other], [1, set]] as const // prettier-ignore
    const crypto = formationCrypto(seats)
    const payloads = asked.map(([term, of]) => toHex(crypto.acceptancePayload(term, of)))
    expect(payloads).toEqual(asked.map(([term, of]) => toHex(formationCrypto(seats).acceptancePayload(term, of))))
    expect(new Set(payloads).size).toBe(4)
  })

  it('names the same cluster whichever N signed the set, in whichever term, and another one for another set', async () => {
    const clusterId = async (certificate: FoundingCertificate): Promise<string> =>
      toHex(readCertificate(encodeCertificate(certificate), seats).clusterId)
    const first = await found(seats)
    const { claims } = first.set
    const wiped = readClaim(await claimBy(nodes[2], await seatToken(seats, 3), 'another store'), seats).founding!
    const bySpare = await certify(seats, 2, claims, [
      [nodes[0], claims[0]!],
      [nodes[1], claims[1]!],
      [nodes[2], wiped]
    ])
    expect(bySpare.acceptances.map(({ incarnation }) => incarnation)).toContain(wiped.incarnation)
    expect(await clusterId(bySpare)).toBe(await clusterId(first))
    expect(await clusterId(await found(seats, 3))).toBe(await clusterId(first))
    const others = [claims[0]!, claims[1]!, wiped]
    const other = await certify(
      seats,
      2,
      others,
      others.map((claim, i) => [nodes[i]!, claim] as const)
    )
    expect(await clusterId(other)).not.toBe(await clusterId(first))
  })

  it('does not add signatures of different terms up', async () => {
    const two = await found(seats, 2)
    const three = await found(seats, 3)
    const mixed = { ...three, acceptances: [two.acceptances[0]!, ...three.acceptances.slice(1)] }
    expect(() => readCertificate(encodeCertificate(mixed), seats)).toThrow(/acceptance of .* does not hold/)
  })

  it('needs all N, each once, on all seats', async () => {
    const whole = await found(seats)
    const [a, b, c] = whole.acceptances
    const refusedWith = (change: Partial<FoundingCertificate>, message: RegExp): void => {
      expect(() => readCertificate(encodeCertificate({ ...whole, ...change }), seats)).toThrow(message)
    }
    refusedWith({ acceptances: [a!, b!] }, /2 accepted, 3 must/)
    refusedWith({ acceptances: [a!, b!, b!] }, /repeated or not sorted/)
    refusedWith({ acceptances: [b!, a!, c!] }, /repeated or not sorted/)
    refusedWith({ set: { claims: whole.set.claims.slice(0, 2) } }, /2 claims for 3 seats/)
    refusedWith({ set: { claims: whole.set.claims.toReversed() } }, /claim 1 is for seat 3/)
    refusedWith({ term: 9 }, /does not hold/)
    const twice = readClaim(await claimBy(nodes[0], await seatToken(seats, 2), 'second disk'), seats).founding!
    refusedWith({ set: { claims: [whole.set.claims[0]!, twice, whole.set.claims[2]!] } }, /one peer has two seats/)
    const join = readClaim(await claimBy(nodes[0], await tokenFor(seats, 'j', { kind: 'join', role: 'voter' })), seats)
    const seatless = { ...whole.set.claims[0]!, bytes: join.bytes }
    refusedWith({ set: { claims: [seatless, ...whole.set.claims.slice(1)] } }, /takes no seat/)
  })

  it('has one form: who is in the set is named by the place there', async () => {
    const bytes = await certificateBytes(seats)
    const [kind, term, set, acceptances] = decodeCbor(bytes) as [string, number, Uint8Array[], [number, Uint8Array][]]
    const written = (change: (by: number) => CborValue): Uint8Array =>
      encodeCbor([kind, term, set, acceptances.map(([by, signature]) => [change(by), signature])])
    expect(
      equalBytes(
        written((by) => by),
        bytes
      )
    ).toBe(true)
    const longer = written((by) => set[by]!)
    expect(() => readCertificate(longer, seats)).toThrow(/does not name its claim/)
    for (const place of [-1, 3, 9])
      expect(() =>
        readCertificate(
          written(() => place),
          seats
        )
      ).toThrow(InvalidDocumentError)
    const term0 = encodeCbor([kind, 0, set, acceptances])
    expect(() => readCertificate(term0, seats)).toThrow(/term is not within/)
  })

  it('holds for no other genesis and no other generation', async () => {
    const bytes = await certificateBytes(seats)
    const other = await seatsGenesis({ nonce: bytes16('another') })
    expect(() => readCertificate(bytes, other)).toThrow(/it is for domain/)
    expect(() => readCertificate(bytes, seats, 2)).toThrow(/generation 1, and this is 2/)
  })
})

function replace(bytes: Uint8Array, from: Uint8Array, to: Uint8Array): Uint8Array {
  return fromHex(toHex(bytes).replaceAll(toHex(from), toHex(to)))!
}
