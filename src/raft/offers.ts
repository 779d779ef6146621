/**
 * Pre-votes that nobody asked for.
 *
 * When a leader dies, every follower misses it by its own evidence, and all but one of them wait: the heir, which the leader has named
 * first (heirs.ts), asks each of them whether it would win. Over slow links that question travels for a whole delay to somebody who
 * has known the answer since it was sent. So whoever loses the leader tells the heir at once: "in the next term I would vote for
 * you". If that makes a quorum by the time at which the heir has lost the leader as well, or soon after it, the heir campaigns; who
 * has not spoken by then is asked as ever. A failover takes six delays instead of seven, and a lost offer costs that one delay.
 *
 * **Why it deposes nobody.** An offer is a granted pre-vote: it changes nothing at either end, only who has itself lost the leader
 * makes it, and it holds for the log that it names. A heir that still hears the leader does nothing with it; it needs a quorum that
 * misses the leader, itself included, as with pre-votes that were asked for.
 *
 * **When it is stale.** An answer names the round that asked for it, an offer cannot. It names the newest heartbeat that the voter has
 * heard, and a heir that has heard a later one drops it: heartbeats go to all voters at once, so the leader lived when that voter
 * had lost it, and may have been found again. And it serves in the first round after a loss only; whoever does not get through with that
 * asks everybody anew. What is left is a leader that a quorum has lost at the same heartbeat and some of it found again within that
 * round, as it is with answers that are on their way. It costs a term. Votes, which decide, are asked for and given as ever.
 *
 * Who is named as the heir decides only where offers go. Whoever campaigns out of turn has none, and asks.
 */
import { votersOf } from './configuration.ts'
import type { Heartbeat, PreVoteOffer } from './messages.ts'
import type { RaftNode } from './node.ts'
import type { NodeId } from './types.ts'

export class Offers {
  /** Of the newest heartbeat that was heard: its term, its number, and the heir that it names. */
  #beatTerm = 0
  #beatSeq = 0
  #heir = 0
  /** The last one of each voter; a process may hold thousands of members whose leaders live. */
  #made: Map<NodeId, PreVoteOffer> | undefined

  beat({ term, seq, heir }: Heartbeat): void {
    if (term === this.#beatTerm && seq < this.#beatSeq) return
    this.#beatTerm = term
    this.#beatSeq = seq
    this.#heir = heir
  }

  /** Whom the leader of this term has named first, if that is not this member itself. */
  heir({ self, term, membership }: RaftNode): NodeId | undefined {
    const heir = this.#beatTerm === term ? votersOf(membership)[this.#heir - 1] : undefined
    return heir === self ? undefined : heir
  }

  /** From who has just lost the leader. */
  make(node: RaftNode, heir: NodeId): void {
    const { self, term, log, settings, configurations } = node
    if (!settings.preVote || !configurations.isVoter(self) || !Number.isSafeInteger(term + 1)) return
    const { lastIndex, lastTerm } = log
    node.reply(heir, { type: 'pre-vote-offer', nextTerm: term + 1, lastIndex, lastTerm, seq: this.#beatSeq })
  }

  /** Kept by a follower, since it may lose the leader next; counted at once by who has. */
  take(node: RaftNode, from: NodeId, offer: PreVoteOffer, now: number): void {
    const { role, configurations } = node
    if (!configurations.isVoter(from)) return
    if (role.name === 'follower') (this.#made ??= new Map()).set(from, offer)
    else if (role.name === 'pre-candidate' && this.#holds(node, offer)) role.answer(from, true, now)
  }

  /** Who would vote for this member now. */
  standing(node: RaftNode): readonly NodeId[] {
    const ids: NodeId[] = []
    for (const [id, offer] of this.#made ?? []) if (this.#holds(node, offer)) ids.push(id)
    this.#made = undefined
    return ids
  }

  #holds({ term, log, failedRounds }: RaftNode, { nextTerm, lastIndex, lastTerm, seq }: PreVoteOffer): boolean {
    const isFresh = nextTerm === term + 1 && (this.#beatTerm !== term || seq >= this.#beatSeq) && failedRounds === 0
    return isFresh && (log.lastTerm > lastTerm || (log.lastTerm === lastTerm && log.lastIndex >= lastIndex))
  }
}
