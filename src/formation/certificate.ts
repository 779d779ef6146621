/** Making and judging founding certificates. */
import { compareText } from '../core/bytes.ts'
import { isWellFormed } from './founding-set.ts'
import type { Acceptance, FormationCrypto, FoundingCertificate, FoundingSet } from './types.ts'

/** Of exactly `quorum` acceptances, in the order of their incarnations: one encoding for one choice of signers. */
export function assembleCertificate(
  term: number,
  set: FoundingSet,
  acceptances: readonly Acceptance[],
  quorum: number
): FoundingCertificate {
  const sorted = acceptances.toSorted((a, b) => compareText(a.incarnation, b.incarnation))
  return { term, set, acceptances: sorted.slice(0, quorum) }
}

/** Does this prove that `quorum` distinct incarnations accepted this set in this one term? Claims were verified when read. */
export function verifyCertificate(
  certificate: FoundingCertificate,
  foundingSize: number,
  quorum: number,
  crypto: FormationCrypto
): boolean {
  const { term, set, acceptances } = certificate
  if (!isWellFormed(set, foundingSize) || acceptances.length !== quorum) return false
  if (acceptances.some((a, i) => i > 0 && compareText(acceptances[i - 1]!.incarnation, a.incarnation) >= 0))
    return false
  if (acceptances.some((acceptance) => acceptance.claim.incarnation !== acceptance.incarnation)) return false
  const payload = crypto.acceptancePayload(term, set)
  return acceptances.every((acceptance) => crypto.verifyAcceptance(payload, acceptance))
}
