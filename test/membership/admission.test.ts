/** Every way to be refused, with its code and its sentence, and the ways to be let in. */
import fc from 'fast-check'
import { PRIORITY_MAX } from '../../src/core/priority.ts'
import { beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/bytes.ts'
import { decodeCbor, encodeCbor, type CborValue } from '../../src/core/cbor.ts'
import { addressSequence, makeAddressRecord } from '../../src/identity/address-record.ts'
import { type BootStatementInit, makeBootStatement } from '../../src/identity/boot-statement.ts'
import { clusterIdOf } from '../../src/identity/certificate.ts'
import { signMany } from '../../src/identity/cose.ts'
import { InvalidDocumentError } from '../../src/identity/document.ts'
import type { VerifiedGenesis } from '../../src/identity/genesis.ts'
import type { LocalKey } from '../../src/identity/signer.ts'
import type { ParsedToken } from '../../src/identity/token.ts'
import {
  AdmissionRefusedError,
  decodeHello,
  decodeVerdict,
  encodeHello,
  encodeVerdict,
  HELLO_BYTES_MAX,
  HELLO_VERSION,
  judgeHello,
  printable,
  refusal,
  REFUSAL_CODES,
  VERDICT_BYTES_MAX,
  type AdmissionContext,
  type Admitted,
  type Hello,
  type Refusal,
  type RefusalCode
} from '../../src/membership/admission.ts'
import { DETAIL_CHARS_MAX } from '../../src/membership/refusal.ts'
import {
  bytes16,
  bytes32,
  claimBy,
  CREATED_MS,
  found,
  keyOf,
  nodes,
  rosterClaim,
  rosterGenesis,
  seatsGenesis,
  seatToken,
  tokenFor
} from '../identity/fixtures.ts'
import { expectRecorded } from '../identity/vectors.ts'

const [alpha, bravo, charlie, delta] = nodes
const NOW = CREATED_MS + 3_600_000

let seats: VerifiedGenesis
let roster: VerifiedGenesis
let seat1: ParsedToken
let claim1: Uint8Array
let boot1: Uint8Array
let clusterId: Uint8Array
let holders: AdmissionContext['seats']

beforeAll(async () => {
  seats = await seatsGenesis()
  roster = await rosterGenesis()
  seat1 = await seatToken(seats, 1)
  claim1 = await claimBy(alpha, seat1)
  boot1 = await bootOf(alpha)
  const certificate = await found(seats)
  clusterId = clusterIdOf(certificate, seats)
  holders = new Map(certificate.set.claims.map((claim) => [claim.seat, claim]))
})

const hello = (change: Partial<Hello> = {}): Hello => ({
  version: HELLO_VERSION,
  domainId: seats.domainId,
  generation: 1,
  claim: claim1,
  boot: boot1,
  clusterId: undefined,
  addressRecord: undefined,
  wallMs: NOW + 5000,
  agent: 'quorate/0.1.0',
  priority: 100,
  needGenesis: false,
  ...change
})

const context = (change: Partial<AdmissionContext> = {}): AdmissionContext => ({
  self: { peerId: bravo.signer.peerId },
  domainId: seats.domainId,
  generation: 1,
  genesis: seats,
  clusterId: undefined,
  seats: undefined,
  remotePeerId: alpha.signer.peerId,
  wallMs: NOW,
  ...change
})

/** What a peer showed, and what we know. */
interface Meeting {
  readonly hello: Partial<Hello> | Uint8Array
  readonly context?: Partial<AdmissionContext>
}

function meet({ hello: shown, context: known }: Meeting): Admitted | Refusal {
  const judgement = judgeHello(shown instanceof Uint8Array ? shown : encodeHello(hello(shown)), context(known))
  return judgement.ok ? judgement.admitted : judgement.refusal
}

const joinToken = (uses: number, name = 'join'): Promise<ParsedToken> =>
  tokenFor(seats, name, { kind: 'join', role: 'observer', uses })

const dated = async (name: string, dates: { notBeforeMs?: number; expiresMs?: number }): Promise<Uint8Array> =>
  claimBy(alpha, await tokenFor(seats, name, { kind: 'founding', seat: 1 }, dates))

const bootOf = (node: LocalKey, change: Partial<BootStatementInit> = {}, store = 'store'): Promise<Uint8Array> =>
  makeBootStatement(node.signer, {
    domainId: seats.domainId,
    generation: 1,
    storeId: bytes16(`${store} of ${node.signer.peerId}`),
    boot: 1,
    bootNonce: bytes16('boot'),
    sequence: 0,
    term: 0,
    votedFor: undefined,
    lastIndex: 0,
    commitIndex: 0,
    seen: undefined,
    ...change
  })

const sighting = (node: LocalKey, store: string, boot: number, nonce: string) => ({
  peerId: node.signer.peerId,
  storeId: toHex(bytes16(`${store} of ${node.signer.peerId}`)),
  boot,
  bootNonce: toHex(bytes16(nonce))
})

const incarnationOf = ({ signer }: LocalKey): string =>
  `${signer.peerId}#${toHex(bytes16(`store of ${signer.peerId}`))}`

describe('refusals', () => {
  const cases: readonly (readonly [string, RefusalCode, RegExp, () => Promise<Meeting> | Meeting])[] = [
    [
      'a stranger without a claim',
      'no-credential',
      /12D3\S+ showed no claim to a place in plant-7/,
      () => ({ hello: { claim: undefined } })
    ],
    [
      'a claim without a token',
      'no-credential',
      /brings no token, and plant-7 asks for one/,
      async () => ({
        hello: { claim: await unentitled(seats, alpha) }
      })
    ],
    [
      'an unknown issuer',
      'unknown-issuer',
      /[0-9a-f]{64} signed it and is not an issuer of cluster plant-7/,
      async () => {
        const document = await signMany('quorate/token/v1', payloadOf(seat1.document), [keyOf('stranger').signer])
        return { hello: { claim: await claimBy(alpha, { ...seat1, document }) } }
      }
    ],
    [
      'another domain',
      'foreign-domain',
      /the peer belongs to domain [0-9a-f]{64}, and we belong to [0-9a-f]{64}/,
      () => ({
        hello: { domainId: roster.domainId }
      })
    ],
    [
      'a claim of another domain under our name',
      'foreign-domain',
      /it is for domain [0-9a-f]{64}/,
      async () => ({
        hello: { claim: await rosterClaim(alpha, roster) },
        context: { genesis: await rosterGenesis({ nonce: bytes16('other') }) }
      })
    ],
    [
      'another generation',
      'foreign-generation',
      /peer is of generation 2, and we are of 1/,
      () => ({ hello: { generation: 2 } })
    ],
    [
      'a claim of an older generation',
      'foreign-generation',
      /generation 1, and this is 2/,
      () => ({
        hello: { generation: 2 },
        context: { generation: 2 }
      })
    ],
    [
      'another cluster of the same domain',
      'foreign-cluster',
      /belongs to cluster [0-9a-f]{64}, and we belong to [0-9a-f]{64} of the same/,
      () => ({
        hello: { clusterId: bytes32('elsewhere') },
        context: { clusterId, seats: holders }
      })
    ],
    [
      'an expired token',
      'token-expired',
      /token [0-9a-f]{32} ended at 2026-01-02T03:30:00.000Z; our clock says 2026-01-02T04:04:05.000Z, the peer's 2026-01-02T04:04:10.000Z/,
      async () => ({
        hello: { claim: await dated('expired', { expiresMs: Date.UTC(2026, 0, 2, 3, 30) }) }
      })
    ],
    [
      'a token that begins later',
      'token-not-yet-valid',
      /begins at 2026-01-03T00:00:00.000Z; our clock says 2026-01-02T04:04:05.000Z, the peer's 2026-01-02T04:04:10.000Z/,
      async () => ({
        hello: { claim: await dated('later', { notBeforeMs: Date.UTC(2026, 0, 3) }) }
      })
    ],
    [
      'a token that ended before the genesis was made, by a clock that was never set',
      'token-expired',
      /our clock says 1970-01-01T00:00:00.000Z/,
      async () => ({
        hello: { claim: await dated('long gone', { expiresMs: CREATED_MS - 120_000 }) },
        context: { wallMs: 0 }
      })
    ],
    [
      'a claim that was altered',
      'bad-signature',
      /claim: its signature does not hold/,
      () => ({ hello: { claim: altered(claim1, bytes16(`store of ${alpha.signer.peerId}`)) } })
    ],
    [
      'a token that was altered',
      'bad-signature',
      /token: its signature does not hold/,
      async () => {
        const document = altered(seat1.document)
        return { hello: { claim: await claimBy(alpha, { ...seat1, document }) } }
      }
    ],
    [
      'a claim that only the node signed',
      'bad-signature',
      /not signed by the node key and the token key/,
      async () => {
        const [document, token] = decodeCbor(claim1) as readonly Uint8Array[]
        const alone = await signMany('quorate/claim/v1', payloadOf(document!), [alpha.signer])
        return { hello: { claim: encodeCbor([alone, token!]) } }
      }
    ],
    [
      'a seat that the certificate gives to another peer',
      'token-already-used',
      /seat 1 belongs to 12D3\S+ since founding, and 12D3\S+ claims it/,
      async () => ({
        hello: { claim: await claimBy(delta, seat1) },
        context: { remotePeerId: delta.signer.peerId, clusterId, seats: holders }
      })
    ],
    [
      'a join token that another peer has used up',
      'token-already-used',
      /was good for 1 peer and was used by 12D3/,
      async () => ({
        hello: { claim: await claimBy(delta, await joinToken(1)) },
        context: { remotePeerId: delta.signer.peerId, redeemedBy: () => [charlie.signer.peerId] }
      })
    ],
    [
      'a claim of another peer',
      'token-wrong-peer',
      /the claim is of 12D3\S+, and the channel proved 12D3/,
      () => ({
        hello: {},
        context: { remotePeerId: delta.signer.peerId }
      })
    ],
    [
      'a token that is bound to another peer',
      'token-wrong-peer',
      /was made for 12D3\S+, and 12D3\S+ brings it/,
      async () => {
        const bound = await seatToken(seats, 1, { boundPeer: charlie.signer.peerId })
        return { hello: { claim: await claimBy(alpha, { ...bound, token: { ...bound.token, boundPeer: undefined } }) } }
      }
    ],
    [
      'a peer that the roster does not name',
      'not-in-roster',
      /12D3\S+ is not among the 3 peers of the roster of roster-9/,
      async () => ({
        hello: { domainId: roster.domainId, claim: await unentitled(roster, delta) },
        context: { domainId: roster.domainId, genesis: roster, remotePeerId: delta.signer.peerId }
      })
    ],
    [
      'a seat that the token does not grant',
      'role-forbidden',
      /takes seat 2, and its token grants seat 1/,
      async () => ({
        hello: { claim: await otherSeat(claim1, seat1) }
      })
    ],
    [
      'a revoked peer',
      'revoked',
      /12D3\S+ was revoked/,
      () => ({ hello: {}, context: { isRevoked: (id) => id === alpha.signer.peerId } })
    ],
    [
      'a revoked token',
      'revoked',
      /token [0-9a-f]{32} was revoked/,
      () => ({ hello: {}, context: { isRevoked: (id) => id === seat1.token.tokenId } })
    ],
    [
      'another life of the same boot',
      'clone',
      /is alive twice, as boot 1 \(nonce [0-9a-f]{8}\) and as boot 1 \(nonce [0-9a-f]{8}\)/,
      () => ({
        hello: {},
        context: { live: [sighting(alpha, 'store', 1, 'another boot')] }
      })
    ],
    [
      'an earlier life of a disk that is known to be copied, beside a later one',
      'clone',
      /has no vote since its disk was set back or copied, and is here as boot 2 .*: boot 1 \(nonce [0-9a-f]{8}\) is not let in/,
      () => ({
        hello: {},
        context: {
          live: [sighting(alpha, 'store', 2, 'another boot')],
          isConvicted: (id) => id === incarnationOf(alpha)
        }
      })
    ],
    [
      'the same key on another disk',
      'clone',
      /is alive on two disks/,
      () => ({
        hello: {},
        context: { live: [sighting(alpha, 'copied store', 7, 'x')] }
      })
    ],
    [
      'ourselves',
      'self',
      /we reached ourselves \(12D3/,
      () => ({ hello: {}, context: { self: { peerId: alpha.signer.peerId } } })
    ],
    ['noise', 'malformed', /hello: not deterministic CBOR/, () => ({ hello: Uint8Array.of(0xff, 1, 2) })],
    ['nothing', 'malformed', /ends in the middle/, () => ({ hello: new Uint8Array(0) })],
    [
      'a hello that is too long',
      'malformed',
      /16385 bytes, at most 16384/,
      () => ({ hello: new Uint8Array(HELLO_BYTES_MAX + 1) })
    ],
    [
      'a claim that is none',
      'malformed',
      /claim: not deterministic CBOR/,
      () => ({ hello: { claim: Uint8Array.of(0x81) } })
    ],
    [
      'an address record of another peer',
      'malformed',
      /address record is of 12D3\S+, and 12D3\S+ brings it/,
      async () => ({
        hello: { addressRecord: await makeAddressRecord(delta.signer, [], 1) }
      })
    ],
    [
      'an address record that was altered',
      'bad-signature',
      /address record: its signature does not hold/,
      async () => ({
        hello: { addressRecord: altered(await makeAddressRecord(alpha.signer, [], 1)) }
      })
    ],
    [
      'a boot statement of another peer',
      'malformed',
      /boot statement is of 12D3\S+#[0-9a-f]{32} of domain [0-9a-f]{64}, generation 1, and 12D3\S+ brings it/,
      async () => ({ hello: { boot: await bootOf(delta) } })
    ],
    [
      'a boot statement of another disk',
      'malformed',
      /boot statement is of/,
      async () => ({ hello: { boot: await bootOf(alpha, {}, 'another store') } })
    ],
    [
      'a boot statement of another domain',
      'malformed',
      /boot statement is of/,
      async () => ({ hello: { boot: await bootOf(alpha, { domainId: roster.domainId }) } })
    ],
    [
      'a boot statement that was altered',
      'bad-signature',
      /boot statement: its signature does not hold/,
      () => ({ hello: { boot: altered(boot1) } })
    ],
    [
      'a boot statement that is none',
      'malformed',
      /boot statement: not deterministic CBOR/,
      () => ({ hello: { boot: Uint8Array.of(0x81) } })
    ],
    [
      'another version, whatever else it says',
      'version',
      /the peer speaks version 9 of the hello, and we speak 1/,
      () => ({
        hello: encodeCbor(
          new Map<string, CborValue>([
            ['v', 9],
            ['new', 'field']
          ])
        )
      })
    ],
    [
      'anybody, while the genesis is unknown',
      'genesis-unknown',
      /we hold no genesis of domain [0-9a-f]{64}/,
      () => ({
        hello: {},
        context: { genesis: undefined }
      })
    ]
  ]

  it.each(cases)('%s: %s', async (_, code, sentence, arrange) => {
    const result = meet(await arrange())
    expect(result).toMatchObject({ code })
    expect((result as Refusal).detail).toMatch(sentence)
    expect((result as Refusal).detail.length).toBeLessThanOrEqual(DETAIL_CHARS_MAX)
  })

  it('covers every code that the judge can give', () => {
    const given = new Set(cases.map(([, code]) => code))
    expect(REFUSAL_CODES.filter((code) => !given.has(code))).toEqual(['timeout'])
  })
})

describe('who is let in', () => {
  it('a founder, with everything that it proved', async () => {
    const addresses = ['/ip4/192.0.2.1/tcp/4001']
    const addressRecord = await makeAddressRecord(alpha.signer, addresses, addressSequence(1, 0))
    const boot = await bootOf(alpha, { boot: 4, term: 7, lastIndex: 9 })
    const admitted = meet({ hello: { addressRecord, clusterId, boot }, context: { clusterId, seats: holders } })
    expect(admitted).toMatchObject({
      peerId: alpha.signer.peerId,
      incarnation: incarnationOf(alpha),
      seat: 1,
      role: 'voter',
      boot: 4,
      bootNonce: toHex(bytes16('boot')),
      statement: { boot: 4, sequence: 0, term: 7, lastIndex: 9, bytes: boot },
      clusterId: toHex(clusterId),
      addresses: { addresses, sequence: 2 ** 20 },
      agent: 'quorate/0.1.0'
    })
    expect((admitted as Admitted).claim).toMatchObject({ seat: 1, bytes: claim1 })
  })

  it('before founding, both of two peers with copies of one token: formation names them and stops', async () => {
    const copy = await claimBy(delta, seat1)
    const boot = await bootOf(delta)
    expect(meet({ hello: {} })).toMatchObject({ seat: 1 })
    expect(meet({ hello: { claim: copy, boot }, context: { remotePeerId: delta.signer.peerId } })).toMatchObject({
      seat: 1
    })
  })

  it('a peer whose agent would move our cursor, made harmless', () => {
    expect(meet({ hello: { agent: 'x\u001b[2J' } })).toMatchObject({ agent: 'x\\u{1b}[2J' })
  })

  it('of a copied disk the later life as a restart, and an earlier one beside it only until there is proof', () => {
    const isConvicted = (id: string): boolean => id === incarnationOf(alpha)
    const [earlier, later] = [0, 2].map((boot) => sighting(alpha, 'store', boot, 'another boot'))
    const let1In = (known: Partial<AdmissionContext>): unknown => meet({ hello: {}, context: known })
    const isIn = { boot: 1, seat: 1 }
    expect(let1In({ live: [earlier!], isConvicted })).toMatchObject(isIn)
    expect(let1In({ live: [later!], isConvicted: () => false })).toMatchObject(isIn)
    expect(let1In({ live: [later!] })).toMatchObject(isIn)
    expect(let1In({ live: [], isConvicted })).toMatchObject(isIn)
    expect(let1In({ live: [sighting(bravo, 'store', 2, 'x')], isConvicted })).toMatchObject(isIn)
    expect(let1In({ live: [later!], isConvicted })).toMatchObject({ code: 'clone' })
  })

  it('a founder that has lost its disk, as a new incarnation, once the old one is gone', async () => {
    const again = await claimBy(alpha, seat1, 'new store')
    const admitted = meet({
      hello: { claim: again, boot: await bootOf(alpha, {}, 'new store') },
      context: { clusterId, seats: holders }
    })
    expect(admitted).toMatchObject({ peerId: alpha.signer.peerId, seat: 1 })
    expect((admitted as Admitted).incarnation).not.toBe(holders!.get(1)!.incarnation)
  })

  it('a founder whose token has expired since, and one that was redeemed, but no newcomer with the same token', async () => {
    const claim = await dated('dated', { expiresMs: NOW - 3_000_000 })
    const incarnation = incarnationOf(alpha)
    const holder = new Map([[1, { peerId: alpha.signer.peerId, incarnation }]])
    expect(meet({ hello: { claim } })).toMatchObject({ code: 'token-expired' })
    expect(meet({ hello: { claim }, context: { seats: holder } })).toMatchObject({ seat: 1 })
    expect(meet({ hello: { claim }, context: { members: new Set([incarnation]) } })).toMatchObject({ seat: 1 })
    const elsewhere = new Map([[1, { peerId: alpha.signer.peerId, incarnation: `${alpha.signer.peerId}#00` }]])
    expect(meet({ hello: { claim }, context: { seats: elsewhere } })).toMatchObject({ code: 'token-expired' })
  })

  it('as many peers as a join token is good for, and each of them again', async () => {
    const token = await joinToken(2, 'pair')
    const claim = await claimBy(delta, token)
    const users = (redeemed: readonly LocalKey[]) => ({
      remotePeerId: delta.signer.peerId,
      redeemedBy: () => redeemed.map(({ signer }) => signer.peerId)
    })
    const boot = await bootOf(delta)
    expect(meet({ hello: { claim, boot }, context: users([]) })).toMatchObject({
      role: 'observer',
      seat: undefined,
      claim: undefined
    })
    expect(meet({ hello: { claim, boot }, context: users([alpha]) })).toMatchObject({ role: 'observer' })
    expect(meet({ hello: { claim, boot }, context: users([alpha, delta]) })).toMatchObject({ role: 'observer' })
    expect(meet({ hello: { claim }, context: users([alpha, bravo]) })).toMatchObject({ code: 'token-already-used' })
  })

  it('a peer with a join token in roster mode', async () => {
    const token = await tokenFor(roster, 'r', { kind: 'join', role: 'voter' })
    const meeting = {
      hello: {
        domainId: roster.domainId,
        claim: await claimBy(delta, token),
        boot: await bootOf(delta, { domainId: roster.domainId })
      },
      context: { domainId: roster.domainId, genesis: roster, remotePeerId: delta.signer.peerId }
    }
    expect(meet(meeting)).toMatchObject({ role: 'voter', seat: undefined })
  })

  it('a peer with a dated token where no clock was ever set', async () => {
    const claim = await dated('window', { notBeforeMs: CREATED_MS + 1e9, expiresMs: CREATED_MS + 2e9 })
    expect(meet({ hello: { claim, wallMs: 0 }, context: { wallMs: 0 } })).toMatchObject({ seat: 1 })
  })

  it('a peer that restarted before we saw its old session end', async () => {
    const boot = await bootOf(alpha, { boot: 2, bootNonce: bytes16('next') })
    const live = [sighting(alpha, 'store', 1, 'boot'), sighting(bravo, 'store', 2, 'x')]
    expect(meet({ hello: { boot }, context: { live } })).toMatchObject({ boot: 2 })
    expect(meet({ hello: {}, context: { live } })).toMatchObject({ boot: 1 })
  })
})

describe('hello and verdict', () => {
  it('are read as they were written', () => {
    const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
      fc.option(arbitrary, { nil: undefined })
    const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
    const hellos = fc.record<Hello>({
      version: fc.constant(HELLO_VERSION),
      domainId: bytes(32),
      generation: fc.integer({ min: 1 }),
      claim: optional(fc.uint8Array({ minLength: 1, maxLength: 99 })),
      boot: fc.uint8Array({ minLength: 1, maxLength: 99 }),
      clusterId: optional(bytes(32)),
      addressRecord: optional(fc.uint8Array({ minLength: 1, maxLength: 99 })),
      wallMs: fc.maxSafeInteger(),
      agent: fc.string({ maxLength: 64 }),
      priority: fc.nat({ max: PRIORITY_MAX }),
      needGenesis: fc.boolean()
    })
    fc.assert(
      fc.property(hellos, (value) => {
        expect(decodeHello(encodeHello(value))).toEqual(value)
      })
    )
  })

  it('have the bytes that they always had', async () => {
    const addressRecord = await makeAddressRecord(alpha.signer, ['/ip4/192.0.2.1/tcp/4001'], addressSequence(1, 0))
    expectRecorded('hello', encodeHello(hello({ clusterId, addressRecord, needGenesis: true })))
    expectRecorded('hello-least', encodeHello(hello({ claim: undefined })))
    expectRecorded('verdict-genesis', encodeVerdict({ ok: true, genesis: seats.bytes }))
    expectRecorded('verdict-refusal', encodeVerdict({ ok: false, code: 'token-expired', detail: 'token 00 ended' }))
  })

  it('are cut to what may be read: agent, clock', () => {
    const read = decodeHello(encodeHello(hello({ agent: '\u{1f600}'.repeat(99), wallMs: 1.75 })))
    expect(read).toMatchObject({ wallMs: 1 })
    expect((read as Hello).agent.length).toBeLessThanOrEqual(64)
  })

  it('carry the largest genesis and every refusal', () => {
    expect(decodeVerdict(encodeVerdict({ ok: true }))).toEqual({ ok: true })
    expect(decodeVerdict(encodeVerdict({ ok: true, genesis: seats.bytes }))).toEqual({ ok: true, genesis: seats.bytes })
    for (const code of REFUSAL_CODES) {
      expect(decodeVerdict(encodeVerdict({ ok: false, code, detail: 'why' }))).toEqual({
        ok: false,
        code,
        detail: 'why'
      })
    }
    expect(VERDICT_BYTES_MAX).toBeLessThanOrEqual(64 * 1024)
  })

  it('are never read otherwise, and a judgement is always given', () => {
    const verdict = encodeVerdict({ ok: false, code: 'self', detail: 'x' })
    const genuine = encodeHello(hello())
    fc.assert(
      fc.property(
        fc.nat(genuine.byteLength - 1),
        fc.nat(verdict.byteLength - 1),
        fc.integer({ min: 1, max: 255 }),
        (at, place, mask) => {
          const shown = genuine.slice()
          shown[at]! ^= mask
          const judgement = judgeHello(shown, context())
          // What is not signed may vary: it is for diagnostics, or describes the channel's own peer.
          if (judgement.ok) {
            expect(judgement.admitted.claim?.bytes).toEqual(claim1)
            expect(judgement.admitted.statement.bytes).toEqual(boot1)
          }
          const answer = verdict.slice()
          answer[place]! ^= mask
          try {
            decodeVerdict(answer)
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidDocumentError)
          }
        }
      ),
      { numRuns: 300 }
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => !judgeHello(bytes, context()).ok))
  })
})

