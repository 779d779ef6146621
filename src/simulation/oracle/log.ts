/** Invariants 2, 3, 5, 6, 8 and 11: logs, the commit index, and whether a leader still may call itself one. */
import type { ConsensusView } from '../../raft/types.ts'
import type { ReplicaInput } from '../../replica/types.ts'
import type { StoredEntry, StoredSnapshot } from '../../storage/port.ts'
import { type Process, TIMING } from '../process.ts'
import { raftTypeOf } from '../peek.ts'
import { isQuorum } from './members.ts'
import type { Cluster, Memory, Place, View } from './memory.ts'
import { link, replacedBy } from './memory.ts'

export class LogOracle {
  readonly #memory: Memory
  termMax = 0

  constructor(memory: Memory) {
    this.#memory = memory
  }

  /** A snapshot was handed to storage. True when it takes the place of the log. */
  replaced(process: Process, view: View, snapshot: Pick<StoredSnapshot, 'index' | 'term'>): boolean {
    const { index, term } = snapshot
    // Its own, of what it has committed in this very step: that is judged when the step is over.
    const commitIndex = process.replica.consensus()?.commitIndex ?? 0
    if (index > view.commit && index <= commitIndex && view.log[index - 1]?.term === term) return false
    const isReplaced = replacedBy(view.log, snapshot, this.#memory.clusterFor(view)?.committed ?? [])
    if (isReplaced === undefined) {
      const detail = `it saves the state after entry ${index} of term ${term}, which nobody has committed`
      this.#memory.fail('snapshot-is-committed', process, detail)
    }
    return isReplaced ?? false
  }

  /** Entries were handed to storage. */
  appended(process: Process, view: View, entries: readonly StoredEntry[]): void {
    const first = entries[0]!
    const { log } = view
    if (view.role === 'leader' && first.index <= log.length && view.term === process.replica.consensus()?.term) {
      const before = log[first.index - 1]!.chain
      if (before !== link(log[first.index - 2]?.chain ?? 0, first)) {
        this.#memory.fail(
          'leader-append-only',
          process,
          `as leader of term ${view.term} it replaces entry ${first.index}`
        )
      }
    }
    log.length = first.index - 1
    const cluster = this.#memory.clusterFor(view)
    let chain = log.at(-1)?.chain ?? 0
    for (const entry of entries) {
      chain = link(chain, entry)
      log.push({ term: entry.term, chain })
      if (cluster !== undefined) this.#match(process, cluster, entry, chain)
    }
  }

