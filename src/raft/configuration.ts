/**
 * Memberships and how one follows another.
 *
 * Voters change through a joint configuration only (dissertation section 4.3): `enterJoint` puts the old majority beside
 * the new one, `leaveJoint` drops it. Changing learners alone needs no joint step, since learners decide nothing. The
 * one-voter-at-a-time shortcut of section 4.1 is implemented as `simpleChange` because the public truth tables of
 * etcd-io/raft describe it, but the core never uses it to change a voter: it is where most implementations were bitten
 * (RAFT-HOLES 29).
 *
 * A voter that shall become a learner stays a voter of the outgoing half until the joint configuration is left, and waits
 * in `learnersNext`: nobody is ever voter and learner at once.
 *
 * `Configurations` is the history that a log implies: what a member acts on is the newest entry it *has*, committed or
 * not (section 4.1), and truncating that entry brings the one before it back (RAFT-HOLES 34).
 */
import { compareText } from '../core/bytes.ts'
import { invariant } from '../core/invariant.ts'
import { membershipProblem } from './messages.ts'
import type { Membership, MembershipChange, NodeId } from './types.ts'

export interface MemberChange {
  readonly op: 'voter' | 'learner' | 'remove'
  readonly id: NodeId
}

export type Changed =
  { readonly ok: true; readonly membership: Membership } | { readonly ok: false; readonly reason: string }

export const isJoint = (membership: Membership): boolean => membership.outgoing.length > 0

/** Everybody who receives the log, sorted. */
export const membersOf = (m: Membership): readonly NodeId[] => sorted([...m.voters, ...m.outgoing, ...m.learners])

/** Everybody whose vote counts somewhere, sorted. */
export const votersOf = (m: Membership): readonly NodeId[] =>
  isJoint(m) ? sorted([...m.voters, ...m.outgoing]) : m.voters

export function simpleChange(from: Membership, changes: readonly MemberChange[]): Changed {
  if (isJoint(from)) return refuse("can't apply simple config change in joint config")
  const draft = new Draft(from)
  const problem = draft.apply(changes)
  if (problem !== undefined) return refuse(problem)
  const changed = sorted([...from.voters, ...draft.voters]).filter(
    (id) => from.voters.includes(id) !== draft.voters.has(id)
  )
  if (changed.length > 1) return refuse('more than one voter changed without entering joint config')
  return accept(draft.finish(false))
}

export function enterJoint(from: Membership, changes: readonly MemberChange[], autoLeave: boolean): Changed {
  if (isJoint(from)) return refuse('config is already joint')
  if (from.voters.length === 0) return refuse("can't make a zero-voter config joint")
  const draft = new Draft({ ...from, outgoing: from.voters })
  const problem = draft.apply(changes)
  if (problem !== undefined) return refuse(problem)
  return accept(draft.finish(autoLeave))
}

export function leaveJoint(from: Membership): Changed {
  if (!isJoint(from)) return refuse("can't leave a non-joint config")
  return accept({
    voters: from.voters,
    outgoing: [],
    learners: sorted([...from.learners, ...from.learnersNext]),
    learnersNext: [],
    autoLeave: false
  })
}

/** The one step from `from` towards the wanted lists: joint when a voter changes, simple when only learners do. */
export function planChange(from: Membership, wanted: MembershipChange): Changed {
  const problem = wantedProblem(wanted)
  if (problem !== undefined) return refuse(problem)
  const changes: MemberChange[] = []
  for (const id of wanted.voters) if (!from.voters.includes(id)) changes.push({ op: 'voter', id })
  for (const id of wanted.learners) if (!from.learners.includes(id)) changes.push({ op: 'learner', id })
  for (const id of membersOf(from)) {
    if (!wanted.voters.includes(id) && !wanted.learners.includes(id)) changes.push({ op: 'remove', id })
  }
  if (changes.length === 0) return refuse('these voters and learners are already in force')
  const votersChange =
    wanted.voters.length !== from.voters.length || wanted.voters.some((id) => !from.voters.includes(id))
  return votersChange ? enterJoint(from, changes, true) : simpleChange(from, changes)
}

function wantedProblem(wanted: MembershipChange): string | undefined {
  const all = [...wanted.voters, ...wanted.learners]
  if (new Set(all).size !== all.length) return 'a member is named twice'
  return membershipProblem({ ...wanted, outgoing: [], learnersNext: [], autoLeave: false })
}

const sorted = (ids: readonly NodeId[]): readonly NodeId[] => [...new Set(ids)].toSorted(compareText)

const refuse = (reason: string): Changed => ({ ok: false, reason })

