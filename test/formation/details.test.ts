/**
 * What a formation does at its edges: guards that a whole cluster rarely reaches. Each test here was written for a change of the
 * code that no other test noticed.
 */
import { describe, expect, it } from 'vitest'
import { TERM_MAX } from '../../src/formation/fields.ts'
import {
  type Claim,
  createFormation,
  decodeFormationState,
  encodeFormationState,
  FOUNDING_SIZE_MAX,
  type Formation,
  type FormationEffects,
  type FormationMessage,
  type FormationState,
  initialFormationState
} from '../../src/formation/index.ts'
import { fakeCrypto, fakeSign, makeClaim, readClaim } from './fake-crypto.ts'

const [A, B, C] = [makeClaim('a', 1), makeClaim('b', 2), makeClaim('c', 3)]
const TWO = { claims: [A, B] }
const TIMEOUT_MS = 100

/** A founder that is told things one by one. */
class Founder {
  readonly claim: Claim
  readonly #formation: Formation
  now = 0

  constructor(claim: Claim, foundingSize: number, state: Partial<FormationState> = {}) {
    this.claim = claim
    this.#formation = createFormation({
      self: claim,
      foundingSize,
      state: { ...initialFormationState, ...state },
      crypto: fakeCrypto,
      rankStepMs: 10,
      campaignTimeoutMs: TIMEOUT_MS
    })
    this.#formation.start(0)
  }

  get status() {
    return this.#formation.status()
  }

  connect(...claims: readonly Claim[]): FormationEffects {
    return claims.map((claim) => this.#formation.step({ type: 'founder-connected', claim }, this.now)).at(-1)!
  }

  disconnect({ incarnation }: Claim): FormationEffects {
    return this.#formation.step({ type: 'founder-disconnected', incarnation }, this.now)
  }

  hear(from: Claim, message: FormationMessage): FormationEffects {
    return this.#formation.step({ type: 'message', from: from.incarnation, message }, this.now)
  }

  persisted(write: number): FormationEffects {
    return this.#formation.step({ type: 'persisted', write }, this.now)
  }

  tick(now: number): FormationEffects {
    this.now = now
    return this.#formation.step({ type: 'tick' }, now)
  }

  signed(term: number, payload: Uint8Array): FormationEffects {
    const signature = fakeSign(this.claim, payload)
    return this.#formation.step({ type: 'signed', term, payload, signature }, this.now)
  }

  /** Elected in term 1 by these, with its own vote durable as write 1; its acceptance is write 2. */
  lead(...voters: readonly Claim[]): FormationEffects {
    this.connect(...voters)
    this.persisted(1)
    return voters.map((voter) => this.hear(voter, { type: 'vote', term: 1 })).at(-1)!
  }
}

const ask = (term: number, acceptedTerm = 0): FormationMessage => ({ type: 'request-vote', term, acceptedTerm })
const refusal = (of: number): FormationMessage => ({ type: 'refuse', of, term: of, acceptedTerm: 0 })
const said = ({ send, sendAfter }: FormationEffects): string[] =>
  [...send, ...sendAfter].map(({ to, message }) => `${to} ${message.type}`)
const elected = ({ events }: FormationEffects): unknown => events.find(({ type }) => type === 'elected')
const acceptance = (claim: Claim, term: number, claims: readonly Claim[]): FormationMessage => ({
  type: 'accept',
  term,
  signature: fakeSign(claim, fakeCrypto.acceptancePayload(term, { claims }))
})

