/**
 * How long a leader may be silent before its follower doubts it.
 *
 * A constant is wrong either way: short enough for a quiet machine it deposes a living leader on a busy one, long enough for the
 * busy one it wastes time everywhere else. So each follower measures how late the heartbeats of its leaders come, which takes in
 * the link, the stalls of the leader's process and those of its own, and allows for twice as much, between a floor and a ceiling
 * that the preset sets.
 *
 * Lateness is kept in two ways, and the larger one counts. The smoothed mean and deviation of Jacobson and Karels (Congestion
 * Avoidance and Control, 1988; the gains of 1/8 and 1/4 and the factor 4 of RFC 6298) follow what is usual. The worst of late,
 * forgotten by half every so many heartbeats, remembers stalls, which are rare, alike, and forgotten by any mean before the next one
 * comes. A process begins as if the worst had just happened: patience is lost by experience only.
 *
 * What was measured outlives the leader it was measured on: link and own stalls are the larger part, and the worst is kept. A leader
 * measures as well, on the answers of the member that would follow it, and so is no newcomer when it has to follow.
 *
 * Round trips are not used here: a heartbeat is no later for a long way. The leader measures them for the order of campaigns
 * (round-trip.ts). Nothing but speed rests on these numbers: whoever doubts too early asks for pre-votes, and is refused by all who
 * have heard the leader.
 */
export interface SuspicionTiming {
  readonly heartbeatMs: number
  /** The ceiling. */
  readonly electionTimeoutMs: number
  /** The floor. */
  readonly electionTimeoutMinMs: number
}

/** A half of the worst is left after so many heartbeats' time. */
const WORST_HALF_LIFE = 64

export class Suspicion {
  readonly #timing: SuspicionTiming
  #mean = 0
  #deviation = 0
  #worst: number
  #timeoutMs: number

  constructor(timing: SuspicionTiming) {
    this.#timing = timing
    this.#timeoutMs = timing.electionTimeoutMs
    this.#worst = Math.max(0, timing.electionTimeoutMs / 2 - timing.heartbeatMs)
  }

  /** Silence that is longer than this is suspicious, ms. */
  get timeoutMs(): number {
    return this.#timeoutMs
  }

  /**
   * Two heartbeats of one leader, or two answers of one follower, came one behind the other with this gap between them. Gaps in
   * which this process itself was suspended say nothing about others: the caller leaves them out.
   */
  observe(gapMs: number): void {
    const { heartbeatMs, electionTimeoutMs: ceiling, electionTimeoutMinMs: floor } = this.#timing
    const late = Math.min(ceiling, Math.max(0, gapMs - heartbeatMs))
    // Reads have heartbeats of their own, in between; they say nothing about punctuality.
    if (gapMs > heartbeatMs / 2) {
      this.#deviation += (Math.abs(late - this.#mean) - this.#deviation) / 4
      this.#mean += (late - this.#mean) / 8
    }
    this.#worst = Math.max(late, this.#worst * 0.5 ** (gapMs / heartbeatMs / WORST_HALF_LIFE))
    const allowance = Math.max(this.#mean + 4 * this.#deviation, this.#worst)
    // One heartbeat may be lost without anybody's fault; the next one may be late.
    this.#timeoutMs = Math.min(ceiling, Math.max(floor, 2 * (heartbeatMs + allowance)))
  }
}
