/**
 * The newest values of a row that only ever grows, as an immutable value that costs nothing to extend.
 *
 * States share one array: each sees its own stretch of it, and a longer state writes behind what the shorter ones see. Only
 * the newest may do so; whoever extends an older state gets a copy. Values that fell off the front go with the next copy, which
 * comes when they are a quarter of the rest, or as many as the rest where each copy has to be indexed by key as well.
 */
export class Recent<T> implements Iterable<T> {
  readonly #items: T[]
  /** Where each key was put last; shared like the items. */
  readonly #places: Map<unknown, number> | undefined
  readonly #keyOf: ((item: T) => unknown) | undefined
  readonly #first: number
  readonly #end: number

  private constructor(
    items: T[],
    places: Map<unknown, number> | undefined,
    keyOf: ((item: T) => unknown) | undefined,
    first: number,
    end: number
  ) {
    this.#items = items
    this.#places = places
    this.#keyOf = keyOf
    this.#first = first
    this.#end = end
  }

  /** With `keyOf`, values can be found by their keys. */
  static empty<T>(keyOf?: (item: T) => unknown): Recent<T> {
    return new Recent<T>([], keyOf === undefined ? undefined : new Map(), keyOf, 0, 0)
  }

  get length(): number {
    return this.#end - this.#first
  }

  /** From 0, the oldest. */
  at(index: number): T | undefined {
    return index < 0 || index >= this.length ? undefined : this.#items[this.#first + index]
  }

  /** The newest value with this key. */
  find(key: unknown): T | undefined {
    const place = this.#places?.get(key)
    return place === undefined || place < this.#first || place >= this.#end ? undefined : this.#items[place]
  }

  /** With `item` at the end, and at most `lengthMax` in all. */
  add(item: T, lengthMax: number): Recent<T> {
    const key = this.#keyOf?.(item)
    const isNewest = this.#items.length === this.#end
    // A key that comes again would move away from where the shorter states find it.
    const isKnown = this.#places?.has(key) === true
    const goneMax = this.#places === undefined ? lengthMax / 4 : lengthMax
    const base = isNewest && !isKnown && this.#first <= goneMax ? this : this.#copy()
    return base.#push(item, key, lengthMax)
  }

  #push(item: T, key: unknown, lengthMax: number): Recent<T> {
    this.#items.push(item)
    this.#places?.set(key, this.#end)
    const end = this.#end + 1
    return new Recent(this.#items, this.#places, this.#keyOf, Math.max(this.#first, end - lengthMax), end)
  }

  #copy(): Recent<T> {
    const items = this.#items.slice(this.#first, this.#end)
    const keyOf = this.#keyOf
    const places = keyOf === undefined ? undefined : new Map(items.map((item, i) => [keyOf(item), i]))
    return new Recent(items, places, keyOf, 0, items.length)
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = this.#first; i < this.#end; i++) yield this.#items[i]!
  }
}