describe('a campaign', () => {
  it('that has lost a founder is given up when its time is over, and begins anew when somebody comes', () => {
    const a = new Founder(A, 2)
    a.connect(B)
    a.disconnect(B)
    expect(a.tick(TIMEOUT_MS)).toMatchObject({ write: undefined, deadline: undefined })
    expect(a.status).toMatchObject({ term: 1, stage: 'gathering' })
    a.connect(B)
    expect(a.status.term).toBe(2)
  })

  it('is not begun by who supports another one and has learnt meanwhile that it could not win', () => {
    const b = new Founder(B, 2)
    b.connect(A)
    b.hear(A, ask(1))
    b.hear(A, ask(1, 1))
    b.tick(10_000)
    expect(b.status.term).toBe(1)
  })

  it('comes later the more of them there were, and the later the higher the seat', () => {
    for (const [claim, others, gaps] of [
      [A, [B, C], [100, 210, 430]],
      // Its first term is the one in which it votes for seat 1, unasked.
      [C, [A, B], [20, 20 + 100, 70 + 200]]
    ] as const) {
      const founder = new Founder(claim, 3)
      let deadline = founder.connect(...others).deadline
      const begun: number[] = []
      for (let i = 0; i < 100 && begun.length < 4; i++) {
        if (founder.status.term > begun.length) begun.push(founder.now)
        else deadline = founder.tick(deadline!).deadline
      }
      expect(begun.slice(1).map((at, i) => at - begun[i]!)).toEqual(gaps)
    }
  })

  it('names the write that its messages wait for, and none where nothing waits', () => {
    const b = new Founder(B, 2)
    b.connect(A)
    const voted = b.hear(A, ask(1))
    expect([said(voted), voted.sendAfterWrite]).toEqual([['a#1 vote'], 1])
    expect(b.hear(A, refusal(1))).toMatchObject({ sendAfter: [], sendAfterWrite: 0 })
  })

  it('is not begun against a newer set, whoever comes, goes or says less', () => {
    const a = new Founder(A, 3)
    a.connect(B, C)
    a.hear(C, { type: 'refuse', of: 1, term: 1, acceptedTerm: 5 })
    a.hear(C, refusal(1))
    a.disconnect(B)
    a.tick(10_000)
    expect(a.connect(B).deadline).toBeUndefined()
    expect(a.status.term).toBe(1)
    // What was known of it goes with it.
    a.disconnect(C)
    a.connect(C)
    expect(a.status.term).toBe(2)
  })

  it('goes up to the last term and not beyond', () => {
    for (const [term, reached] of [
      [TERM_MAX - 1, TERM_MAX],
      [TERM_MAX, TERM_MAX]
    ] as const) {
      const a = new Founder(A, 2, { term })
      a.connect(B)
      expect(a.status.term).toBe(reached)
    }
  })

  it('asks only after its accepted set is durable', () => {
    const a = new Founder(A, 2)
    a.lead(B)
    const { send, sendAfter, sendAfterWrite } = a.tick(TIMEOUT_MS)
    expect(send).toEqual([])
    expect(sendAfter).toEqual([{ to: B.incarnation, message: ask(2, 1) }])
    expect(sendAfterWrite).toBe(3)
  })

  it('asks at once when there is no accepted set to wait for', () => {
    expect(new Founder(A, 2).connect(B).send).toEqual([{ to: B.incarnation, message: ask(1) }])
  })

  it('is won by N votes, its own and each other once, all of its term', () => {
    const a = new Founder(A, 3)
    a.connect(B, C)
    a.persisted(1)
    expect(elected(a.hear(B, { type: 'vote', term: 1 }))).toBeUndefined()
    expect(elected(a.hear(B, { type: 'vote', term: 1 }))).toBeUndefined()
    expect(elected(a.hear(C, { type: 'vote', term: 2 }))).toBeUndefined()
    expect(elected(a.hear(C, { type: 'vote', term: 1 }))).toEqual({ type: 'elected', term: 1, votes: 3 })
    expect(a.hear(C, { type: 'vote', term: 1 })).toMatchObject({ write: undefined, send: [], events: [] })
  })

  it('names, of two that voted for one seat, the one that is still here', () => {
    const [old, wiped] = [makeClaim('b', 2, 1), makeClaim('b', 2, 2)]
    const a = new Founder(A, 2)
    a.connect(old)
    a.hear(old, { type: 'vote', term: 1 })
    a.disconnect(old)
    a.connect(wiped)
    a.hear(wiped, { type: 'vote', term: 1 })
    const propose = a.persisted(1).send.find(({ message }) => message.type === 'propose')?.message
    expect(propose).toMatchObject({ set: { claims: [{ incarnation: 'a#1' }, { incarnation: 'b#2' }] } })
  })

  it('ends when too many have refused, and not before', () => {
    const pool = ['p', 'q', 'r', 's'].map((name) => makeClaim(name, 0))
    const p = new Founder(pool[0]!, 3)
    p.connect(pool[1]!, pool[2]!, pool[3]!)
    expect(p.status.term).toBe(1)
    p.hear(pool[1]!, refusal(1))
    p.hear(pool[1]!, refusal(1))
    expect(p.status.term).toBe(1)
    // The second of three who were asked: two votes are out of reach now, so the next campaign begins.
    p.hear(pool[2]!, refusal(1))
    expect(p.status.term).toBe(2)
  })

  it('is not ended by a refusal of an earlier one, nor by who voted for it and went', () => {
    const a = new Founder(A, 2)
    a.connect(B)
    a.hear(B, refusal(0))
    expect(a.status.term).toBe(1)
    const pool = ['p', 'q', 'r'].map((name) => makeClaim(name, 0))
    const p = new Founder(pool[0]!, 2)
    p.connect(pool[1]!, pool[2]!)
    p.hear(pool[1]!, { type: 'vote', term: 1 })
    p.disconnect(pool[1]!)
    p.hear(pool[2]!, refusal(1))
    expect(p.status.term).toBe(1)
  })
})

