/**
 * How a leader leaves its office to somebody: on request, when it resigns, and of its own accord when it leads as a last resort only.
 *
 * A hand-over lets the target catch up until everything has committed (proposals are refused meanwhile), then tells it to campaign
 * at once (dissertation section 3.10), and gives it its vote unasked: the leader enters the next term with a vote for the target,
 * whose log is its own to the last entry, and the grant follows the order as soon as that is durable. With three voters this vote and
 * the target's own elect, and nobody else has to be asked over a slow link (docs/decisions/0023). A target that is not there by
 * an election timeout leaves the leader as it was. One that was told and does not campaign costs a term: the others miss the leader as
 * they would any other, and it is the last to campaign again. Whom to choose is what heirs.ts says.
 */
import { invariant } from '../core/invariant.ts'
import { LAST_RESORT } from '../core/priority.ts'
import type { RaftNode } from './node.ts'
import type { Progress } from './progress.ts'
import type { Replication } from './replication.ts'
import type { NodeId } from './types.ts'

/** Election timeouts between two attempts to make way: each that fails costs as long as one without proposals. */
const MAKE_WAY_TIMEOUTS = 10

export class Succession {
  readonly #node: RaftNode
  readonly #replication: Replication

  constructor(node: RaftNode, replication: Replication) {
    this.#node = node
    this.#replication = replication
  }

  transfer(ref: number, wanted: NodeId | undefined, now: number): void {
    const { membership, self, outbox } = this.#node
    const to = wanted ?? this.#heirs(now)[0]?.id
    if (to === undefined) this.#refuse(ref, 'no other voter is connected')
    else if (to === self) outbox.outcome({ type: 'transferred', ref, to })
    else if (!membership.voters.includes(to)) this.#refuse(ref, `${to} is not a voter`)
    else this.#begin(ref, this.#replication.get(to)!, now)
  }

  #refuse(ref: number, detail: string): void {
    this.#node.outbox.outcome({ type: 'refused', ref, code: 'transfer-failed', detail })
  }

  /** Who leads as a last resort only hands over to whoever can and would; if nothing comes of it, not again for a while. */
  makeWay(now: number): void {
    const node = this.#node
    const { requests, settings } = node
    if (settings.priority !== LAST_RESORT || now < node.makesWayAt || requests.handover !== undefined) return
    const [peer] = this.#heirs(now)
    if (peer === undefined || !this.#replication.heirs.isBetter(peer)) return
    node.makesWayAt = now + MAKE_WAY_TIMEOUTS * settings.timing.electionTimeoutMs
    this.#begin(undefined, peer, now)
  }

  #begin(ref: number | undefined, peer: Progress, now: number): void {
    const { requests, settings } = this.#node
    requests.handover = { ref, to: peer.id, deadline: now + settings.timing.electionTimeoutMs }
    this.#replication.send(peer)
  }

  /** Ends the office once the target of a transfer holds the whole log, and all of it has committed: nobody is left without an answer. */
  settle(now: number): void {
    const { requests, log } = this.#node
    if (requests.handover === undefined || log.commit < log.lastIndex) return
    const peer = this.#replication.get(requests.handover.to)
    if (peer?.connected === true && peer.match === log.lastIndex) this.#handOver(peer, `hands over to ${peer.id}`, now)
  }

  /** The office ends for `reason`: to the best heir that could win at once, if there is one. */
  resign(reason: string, now: number): void {
    const node = this.#node
    const heir = this.#heirs(now).find(({ match }) => match === node.log.lastIndex)
    if (heir === undefined) node.becomeFollower(node.term, undefined, reason, now)
    else this.#handOver(heir, reason, now)
  }

  /** The order leaves at once, the vote when it is durable. A leader that votes no more has none to give. */
  #handOver({ id: heir }: Progress, reason: string, now: number): void {
    const node = this.#node
    const { term, log, configurations } = node
    node.send(heir, { type: 'transfer', term, lastIndex: log.lastIndex, lastTerm: log.lastTerm })
    const votes = configurations.isVoter(node.self)
    node.becomeFollower(votes ? term + 1 : term, undefined, reason, now)
    if (!votes) return
    node.disk.vote(heir)
    invariant(node.role.name === 'follower', 'who hands over follows')
    node.role.standBack(now)
    node.sendLater(heir, { type: 'vote-reply', term: node.term, granted: true })
  }

  /** The voters that could take over, the best first. */
  #heirs(now: number): readonly Progress[] {
    const { heirs, peers } = this.#replication
    const { voters } = this.#node.membership
    heirs.make(peers, now)
    return heirs.order.filter((peer) => peer.connected && voters.includes(peer.id))
  }
}