  #match(process: Process, { places }: Cluster, { index, term }: StoredEntry, chain: number): void {
    const known = (places[index] ??= new Map()).get(term)
    if (known === undefined) places[index].set(term, chain)
    else if (known !== chain) {
      const detail = `entry ${index} of term ${term} is not the one that another log has, or what is before it`
      this.#memory.fail('log-matching', process, detail)
    }
  }

  stepped(process: Process, view: View, status: ConsensusView, input: ReplicaInput | undefined): void {
    const cluster = this.#memory.clusterFor(view)
    if (cluster === undefined) return
    if (status.term !== view.term) this.#termMoved(process, view, status, input)
    view.role = status.role
    if (status.commitIndex !== view.commit) this.#committed(process, view, cluster, status)
    if (status.lastIndex !== view.log.length) {
      const detail = `the log ends at ${status.lastIndex}, storage was handed ${view.log.length}`
      this.#memory.fail('write-what-you-say', process, detail)
    }
    this.#voteIsWritten(process, view, status)
    view.membership = status.membership
    if (status.role === 'leader' && input?.type === 'tick') this.#inTouch(process, view, status)
  }

  /** A vote that memory holds and storage was not handed, or the other way round, is another one after a restart. */
  #voteIsWritten(process: Process, { handed }: View, { term, votedFor }: ConsensusView): void {
    if (term === handed.term && votedFor === handed.votedFor) return
    const name = (id: string | undefined): string => (id === undefined ? 'nobody' : this.#memory.world.nameOf(id))
    const detail = `in memory its vote of term ${term} is for ${name(votedFor)}, storage was handed one of term ${handed.term} for ${name(handed.votedFor)}`
    this.#memory.fail('write-what-you-say', process, detail)
  }

  #termMoved(process: Process, view: View, { term }: ConsensusView, input: ReplicaInput | undefined): void {
    if (term < view.term) this.#memory.fail('monotonic-term', process, `its term goes from ${view.term} to ${term}`)
    const type = input?.type === 'frame' ? raftTypeOf(input.frame) : undefined
    // An offer may be the last that a pre-candidate needs.
    if (type === 'pre-vote' || (type === 'pre-vote-offer' && view.role !== 'pre-candidate')) {
      const detail = `a ${type} moves its term from ${view.term} to ${term}`
      this.#memory.fail('pre-vote-is-harmless', process, detail)
    }
    view.term = term
    if (term > this.termMax) this.termMax = term
  }

  #committed(process: Process, view: View, cluster: Cluster, status: ConsensusView): void {
    const { commitIndex } = status
    if (commitIndex < view.commit) {
      const detail = `its commit index goes from ${view.commit} to ${commitIndex}`
      return this.#memory.fail('monotonic-commit', process, detail)
    }
    if (status.role === 'leader' && view.log[commitIndex - 1]?.term !== status.term) {
      const detail = `it commits entry ${commitIndex} of an earlier term by counting`
      this.#memory.fail('commit-own-term', process, detail)
    }
    for (let i = view.commit; i < commitIndex; i++) this.#committedAt(process, view, i, cluster, status)
    view.commit = commitIndex
  }

  #committedAt(process: Process, view: View, at: number, cluster: Cluster, status: ConsensusView): void {
    const place = view.log[at]
    const known = cluster.committed[at]
    if (place === undefined) {
      const detail = `it commits entry ${at + 1}, which it does not hold`
      this.#memory.fail('commit-within-log', process, detail)
    } else if (known === undefined) {
      cluster.committed.push(place)
      cluster.committedIn.push(status.term)
      this.#storedByMajority(process, at, place, view, status)
    } else if (known.chain !== place.chain) {
      const detail = `entry ${at + 1} was committed in term ${known.term}; here it is another one, of term ${place.term}`
      this.#memory.fail('state-machine-safety', process, detail)
    }
  }

  /**
   * Invariant 8: whoever counts has synced it, in each half of the configuration in force. A step may commit and then begin the
   * next configuration, so the one from before the step will do as well.
   */
  #storedByMajority(process: Process, at: number, place: Place, view: View, { membership }: ConsensusView): void {
    const isStored = (id: string): boolean => this.#memory.isOnDisk(id, ({ log }) => log[at]?.chain === place.chain)
    if (isQuorum(membership, isStored)) return
    if (view.membership !== undefined && isQuorum(view.membership, isStored)) return
    const names = this.#memory.names(membership.voters.filter(isStored))
    const detail = `entry ${at + 1} is committed; of ${membership.voters.length} voters only [${names}] have synced it`
    this.#memory.fail('committed-is-stored', process, detail)
  }

  /** Invariant 11: a leader that has heard no quorum for long does not speak as leader any more. */
  #inTouch(process: Process, view: View, { membership, term }: ConsensusView): void {
    const { machine, world } = process
    const limitUs = ((TIMING.raft.electionTimeoutMs + TIMING.raft.heartbeatMs) * 1_000 * 2) / machine.clockRate
    const since = world.nowUs - limitUs
    if (view.leadsSinceUs > since) return
    let heard = 0
    for (const id of membership.voters) {
      if (id === view.incarnation || (view.heardUs.get(id) ?? -Infinity) > since) heard++
    }
    if (heard * 2 > membership.voters.length) return
    const detail = `it leads term ${term} and has heard ${heard} of ${membership.voters.length} voters`
    this.#memory.fail('leader-in-touch', process, detail)
  }
}
