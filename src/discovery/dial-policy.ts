/**
 * The numbers of the dial planner, each with its reason, and the two back-off curves made from them.
 */
import type { Random } from '../core/random.ts'
import type { HintSource } from './port.ts'

export interface DialPolicy {
  /** First retry after a failure. A peer that is just starting answers within tens of milliseconds. */
  readonly retryMinMs: number
  /** Ceiling for wanted peers and seeds: how long a peer that came back silently may wait for us. */
  readonly retryMaxMs: number
  /** Ceiling for mere hints, which anybody can forge. */
  readonly hintRetryMaxMs: number
  /** A refusal is an answer: it changes only when somebody's credentials do. */
  readonly refusedMinMs: number
  readonly refusedMaxMs: number
  /** Ceiling for refusals by wanted peers: a member may have restarted into an older state and will catch up. */
  readonly wantedRefusedMaxMs: number
  /** A connection that ends sooner than this counts as a failed attempt. */
  readonly stableMs: number
  /** The first redial after a connection was lost waits so long: if it was the leader's, an election has the processor first. */
  readonly redialAfterMs: number
  /** Spread of that redial, so that two sides rarely dial in the same instant. */
  readonly redialJitterMs: number
  /**
   * How long to wait for a peer that is dialling us already: the higher PeerId of two that know each other by mDNS alone, and the one
   * that was there first of two whom a member introduced to each other; and for whoever is at our door, who may be the one.
   */
  readonly tieBreakMs: number
  /** New evidence (a new address, a restart) cuts a back-off short, but at most this often; doubles up to `evidenceMaxMs`. */
  readonly evidenceMinMs: number
  readonly evidenceMaxMs: number
  /** An address that answered with our own key is tried again after this: addresses move. */
  readonly selfRecheckMs: number
  /** A hint that was due for this long goes before fresher ones, so that a flood of fresh hints starves nobody. */
  readonly overdueMs: number
  /** Dials at the same time; mere hints and seeds may use `concurrentMax - concurrentReserved` of them. */
  readonly concurrentMax: number
  readonly concurrentReserved: number
  /** Token bucket for everything that is not wanted. Wanted peers are few, and each has its own back-off. */
  readonly burst: number
  readonly perSecond: number
  /**
   * Who knows whom it wants dials mere hints only while it has fewer connections than this. Members need those who vote, and a
   * few more so that nobody is alone when those move; a web of everybody with everybody grows with the square.
   */
  readonly meshMax: number
  readonly targetsMax: number
  readonly addressesPerSourceMax: number
  /** libp2p refuses a dial of more than 25 addresses and tries them one after the other. */
  readonly addressesPerDialMax: number
  /** How long a word of this source counts. mDNS says itself when an announcement ends; this is the net below it. */
  readonly ttlMs: Readonly<Record<HintSource, number>>
}

export const defaultDialPolicy: DialPolicy = {
  retryMinMs: 50,
  retryMaxMs: 10_000,
  hintRetryMaxMs: 60_000,
  refusedMinMs: 15_000,
  refusedMaxMs: 600_000,
  wantedRefusedMaxMs: 60_000,
  stableMs: 5_000,
  redialAfterMs: 40,
  redialJitterMs: 30,
  tieBreakMs: 150,
  evidenceMinMs: 250,
  evidenceMaxMs: 30_000,
  selfRecheckMs: 600_000,
  overdueMs: 2_000,
  concurrentMax: 16,
  concurrentReserved: 4,
  burst: 64,
  perSecond: 32,
  meshMax: 8,
  targetsMax: 1_024,
  addressesPerSourceMax: 8,
  addressesPerDialMax: 8,
  ttlMs: { mdns: 150_000, seed: Infinity, cache: 3_600_000, exchange: 900_000 }
}

/**
 * `min * 2^(attempt - 1)` up to `max`, of which the upper half is drawn by lot ("equal jitter"): a thousand nodes that lost
 * the same peer in the same instant come back spread over half the delay, and nobody comes back at once.
 */
export function backoffMs(attempt: number, minMs: number, maxMs: number, random: Random): number {
  const full = Math.min(maxMs, minMs * 2 ** Math.min(30, Math.max(0, attempt - 1)))
  return full * (0.5 + 0.5 * random.next())
}
