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
    answered: role.name === 'pre-candidate' || role.name === 'candidate' ? role.answered : undefined,
    progress: leading?.progressStatus() ?? []
  }
}

/** A class, not an object of closures: a process may hold thousands of members. */
export class View implements ConsensusView {
  readonly #node: RaftNode

  constructor(node: RaftNode) {
    this.#node = node
  }

  get role(): ConsensusView['role'] {
    return this.#node.role.name
  }

  get term(): number {
    return this.#node.term
  }

  get votedFor(): ConsensusView['votedFor'] {
    return this.#node.votedFor
  }

  get writable(): boolean {
    const { role } = this.#node
    return role.name === 'leader' && role.writable
  }

  get commitIndex(): number {
    return this.#node.log.commit
  }

  get lastIndex(): number {
    return this.#node.log.lastIndex
  }

  get membership(): ConsensusView['membership'] {
    return this.#node.membership
  }

  get membershipIndex(): number {
    return this.#node.configurations.index
  }
}
