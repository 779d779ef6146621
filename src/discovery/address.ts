/**
 * The addresses that discovery understands, as text: `/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT[/p2p/PEERID]`. A small parser of
 * our own instead of a multiaddr library, because the planner's side of this room is pure and these texts come from
 * strangers: everything outside this grammar (relays, other transports) is not for us.
 */
export type HostKind = 'ip4' | 'ip6' | 'dns' | 'dns4' | 'dns6'

export interface TcpAddress {
  /** Canonical, without the /p2p part. */
  readonly text: string
  readonly kind: HostKind
  readonly host: string
  readonly port: number
  readonly peerId: string | undefined
}

const PATTERN =
  /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]{1,253})\/tcp\/(\d{1,5})(?:\/(?:p2p|ipfs)\/([1-9A-HJ-NP-Za-km-z]{10,64}))?\/?$/
/** RFC 1123 host names; a trailing dot is allowed, an underscore too because people use it. */
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i

/** Undefined when the text is not such an address. Port 0 is not one: nobody can be dialled there. */
export function parseTcpAddress(text: string): TcpAddress | undefined {
  const match = PATTERN.exec(text)
  if (match === null) return undefined
  const [, kind, host, portText, peerId] = match as unknown as [string, HostKind, string, string, string | undefined]
  const port = Number(portText)
  if (port < 1 || port > 65_535 || !isHost(kind, host)) return undefined
  const canonical = kind === 'ip4' ? host : host.toLowerCase()
  return { text: `/${kind}/${canonical}/tcp/${port}`, kind, host: canonical, port, peerId }
}

function isHost(kind: HostKind, host: string): boolean {
  switch (kind) {
    case 'ip4':
      return isIp4(host)
    case 'ip6':
      return isIp6(host)
    case 'dns':
    case 'dns4':
    case 'dns6':
      return HOST_NAME.test(host)
  }
}

export const isHostName = (text: string): boolean => HOST_NAME.test(text)

export function isIp4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

/** RFC 4291 text without a zone and without an embedded IPv4 part. */
export function isIp6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false
  return halves.length === 2 ? groups.length <= 7 : groups.length === 8
}

export const ip4ToNumber = (text: string): number =>
  text.split('.').reduce((number, part) => number * 256 + Number(part), 0)

/** Whether both IPv4 addresses lie in one subnet. */
export function sameSubnet(a: string, b: string, netmask: string): boolean {
  if (!isIp4(a) || !isIp4(b) || !isIp4(netmask)) return false
  const mask = ip4ToNumber(netmask)
  return (ip4ToNumber(a) & mask) === (ip4ToNumber(b) & mask)
}

export const isLoopbackHost = (host: string): boolean =>
  host.startsWith('127.') || host === '::1' || host === 'localhost'

export const isUnspecifiedHost = (host: string): boolean => host === '0.0.0.0' || host === '::'

/** One from each list in turn, without repetition: no list can crowd out another. */
export function interleave(lists: readonly (readonly string[])[], max: number): string[] {
  const merged = new Set<string>()
  const longest = Math.max(0, ...lists.map((list) => list.length))
  for (let i = 0; i < longest; i++) {
    for (const list of lists) {
      if (merged.size === max) return [...merged]
      const item = list[i]
      if (item !== undefined) merged.add(item)
    }
  }
  return [...merged]
}
