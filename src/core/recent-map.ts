/**
 * What was said of byte strings that were seen lately: two halves, of which the older one is let go whole when the younger one is
 * full, and whatever is looked up in the older one moves to the younger. So nothing is counted or moved for a look, and
 * `sizeMax / 2` to `sizeMax` of what was used last are there.
 *
 * A byte string is found by a few of its bytes and then compared whole, which costs a fraction of hashing all of it. Of two that
 * have these few in common the later one is remembered: nothing is lost but time, whoever chose them.
 */
import { equalBytes } from './bytes.ts'

interface Item<Value> {
  readonly bytes: Uint8Array
  readonly value: Value
}

export class RecentMap<Value extends object | true> {
  readonly #halfMax: number
  #young = new Map<number, Item<Value>>()
  #old = new Map<number, Item<Value>>()

  constructor(sizeMax: number) {
    this.#halfMax = Math.ceil(sizeMax / 2)
  }

  get(bytes: Uint8Array): Value | undefined {
    const place = placeOf(bytes)
    const item = this.#young.get(place)
    if (item !== undefined && equalBytes(item.bytes, bytes)) return item.value
    const before = this.#old.get(place)
    if (before === undefined || !equalBytes(before.bytes, bytes)) return undefined
    this.#put(place, before)
    return before.value
  }

  /** Keeps the bytes: they must not change any more. */
  set(bytes: Uint8Array, value: Value): void {
    this.#put(placeOf(bytes), { bytes, value })
  }

  #put(place: number, item: Item<Value>): void {
    if (this.#young.size >= this.#halfMax && !this.#young.has(place)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(place, item)
  }
}

/** Documents differ in their signatures, and those are long and anywhere: so many bytes all over it hit one. */
const SAMPLES = 24

/** FNV-1a over the length and some of the bytes. */
function placeOf(bytes: Uint8Array): number {
  const { length } = bytes
  let place = Math.imul(0x811c9dc5 ^ length, 0x01000193)
  const stride = length / SAMPLES
  if (stride <= 1) for (let i = 0; i < length; i++) place = Math.imul(place ^ bytes[i]!, 0x01000193)
  else for (let i = 1; i <= SAMPLES; i++) place = Math.imul(place ^ bytes[Math.floor(i * stride) - 1]!, 0x01000193)
  return place
}
