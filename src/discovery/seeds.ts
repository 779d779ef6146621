/**
 * Static seeds: addresses that an operator wrote down. They are checked as soon as they are given, so that a typing error is
 * named before anything waits for it; names are resolved, and resolved again, because the machines behind them change.
 *
 * A seed with a PeerId speaks for that peer alone. One without speaks for whoever answers, and each address of its name
 * stands for itself: a name may well stand for the whole cluster.
 */
import { lookup } from 'node:dns/promises'
import { compareText } from '../core/bytes.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { isHostName, isIp4, isIp6, isLoopbackHost, parseTcpAddress } from './address.ts'
import type { HostKind } from './address.ts'
import { backoffMs } from './dial-policy.ts'
import type { Discovery, DiscoveryEvents } from './port.ts'

export interface Seed {
  /** As the operator wrote it. */
  readonly text: string
  readonly kind: HostKind
  readonly host: string
  readonly port: number
  readonly peerId: string | undefined
}

export interface InvalidSeed {
  readonly text: string
  /** One sentence part: `it has no port`. */
  readonly reason: string
}

/** IPv4 and IPv6 texts of a host name. Rejects when there are none. */
export type SeedResolver = (host: string, family: 0 | 4 | 6) => Promise<readonly string[]>

export interface SeedsInit {
  readonly clock: Clock
  readonly random: Random
  /** Default: the system's resolver, which knows /etc/hosts as well as DNS. */
  readonly resolve?: SeedResolver
}

export interface Seeds extends Discovery {
  readonly valid: readonly Seed[]
  readonly invalid: readonly InvalidSeed[]
}

const SEEDS_MAX = 256
const ADDRESSES_PER_NAME_MAX = 32
/** A name is looked up again so often: about the usual time to live of records that move. */
const RESOLVE_AGAIN_MS = 60_000
const RETRY_MIN_MS = 250
const RETRY_MAX_MS = 30_000
const LOOKUP_TIMEOUT_MS = 5_000
/** One failure is nothing: at boot the resolver is often late. */
const FAILURES_BEFORE_ALARM = 3

const systemResolver: SeedResolver = async (host, family) =>
  (await lookup(host, { all: true, family })).map(({ address }) => address)

/** Checks all seeds at once; what is wrong with which is in `invalid`, and an alarm each at start. */
export function createSeeds(texts: readonly string[], init: SeedsInit): Seeds {
  const valid: Seed[] = []
  const invalid: InvalidSeed[] = []
  for (const [i, text] of [...new Set(texts.map((raw) => raw.trim()))].entries()) {
    const seed = i < SEEDS_MAX ? parseSeed(text) : { text, reason: `there are more than ${SEEDS_MAX} seeds` }
    if ('reason' in seed) invalid.push(seed)
    else valid.push(seed)
  }
  return new StaticSeeds(valid, invalid, init)
}

/** One seed: a multiaddr, or `host:port` (`[::1]:4001` for IPv6). */
export function parseSeed(text: string): Seed | InvalidSeed {
  const bad = (reason: string): InvalidSeed => ({ text, reason })
  if (text === '') return bad('it is empty')
  if (text.startsWith('/')) {
    const address = parseTcpAddress(text)
    return address === undefined
      ? bad('it is not of the form /ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT, with or without /p2p/PEERID')
      : { text, kind: address.kind, host: address.host, port: address.port, peerId: address.peerId }
  }
  const match = /^(?:\[([^\]]*)\]|([^:/\s]+))(?::(\d+))?$/.exec(text)
  if (match === null) return bad('it is neither a multiaddr nor HOST:PORT (an IPv6 address goes into brackets)')
  const [, ip6, name = '', portText] = match
  if (portText === undefined) return bad('it has no port')
  const port = Number(portText)
  if (port < 1 || port > 65_535) return bad(`${portText} is not a port`)
  if (ip6 !== undefined) {
    return isIp6(ip6)
      ? { text, kind: 'ip6', host: ip6.toLowerCase(), port, peerId: undefined }
      : bad(`${ip6} is not an IPv6 address`)
  }
  if (isIp4(name)) return { text, kind: 'ip4', host: name, port, peerId: undefined }
  if (/^[\d.]+$/.test(name)) return bad(`${name} is not an IPv4 address`)
  return isHostName(name)
    ? { text, kind: 'dns', host: name.toLowerCase(), port, peerId: undefined }
    : bad(`${name} is not a host name`)
}

interface Lookup {
  readonly seed: Seed
  addresses: readonly string[]
  failures: number
  timer: Timer | undefined
}

