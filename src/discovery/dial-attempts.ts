/**
 * What has become of the planner's targets, for people: whom it knows from where, what it tries, what it waits for. Nothing is decided
 * by it.
 */
import { compareText } from '../core/bytes.ts'
import type { DialPolicy } from './dial-policy.ts'
import { dialAddresses, type Target } from './dial-targets.ts'
import type { DialAttempts } from './port.ts'

/** Who is wanted comes first; then by key. */
export const attemptsOf = (targets: Iterable<Target>, policy: DialPolicy, now: number): readonly DialAttempts[] =>
  [...targets]
    .toSorted((a, b) => Number(b.wanted) - Number(a.wanted) || compareText(a.key, b.key))
    .map((target) => attemptsAt(target, policy, now))

function attemptsAt(target: Target, policy: DialPolicy, now: number): DialAttempts {
  const addresses = dialAddresses(target, policy, now)
  const state = stateOf(target, addresses.length)
  return {
    key: target.key,
    peerId: target.peerId,
    addresses,
    sources: [...target.said.keys()].toSorted(compareText),
    wanted: target.wanted,
    state,
    attempts: target.connectedAt === undefined ? target.attempts + target.refusals : 0,
    lastError: target.lastError,
    nextAt: state === 'waiting' || state === 'refused' ? target.nextAt : undefined
  }
}

function stateOf(target: Target, addressCount: number): DialAttempts['state'] {
  if (target.connectedAt !== undefined) return 'connected'
  if (target.inFlight) return 'dialing'
  if (target.self) return 'self'
  if (addressCount === 0) return 'no-address'
  return target.refusals > 0 ? 'refused' : 'waiting'
}
