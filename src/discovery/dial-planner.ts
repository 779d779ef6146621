/**
 * The dial planner: merges hints of every source and says whom to dial, and when. Pure: it is told the time and what
 * happened, and answers with dials and a deadline.
 *
 * Rules, in the order in which they matter:
 * - One dial at a time per peer, none while connected. An address whose PeerId is unknown (a seed) is a target of its own
 *   until somebody answers there; while that peer is connected, the seed rests.
 * - The first dial leaves at once and the first retry after 50 ms, because formation waits for it; then the delay doubles,
 *   with jitter, to a ceiling. A refusal is an answer and waits far longer. News (an address not tried yet) cuts
 *   a back-off short, but less and less often, so that forged news buys nothing.
 * - `wanted` peers (voters, members) are dialled for ever and before everybody else, in slots that hints cannot take.
 *   Everything else passes a token bucket: a thousand hints make a queue, not a storm.
 * - Who knows whom it wants and has company enough dials no mere hints at all (`meshMax`).
 * - Fresh before stale; but what was due for long goes first, so that nobody starves.
 * - Addresses age out by source; a wanted peer keeps its last known ones.
 * - Two nodes that find each other by mDNS would dial in the same instant: the higher PeerId waits a moment. Only fewer
 *   double dials, never a promise: the transport must survive them.
 * - Of two whom a member introduces to each other the newcomer dials, and whoever has been in company for a moment waits for it: a
 *   founding happens in just that moment.
 * - While somebody whom we do not know yet is at our door, it may be whom we would dial: what has failed before and what a member told
 *   us of waits a moment, unless it is wanted. Machines that start together try each other again just then.
 *
 * Left out on purpose: timeouts of a dial (the driver's, it answers every dial), choice among connections (the
 * transport's), proof of identity (admission's). A forged hint can waste a bounded number of dials, and nothing else.
 */
import type { Random } from '../core/random.ts'
import { attemptsOf } from './dial-attempts.ts'
import { backoffMs, defaultDialPolicy } from './dial-policy.ts'
import type { DialPolicy } from './dial-policy.ts'
import { createDialQueue } from './dial-queue.ts'
import type { DialQueue } from './dial-queue.ts'
import { cleanAddress, cleanAddresses, createTarget, hasWord, heardAt, prove } from './dial-targets.ts'
import type { Target } from './dial-targets.ts'
import type {
  DialAttempts,
  DialPlan,
  DialPlanner,
  DialPlannerInput,
  DiscoveryAlarm,
  HintSource,
  PeerHint
} from './port.ts'

export interface DialPlannerInit {
  /** Our own PeerId: hints about it are ignored, and it breaks ties. */
  readonly self: string
  readonly random: Random
  readonly policy?: Partial<DialPolicy>
}

export function createDialPlanner(init: DialPlannerInit): DialPlanner {
  return new Planner(init)
}

/** How often expired targets are looked for; only memory depends on it. */
const PRUNE_EVERY_MS = 1_000

class Planner implements DialPlanner {
  readonly #self: string
  readonly #random: Random
  readonly #policy: DialPolicy
  readonly #queue: DialQueue
  readonly #targets = new Map<string, Target>()
  #alarms: DiscoveryAlarm[] = []
  #ownAddresses: ReadonlySet<string> = new Set()
  #prunedAt = -Infinity
  /** When somebody was met last. Until somebody was, nobody introduces anybody. */
  #metAt = Infinity
  /** By the last plan: mere hints are not dialled. */
  #isCrowded = false
  /** Of the last plan. */
  #deadline: number | undefined
  /** Somebody has said whom this node needs. */
  #knowsWanted = false
  #isKnocking = false

  constructor(init: DialPlannerInit) {
    this.#self = init.self
    this.#random = init.random
    this.#policy = { ...defaultDialPolicy, ...init.policy }
    this.#queue = createDialQueue(this.#policy)
  }

