/**
 * The writes that the disk has not confirmed yet.
 *
 * Storage keeps their order, so confirming one confirms all before it. Each remembers up to where the log *as it stands
 * now* is on disk once that write is: cutting the log lowers the mark of every write before the cut, so that the
 * confirmation of an overwritten entry never passes for the confirmation of its successor.
 */
import { invariant } from '../core/invariant.ts'

interface PendingWrite {
  readonly id: number
  readonly issuedAt: number
  stableTo: number
}

export class PendingWrites {
  /** Id of the newest write handed out; 0 before the first. */
  issued = 0
  /** Id of the newest write known to be durable. */
  persisted = 0
  #queue: PendingWrite[] = []
  #head = 0

  /** The id of a new write that leaves the disk with the log up to `stableTo`. */
  issue(stableTo: number, now: number): number {
    this.#queue.push({ id: ++this.issued, issuedAt: now, stableTo })
    return this.issued
  }

  truncate(lastIndex: number): void {
    for (let i = this.#queue.length - 1; i >= this.#head; i--) {
      const write = this.#queue[i]!
      if (write.stableTo <= lastIndex) return
      write.stableTo = lastIndex
    }
  }

  /** Up to where the log is on disk now; undefined when this was known. */
  confirm(id: number): number | undefined {
    invariant(id <= this.issued, () => `write ${id} confirmed, but only ${this.issued} were handed out`)
    if (id <= this.persisted) return undefined
    this.persisted = id
    let stableTo: number | undefined
    while (this.#head < this.#queue.length && this.#queue[this.#head]!.id <= id) {
      stableTo = this.#queue[this.#head++]!.stableTo
    }
    if (this.#head === this.#queue.length || this.#head > 1024) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    return stableTo
  }

  /** When the oldest unconfirmed write was handed out; undefined when the disk has caught up. */
  oldestAt(): number | undefined {
    return this.#queue[this.#head]?.issuedAt
  }
}