describe('a voter', () => {
  it('refuses a campaign of an earlier term, voted in or not', () => {
    const b = new Founder(B, 2, { term: 5 })
    b.connect(A)
    const effects = b.hear(A, ask(3))
    expect(effects.write).toBeUndefined()
    expect(said(effects)).toEqual(['a#1 refuse'])
  })

  it('gives a campaign its time once, however often it is asked', () => {
    const b = new Founder(B, 2)
    b.connect(A)
    const first = b.hear(A, ask(1)).deadline
    b.now = 50
    expect(b.hear(A, ask(1)).deadline).toBe(first)
  })

  it('goes back to waiting for its own turn when the connection to its candidate closes', () => {
    const b = new Founder(B, 3)
    b.connect(A, C)
    expect(b.hear(A, ask(1)).deadline).toBeGreaterThanOrEqual(TIMEOUT_MS)
    expect(b.disconnect(A).deadline).toBeUndefined()
    expect(b.connect(A).deadline).toBe(10)
  })

  it('campaigns no sooner because it refuses a second candidate', () => {
    const b = new Founder(B, 3)
    b.connect(A, C)
    const { deadline } = b.hear(A, ask(1))
    expect(said(b.hear(C, ask(1)))).toEqual(['c#1 refuse'])
    expect(b.hear(C, ask(1)).deadline).toBe(deadline)
  })

  it('that refuses an outdated candidate campaigns soon, however often it has failed before', () => {
    const b = new Founder(B, 2, { term: 1, accepted: { term: 1, set: TWO } })
    b.connect(A)
    for (let now = 0; now < 20_000; now += 5) b.tick(now)
    const { term } = b.status
    b.hear(A, { type: 'refuse', of: term, term: term + 1, acceptedTerm: 0 })
    b.hear(A, ask(term + 2))
    b.tick(b.now + 10)
    expect(b.status.term).toBe(term + 3)
  })

  it('that supports one candidate campaigns no sooner because it refuses another, outdated one', () => {
    const b = new Founder(B, 3, { term: 1, accepted: { term: 1, set: { claims: [A, B, C] } } })
    b.connect(A, C)
    const { deadline } = b.hear(A, ask(2, 1))
    const refused = b.hear(C, ask(2))
    expect(said(refused)).toEqual(['c#1 refuse'])
    expect(refused.deadline).toBe(deadline)
  })

  it('of an outdated candidate that has lost a founder waits', () => {
    const c = new Founder(C, 3, { term: 1, accepted: { term: 1, set: { claims: [A, B, C] } } })
    c.connect(A)
    expect(c.hear(A, ask(2)).deadline).toBeUndefined()
    expect(c.status.term).toBe(2)
  })
})

