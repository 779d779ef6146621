/**
 * Group commit: one flush at a time, and everything that arrives while it runs shares the next one.
 *
 * Promises settle in the order of the calls. A failed flush is final: its items and all that wait behind it are rejected
 * with the same error, and so is every later one. The queue has no bound of its own; whoever writes bounds what is
 * uncommitted, and can see a stalled disk in `queued` and in the age of its own promises.
 */
interface Waiting<Item> {
  readonly item: Item
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class GroupCommit<Item> {
  readonly #flush: (items: readonly Item[]) => Promise<void>
  readonly #groupBytesMax: number
  #queue: Waiting<Item>[] = []
  #queuedBytes = 0
  #running: Promise<void> | undefined
  #failure: { readonly error: Error } | undefined
  #abandoned = false

  /** A group takes items until it holds `groupBytesMax`, and always at least one. */
  constructor(flush: (items: readonly Item[]) => Promise<void>, groupBytesMax: number) {
    this.#flush = flush
    this.#groupBytesMax = groupBytesMax
  }

  get failure(): Error | undefined {
    return this.#failure?.error
  }

  get queued(): { readonly items: number; readonly bytes: number } {
    return { items: this.#queue.length, bytes: this.#queuedBytes }
  }

  add(item: Item, bytes: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error)
    return new Promise((resolve, reject) => {
      if (this.#abandoned) return
      this.#queue.push({ item, bytes, resolve, reject })
      this.#queuedBytes += bytes
      this.#running ??= this.#run()
    })
  }

  /** Resolves, never rejects, when nothing is queued or running. */
  async drain(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** The process has died: what waits is dropped and its promises never settle. */
  abandon(): void {
    this.#abandoned = true
    this.#queue = []
    this.#queuedBytes = 0
  }

  async #run(): Promise<void> {
    // One turn of the microtask queue, so that writes of one synchronous step share a flush.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const group = this.#takeGroup()
      try {
        await this.#flush(group.map((waiting) => waiting.item))
      } catch (error) {
        this.#fail(group, error instanceof Error ? error : new Error(String(error)))
        break
      }
      if (this.#abandoned) break
      for (const waiting of group) waiting.resolve()
    }
    this.#running = undefined
  }

  #takeGroup(): Waiting<Item>[] {
    let bytes = 0
    let count = 0
    for (const waiting of this.#queue) {
      if (count > 0 && bytes + waiting.bytes > this.#groupBytesMax) break
      bytes += waiting.bytes
      count++
    }
    this.#queuedBytes -= bytes
    return this.#queue.splice(0, count)
  }

  #fail(group: readonly Waiting<Item>[], error: Error): void {
    this.#failure = { error }
    const doomed = [...group, ...this.#queue]
    this.#queue = []
    this.#queuedBytes = 0
    if (this.#abandoned) return
    for (const waiting of doomed) waiting.reject(error)
  }
}
