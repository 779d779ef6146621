/**
 * When to campaign. Nothing here can make formation unsafe; it only makes it quick, and ends duels.
 *
 * Rank orders the founders that are here: the newest accepted set first, because nobody else can win its holder's vote; then
 * the lowest seat. Rank 0 campaigns at once, each further rank a step later. Founders that do not all see each other can
 * disagree about ranks and depose each other in turn, so every further campaign waits longer, by a factor of one's own.
 */
import { utf8 } from '../core/bytes.ts'
import { acceptedTermOf, type Core, isComplete, type Step } from './core.ts'
import { compareClaims } from './founding-set.ts'
import type { Claim, IncarnationId } from './types.ts'

const WIDENINGS_MAX = 4

export function rankOf(core: Core): number {
  const { self } = core.settings
  const acceptedTerm = (claim: Claim): number => core.pace.acceptedTerms.get(claim.incarnation) ?? 0
  return core.founders.filter(
    (founder) => (acceptedTermOf(core) - acceptedTerm(founder) || compareClaims(founder, self)) < 0
  ).length
}

/** From the moment on when nobody else's campaign is in the way. */
export function campaignDelayMs(core: Core): number {
  const widening = 2 ** Math.min(Math.max(0, core.pace.campaigns - 1), WIDENINGS_MAX) - 1
  return (rankOf(core) + widening * spreadOf(core)) * core.settings.rankStepMs
}

/** A number of one's own, from 1: the seat, or in pool mode something that differs often enough. */
function spreadOf({ settings: { self, foundingSize } }: Core): number {
  if (self.seat !== 0) return self.seat
  let sum = 0
  for (const byte of utf8(self.incarnation)) sum = (sum * 31 + byte) % 65_521
  return 1 + (sum % (2 * foundingSize))
}

/** Idle: campaign after our rank's delay, or earlier when that was already planned. */
export function schedule(step: Step): void {
  const at = step.now + campaignDelayMs(step.core)
  step.setPace({ campaignAt: Math.min(step.core.pace.campaignAt ?? at, at), resendAt: undefined })
}

/** A campaign, our own or one that we support, gets its time; after that it is our turn again. */
export function allowTime(step: Step): void {
  const { settings, role } = step.core
  const leads = role.type === 'candidate' || role.type === 'leader'
  step.setPace({
    campaignAt: step.now + settings.campaignTimeoutMs + campaignDelayMs(step.core),
    resendAt: leads ? step.now + settings.rankStepMs : undefined
  })
}

export function becomeIdle(step: Step): void {
  step.set({ role: { type: 'idle' } })
  step.setPace({ campaignAt: undefined, resendAt: undefined })
  if (isComplete(step.core)) schedule(step)
}

/** Remembers how new the accepted set of a founder is. It only ever gets newer; a late message may say less. */
export function learnAcceptedTerm(step: Step, from: IncarnationId, term: number): void {
  const { acceptedTerms } = step.core.pace
  if (term > (acceptedTerms.get(from) ?? 0)) step.setPace({ acceptedTerms: new Map(acceptedTerms).set(from, term) })
}
