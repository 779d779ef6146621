import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { encodeCbor, type CborValue } from '../../src/core/cbor.ts'
import { InvalidOptionError } from '../../src/core/errors.ts'
import { sha256 } from '../../src/core/hash.ts'
import { signMany } from '../../src/identity/cose.ts'
import { InvalidDocumentError } from '../../src/identity/document.ts'
import {
  CONFIG_BYTES_MAX,
  countersignGenesis,
  createGenesis,
  decodeGenesis,
  draftGenesis,
  GENESIS_BYTES_MAX,
  genesisWarnings,
  readGenesis,
  readPinnedGenesis,
  SCHEMA_BYTES_MAX,
  type GenesisInit
} from '../../src/identity/genesis.ts'
import { decodeCbor } from '../../src/core/cbor.ts'
import { bytes32, genesisInit, issuer, keyOf, nodes, rosterGenesis, seatsGenesis } from './fixtures.ts'

const peerIds = nodes.map(({ signer }) => signer.peerId)
const seat = (n: number, peerId: string): { seat: number; peerId: string } => ({ seat: n, peerId })

describe('making', () => {
  it('gives back what was asked for', async () => {
    const { genesis, domainId, signedBy } = await seatsGenesis()
    expect(genesis).toMatchObject({
      name: 'plant-7',
      foundingSize: 3,
      mode: 'seats',
      threshold: 1,
      config: '{"interval":5,"limits":{"cpu":2}}',
      schema: '{"type":"object"}',
      timing: 'lan',
      generation: 1,
      roster: []
    })
    expect(toHex(genesis.schemaDigest!)).toBe(toHex(sha256(utf8('{"type":"object"}'))))
    expect(domainId.byteLength).toBe(32)
    expect(signedBy.map(toHex)).toEqual([toHex(issuer.signer.publicKey)])
    expect((await rosterGenesis()).genesis.roster).toEqual(peerIds.slice(0, 3).map((peerId, i) => seat(i + 1, peerId)))
  })

  it('never makes the same domain twice', async () => {
    const { nonce: _, ...init } = genesisInit
    const one = await createGenesis(init, [issuer.signer])
    const two = await createGenesis(init, [issuer.signer])
    expect(toHex(one.domainId)).not.toBe(toHex(two.domainId))
  })

  const problems: readonly (readonly [string, Partial<GenesisInit>, RegExp])[] = [
    ['empty name', { name: '' }, /name "" is not 1 to 63/],
    ['upper case', { name: 'Plant' }, /name "Plant"/],
    ['path', { name: '../etc' }, /name "..\/etc"/],
    ['long name', { name: 'a'.repeat(64) }, /is not 1 to 63/],
    ['no founders', { foundingSize: 0 }, /founding size of 0 is not within 1 to 9/],
    ['too many founders', { foundingSize: 10 }, /founding size of 10/],
    ['half a founder', { foundingSize: 2.5 }, /founding size of 2.5/],
    ['pool', { mode: 'pool' }, /mode pool is reserved/],
    ['roster in mode seats', { mode: 'seats', roster: [seat(1, peerIds[0]!)] }, /mode seats has no roster/],
    ['short roster', { roster: [seat(1, peerIds[0]!)] }, /roster of 1 for 3 seats/],
    [
      'seat twice',
      { roster: [seat(1, peerIds[0]!), seat(1, peerIds[1]!), seat(3, peerIds[2]!)] },
      /entry 2 is for seat 1/
    ],
    ['peer twice', { roster: [seat(1, peerIds[0]!), seat(2, peerIds[0]!), seat(3, peerIds[2]!)] }, /has two seats/],
    [
      'no PeerId',
      { roster: [seat(1, 'me'), seat(2, peerIds[0]!), seat(3, peerIds[2]!)] },
      /seat 1: "me" is not the PeerId/
    ],
    ['threshold above', { threshold: 2 }, /threshold of 2 is not within 1 to 1/],
    ['threshold 0', { threshold: 0 }, /threshold of 0/],
    ['weak issuer', { issuers: [new Uint8Array(32)] }, /is not a sound Ed25519 public key/],
    [
      'foreign signer',
      { issuers: [bytes32('not a key'), nodes[0].signer.publicKey].slice(1) },
      /not one of the issuers/
    ],
    ['generation 0', { generation: 0 }, /generation 0/],
    ['big config', { config: 'x'.repeat(CONFIG_BYTES_MAX) }, /config has 40962 bytes, at most 40960/],
    ['big schema', { schema: 'x'.repeat(SCHEMA_BYTES_MAX) }, /schema has/],
    ['wrong digest', { schemaDigest: bytes32('other') }, /schema digest is not the SHA-256/],
    ['time', { createdAtMs: -1 }, /creation time -1/]
  ]
  it.each(problems)('refuses %s', async (_, init, message) => {
    const made = createGenesis({ ...genesisInit, ...init }, [issuer.signer])
    await expect(made).rejects.toThrow(message)
    await expect(made).rejects.toBeInstanceOf(InvalidOptionError)
  })

  it('holds the largest config and schema in one admission frame', async () => {
    const config = 'x'.repeat(CONFIG_BYTES_MAX - 2)
    const schema = 'y'.repeat(SCHEMA_BYTES_MAX - 2)
    const signers = Array.from({ length: 16 }, (_, i) => keyOf(`issuer ${i}`).signer)
    const roster = Array.from({ length: 9 }, (_, i) => seat(i + 1, keyOf(`member ${i}`).signer.peerId))
    const { bytes } = await createGenesis({ ...genesisInit, foundingSize: 9, config, schema, roster }, signers)
    expect(bytes.byteLength).toBeLessThanOrEqual(GENESIS_BYTES_MAX)
  })

  it('advises against an even founding size', () => {
    expect(genesisWarnings({ foundingSize: 3 })).toEqual([])
    expect(genesisWarnings({ foundingSize: 4 })[0]).toMatch(/4 founders survive 1 failures, as many as 3 would/)
  })
})