describe('sentences', () => {
  it('show what a terminal would obey', () => {
    const hostile = 'a\u001b[31mb\r\nc\u202ed\u0000e\u009bf\u2028g\ufeffh\ud800i'
    expect(printable(hostile)).toBe('a\\u{1b}[31mb\\u{d}\\u{a}c\\u{202e}d\\u{0}e\\u{9b}f\\u{2028}g\\u{feff}h\\u{d800}i')
    expect(printable('Grüße, 世界 😀')).toBe('Grüße, 世界 😀')
  })

  it('are cut between characters', () => {
    for (let length = 505; length < 515; length++) {
      const cut = printable(`${'a'.repeat(length)}\u{1f600}\u{1f600}\u{1f600}`)
      expect(cut.isWellFormed()).toBe(true)
      expect(cut.length).toBeLessThanOrEqual(DETAIL_CHARS_MAX)
      expect(cut.endsWith('…')).toBe(length + 6 > DETAIL_CHARS_MAX)
    }
    expect(printable('a'.repeat(100_000))).toBe(`${'a'.repeat(511)}…`)
  })

  it('are never longer than 512 characters, nor unprintable, whatever they were', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
        const { detail } = refusal('malformed', text)
        expect(detail.length).toBeLessThanOrEqual(DETAIL_CHARS_MAX)
        expect(detail).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
      })
    )
  })

  it('become an error with the next step', () => {
    const reason = refusal('token-expired', 'token 00 ended')
    const theirs = new AdmissionRefusedError('them', reason, alpha.signer.peerId)
    expect(theirs.message).toBe(`${alpha.signer.peerId} refused us: token 00 ended (token-expired)`)
    expect(theirs).toMatchObject({ name: 'AdmissionRefusedError', code: 'ERR_ADMISSION_REFUSED', by: 'them' })
    expect(theirs.nextStep).toMatch(/quorate token create/)
    expect(new AdmissionRefusedError('us', reason).message).toMatch(/^we refused the peer: /)
  })
})

