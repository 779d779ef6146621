/**
 * Addresses as options give them. They are judged with the rest of the command line, before anything is made: a slip of the hand
 * is told at once, and is no matter of ports.
 */
import { isIp4, isIp6 } from '../discovery/address.ts'
import { parseSeed } from '../discovery/seeds.ts'
import { UsageError } from './cli-errors.ts'

/** In next steps, where addresses stay as they are written. */
const LISTEN_FORMS =
  'Write an IP address of this machine and a port, 0 for any free one: --listen /ip4/0.0.0.0/tcp/4001, or --listen 0.0.0.0:4001.'
const SEED_FORMS = 'Write --seed 192.168.1.10:4001, --seed host.example:4001, or --seed /ip4/192.168.1.10/tcp/4001.'

/** `--listen`, as a multiaddr: an IP address of this machine and a port. A name could stand for several, or for none of ours. */
export function listenOption(text: string, before: readonly string[] = []): readonly string[] {
  const [, kind = '', host = '', port = ''] =
    /^\/(ip4|ip6)\/([^/]+)\/tcp\/(\d{1,5})\/?$/.exec(text) ?? ofHostAndPort(text) ?? []
  const isAddress = kind === 'ip4' ? isIp4(host) : kind === 'ip6' && isIp6(host)
  if (!isAddress || Number(port) > 65_535) {
    throw new UsageError(`--listen ${text}: that is no address to listen on`, LISTEN_FORMS)
  }
  return [...before, `/${kind}/${host}/tcp/${Number(port)}`]
}

function ofHostAndPort(text: string): readonly string[] | undefined {
  const [, ip6, ip4, port = ''] = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(text) ?? []
  return ip6 === undefined && ip4 === undefined
    ? undefined
    : [text, ip6 === undefined ? 'ip4' : 'ip6', ip6 ?? ip4!, port]
}

/** `--seed`: as it is, when it can be dialled. */
export function seedOption(text: string, before: readonly string[] = []): readonly string[] {
  const seed = parseSeed(text)
  if ('reason' in seed) throw new UsageError(`--seed ${text}: ${seed.reason}`, SEED_FORMS)
  return [...before, text]
}
