/** The quantiles that bench/kit/published.ts keeps are those of the published curves. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { PUBLISHED, PUBLISHED_SHARES, PUBLISHED_WAN } from '../../bench/kit/published.ts'

const path = fileURLToPath(new URL('../../../shared/data/ongaro_election_cdf.csv', import.meta.url))
const absent = existsSync(path) ? '' : ' (skipped: ../shared/data is not here)'

function quantilesOf(series: string): readonly number[] {
  const points = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${series},`))
    .map((line) => line.split(',').slice(-2).map(Number) as [ms: number, share: number])
  return PUBLISHED_SHARES.map((share) => points.find(([, reached]) => reached >= share)![0])
}

describe.skipIf(absent !== '')(`published curves${absent}`, () => {
  const name = (range: string): string =>
    range.startsWith('150-') && range !== '150-300' ? `benchmarks-randomness,${range}` : `benchmarks-scale,${range}`
  const curves = [
    ...Object.entries(PUBLISHED).map(([range, kept]) => [name(range), kept] as const),
    ['availsim-wan-30-40ms-timeout-300-600,wan-0failed', PUBLISHED_WAN] as const
  ]

  it.each(curves)('%s', (series, kept) => {
    for (const [i, ms] of quantilesOf(series).entries()) expect(Math.abs(kept[i]! - ms)).toBeLessThanOrEqual(0.11)
  })
})
