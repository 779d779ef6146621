/**
 * Who is here: connected founders, contested seats, and the order in which they campaign.
 *
 * Two live incarnations on one seat, or of one PeerId, stop formation with both named: one of them holds a copied token or a
 * cloned disk, and which one is not for a protocol to guess. When the contest is about our own seat we stop for good.
 */
import { compareText } from '../core/bytes.ts'
import { offerVote } from './election.ts'
import { becomeIdle, schedule } from './pacing.ts'
import { compareClaims } from './founding-set.ts'
import { type Conflict, type Core, isComplete, type Step, UNPACED } from './core.ts'
import type { Claim, IncarnationId } from './types.ts'

export function connect(step: Step, claim: Claim): void {
  const { founders, settings } = step.core
  const known = founders.some((founder) => founder.incarnation === claim.incarnation)
  const others = founders.filter((founder) => founder.incarnation !== claim.incarnation)
  step.set({ founders: [...others, claim].toSorted((a, b) => compareText(a.incarnation, b.incarnation)) })
  step.saw([claim])
  if (!known) {
    step.emit({
      type: 'founder-seen',
      seat: claim.seat,
      peerId: claim.peerId,
      present: step.core.founders.length + 1,
      of: settings.foundingSize
    })
  }
  judgeSeats(step)
}

export function disconnect(step: Step, incarnation: IncarnationId): void {
  const { founders, pace, role } = step.core
  if (!founders.some((founder) => founder.incarnation === incarnation)) return
  const stays = (claim: Claim): boolean => claim.incarnation !== incarnation
  step.set({ founders: founders.filter(stays), offers: step.core.offers.filter(stays) })
  step.setPace({ acceptedTerms: new Map([...pace.acceptedTerms].filter(([known]) => known !== incarnation)) })
  // A closed connection is a failure signal: do not wait for a campaign that has lost its candidate.
  if (role.type === 'following' && role.leader === incarnation) becomeIdle(step)
  judgeSeats(step)
}

function judgeSeats(step: Step): void {
  const { core } = step
  if (core.role.type === 'latched') return
  const conflict = findConflict(core.settings.self, core.founders)
  if (conflict !== undefined) {
    if (!sameConflict(conflict, core.conflict)) step.emit({ type: 'seat-conflict', ...conflict })
    step.set({ conflict, role: { type: 'idle' }, pace: { ...UNPACED, acceptedTerms: core.pace.acceptedTerms } })
    return
  }
  step.set({ conflict: undefined })
  if (step.core.role.type !== 'idle') return
  if (isComplete(step.core)) {
    schedule(step)
    offerVote(step)
  } else step.setPace({ campaignAt: undefined, campaigns: 0 })
}

/** Contests about our own seat first, then the lowest seat. */
function findConflict(self: Claim, founders: readonly Claim[]): Conflict | undefined {
  const intruder = founders.toSorted(compareClaims).find((founder) => contests(founder, self))
  if (intruder !== undefined) return { seat: self.seat, claims: [self, intruder], own: true }
  const others = founders.toSorted(compareClaims)
  for (const [i, first] of others.entries()) {
    const second = others.slice(i + 1).find((founder) => contests(founder, first))
    if (second !== undefined) return { seat: first.seat, claims: [first, second], own: false }
  }
  return undefined
}

const contests = (a: Claim, b: Claim): boolean => a.peerId === b.peerId || (a.seat !== 0 && a.seat === b.seat)

const sameConflict = (a: Conflict, b: Conflict | undefined): boolean =>
  b !== undefined && a.claims.every((claim, i) => claim.incarnation === b.claims[i]!.incarnation)

/** Seats nobody here claims; in pool mode the places still to be filled. */
export function missingSeats(core: Core): readonly number[] {
  const { foundingSize, self } = core.settings
  const seats = Array.from({ length: foundingSize }, (_, i) => i + 1)
  if (self.seat === 0) return seats.slice(core.founders.length + 1)
  return seats.filter((seat) => seat !== self.seat && core.founders.every((founder) => founder.seat !== seat))
}
