/**
 * Requests whose end is not known yet. Each ref leaves here exactly once, as one outcome.
 *
 * A proposal waits for its entry, a confirmed read for everything up to its index, a transfer for whoever leads next. These
 * outlive the office of the leader that accepted them: what had committed is still answered as committed.
 */
import { invariant } from '../core/invariant.ts'
import type { Log } from './log.ts'
import type { Entry, NodeId } from './types.ts'
import type { Outbox } from './outbox.ts'

export interface Handover {
  /** Undefined: nobody asked for it. */
  readonly ref: number | undefined
  readonly to: NodeId
  readonly deadline: number
}

export class Requests {
  /** A transfer that was begun here. */
  handover: Handover | undefined
  readonly #outbox: Outbox
  /** By the index of their entry, rising. */
  readonly #proposals = new Map<number, number>()
  #reads: { readonly ref: number; readonly index: number }[] = []

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  awaitEntry(index: number, ref: number): void {
    this.#proposals.set(index, ref)
  }

  awaitRead(index: number, ref: number): void {
    this.#reads.push({ ref, index })
  }

  /** This entry is committed, durable and handed out. */
  emitted(entry: Entry): void {
    const { index, term } = entry
    const ref = this.#proposals.get(index)
    if (ref === undefined) return
    this.#proposals.delete(index)
    this.#outbox.outcome({ type: 'committed', ref, index, term })
  }

  /** A snapshot takes the place of this log: what has committed is answered now, since it will not be handed out one by one. */
  replaced(log: Log): void {
    for (const [index, ref] of this.#proposals) {
      const term = index <= log.commit ? log.termAt(index) : undefined
      invariant(term !== undefined, () => `request ${ref} waits for entry ${index}, which nobody leads to its commit`)
      this.#outbox.outcome({ type: 'committed', ref, index, term })
    }
    this.#proposals.clear()
  }

  /** Everything up to `index` is handed out. */
  answerReads(index: number): void {
    if (this.#reads.length === 0) return
    const waiting = this.#reads
    this.#reads = []
    for (const read of waiting) {
      if (read.index <= index) this.#outbox.outcome({ type: 'readable', ...read })
      else this.#reads.push(read)
    }
  }

  /** The office is lost: nobody here will learn what becomes of entries beyond `commit`, nor when the log is that long again. */
  forsake(commit: number, successor: NodeId | undefined): void {
    for (const [index, ref] of this.#proposals) {
      if (index <= commit) continue
      this.#proposals.delete(index)
      this.#outbox.outcome({ type: 'unknown', ref })
    }
    const reads = this.#reads
    this.#reads = []
    for (const read of reads) {
      if (read.index <= commit) this.#reads.push(read)
      else this.#outbox.outcome({ type: 'dropped', ref: read.ref, leader: successor })
    }
  }

  /** Somebody leads: if a transfer was under way, this is how it ended. */
  settleHandover(leader: NodeId): void {
    if (this.handover === undefined) return
    const { ref, to } = this.handover
    if (leader !== to) this.failHandover(`${leader} leads now`)
    else {
      if (ref !== undefined) this.#outbox.outcome({ type: 'transferred', ref, to })
      this.handover = undefined
    }
  }

  failHandover(detail: string): void {
    const ref = this.handover?.ref
    if (ref !== undefined) this.#outbox.outcome({ type: 'refused', ref, code: 'transfer-failed', detail })
    this.handover = undefined
  }
}
