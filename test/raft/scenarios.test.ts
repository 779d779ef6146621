/**
 * Recorded behaviour, for review: every file in `test/scenarios/raft` is played again and must read the same.
 * `QUORATE_UPDATE_SCENARIOS=1` records it anew; look at the diff before you commit it.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { runScenario } from './scenario.ts'

const folder = new URL('../scenarios/raft/', import.meta.url)
const names = readdirSync(folder).filter((name) => name.endsWith('.txt'))

describe('scenarios', () => {
  test('there are some', () => {
    expect(names.length).toBeGreaterThanOrEqual(25)
  })

  test.each(names)('%s', (name) => {
    const file = new URL(name, folder)
    const recorded = readFileSync(file, 'utf8')
    const played = runScenario(recorded)
    if (process.env['QUORATE_UPDATE_SCENARIOS'] !== undefined) writeFileSync(file, played)
    else expect(played).toBe(recorded)
  })
})
