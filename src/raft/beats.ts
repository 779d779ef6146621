/**
 * Who hears which heartbeat. Voters hear every one, because their answers keep a leader in office and its silence starts an
 * election. A learner only learns from it that the leader is there and what has committed, so many learners take turns: a leader
 * of a thousand sends as many frames a second as one of a few dozen, and each learner waits that much longer before it says that
 * it has lost its leader.
 */
import type { Membership } from './types.ts'

/** Learners that one heartbeat goes to. */
export const LEARNERS_A_BEAT = 64

/** A learner hears every so many'th heartbeat; 1 for up to `LEARNERS_A_BEAT` learners. */
export const learnersTurns = ({ learners }: Membership): number =>
  Math.max(1, Math.ceil(learners.length / LEARNERS_A_BEAT))
