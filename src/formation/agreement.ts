/** Steps 3 and 4: agreeing on the founding set, signing it, and the latch. */
import { compareText, equalBytes } from '../core/bytes.ts'
import { assembleCertificate, verifyCertificate } from './certificate.ts'
import { certificateClaims, type Step, UNPACED } from './core.ts'
import { isWellFormed, sameSet } from './founding-set.ts'
import type { FormationMessage } from './messages.ts'
import { allowTime, learnAcceptedTerm } from './pacing.ts'
import { adoptTerm, refuse } from './terms.ts'
import type { Claim, FormationInput, FoundingCertificate, FoundingSet, IncarnationId } from './types.ts'

type Message<T extends FormationMessage['type']> = Extract<FormationMessage, { type: T }>

/**
 * Proposes as leader of the current term. The proposals leave while our own acceptance is being written: should it be lost,
 * nobody has counted it, and our durable vote for ourselves keeps us from leading this term a second time.
 */
export function propose(step: Step, set: FoundingSet): void {
  accept(step, set)
  step.set({ role: { type: 'leader', set, acceptances: [] } })
  allowTime(step)
  step.broadcast({ type: 'propose', term: step.core.state.term, set })
}

function accept(step: Step, set: FoundingSet): void {
  const { term } = step.core.state
  step.save({ accepted: { term, set } })
  step.set({ own: { write: step.core.lastWrite, asked: false, signature: undefined } })
  step.saw(set.claims)
  step.emit({ type: 'accepted', term })
}

export function onPropose(step: Step, from: IncarnationId, { term, set }: Message<'propose'>): void {
  if (!isWellFormed(set, step.core.settings.foundingSize)) return
  learnAcceptedTerm(step, from, term)
  if (term < step.core.state.term) return refuse(step, from, term)
  if (term > step.core.state.term) adoptTerm(step, term)
  const { accepted, votedFor } = step.core.state
  if (accepted?.term !== term) {
    // A leader of this term had N votes, so our vote is of no use to anybody else in it.
    if (votedFor === undefined) step.save({ votedFor: from })
    accept(step, set)
  } else if (!sameSet(accepted.set, set)) return refuse(step, from, term)
  // Our own proposal, coming from somebody else: then we are not to follow anybody in it.
  if (step.core.role.type === 'leader') return
  step.set({ role: { type: 'following', leader: from } })
  allowTime(step)
  signWhenDurable(step)
  sendAcceptance(step)
}

/** Asks for our signature under the set accepted in this term; only then can anybody count on it. */
export function signWhenDurable(step: Step): void {
  const { own, durableWrite, state, role, settings } = step.core
  if (own.asked || own.write > durableWrite || state.accepted === undefined) return
  if (state.accepted.term !== state.term || (role.type !== 'leader' && role.type !== 'following')) return
  step.set({ own: { ...own, asked: true } })
  step.sign(state.term, settings.crypto.acceptancePayload(state.term, state.accepted.set))
}

export function onSigned(step: Step, { term, payload, signature }: Extract<FormationInput, { type: 'signed' }>): void {
  const { own, state, settings, role } = step.core
  if (!own.asked || state.accepted?.term !== term) return
  if (!equalBytes(payload, settings.crypto.acceptancePayload(term, state.accepted.set))) return
  step.set({ own: { ...own, signature } })
  if (role.type === 'leader') collect(step, settings.self, term, signature)
  else sendAcceptance(step)
}

function sendAcceptance(step: Step): void {
  const { own, role, state } = step.core
  if (role.type !== 'following' || own.signature === undefined || state.accepted?.term !== state.term) return
  step.send(role.leader, { type: 'accept', term: state.term, signature: own.signature })
}

export function onAccept(step: Step, from: Claim, { term, signature }: Message<'accept'>): void {
  collect(step, from, term, signature)
}

/** Acceptances count by incarnation, and only those of this leader's own term: terms never add up. */
function collect(step: Step, claim: Claim, term: number, signature: Uint8Array): void {
  const { role, settings, state } = step.core
  if (role.type !== 'leader' || term !== state.term) return
  const { incarnation } = claim
  if (role.acceptances.some((known) => known.incarnation === incarnation)) return
  const acceptance = { incarnation, claim, signature }
  if (!settings.crypto.verifyAcceptance(settings.crypto.acceptancePayload(term, role.set), acceptance)) return
  const acceptances = [...role.acceptances, acceptance].toSorted((a, b) => compareText(a.incarnation, b.incarnation))
  step.set({ role: { ...role, acceptances } })
  if (acceptances.length < settings.quorum) return
  latch(step, assembleCertificate(term, role.set, acceptances, settings.quorum))
}

/** What a founding certificate does to us, wherever it comes from. */
export function onCertificate(step: Step, certificate: FoundingCertificate, from?: IncarnationId): void {
  const { settings, state } = step.core
  const known = state.certificate
  if (known !== undefined && sameSet(known.set, certificate.set)) return
  if (!verifyCertificate(certificate, settings.foundingSize, settings.quorum, settings.crypto)) return
  if (known === undefined) latch(step, certificate, from)
  else step.emit({ type: 'rival-certificate', certificate })
}

/**
 * The end of founding for this store. The certificate proves itself, so it is passed on while it is being written; that we
 * are formed is said only after.
 */
function latch(step: Step, certificate: FoundingCertificate, from?: IncarnationId): void {
  step.save({ certificate })
  step.set({
    role: { type: 'latched', write: step.core.lastWrite, announced: false },
    conflict: undefined,
    pace: UNPACED
  })
  step.saw(certificateClaims(certificate))
  step.broadcast({ type: 'certificate', certificate }, from)
}

export function announceWhenDurable(step: Step): void {
  const { role, durableWrite, state } = step.core
  if (role.type !== 'latched' || role.announced || role.write > durableWrite || state.certificate === undefined) return
  step.set({ role: { ...role, announced: true } })
  step.formed(state.certificate)
  step.emit({ type: 'formed', term: state.certificate.term })
}
