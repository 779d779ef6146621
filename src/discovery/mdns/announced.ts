/**
 * Which of our addresses are worth announcing on one interface: those at which a peer on that link can reach us.
 *
 * A loopback address means something on the loopback interface only; an address of another interface may not be routed. A
 * wildcard stands for the interface's own addresses. Names are announced everywhere. Link-local IPv6 needs a zone that only
 * the receiver knows, so it is left out.
 */
import { isLoopbackHost, isUnspecifiedHost, parseTcpAddress } from '../address.ts'
import type { LinkInterface } from './link.ts'

/** LIBP2P: eight addresses no longer fit one Ethernet frame. */
const ANNOUNCED_MAX = 6

/** Multiaddr texts that end in /p2p/<peerId>, the interface's own IPv4 addresses first. */
export function announcedOn(on: LinkInterface, peerId: string, addresses: readonly string[]): string[] {
  const chosen = new Set<string>()
  for (const text of addresses) {
    const address = parseTcpAddress(text)
    if (address === undefined) continue
    for (const host of hostsOn(on, address.kind, address.host))
      chosen.add(`/${address.kind}/${host}/tcp/${address.port}`)
  }
  // Without an address of its own a loopback interface still reaches every other address of this machine.
  if (chosen.size === 0 && on.loopback) {
    for (const text of addresses) {
      const address = parseTcpAddress(text)
      if (address !== undefined && !isUnspecifiedHost(address.host)) chosen.add(address.text)
    }
  }
  return [...chosen]
    .toSorted((a, b) => Number(b.startsWith('/ip4/')) - Number(a.startsWith('/ip4/')))
    .slice(0, ANNOUNCED_MAX)
    .map((address) => `${address}/p2p/${peerId}`)
}

function hostsOn(on: LinkInterface, kind: string, host: string): readonly string[] {
  if (kind.startsWith('dns')) return isLoopbackHost(host) && !on.loopback ? [] : [host]
  const own = on.hosts.filter(
    (candidate) => candidate.includes(':') === (kind === 'ip6') && !candidate.startsWith('fe80:')
  )
  if (isUnspecifiedHost(host)) return own
  if (on.loopback && isLoopbackHost(host)) return [host]
  return own.includes(host) ? [host] : []
}
