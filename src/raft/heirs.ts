/**
 * Who would take over from a leader, in which order, and how long each of them lets the others go first.
 *
 * **The order.** Who is there comes before who is silent. Whoever leads only as a last resort (priority 0) comes after all the
 * others. Then decide, one after the other: how much of what has committed a member holds, since without it nobody is elected; how
 * near it is, since an election takes round trips; the higher priority, an operator's wish between members that are equally able;
 * and the id, so that there always is an order. Only speed rests on it: whoever campaigns out of turn is asked the same questions.
 *
 * It must not flutter, since a member acts on the newest heartbeat that it got. Distances are coarse (round-trip.ts), and what
 * counts as held is what had committed when the order was last made: entries that are on their way to everybody make nobody better. Heartbeats for reads, which come in
 * between, carry the order that there is.
 *
 * **The wait.** Members are a step apart, long enough for the vote request of the one to reach the next before that one asks for votes
 * itself. Say the leader is `a` away from the one and `b` from the next (round trips), and the two of them `c` from each other, `c <= a + b`.
 * They miss it at `a/2` and `b/2`; both then ask for pre-votes, which takes about the same time (less for the one, who is offered some:
 * offers.ts); the vote request takes `c/2`. So the
 * next one must wait `(a - b + c) / 2`, which is at most `a`: the round trip of the one before it, as the leader measures it. The floor of
 * the step leaves room for a write, the ceiling bounds what a mismeasured link can cost.
 */
import { compareText } from '../core/bytes.ts'
import { LAST_RESORT, PRIORITY_DEFAULT } from '../core/priority.ts'
import { votersOf } from './configuration.ts'
import type { RaftNode } from './node.ts'
import type { Progress } from './progress.ts'
import type { NodeId } from './types.ts'

/** Our own, or what a connected peer says of itself. */
export function priorityOf({ self, settings, connections }: RaftNode, id: NodeId): number {
  return id === self ? settings.priority : (connections.get(id) ?? PRIORITY_DEFAULT)
}

export class Heirs {
  readonly #node: RaftNode
  /** Voters other than the leader, the best first. */
  order: readonly Progress[] = []
  /** The place of the best of them among all that vote, from 1; 0: there is no order. */
  first = 0
  #madeAt = -Infinity
  /** What had committed when the order was made; of a new leader, all that it was elected with. */
  #settled: number

  constructor(node: RaftNode) {
    this.#node = node
    this.#settled = node.log.lastIndex
  }

  /** Others vote now, or the office is new: there is no order until it is needed. */
  stale(): void {
    this.order = []
    this.#madeAt = -Infinity
  }

  /** Makes the order anew, unless it is fresh. */
  refresh(peers: readonly Progress[], now: number): void {
    const { log, settings } = this.#node
    if (now - this.#madeAt < settings.timing.heartbeatMs / 2) return
    this.#madeAt = now
    this.make(peers, now)
    this.#settled = log.commit
  }

  /** Puts everybody in a place, with what is known. */
  make(peers: readonly Progress[], now: number): void {
    const { configurations, membership } = this.#node
    if (!this.#isInOrder(now)) {
      this.order = peers.filter(({ id }) => configurations.isVoter(id)).toSorted((a, b) => this.#compare(a, b, now))
      this.first = this.order.length === 0 ? 0 : votersOf(membership).indexOf(this.order[0]!.id) + 1
    }
    let waitMs = 0
    for (let rank = 0; rank < this.order.length; rank++) {
      const peer = this.order[rank]!
      peer.rank = rank
      peer.waitMs = waitMs
      waitMs += this.#stepAfter(peer)
    }
    // Learners, in no order, after all voters.
    for (const peer of peers) {
      if (configurations.isVoter(peer.id)) continue
      peer.rank = this.order.length
      peer.waitMs = waitMs
    }
  }

  /** As it nearly always is, at every heartbeat. Who votes has not changed since it was made. */
  #isInOrder(now: number): boolean {
    for (let rank = 1; rank < this.order.length; rank++) {
      if (this.#compare(this.order[rank - 1]!, this.order[rank]!, now) > 0) return false
    }
    return this.order.length > 0
  }

  #compare(a: Progress, b: Progress, now: number): number {
    return (
      Number(this.#isThere(b, now)) - Number(this.#isThere(a, now)) ||
      Number(this.#isWilling(b)) - Number(this.#isWilling(a)) ||
      this.#held(b) - this.#held(a) ||
      (a.roundTrip?.distance ?? 0) - (b.roundTrip?.distance ?? 0) ||
      priorityOf(this.#node, b.id) - priorityOf(this.#node, a.id) ||
      compareText(a.id, b.id)
    )
  }

  #isThere(peer: Progress, now: number): boolean {
    return peer.connected && now - peer.heardAt < this.#node.settings.timing.electionTimeoutMs
  }

  #isWilling(peer: Progress): boolean {
    return priorityOf(this.#node, peer.id) !== LAST_RESORT
  }

  #held(peer: Progress): number {
    return Math.min(peer.match, this.#settled)
  }

  /** How long whoever comes behind this one waits for it, ms. */
  #stepAfter({ roundTrip }: Progress): number {
    const { rankStepMs, rankStepMinMs, rankStepMaxMs } = this.#node.settings.timing
    if (roundTrip === undefined) return Math.ceil(rankStepMs)
    return Math.ceil(Math.min(rankStepMaxMs, rankStepMinMs * 2 ** roundTrip.patience))
  }

  /** A leader of last resort makes way for this one: it would lead, answers, and could at once. */
  isBetter(peer: Progress): boolean {
    return this.#isWilling(peer) && peer.answeredAt !== undefined && this.#held(peer) === this.#settled
  }
}
