/** An incarnation is one life of one disk: `<peerId>#<storeId>`. Consensus knows members only by these names. */
import { compareText, fromUtf8, utf8 } from '../core/bytes.ts'
import type { Membership, NodeId } from '../raft/types.ts'

/**
 * The PeerId in it. Remembered, because it is asked for several times a message, and a fresh text has to be hashed at every look-up.
 * A text of its own: to V8 a slice is a window on the whole, and comparing that with anything is a call of its runtime.
 */
export function peerIdOf(incarnation: string): string {
  const known = peerIds.get(incarnation)
  if (known !== undefined) return known
  const peerId = fromUtf8(utf8(incarnation.slice(0, incarnation.indexOf('#'))))
  if (peerIds.size >= PEER_IDS_MAX) peerIds.clear()
  peerIds.set(incarnation, peerId)
  return peerId
}

const peerIds = new Map<string, string>()
const PEER_IDS_MAX = 4_096

/** Everybody whom a configuration names, in whatever part, sorted. */
export const namedBy = (m: Membership): readonly NodeId[] =>
  [...new Set([...m.voters, ...m.outgoing, ...m.learners, ...m.learnersNext])].toSorted(compareText)

/** Members as of some entry of the log, and those of before. */
export interface RememberedMembers {
  readonly membership: Membership
  /** Of the entry that put `membership` in force; 0: none did. */
  readonly membershipIndex: number
  readonly ever: readonly NodeId[]
  readonly everVoters: readonly NodeId[]
}

/**
 * Who is and who ever was a member, from the configurations that have committed. The log replays them in every process life, or
 * a snapshot tells of those whose entries are gone; nothing of this has a place of its own on disk.
 *
 * An incarnation that was a member and is none any more is out for good: its disk may hold any part of the log from before, and
 * a name that comes back with a memory that others do not know of is how removed members were elected elsewhere (RAFT-HOLES 40).
 * The machine behind it comes back with an empty disk, which is another incarnation.
 */
export class MemberHistory {
  readonly #ever = new Set<NodeId>()
  readonly #everVoters = new Set<NodeId>()
  #current: ReadonlySet<NodeId> = new Set()
  #voters: ReadonlySet<NodeId> = new Set()
  #index = 0

  constructor(initial: Membership) {
    this.committed(initial, 0)
  }

  /** Index of the newest configuration that has committed; 0 for the one before the log. */
  get index(): number {
    return this.#index
  }

  committed(membership: Membership, index: number): void {
    this.#index = index
    this.#current = new Set(namedBy(membership))
    this.#voters = new Set([...membership.voters, ...membership.outgoing])
    for (const id of this.#current) this.#ever.add(id)
    for (const id of membership.voters) this.#everVoters.add(id)
  }

  /** What a snapshot remembers: everybody who ever was a member, and who of them has ever had a vote or was denied it. Sorted. */
  remembered(): { readonly ever: readonly NodeId[]; readonly everVoters: readonly NodeId[] } {
    return { ever: [...this.#ever].toSorted(compareText), everVoters: [...this.#everVoters].toSorted(compareText) }
  }

  /** The same the other way round. Entries behind the snapshot may have committed already: what they said stays. */
  restore({ membership, membershipIndex, ever, everVoters }: RememberedMembers): void {
    for (const id of ever) this.#ever.add(id)
    for (const id of everVoters) this.#everVoters.add(id)
    if (membershipIndex > this.#index) this.committed(membership, membershipIndex)
  }

  isMember(id: NodeId): boolean {
    return this.#current.has(id)
  }

  isVoter(id: NodeId): boolean {
    return this.#voters.has(id)
  }

  /** A learner has been denied the vote that it came for: as if it had had one, and somebody had taken it. Whoever is no member now is not remembered. */
  denied(id: NodeId): void {
    if (this.#current.has(id)) this.#everVoters.add(id)
  }

  /** It has had a vote once, or was denied it; that it has none now is somebody's decision. */
  hasVoted(id: NodeId): boolean {
    return this.#everVoters.has(id)
  }

  /** It was a member, and the committed configuration does not name it. */
  isRemoved(id: NodeId): boolean {
    return this.#ever.has(id) && !this.#current.has(id)
  }

  /** The same for a name that people use: an incarnation, or a PeerId that had one. */
  wasRemoved(name: string): boolean {
    if (this.isRemoved(name)) return true
    for (const id of this.#ever) if (peerIdOf(id) === name && !this.#current.has(id)) return true
    return false
  }
}
