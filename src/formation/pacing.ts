/**
 * When to campaign. Nothing here can make formation unsafe; it only makes it quick, and ends duels.
 *
 * Rank orders the founders that are here: the newest accepted set first, because nobody else can win its holder's vote; then
 * the lowest seat. Rank 0 campaigns at once, each further rank a step later. Founders that do not all see each other can
 * disagree about ranks and depose each other in turn, so every further campaign waits longer, by a factor of one's own, and
 * gets more time, because the network may be slower than the settings think.
 */
import { utf8 } from '../core/bytes.ts'
import { acceptedTermOf, type Core, isComplete, type Step } from './core.ts'
import { compareClaims } from './founding-set.ts'
import type { Claim, IncarnationId } from './types.ts'

const WIDENINGS_MAX = 6

export function rankOf(core: Core): number {
  const { self } = core.settings
  return core.founders.filter(
    (founder) => (acceptedTermOf(core) - knownAcceptedTerm(core, founder) || compareClaims(founder, self)) < 0
  ).length
}

/** Rank 0, when that is somebody else. */
export const firstToAsk = (core: Core): Claim | undefined =>
  rankOf(core) === 0 ? undefined : core.founders.toSorted(compareClaims)[0]

/**
 * Too few of those who are here would vote for us, because the others hold a newer accepted set than ours. They know, and one
 * of them will campaign; we would only get into its way. When they go, so does what we know about them.
 */
export function isFutile(core: Core): boolean {
  const willing = core.founders.filter((founder) => knownAcceptedTerm(core, founder) <= acceptedTermOf(core))
  return willing.length + 1 < core.settings.quorum
}

/** Of whom we know nothing we assume our own: then the seat decides, and whoever is wrong is told so by a refusal. */
const knownAcceptedTerm = (core: Core, founder: Claim): number =>
  core.pace.acceptedTerms.get(founder.incarnation) ?? acceptedTermOf(core)

/** Doubles with every campaign after the first, up to 64. */
const widening = (core: Core): number => 2 ** Math.min(Math.max(0, core.pace.campaigns - 1), WIDENINGS_MAX)

/** From the moment on when nobody else's campaign is in the way. */
function campaignDelayMs(core: Core): number {
  const rank = rankOf(core)
  return (rank + (widening(core) - 1) * (rank + spreadOf(core))) * core.settings.rankStepMs
}

/** Sets apart those who see different founders and so may have one rank: the seat, or in pool mode up to half a rank. */
function spreadOf({ settings: { self } }: Core): number {
  if (self.seat !== 0) return self.seat
  let sum = 0
  for (const byte of utf8(self.incarnation)) sum = (sum * 31 + byte) % 65_521
  return sum / 65_521 / 2
}

/** Idle: campaign after our rank's delay, or earlier when that was already planned. */
export function schedule(step: Step): void {
  if (isFutile(step.core)) return step.setPace({ campaignAt: undefined, resendAt: undefined })
  const at = step.now + campaignDelayMs(step.core)
  step.setPace({ campaignAt: Math.min(step.core.pace.campaignAt ?? at, at), resendAt: undefined })
}

/** A campaign, our own or one that we support, gets its time, more of it each time; after that it is our turn again. */
export function allowTime(step: Step): void {
  const { settings, role } = step.core
  const leads = role.type === 'candidate' || role.type === 'leader'
  step.setPace({
    campaignAt: step.now + settings.campaignTimeoutMs * widening(step.core) + campaignDelayMs(step.core),
    resendAt: leads ? resendTime(step) : undefined
  })
}

/** Sessions lose nothing while they stand, so asking again is rare: a few times in a campaign. */
export function resendTime({ core, now }: Step): number {
  const { rankStepMs, campaignTimeoutMs } = core.settings
  return now + Math.max(rankStepMs, (campaignTimeoutMs * widening(core)) / 4)
}

export function becomeIdle(step: Step): void {
  step.set({ role: { type: 'idle' } })
  step.setPace({ campaignAt: undefined, resendAt: undefined })
  if (isComplete(step.core)) schedule(step)
}

/** Remembers how new the accepted set of a founder is. It only ever gets newer; a late message may say less. */
export function learnAcceptedTerm(step: Step, from: IncarnationId, term: number): void {
  const { acceptedTerms } = step.core.pace
  if (term > (acceptedTerms.get(from) ?? -1)) step.setPace({ acceptedTerms: new Map(acceptedTerms).set(from, term) })
}
