import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { equalBytes, toHex, utf8 } from '../../src/core/bytes.ts'
import { encodeCbor, decodeCbor, type CborValue } from '../../src/core/cbor.ts'
import { InvalidOptionError } from '../../src/core/errors.ts'
import { decodeClaim, makeClaim, readClaim } from '../../src/identity/claim.ts'
import { signMany } from '../../src/identity/cose.ts'
import { InvalidDocumentError } from '../../src/identity/document.ts'
import { createGenesis, type VerifiedGenesis } from '../../src/identity/genesis.ts'
import {
  createToken,
  DATE_LEEWAY_MS,
  judgeDates,
  looksLikeToken,
  parseToken,
  TOKEN_PREFIX,
  TokenTextError,
  verifyToken,
  type Token,
  type TokenInit
} from '../../src/identity/token.ts'
import {
  bytes16,
  bytes32,
  claimBy,
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

let seats: VerifiedGenesis
let roster: VerifiedGenesis
beforeAll(async () => {
  seats = await seatsGenesis()
  roster = await rosterGenesis()
})

const mint = (init: Omit<TokenInit, 'tokenId' | 'seed'>): Promise<string> =>
  createToken(seats, [issuer.signer], { ...init, tokenId: bytes16('id'), seed: bytes32('seed') }).then(({ text }) =>
    text.revealText()
  )

describe('the text', () => {
  it('is what it always was', async () => {
    const text = await mint({ grant: { kind: 'founding', seat: 1 }, carryGenesis: false })
    expectRecorded('token-text', utf8(text))
    expect(parseToken(` ${text}\r\n`).token).toMatchObject({ seat: 1, tokenId: toHex(bytes16('id')) })
  })

  it('is one short line when it only pins the genesis', async () => {
    const text = await mint({
      grant: { kind: 'join', role: 'voter', uses: 10_000 },
      notBeforeMs: 1e12,
      expiresMs: 2e12,
      boundPeer: nodes[0].signer.peerId
    })
    expect(text).toMatch(/^qtk1\.[A-Za-z0-9_-]+$/)
    expect(text.length).toBeLessThan(500)
    expect(looksLikeToken(` ${text}\n`)).toBe(true)
    expect(looksLikeToken('/path/to/file')).toBe(false)
  })

  it('carries the genesis of a founding token, unless it is too large or unwanted', async () => {
    const grant = { kind: 'founding', seat: 2 } as const
    const carried = parseToken(await mint({ grant })).genesis
    expect(carried?.genesis).toEqual(seats.genesis)
    expect(parseToken(await mint({ grant, carryGenesis: false })).genesis).toBeUndefined()
    const noise = Array.from({ length: 200 }, (_, i) => toHex(bytes32(`noise ${i}`)))
    const large = await createGenesis({ ...genesisInit, config: noise }, [issuer.signer])
    const token = await createToken(large, [issuer.signer], { grant })
    expect(parseToken(token.text.revealText()).genesis).toBeUndefined()
    expect(token.text.revealText().length).toBeLessThan(500)
  })

  it('says that it was mistyped, whichever character was exchanged, and never that a signature is bad', async () => {
    const text = await mint({ grant: { kind: 'founding', seat: 1 }, carryGenesis: false })
    for (let at = TOKEN_PREFIX.length; at < text.length; at++) {
      const other = text[at] === 'A' ? 'B' : 'A'
      const mistyped = text.slice(0, at) + other + text.slice(at + 1)
      expect(() => parseToken(mistyped), `at ${at}`).toThrow(TokenTextError)
    }
    expect(() => parseToken(text.slice(0, -8))).toThrow(/checksum is wrong, so it was mistyped or cut/)
    expect(() => parseToken('qtk2.abc')).toThrow(/does not start with qtk1/)
    expect(() => parseToken(`${text}=`)).toThrow(/not base64url/)
    expect(() => parseToken(`qtk1.${'A'.repeat(20_000)}`)).toThrow(/20005 characters, at most/)
    expect(() => parseToken('qtk1.')).toThrow(TokenTextError)
  })

  it('throws only its own errors for any text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((text) => TOKEN_PREFIX + text)
        ),
        (text) => {
          expect(() => parseToken(text)).toThrow(TokenTextError)
        }
      )
    )
  })

  it('refuses a bomb instead of a genesis, and a genesis of another domain', async () => {
    const { deflateRawSync } = await import('node:zlib')
    const { document } = await seatToken(seats, 1)
    const withGenesis = (genesis: Uint8Array): string => textOf([bytes32('token seed seat 1'), document, genesis])
    const bomb = deflateRawSync(new Uint8Array(50_000_000))
    expect(() => parseToken(withGenesis(new Uint8Array(bomb.subarray(0, 8000))))).toThrow(TokenTextError)
    expect(() => parseToken(withGenesis(deflateRawSync(new Uint8Array(9_000_000))))).toThrow(/cannot be unpacked/)
    expect(() => parseToken(withGenesis(deflateRawSync(roster.bytes)))).toThrow(/not the one that it is for/)
    expect(parseToken(withGenesis(deflateRawSync(seats.bytes))).genesis?.domainId).toEqual(seats.domainId)
  })

  it('throws only its own errors for a good checksum over anything', async () => {
    const { document } = await seatToken(seats, 1)
    const seed = bytes32('token seed seat 1')
    const part = fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.constant(seed), fc.constant(document))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        try {
          expect(parseToken(textOf(parts)).token).toMatchObject({ seat: 1 })
        } catch (error) {
          if (!(error instanceof InvalidDocumentError)) expect(error).toBeInstanceOf(TokenTextError)
        }
      })
    )
    const nested = textOf([seed, document.slice(0, -1)])
    expect(() => parseToken(nested)).toThrow(InvalidDocumentError)
  })

  it('refuses a secret that does not belong to the document', async () => {
    const { document } = await seatToken(seats, 1)
    expect(() => parseToken(textOf([bytes32('another seed'), document]))).toThrow(/secret does not belong/)
  })

  it('never shows the secret: not when parsed, minted, inspected, thrown or turned into JSON', async () => {
    const seed = bytes32('canary')
    const minted = await createToken(seats, [issuer.signer], { grant: { kind: 'founding', seat: 1 }, seed })
    const text = minted.text.revealText()
    const parsed = parseToken(text)
    const errors = [text.slice(0, -1), `${text}A`, ` x${text}`].map((broken) => {
      try {
        return parseToken(broken)
      } catch (error) {
        return error
      }
    })
    for (const value of [minted, parsed, parsed.signer, ...errors]) {
      const outputs = [inspect(value, { depth: 9, showHidden: true }), JSON.stringify(value), String(value)]
      for (const output of outputs) {
        expect(output).not.toContain(toHex(seed))
        expect(output).not.toContain(Buffer.from(seed).toString('base64url').slice(0, 20))
        expect(output).not.toContain([...seed.subarray(0, 6)].join(', '))
        expect(output).not.toContain(text.slice(5, 40))
      }
    }
    expect(JSON.stringify(minted.text)).toBe('"[redacted]"')
  })
})