function accept(membership: Membership): Changed {
  const problem = membershipProblem(membership)
  invariant(problem === undefined, () => `a change led to a wrong membership: ${problem}`)
  return { ok: true, membership }
}

/** A membership while changes are applied to its incoming half, one after the other. */
class Draft {
  readonly voters: Set<NodeId>
  readonly #outgoing: readonly NodeId[]
  readonly #learners: Set<NodeId>
  readonly #learnersNext: Set<NodeId>

  constructor(from: Membership) {
    this.voters = new Set(from.voters)
    this.#outgoing = from.outgoing
    this.#learners = new Set(from.learners)
    this.#learnersNext = new Set(from.learnersNext)
  }

  /** The reason why it cannot be, if any. */
  apply(changes: readonly MemberChange[]): string | undefined {
    for (const { op, id } of changes) {
      this.voters.delete(id)
      this.#learners.delete(id)
      this.#learnersNext.delete(id)
      if (op === 'voter') this.voters.add(id)
      else if (op === 'learner') (this.#outgoing.includes(id) ? this.#learnersNext : this.#learners).add(id)
    }
    return this.voters.size === 0 ? 'removed all voters' : undefined
  }

  finish(autoLeave: boolean): Membership {
    return {
      voters: sorted([...this.voters]),
      outgoing: this.#outgoing,
      learners: sorted([...this.#learners]),
      learnersNext: sorted([...this.#learnersNext]),
      autoLeave
    }
  }
}

interface Version {
  /** Of the entry that holds it; 0 for the one before all entries. */
  readonly index: number
  readonly membership: Membership
}

/** The configurations that may still come back, oldest first; the last one is in force. */
export class Configurations {
  /** In force. */
  current: Membership
  /** Index of the entry that put `current` in force. */
  index: number
  #versions: Version[]
  #voters: ReadonlySet<NodeId>
  #members: ReadonlySet<NodeId>
  /** Configurations up to this index are known to be over, committed here or not. */
  #overUpTo = -1

  /** `index`: of the entry that put `initial` in force. */
  constructor(initial: Membership, index = 0) {
    this.current = initial
    this.index = index
    this.#versions = [{ index, membership: initial }]
    this.#voters = new Set(votersOf(initial))
    this.#members = new Set(membersOf(initial))
  }

  /** Votes count, in either half. */
  isVoter(id: NodeId): boolean {
    return this.#voters.has(id)
  }

  isMember(id: NodeId): boolean {
    return this.#members.has(id)
  }

  /**
   * A voter of the configuration in force, or of one that may come back: until the configuration that drops a voter has
   * committed, that voter may be the only one whose log can win (dissertation section 4.2.2). Once it has committed somewhere,
   * the voter need not have heard of it to be out.
   */
  mayCampaign(id: NodeId): boolean {
    return this.#versions.some(
      ({ index, membership }) =>
        index > this.#overUpTo && (membership.voters.includes(id) || membership.outgoing.includes(id))
    )
  }

  /** The configuration at `index`, committed elsewhere, does not name this member: what came before it is over. */
  removedAt(index: number): void {
    if (index > this.#overUpTo) this.#overUpTo = index
  }

  append(index: number, membership: Membership): void {
    invariant(index > this.index, () => `configuration ${index} appended after ${this.index}`)
    this.#versions.push({ index, membership })
    this.#refresh()
  }

  /** Forgets what entries from `index` on brought. True when another configuration is in force now. */
  truncate(index: number): boolean {
    if (this.index < index) return false
    while (this.#versions.at(-1)!.index >= index) this.#versions.pop()
    this.#refresh()
    return true
  }

  /**
   * A snapshot stands for the whole log: what it says is in force, and nothing that was appended before counts any more, however
   * late its index (RAFT-HOLES 35).
   */
  restore(membership: Membership, index: number): void {
    this.#versions = [{ index, membership }]
    this.#refresh()
  }

  /** The configurations that this commit index made permanent and that no earlier one had. */
  commit(index: number): readonly Version[] {
    if (this.#versions.length === 1 || this.#versions[1]!.index > index) return []
    let newest = 1
    while (newest + 1 < this.#versions.length && this.#versions[newest + 1]!.index <= index) newest++
    const committed = this.#versions.slice(1, newest + 1)
    this.#versions = this.#versions.slice(newest)
    return committed
  }

  #refresh(): void {
    const { index, membership } = this.#versions.at(-1)!
    this.index = index
    this.current = membership
    this.#voters = new Set(votersOf(membership))
    this.#members = new Set(membersOf(membership))
  }
}
