/**
 * Formation: how N machines that have never met become one cluster, and only one.
 *
 * 1. *Gather.* Founders connect; each holds a signed claim. Nothing happens before N of them, ourselves included, are here:
 *    silence is never absence, so no timeout lowers N. Whoever already holds a certificate hands it over, and that is the end.
 * 2. *Elect.* A candidate asks for votes in a term of its own. Term and vote are one durable record, one vote a term. A voter
 *    refuses a candidate whose accepted set is older than its own. N votes make a founding leader. The lowest rank campaigns
 *    at once, the others a step apart. In the first term it need not even ask: whoever sees everybody votes for it.
 * 3. *Agree.* The leader proposes the set that it had accepted before, now under its own term; without one, the claims of its
 *    voters. An acceptor makes (term, set) durable, then signs it, then answers. N signatures of one term and one set are
 *    the founding certificate.
 * 4. *Latch.* The certificate is durable, and this store never founds again. Whoever asks it anything gets the certificate.
 *
 * Why it is safe. Votes and acceptances both need N distinct incarnations. While fewer than 2N incarnations hold founding
 * credentials, any N and any other N share one. So at most one leader has a term; and once N accepted a set in term t, every
 * later leader needed the vote of one of them, hence had accepted a set of term t or later itself, and by induction that
 * set. With a majority instead of N, N = 3 would already split at four or five incarnations: one wiped disk or one spare.
 * With 2N nothing can help: two groups that never meet are each as good as the other. The price of N is that all N founders
 * have to be up at once, once; afterwards Raft's majority decides.
 *
 * This is single-decree Paxos in Raft's clothes (Lamport, "Paxos Made Simple", 2001; Ongaro and Ousterhout, "In Search of an
 * Understandable Consensus Algorithm", 2014, sections 5.2 and 5.4.1) with unanimous quorums over a founding size.
 *
 * Faults that it stands: lost, repeated, reordered messages; crashes at any point; wiped machines within the bound; spares.
 * Left out: lying founders (one can stop formation or, together with others, split it) and disks rolled back to an older state.
 * Everything is a pure value in core.ts; step.ts says which input goes where. docs/protocol/formation.md has pictures, bytes
 * and the argument at length; test/model explores this very code.
 */
import { invariant } from '../core/invariant.ts'
import { foundingQuorum, initialCore, type Outcome } from './core.ts'
import { FOUNDING_SIZE_MAX } from './fields.ts'
import { beginOnTime, stageOf, statusOf, transitionOnTime } from './step.ts'
import type { Formation, FormationEffects, FormationInit } from './types.ts'

export type * from './types.ts'
export { decodeFormationMessage, encodeFormationMessage, FormationMessageError } from './messages.ts'
export type { FormationMessage } from './messages.ts'
export { decodeCertificate, decodeFoundingSet, encodeCertificate, encodeFoundingSet } from './certificate-codec.ts'
export { createWitness } from './witness.ts'
export type { WitnessInit } from './witness.ts'
export { FOUNDING_SIZE_MAX } from './fields.ts'
export { decodeFormationState, encodeFormationState, FormationStateError, initialFormationState } from './state.ts'

/** Makes the formation of one incarnation; nothing happens before `start`. */
export function createFormation(init: FormationInit): Formation {
  const { foundingSize, self } = init
  invariant(
    Number.isSafeInteger(foundingSize) && foundingSize >= 1 && foundingSize <= FOUNDING_SIZE_MAX,
    'founding size'
  )
  invariant(self.seat >= 0 && self.seat <= foundingSize, 'own seat beyond the founding size')
  const quorum = foundingQuorum(foundingSize)
  let core = initialCore(init, quorum)
  let started = false
  const keep = (outcome: Outcome): FormationEffects => {
    core = outcome.core
    return outcome.effects
  }
  return {
    start(now) {
      invariant(!started, 'formation was started twice')
      started = true
      return keep(beginOnTime(core, now))
    },
    step(input, now) {
      invariant(started, 'formation was not started')
      return keep(transitionOnTime(core, input, now))
    },
    stage: () => stageOf(core),
    status: () => statusOf(core)
  }
}
