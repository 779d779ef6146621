/** What voters and acceptors have in common: giving way to a later term, and saying no. */
import { acceptedTermOf, type Step } from './core.ts'
import { becomeIdle } from './pacing.ts'
import type { IncarnationId } from './types.ts'

/** A later term than ours: our own campaign or leadership is over, and we have voted for nobody yet. */
export function adoptTerm(step: Step, term: number): void {
  step.save({ term, votedFor: undefined })
  becomeIdle(step)
}

/** A refusal promises nothing: it only tells the asker which term and which accepted set it has to catch up with. */
export function refuse(step: Step, to: IncarnationId, of: number): void {
  const { core } = step
  step.send(to, { type: 'refuse', of, term: core.state.term, acceptedTerm: acceptedTermOf(core) })
}
