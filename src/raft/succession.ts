/**
 * How a leader leaves its office to somebody: on request, when it resigns, and of its own accord when it leads as a last resort only.
 *
 * A hand-over lets the target catch up (proposals are refused meanwhile), then tells it to campaign at once (dissertation section
 * 3.10). If nothing comes of it within an election timeout, the leader goes on. Whom to choose is what heirs.ts says.
 */
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
  /** The target has been told to campaign. */
  #told = false
  /** When a leader of last resort looks for a better one. */
  #makeWayAt: number

  constructor(node: RaftNode, replication: Replication, now: number) {
    this.#node = node
    this.#replication = replication
    this.#makeWayAt = node.settings.priority === LAST_RESORT ? now : Infinity
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
    const { requests, settings } = this.#node
    if (now < this.#makeWayAt || requests.handover !== undefined) return
    const [peer] = this.#heirs(now)
    if (peer === undefined || !this.#replication.heirs.isBetter(peer)) return
    this.#makeWayAt = now + MAKE_WAY_TIMEOUTS * settings.timing.electionTimeoutMs
    this.#begin(undefined, peer, now)
  }

  #begin(ref: number | undefined, peer: Progress, now: number): void {
    const { requests, settings } = this.#node
    requests.handover = { ref, to: peer.id, deadline: now + settings.timing.electionTimeoutMs }
    this.#told = false
    this.#replication.send(peer)
    this.progressed(peer)
  }

  /** The target of a transfer is told to campaign once it holds the whole log. */
  progressed(peer: Progress): void {
    const { requests, log } = this.#node
    if (requests.handover?.to !== peer.id || this.#told || peer.match < log.lastIndex) return
    this.#told = true
    this.#tell(peer)
  }

  /** At the end of an office: tells the best heir that could win at once, if there is one. */
  bequeath(now: number): void {
    const { log } = this.#node
    const heir = this.#heirs(now).find(({ match }) => match === log.lastIndex)
    if (heir !== undefined) this.#tell(heir)
  }

  #tell(peer: Progress): void {
    const { term, log } = this.#node
    this.#node.send(peer.id, { type: 'transfer', term, lastIndex: log.lastIndex, lastTerm: log.lastTerm })
  }

  /** The voters that could take over, the best first. */
  #heirs(now: number): readonly Progress[] {
    const { heirs, peers } = this.#replication
    const { voters } = this.#node.membership
    heirs.make(peers, now)
    return heirs.order.filter((peer) => peer.connected && voters.includes(peer.id))
  }
}
