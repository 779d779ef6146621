import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keyOfBytes, RecentMap } from '../../src/core/recent-map.ts'

test('what was used most recently is there, and never more than the limit', () => {
  const keys = fc.integer({ min: 0, max: 30 }).map(String)
  const run = fc.array(fc.record({ key: keys, sets: fc.boolean() }), { maxLength: 200 })
  fc.assert(
    fc.property(run, fc.integer({ min: 2, max: 12 }), (uses, sizeMax) => {
      const map = new RecentMap<{ key: string }>(sizeMax)
      let recent: string[] = []
      for (const { key, sets } of uses) {
        const known = map.get(key)
        // Of what was used last, half the limit is certain.
        if (recent.slice(0, Math.floor(sizeMax / 2)).includes(key)) expect(known).toEqual({ key })
        if (sets) map.set(key, { key })
        if (sets || known !== undefined) recent = [key, ...recent.filter((one) => one !== key)]
      }
      const held = Array.from({ length: 31 }, (_, i) => map.get(String(i))).filter((value) => value !== undefined)
      expect(held.length).toBeLessThanOrEqual(sizeMax + 1)
    }),
    { numRuns: 200 }
  )
})

test('two byte strings share a key only when they are equal', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (a, b) => {
      expect(keyOfBytes(a) === keyOfBytes(b)).toBe(a.join() === b.join())
      expect(keyOfBytes(a)).toBe(keyOfBytes(a.slice()))
    })
  )
})
