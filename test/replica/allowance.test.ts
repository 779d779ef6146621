/** What a peer may cost us, by the numbers: so much at once, so much a second after that, and never more by waiting or by coming anew. */
import { describe, expect, it } from 'vitest'
import { Allowances } from '../../src/replica/allowance.ts'

/** How many of so many are let through at this moment. */
const taken = (allowances: Allowances, peerId: string, tries: number, now: number): number =>
  Array.from({ length: tries }, () => allowances.take(peerId, now)).filter(Boolean).length

describe('an allowance', () => {
  it('is so much at once, for each peer', () => {
    const allowances = new Allowances(3, 2)
    expect([taken(allowances, 'a', 10, 0), taken(allowances, 'b', 10, 0), taken(allowances, 'a', 1, 0)]).toEqual([
      3, 3, 0
    ])
  })

  it('comes back one by one, not before its time, and whoever asks meanwhile loses nothing', () => {
    const allowances = new Allowances(3, 2)
    taken(allowances, 'a', 3, 0)
    const answers = [100, 200, 499, 500, 501, 999, 1_000].map((now) => allowances.take('a', now))
    expect(answers).toEqual([false, false, false, true, false, false, true])
  })

  it('is never more than at first, however long nobody takes any', () => {
    const allowances = new Allowances(3, 2)
    taken(allowances, 'a', 1, 0)
    expect(taken(allowances, 'a', 10, 1_000_000)).toBe(3)
  })

  it('is no less when the clock is set back', () => {
    const allowances = new Allowances(3, 2)
    expect(taken(allowances, 'a', 1, 10_000)).toBe(1)
    expect(taken(allowances, 'a', 10, 0)).toBe(2)
  })

  it('is remembered of as many peers as there may be, of those that used it last', () => {
    const allowances = new Allowances(1, 0)
    for (let i = 0; i < 2_048; i++) expect(allowances.take(`p${i}`, 0)).toBe(true)
    expect(allowances.take('p0', 0)).toBe(false)
    // One more: whoever has not been heard for longest is forgotten, and that is not p0, which has just asked.
    expect(allowances.take('one more', 0)).toBe(true)
    expect([allowances.take('p0', 0), allowances.take('p1', 0)]).toEqual([false, true])
  })
})
