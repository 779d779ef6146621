/**
 * Term and vote, and what of them and of the log has still to reach the disk.
 *
 * One step asks for at most one write; it holds the term and vote when they changed, a snapshot that replaces the log, how much of
 * the log may go, and the log from the first entry that changed. Term and vote are one record, never two (RAFT-HOLES 1).
 */
import { invariant } from '../core/invariant.ts'
import type { Log } from './log.ts'
import { PendingWrites } from './pending-writes.ts'
import type { HardState, LogPosition, NodeId, RaftWrite } from './types.ts'

export class Durability {
  term: number
  votedFor: NodeId | undefined
  readonly writes = new PendingWrites()
  #hardStateDirty = false
  /** The write that holds the current term and vote; 0 when they were recovered. */
  #hardStateWrite = 0
  /** First entry that differs from what was handed to storage. */
  #changedFrom = Infinity
  /** Replaces the log on disk. */
  #snapshot: LogPosition | undefined
  #compactTo: number | undefined

  constructor(recovered: HardState) {
    this.term = recovered.term
    this.votedFor = recovered.votedFor
  }

  /** The current term and vote are on disk. */
  get hardStateDurable(): boolean {
    return !this.#hardStateDirty && this.writes.persisted >= this.#hardStateWrite
  }

  /** Nothing that was asked for so far is missing on disk. */
  get complete(): boolean {
    return this.writes.persisted === this.writes.issued
  }

  enterTerm(term: number, votedFor: NodeId | undefined): void {
    invariant(term > this.term, () => `term ${term} follows ${this.term}`)
    this.term = term
    this.votedFor = votedFor
    this.#hardStateDirty = true
  }

  vote(candidate: NodeId): void {
    invariant(this.votedFor === undefined || this.votedFor === candidate, 'one vote a term')
    if (this.votedFor === candidate) return
    this.votedFor = candidate
    this.#hardStateDirty = true
  }

  /** The log is another one from `index` on. */
  changed(index: number): void {
    if (index < this.#changedFrom) this.#changedFrom = index
  }

  /** The log is empty and begins after this snapshot; `committed` of it stood before. */
  replaced(snapshot: LogPosition, committed: number): void {
    this.#snapshot = snapshot
    this.#changedFrom = Infinity
    this.writes.truncate(committed)
  }

  compacted(index: number): void {
    this.#compactTo = index
  }

  /** A write has taken longer than `limitMs` already. */
  stalled(now: number, limitMs: number): boolean {
    const oldest = this.writes.oldestAt()
    return oldest !== undefined && now - oldest >= limitMs
  }

  /** Everything that changed since the last call, if anything did. */
  take(log: Log, now: number): RaftWrite | undefined {
    const from = this.#changedFrom
    const dirty = this.#hardStateDirty
    const snapshot = this.#snapshot
    const compactTo = this.#compactTo
    if (!dirty && from === Infinity && snapshot === undefined && compactTo === undefined) return undefined
    const id = this.writes.issue(log.lastIndex, now)
    this.#changedFrom = Infinity
    this.#hardStateDirty = false
    this.#snapshot = this.#compactTo = undefined
    if (dirty) this.#hardStateWrite = id
    else if (snapshot === undefined && compactTo === undefined) return { id, entries: log.tail(from) }
    return {
      id,
      ...(dirty ? { hardState: { term: this.term, votedFor: this.votedFor } } : undefined),
      ...(snapshot === undefined ? undefined : { snapshot }),
      ...(compactTo === undefined ? undefined : { compactTo }),
      ...(from === Infinity ? undefined : { entries: log.tail(from) })
    }
  }
}
