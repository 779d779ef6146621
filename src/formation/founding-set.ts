/** Founding sets: which are well formed, when two are the same, and how a leader makes a fresh one from its voters. */
import { compareText, equalBytes } from '../core/bytes.ts'
import type { Claim, FoundingSet, IncarnationId } from './types.ts'

export const compareClaims = (a: Claim, b: Claim): number =>
  a.seat - b.seat || compareText(a.incarnation, b.incarnation)

export function sameSet(a: FoundingSet, b: FoundingSet): boolean {
  return (
    a.claims.length === b.claims.length && a.claims.every((claim, i) => equalBytes(claim.bytes, b.claims[i]!.bytes))
  )
}

/** N claims in their one order, of distinct incarnations and PeerIds, on seats 1 to N (all 0 in pool mode). */
export function isWellFormed(set: FoundingSet, foundingSize: number): boolean {
  const { claims } = set
  if (claims.length !== foundingSize) return false
  const pool = claims.every((claim) => claim.seat === 0)
  if (!pool && !claims.every((claim, i) => claim.seat === i + 1)) return false
  if (claims.some((claim, i) => i > 0 && compareClaims(claims[i - 1]!, claim) >= 0)) return false
  return distinct(claims.map((claim) => claim.incarnation)) && distinct(claims.map((claim) => claim.peerId))
}

/**
 * A founding set of those who voted: undefined while their claims do not cover every seat. Where two incarnations voted for
 * one seat (a machine was wiped in between), the one that is still connected is taken.
 */
export function freshSet(
  self: Claim,
  voters: readonly Claim[],
  live: ReadonlySet<IncarnationId>,
  foundingSize: number
): FoundingSet | undefined {
  const gone = (claim: Claim): number => (live.has(claim.incarnation) ? 0 : 1)
  const byPreference = voters.toSorted((a, b) => gone(a) - gone(b) || compareClaims(a, b))
  const chosen: Claim[] = []
  for (const claim of [self, ...byPreference]) {
    const taken = chosen.some((c) => c.peerId === claim.peerId || (claim.seat !== 0 && c.seat === claim.seat))
    if (!taken && chosen.length < foundingSize) chosen.push(claim)
  }
  const set = { claims: chosen.toSorted(compareClaims) }
  return isWellFormed(set, foundingSize) ? set : undefined
}

const distinct = (texts: readonly string[]): boolean => new Set(texts).size === texts.length
