/**
 * The second half of the dial planner: who of the targets that may be dialled is dialled now, within the caps, and when to
 * look again.
 *
 * Seeds without a PeerId need care, because the peer behind them usually becomes known by another way as well:
 * - a seed rests while a peer that proved to sit at its address is connected, or is itself about to be dialled there; unless a
 *   wanted peer cannot be found, and the other one came again since it was met there: addresses change hands;
 * - a peer waits for the dial of a seed that sits at one of its addresses (it most likely is this peer);
 * - a seed waits for a peer's dial at its address only for a moment, because anybody can claim an address;
 * - who is at our door may be anybody, also whoever is to be dialled: that waits, for a moment as well.
 */
import { compareText } from '../core/bytes.ts'
import type { DialPolicy } from './dial-policy.ts'
import { dialAddresses, hasAddress, heardAt } from './dial-targets.ts'
import type { Target } from './dial-targets.ts'
import type { DialPlan, DialTarget } from './port.ts'
import { createTokenBucket } from './token-bucket.ts'

export interface DialQueue {
  /** Marks the chosen targets as in flight. */
  plan(targets: ReadonlyMap<string, Target>, known: Known, now: number): QueuePlan
}

export interface QueuePlan extends Pick<DialPlan, 'dials' | 'deadline'> {
  /** There is company enough: until something ends, mere hints are not dialled. */
  readonly isCrowded: boolean
}

/** What the planner was told beside its targets. */
interface Known {
  readonly ownAddresses: ReadonlySet<string>
  /** This node knows whom it needs; nobody else matters much. */
  readonly knowsWanted: boolean
  /** Somebody is about to connect to us. */
  readonly isKnocking: boolean
}

/** How long a seed waits for a peer that is being dialled at the same address. */
const CLAIMED_MS = 1_000
/** After so many failures a peer no longer stands for the seed at which it once answered. */
const STANDS_FOR_SEED_ATTEMPTS = 3

/** A connection that began so much later than the proof of an address may be to another one. */
const MOVED_MS = 1_000

/** What is going on now, gathered in one pass. */
interface Scene {
  inFlight: number
  /** Sessions that stand. */
  connected: number
  /** Addresses of seeds in flight. */
  readonly seedsInFlight: Set<string>
  /** Addresses that peers in flight try, whoever told us. */
  readonly claimed: Set<string>
  /** Addresses at which a peer answered that stands for whatever seed is there. */
  readonly proven: Set<string>
  readonly isKnocking: boolean
}

interface Candidate {
  readonly target: Target
  readonly dueAt: number
}

/** Seeds are the operator's wish; anything else is a mere hint to somebody who has company enough. */
const isSuperfluous = ({ wanted, said }: Target): boolean => !wanted && !said.has('seed')

/** Whoever starts with us or joins us has our address too, unless this is our very first word to it. */
const mayBeKnocking = ({ wanted, attempts, said }: Target): boolean => !wanted && (attempts > 0 || said.has('exchange'))

/** Wanted, and not where we look for it. */
function someIsLost(targets: ReadonlyMap<string, Target>): boolean {
  for (const { wanted, connectedAt, attempts } of targets.values()) {
    if (wanted && connectedAt === undefined && attempts >= STANDS_FOR_SEED_ATTEMPTS) return true
  }
  return false
}

