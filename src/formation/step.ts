/** Which input goes to which handler, and what is not heard at all. */
import { acceptedTermOf, type Core, isComplete, type Outcome, present, Step } from './core.ts'
import { announceWhenDurable, onAccept, onCertificate, onPropose, onSigned, signWhenDurable } from './agreement.ts'
import { campaign, onRefuse, onRequestVote, onVote, requestVote, takeLead } from './election.ts'
import type { FormationMessage } from './messages.ts'
import { resendTime, schedule } from './pacing.ts'
import { connect, disconnect, missingSeats } from './presence.ts'
import type { Claim, FormationInput, FormationStage, FormationStatus } from './types.ts'

/** The first step of a life: reports a restored latch, or begins to gather. */
export function begin(core: Core, now: number): Outcome {
  const step = new Step(core, now)
  wake(step)
  return step.finish()
}

export function beginOnTime(core: Core, now: number): Outcome {
  const step = new Step(core, now)
  wake(step)
  onTick(step)
  return step.finish()
}

function wake(step: Step): void {
  announceWhenDurable(step)
  if (step.core.role.type === 'idle' && isComplete(step.core)) schedule(step)
}

/** One input. Timers fire on `tick` alone, which lets a checker put them anywhere. */
export function transition(core: Core, input: FormationInput, now: number): Outcome {
  const step = new Step(core, now)
  handle(step, input)
  return step.finish()
}

/** One input, and the timers that are due after it: whoever may campaign at once does so without another wake-up. */
export function transitionOnTime(core: Core, input: FormationInput, now: number): Outcome {
  const step = new Step(core, now)
  handle(step, input)
  if (input.type !== 'tick') handle(step, { type: 'tick' })
  return step.finish()
}

function handle(step: Step, input: FormationInput): void {
  if (step.core.conflict?.own === true) return
  switch (input.type) {
    case 'tick':
      return onTick(step)
    case 'founder-connected':
      return onConnected(step, input.claim)
    case 'founder-disconnected':
      return disconnect(step, input.incarnation)
    case 'message': {
      const sender = step.core.founders.find((founder) => founder.incarnation === input.from)
      return sender === undefined ? undefined : onMessage(step, sender, input.message)
    }
    case 'persisted':
      step.set({ durableWrite: Math.max(step.core.durableWrite, input.write) })
      takeLead(step)
      signWhenDurable(step)
      return announceWhenDurable(step)
    case 'certificate-seen':
      return onCertificate(step, input.certificate)
    case 'signed':
      return onSigned(step, input)
  }
}

function onTick(step: Step): void {
  const { pace } = step.core
  if (pace.campaignAt !== undefined && step.now >= pace.campaignAt) return campaign(step)
  if (pace.resendAt === undefined || step.now < pace.resendAt) return
  for (const founder of step.core.founders) ask(step, founder)
  step.setPace({ resendAt: resendTime(step) })
}

function onConnected(step: Step, claim: Claim): void {
  connect(step, claim)
  const { conflict, state } = step.core
  if (state.certificate !== undefined) {
    step.send(claim.incarnation, { type: 'certificate', certificate: state.certificate })
  } else if (conflict === undefined) ask(step, claim)
}

/** Says again what a founder has not answered yet. */
function ask(step: Step, { incarnation }: Claim): void {
  const { role, state } = step.core
  if (role.type === 'candidate') {
    const answered = role.refusals.includes(incarnation) || role.votes.some((vote) => vote.incarnation === incarnation)
    if (!answered) requestVote(step, incarnation)
  } else if (role.type === 'leader' && role.acceptances.every((known) => known.incarnation !== incarnation)) {
    step.send(incarnation, { type: 'propose', term: state.term, set: role.set })
  }
}

function onMessage(step: Step, from: Claim, message: FormationMessage): void {
  const { conflict, state } = step.core
  if (message.type === 'certificate') return onCertificate(step, message.certificate, from.incarnation)
  if (state.certificate !== undefined) {
    return step.send(from.incarnation, { type: 'certificate', certificate: state.certificate })
  }
  if (conflict !== undefined) return
  switch (message.type) {
    case 'request-vote':
      return onRequestVote(step, from.incarnation, message)
    case 'vote':
      return onVote(step, from, message)
    case 'refuse':
      return onRefuse(step, from.incarnation, message)
    case 'propose':
      return onPropose(step, from.incarnation, message)
    case 'accept':
      return onAccept(step, from, message)
  }
}

export function statusOf(core: Core): FormationStatus {
  return {
    stage: stageOf(core),
    term: core.state.term,
    present: present(core),
    missingSeats: missingSeats(core),
    seen: core.seen,
    conflict: core.conflict === undefined ? undefined : { seat: core.conflict.seat, claims: core.conflict.claims }
  }
}

export function stageOf(core: Core): FormationStage {
  if (core.conflict !== undefined) return 'conflict'
  if (core.role.type === 'latched') return core.role.announced ? 'formed' : 'agreeing'
  const agreed = core.role.type === 'following' && acceptedTermOf(core) === core.state.term
  if (core.role.type === 'leader' || agreed) return 'agreeing'
  return isComplete(core) ? 'electing' : 'gathering'
}
