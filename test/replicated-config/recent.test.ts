import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Recent } from '../../src/replicated-config/recent.ts'

/** What it must be equal to: an array that is copied every time. */
const extend = (row: readonly string[], item: string, lengthMax: number): readonly string[] =>
  [...row, item].slice(-lengthMax)

describe('the newest values of a growing row', () => {
  it('is an array that is copied each time, whichever state is extended, and finds the newest of a key', () => {
    const step = fc.record({ onto: fc.nat(40), item: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g') })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (steps, lengthMax) => {
        const keyOf = (item: string): string => item.slice(0, 1)
        const states = [{ recent: Recent.empty(keyOf), row: [] as readonly string[] }]
        for (const [i, { onto, item: key }] of steps.entries()) {
          // Mostly the newest state, as a log does; sometimes an older one.
          const from = onto < 30 ? states.at(-1)! : states[onto % states.length]!
          const item = `${key}${i}`
          states.push({ recent: from.recent.add(item, lengthMax), row: extend(from.row, item, lengthMax) })
        }
        for (const { recent, row } of states) {
          expect([...recent]).toEqual(row)
          expect(recent).toHaveLength(row.length)
          expect([recent.at(0), recent.at(-1), recent.at(row.length)]).toEqual([row[0], undefined, undefined])
          for (const key of 'abcdefg') expect(recent.find(key)).toBe(row.findLast((item) => keyOf(item) === key))
        }
      })
    )
  })

  it('lets go of what fell off: nothing grows without end', () => {
    let recent = Recent.empty<number>((item) => item)
    for (let i = 0; i < 10_000; i++) recent = recent.add(i, 10)
    expect([...recent]).toEqual(Array.from({ length: 10 }, (_, i) => 9_990 + i))
    expect(recent.find(9_989)).toBeUndefined()
  })
})
