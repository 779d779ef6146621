/**
 * How far away a peer is, measured on the answers to heartbeats: smoothed mean and deviation (Jacobson and Karels; the gains of
 * RFC 6298), and what follows from them in coarse steps.
 *
 * What members act on must not flutter: while two of them trade places, each believes for a moment that it comes first. So
 * distances are compared in powers of two of a unit, and a level is left only when the measure is a quarter beyond its border.
 */

/** Beyond the border of a level by this much, in either direction, before it is left. */
const SLACK = 1.25

/** 0 for up to one unit, n for up to 2^n units; `level` is what held before. */
export function coarse(level: number, ms: number, unitMs: number): number {
  let next = level
  while (ms > unitMs * 2 ** next * SLACK) next++
  while (next > 0 && ms * SLACK < unitMs * 2 ** (next - 1)) next--
  return next
}

export class RoundTrip {
  smoothedMs: number
  #deviationMs: number
  /** Of the smoothed round trip, in powers of two of the unit. */
  distance = 0
  /** The same for a round trip that takes as long as it may: mean and four deviations. */
  patience = 0

  /** Of a first measure. `unitMs`: what distances are counted in. */
  constructor(ms: number, unitMs: number) {
    this.smoothedMs = ms
    this.#deviationMs = ms / 2
    this.#classify(unitMs)
  }

  /** `ms` is finite. */
  observe(ms: number, unitMs: number): void {
    this.#deviationMs += (Math.abs(ms - this.smoothedMs) - this.#deviationMs) / 4
    this.smoothedMs += (ms - this.smoothedMs) / 8
    this.#classify(unitMs)
  }

  #classify(unitMs: number): void {
    this.distance = coarse(this.distance, this.smoothedMs, unitMs)
    this.patience = coarse(this.patience, this.smoothedMs + 4 * this.#deviationMs, unitMs)
  }
}
