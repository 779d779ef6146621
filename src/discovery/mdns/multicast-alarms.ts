/**
 * Says that multicast does not work, and that it works again: each once, for the interface or for all of it.
 *
 * What shows it is our own query, which comes back to us when it left (station.ts looks for it). Somebody whose peers are all found by
 * seeds would otherwise never learn why nobody else is.
 */
import type { DiscoveryAlarm } from '../port.ts'
import type { LinkInterface } from './link.ts'

/** Not an interface: there is none, or no port. */
const ALL = '*'

export class MulticastAlarms {
  /** Whom somebody counts on, in so many words. */
  readonly #named: readonly string[] | undefined
  readonly #raise: (alarm: DiscoveryAlarm) => void
  /** Interfaces whose alarm is not over. */
  readonly #alarmed = new Set<string>()

  constructor(named: readonly string[] | undefined, raise: (alarm: DiscoveryAlarm) => void) {
    this.#named = named
    this.#raise = raise
  }

  /** Our own query came back. True when that ends an alarm. */
  echoed({ name, address }: LinkInterface): boolean {
    if (!this.#alarmed.delete(name)) return false
    this.#restored(`multicast works again on ${name} (${address})`)
    return true
  }

  /** Our own query did not come back; `lastError` is what sending ended with. */
  missed({ name, address, loopback }: LinkInterface, lastError: string | undefined, interfaceCount: number): void {
    // Loopback is a convenience for nodes on one machine; it is worth an alarm only when somebody counts on it.
    if (loopback && this.#named === undefined && interfaceCount > 1) return
    const why = lastError === undefined ? '' : ` (${lastError})`
    this.#blocked(name, `our own query did not come back within a second on ${name} (${address})${why}`)
  }

  checkInterfaces(interfaceCount: number): void {
    if (interfaceCount > 0) {
      if (this.#alarmed.delete(ALL)) this.#restored('there is an interface for multicast again')
      return
    }
    const named = this.#named
    this.blocked(
      named === undefined ? 'no interface has an IPv4 address' : `no interface is called ${named.join(' or ')}`
    )
  }

  /** On every interface. */
  blocked(why: string): void {
    this.#blocked(ALL, why)
  }

  /** The interface is gone, and its alarm with it. */
  forget(name: string): void {
    this.#alarmed.delete(name)
  }

  forgetAll(): void {
    this.#alarmed.clear()
  }

  #blocked(what: string, why: string): void {
    if (this.#alarmed.has(what)) return
    this.#alarmed.add(what)
    const advice = 'until it does, peers are found by seeds and by the addresses of earlier runs only'
    this.#raise({ code: 'multicast-blocked', detail: `multicast does not work: ${why}; ${advice}` })
  }

  #restored(detail: string): void {
    this.#raise({ code: 'multicast-restored', detail })
  }
}