  step(input: DialPlannerInput, now: number): DialPlan {
    this.#alarms = []
    this.#apply(input, now)
    if (now - this.#prunedAt >= PRUNE_EVERY_MS) this.#prune(now)
    if (this.#changesNothing(input, now)) return { dials: [], deadline: this.#deadline, alarms: this.#alarms }
    const known = { ownAddresses: this.#ownAddresses, knowsWanted: this.#knowsWanted, isKnocking: this.#isKnocking }
    const { dials, deadline, isCrowded } = this.#queue.plan(this.#targets, known, now)
    this.#isCrowded = isCrowded
    this.#deadline = deadline
    return { dials, deadline, alarms: this.#alarms }
  }

  /**
   * Word of somebody who is connected or about to be, which is what every introduction among members says; and a mere hint to
   * somebody who has company enough: among a thousand machines nearly all inputs are of this kind.
   */
  #changesNothing(input: DialPlannerInput, now: number): boolean {
    if (input.type !== 'hint' || now >= (this.#deadline ?? Infinity)) return false
    const { source, peerId } = input.hint
    if (source === 'seed' || peerId === undefined) return false
    const target = this.#targets.get(peerId)
    if (target !== undefined && (target.connectedAt !== undefined || target.inFlight)) return true
    return this.#isCrowded && (target === undefined || (!target.wanted && !target.said.has('seed')))
  }

  explain(now: number): readonly DialAttempts[] {
    return attemptsOf(this.#targets.values(), this.#policy, now)
  }

  #apply(input: DialPlannerInput, now: number): void {
    switch (input.type) {
      case 'hint':
        return input.hint.peerId === undefined ? this.#addressHint(input.hint, now) : this.#peerHint(input.hint, now)
      case 'connected':
        return this.#connected(input.peerId, input.address, now)
      case 'disconnected':
        return this.#disconnected(input.peerId, now)
      case 'dial-succeeded':
        return this.#succeeded(input.key, input.peerId, now)
      case 'dial-failed':
        return this.#failed(input, now)
      case 'wanted':
        return this.#setWanted(input.peerIds, now)
      case 'self':
        return this.#setOwnAddresses(input.addresses, now)
      case 'forgive':
        return this.#forgive(now)
      case 'door':
        this.#isKnocking = input.knocking
        return
      case 'tick':
        return
    }
  }

  // Hints

  #peerHint(hint: PeerHint, now: number): void {
    const peerId = hint.peerId!
    if (peerId === this.#self) return
    if (hint.gone === true) {
      this.#targets.get(peerId)?.said.delete(hint.source)
      return
    }
    const addresses = cleanAddresses(hint.addresses, this.#policy.addressesPerSourceMax)
    if (addresses.length === 0) return
    const isNew = !this.#targets.has(peerId)
    const target = this.#obtain(peerId, peerId, hint.source, now)
    if (target === undefined) return
    const untried = addresses.some((address) => !target.lastDialled.includes(address))
    const spokeBefore = hasWord(target, hint.source, this.#policy, now)
    target.said.set(hint.source, { addresses, at: now })
    if (isNew && this.#isTheirTurn(hint.source, peerId, now)) this.#leaveToThem(target, hint.source, addresses, now)
    else if (hint.source !== 'mdns' && target.lastDialAt === -Infinity) target.nextAt = Math.min(target.nextAt, now)
    else if (untried || !spokeBefore) this.#news(target, now)
  }

  /** Somebody whom we hear of for the first time, and who is about to dial us. */
  #isTheirTurn(source: HintSource, peerId: string, now: number): boolean {
    if (source === 'mdns') return this.#self > peerId
    return source === 'exchange' && now - this.#metAt >= this.#policy.tieBreakMs
  }

  /** Its addresses may stand in our list of seeds as well; but on the word of mDNS, which anybody writes, no seed ever waits. */
  #leaveToThem(target: Target, source: HintSource, addresses: readonly string[], now: number): void {
    const seeds = source === 'exchange' ? addresses.flatMap((at) => this.#targets.get(at) ?? []) : []
    for (const each of [target, ...seeds]) {
      each.nextAt = Math.max(each.nextAt, now + this.#policy.tieBreakMs)
    }
  }

  /** Each address stands for itself: a DNS name may stand for many peers. */
  #addressHint(hint: PeerHint, now: number): void {
    for (const address of cleanAddresses(hint.addresses, this.#policy.targetsMax)) {
      if (hint.gone === true) {
        this.#targets.get(address)?.said.delete(hint.source)
        continue
      }
      const target = this.#obtain(address, undefined, hint.source, now)
      if (target === undefined) return
      target.said.set(hint.source, { addresses: [address], at: now })
      if (this.#ownAddresses.has(address)) this.#markSelf(target, now)
    }
  }

  /** Something that we have not tried: worth a dial before the back-off ends, but ever more rarely. */
  #news(target: Target, now: number): void {
    if (target.refusals > 0 || target.attempts === 0) return
    const { evidenceMinMs, evidenceMaxMs } = this.#policy
    const earliest = target.lastDialAt + Math.min(evidenceMaxMs, evidenceMinMs * 2 ** Math.min(20, target.evidence))
    if (Math.max(now, earliest) >= target.nextAt) return
    target.nextAt = Math.max(now, earliest)
    target.evidence += 1
  }

  /** The target of this key, made when there is room or something worth less can make room. */
  #obtain(key: string, peerId: string | undefined, source: HintSource, now: number): Target | undefined {
    const known = this.#targets.get(key)
    if (known !== undefined) return known
    if (this.#targets.size >= this.#policy.targetsMax && !this.#makeRoom(source, now)) return undefined
    const target = createTarget(key, peerId, now)
    this.#targets.set(key, target)
    return target
  }

  /**
   * What has failed most often goes first, then what was heard least recently. A hint that has not had its dial yet goes
   * only for a better source: otherwise whoever sends fresh hints fast enough would push out everybody else's.
   */
  #makeRoom(source: HintSource, now: number): boolean {
    let worst: Target | undefined
    for (const target of this.#targets.values()) {
      if (isProtected(target)) continue
      if (failuresOf(target) === 0 && TRUST[bestSource(target)] >= TRUST[source]) continue
      if (worst === undefined || this.#isWorse(target, worst, now)) worst = target
    }
    return worst !== undefined && this.#targets.delete(worst.key)
  }

  #isWorse(a: Target, b: Target, now: number): boolean {
    const more = failuresOf(a) - failuresOf(b)
    return more !== 0 ? more > 0 : heardAt(a, this.#policy, now) < heardAt(b, this.#policy, now)
  }

  #prune(now: number): void {
    this.#prunedAt = now
    for (const target of this.#targets.values()) {
      if (target.wanted || target.inFlight || target.connectedAt !== undefined) continue
      if (heardAt(target, this.#policy, now) > -Infinity || this.#holdsSeedBack(target, now)) continue
      this.#targets.delete(target.key)
    }
  }

  /** Its sessions ended too soon, and the seed at which it answered knows of them by its back-off alone. */
  #holdsSeedBack(target: Target, now: number): boolean {
    const { attempts, nextAt } = target
    return attempts > 0 && now < nextAt + this.#policy.retryMaxMs && this.#seedsOf(target).length > 0
  }

  // Outcomes

  #connected(peerId: string, address: string | undefined, now: number): void {
    if (peerId === this.#self) return
    // Facts about sessions are never dropped for lack of room: the transport bounds them.
    const target = this.#targets.get(peerId) ?? createTarget(peerId, peerId, now)
    this.#targets.set(peerId, target)
    target.connectedAt = now
    this.#metAt = now
    target.refusals = 0
    target.lastError = undefined
    const clean = address === undefined ? undefined : cleanAddress(address)
    if (clean !== undefined) prove(target, clean, now)
  }

  #disconnected(peerId: string, now: number): void {
    const target = this.#targets.get(peerId)
    if (target?.connectedAt === undefined) return
    const stable = now - target.connectedAt >= this.#policy.stableMs
    target.connectedAt = undefined
    target.attempts = stable ? 0 : target.attempts + 1
    if (stable) target.evidence = 0
    const { redialAfterMs, redialJitterMs } = this.#policy
    const soon = redialAfterMs + this.#random.next() * redialJitterMs
    target.nextAt = now + (stable ? soon : this.#retryDelay(target, target.attempts))
    // The seeds that stood for it wake up together with it: a thousand nodes may have lost the same peer.
    for (const seed of this.#seedsOf(target)) seed.nextAt = Math.max(seed.nextAt, target.nextAt)
  }

  /** At which it has answered. */
  #seedsOf({ proven }: Target): readonly Target[] {
    return [...proven.keys()].flatMap((address) => this.#targets.get(address) ?? [])
  }

  #succeeded(key: string, peerId: string, now: number): void {
    const target = this.#targets.get(key)
    if (target === undefined) return
    target.inFlight = false
    if (peerId === this.#self && target.peerId === undefined) return this.#markSelf(target, now)
    target.self = false
    target.lastError = undefined
    target.refusals = 0
    // Whether the session still stands is told by `connected` and `disconnected` alone; until then, not again at once.
    if (target.connectedAt === undefined) target.attempts += 1
    target.nextAt = now + this.#retryDelay(target, target.attempts)
    if (target.peerId === undefined) this.#bind(target, peerId, now)
  }

  /** The peer that answered at a seed: its session is what the seed stands for as long as it lasts. */
  #bind(seed: Target, peerId: string, now: number): void {
    const peer = this.#obtain(peerId, peerId, 'seed', now)
    if (peer === undefined) return
    prove(peer, seed.key, now)
    if (peer.connectedAt !== undefined) seed.attempts = 0
    else peer.nextAt = Math.max(peer.nextAt, seed.nextAt)
  }

  #failed(input: Extract<DialPlannerInput, { type: 'dial-failed' }>, now: number): void {
    const target = this.#targets.get(input.key)
    if (target === undefined) return
    target.inFlight = false
    // A known peer's old address may be ours by now: then it is just one that does not lead to that peer.
    if (input.peerId === this.#self && target.peerId === undefined) return this.#markSelf(target, now)
    target.self = false
    target.lastError = input.code
    if (target.connectedAt !== undefined) return
    if (input.refused === true) {
      target.refusals += 1
      target.nextAt = now + this.#refusedDelay(target)
    } else {
      target.refusals = 0
      target.attempts += 1
      target.nextAt = now + this.#retryDelay(target, target.attempts)
    }
  }

  #retryDelay(target: Target, attempt: number): number {
    const { retryMinMs, retryMaxMs, hintRetryMaxMs } = this.#policy
    const mereHint = !target.wanted && !target.said.has('seed') && this.#seedsOf(target).length === 0
    return backoffMs(attempt, retryMinMs, mereHint ? hintRetryMaxMs : retryMaxMs, this.#random)
  }

  #refusedDelay(target: Target): number {
    const { refusedMinMs, refusedMaxMs, wantedRefusedMaxMs } = this.#policy
    return backoffMs(target.refusals, refusedMinMs, target.wanted ? wantedRefusedMaxMs : refusedMaxMs, this.#random)
  }

  // What we are told about the world

  #setWanted(peerIds: readonly string[], now: number): void {
    this.#knowsWanted = true
    const wanted = new Set(peerIds)
    wanted.delete(this.#self)
    for (const target of this.#targets.values()) {
      const was = target.wanted
      target.wanted = target.peerId !== undefined && wanted.delete(target.peerId)
      if (!target.wanted || was) continue
      if (target.lastDialAt === -Infinity) target.nextAt = Math.min(target.nextAt, now)
      // A long wait that a mere hint had earned does not fit a member.
      else this.#news(target, now)
    }
    for (const peerId of wanted) {
      const target = createTarget(peerId, peerId, now)
      target.wanted = true
      this.#targets.set(peerId, target)
    }
  }

  #setOwnAddresses(addresses: readonly string[], now: number): void {
    const before = this.#ownAddresses
    this.#ownAddresses = new Set(cleanAddresses(addresses, this.#policy.targetsMax))
    // Whoever moves finds others where it was itself before.
    for (const address of before) {
      const target = this.#ownAddresses.has(address) ? undefined : this.#targets.get(address)
      if (target?.self !== true) continue
      target.self = false
      target.lastError = undefined
      target.nextAt = now
    }
    for (const address of this.#ownAddresses) {
      const target = this.#targets.get(address)
      if (target !== undefined) this.#markSelf(target, now)
    }
  }

  #markSelf(target: Target, now: number): void {
    target.nextAt = now + this.#policy.selfRecheckMs
    target.attempts = 0
    if (target.self) return
    target.self = true
    target.lastError = 'this address is our own'
    this.#alarms.push({ code: 'seed-self', detail: `${target.key} is this node itself; remove it from the seeds` })
  }

  #forgive(now: number): void {
    for (const target of this.#targets.values()) {
      if (target.refusals === 0) continue
      target.refusals = 0
      target.attempts = 0
      target.nextAt = now + this.#random.next() * this.#policy.redialJitterMs
    }
  }
}

/** Anybody on the link writes mDNS; the cache was true once; members are authenticated; seeds come from the operator. */
const TRUST: Readonly<Record<HintSource, number>> = { mdns: 0, cache: 1, exchange: 2, seed: 3 }

const bestSource = (target: Target): HintSource =>
  [...target.said.keys()].toSorted((a, b) => TRUST[b] - TRUST[a])[0] ?? 'mdns'

const failuresOf = (target: Target): number => target.attempts + target.refusals

const isProtected = (target: Target): boolean =>
  target.wanted || target.inFlight || target.connectedAt !== undefined || target.said.has('seed')