describe('a vote that was not asked for', () => {
  it('goes to the lowest seat when the last founder is here, once, and is not asked for any more', () => {
    const c = new Founder(C, 3)
    expect(c.connect(B).write).toBeUndefined()
    const offer = c.connect(A)
    expect(offer.write?.state).toMatchObject({ term: 1, votedFor: 'a#1', accepted: undefined })
    expect([offer.send, said(offer), offer.sendAfterWrite]).toEqual([[], ['a#1 vote'], 1])
    expect(c.status.stage).toBe('electing')
    c.disconnect(B)
    expect(c.connect(B).write).toBeUndefined()

    const a = new Founder(A, 3)
    a.connect(C)
    expect(said(a.hear(C, { type: 'vote', term: 1 }))).toEqual([])
    a.hear(C, { type: 'vote', term: 1 })
    expect(said(a.connect(B))).toEqual(['b#1 request-vote'])
    a.persisted(1)
    expect(elected(a.hear(B, { type: 'vote', term: 1 }))).toEqual({ type: 'elected', term: 1, votes: 3 })
  })

  it('elects at once whose own vote is durable', () => {
    const a = new Founder(A, 3)
    a.connect(B)
    a.hear(B, { type: 'vote', term: 1 })
    const campaign = a.connect(C)
    expect(said(campaign)).toEqual(['c#1 request-vote'])
    a.hear(C, { type: 'vote', term: 1 })
    expect(said(a.persisted(1))).toEqual(['b#1 propose', 'c#1 propose'])
  })

  it('is forgotten when its voter goes, and counts in no other term', () => {
    const a = new Founder(A, 3)
    a.connect(B)
    a.hear(B, { type: 'vote', term: 1 })
    a.disconnect(B)
    a.connect(B)
    a.hear(B, { type: 'vote', term: 2 })
    expect(said(a.connect(C))).toEqual(['b#1 request-vote', 'c#1 request-vote'])
    const later = new Founder(A, 2, { term: 1, votedFor: 'b#1' })
    expect(said(later.hear(B, { type: 'vote', term: 1 }))).toEqual([])
    expect(said(later.connect(B))).toEqual(['b#1 request-vote'])
    later.persisted(1)
    expect(elected(later.hear(B, { type: 'vote', term: 1 }))).toBeUndefined()
  })

  it('is not given by the lowest seat, nor by who has taken part in a term', () => {
    expect(new Founder(A, 2).connect(B).write?.state.votedFor).toBe('a#1')
    expect(new Founder(B, 2, { term: 1 }).connect(A).write).toBeUndefined()
    const c = new Founder(C, 3)
    c.connect(B)
    c.hear(B, refusal(1))
    expect(c.connect(A).write).toBeUndefined()
  })
})

describe('an acceptance', () => {
  it('makes all of the set known, and gives the leader its time', () => {
    const c = new Founder(C, 3)
    c.connect(A)
    const effects = c.hear(A, { type: 'propose', term: 1, set: { claims: [A, B, C] } })
    expect(c.status.seen).toHaveLength(3)
    expect(effects.deadline).toBeGreaterThanOrEqual(TIMEOUT_MS)
  })

  it('leaves the vote of its term as it is', () => {
    const pool = ['p', 'q', 'r'].map((name) => makeClaim(name, 0))
    const r = new Founder(pool[2]!, 2, { term: 1, votedFor: 'q#1' })
    r.connect(pool[0]!)
    const { write } = r.hear(pool[0]!, { type: 'propose', term: 1, set: { claims: [pool[0]!, pool[2]!] } })
    expect(write?.state).toMatchObject({ votedFor: 'q#1', accepted: { term: 1 } })
  })

  it('of our own proposal, said by somebody else, makes nobody follow in it', () => {
    const a = new Founder(A, 2)
    a.lead(B)
    const effects = a.hear(B, { type: 'propose', term: 1, set: TWO })
    expect(said(effects)).toEqual([])
    const { sign } = a.persisted(2)
    a.signed(1, sign!.payload)
    expect(a.hear(B, acceptance(B, 1, TWO.claims)).write?.state.certificate).toBeDefined()
  })

  it('is not signed any more when a later term has begun before it was durable', () => {
    const b = new Founder(B, 2)
    b.connect(A)
    b.hear(A, { type: 'propose', term: 1, set: TWO })
    b.hear(A, ask(2, 1))
    expect(b.persisted(2).sign).toBeUndefined()
  })

  it('is not signed by who follows nobody', () => {
    const b = new Founder(B, 3, { term: 1, votedFor: 'a#1', accepted: { term: 1, set: { claims: [A, B, C] } } })
    expect(b.persisted(0).sign).toBeUndefined()
  })

  it('whose signature comes too late, or was not asked for, or is for something else, is not sent', () => {
    const b = new Founder(B, 2)
    b.connect(A)
    const payload = fakeCrypto.acceptancePayload(1, TWO)
    expect(said(b.signed(1, payload))).toEqual([])
    b.hear(A, { type: 'propose', term: 1, set: TWO })
    expect(said(b.signed(1, payload))).toEqual([])
    expect(b.persisted(2).sign).toEqual({ term: 1, payload })
    expect(said(b.signed(2, payload))).toEqual([])
    expect(said(b.signed(1, fakeCrypto.acceptancePayload(2, TWO)))).toEqual([])
    expect(said(b.signed(2, fakeCrypto.acceptancePayload(2, TWO)))).toEqual([])
    b.hear(A, ask(2, 1))
    expect(said(b.signed(1, payload))).toEqual([])
  })

  it('whose leader is gone when it is signed is sent to nobody', () => {
    const b = new Founder(B, 3)
    b.connect(A, C)
    b.hear(A, { type: 'propose', term: 1, set: { claims: [A, B, C] } })
    const { sign } = b.persisted(2)
    b.disconnect(A)
    expect(said(b.signed(1, sign!.payload))).toEqual([])
  })

  it('is said again to its leader only in its own term', () => {
    const b = new Founder(B, 2)
    b.connect(A)
    b.hear(A, { type: 'propose', term: 1, set: TWO })
    b.signed(1, b.persisted(2).sign!.payload)
    expect(said(b.hear(A, { type: 'propose', term: 1, set: TWO }))).toEqual(['a#1 accept'])
    b.hear(A, ask(2, 1))
    // The set of term 2 is accepted, and not yet signed.
    expect(said(b.hear(A, { type: 'propose', term: 2, set: TWO }))).toEqual([])
  })

  it('counts for a leader, once each, for its own term', () => {
    const three = [A, B, C]
    const a = new Founder(A, 3)
    expect(a.hear(B, acceptance(B, 1, three)).write).toBeUndefined()
    a.lead(B, C)
    expect(a.hear(B, acceptance(B, 2, three)).write).toBeUndefined()
    a.signed(1, a.persisted(2).sign!.payload)
    expect(a.hear(C, acceptance(C, 1, three)).write).toBeUndefined()
    expect(a.hear(C, acceptance(C, 1, three)).write).toBeUndefined()
    const { write } = a.hear(B, acceptance(B, 1, three))
    expect(write?.state.certificate?.acceptances.map(({ incarnation }) => incarnation)).toEqual(['a#1', 'b#1', 'c#1'])
  })
})

