/**
 * What one step asks for, gathered while it runs.
 *
 * `now` may leave at once; `later` rests on a write of this step or an earlier one. A step in which nothing is asked for
 * allocates no list.
 */
import type { Entry, Envelope, NodeId, Outcome, RaftEvent, SnapshotMeta, SnapshotRequest } from './types.ts'
import type { RaftMessage } from './messages.ts'

const EMPTY: readonly never[] = Object.freeze([])

export class Outbox {
  #now: Envelope[] | undefined
  #later: Envelope[] | undefined
  #outcomes: Outcome[] | undefined
  #events: RaftEvent[] | undefined
  #committed: Entry[] | undefined
  #sendSnapshots: SnapshotRequest[] | undefined
  #restored: SnapshotMeta | undefined

  send(to: NodeId, message: RaftMessage): void {
    ;(this.#now ??= []).push({ to, message })
  }

  sendLater(to: NodeId, message: RaftMessage): void {
    ;(this.#later ??= []).push({ to, message })
  }

  outcome(outcome: Outcome): void {
    ;(this.#outcomes ??= []).push(outcome)
  }

  event(event: RaftEvent): void {
    ;(this.#events ??= []).push(event)
  }

  committed(entry: Entry): void {
    ;(this.#committed ??= []).push(entry)
  }

  sendSnapshot(to: NodeId, index: number): void {
    ;(this.#sendSnapshots ??= []).push({ to, index })
  }

  restored(snapshot: SnapshotMeta): void {
    this.#restored = snapshot
  }

  /** Everything gathered so far. With `durable`, what had to wait need not any more. */
  drain(durable: boolean): {
    send: readonly Envelope[]
    sendAfter: readonly Envelope[]
    sendSnapshots: readonly SnapshotRequest[]
    restored: SnapshotMeta | undefined
    committed: readonly Entry[]
    outcomes: readonly Outcome[]
    events: readonly RaftEvent[]
  } {
    const now = this.#now ?? EMPTY
    const later = this.#later ?? EMPTY
    const drained = {
      send: durable && later.length > 0 ? (now.length > 0 ? [...now, ...later] : later) : now,
      sendAfter: durable ? EMPTY : later,
      sendSnapshots: this.#sendSnapshots ?? EMPTY,
      restored: this.#restored,
      committed: this.#committed ?? EMPTY,
      outcomes: this.#outcomes ?? EMPTY,
      events: this.#events ?? EMPTY
    }
    this.#now = this.#later = this.#outcomes = this.#events = this.#committed = undefined
    this.#sendSnapshots = this.#restored = undefined
    return drained
  }
}
