/**
 * What the planner knows of each target: who said which addresses and when, which of them have proved themselves, and how
 * the last dials went. No policy here beyond caps and ages; `dial-planner.ts` decides.
 *
 * Every source has its own short list per peer, so that one poisoned source can neither grow the table nor crowd out the
 * addresses that another source gave.
 */
import { compareText } from '../core/bytes.ts'
import { interleave } from './address.ts'
import type { DialPolicy } from './dial-policy.ts'
import type { HintSource } from './port.ts'

interface Said {
  readonly addresses: readonly string[]
  readonly at: number
}

export interface Target {
  readonly key: string
  /** Undefined: an address whose PeerId nobody told us; then `key` is the address. */
  readonly peerId: string | undefined
  readonly said: Map<HintSource, Said>
  /** Addresses at which this very peer answered, and when; the last few. */
  readonly proven: Map<string, number>
  wanted: boolean
  connectedAt: number | undefined
  inFlight: boolean
  attempts: number
  refusals: number
  /** Back-offs cut short by new evidence since the last stable connection. */
  evidence: number
  lastError: string | undefined
  lastDialAt: number
  lastDialled: readonly string[]
  nextAt: number
  /** Why `nextAt` is far away: this address is our own. */
  self: boolean
}

const PROVEN_MAX = 4
const ADDRESS_LENGTH_MAX = 256

export function createTarget(key: string, peerId: string | undefined, now: number): Target {
  return {
    key,
    peerId,
    said: new Map(),
    proven: new Map(),
    wanted: false,
    connectedAt: undefined,
    inFlight: false,
    attempts: 0,
    refusals: 0,
    evidence: 0,
    lastError: undefined,
    lastDialAt: -Infinity,
    lastDialled: [],
    nextAt: now,
    self: false
  }
}

/** The address without its /p2p part, or undefined when it cannot be one. */
export function cleanAddress(text: string): string | undefined {
  if (typeof text !== 'string' || text.length > ADDRESS_LENGTH_MAX || !text.startsWith('/')) return undefined
  const address = text.replace(/\/p2p\/[^/]*$/, '')
  return address === '' || address.includes('/p2p/') ? undefined : address
}

export function cleanAddresses(texts: readonly string[], max: number): string[] {
  const clean = new Set<string>()
  for (const text of texts) {
    if (clean.size === max) break
    const address = cleanAddress(text)
    if (address !== undefined) clean.add(address)
  }
  return [...clean]
}

export function prove(target: Target, address: string, now: number): void {
  target.proven.delete(address)
  target.proven.set(address, now)
  for (const oldest of target.proven.keys()) {
    if (target.proven.size <= PROVEN_MAX) break
    target.proven.delete(oldest)
  }
}

/** Whether this source's word about the target is still fresh. */
export function hasWord(target: Target, source: HintSource, policy: DialPolicy, now: number): boolean {
  const said = target.said.get(source)
  return said !== undefined && isFresh(source, said, policy, now)
}

/** When anybody last spoke of this target; -Infinity when all of that has aged out. */
export function heardAt(target: Target, policy: DialPolicy, now: number): number {
  let latest = -Infinity
  for (const [source, said] of target.said) if (isFresh(source, said, policy, now)) latest = Math.max(latest, said.at)
  return latest
}

/** Whether there is any address to dial: the cheap form of `dialAddresses(…).length > 0`. */
export const hasAddress = (target: Target, policy: DialPolicy, now: number): boolean =>
  (target.wanted && target.said.size + target.proven.size > 0) || heardAt(target, policy, now) > -Infinity

const isFresh = (source: HintSource, said: Said, policy: DialPolicy, now: number): boolean =>
  now - said.at < policy.ttlMs[source]

/**
 * The addresses to dial, best first: one from each group in turn, groups ordered by freshness. What aged out is left out,
 * unless the peer is wanted and nothing else is left: a stale address is a better guess than none.
 */
export function dialAddresses(target: Target, policy: DialPolicy, now: number): string[] {
  const fresh = groups(target, (source, said) => isFresh(source, said, policy, now))
  const chosen = fresh.length === 0 && target.wanted ? groups(target, () => true) : fresh
  return interleave(
    chosen.map((said) => said.addresses),
    policy.addressesPerDialMax
  )
}

function groups(target: Target, keep: (source: HintSource, said: Said) => boolean): Said[] {
  const kept: Said[] = []
  for (const [source, said] of target.said) if (said.addresses.length > 0 && keep(source, said)) kept.push(said)
  // What answered once is only a memory: it does not keep a mere hint alive on its own.
  if (kept.length > 0 || target.wanted)
    for (const [address, at] of target.proven) kept.push({ addresses: [address], at })
  return kept.toSorted((a, b) => b.at - a.at || compareText(a.addresses[0]!, b.addresses[0]!))
}
