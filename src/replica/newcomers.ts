/**
 * The leader takes in whoever was admitted and is no member yet: as a learner, by itself, because a learner decides nothing.
 * That is how a machine that lost its disk gets log and config again (FAULTS P4), and how spares of a pool do.
 *
 * One at a time, at a bounded rate, and never beside another change. A machine whose disk is lost again and again leaves no
 * trail: the new learner takes the place of the older learners of its PeerId. A voter's place is nobody's but the operator's to
 * give away, also when its disk is known to be gone: it counts as failed until it is replaced.
 *
 * Not taken in: who was removed (it would undo the removal), who is barred (its disk was set back), and who is one too many.
 */
import { invariant } from '../core/invariant.ts'
import type { Admitted } from '../membership/admission.ts'
import type { MembershipChange, Outcome, RaftInput, RaftStatus } from '../raft/types.ts'
import { namedBy, peerIdOf } from './incarnations.ts'

/** Between two that are taken in, and before a change is tried again. */
export const TAKE_IN_EVERY_MS = 200
/** Learners that are taken in without being asked for. */
export const LEARNERS_MAX = 64

export interface NewcomerSurroundings {
  isLeader(): boolean
  raftStatus(): RaftStatus | undefined
  /** Admitted peers in the order of their PeerIds. */
  sessions(): readonly Admitted[]
  /** It may be taken in: its credential holds a place, and nothing is held against it. */
  mayJoin(peer: Admitted): boolean
  nextRef(): number
  toRaft(input: RaftInput, now: number): void
}

export class Newcomers {
  readonly #around: NewcomerSurroundings
  /** When to look next; undefined while nothing can have changed. */
  #lookAt: number | undefined
  #ref: number | undefined
  #restUntil = -Infinity

  constructor(around: NewcomerSurroundings) {
    this.#around = around
  }

  /** Somebody came, or what stood in the way may be gone. */
  look(now: number): void {
    this.#lookAt = Math.max(now, this.#restUntil)
  }

  deadline(): number | undefined {
    return this.#ref === undefined && this.#around.isLeader() ? this.#lookAt : undefined
  }

  pump(now: number): void {
    if (this.#lookAt === undefined || now < this.#lookAt || this.#ref !== undefined || !this.#around.isLeader()) return
    this.#lookAt = undefined
    const status = this.#around.raftStatus()
    invariant(status !== undefined, 'who leads has a consensus core')
    const newcomer = this.#next(status)
    if (newcomer === undefined) return
    this.#restUntil = now + TAKE_IN_EVERY_MS
    this.#ref = this.#around.nextRef()
    this.#around.toRaft({ type: 'change-membership', ref: this.#ref, change: takeIn(newcomer, status) }, now)
  }

  /** Whatever the end was, the next look tells what is left to do. */
  settled({ ref }: Outcome, now: number): void {
    if (ref !== this.#ref) return
    this.#ref = undefined
    this.look(now)
  }

  #next({ membership }: RaftStatus): string | undefined {
    const named = new Set(namedBy(membership))
    const fits = ({ peerId }: Admitted): boolean =>
      membership.learners.length < LEARNERS_MAX || membership.learners.some((id) => peerIdOf(id) === peerId)
    return this.#around
      .sessions()
      .find((peer) => !named.has(peer.incarnation) && this.#around.mayJoin(peer) && fits(peer))?.incarnation
  }
}

function takeIn(newcomer: string, { membership }: RaftStatus): MembershipChange {
  const others = membership.learners.filter((id) => peerIdOf(id) !== peerIdOf(newcomer))
  return { voters: membership.voters, learners: [...others, newcomer] }
}
