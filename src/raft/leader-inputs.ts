/** What only a leader can do something about. At anybody else a request ends at once, so that it can be made elsewhere. */
import { unreachable } from '../core/invariant.ts'
import type { Leader } from './leader.ts'
import type { RaftInput } from './types.ts'

export type LeaderInput = Extract<
  RaftInput,
  {
    type: 'propose' | 'propose-batch' | 'change-membership' | 'read' | 'transfer' | 'snapshot-sent' | 'snapshot-failed'
  }
>

export function tellLeader(leader: Leader, input: LeaderInput, now: number): void {
  switch (input.type) {
    case 'propose':
      return leader.propose([input])
    case 'propose-batch':
      return leader.propose(input.proposals)
    case 'change-membership':
      return leader.changeMembership(input.ref, input.change, now)
    case 'read':
      return leader.read(input.ref, now)
    case 'transfer':
      return leader.transfer(input.ref, input.to, now)
    case 'snapshot-sent':
      return leader.snapshotSent(input.peer, input.index)
    case 'snapshot-failed':
      return leader.snapshotFailed(input.peer)
    default:
      return unreachable(input)
  }
}

/** The requests in it. */
export function refsOf(input: LeaderInput): readonly number[] {
  if (input.type === 'propose-batch') return input.proposals.map(({ ref }) => ref)
  return 'ref' in input ? [input.ref] : []
}
