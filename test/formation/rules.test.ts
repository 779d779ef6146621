/** Single rules of one formation, driven by hand: what is not heard, what is not believed, what is said again. */
import { describe, expect, it } from 'vitest'
import {
  type Claim,
  createFormation,
  type Formation,
  type FormationEffects,
  type FormationMessage,
  type FormationState,
  type FoundingCertificate,
  initialFormationState
} from '../../src/formation/index.ts'
import { fakeCrypto, fakeSign, makeClaim } from './fake-crypto.ts'

const A = makeClaim('a', 1)
const B = makeClaim('b', 2)
const SPARE = makeClaim('spare', 1)
const SET = { claims: [A, B] }

function formation(self: Claim, state: FormationState = initialFormationState): Formation {
  const made = createFormation({
    self,
    foundingSize: 2,
    state,
    crypto: fakeCrypto,
    rankStepMs: 10,
    campaignTimeoutMs: 100
  })
  made.start(0)
  return made
}

const connect = (to: Formation, claim: Claim, now = 0): FormationEffects =>
  to.step({ type: 'founder-connected', claim }, now)
const hear = (at: Formation, from: Claim, message: FormationMessage, now = 0): FormationEffects =>
  at.step({ type: 'message', from: from.incarnation, message }, now)
const sent = ({ send, sendAfter }: FormationEffects): string[] =>
  [...send, ...sendAfter].map(({ to, message }) => `${to} ${message.type}`)

function certify(
  term: number,
  claims: readonly Claim[],
  signers: readonly Claim[],
  signedTerm = term
): FoundingCertificate {
  const payload = fakeCrypto.acceptancePayload(signedTerm, { claims })
  const acceptances = signers
    .toSorted((a, b) => (a.incarnation < b.incarnation ? -1 : 1))
    .map((claim) => ({ incarnation: claim.incarnation, claim, signature: fakeSign(claim, payload) }))
  return { term, set: { claims }, acceptances }
}

describe('who is heard', () => {
  it('nobody whose session is not open', () => {
    const b = formation(B)
    expect(hear(b, A, { type: 'request-vote', term: 1, acceptedTerm: 0 })).toMatchObject({
      write: undefined,
      send: [],
      sendAfter: []
    })
    connect(b, A)
    b.step({ type: 'founder-disconnected', incarnation: A.incarnation }, 1)
    expect(sent(hear(b, A, { type: 'request-vote', term: 1, acceptedTerm: 0 }))).toEqual([])
  })

  it('a vote waits for its write', () => {
    const b = formation(B)
    const effects = connect(b, A)
    expect(effects.write).toMatchObject({ id: 1, state: { term: 1, votedFor: A.incarnation } })
    expect(effects.send).toEqual([])
    expect(effects.sendAfter).toEqual([{ to: A.incarnation, message: { type: 'vote', term: 1 } }])
    expect(effects.sendAfterWrite).toBe(1)
    const again = hear(b, A, { type: 'request-vote', term: 1, acceptedTerm: 0 })
    expect(again).toMatchObject({ write: undefined, sendAfterWrite: 1 })
    expect(sent(again)).toEqual([`${A.incarnation} vote`])
  })
})

describe('a certificate is believed only when', () => {
  const good = certify(3, [A, B], [A, B])
  const cases: readonly (readonly [string, FoundingCertificate])[] = [
    ['it has N signers', certify(3, [A, B], [A])],
    ['no more than N', certify(3, [A, B], [A, B, SPARE])],
    ['its signers differ', { ...good, acceptances: [good.acceptances[0]!, good.acceptances[0]!] }],
    ['its signers are in order', { ...good, acceptances: good.acceptances.toReversed() }],
    ['the signatures are of its term', certify(3, [A, B], [A, B], 2)],
    ['its set is in order', certify(3, [B, A], [A, B])],
    ['its set has every seat', certify(3, [A, SPARE], [A, SPARE])],
    ['its set has N claims', certify(3, [A], [A, B])],
    ['one peer has one seat', certify(3, [A, makeClaim('a', 2)], [A, B])],
    [
      "a signature is its signer's",
      { ...good, acceptances: good.acceptances.map((a) => ({ ...a, signature: good.acceptances[0]!.signature })) }
    ],
    ['an acceptance names its own claim', { ...good, acceptances: good.acceptances.map((a) => ({ ...a, claim: A })) }]
  ]
  it.each(cases)('%s', (_rule, certificate) => {
    const b = formation(B)
    expect(b.step({ type: 'certificate-seen', certificate }, 0).write).toBeUndefined()
    expect(b.status().stage).toBe('gathering')
  })

  it('all of that holds; then it latches, and is reported when durable', () => {
    const b = formation(B)
    const latched = b.step({ type: 'certificate-seen', certificate: good }, 0)
    expect(latched.write?.state.certificate).toEqual(good)
    expect(latched.formed).toBeUndefined()
    const durable = b.step({ type: 'persisted', write: 1 }, 1)
    expect(durable.formed).toEqual(good)
    expect(durable.events).toEqual([{ type: 'formed', term: 3 }])
    expect(b.step({ type: 'persisted', write: 1 }, 2).formed).toBeUndefined()
  })

  it('signed by a spare that is not in the set, it is as good', () => {
    const b = formation(B)
    expect(b.step({ type: 'certificate-seen', certificate: certify(3, [A, B], [SPARE, B]) }, 0).write).toBeDefined()
  })
})

