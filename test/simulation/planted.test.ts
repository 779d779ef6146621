/** Every planted bug still fits the sources, and a few of them are planted and found. `npm run sim:planted` searches for all. */
import { describe, expect, it } from 'vitest'
import { PLANTED } from '../planted/bugs.ts'
import { patched, search } from '../planted/plant.ts'

describe('planted bugs', () => {
  it.each(PLANTED)('"$name" is a change of the code as it stands', (bug) => {
    expect(patched(bug).size).toBeGreaterThan(0)
  })

  it('are at least thirty, each with a name of its own', () => {
    expect(new Set(PLANTED.map(({ name }) => name)).size).toBeGreaterThanOrEqual(30)
  })

  const FEW: readonly (readonly [name: string, invariants: readonly string[]])[] = [
    ['a vote leaves before it is durable', ['durable-before-send']],
    ['what was sent counts as stored', ['committed-is-stored']]
  ]
  it.each(FEW)('"%s" is found and shrunk', { timeout: 120_000 }, async (name, invariants) => {
    const bug = PLANTED.find((one) => one.name === name)!
    const { invariant, faults } = await search(bug, { seedsMax: 200, secondsMax: 60, runSeconds: 5 })
    expect(invariants).toContain(invariant)
    expect(faults.length).toBeLessThanOrEqual(6)
  })
})
