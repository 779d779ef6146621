/** What a member shows of itself: a copy for people, a window for whoever looks after every step. */
import type { RaftNode } from './node.ts'
import type { ConsensusView, RaftStatus } from './types.ts'

export function statusOf(node: RaftNode): RaftStatus {
  const { role, log } = node
  const leading = role.name === 'leader' ? role : undefined
  return {
    role: role.name,
    term: node.term,
    leader: node.leader,
    writable: leading?.writable ?? false,
    commitIndex: log.commit,
    firstIndex: log.base.index + 1,
    lastIndex: log.lastIndex,
    // While a snapshot that replaces the log is on its way, the disk holds more than the log says of it.
    durable:
      node.disk.hardStateDurable && log.stable >= log.base.index
        ? { term: node.term, votedFor: node.votedFor, lastIndex: log.stable }
        : undefined,
    snapshotIndex: node.snapshot.index,
    membership: node.membership,
    membershipIndex: node.configurations.index,
    progress: leading?.progressStatus() ?? []
  }
}

export const viewOf = (node: RaftNode): ConsensusView => ({
  get role() {
    return node.role.name
  },
  get term() {
    return node.term
  },
  get writable() {
    return node.role.name === 'leader' && node.role.writable
  },
  get commitIndex() {
    return node.log.commit
  },
  get lastIndex() {
    return node.log.lastIndex
  },
  get membership() {
    return node.membership
  },
  get membershipIndex() {
    return node.configurations.index
  }
})
