/** Every planted bug still fits the sources, and a few of them are planted and found. `npm run sim:planted` searches for all. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { INVARIANTS } from '../../src/simulation/oracle/names.ts'
import { PLANTED } from '../planted/bugs.ts'
import { patched, search } from '../planted/plant.ts'

describe('planted bugs', () => {
  it.each(PLANTED)('"$name" is a change of the code as it stands', (bug) => {
    expect(patched(bug).size).toBeGreaterThan(0)
  })

  it('are at least thirty, each with a name of its own', () => {
    expect(new Set(PLANTED.map(({ name }) => name)).size).toBeGreaterThanOrEqual(30)
  })

  it('are all that docs/PLANTED.md speaks of, and none of those was missed', () => {
    const page = readFileSync(new URL('../../docs/PLANTED.md', import.meta.url), 'utf8')
    const rooms = new Set<string>(PLANTED.map(({ room }) => room))
    const rows = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
    const searched = rows.filter(([, room]) => rooms.has(room ?? ''))
    expect(searched.length).toBeGreaterThanOrEqual(30)
    for (const [, , name, by] of searched) {
      expect(PLANTED.map((bug) => bug.name)).toContain(name)
      expect(by).toMatch(/^`[a-z-]+`$/)
    }
  })

  it('leave no invariant without a bug that it finds', () => {
    const page = readFileSync(new URL('../../docs/PLANTED.md', import.meta.url), 'utf8')
    expect(INVARIANTS.filter((name) => !page.includes(`| \`${name}\` `))).toEqual([])
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