describe('a latched store', () => {
  const latched: FormationState = { ...initialFormationState, term: 3, certificate: certify(3, [A, B], [A, B]) }

  it('reports its certificate at the start, and never campaigns', () => {
    const b = createFormation({
      self: B,
      foundingSize: 2,
      state: latched,
      crypto: fakeCrypto,
      rankStepMs: 10,
      campaignTimeoutMs: 100
    })
    expect(b.start(0)).toMatchObject({ formed: latched.certificate, deadline: undefined, write: undefined })
    expect(sent(connect(b, A))).toEqual([`${A.incarnation} certificate`])
    expect(b.step({ type: 'tick' }, 1e9)).toMatchObject({ send: [], write: undefined, deadline: undefined })
  })

  it('answers every founding message with it, and a certificate with nothing', () => {
    const b = formation(B, latched)
    connect(b, A)
    const asked: readonly FormationMessage[] = [
      { type: 'request-vote', term: 9, acceptedTerm: 0 },
      { type: 'vote', term: 9 },
      { type: 'refuse', of: 9, term: 9, acceptedTerm: 9 },
      { type: 'propose', term: 9, set: { claims: [SPARE, B] } },
      { type: 'accept', term: 9, signature: new Uint8Array(1) }
    ]
    for (const message of asked) {
      const effects = hear(b, A, message)
      expect(sent(effects)).toEqual([`${A.incarnation} certificate`])
      expect(effects.write).toBeUndefined()
    }
    expect(sent(hear(b, A, { type: 'certificate', certificate: certify(4, [A, B], [A, B]) }))).toEqual([])
  })

  it('keeps its certificate and raises an alarm when it meets a rival', () => {
    const b = formation(B, latched)
    connect(b, A)
    const rival = certify(4, [SPARE, B], [SPARE, B])
    const effects = hear(b, A, { type: 'certificate', certificate: rival })
    expect(effects.events).toEqual([{ type: 'rival-certificate', certificate: rival }])
    expect(effects.write).toBeUndefined()
  })
})

describe('an acceptance', () => {
  it('is signed once it is durable, and said again without another signature', () => {
    const b = formation(B)
    connect(b, A)
    const proposed = hear(b, A, { type: 'propose', term: 1, set: SET })
    expect(proposed.sign).toBeUndefined()
    expect(b.step({ type: 'persisted', write: 1 }, 1).sign).toBeUndefined()
    const { sign } = b.step({ type: 'persisted', write: 2 }, 1)
    expect(sign).toEqual({ term: 1, payload: fakeCrypto.acceptancePayload(1, SET) })
    const signature = fakeSign(B, sign!.payload)
    expect(sent(b.step({ type: 'signed', ...sign!, signature }, 2))).toEqual([`${A.incarnation} accept`])
    const again = hear(b, A, { type: 'propose', term: 1, set: SET }, 3)
    expect(again.sign).toBeUndefined()
    expect(sent(again)).toEqual([`${A.incarnation} accept`])
  })

  it('is signed anew after a restart', () => {
    const b = formation(B, {
      ...initialFormationState,
      term: 1,
      votedFor: A.incarnation,
      accepted: { term: 1, set: SET }
    })
    connect(b, A)
    const again = hear(b, A, { type: 'propose', term: 1, set: SET })
    expect(again.write).toBeUndefined()
    expect(again.sign?.term).toBe(1)
  })

  it('is not given twice in a term', () => {
    const b = formation(B, {
      ...initialFormationState,
      term: 1,
      votedFor: A.incarnation,
      accepted: { term: 1, set: SET }
    })
    connect(b, SPARE)
    const effects = hear(b, SPARE, { type: 'propose', term: 1, set: { claims: [SPARE, B] } })
    expect(effects).toMatchObject({ write: undefined, sign: undefined })
    expect(sent(effects)).toEqual([`${SPARE.incarnation} refuse`])
  })

  it('of a malformed set is not given at all', () => {
    const b = formation(B)
    connect(b, A)
    for (const claims of [[A], [B, A], [A, SPARE]]) {
      expect(hear(b, A, { type: 'propose', term: 1, set: { claims } })).toMatchObject({ write: undefined, send: [] })
    }
  })

  it('with a signature that does not verify is not counted', () => {
    const a = formation(A)
    connect(a, B)
    a.step({ type: 'persisted', write: 1 }, 1)
    hear(a, B, { type: 'vote', term: 1 }, 2)
    const { sign } = a.step({ type: 'persisted', write: 2 }, 3)
    a.step({ type: 'signed', ...sign!, signature: fakeSign(A, sign!.payload) }, 4)
    const forged = fakeSign(SPARE, sign!.payload)
    expect(hear(a, B, { type: 'accept', term: 1, signature: forged }, 5).write).toBeUndefined()
    const honest = fakeSign(B, sign!.payload)
    expect(hear(a, B, { type: 'accept', term: 1, signature: honest }, 6).write?.state.certificate).toBeDefined()
  })
})