describe('the document', () => {
  it('says what was granted', async () => {
    const token = await tokenFor(
      seats,
      'all',
      { kind: 'join', role: 'observer', uses: 7 },
      {
        notBeforeMs: 1_000_999,
        expiresMs: 2_000_001,
        boundPeer: nodes[1].signer.peerId
      }
    )
    expect(token.token).toMatchObject({
      kind: 'join',
      role: 'observer',
      uses: 7,
      notBeforeMs: 1_000_000,
      expiresMs: 2_001_000,
      boundPeer: nodes[1].signer.peerId,
      generation: 1
    })
    expect(verifyToken(token.document, seats)).toEqual(token.token)
  })

  const refusals: readonly (readonly [string, Partial<TokenInit>, RegExp])[] = [
    ['seat 0', { grant: { kind: 'founding', seat: 0 } }, /seat 0 is not within 1 to 3/],
    ['seat 4', { grant: { kind: 'founding', seat: 4 } }, /seat 4 is not within 1 to 3/],
    ['no uses', { grant: { kind: 'join', role: 'voter', uses: 0 } }, /0 uses/],
    ['inverted window', { notBeforeMs: 2000, expiresMs: 2000 }, /end \(2000\) before it begins \(2000\)/],
    ['overflow', { expiresMs: 2 ** 60 }, /out of range/],
    ['not a date', { expiresMs: NaN }, /out of range/],
    ['no peer', { boundPeer: 'bob' }, /"bob" is not the PeerId/]
  ]
  it.each(refusals)('is not made with %s', async (_, init, message) => {
    const made = createToken(seats, [issuer.signer], { grant: { kind: 'founding', seat: 1 }, ...init })
    await expect(made).rejects.toThrow(message)
    await expect(made).rejects.toBeInstanceOf(InvalidOptionError)
  })

  it('is not made for a seat of a roster, nor by somebody who is no issuer', async () => {
    const grant = { kind: 'founding', seat: 1 } as const
    await expect(createToken(roster, [issuer.signer], { grant })).rejects.toThrow(/a roster has no founding tokens/)
    await expect(createToken(seats, [nodes[0].signer], { grant })).rejects.toThrow(
      /0 of the 1 keys at hand are issuers/
    )
  })

  it('needs as many issuers as the genesis says', async () => {
    const signers = [issuer.signer, keyOf('second').signer]
    const two = await createGenesis({ ...genesisInit, threshold: 2 }, signers)
    const grant = { kind: 'founding', seat: 1 } as const
    await expect(createToken(two, [issuer.signer], { grant })).rejects.toThrow(/signatures of 2 issuers/)
    const { document } = await createToken(two, signers, { grant })
    expect(verifyToken(document, two).kind).toBe('founding')
    const [, , payload] = decodeCbor(document) as readonly Uint8Array[]
    const byOne = await signMany('quorate/token/v1', payload!, [issuer.signer])
    expect(() => verifyToken(byOne, two)).toThrow(/1 issuers signed it, 2 must/)
  })

  it('is bound to its domain and generation', async () => {
    const { document } = await seatToken(seats, 1)
    expect(() => verifyToken(document, roster)).toThrow(/it is for domain/)
    expect(() => verifyToken(document, seats, 2)).toThrow(/generation 1, and this is 2/)
    const forged = await signMany('quorate/token/v1', (decodeCbor(document) as readonly Uint8Array[])[2]!, [
      nodes[3].signer
    ])
    expect(() => verifyToken(forged, seats)).toThrow(/is not an issuer of cluster plant-7/)
  })
})

