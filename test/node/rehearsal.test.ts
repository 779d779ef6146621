import { expect, test } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { foundings } from '../../src/node/imaginary-founders.ts'
import { failovers, rehearse, rehearseFounding } from '../../src/node/rehearsal.ts'
import { Rehearsals } from '../../src/node/rehearsals.ts'
import { silentLogger } from '../../src/node/defaults.ts'
import { VirtualClock } from '../discovery/memory-link.ts'

test('each round is a failover, and every other one a hand-over before it, over the wire', () => {
  expect([...failovers(5)]).toEqual([2, 4, 5, 7, 8])
})

test('a process rehearses once, in pieces, and not on its way out', async () => {
  const clock = new VirtualClock()
  const ending = new AbortController()
  const first = rehearse(clock, ending.signal)
  await expect(rehearse(clock, ending.signal)).resolves.toBeUndefined()
  await clock.runFor(149)
  expect(clock.pending).toBe(1)
  await clock.runFor(20)
  expect(clock.pending).toBe(1)
  ending.abort(new Error('the node stops'))
  await expect(first).rejects.toThrow('the node stops')
  expect(clock.pending).toBe(0)
})

test('imaginary founders found one cluster after another, in pieces, and leave no timer behind', async () => {
  const clock = new VirtualClock()
  const clusters: string[] = []
  let pieces = 0
  for await (const cluster of foundings(2, { clock, random: seededRandom(1) })) {
    pieces++
    if (cluster !== undefined) clusters.push(cluster)
  }
  expect(new Set(clusters).size).toBe(2)
  expect(pieces).toBeGreaterThan(60)
  await clock.runFor(0)
  expect(clock.pending).toBe(0)
})

/** Waits for what a founding does between its pieces: signatures are made outside of virtual time. */
async function run(clock: VirtualClock, ms: number): Promise<void> {
  for (let i = 0; i < ms; i++) await clock.runFor(1)
}

test('a founding is rehearsed when it has been quiet, makes way at once, and goes on another time until it is known', async () => {
  const clock = new VirtualClock()
  const world = { clock, random: seededRandom(2) }
  const ending = new AbortController()
  let waiting = true
  const warnings: unknown[] = []
  const logger = { ...silentLogger, warn: (details: object) => void warnings.push(details) }
  const rehearsals = new Rehearsals({ ...world, logger, ending: ending.signal, isWaiting: () => waiting })
  rehearsals.stir()
  await run(clock, 499)
  rehearsals.stir()
  await run(clock, 499)
  expect(clock.pending).toBe(1)
  await run(clock, 40)
  // Whoever comes in the middle has the node for itself.
  waiting = false
  rehearsals.stir()
  await run(clock, 1)
  expect(clock.pending).toBe(0)
  waiting = true
  rehearsals.stir()
  await run(clock, 2_000)
  expect(clock.pending).toBe(0)
  // All four are done: nothing is left to wait for.
  await expect(rehearseFounding(world, ending.signal)).resolves.toBeUndefined()
  ending.abort(new Error('the node stops'))
  rehearsals.stir()
  expect(clock.pending).toBe(0)
  expect(warnings).toEqual([])
})
