/** What a peer may cost us, on the caller's clock: so much at once, and so much a second after that. */
export class Allowances {
  readonly #burst: number
  readonly #perSecond: number
  /** Whoever is not in it has everything left. Oldest use first. */
  readonly #left = new Map<string, { readonly count: number; readonly at: number }>()

  constructor(burst: number, perSecond: number) {
    this.#burst = burst
    this.#perSecond = perSecond
  }

  /** Takes one, when there is one. A new session is no new allowance. */
  take(peerId: string, now: number): boolean {
    const { count, at } = this.#left.get(peerId) ?? { count: this.#burst, at: now }
    const left = Math.min(this.#burst, count + (Math.max(0, now - at) * this.#perSecond) / 1_000)
    this.#left.delete(peerId)
    this.#left.set(peerId, { count: left < 1 ? left : left - 1, at: now })
    if (this.#left.size > PEERS_MAX) this.#left.delete(this.#left.keys().next().value!)
    return left >= 1
  }
}

/** Peers whose use is remembered: more than there are sessions. */
const PEERS_MAX = 2_048
