import { inspect } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { toBase64Url, toHex, utf8 } from '../../src/core/bytes.ts'
import { makeAddressRecord } from '../../src/identity/address-record.ts'
import type { VerifiedGenesis } from '../../src/identity/genesis.ts'
import { inspectDocument } from '../../src/identity/inspect.ts'
import { encodeKeyFile } from '../../src/identity/key-file.ts'
import { createToken } from '../../src/identity/token.ts'
import {
  bytes16,
  bytes32,
  certificateBytes,
  claimBy,
  issuer,
  keyOf,
  nodes,
  seatsGenesis,
  seatToken
} from './fixtures.ts'

let genesis: VerifiedGenesis
let other: VerifiedGenesis
beforeAll(async () => {
  genesis = await seatsGenesis()
  other = await seatsGenesis({ nonce: bytes16('other') })
})

describe('inspect', () => {
  it('describes a genesis by itself', () => {
    const seen = inspectDocument(genesis.bytes)
    expect(seen).toMatchObject({ type: 'genesis', verified: 'yes' })
    expect(seen.facts).toMatchObject({ name: 'plant-7', foundingSize: 3, domainId: toHex(genesis.domainId) })
    expect(inspectDocument(toBase64Url(genesis.bytes))).toEqual(seen)
  })

  it('says yes, no or unknown, and why, for what hangs on a genesis', async () => {
    const token = await seatToken(genesis, 1)
    const documents = {
      token: token.document,
      claim: await claimBy(nodes[0], token),
      'founding-certificate': await certificateBytes(genesis)
    }
    for (const [type, bytes] of Object.entries(documents)) {
      expect(inspectDocument(bytes)).toMatchObject({
        type,
        verified: 'unknown',
        reason: expect.stringMatching(/--genesis/)
      })
      expect(inspectDocument(bytes, genesis)).toMatchObject({ type, verified: 'yes' })
      expect(inspectDocument(bytes, other)).toMatchObject({
        type,
        verified: 'no',
        reason: expect.stringMatching(/domain/)
      })
    }
    expect(inspectDocument(documents['founding-certificate'], genesis).facts['clusterId']).toMatch(/^[0-9a-f]{64}$/)
  })

  it('notices what was altered', async () => {
    const bytes = await makeAddressRecord(nodes[0].signer, ['/ip4/192.0.2.1/tcp/1'], 1)
    expect(inspectDocument(bytes)).toMatchObject({ type: 'address-record', verified: 'yes' })
    const altered = bytes.slice()
    altered[altered.length - 1]! ^= 1
    expect(inspectDocument(altered)).toMatchObject({
      type: 'address-record',
      verified: 'no',
      reason: expect.stringMatching(/altered/)
    })
  })

  it('never shows the secret of a token or of a key file', async () => {
    const seed = bytes32('canary seed')
    const minted = await createToken(genesis, [issuer.signer], { grant: { kind: 'founding', seat: 1 }, seed })
    const canary = keyOf('canary key')
    const keyFile = await encodeKeyFile('node', canary)
    const token = inspectDocument(minted.text.revealText())
    const key = inspectDocument(keyFile)
    expect(token).toMatchObject({ type: 'token', verified: 'yes', facts: { carriesGenesis: true, seat: 1 } })
    expect(key).toMatchObject({ type: 'key', facts: { peerId: canary.signer.peerId, encrypted: false } })
    for (const [description, secret] of [
      [token, seed],
      [key, canary.seed.reveal()]
    ] as const) {
      const output = [JSON.stringify(description), inspect(description)].join('\n')
      expect(output).not.toContain(toHex(secret))
      expect(output).not.toContain(toBase64Url(secret).slice(0, 16))
    }
  })

  it('has an answer to anything', () => {
    for (const input of [
      '',
      'hello',
      'qtk1.xyz',
      '{}',
      '{"quorate-key":1}',
      '{',
      'AAAA',
      utf8('text'),
      new Uint8Array(9)
    ]) {
      expect(inspectDocument(input).verified).toBe('no')
    }
  })
})
