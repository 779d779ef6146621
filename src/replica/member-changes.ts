/**
 * From "remove C" to the lists of voters and learners that consensus is asked for, or a sentence on why not.
 *
 * People name members by PeerId; consensus knows incarnations. A PeerId may have two at once: an old disk that still votes (and
 * counts as failed, because nobody can answer for it) and the new disk, a learner. Which of them is meant is guessed only where
 * one reading makes sense; `replace` exists for exactly this case and swaps them in one joint change.
 *
 * Refused is what would leave the group unable to decide, with the arithmetic: voters after the change, how many of them the
 * leader reaches by its own sessions, how many a decision needs. There is no way to force it. Asking again for what is in force
 * already is done, not refused: a caller whose answer was lost asks again.
 */
import { majority } from '../raft/quorum.ts'
import type { Membership, MembershipChange, NodeId } from '../raft/types.ts'
import { namedBy, peerIdOf } from './incarnations.ts'

/** Members are named by PeerId, or by incarnation where a PeerId has two. */
export type MemberOperation =
  | { readonly op: 'promote'; readonly member: string }
  | { readonly op: 'demote'; readonly member: string }
  | { readonly op: 'remove'; readonly member: string }
  /** `by` takes the vote of `member`. Undefined: the new disk of the same PeerId does. */
  | { readonly op: 'replace'; readonly member: string; readonly by: string | undefined }

export interface MembersInForce {
  readonly membership: Membership
  /** It has committed, and it is not a joint one. */
  readonly settled: boolean
  /** Incarnations that the leader can reach, itself included. */
  readonly isReachable: (id: NodeId) => boolean
  /** This incarnation, or one of this PeerId, was a member and is none any more. */
  readonly wasRemoved: (name: string) => boolean
  /** Its token entitles it to receive, and to nothing else. */
  readonly isObserver: (peerId: string) => boolean
  /** This learner came for a vote, which the leader will give it by itself. */
  readonly awaitsVote: (id: NodeId) => boolean
}

export type MemberVerdict =
  | { readonly type: 'change'; readonly change: MembershipChange }
  /** It is so already, and committed, as far as this leader knows: whether it still leads is another question. */
  | { readonly type: 'done' }
  /** It has no vote, and would be given one by itself: that is to be denied. */
  | { readonly type: 'deny'; readonly member: NodeId }
  /** Somebody else's change is under way. */
  | { readonly type: 'later' }
  | { readonly type: 'refused'; readonly code: MemberRefusalCode; readonly detail: string }

export const MEMBER_REFUSAL_CODES = [
  'would-lose-quorum',
  'unknown-member',
  'ambiguous-member',
  'invalid-change'
] as const

export type MemberRefusalCode = (typeof MEMBER_REFUSAL_CODES)[number]

export function planMembers(operation: MemberOperation, state: MembersInForce): MemberVerdict {
  // What is half decided is nobody's ground to plan on, and no proof that anything is done.
  if (!state.settled) return { type: 'later' }
  switch (operation.op) {
    case 'promote':
      return promote(operation.member, state)
    case 'demote':
      return demote(operation.member, state)
    case 'remove':
      return remove(operation.member, state)
    case 'replace':
      return replace(operation.member, operation.by, state)
  }
}

function promote(name: string, state: MembersInForce): MemberVerdict {
  const { voters, learners } = state.membership
  const learner = one(name, learners)
  const voter = one(name, voters)
  if (learner === undefined) return voter === undefined ? stranger(name, state) : DONE
  const elder = voters.find((id) => peerIdOf(id) === peerIdOf(learner))
  if (elder !== undefined) {
    return refuse(
      'invalid-change',
      `${peerIdOf(learner)} votes already with another disk (${elder}): replace that one by ${learner}, so that one machine has one vote`
    )
  }
  const problem = unable(learner, state)
  if (problem !== undefined) return problem
  return checked(`promoting ${shown(learner, state)} makes`, [...voters, learner], without(learners, learner), state)
}

function demote(name: string, state: MembersInForce): MemberVerdict {
  const { voters, learners } = state.membership
  const voter = one(name, voters)
  const learner = one(name, learners)
  if (voter === undefined && learner === undefined) return stranger(name, state)
  if (voter === undefined) return state.awaitsVote(learner!) ? { type: 'deny', member: learner! } : DONE
  return checked(`demoting ${shown(voter, state)} leaves`, without(voters, voter), [...learners, voter], state)
}

function remove(name: string, state: MembersInForce): MemberVerdict {
  const { membership } = state
  const named = namedBy(membership).filter((id) => isNamed(id, name))
  const [member, other] = named
  if (member === undefined) return state.wasRemoved(name) ? DONE : stranger(name, state)
  if (other !== undefined) return ambiguous(name, named, state)
  const { voters, learners } = membership
  if (learners.includes(member)) return change(voters, without(learners, member))
  return checked(`removing ${shown(member, state)} leaves`, without(voters, member), learners, state)
}

