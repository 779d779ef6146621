/** Quantiles by nearest rank: each number that is reported was measured. */
import type { Random } from '../../src/core/random.ts'

export interface Summary {
  readonly n: number
  readonly min: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export function summary(values: readonly number[]): Summary {
  if (values.length === 0) throw new Error('nothing was measured')
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
  return { n: sorted.length, min: at(0), p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

/** From the least to the largest in 100 steps. */
export function percentiles(values: readonly number[]): readonly number[] {
  const sorted = values.toSorted((a, b) => a - b)
  return Array.from({ length: 101 }, (_, i) => sorted[Math.max(0, Math.ceil((i / 100) * sorted.length) - 1)]!)
}

export interface Ratio {
  readonly ratio: number
  /** Nine in ten of the ratios that other rounds of the same kind would have given. */
  readonly low: number
  readonly high: number
}

const RESAMPLES = 1_000

const median = (values: readonly number[]): number => summary(values).p50

/** How many times the median of `a` is that of `b`, with a bootstrap interval: both are drawn anew, with repetition. */
export function ratioOfMedians(a: readonly number[], b: readonly number[], random: Random): Ratio {
  const redrawn = (values: readonly number[]): number[] => values.map(() => values[random.int(0, values.length - 1)]!)
  const ratios = Array.from({ length: RESAMPLES }, () => median(redrawn(a)) / median(redrawn(b))).toSorted(
    (x, y) => x - y
  )
  const at = (share: number): number => ratios[Math.ceil(share * RESAMPLES) - 1]!
  return { ratio: median(a) / median(b), low: at(0.05), high: at(0.95) }
}

/** Three digits that mean something, never an exponent. */
export function figure(value: number): string {
  const size = Math.abs(value)
  if (size >= 1000) return Math.round(value).toLocaleString('en')
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}

/** The columns of every table of latencies. */
export const QUANTILES = ['n', 'min', 'p50', 'p90', 'p99', 'max'] as const

export const quantileCells = (values: readonly number[]): string[] => {
  const s = summary(values)
  return QUANTILES.map((name) => (name === 'n' ? String(s.n) : figure(s[name])))
}
