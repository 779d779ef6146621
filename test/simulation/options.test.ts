/** What drives a simulation is checked: a run of another seed, or a cut through other machines, would be taken for the one that was meant. */
import { describe, expect, it } from 'vitest'
import { createSimulation, runCampaign, runScenario, type SimulationInit } from '../../src/simulation/index.ts'

describe('the simulation that is driven by hand', () => {
  it.each<readonly [unknown, string]>([
    [{ nodes: 3, seed: -1 }, 'seed is -1; it is a whole number from 0'],
    [{ nodes: 3, seed: 1.5 }, 'seed is 1.5'],
    [{ nodes: 3, seed: '7' }, 'seed is "7"'],
    [{ nodes: 3, sed: 1 }, 'unknown option sed; the options are nodes, joiners'],
    [{ nodes: 0 }, 'nodes, the founding size, is 0; it is a whole number from 1 to 9'],
    [{ nodes: 3, joiners: 1_001 }, 'joiners is 1001; it is a whole number from 0 to 1000'],
    [{ nodes: 3, joinRole: 'king' }, 'joinRole is king; it is voter or observer'],
    [{ nodes: 3, joinerSeeds: 0 }, 'joinerSeeds is 0'],
    [{ nodes: 3, record: 'yes' }, 'record is yes; it is true or false'],
    [undefined, 'options is undefined']
  ])('does not begin with %o', async (init, sentence) => {
    await expect(createSimulation(init as SimulationInit)).rejects.toThrow(sentence)
  })

  it('cuts only what is there, and only once', async () => {
    const simulation = await createSimulation({ nodes: 3 })
    expect(() => simulation.partition(['n1'], ['n1', 'n2'])).toThrow('n1 is in two groups of the partition')
    expect(() => simulation.partition(['n9'])).toThrow('there is no machine n9; there are n1, n2, n3')
    expect(() => simulation.partition()).toThrow('one group or more')
    expect(() => simulation.partition(['n1'], [])).toThrow('group 2 of the partition is empty')
    expect(() => simulation.partition(['n1', 'n2', 'n3'])).toThrow('nothing would be cut')
    expect(() => simulation.run(Number.NaN)).toThrow('the time to run, in ms, is NaN')
    expect(() => simulation.step(0)).toThrow('the number of events is 0')
    expect(() => simulation.clock('n1', 0)).toThrow('the rate is 0')
    expect(() => simulation.runUntil(() => true, -1)).toThrow('limitMs is -1')
    simulation.addAll()
    expect(simulation.runUntil(() => false, 25)).toBe(false)
    expect(simulation.nowMs).toBe(25)
    simulation.partition(['n1'])
    simulation.repair()
    expect(simulation.runUntil(({ isFormed }) => isFormed)).toBe(true)
  })

  it.each([
    ['run soon', 'the time to run'],
    ['crash n1 sideways', 'by `kill` or by `power`'],
    ['partition n1 n2 | n1', 'n1 is in two groups'],
    ['run until formed before 5', 'after the condition comes `within`']
  ])('`%s` is no line of a scenario', async (line, sentence) => {
    const played = runScenario({ text: `nodes 3\nadd all\n${line}\n` })
    await expect(played).rejects.toThrow(`line 3, \`${line}\``)
    await expect(played).rejects.toThrow(sentence)
  })

  it('waits in a scenario for as long as it is told', async () => {
    const { transcript } = await runScenario({ text: 'nodes 3\nadd n1\nrun until formed within 40\n' })
    expect(transcript).toContain('not formed within 40 ms')
  })
})

it('a campaign needs no clock of its own', async () => {
  const report = await runCampaign({ nodes: 3, seeds: { from: 1, to: 1 }, seconds: 2, load: 'light' })
  expect(report).toMatchObject({ seeds: 1, violations: [] })
  expect(report.wallSeconds).toBeGreaterThan(0)
})
