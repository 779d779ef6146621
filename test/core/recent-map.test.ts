import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RecentMap } from '../../src/core/recent-map.ts'

test('what was used last is found by its bytes, and never more than the limit', () => {
  const keys = Array.from({ length: 31 }, (_, i) => Uint8Array.of(i, 255 - i, 7))
  const use = fc.record({ at: fc.nat(30), sets: fc.boolean() })
  fc.assert(
    fc.property(fc.array(use, { maxLength: 200 }), fc.integer({ min: 2, max: 12 }), (uses, sizeMax) => {
      const map = new RecentMap<{ at: number }>(sizeMax)
      let recent: number[] = []
      for (const { at, sets } of uses) {
        const known = map.get(keys[at]!.slice())
        if (known !== undefined) expect(known).toEqual({ at })
        // Of what was used last, half the limit is certain.
        if (recent.slice(0, Math.floor(sizeMax / 2)).includes(at)) expect(known).toEqual({ at })
        if (sets) map.set(keys[at]!, { at })
        if (sets || known !== undefined) recent = [at, ...recent.filter((one) => one !== at)]
      }
      const held = keys.filter((key) => map.get(key) !== undefined)
      expect(held.length).toBeLessThanOrEqual(sizeMax + 1)
    }),
    { numRuns: 200 }
  )
})

test('bytes that differ anywhere are never taken for each other', () => {
  const one = fc.uint8Array({ minLength: 1, maxLength: 400 })
  fc.assert(
    fc.property(one, fc.nat(399), fc.integer({ min: 1, max: 255 }), (bytes, place, change) => {
      const map = new RecentMap<true>(8)
      map.set(bytes, true)
      const other = bytes.slice()
      other[place % other.length]! ^= change
      expect(map.get(bytes.slice())).toBe(true)
      expect(map.get(other)).toBeUndefined()
      map.set(other, true)
      expect(map.get(other.slice())).toBe(true)
    })
  )
})
