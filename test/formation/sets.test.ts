/** The small functions of founding one by one: sets, certificates, codecs at their edges, presence. Each case is a change of the code that nothing else noticed. */
import { describe, expect, it } from 'vitest'
import { type CborValue, encodeCbor } from '../../src/core/cbor.ts'
import { assembleCertificate, verifyCertificate } from '../../src/formation/certificate.ts'
import { CLAIM_BYTES_MAX, SIGNATURE_BYTES_MAX, TERM_MAX } from '../../src/formation/fields.ts'
import { freshSet, isWellFormed, sameSet } from '../../src/formation/founding-set.ts'
import {
  type Claim,
  createFormation,
  decodeFormationMessage,
  decodeFormationState,
  encodeFormationMessage,
  encodeFormationState,
  FormationMessageError,
  FormationStateError,
  initialFormationState
} from '../../src/formation/index.ts'
import { fakeCrypto, fakeSign, makeClaim, readClaim } from './fake-crypto.ts'

const a = makeClaim('a', 1)
const b = makeClaim('b', 2)
const c = makeClaim('c', 3)

describe('a founding set', () => {
  it.each<readonly [string, readonly Claim[], boolean]>([
    ['N claims on seats 1 to N', [a, b, c], true],
    ['one claim too few', [a, b], false],
    ['a seat twice', [a, makeClaim('b', 1), c], false],
    ['seats in another order', [b, a, c], false],
    ['a machine twice, on two disks', [a, makeClaim('a', 2, 2), c], false],
    ['a claim twice', [a, a, c], false],
    ['one claim without a seat among others', [makeClaim('a', 0), b, c], false],
    ['all without seats, in their order', [makeClaim('a', 0), makeClaim('b', 0), makeClaim('c', 0)], true],
    ['all without seats, in another order', [makeClaim('b', 0), makeClaim('a', 0), makeClaim('c', 0)], false],
    ['all without seats, one twice', [makeClaim('a', 0), makeClaim('a', 0), makeClaim('c', 0)], false],
    ['all without seats, a machine on two disks', [makeClaim('a', 0), makeClaim('a', 0, 2), makeClaim('c', 0)], false]
  ])('of %s: %j', (_, claims, expected) => {
    expect(isWellFormed({ claims }, 3)).toBe(expected)
  })

  it('is the same with the same bytes, all of them', () => {
    expect(sameSet({ claims: [a, b] }, { claims: [a, b] })).toBe(true)
    expect(sameSet({ claims: [a, b] }, { claims: [a, makeClaim('b', 2, 2)] })).toBe(false)
    expect(sameSet({ claims: [a] }, { claims: [a, b] })).toBe(false)
    expect(sameSet({ claims: [a, b] }, { claims: [a] })).toBe(false)
  })

  it('is made of one claim for each seat and each machine, whoever voted, no more than N', () => {
    const live = new Set([a, b, c].map(({ incarnation }) => incarnation))
    const names = (voters: readonly Claim[], self = a) =>
      freshSet(self, voters, live, 3)?.claims.map(({ incarnation }) => incarnation)
    expect(names([a, b, c])).toEqual(['a#1', 'b#1', 'c#1'])
    expect(names([makeClaim('x', 2), b, c])).toEqual(['a#1', 'b#1', 'c#1'])
    expect(names([makeClaim('b', 3, 2), b, c])).toEqual(['a#1', 'b#1', 'c#1'])
    expect(names([b])).toBeUndefined()
    const pool = ['d', 'e', 'f', 'g'].map((name) => makeClaim(name, 0))
    expect(freshSet(pool[0]!, pool, new Set(), 3)?.claims).toHaveLength(3)
  })
})

const accept = (claim: Claim, term: number, claims: readonly Claim[]) => ({
  incarnation: claim.incarnation,
  claim,
  signature: fakeSign(claim, fakeCrypto.acceptancePayload(term, { claims }))
})

