/**
 * The leader takes in whoever was admitted and is no member yet: as a learner, by itself, because a learner decides nothing.
 * That is how a machine that lost its disk gets log and config again (FAULTS P4), and how a machine with a join token comes in.
 * Such a token is redeemed first, as an entry of the log, so that its uses hold for the whole cluster.
 *
 * One step at a time, at a bounded rate, and never beside another change; a step takes in all who wait, because each puts the
 * whole list of members into the log: a thousand that come one by one would make it a thousand lists long. A machine whose disk is lost again and again leaves no
 * trail: the new learner takes the place of the older learners of its PeerId. A voter's place is nobody's but the operator's to
 * give away, also when its disk is known to be gone: it counts as failed until it is replaced.
 *
 * Who came with a voter's join token is promoted when it has caught up, once: a learner that has had a vote was demoted by
 * somebody, who meant it, and so did whoever demoted it before (membership/denial.ts). And only while there are few voters: a fleet that starts from one image would otherwise make a
 * group whose every decision waits for hundreds. Not taken in: who was removed (it would undo the removal), who is barred (its disk was set back), whose
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
/** Learners that are taken in without being asked for: what one leader can serve (bench of a thousand: docs/SIMULATION.md). */
export const LEARNERS_MAX = 1_000
/** Machines taken in, and tokens redeemed, in one step. */
export const TAKE_IN_MAX = 128
/** As many voters as a founding may have. Beyond it an operator promotes, or nobody. */
export const VOTERS_BY_THEMSELVES_MAX = 9

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

interface Step {
  readonly inputs: readonly RaftInput[]
  readonly refs: readonly number[]
}

export class Newcomers {
  readonly #around: NewcomerSurroundings
  /** When to look next; undefined while nothing can have changed. */
  #lookAt: number | undefined
  /** Parts of the step under way that have not ended. */
  readonly #pending = new Set<number>()
  /** Learners whose vote is being denied, by the request that does it. */
  readonly #held = new Map<number, string>()
  #restUntil = -Infinity

  constructor(around: NewcomerSurroundings) {
    this.#around = around
  }

  /** Somebody came, or what stood in the way may be gone. */
  look(now: number): void {
    this.#lookAt = Math.max(now, this.#restUntil)
  }

  deadline(): number | undefined {
    return this.#pending.size === 0 && this.#around.isLeader() ? this.#lookAt : undefined
  }

  pump(now: number): void {
    if (this.#lookAt === undefined || now < this.#lookAt || this.#pending.size > 0 || !this.#around.isLeader()) return
    this.#lookAt = undefined
    const status = this.#around.raftStatus()
    invariant(status !== undefined, 'who leads has a consensus core')
    const step = this.#takeIn(status) ?? this.#promote(status)
    if (step === undefined) return
    this.#restUntil = now + TAKE_IN_EVERY_MS
    for (const ref of step.refs) this.#pending.add(ref)
    for (const input of step.inputs) this.#around.toRaft(input, now)
  }

  /** This learner is not promoted before that request is settled: it denies the vote. */
  holdBack(ref: number, incarnation: string): void {
    this.#held.set(ref, incarnation)
  }

  /** Whatever the end was, the next look tells what is left to do. */
  settled({ ref }: Outcome, now: number): void {
    const wasHeld = this.#held.delete(ref)
    const isDone = this.#pending.delete(ref) && this.#pending.size === 0
    if (isDone || wasHeld) this.look(now)
  }

  #takeIn({ membership }: RaftStatus): Step | undefined {
    const { voters, learners } = membership
    const named = new Set(namedBy(membership))
    const learning = new Set(learners.map(peerIdOf))
    const comers = new Map<string, string>()
    const redeems: Redeem[] = []
    let room = LEARNERS_MAX - learners.length
    for (const peer of this.#around.sessions()) {
      const { peerId, incarnation } = peer
      const replaces = learning.has(peerId)
      if (named.has(incarnation) || (room <= 0 && !replaces)) continue
      const welcome = this.#around.welcome(peer)
      if (welcome.type === 'take-in' && comers.size < TAKE_IN_MAX) comers.set(peerId, incarnation)
      else if (welcome.type === 'redeem' && redeems.length < TAKE_IN_MAX) redeems.push(welcome.redeem)
      else continue
      if (!replaces) room--
    }
    // Both at once: whoever redeems now is taken in by the next step, beside those who redeem then.
    const kept = learners.filter((id) => !comers.has(peerIdOf(id)))
    const steps = [
      ...(comers.size > 0 ? [this.#change(voters, [...kept, ...comers.values()])] : []),
      ...(redeems.length > 0 ? [this.#redeem(redeems)] : [])
    ]
    if (steps.length === 0) return undefined
    return { inputs: steps.flatMap(({ inputs }) => inputs), refs: steps.flatMap(({ refs }) => refs) }
  }

  #redeem(redeems: readonly Redeem[]): Step {
    const proposals = redeems.map((redeem) => ({ ref: this.#around.nextRef(), data: encodeRedeem(redeem) }))
    return { inputs: [{ type: 'propose-batch', proposals }], refs: proposals.map(({ ref }) => ref) }
  }

  #change(voters: readonly string[], learners: readonly string[]): Step {
    const ref = this.#around.nextRef()
    return { inputs: [{ type: 'change-membership', ref, change: { voters, learners } }], refs: [ref] }
  }

  #promote(status: RaftStatus): Step | undefined {
    if (status.membership.voters.length >= VOTERS_BY_THEMSELVES_MAX) return undefined
    const members = this.#around.members(status)
    const held = new Set(this.#held.values())
    for (const id of status.membership.learners) {
      if (held.has(id) || !this.#around.awaitsVote(id)) continue
      const plan = planMembers({ op: 'promote', member: id }, members)
      if (plan.type === 'change') return this.#change(plan.change.voters, plan.change.learners)
    }
    return undefined
  }
}
