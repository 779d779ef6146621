/** Invariants 1, 4, 10, 12, 13 and 21: one cluster, one leader a term, elected by those who may, holding what was committed. */
import { compareText } from '../../core/bytes.ts'
import type { Membership } from '../../raft/types.ts'
import type { Process } from '../process.ts'
import { emptyCluster, type Memory, type View } from './memory.ts'

export class OfficeOracle {
  readonly #memory: Memory

  constructor(memory: Memory) {
    this.#memory = memory
  }

  founded(process: Process, view: View, clusterId: string): void {
    const { clusterOf, clusters, incarnations, world } = this.#memory
    const { incarnation } = view
    const before = clusterOf.get(incarnation)
    if (before !== undefined && before !== clusterId) {
      const detail = `it was in cluster ${before.slice(0, 8)} and is now in ${clusterId.slice(0, 8)}`
      this.#memory.fail('one-cluster', process, detail)
    }
    clusterOf.set(incarnation, clusterId)
    view.clusterId = clusterId
    if (!clusters.has(clusterId)) {
      clusters.set(clusterId, emptyCluster())
      this.#memory.founding.push(foundingOf(process))
    }
    const splitNeeds = 2 * world.cast.actors.length
    if (clusters.size > 1 && incarnations.size < splitNeeds) {
      const detail = `${clusters.size} clusters of one genesis with ${incarnations.size} incarnations; a split needs ${splitNeeds}`
      this.#memory.fail('one-cluster', process, detail)
    }
  }

  elected(process: Process, view: View, term: number): void {
    view.leadsSinceUs = this.#memory.world.nowUs
    const cluster = this.#memory.clusterFor(view)
    if (cluster === undefined) return
    const known = cluster.leaders.get(term)
    if (known !== undefined) {
      const names = `${this.#memory.world.nameOf(known)} and ${process.name}`
      this.#memory.fail('election-safety', process, `term ${term} has two leaders, ${names}`)
    }
    cluster.leaders.set(term, view.incarnation)
    this.#byVoters(process, view, term)
    // A leader of an earlier term, elected late, need not hold what a later term has committed meanwhile.
    const last = cluster.committedIn.findLastIndex((inTerm) => inTerm < term) + 1
    const place = cluster.committed[last - 1]
    if (place !== undefined && view.log[last - 1]?.chain !== place.chain) {
      const detail = `it leads term ${term} without entry ${last}, committed in term ${cluster.committedIn[last - 1]}`
      this.#memory.fail('leader-completeness', process, detail)
    }
  }

  /**
   * A majority's votes for it are on disk, its own among them. Whoever is in a later term by now may have voted before. A founder whose
   * disk knows no term yet will begin with a vote for the first of the founding set, which disk.ts sees to.
   */
  #byVoters(process: Process, { incarnation }: View, term: number): void {
    const membership = process.replica.consensus()?.membership
    if (membership === undefined) return
    const isFirst = term === 1 && process.replica.status().founders[0]?.incarnation === incarnation
    const hasVoted = (id: string): boolean =>
      this.#memory.isOnDisk(
        id,
        (disk) =>
          disk.term > term ||
          (disk.term === term && disk.votedFor === incarnation) ||
          (isFirst && disk.term === 0 && id !== incarnation)
      )
    for (const group of [membership.voters, membership.outgoing]) {
      if (group.length === 0) continue
      const votes = group.filter(hasVoted)
      const ownMissing = group.includes(incarnation) && !hasVoted(incarnation)
      if (votes.length * 2 > group.length && !ownMissing) continue
      const detail = `it leads term ${term}; only [${this.#memory.names(votes)}] have its vote on disk`
      this.#memory.fail('elected-by-durable-votes', process, detail)
    }
  }
}

/** The configuration before the first that a log holds. */
export function foundingOf({ replica }: Process): Membership {
  const voters = replica.founders.map(({ incarnation }) => incarnation).toSorted(compareText)
  return { voters, outgoing: [], learners: [], learnersNext: [], autoLeave: false }
}