describe('a certificate', () => {
  const claims = [a, b]
  const good = [accept(a, 2, claims), accept(b, 2, claims)]
  const holds = (acceptances: typeof good): boolean =>
    verifyCertificate({ term: 2, set: { claims }, acceptances }, 2, 2, fakeCrypto)

  it('is made of N acceptances in the order of their names', () => {
    const made = assembleCertificate(2, { claims }, [accept(c, 2, claims), good[1]!, good[0]!], 2)
    expect(made.acceptances.map(({ incarnation }) => incarnation)).toEqual(['a#1', 'b#1'])
  })

  it('counts each signer once, by its claim', () => {
    expect(holds(good)).toBe(true)
    expect(holds([good[0]!, good[0]!])).toBe(false)
    expect(holds([good[1]!, good[0]!])).toBe(false)
    // One signature under two names.
    expect(holds([good[0]!, { ...good[0]!, incarnation: 'b#1' }])).toBe(false)
  })
})

describe('messages and states at their edges', () => {
  const decode = (value: CborValue) => decodeFormationMessage(value, readClaim)
  const problem = (run: () => unknown): Error => {
    try {
      run()
    } catch (error) {
      return error as Error
    }
    throw new Error('it was read')
  }

  it('are read up to the caps', () => {
    const signature = new Uint8Array(SIGNATURE_BYTES_MAX)
    expect(decode([4, TERM_MAX, signature])).toEqual({ type: 'accept', term: TERM_MAX, signature })
    const long = new Uint8Array(CLAIM_BYTES_MAX)
    const longClaim = { ...a, bytes: long }
    const reads = (bytes: Uint8Array) => (bytes.byteLength === CLAIM_BYTES_MAX ? longClaim : undefined)
    expect(decodeFormationMessage([3, 1, [long]], reads)).toMatchObject({ set: { claims: [longClaim] } })
    const votedFor = 'x'.repeat(256)
    const stored = encodeFormationState({ ...initialFormationState, term: 1, votedFor })
    expect(decodeFormationState(stored, readClaim).votedFor).toBe(votedFor)
  })

  it.each<readonly [CborValue, RegExp]>([
    [[0, 'x', 0], /a term is not an integer from 1 to 2\^40/],
    [[0, 2, 2], /accepted in the term asked for, or later/],
    [[0, 1], /vote request is not an array of 3/],
    [[1], /vote is not an array of 2/],
    [[2, 1], /refusal is not an array of 4/],
    [[3, 1], /proposal is not an array of 3/],
    [[3, 1, []], /founding set is not an array of 1 to 9/],
    [[3, 1, [new Uint8Array()]], /claim is not a byte string of 1 to 8192/],
    [[3, 1, [Uint8Array.of(1)]], /a claim does not hold for this genesis/],
    [[4, 1], /acceptance is not an array of 3/],
    [[4, 1, 7], /signature is not a byte string of 1 to 1024/],
    [[5], /certificate message is not an array of 2/],
    [[5, [1]], /certificate is not an array of 3/],
    [[5, [1, [a.bytes], []]], /acceptances is not an array of 1 to 9/],
    [[5, [1, [a.bytes], [[0]]]], /acceptance is not an array of 2/],
    [[5, [1, [a.bytes], [[4, Uint8Array.of(1)]]]], /no place 4 in the founding set/],
    [[5, [1, [a.bytes, b.bytes], [[b.bytes, Uint8Array.of(1)]]]], /is not written as its place there/],
    [[9], /unknown kind 9/],
    [['x'], /unknown kind string/]
  ])('name what is wrong: %j', (value, sentence) => {
    const error = problem(() => decode(value))
    expect(error).toBeInstanceOf(FormationMessageError)
    expect(error).toMatchObject({ name: 'FormationMessageError', code: 'ERR_FORMATION_MESSAGE' })
    expect(error.message).toMatch(sentence)
    expect(error.cause).toMatchObject({ name: 'FieldError', code: 'ERR_FORMATION_FIELD' })
  })

  it.each<readonly [CborValue, RegExp]>([
    [[1, 0, null, null], /founding state is not an array of 5/],
    [[2, 0, null, null, null], /not of version 1/],
    [[1, 1, null, [2, [a.bytes]], null], /accepted in a future term/],
    [[1, 1, null, [1], null], /accepted set is not an array of 2/],
    [[1, 1, '', null, null], /votedFor is not a text of 1 to 256/],
    [[1, 1, 5, null, null], /votedFor is not a text/]
  ])('refuse a stored state, with what to do: %j', (value, sentence) => {
    const error = problem(() => decodeFormationState(encodeCbor(value), readClaim))
    expect(error).toBeInstanceOf(FormationStateError)
    expect(error).toMatchObject({ name: 'FormationStateError', code: 'ERR_FORMATION_STATE' })
    expect(error.message).toMatch(sentence)
    expect((error as FormationStateError).nextStep).toMatch(/newer release.*fresh data directory/)
  })

  it('do not hide an error that is not theirs', () => {
    const broken = (): never => {
      throw new TypeError('a bug')
    }
    expect(() => decodeFormationMessage([3, 1, [Uint8Array.of(1)]], broken)).toThrow(TypeError)
    const stored = encodeFormationState({
      ...initialFormationState,
      term: 1,
      accepted: { term: 1, set: { claims: [a] } }
    })
    expect(() => decodeFormationState(stored, broken)).toThrow(TypeError)
  })

  it('say the same again', () => {
    expect(encodeFormationMessage({ type: 'vote', term: 4 })).toEqual([1, 4])
  })
})

