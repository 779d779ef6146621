/**
 * `--interface`: the networks that a node uses. mDNS takes the names as they are: what does not exist yet is used as soon as it
 * does. Listening needs addresses, and those are of now.
 */
import { networkInterfaces } from 'node:os'
import { isIp4, isIp6 } from '../discovery/address.ts'
import { NoInterfaceError } from './cli-errors.ts'

export interface UnknownInterface {
  readonly name: string
  /** What there is instead. */
  readonly present: readonly string[]
}

/** The names and addresses that this machine does not have now: most likely a slip of the hand. */
export function unknownInterfaces(wanted: readonly string[], here = networkInterfaces()): readonly UnknownInterface[] {
  const present = Object.keys(here)
  const addresses = Object.values(here).flatMap((list = []) => list.map(({ address }) => address))
  const known = new Set([...present, ...addresses])
  return wanted.filter((name) => !known.has(name)).map((name) => ({ name, present }))
}

/**
 * Multiaddrs, with any free port, of the addresses that these interfaces have: IPv4, as by default, and IPv6 where one has
 * no other (and not those that are good on one link only). Throws NoInterfaceError when there is none.
 */
export function listenOn(wanted: readonly string[], here = networkInterfaces()): readonly string[] {
  const found = Object.entries(here).flatMap(([name, list = []]) => {
    const chosen = list
      .map(({ address }) => address)
      .filter((address) => [name, address].some((it) => wanted.includes(it)))
    const ip4 = chosen.filter(isIp4)
    return ip4.length > 0 ? ip4 : chosen.filter((address) => isIp6(address) && !/^fe[89ab]/i.test(address))
  })
  if (found.length === 0) throw new NoInterfaceError(wanted, Object.keys(here))
  return [...new Set(found)].map((address) => `/${isIp4(address) ? 'ip4' : 'ip6'}/${address}/tcp/0`)
}