describe('dates', () => {
  const token = { notBeforeMs: 1_000_000_000_000, expiresMs: 2_000_000_000_000 } as Token
  const floor = 1_500_000_000_000
  const cases: readonly (readonly [string, number, number, string])[] = [
    ['a second before the leeway', 1e12 - DATE_LEEWAY_MS - 1, 0, 'not-yet-valid'],
    ['the first moment', 1e12 - DATE_LEEWAY_MS, 0, 'valid'],
    ['the last moment', 2e12 + DATE_LEEWAY_MS - 1, 0, 'valid'],
    ['the end', 2e12 + DATE_LEEWAY_MS, 0, 'expired'],
    ['a clock that was never set', 0, floor, 'valid'],
    ['a clock that was never set, and a floor beyond the end', 0, 3e12, 'expired'],
    ['ten years ahead', 2e12 + 3.2e11, floor, 'expired']
  ]
  it.each(cases)('%s', (_, wallMs, floorMs, expected) => {
    expect(judgeDates(token, wallMs, floorMs)).toBe(expected)
  })

  it('never calls a token early by a clock that was never set', () => {
    expect(judgeDates({ notBeforeMs: 1.9e12 } as Token, 0, floor)).toBe('valid')
    expect(judgeDates({ notBeforeMs: 1.9e12 } as Token, floor, floor)).toBe('not-yet-valid')
  })
})