describe('who is here', () => {
  const founder = (self = a, foundingSize = 3) => {
    const formation = createFormation({
      ...{ self, foundingSize, state: initialFormationState, crypto: fakeCrypto },
      ...{ rankStepMs: 10, campaignTimeoutMs: 100 }
    })
    formation.start(0)
    return formation
  }

  it('is told once, and once more after it went', () => {
    const formation = founder()
    const connect = () => formation.step({ type: 'founder-connected', claim: b }, 1).events
    expect(connect()).toMatchObject([{ type: 'founder-seen', seat: 2, present: 2, of: 3 }])
    expect(connect()).toEqual([])
    expect(formation.status().present).toHaveLength(2)
    formation.step({ type: 'founder-disconnected', incarnation: 'x#1' }, 2)
    expect(formation.status().present).toHaveLength(2)
    formation.step({ type: 'founder-disconnected', incarnation: b.incarnation }, 2)
    expect(formation.status().present).toHaveLength(1)
    expect(connect()).toMatchObject([{ type: 'founder-seen', present: 2 }])
  })

  it('is gathering, then electing; a machine on two disks is a conflict although its seats differ', () => {
    const formation = founder(a, 2)
    expect(formation.status().stage).toBe('gathering')
    formation.step({ type: 'founder-connected', claim: b }, 1)
    expect(formation.status().stage).toBe('electing')
    const twin = founder(a, 3)
    twin.step({ type: 'founder-connected', claim: b }, 1)
    const { events } = twin.step({ type: 'founder-connected', claim: makeClaim('b', 3, 2) }, 2)
    expect(events.find(({ type }) => type === 'seat-conflict')).toBeDefined()
    expect(twin.status().stage).toBe('conflict')
  })

  it('and agrees once it leads, or has accepted in this term', () => {
    const formation = founder(a, 2)
    formation.step({ type: 'founder-connected', claim: b }, 1)
    formation.step({ type: 'persisted', write: 1 }, 2)
    formation.step({ type: 'message', from: b.incarnation, message: { type: 'vote', term: 1 } }, 3)
    expect(formation.status().stage).toBe('agreeing')
    const follower = founder(b, 2)
    follower.step({ type: 'founder-connected', claim: a }, 1)
    const hear = (message: Parameters<typeof encodeFormationMessage>[0]) =>
      follower.step({ type: 'message', from: a.incarnation, message }, 2)
    hear({ type: 'request-vote', term: 1, acceptedTerm: 0 })
    expect(follower.status().stage).toBe('electing')
    hear({ type: 'propose', term: 1, set: { claims: [a, b] } })
    expect(follower.status().stage).toBe('agreeing')
  })

  it('is asked again when it comes back, unless it has answered', () => {
    const formation = founder(a, 3)
    const connect = (claim: Claim) => formation.step({ type: 'founder-connected', claim }, 1)
    const again = (claim: Claim): readonly string[] => {
      formation.step({ type: 'founder-disconnected', incarnation: claim.incarnation }, 2)
      const { send, sendAfter } = connect(claim)
      return [...send, ...sendAfter].filter(({ to }) => to === claim.incarnation).map(({ message }) => message.type)
    }
    connect(b)
    connect(c)
    formation.step({ type: 'message', from: c.incarnation, message: { type: 'vote', term: 1 } }, 2)
    expect(again(c)).toEqual([])
    expect(again(b)).toEqual(['request-vote'])
  })
})