describe('a contested seat', () => {
  it('of our own stops this node for good', () => {
    const a = formation(A)
    const effects = connect(a, SPARE)
    expect(effects.events.at(-1)).toEqual({ type: 'seat-conflict', seat: 1, claims: [A, SPARE], own: true })
    a.step({ type: 'founder-disconnected', incarnation: SPARE.incarnation }, 1)
    expect(connect(a, B, 2)).toMatchObject({ write: undefined, send: [], deadline: undefined })
    expect(a.status()).toMatchObject({ stage: 'conflict', conflict: { seat: 1 } })
  })

  it('of our own is also our own data directory, running twice', () => {
    const a = formation(A)
    expect(connect(a, A).events.at(-1)).toMatchObject({ type: 'seat-conflict', own: true })
  })

  it('of others stops a campaign, and nobody gets our vote', () => {
    const b = formation(B)
    connect(b, A)
    const effects = connect(b, SPARE)
    expect(effects.events.at(-1)).toEqual({ type: 'seat-conflict', seat: 1, claims: [A, SPARE], own: false })
    expect(effects.deadline).toBeUndefined()
    expect(hear(b, A, { type: 'request-vote', term: 1, acceptedTerm: 0 })).toMatchObject({ write: undefined, send: [] })
    b.step({ type: 'founder-disconnected', incarnation: SPARE.incarnation }, 1)
    expect(sent(hear(b, A, { type: 'request-vote', term: 1, acceptedTerm: 0 }, 1))).toEqual([`${A.incarnation} vote`])
  })
})

describe('who campaigns', () => {
  it('nobody who was told that the others hold a newer set; its holder does, at once', () => {
    const a = formation(A)
    connect(a, B)
    const refused = hear(a, B, { type: 'refuse', of: 1, term: 5, acceptedTerm: 4 }, 1)
    expect(refused.deadline).toBeUndefined()
    expect(a.step({ type: 'tick' }, 1e9).send).toEqual([])

    const b = formation(B, { term: 5, votedFor: undefined, accepted: { term: 4, set: SET }, certificate: undefined })
    connect(b, A)
    expect(sent(hear(b, A, { type: 'request-vote', term: 1, acceptedTerm: 0 }, 1))).toEqual([
      `${A.incarnation} refuse`,
      `${A.incarnation} request-vote`
    ])
  })

  it('the lowest seat at once, the next one a step later, then with doubling time', () => {
    const b = formation(B)
    expect(connect(b, A).deadline).toBe(10)
    expect(sent(connect(formation(A), B))).toEqual([`${B.incarnation} request-vote`])
    const campaignAt: number[] = []
    let term = b.status().term
    for (let now = 0; now < 5_000; now++) {
      b.step({ type: 'tick' }, now)
      if (b.status().term > term) campaignAt.push(now)
      term = b.status().term
    }
    const gaps = campaignAt.slice(1).map((at, i) => at - campaignAt[i]!)
    expect(campaignAt[0]).toBe(10)
    expect(gaps).toEqual(gaps.toSorted((x, y) => x - y))
    expect(gaps.at(-1)).toBeGreaterThan(gaps[0]! * 4)
  })
})

describe('status', () => {
  it('counts incarnations in memory and on disk, each once', () => {
    const b = formation(B, {
      term: 2,
      votedFor: SPARE.incarnation,
      accepted: { term: 1, set: SET },
      certificate: undefined
    })
    expect(b.status().seen).toHaveLength(3)
    connect(b, A)
    expect(b.status().seen).toHaveLength(3)
    connect(b, makeClaim('a', 1, 7))
    expect(b.status().seen).toHaveLength(4)
  })
})
