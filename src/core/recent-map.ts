/**
 * A map that remembers what was used recently: two halves, of which the older one is let go whole when the younger one is full, and
 * whatever is looked up in the older one moves to the younger. So nothing is counted or moved for a look, and between `sizeMax / 2`
 * and `sizeMax` of the most recently used keys are there.
 */
export class RecentMap<Value extends object | true> {
  readonly #halfMax: number
  #young = new Map<string, Value>()
  #old = new Map<string, Value>()

  constructor(sizeMax: number) {
    this.#halfMax = Math.ceil(sizeMax / 2)
  }

  get(key: string): Value | undefined {
    const value = this.#young.get(key)
    if (value !== undefined) return value
    const before = this.#old.get(key)
    if (before !== undefined) this.set(key, before)
    return before
  }

  set(key: string, value: Value): void {
    if (this.#young.size >= this.#halfMax && !this.#young.has(key)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }
}

/** One letter a byte: no two byte strings have the same key, and making it copies them once. */
export const keyOfBytes = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
