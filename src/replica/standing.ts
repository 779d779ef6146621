/** What this node is to its cluster, in one word, for people and for what they should do next. */
import type { RaftStatus } from '../raft/types.ts'
import type { FencedCode } from './frames.ts'
import { type MemberHistory, namedBy, peerIdOf } from './incarnations.ts'

export interface Fenced {
  readonly code: FencedCode
  readonly index: number
  readonly detail: string
  /** PeerId of the voter that said so. */
  readonly by: string
}

export const STANDINGS = [
  /** There is no cluster yet. */
  'unfounded',
  'voter',
  'learner',
  /** Admitted, and not taken in yet. */
  'newcomer',
  /** The cluster goes on without this incarnation, for good. */
  'removed',
  /** Others remember more of this disk than it does itself: they do not count its vote. */
  'barred'
] as const

export type StandingType = (typeof STANDINGS)[number]

export interface Standing {
  readonly type: StandingType
  /** Other incarnations of the same PeerId that still vote, and count as failed. */
  readonly elders: readonly string[]
  readonly fenced: Fenced | undefined
  /** Certain, not only in force here: the removal has committed. */
  readonly final: boolean
}

export function standingOf(
  self: string,
  raft: RaftStatus | undefined,
  history: MemberHistory | undefined,
  fenced: Fenced | undefined
): Standing {
  if (raft === undefined || history === undefined) {
    const isBarred = fenced !== undefined && fenced.code !== 'removed'
    return { type: isBarred ? 'barred' : 'unfounded', elders: [], fenced, final: false }
  }
  const { membership } = raft
  const elders = membership.voters.filter((id) => id !== self && peerIdOf(id) === peerIdOf(self))
  const toldAt = fenced?.code === 'removed' ? fenced.index : -1
  const named = namedBy(membership).includes(self)
  const final = history.isRemoved(self) || toldAt > raft.membershipIndex || (toldAt >= 0 && !named)
  const is = (type: StandingType): Standing => ({ type, elders, fenced, final })
  if (fenced !== undefined && fenced.code !== 'removed') return is('barred')
  if (final) return is('removed')
  if (membership.voters.includes(self)) return is('voter')
  if (named) return is('learner')
  return is(history.isMember(self) ? 'removed' : 'newcomer')
}
