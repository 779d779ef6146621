import { expect, test } from 'vitest'
import { failovers, rehearse } from '../../src/node/rehearsal.ts'
import { VirtualClock } from '../discovery/memory-link.ts'

test('each round is a failover, over the wire', () => {
  expect([...failovers(4)]).toEqual([2, 3, 4, 5])
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
