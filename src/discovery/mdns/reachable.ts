/**
 * Which addresses mean anything on one interface: of our own, those at which a peer on that link can reach us; of what a peer
 * says, those at which we can reach it.
 *
 * A loopback address means something on its own machine only; an address of another interface may not be routed, and a dead one
 * costs seconds at every dial. Names are neither announced (nor does @libp2p/mdns) nor believed: a stranger on
 * the link should not make us resolve and dial what it likes. Link-local IPv6 needs a zone that only the receiver knows.
 */
import { isLoopbackHost, isUnspecifiedHost, parseTcpAddress, sameSubnet } from '../address.ts'
import type { TcpAddress } from '../address.ts'
import type { LinkInterface } from './link.ts'

/** Eight addresses no longer fit one Ethernet frame. */
const ANNOUNCED_MAX = 6

/** Multiaddr texts that end in /p2p/<peerId>, IPv4 first. */
export function announcedOn(on: LinkInterface, peerId: string, addresses: readonly string[]): string[] {
  const parsed = addresses
    .map(parseTcpAddress)
    .filter((address) => address !== undefined && !isName(address)) as TcpAddress[]
  const chosen = new Set(
    parsed.flatMap((address) => hostsOn(on, address).map((host) => `/${address.kind}/${host}/tcp/${address.port}`))
  )
  // On loopback every other address of this machine can be reached too.
  if (chosen.size === 0 && on.loopback) {
    for (const address of parsed) if (!isUnspecifiedHost(address.host)) chosen.add(address.text)
  }
  return [...chosen]
    .toSorted((a, b) => Number(b.startsWith('/ip4/')) - Number(a.startsWith('/ip4/')))
    .slice(0, ANNOUNCED_MAX)
    .map((address) => `${address}/p2p/${peerId}`)
}

function hostsOn(on: LinkInterface, { kind, host }: TcpAddress): readonly string[] {
  const own = on.hosts.filter((mine) => mine.includes(':') === (kind === 'ip6') && !isLinkLocalIp6(mine))
  if (isUnspecifiedHost(host)) return own
  if (on.loopback && isLoopbackHost(host)) return [host]
  return own.includes(host) ? [host] : []
}

/** What of a peer's announcement is worth a dial; when something of it is on the link, other IPv4 addresses are not. */
export function worthDialling(addresses: readonly TcpAddress[], source: string, on: LinkInterface): TcpAddress[] {
  const isHere = on.loopback || on.hosts.includes(source)
  const possible = addresses.filter(
    (address) =>
      !isName(address) &&
      !isUnspecifiedHost(address.host) &&
      !isLinkLocalIp6(address.host) &&
      (isHere || !isLoopbackHost(address.host))
  )
  const isOnLink = ({ host }: TcpAddress): boolean => sameSubnet(host, on.address, on.netmask)
  if (isHere || !possible.some(isOnLink)) return possible
  return possible.filter((address) => address.kind === 'ip6' || isOnLink(address))
}

const isName = ({ kind }: TcpAddress): boolean => kind.startsWith('dns')

const isLinkLocalIp6 = (host: string): boolean => /^fe[89ab]/i.test(host)
