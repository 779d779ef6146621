/**
 * The link below mDNS: which interfaces there are, packets in, packets out on one of them. `udp-link.ts` is the real one;
 * tests use one in memory.
 */
export interface LinkInterface {
  readonly name: string
  /** The IPv4 address that packets leave with. */
  readonly address: string
  readonly netmask: string
  readonly loopback: boolean
  /** Every address of the interface, IPv4 and IPv6, without zone: what may be announced on it. */
  readonly hosts: readonly string[]
}

export interface LinkEvents {
  onPacket(bytes: Uint8Array, source: { readonly address: string; readonly port: number }): void
}

export interface MulticastLink {
  /** Rejects when the port cannot be had; may be called again. */
  open(events: LinkEvents): Promise<void>
  /**
   * The interfaces in use now. Joins the group on those where it has not yet; again for all of them with `rejoin`. Never throws:
   * an interface that cannot be joined is in the list, and its echo will be missed.
   */
  interfaces(rejoin?: boolean): readonly LinkInterface[]
  /** Sends to the group, out of this interface and no other. Rejects when the system refuses. */
  send(on: LinkInterface, bytes: Uint8Array): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
}
