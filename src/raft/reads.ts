/**
 * Linearizable reads without a log entry: ReadIndex (dissertation section 6.4), in batches.
 *
 * A read may be answered from the state at the commit index of a moment at which this member certainly led. It led when a
 * quorum answers a heartbeat that was sent after the read arrived. Reads that arrive while such a heartbeat is under way
 * share the next one, so one round confirms any number of reads. No clock is trusted (no leases, RAFT-HOLES 54 to 56).
 *
 * Before the first commit of its own term a leader may not know the newest commit index (RAFT-HOLES 53). It knows a bound, though:
 * whatever had committed when it was elected lies before its own first entry. Such reads are confirmed meanwhile, and answered
 * when that entry has committed; if the office is lost before, they never were.
 */
export interface ReadBatch {
  readonly index: number
  readonly refs: readonly number[]
}

export class ReadQueue {
  #waiting: number[] = []
  #flying: (ReadBatch & { readonly seq: number }) | undefined

  get size(): number {
    return this.#waiting.length + (this.#flying?.refs.length ?? 0)
  }

  /** Reads wait and no heartbeat is on its way for them. */
  get wantsRound(): boolean {
    return this.#flying === undefined && this.#waiting.length > 0
  }

  /** The heartbeat under way must be answered up to this one; undefined when no read hangs on it. */
  get awaits(): number | undefined {
    return this.#flying?.seq
  }

  add(ref: number): void {
    this.#waiting.push(ref)
  }

  /** Everything that waits now hangs on heartbeat `seq`, which has not been sent before. */
  launch(seq: number, index: number): void {
    this.#flying = { seq, index, refs: this.#waiting }
    this.#waiting = []
  }

  /** A quorum has answered what `awaits` named. */
  land(): ReadBatch {
    const batch = this.#flying ?? { index: 0, refs: [] }
    this.#flying = undefined
    return batch
  }

  /** Nothing can be confirmed here any more. */
  abandon(): readonly number[] {
    const refs = [...(this.#flying?.refs ?? []), ...this.#waiting]
    this.#flying = undefined
    this.#waiting = []
    return refs
  }
}