export function createDialQueue(policy: DialPolicy): DialQueue {
  const bucket = createTokenBucket(policy.burst, policy.perSecond)
  const hintSlots = policy.concurrentMax - policy.concurrentReserved
  const slotsOf = (target: Target): number => (target.wanted ? policy.concurrentMax : hintSlots)

  const gather = (targets: ReadonlyMap<string, Target>, isKnocking: boolean, now: number): Scene => {
    const scene: Scene = {
      inFlight: 0,
      connected: 0,
      seedsInFlight: new Set(),
      claimed: new Set(),
      proven: new Set(),
      isKnocking
    }
    const isMissing = someIsLost(targets)
    for (const target of targets.values()) {
      if (target.connectedAt !== undefined) scene.connected += 1
      if (target.inFlight) {
        scene.inFlight += 1
        if (target.peerId === undefined) scene.seedsInFlight.add(target.key)
        else for (const address of target.lastDialled) scene.claimed.add(address)
      }
      if (target.proven.size > 0 && standsForSeeds(target, now)) {
        const since = isMissing && target.connectedAt !== undefined ? target.connectedAt - MOVED_MS : -Infinity
        for (const [address, at] of target.proven) if (at >= since) scene.proven.add(address)
      }
    }
    return scene
  }

  const standsForSeeds = (target: Target, now: number): boolean =>
    target.connectedAt !== undefined ||
    target.inFlight ||
    (target.attempts < STANDS_FOR_SEED_ATTEMPTS && target.refusals === 0 && hasAddress(target, policy, now))

  /** Undefined: not before something else happens. */
  const dueAt = (target: Target, scene: Scene, own: ReadonlySet<string>, now: number): number | undefined => {
    if (target.inFlight || target.connectedAt !== undefined || !hasAddress(target, policy, now)) return undefined
    if (target.peerId === undefined) {
      if (scene.proven.has(target.key) || own.has(target.key)) return undefined
      return scene.claimed.has(target.key) ? target.nextAt + CLAIMED_MS : notBefore(target, scene)
    }
    if (scene.seedsInFlight.size > 0) {
      const addresses = dialAddresses(target, policy, now)
      if (addresses.some((address) => scene.seedsInFlight.has(address))) return undefined
    }
    return notBefore(target, scene)
  }

  const notBefore = (target: Target, { isKnocking }: Scene): number =>
    isKnocking && mayBeKnocking(target) ? target.nextAt + policy.tieBreakMs : target.nextAt

  const order = (a: Candidate, b: Candidate, now: number): number => {
    const overdue = (candidate: Candidate): number => Number(now - candidate.dueAt > policy.overdueMs)
    return (
      Number(b.target.wanted) - Number(a.target.wanted) ||
      overdue(b) - overdue(a) ||
      (overdue(a) === 1 ? a.dueAt - b.dueAt : 0) ||
      heardAt(b.target, policy, now) - heardAt(a.target, policy, now) ||
      compareText(a.target.key, b.target.key)
    )
  }

  const dial = (target: Target, now: number): DialTarget => {
    target.inFlight = true
    target.lastDialAt = now
    target.lastDialled = dialAddresses(target, policy, now)
    return { key: target.key, peerId: target.peerId, addresses: target.lastDialled }
  }

  return {
    plan(targets, { ownAddresses, knowsWanted, isKnocking }, now) {
      const scene = gather(targets, isKnocking, now)
      const isCrowded = (): boolean => knowsWanted && scene.connected + scene.inFlight >= policy.meshMax
      let crowded = isCrowded()
      const dials: DialTarget[] = []
      let deadline = Infinity
      const due: Candidate[] = []
      for (const target of targets.values()) {
        // While all slots are taken no time passes that helps: the next outcome wakes us.
        if (scene.inFlight >= slotsOf(target) || (crowded && isSuperfluous(target))) continue
        const at = dueAt(target, scene, ownAddresses, now)
        if (at === undefined) continue
        if (at <= now) due.push({ target, dueAt: at })
        else deadline = Math.min(deadline, target.wanted ? at : Math.max(at, bucket.readyAt(now)))
      }
      for (const { target } of due.toSorted((a, b) => order(a, b, now))) {
        if (scene.inFlight >= slotsOf(target) || (crowded && isSuperfluous(target))) continue
        // An earlier dial of this round may stand in the way by now.
        const again = dueAt(target, scene, ownAddresses, now)
        if (again === undefined) continue
        if (again > now) {
          deadline = Math.min(deadline, again)
          continue
        }
        if (!target.wanted && !bucket.take(now)) {
          deadline = Math.min(deadline, bucket.readyAt(now))
          continue
        }
        dials.push(dial(target, now))
        scene.inFlight += 1
        crowded = isCrowded()
        if (target.peerId === undefined) scene.seedsInFlight.add(target.key)
        else for (const address of target.lastDialled) scene.claimed.add(address)
      }
      return { dials, deadline: deadline === Infinity ? undefined : deadline, isCrowded: crowded }
    }
  }
}
