/** Boot statements as documents, and what `quorate inspect` says of one and of two. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toBase64Url, toHex } from '../../src/core/bytes.ts'
import {
  BOOT_STATEMENT_BYTES_MAX,
  type BootStatementInit,
  bootStatementToSign,
  decodeBootStatement,
  makeBootStatement,
  readBootStatement,
  sealBootStatement
} from '../../src/identity/boot-statement.ts'
import { InvalidDocumentError } from '../../src/identity/document.ts'
import { inspectDocument } from '../../src/identity/inspect.ts'
import { bytes16, bytes32, nodes } from './fixtures.ts'
import { expectRecorded } from './vectors.ts'

const [alpha] = nodes

const content = (change: Partial<BootStatementInit> = {}): BootStatementInit => ({
  domainId: bytes32('domain'),
  generation: 1,
  storeId: bytes16('store'),
  boot: 7,
  bootNonce: bytes16('nonce'),
  sequence: 2,
  term: 9,
  votedFor: `${alpha.signer.peerId}#${toHex(bytes16('store'))}`,
  lastIndex: 120,
  commitIndex: 118,
  seen: toHex(bytes32('seen')),
  ...change
})

describe('boot statement', () => {
  it('has the bytes that it always had', async () => {
    expectRecorded('boot-statement', await makeBootStatement(alpha.signer, content()))
    expectRecorded(
      'boot-statement-least',
      await makeBootStatement(alpha.signer, content({ votedFor: undefined, seen: undefined, sequence: 0 }))
    )
  })

  it('is read as it was written, by whichever way it was signed', async () => {
    const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
    const contents = fc
      .record({
        boot: fc.integer({ min: 1 }),
        sequence: fc.nat(),
        term: fc.maxSafeNat(),
        votedFor: optional(fc.string({ maxLength: 256 })),
        log: fc.tuple(fc.maxSafeNat(), fc.maxSafeNat()),
        seen: optional(fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex))
      })
      .map(({ log, ...rest }) => content({ ...rest, commitIndex: Math.min(...log), lastIndex: Math.max(...log) }))
    await fc.assert(
      fc.asyncProperty(contents, async (init) => {
        const { publicKey, peerId } = alpha.signer
        const signature = await alpha.signer.sign(bootStatementToSign(publicKey, init))
        const bytes = sealBootStatement(publicKey, init, signature)
        expect(bytes).toEqual(await makeBootStatement(alpha.signer, init))
        expect(bytes.byteLength).toBeLessThanOrEqual(BOOT_STATEMENT_BYTES_MAX)
        const { storeId, bootNonce, ...rest } = init
        expect(decodeBootStatement(bytes)).toMatchObject({
          ...rest,
          peerId,
          storeId: toHex(storeId),
          bootNonce: toHex(bootNonce)
        })
      }),
      { numRuns: 50 }
    )
  })

  it('of any other bytes is refused, and of a changed bit does not hold', async () => {
    const genuine = await makeBootStatement(alpha.signer, content())
    expect(readBootStatement(genuine).boot).toBe(7)
    fc.assert(
      fc.property(fc.nat(genuine.byteLength - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = genuine.slice()
        changed[at]! ^= mask
        expect(() => readBootStatement(changed)).toThrow(InvalidDocumentError)
      }),
      { numRuns: 60 }
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => readBootStatement(bytes)).toThrow(InvalidDocumentError)
      })
    )
  })

  it('that holds more than its log is refused', async () => {
    const bytes = await makeBootStatement(alpha.signer, content({ commitIndex: 121 }))
    expect(() => decodeBootStatement(bytes)).toThrow(/up to 121 in a log that ends at 120/)
  })
})

describe('inspect', () => {
  const text = async (change: Partial<BootStatementInit>): Promise<string> =>
    toBase64Url(await makeBootStatement(alpha.signer, content({ seen: undefined, ...change })))

  it('shows a statement, as a file and as the text of an alarm', async () => {
    const line = await text({})
    const described = inspectDocument(line)
    expect(described).toMatchObject({
      type: 'boot-statement',
      verified: 'yes',
      facts: { boot: 7, term: 9, seen: null }
    })
    expect(described.reason).toMatch(/12D3\S+ signed it, in boot 7/)
    expect(inspectDocument(new TextEncoder().encode(`${line}\n`))).toEqual(described)
    expect(inspectDocument(await makeBootStatement(alpha.signer, content({ seen: undefined })))).toEqual(described)
  })

  it('says what two of them prove together', async () => {
    const two = `${await text({})}\n${await text({ boot: 8, term: 3, votedFor: undefined })}\n`
    expect(inspectDocument(two)).toMatchObject({ type: 'boot-statements', verified: 'yes' })
    expect(inspectDocument(two).reason).toMatch(/they prove that 12D3\S+#[0-9a-f]{32} had reached term 9 \(now 3\)/)
    const harmless = `${await text({})} ${await text({ boot: 8 })}`
    expect(inspectDocument(harmless)).toMatchObject({
      verified: 'no',
      reason: expect.stringContaining('an intact disk can have made both') as unknown
    })
    const foreign = `${await text({})} ${await text({ boot: 8, term: 3, domainId: bytes32('other') })}`
    expect(inspectDocument(foreign)).toMatchObject({
      verified: 'no',
      reason: expect.stringContaining('different domains') as unknown
    })
    const forged = sealBootStatement(
      alpha.signer.publicKey,
      content({ boot: 8, term: 3, seen: undefined }),
      new Uint8Array(64)
    )
    expect(inspectDocument(`${await text({})} ${toBase64Url(forged)}`)).toMatchObject({
      verified: 'no',
      reason: expect.stringContaining('signature') as unknown
    })
    expect(inspectDocument('two words')).toMatchObject({ type: 'unknown', verified: 'no' })
  })
})
