/**
 * The leader takes in whoever was admitted and is no member yet: as a learner, by itself, because a learner decides nothing.
 * That is how a machine that lost its disk gets log and config again (FAULTS P4), and how a machine with a join token comes in.
 * Such a token is redeemed first, as an entry of the log, so that its uses hold for the whole cluster.
 *
 * One step at a time, at a bounded rate, and never beside another change. A machine whose disk is lost again and again leaves no
 * trail: the new learner takes the place of the older learners of its PeerId. A voter's place is nobody's but the operator's to
 * give away, also when its disk is known to be gone: it counts as failed until it is replaced.
 *
 * Who came with a voter's join token is promoted when it has caught up, once: a learner that has had a vote was demoted by
 * somebody, who meant it. Not taken in: who was removed (it would undo the removal), who is barred (its disk was set back), whose
 * token others have used up, and who is one too many.
 */
import { invariant } from '../core/invariant.ts'
import type { Admitted } from '../membership/admission.ts'
import { encodeRedeem, type Redeem } from '../membership/redemptions.ts'
import type { Outcome, RaftInput, RaftStatus } from '../raft/types.ts'
import { namedBy, peerIdOf } from './incarnations.ts'
import { planMembers, type MembersInForce } from './member-changes.ts'

/** Between two steps, and before one is tried again. */
export const TAKE_IN_EVERY_MS = 200
/** Learners that are taken in without being asked for. */
export const LEARNERS_MAX = 64

/** What a peer's credential, and what is known of it, allow. */
export type Welcome =
  { readonly type: 'take-in' } | { readonly type: 'redeem'; readonly redeem: Redeem } | { readonly type: 'no' }

export interface NewcomerSurroundings {
  isLeader(): boolean
  raftStatus(): RaftStatus | undefined
  /** What plans of changes go by. */
  members(status: RaftStatus): MembersInForce
  /** Admitted peers in the order of their PeerIds. */
  sessions(): readonly Admitted[]
  welcome(peer: Admitted): Welcome
  /** This learner came for a vote that it never had. */
  awaitsVote(incarnation: string): boolean
  nextRef(): number
  toRaft(input: RaftInput, now: number): void
}

type Step = Extract<RaftInput, { type: 'propose' | 'change-membership' }>

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
    const step = this.#takeIn(status) ?? this.#promote(status)
    if (step === undefined) return
    this.#restUntil = now + TAKE_IN_EVERY_MS
    this.#ref = step.ref
    this.#around.toRaft(step, now)
  }

  /** Whatever the end was, the next look tells what is left to do. */
  settled({ ref }: Outcome, now: number): void {
    if (ref !== this.#ref) return
    this.#ref = undefined
    this.look(now)
  }

  #takeIn({ membership }: RaftStatus): Step | undefined {
    const { voters, learners } = membership
    const named = new Set(namedBy(membership))
    for (const peer of this.#around.sessions()) {
      const { peerId, incarnation } = peer
      const isRoom = learners.length < LEARNERS_MAX || learners.some((id) => peerIdOf(id) === peerId)
      if (named.has(incarnation) || !isRoom) continue
      const welcome = this.#around.welcome(peer)
      if (welcome.type === 'no') continue
      const ref = this.#around.nextRef()
      if (welcome.type === 'redeem') return { type: 'propose', ref, data: encodeRedeem(welcome.redeem) }
      const others = learners.filter((id) => peerIdOf(id) !== peerId)
      return { type: 'change-membership', ref, change: { voters, learners: [...others, incarnation] } }
    }
    return undefined
  }

  #promote(status: RaftStatus): Step | undefined {
    const members = this.#around.members(status)
    for (const id of status.membership.learners) {
      if (!this.#around.awaitsVote(id)) continue
      const plan = planMembers({ op: 'promote', member: id }, members)
      if (plan.type === 'change') {
        return { type: 'change-membership', ref: this.#around.nextRef(), change: plan.change }
      }
    }
    return undefined
  }
}
