/** Every file of test/scenarios/simulation holds what it expects, and breaks no invariant but the one that it names. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runScenario, ScenarioError } from '../../src/simulation/index.ts'

const directory = new URL('../scenarios/simulation/', import.meta.url)

describe('scenarios', () => {
  for (const file of readdirSync(directory)) {
    it(file, async () => {
      const text = readFileSync(new URL(file, directory), 'utf8')
      const { transcript, failures, simulation } = await runScenario({ text })
      expect(failures, transcript).toEqual([])
      const expected = [...text.matchAll(/^expect violation (\S+)/gm)].map(([, name]) => name)
      expect(simulation.violations.map(({ invariant }) => invariant).slice(0, 1), transcript).toEqual(expected)
    })
  }

  it('says which line it does not understand', async () => {
    const wrong = [
      '',
      'nodes 12',
      'nodes 3\nfly n1',
      'nodes 3\nadd n7',
      'nodes 3\nset n1 {"a":1}',
      'nodes 3\nexpect sun'
    ]
    for (const text of wrong) await expect(runScenario({ text }), text).rejects.toThrow(ScenarioError)
  })

  it('reports an expectation that does not hold', async () => {
    const { failures } = await runScenario({ text: 'nodes 1\nadd all\nrun until formed\nexpect no leader' })
    expect(failures).toMatchObject([{ line: 4, text: 'expect no leader', instead: 'n1 leads' }])
  })
})