const payloadOf = (cose: Uint8Array): Uint8Array => (decodeCbor(cose) as readonly Uint8Array[])[2]!

/** One bit changed where `mark` begins, or in the last byte. */
function altered(bytes: Uint8Array, mark?: Uint8Array): Uint8Array {
  const at = mark === undefined ? bytes.byteLength - 1 : Buffer.from(bytes).indexOf(mark)
  const copy = bytes.slice()
  copy[at]! ^= 1
  return copy
}

/** A claim to seat 1 that nothing supports. */
const unentitled = async (genesis: VerifiedGenesis, node: LocalKey): Promise<Uint8Array> => {
  const fields = new Map<string, CborValue>([
    ['domain', genesis.domainId],
    ['gen', 1],
    ['seat', 1],
    ['peer', node.signer.publicKey],
    ['store', bytes16('store')],
    ['nonce', bytes16('nonce')]
  ])
  return encodeCbor([await signMany('quorate/claim/v1', encodeCbor(fields), [node.signer])])
}

async function otherSeat(bundle: Uint8Array, token: ParsedToken): Promise<Uint8Array> {
  const [document] = decodeCbor(bundle) as readonly Uint8Array[]
  const fields = decodeCbor(payloadOf(document!)) as ReadonlyMap<string, CborValue>
  const changed = encodeCbor(new Map<string, CborValue>([...fields, ['seat', 2]]))
  return encodeCbor([await signMany('quorate/claim/v1', changed, [alpha.signer, token.signer]), token.document])
}