describe('claims', () => {
  it('bind peer, store, seat and token', async () => {
    const token = await seatToken(seats, 2)
    const claim = readClaim(await claimBy(nodes[0], token), seats)
    expect(claim).toMatchObject({
      peerId: nodes[0].signer.peerId,
      seat: 2,
      role: 'voter',
      tokenId: token.token.tokenId
    })
    expect(claim.incarnation).toBe(`${claim.peerId}#${claim.storeId}`)
    expect(claim.founding).toEqual({
      incarnation: claim.incarnation,
      peerId: claim.peerId,
      seat: 2,
      bytes: claim.bytes
    })
    const joined = readClaim(
      await claimBy(nodes[3], await tokenFor(seats, 'j', { kind: 'join', role: 'observer' })),
      seats
    )
    expect(joined).toMatchObject({ seat: undefined, founding: undefined, role: 'observer' })
    expect(readClaim(await rosterClaim(nodes[1], roster), roster)).toMatchObject({ seat: 2, token: undefined })
  })

  it('that hold are read once, and hold for nobody else because of that', async () => {
    const bytes = await claimBy(nodes[2], await seatToken(seats, 3))
    const claim = readClaim(bytes, seats)
    expect(readClaim(bytes.slice(), seats)).toBe(claim)
    expect(() => readClaim(bytes, roster)).toThrow(/it is for domain/)
    expect(() => readClaim(bytes, seats, 2)).toThrow(/generation 1, and this is 2/)
    expect(readClaim(bytes, { ...seats }), 'a genesis of its own').not.toBe(claim)
    for (let i = 0; i < bytes.byteLength; i += 7) {
      const flipped = bytes.slice()
      flipped[i]! ^= 1
      expect(() => readClaim(flipped, seats), `byte ${i}`).toThrow(InvalidDocumentError)
    }
  })

  it('are made from a token before the genesis is known', async () => {
    const token = parseToken(await mint({ grant: { kind: 'founding', seat: 1 }, carryGenesis: false }))
    expect(token.genesis).toBeUndefined()
    expect(readClaim(await claimBy(nodes[0], token), seats).seat).toBe(1)
  })

  it('are refused to peers that nobody entitled', async () => {
    const base = { storeId: bytes16('s'), nonce: bytes16('n') }
    await expect(
      makeClaim({ ...base, node: nodes[3].signer, by: { type: 'roster', genesis: roster } })
    ).rejects.toThrow(/is not in the roster of roster-9/)
    await expect(makeClaim({ ...base, node: nodes[3].signer, by: { type: 'roster', genesis: seats } })).rejects.toThrow(
      /a token is needed to take a seat in plant-7/
    )
    const bound = await seatToken(seats, 1, { boundPeer: nodes[0].signer.peerId })
    await expect(claimBy(nodes[1], bound)).rejects.toThrow(/made for .* and this node is/)
  })

  it('say exactly what their token grants, signed by exactly the two keys', async () => {
    const token = await seatToken(seats, 2)
    const honest = await claimBy(nodes[0], token)
    const [document] = decodeCbor(honest) as readonly Uint8Array[]
    const payload = decodeCbor((decodeCbor(document!) as readonly Uint8Array[])[2]!) as ReadonlyMap<string, CborValue>
    const signed = async (
      changes: readonly (readonly [string, CborValue])[],
      signers = [nodes[0].signer, token.signer]
    ) =>
      encodeCbor([
        await signMany('quorate/claim/v1', encodeCbor(new Map([...payload, ...changes])), signers),
        token.document
      ])
    expect(equalBytes(await signed([]), honest)).toBe(true)
    const refused = async (bundle: Promise<Uint8Array> | Uint8Array, message: RegExp): Promise<void> => {
      const bytes = await bundle
      expect(() => readClaim(bytes, seats)).toThrow(message)
      expect(() => readClaim(bytes, seats)).toThrow(InvalidDocumentError)
    }
    await refused(signed([['seat', 1]]), /takes seat 1, and its token grants seat 2/)
    await refused(signed([['token', bytes16('other')]]), /names token .* and brings token/)
    await refused(signed([['gen', 2]]), /generation 2, and this is 1/)
    await refused(signed([['domain', bytes32('d')]]), /it is for domain/)
    await refused(signed([], [nodes[0].signer]), /not signed by the node key and the token key/)
    await refused(signed([], [token.signer]), /not signed by the node key and the token key/)
    await refused(signed([], [nodes[1].signer, token.signer]), /not signed by the node key and the token key/)
    await refused(signed([], [nodes[0].signer, nodes[1].signer, token.signer]), /not signed by/)
    await refused(encodeCbor([document!]), /names token .* and does not bring it/)
    await refused(encodeCbor([document!, (await seatToken(seats, 1)).document]), /names token/)
    expect(decodeClaim(honest).fields.seat).toBe(2)
  })

  it('hold for the roster alone in mode roster', async () => {
    const impostor = await signMany(
      'quorate/claim/v1',
      encodeCbor(
        new Map<string, CborValue>([
          ['domain', roster.domainId],
          ['gen', 1],
          ['seat', 1],
          ['peer', nodes[3].signer.publicKey],
          ['store', bytes16('s')],
          ['nonce', bytes16('n')]
        ])
      ),
      [nodes[3].signer]
    )
    expect(() => readClaim(encodeCbor([impostor]), roster)).toThrow(/is not in the roster/)
  })
})

function textOf(parts: readonly Uint8Array[]): string {
  const body = encodeCbor(parts.map((part) => new Uint8Array(part)))
  const digest = createHash('sha256').update(utf8(TOKEN_PREFIX)).update(body).digest().subarray(0, 4)
  return TOKEN_PREFIX + Buffer.concat([body, digest]).toString('base64url')
}
