/** Reports about one peer: a few at once, then one in a while that counts the others. */
import { describe, expect, it } from 'vitest'
import { REPORT_EVERY_MS, Repeats, REPORTS_AT_ONCE } from '../../src/replica/repeats.ts'

const flood = (repeats: Repeats, key: string, count: number, now: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => repeats.pass(key, `lie ${i}`, now)).filter((text) => text !== undefined)

describe('repeats', () => {
  it('are reported a few times, then once in each span with their number, however many come', () => {
    const repeats = new Repeats()
    expect(flood(repeats, 'a', 1_000, 0)).toEqual(['lie 0', 'lie 1', 'lie 2'])
    expect(flood(repeats, 'a', 1_000, REPORT_EVERY_MS - 1)).toEqual([])
    const omitted = 2_000 - REPORTS_AT_ONCE
    expect(flood(repeats, 'a', 1_000, REPORT_EVERY_MS)).toEqual([
      `lie 0 (and ${omitted} more like it that were not reported)`
    ])
    expect(flood(repeats, 'a', 5, 2 * REPORT_EVERY_MS)).toEqual(['lie 0 (and 999 more like it that were not reported)'])
  })

  it('of one peer cost no other its voice, and a quiet span gives it back', () => {
    const repeats = new Repeats()
    flood(repeats, 'a', 50, 0)
    expect(flood(repeats, 'b', 2, 1)).toHaveLength(2)
    expect(flood(repeats, 'a', 1, REPORT_EVERY_MS)).toHaveLength(1)
    expect(flood(repeats, 'a', 9, 3 * REPORT_EVERY_MS)).toHaveLength(REPORTS_AT_ONCE)
  })
})
