import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Random } from '../../src/core/random.ts'
import { idBytes, secureBytes, seededRandom, systemRandom } from '../../src/core/random.ts'

const take = (random: Random, count: number): number[] => Array.from({ length: count }, () => random.next())

/** Pearson's statistic of counts that should be equal. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}

describe('a seeded stream', () => {
  it('is the same for the same seed', () => {
    expect(take(seededRandom(42), 50)).toEqual(take(seededRandom(42), 50))
    expect(take(seededRandom('42'), 50)).toEqual(take(seededRandom(42), 50))
  })

  it('is another one for another seed', () => {
    const firsts = Array.from({ length: 10_000 }, (_, seed) => seededRandom(seed).next())
    // 10,000 draws from 2^32: about 0.01 collisions.
    expect(new Set(firsts).size).toBeGreaterThanOrEqual(9999)
  })

  it('stays what it is: recorded runs depend on it', () => {
    expect(take(seededRandom('quorate'), 4).map((x) => Math.floor(x * 2 ** 32).toString(16))).toMatchInlineSnapshot(`
      [
        "afe3b8bf",
        "fcb37a3b",
        "287ce02b",
        "442b7ed8",
      ]
    `)
  })

  it('lies in [0, 1) and fills it evenly, from the first draw on', () => {
    for (const draws of [
      take(seededRandom(7), 100_000),
      Array.from({ length: 100_000 }, (_, i) => seededRandom(i).next())
    ]) {
      const counts = Array.from({ length: 100 }, () => 0)
      for (const x of draws) counts[Math.floor(x * 100)]! += 1
      // A draw outside of [0, 1) would have made a new place, or a NaN.
      expect(counts).toHaveLength(100)
      expect(draws.every((x) => x >= 0 && x < 1)).toBe(true)
      // 99 degrees of freedom: one stream in ten thousand lies above 161. The seeds are fixed, so this cannot flake.
      expect(chiSquare(counts)).toBeLessThan(161)
    }
  })

  it('int takes both ends and everything between, evenly', () => {
    const random = seededRandom(1)
    const counts = new Map<number, number>()
    for (let i = 0; i < 60_000; i++) {
      const side = random.int(-2, 3)
      counts.set(side, (counts.get(side) ?? 0) + 1)
    }
    expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3])
    expect(chiSquare([...counts.values()])).toBeLessThan(25.7)
  })

  it('int stays in its range', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: -1000, max: 1000 }), fc.nat(1000), (seed, low, span) => {
        const x = seededRandom(seed).int(low, low + span)
        expect(Number.isInteger(x) && x >= low && x <= low + span).toBe(true)
      })
    )
  })
})

describe('fork', () => {
  it('depends on seed and label alone, not on how much was drawn', () => {
    const drawn = seededRandom(5)
    take(drawn, 17)
    expect(take(drawn.fork('net'), 20)).toEqual(take(seededRandom(5).fork('net'), 20))
  })

  it('does not disturb its parent', () => {
    const parent = seededRandom(5)
    take(parent.fork('net'), 1000)
    expect(take(parent, 20)).toEqual(take(seededRandom(5), 20))
  })

  it('gives streams that have nothing to do with one another', () => {
    const parent = seededRandom(5)
    const streams = [parent, parent.fork('a'), parent.fork('b'), parent.fork('a').fork('b'), seededRandom(6).fork('a')]
    const draws = streams.map((stream) => take(stream, 5000))
    for (const [i, x] of draws.entries()) {
      for (const y of draws.slice(i + 1)) {
        const correlation = x.reduce((sum, value, at) => sum + (value - 0.5) * (y[at]! - 0.5), 0) / 5000 / (1 / 12)
        // Standard deviation 1 / sqrt(5000) = 0.014; fixed seeds.
        expect(Math.abs(correlation)).toBeLessThan(0.06)
      }
    }
  })
})

it('system streams and secure bytes differ from call to call', () => {
  expect(take(systemRandom(), 4)).not.toEqual(take(systemRandom(), 4))
  expect(secureBytes(16)).toHaveLength(16)
  expect(secureBytes(16)).not.toEqual(secureBytes(16))
})

it('ids from the supply have their length, and none comes twice', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 2_000; i++) {
    const bytes = idBytes(16)
    expect(bytes.byteLength).toBe(16)
    // Its own memory: whoever writes into it changes no other id.
    expect(bytes.buffer.byteLength).toBe(16)
    seen.add(Buffer.from(bytes).toString('hex'))
  }
  expect(seen.size).toBe(2_000)
  expect(idBytes(10_000).byteLength).toBe(10_000)
})
