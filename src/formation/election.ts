/**
 * Step 2: electing a founding leader. N votes of one term, each durable at its voter.
 *
 * Who asks first is no secret: the lowest seat, as soon as it sees all founders. So whoever sees them before it is asked votes at once,
 * without waiting to be: its write and its vote are under way while the candidate is still greeting the last of them. It is the vote that
 * the request would have got. Only in the first term, by those who have never taken part in another: there such a request
 * can say one thing only, that nothing was accepted before.
 */
import { compareText } from '../core/bytes.ts'
import { propose } from './agreement.ts'
import { acceptedTermOf, type Core, isComplete, present, type Role, type Step } from './core.ts'
import { TERM_MAX } from './fields.ts'
import { freshSet } from './founding-set.ts'
import type { FormationMessage } from './messages.ts'
import { allowTime, becomeIdle, firstToAsk, isFutile, learnAcceptedTerm, schedule } from './pacing.ts'
import { adoptTerm, refuse } from './terms.ts'
import type { Claim, FoundingSet, IncarnationId } from './types.ts'

const FIRST_TERM = 1

type Message<T extends FormationMessage['type']> = Extract<FormationMessage, { type: T }>
type Candidate = Extract<Role, { type: 'candidate' }>

/** Asks for votes in the next term, or goes back to waiting when that cannot succeed. */
export function campaign(step: Step): void {
  const { core } = step
  const term = core.state.term + 1
  if (!isComplete(core) || isFutile(core) || term > TERM_MAX) {
    step.set({ role: { type: 'idle' } })
    return step.setPace({ campaignAt: undefined, resendAt: undefined })
  }
  const votes = term === FIRST_TERM ? core.offers : []
  step.save({ term, votedFor: core.settings.self.incarnation })
  step.set({ role: { type: 'candidate', voteWrite: step.core.lastWrite, votes, refusals: [] }, offers: [] })
  step.setPace({ campaigns: core.pace.campaigns + 1 })
  step.emit({ type: 'campaign', term })
  allowTime(step)
  for (const founder of core.founders) if (!votes.includes(founder)) requestVote(step, founder.incarnation)
  takeLead(step)
}

/** Idle, with all founders here: votes for whoever is to ask first, unless that is ourselves. */
export function offerVote(step: Step): void {
  const { state, role } = step.core
  if (state.term >= FIRST_TERM || role.type !== 'idle' || !isComplete(step.core)) return
  const first = firstToAsk(step.core)
  if (first === undefined) return
  step.save({ term: FIRST_TERM, votedFor: first.incarnation })
  step.sendAfterSaved(first.incarnation, { type: 'vote', term: FIRST_TERM })
}

/**
 * The request itself promises nothing, so it need not wait for our own vote to be durable. What it says about our accepted
 * set must be true for good, though: a vote that was won with it stays valid when we crash and campaign in this term again.
 */
export function requestVote(step: Step, to: IncarnationId): void {
  const { core } = step
  const request: FormationMessage = { type: 'request-vote', term: core.state.term, acceptedTerm: acceptedTermOf(core) }
  if (core.own.write <= core.durableWrite) step.send(to, request)
  else step.sendAfterSaved(to, request)
}

export function onRequestVote(step: Step, from: IncarnationId, { term, acceptedTerm }: Message<'request-vote'>): void {
  learnAcceptedTerm(step, from, acceptedTerm)
  if (term > step.core.state.term) adoptTerm(step, term)
  const { state, role } = step.core
  const outdated = acceptedTerm < acceptedTermOf(step.core)
  if (term === state.term && !outdated && (state.votedFor === undefined || state.votedFor === from)) {
    if (state.votedFor === undefined) step.save({ votedFor: from })
    if (role.type === 'idle') {
      step.set({ role: { type: 'following', leader: from } })
      allowTime(step)
    }
    return step.sendAfterSaved(from, { type: 'vote', term })
  }
  refuse(step, from, term)
  if (!outdated || step.core.role.type !== 'idle' || !isComplete(step.core)) return
  // The candidate can never win our vote before it knows our set, and will hold back now. It is for us to campaign, soon.
  step.setPace({ campaigns: 0 })
  schedule(step)
}

export function onVote(step: Step, from: Claim, { term }: Message<'vote'>): void {
  const { role, state, offers } = step.core
  if (role.type === 'idle' && state.term < FIRST_TERM && term === FIRST_TERM)
    return step.set({ offers: added(offers, from) })
  if (role.type !== 'candidate' || term !== state.term) return
  if (role.votes.some((voter) => voter.incarnation === from.incarnation)) return
  step.set({ role: { ...role, votes: added(role.votes, from) } })
  takeLead(step)
}

function added(voters: readonly Claim[], voter: Claim): readonly Claim[] {
  const others = voters.filter(({ incarnation }) => incarnation !== voter.incarnation)
  return [...others, voter].toSorted((a, b) => compareText(a.incarnation, b.incarnation))
}

/** Leads as soon as our own vote is durable, N have voted, and there is a set to propose. */
export function takeLead(step: Step): void {
  const { role, durableWrite, settings, state } = step.core
  if (role.type !== 'candidate' || role.voteWrite > durableWrite) return
  if (role.votes.length + 1 < settings.quorum) return
  const set = proposalOf(step.core, role)
  if (set === undefined) return
  step.emit({ type: 'elected', term: state.term, votes: role.votes.length + 1 })
  propose(step, set)
}

/** The set accepted before, whoever proposed it: it may already be certified somewhere. Else a fresh one of the voters. */
function proposalOf(core: Core, { votes }: Candidate): FoundingSet | undefined {
  if (core.state.accepted !== undefined) return core.state.accepted.set
  const live = new Set(present(core).map((claim) => claim.incarnation))
  return freshSet(core.settings.self, votes, live, core.settings.foundingSize)
}

export function onRefuse(step: Step, from: IncarnationId, { of, term, acceptedTerm }: Message<'refuse'>): void {
  learnAcceptedTerm(step, from, acceptedTerm)
  const { role, state } = step.core
  if (term > state.term) return adoptTerm(step, term)
  if (role.type !== 'candidate' || of !== state.term || role.refusals.includes(from)) return
  const refusals = [...role.refusals, from].toSorted(compareText)
  step.set({ role: { ...role, refusals } })
  if (!canStillWin(step.core, { ...role, refusals })) becomeIdle(step)
}

function canStillWin(core: Core, { votes, refusals }: Candidate): boolean {
  const voters = new Set([...core.founders, ...votes].map((claim) => claim.incarnation))
  for (const refuser of refusals) voters.delete(refuser)
  return voters.size + 1 >= core.settings.quorum
}
