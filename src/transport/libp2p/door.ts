/**
 * Who is at our door: connections that others have begun and that are no sessions yet. For whoever would dial just now, and may be
 * about to dial the very one who stands there. How many may is the budget's business (inbound-budget.ts).
 */
import type { MultiaddrConnection } from '@libp2p/interface'

export class Door {
  /** Timelines, by which a connection is known before and after its handshake. */
  readonly #knocking = new Set<object>()
  readonly #onChange: (knocking: boolean) => void

  constructor(onChange: (knocking: boolean) => void) {
    this.#onChange = onChange
  }

  came(connection: Pick<MultiaddrConnection, 'timeline' | 'addEventListener'>): void {
    const { timeline } = connection
    connection.addEventListener('close', () => this.left(timeline))
    this.#knocking.add(timeline)
    if (this.#knocking.size === 1) this.#onChange(true)
  }

  /** Its session is open, or it is gone. Idempotent. */
  left(timeline: object): void {
    if (this.#knocking.delete(timeline) && this.#knocking.size === 0) this.#onChange(false)
  }
}