function replace(name: string, by: string | undefined, state: MembersInForce): MemberVerdict {
  const { voters, learners } = state.membership
  const voter = one(name, voters)
  const successor = one(by ?? name, learners)
  const heir = by === undefined || successor !== undefined ? undefined : one(by, voters)
  // Its place is filled already, by a machine that came for a vote: what is left of it is that the old one goes.
  if (voter !== undefined && heir !== undefined && heir !== voter) {
    const sentence = `${shown(heir, state)} votes already, and removing ${shown(voter, state)} leaves`
    return checked(sentence, without(voters, voter), learners, state)
  }
  if (voter === undefined || successor === undefined) return unfit(name, by, voter, successor, state)
  const problem = unable(successor, state)
  if (problem !== undefined) return problem
  const elder = voters.find((id) => id !== voter && peerIdOf(id) === peerIdOf(successor))
  if (elder !== undefined) return refuse('invalid-change', `${peerIdOf(successor)} votes already, as ${elder}`)
  return checked(
    `replacing ${shown(voter, state)} by ${shown(successor, state)} makes`,
    [...without(voters, voter), successor],
    without(learners, successor),
    state
  )
}

/** Which half of a replacement is missing, unless it has taken place. */
function unfit(
  name: string,
  by: string | undefined,
  voter: NodeId | undefined,
  successor: NodeId | undefined,
  state: MembersInForce
): MemberVerdict {
  const { voters, learners } = state.membership
  const seated = by === undefined ? voter : one(by, voters)
  const gone = by === undefined ? state.wasRemoved(name) : voter === undefined && state.wasRemoved(name)
  if (seated !== undefined && successor === undefined && gone) return DONE
  if (voter === undefined) {
    return one(name, learners) === undefined
      ? stranger(name, state)
      : refuse('invalid-change', `${name} is a learner and has no vote to pass on; promote it instead`)
  }
  const who = by ?? `a new disk of ${name}`
  return refuse('unknown-member', `${who} is not among the learners${listed(learners)}; start it, and ask again`)
}

/** The lists, if those who vote by them can decide. `sentence` is continued with the arithmetic. */
function checked(
  sentence: string,
  voters: readonly NodeId[],
  learners: readonly NodeId[],
  state: MembersInForce
): MemberVerdict {
  if (voters.length === 0) return refuse('would-lose-quorum', `${sentence} no voters`)
  const reachable = voters.filter(state.isReachable)
  const needed = majority(voters.length)
  if (reachable.length >= needed) return change(voters, learners)
  const missing = voters.filter((id) => !state.isReachable(id))
  return refuse(
    'would-lose-quorum',
    `${sentence} ${count(voters.length, 'voter')} of which ${reachable.length} ${is(reachable.length)} reachable, and ${needed} ${is(needed)} needed (not reachable: ${few(missing)})`
  )
}

/** Why this learner cannot be a voter now. */
function unable(learner: NodeId, state: MembersInForce): MemberVerdict | undefined {
  if (state.isObserver(peerIdOf(learner))) {
    return refuse(
      'invalid-change',
      `${peerIdOf(learner)} came with the token of an observer, which is not entitled to a vote`
    )
  }
  if (state.isReachable(learner)) return undefined
  return refuse('invalid-change', `${learner} is not connected to the leader, so it would be a voter that cannot vote`)
}

function stranger(name: string, state: MembersInForce): MemberVerdict {
  if (state.wasRemoved(name)) {
    return refuse(
      'unknown-member',
      `${name} was removed; start it with an empty data directory, and it is a learner again`
    )
  }
  return refuse(
    'unknown-member',
    `${name} is no member; the members are ${few(namedBy(state.membership).map(peerIdOf))}`
  )
}

const ambiguous = (name: string, ids: readonly NodeId[], { membership }: MembersInForce): MemberVerdict =>
  refuse(
    'ambiguous-member',
    `${name} is a member with ${ids.length} disks; name one: ${ids.map((id) => `${id} (${membership.voters.includes(id) ? 'voter' : 'learner'})`).join(', ')}`
  )

const isNamed = (id: NodeId, name: string): boolean => id === name || peerIdOf(id) === name

const one = (name: string, ids: readonly NodeId[]): NodeId | undefined => ids.find((id) => isNamed(id, name))

const without = (ids: readonly NodeId[], gone: NodeId): readonly NodeId[] => ids.filter((id) => id !== gone)

/** By PeerId, unless that has two disks among the members. */
function shown(id: NodeId, { membership }: MembersInForce): string {
  const peerId = peerIdOf(id)
  return namedBy(membership).filter((other) => peerIdOf(other) === peerId).length > 1 ? id : peerId
}

const SHOWN_MAX = 3

function few(ids: readonly string[]): string {
  const more = ids.length > SHOWN_MAX ? ` and ${ids.length - SHOWN_MAX} more` : ''
  return `${ids.slice(0, SHOWN_MAX).join(', ')}${more}`
}

const listed = (ids: readonly string[]): string => (ids.length === 0 ? ' (there are none)' : ` (${few(ids)})`)

const is = (n: number): string => (n === 1 ? 'is' : 'are')

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`

const DONE: MemberVerdict = { type: 'done' }

const change = (voters: readonly NodeId[], learners: readonly NodeId[]): MemberVerdict => ({
  type: 'change',
  change: { voters, learners }
})

const refuse = (code: MemberRefusalCode, detail: string): MemberVerdict => ({ type: 'refused', code, detail })
