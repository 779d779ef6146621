/** A node that cannot found learns of a founding from whoever shows it a certificate that holds, and from nothing else. */
import { describe, expect, it } from 'vitest'
import { createWitness, type FoundingCertificate, initialFormationState } from '../../src/formation/index.ts'
import { fakeCrypto, fakeSign, makeClaim } from './fake-crypto.ts'

const claims = [makeClaim('a', 1), makeClaim('b', 2)]

function certificate(term: number, members = claims, signers = members): FoundingCertificate {
  const set = { claims: members }
  const payload = fakeCrypto.acceptancePayload(term, set)
  const acceptances = signers.map((claim) => ({
    incarnation: claim.incarnation,
    claim,
    signature: fakeSign(claim, payload)
  }))
  return { term, set, acceptances }
}

const witness = (state = initialFormationState) => createWitness({ foundingSize: 2, state, crypto: fakeCrypto })

describe('a witness', () => {
  it('says that it knows when what it knows is durable, once', () => {
    const node = witness()
    expect(node.start(0)).toMatchObject({ write: undefined, formed: undefined, deadline: undefined })
    expect(node.status()).toMatchObject({ stage: 'gathering', missingSeats: [1, 2] })
    const known = certificate(3)
    const { write, formed } = node.step(
      { type: 'message', from: 'x', message: { type: 'certificate', certificate: known } },
      1
    )
    expect([write?.state.certificate, formed]).toEqual([known, undefined])
    expect([node.status().stage, node.stage()]).toEqual(['agreeing', 'agreeing'])
    expect(node.step({ type: 'certificate-seen', certificate: certificate(4) }, 2).write).toBeUndefined()
    expect(node.step({ type: 'certificate-seen', certificate: known }, 2)).toMatchObject({
      write: undefined,
      events: []
    })
    expect(node.step({ type: 'persisted', write: 0 }, 3).formed).toBeUndefined()
    expect(node.step({ type: 'persisted', write: 1 }, 3)).toMatchObject({
      formed: known,
      events: [{ type: 'formed', term: 3 }]
    })
    expect(node.step({ type: 'persisted', write: 1 }, 4).formed).toBeUndefined()
    expect(node.status()).toMatchObject({ stage: 'formed', missingSeats: [] })
    expect(node.status().seen).toHaveLength(2)
    expect(witness({ ...initialFormationState, certificate: known }).start(0).formed).toEqual(known)
  })

  it.each([
    ['one signature too few', certificate(1, claims, [claims[0]!])],
    ['a signature of another term', { ...certificate(1), term: 2 }],
    ['one claim too few', certificate(1, [claims[0]!], claims)]
  ])('believes nothing with %s', (_, shown) => {
    const node = witness()
    node.start(0)
    expect(node.step({ type: 'certificate-seen', certificate: shown }, 1).write).toBeUndefined()
  })

  it('raises an alarm for a second cluster, and keeps to the first', () => {
    const node = witness({ ...initialFormationState, certificate: certificate(1) })
    node.start(0)
    const rival = certificate(1, [makeClaim('a', 1, 2), makeClaim('b', 2, 2)])
    expect(node.step({ type: 'certificate-seen', certificate: rival }, 1)).toMatchObject({
      write: undefined,
      events: [{ type: 'rival-certificate', certificate: rival }]
    })
  })

  it('takes no part: it asks, votes, signs and waits for nothing', () => {
    const node = witness()
    node.start(0)
    const [a] = claims
    const quiet = { write: undefined, send: [], sendAfter: [], sign: undefined, events: [], deadline: undefined }
    expect(node.step({ type: 'founder-connected', claim: a! }, 1)).toMatchObject(quiet)
    expect(node.step({ type: 'founder-disconnected', incarnation: a!.incarnation }, 1)).toMatchObject(quiet)
    expect(node.status().present).toEqual([])
    const vote = { type: 'request-vote', term: 1, acceptedTerm: 0 } as never
    expect(node.step({ type: 'message', from: a!.incarnation, message: vote }, 2)).toMatchObject(quiet)
    expect(
      node.step({ type: 'signed', term: 1, payload: new Uint8Array(), signature: new Uint8Array() }, 3)
    ).toMatchObject(quiet)
    expect(node.step({ type: 'persisted', write: 1 }, 4)).toMatchObject(quiet)
    expect(node.step({ type: 'tick' }, 5)).toMatchObject(quiet)
  })
})
