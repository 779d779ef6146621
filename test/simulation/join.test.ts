/** Machines that join: what grows with their number, and what must not. */
import { describe, expect, it } from 'vitest'
import { timingPresets } from '../../src/config-init/index.ts'
import { createSimulation, runJoin } from '../../src/simulation/index.ts'

describe('a study of joining', () => {
  it('lets thirty machines come in, each told of three others, and says what it took', async () => {
    const samples: number[] = []
    const { report, simulation } = await runJoin({
      founders: 5,
      joiners: 25,
      onSample: ({ members }) => samples.push(members)
    })
    expect(report).toMatchObject({ machines: 30, founders: 5, violations: [] })
    expect(report.formedMs).toBeLessThanOrEqual(2_000)
    // Two looks of a leader: one redeems, one takes everybody in.
    expect(report.joinedMs! - report.formedMs!).toBeLessThanOrEqual(1_000)
    // Nothing like everybody with everybody: 30 * 29 / 2 = 435.
    expect(report.connections).toBeLessThan(350)
    expect(report.logBytes).toBeLessThan(64 * 1_024)
    // Heartbeats to 29 machines, their answers, and nothing else worth speaking of.
    const beats = (1_000 / timingPresets.lan.raft.heartbeatMs) * 29 * 2
    expect(report.leaderFramesPerSecond / beats).toBeCloseTo(1, 1)
    expect(report.framesPerSecond / beats).toBeCloseTo(1, 1)
    expect(samples).toEqual(report.timeline.map(({ members }) => members))
    expect(samples.at(-1)).toBe(30)
    expect(simulation.results()).toMatchObject({ violations: [], elections: 1, termMax: 1 })
    expect(
      simulation
        .nodes()
        .map(({ standing }) => standing)
        .filter((standing) => standing === 'learner')
    ).toHaveLength(25)
  })

  it('is a function of its seed', async () => {
    const once = async (seed: number) => {
      const { simulation } = await runJoin({ founders: 3, joiners: 5, seed })
      return simulation.results().traceHash
    }
    const [a, b, other] = [await once(1), await once(1), await once(2)]
    expect(b).toBe(a)
    expect(other).not.toBe(a)
  })

  it('gives up when it was told to, and says that not all came', async () => {
    const { report } = await runJoin({ founders: 3, joiners: 2, limitMs: 100 })
    expect(report.joinedMs).toBeUndefined()
  })
})

describe('machines with a join token', () => {
  it('of voters get a vote when they have caught up', async () => {
    const cluster = await createSimulation({ nodes: 3, joiners: 2, joinRole: 'voter' })
    cluster.addEverybody()
    expect(cluster.runUntil((c) => c.nodes().every(({ standing }) => standing === 'voter'), 20_000)).toBe(true)
    // In the middle of the joint change two might be too many; after it two of five may go, and it is no matter which.
    cluster.run(500)
    cluster.crash('n1')
    cluster.crash('n2')
    expect(cluster.runUntil((c) => c.leader !== undefined && !['n1', 'n2'].includes(c.leader))).toBe(true)
    expect(cluster.violations).toEqual([])
  })

  it('come back with another disk as the same machine', async () => {
    const cluster = await createSimulation({ nodes: 3, joiners: 1 })
    cluster.addEverybody()
    cluster.runUntil((c) => c.isJoined)
    cluster.wipe('n4')
    cluster.add('n4')
    expect(cluster.runUntil((c) => c.node('n4').standing === 'learner' && c.isJoined, 20_000)).toBe(true)
    expect(cluster.node(cluster.leader!).members).toBe(4)
    expect(cluster.violations).toEqual([])
  })

  it('are at most a thousand', async () => {
    await expect(createSimulation({ nodes: 3, joiners: 1_001 })).rejects.toThrow(
      'joiners is 1001; it is a whole number from 0 to 1000'
    )
  })
})
