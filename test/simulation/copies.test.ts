/** Machines that share one disk: after the proof they are left alone, and leave the others alone. */
import { beforeAll, describe, expect, it } from 'vitest'
import { createSimulation, type Simulation } from '../../src/simulation/index.ts'

/** How often each of the others has met another life of the second machine within the next `ms`. */
function newSessions(simulation: Simulation, ms: number): number {
  const { machines, founders } = simulation.world
  const { peerId } = founders[1]!.actor
  const others = machines.filter((machine) => machine.actor.peerId !== peerId)
  const now = (): readonly unknown[] => others.map(({ process }) => process?.sessions.get(peerId))
  let count = 0
  let before = now()
  const look = (): boolean => {
    const after = now()
    count += after.filter((session, i) => session !== undefined && session !== before[i]).length
    before = after
    return false
  }
  simulation.runUntil(look, ms)
  return count
}

describe('a copied machine', () => {
  let simulation: Simulation

  beforeAll(async () => {
    simulation = await createSimulation({ nodes: 3 })
    simulation.addAll()
    expect(simulation.runUntil(({ world }) => world.founders.every(({ process }) => process?.replica.clusterId))).toBe(
      true
    )
    simulation.add(simulation.clone('n2'))
    // It passes for a restart; the original comes again, and each shows the others what the other one has signed.
    expect(newSessions(simulation, 5_000)).toBeGreaterThan(2)
  })

  it('and its original do not end each other’s sessions for ever', () => {
    expect(newSessions(simulation, 60_000)).toBe(0)
    expect(simulation.violations).toEqual([])
  })

  it('is let in when the other one is gone, which is let in again as soon as it starts', () => {
    simulation.crash('n2c')
    expect(newSessions(simulation, 90_000)).toBe(2)
    simulation.add('n2c')
    expect(newSessions(simulation, 2_000)).toBe(2)
    expect(newSessions(simulation, 60_000)).toBe(0)
  })
})