class StaticSeeds implements Seeds {
  readonly valid: readonly Seed[]
  readonly invalid: readonly InvalidSeed[]
  readonly #init: SeedsInit
  readonly #lookups: Lookup[]
  #events: DiscoveryEvents | undefined
  /** What was hinted last, per peer and for addresses alone, to take back what has vanished. */
  readonly #hinted = new Map<string | undefined, readonly string[]>()

  constructor(valid: readonly Seed[], invalid: readonly InvalidSeed[], init: SeedsInit) {
    this.valid = valid
    this.invalid = invalid
    this.#init = init
    this.#lookups = valid.map((seed) => ({
      seed,
      addresses: isName(seed) ? [] : [addressText(seed.host, seed.port)],
      failures: 0,
      timer: undefined
    }))
  }

  async start(events: DiscoveryEvents): Promise<void> {
    if (this.#events !== undefined) return
    this.#events = events
    for (const { text, reason } of this.invalid) {
      events.onAlarm({ code: 'seed-invalid', detail: `seed ${JSON.stringify(text)} is ignored: ${reason}` })
    }
    this.#hint()
    for (const entry of this.#lookups) if (isName(entry.seed)) void this.#lookUp(entry)
  }

  async stop(): Promise<void> {
    this.#events = undefined
    for (const entry of this.#lookups) entry.timer?.cancel()
  }

  async #lookUp(entry: Lookup): Promise<void> {
    const outcome = await this.#resolve(entry.seed)
    if (this.#events === undefined) return
    if (typeof outcome === 'string') return this.#failed(entry, outcome)
    entry.failures = 0
    entry.addresses = outcome.slice(0, ADDRESSES_PER_NAME_MAX).map((host) => addressText(host, entry.seed.port))
    this.#hint()
    this.#again(entry, RESOLVE_AGAIN_MS * (0.75 + 0.5 * this.#init.random.next()))
  }

  /** The addresses, or why there are none. A resolver that hangs counts as one that fails. */
  async #resolve({ host, kind }: Seed): Promise<readonly string[] | string> {
    if (isLoopbackHost(host)) return kind === 'dns6' ? ['::1'] : ['127.0.0.1']
    const family = kind === 'dns4' ? 4 : kind === 'dns6' ? 6 : 0
    const { clock, resolve = systemResolver } = this.#init
    const timeout = Promise.withResolvers<string>()
    const timer = clock.setTimer(LOOKUP_TIMEOUT_MS, () => timeout.resolve(`no answer in ${LOOKUP_TIMEOUT_MS / 1000} s`))
    try {
      const answer = await Promise.race([resolve(host, family), timeout.promise])
      if (typeof answer === 'string') return answer
      const usable = answer.filter((text) => isIp4(text) || isIp6(text)).toSorted(compareText)
      return usable.length === 0 ? 'the name has no address' : usable
    } catch (error) {
      return messageOf(error)
    } finally {
      timer.cancel()
    }
  }

  /** What a name meant before stays until it means something else: an outage of DNS is no reason to forget. */
  #failed(entry: Lookup, why: string): void {
    entry.failures += 1
    if (entry.failures === FAILURES_BEFORE_ALARM) {
      const detail = `seed ${entry.seed.text} cannot be resolved: ${why}; it is tried again`
      this.#events?.onAlarm({ code: 'seed-unresolved', detail })
    }
    this.#again(entry, backoffMs(entry.failures, RETRY_MIN_MS, RETRY_MAX_MS, this.#init.random))
  }

  #again(entry: Lookup, delayMs: number): void {
    entry.timer = this.#init.clock.setTimer(delayMs, () => void this.#lookUp(entry))
  }

  #hint(): void {
    const byPeer = new Map<string | undefined, string[]>()
    for (const { seed, addresses } of this.#lookups) {
      byPeer.set(seed.peerId, [...(byPeer.get(seed.peerId) ?? []), ...addresses])
    }
    for (const [peerId, all] of byPeer) {
      const addresses = [...new Set(all)]
      const before = this.#hinted.get(peerId) ?? []
      this.#hinted.set(peerId, addresses)
      if (peerId === undefined) this.#takeBack(before.filter((address) => !addresses.includes(address)))
      if (addresses.length > 0) this.#events?.onHint({ source: 'seed', peerId, addresses })
    }
  }

  #takeBack(addresses: readonly string[]): void {
    if (addresses.length > 0) this.#events?.onHint({ source: 'seed', peerId: undefined, addresses, gone: true })
  }
}

const isName = (seed: Seed): boolean => seed.kind.startsWith('dns')

const addressText = (host: string, port: number): string => `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/${port}`