it('a conflict about a seat is reported again when others contest it', () => {
  const a = new Founder(A, 3)
  const rivals = ['b', 'd', 'c', 'e'].map((id) => makeClaim(id, 2))
  const conflicts = rivals.map((rival) => a.connect(rival).events.filter(({ type }) => type === 'seat-conflict'))
  const [b, d, c] = rivals
  expect(conflicts).toMatchObject([[], [{ seat: 2, claims: [b, d] }], [{ seat: 2, claims: [b, c] }], []])
})

it('who was voted for has a name of bounded length', () => {
  const of = (length: number): Uint8Array =>
    encodeFormationState({ ...initialFormationState, term: 1, votedFor: 'x'.repeat(length) })
  const read = (length: number): unknown => decodeFormationState(of(length), readClaim).votedFor
  expect(read(256)).toHaveLength(256)
  for (const length of [0, 257]) expect(() => read(length)).toThrow('votedFor is not a text of 1 to 256')
})

it.each([0, -1, 1.5, FOUNDING_SIZE_MAX + 1, Number.NaN])('nobody founds a cluster of %d', (size) => {
  expect(() => new Founder(makeClaim('a', 0), size)).toThrow('bug in quorate: founding size')
})

it('the largest cluster is founded like any other, by founders with seats in it', () => {
  expect(new Founder(makeClaim('a', FOUNDING_SIZE_MAX), FOUNDING_SIZE_MAX).status.term).toBe(0)
  const beyond = makeClaim('a', FOUNDING_SIZE_MAX + 1)
  expect(() => new Founder(beyond, FOUNDING_SIZE_MAX)).toThrow('own seat beyond the founding size')
})

it('a formation is started once, and before it is told anything', () => {
  const formation = createFormation({
    self: A,
    foundingSize: 2,
    state: initialFormationState,
    crypto: fakeCrypto,
    rankStepMs: 10,
    campaignTimeoutMs: TIMEOUT_MS
  })
  expect(() => formation.step({ type: 'tick' }, 0)).toThrow('formation was not started')
  formation.start(0)
  expect(() => formation.start(0)).toThrow('formation was started twice')
})

describe('the latch', () => {
  it('is reported when it is durable, and once', () => {
    const a = new Founder(A, 2)
    a.lead(B)
    a.signed(1, a.persisted(2).sign!.payload)
    const latched = a.hear(B, acceptance(B, 1, TWO.claims))
    expect([latched.formed, a.persisted(2).formed]).toEqual([undefined, undefined])
    expect(a.status.stage).toBe('agreeing')
    expect(a.persisted(3).formed).toEqual(latched.write?.state.certificate)
    expect(a.status.stage).toBe('formed')
    expect(a.persisted(3)).toMatchObject({ formed: undefined, events: [] })
  })
})
