import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { CLAIM_BYTES_MAX, FOUNDING_SIZE_MAX, TERM_MAX } from '../../src/formation/fields.ts'
import {
  decodeFormationMessage,
  decodeFormationState,
  encodeFormationMessage,
  encodeFormationState,
  type FormationMessage,
  FormationMessageError,
  type FormationState,
  FormationStateError,
  type FoundingCertificate,
  initialFormationState
} from '../../src/formation/index.ts'
import { CLAIM_BUNDLE_BYTES_MAX } from '../../src/identity/claim.ts'
import { FOUNDING_SIZE_MAX as GENESIS_FOUNDING_SIZE_MAX } from '../../src/identity/genesis.ts'
import { makeClaim, readClaim } from './fake-crypto.ts'

const term = fc.integer({ min: 1, max: TERM_MAX })
const set = fc
  .integer({ min: 1, max: FOUNDING_SIZE_MAX })
  .map((size) => ({ claims: Array.from({ length: size }, (_, i) => makeClaim(`peer${i}`, i + 1)) }))
const signature = fc.uint8Array({ minLength: 1, maxLength: 64 })
const certificate: fc.Arbitrary<FoundingCertificate> = fc
  .tuple(term, set, signature, fc.boolean())
  .map(([at, members, signed, spare]) => ({
    term: at,
    set: members,
    acceptances: members.claims.map((claim, i) => {
      const signer = spare && i === 0 ? makeClaim('spare', 1) : claim
      return { incarnation: signer.incarnation, claim: signer, signature: signed }
    })
  }))

const message: fc.Arbitrary<FormationMessage> = fc.oneof(
  fc
    .tuple(term, fc.nat())
    .map(([at, back]) => ({ type: 'request-vote' as const, term: at, acceptedTerm: Math.max(0, at - 1 - back) })),
  fc.record({ type: fc.constant('vote' as const), term }),
  fc.record({ type: fc.constant('refuse' as const), of: term, term, acceptedTerm: term }),
  fc.record({ type: fc.constant('propose' as const), term, set }),
  fc.record({ type: fc.constant('accept' as const), term, signature }),
  fc.record({ type: fc.constant('certificate' as const), certificate })
)

const state: fc.Arbitrary<FormationState> = fc.record({
  term: fc.constant(TERM_MAX),
  votedFor: fc.option(fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme-ascii' }), { nil: undefined }),
  accepted: fc.option(fc.record({ term, set }), { nil: undefined }),
  certificate: fc.option(certificate, { nil: undefined })
})

const decode = (value: CborValue): FormationMessage => decodeFormationMessage(value, readClaim)

describe('messages', () => {
  it('come back as they were sent', () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(decode(decodeCbor(encodeCbor(encodeFormationMessage(sent))))).toEqual(sent)
      })
    )
  })

  it('damaged in any way are refused with a typed error, or are another message in its only form', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.nat(255), (sent, at, byte) => {
        const bytes = encodeCbor(encodeFormationMessage(sent))
        bytes[at % bytes.byteLength] = byte
        let value: CborValue
        try {
          value = decodeCbor(bytes)
        } catch {
          return
        }
        try {
          const read = decode(value)
          expect(encodeCbor(encodeFormationMessage(read))).toEqual(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(FormationMessageError)
        }
      }),
      { numRuns: 2_000 }
    )
  })

  const claim = makeClaim('a', 1).bytes
  const refused: readonly (readonly [string, CborValue])[] = [
    ['not an array', 7],
    ['empty', []],
    ['an unknown kind', [6, 1]],
    ['a kind that is no number', ['vote', 1]],
    ['too many fields', [1, 1, 1]],
    ['too few fields', [0, 1]],
    ['term 0', [1, 0]],
    ['a negative term', [1, -1]],
    ['a term beyond the last', [1, TERM_MAX + 1]],
    ['a set accepted in the term asked for', [0, 3, 3]],
    ['an empty set', [3, 1, []]],
    ['more claims than founders can be', [3, 1, Array.from({ length: FOUNDING_SIZE_MAX + 1 }, () => claim)]],
    ['a claim that does not verify', [3, 1, [utf8('nonsense')]]],
    ['a claim that is no bytes', [3, 1, ['claim a 1 1']]],
    ['an oversized claim', [3, 1, [new Uint8Array(CLAIM_BYTES_MAX + 1)]]],
    ['an empty signature', [4, 1, new Uint8Array(0)]],
    ['an oversized signature', [4, 1, new Uint8Array(1_025)]],
    ['a certificate without acceptances', [5, [1, [claim], []]]],
    ['a signer outside of the set by number', [5, [1, [claim], [[1, claim]]]]],
    ['a negative place', [5, [1, [claim], [[-1, claim]]]]],
    ['a signer in the set written out', [5, [1, [claim], [[claim, claim]]]]],
    ['an acceptance of one field', [5, [1, [claim], [[0]]]]],
    [
      'more acceptances than founders',
      [5, [1, [claim], Array.from({ length: FOUNDING_SIZE_MAX + 1 }, () => [0, claim])]]
    ]
  ]
  it.each(refused)('refuses %s', (_what, value) => {
    expect(() => decode(value)).toThrow(FormationMessageError)
  })

  it('has the bounds of the documents that it carries', () => {
    expect(FOUNDING_SIZE_MAX).toBe(GENESIS_FOUNDING_SIZE_MAX)
    expect(CLAIM_BYTES_MAX).toBe(CLAIM_BUNDLE_BYTES_MAX)
  })
})

describe('the state cell', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(state, (written) => {
        expect(decodeFormationState(encodeFormationState(written), readClaim)).toEqual(written)
      })
    )
    expect(decodeFormationState(encodeFormationState(initialFormationState), readClaim)).toEqual(initialFormationState)
  })

  it('is never read as something else when it was cut or changed', () => {
    fc.assert(
      fc.property(state, fc.nat(), fc.nat(255), (written, at, byte) => {
        const bytes = encodeFormationState(written)
        expect(() => decodeFormationState(bytes.subarray(0, at % bytes.byteLength), readClaim)).toThrow(
          FormationStateError
        )
        bytes[at % bytes.byteLength] = byte
        try {
          expect(encodeFormationState(decodeFormationState(bytes, readClaim))).toEqual(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(FormationStateError)
        }
      })
    )
  })

  it.each([
    ['another version', [2, 0, null, null, null]],
    ['a set accepted in a later term', [1, 1, null, [2, [makeClaim('a', 1).bytes]], null]],
    ['an empty vote', [1, 1, '', null, null]],
    ['a missing field', [1, 1, null, null]]
  ] as const)('refuses %s', (_what, value) => {
    expect(() => decodeFormationState(encodeCbor(value), readClaim)).toThrow(FormationStateError)
  })
})