describe('k of n', () => {
  const [a, b, c] = ['one', 'two', 'three'].map((name) => keyOf(name).signer)
  const init: GenesisInit = { ...genesisInit, issuers: [a!, b!, c!].map(({ publicKey }) => publicKey), threshold: 2 }

  it('counts distinct issuers, and the domain does not depend on who signed', async () => {
    const draft = await draftGenesis(init, a!)
    expect(() => readGenesis(draft)).toThrow(/1 issuers signed, 2 of 3 must/)
    const again = await countersignGenesis(draft, a!)
    expect(() => readGenesis(again)).toThrow(/1 issuers signed/)
    const byTwo = readGenesis(await countersignGenesis(draft, b!))
    const byThree = readGenesis(await countersignGenesis(byTwo.bytes, c!))
    const others = await createGenesis(init, [b!, c!])
    expect(byTwo.signedBy).toHaveLength(2)
    expect(byThree.signedBy).toHaveLength(3)
    expect(new Set([byTwo, byThree, others].map(({ domainId }) => toHex(domainId))).size).toBe(1)
  })

  it('does not count one issuer twice', async () => {
    const draft = decodeCbor(await draftGenesis(init, a!)) as CborValue[]
    const [signature] = draft[3] as readonly CborValue[]
    const twice = encodeCbor([draft[0]!, draft[1]!, draft[2]!, [signature!, signature!]])
    expect(() => readGenesis(twice)).toThrow(/signers are repeated/)
  })

  it('refuses a signature by anybody else, also beside enough good ones', async () => {
    const stranger = keyOf('stranger').signer
    const good = await createGenesis(init, [a!, b!])
    await expect(countersignGenesis(good.bytes, stranger)).rejects.toThrow(/not one of the issuers/)
    const [, , payload] = decodeCbor(good.bytes) as readonly Uint8Array[]
    const forged = await signMany('quorate/genesis/v1', payload!, [a!, b!, stranger])
    expect(() => readGenesis(forged)).toThrow(/is not one of its issuers/)
    expect(fault(() => readGenesis(forged))).toBe('unknown-issuer')
  })
})

describe('reading', () => {
  it('is pinned by the domainId', async () => {
    const one = await seatsGenesis()
    const two = await seatsGenesis({ name: 'plant-8' })
    expect(readPinnedGenesis(one.bytes, one.domainId)?.genesis.name).toBe('plant-7')
    expect(readPinnedGenesis(one.bytes, two.domainId)).toBeUndefined()
    expect(readPinnedGenesis(utf8('no genesis'), one.domainId)).toBeUndefined()
  })

  it('holds what was signed to the same rules as what is made', async () => {
    const { bytes } = await seatsGenesis()
    const [, , payload] = decodeCbor(bytes) as readonly Uint8Array[]
    const fields = decodeCbor(payload!) as ReadonlyMap<string, CborValue>
    const signedWith = async (changes: readonly (readonly [string, CborValue])[]): Promise<Uint8Array> =>
      signMany('quorate/genesis/v1', encodeCbor(new Map([...fields, ...changes])), [issuer.signer])
    const cases: readonly (readonly [string, CborValue, RegExp])[] = [
      ['name', '../x', /name/],
      ['seats', 0, /founding size of 0/],
      ['mode', 'pool', /pool is reserved/],
      ['mode', 'other', /mode/],
      ['config', '{"b":1,"a":2}', /not canonical JSON/],
      ['config', '{', /not JSON/],
      ['threshold', 2, /threshold of 2/],
      ['schemaDigest', bytes32('d'), /beside the schema/],
      ['roster', [], /empty/],
      ['extra', 1, /not known to this version/]
    ]
    for (const [key, value, message] of cases) {
      const document = await signedWith([[key, value]])
      expect(() => readGenesis(document), key).toThrow(message)
      expect(() => readGenesis(document), key).toThrow(InvalidDocumentError)
    }
    expect(toHex(readGenesis(await signedWith([])).domainId)).toBe(toHex(decodeGenesis(bytes).domainId))
  })

  it('gives back any config', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), async (value) => {
        const config = JSON.parse(JSON.stringify(value)) as never
        const { genesis, bytes } = await seatsGenesis({ config })
        expect(JSON.parse(genesis.config)).toEqual(config)
        expect(readGenesis(bytes).genesis).toEqual(genesis)
      }),
      { numRuns: 40 }
    )
  })
})

function fault(read: () => unknown): string | undefined {
  try {
    read()
    return undefined
  } catch (error) {
    return error instanceof InvalidDocumentError ? error.fault : 'not a document error'
  }
}
