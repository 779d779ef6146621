/** One heap on (time, sequence): of two events at the same microsecond the one that was scheduled first comes first. */
export interface Scheduled {
  /** Whole microseconds of virtual time. */
  readonly at: number
  readonly seq: number
  readonly run: () => void
}

export class EventHeap {
  readonly #items: Scheduled[] = []
  #seq = 0

  get size(): number {
    return this.#items.length
  }

  peek(): Scheduled | undefined {
    return this.#items[0]
  }

  push(at: number, run: () => void): void {
    const items = this.#items
    const item: Scheduled = { at, seq: this.#seq++, run }
    let i = items.length
    items.push(item)
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = items[parent]!
      if (!before(item, above)) break
      items[i] = above
      i = parent
    }
    items[i] = item
  }

  pop(): Scheduled | undefined {
    const items = this.#items
    const top = items[0]
    const last = items.pop()
    if (last === undefined || items.length === 0) return top
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= items.length) break
      if (child + 1 < items.length && before(items[child + 1]!, items[child]!)) child++
      const below = items[child]!
      if (!before(below, last)) break
      items[i] = below
      i = child
    }
    items[i] = last
    return top
  }
}

const before = (a: Scheduled, b: Scheduled): boolean => a.at < b.at || (a.at === b.at && a.seq < b.seq)
