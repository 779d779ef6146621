/**
 * Recorded behaviour, for review: every file in `test/scenarios/formation` is played again and must read the same.
 * `QUORATE_UPDATE_SCENARIOS=1` records it anew; look at the diff before you commit it.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { playScenario } from './scenario.ts'

const folder = new URL('../scenarios/formation/', import.meta.url)
const names = readdirSync(folder).filter((name) => name.endsWith('.txt'))

it('there are some', () => {
  expect(names.length).toBeGreaterThanOrEqual(10)
})

it.each(names)('%s', (name) => {
  const file = new URL(name, folder)
  const recorded = readFileSync(file, 'utf8')
  const played = playScenario(recorded)
  if (process.env['QUORATE_UPDATE_SCENARIOS'] !== undefined) writeFileSync(file, played)
  else expect(played).toBe(recorded)
})
