/**
 * Config reads and writes of a cluster under faults, held against one register (FAULTS invariant 5, seen from outside).
 *
 * `QUORATE_SEEDS=A..B` plays other seeds. A failure names its seed and the operation that no order explains.
 */
import { describe, expect, it } from 'vitest'
import { checkLinearizable } from './checker.ts'
import { type CallersInit, type Counts, noCounts, playCallers } from './cluster-history.ts'
import { configRegister } from './config-register.ts'

const [FIRST, LAST] = (process.env.QUORATE_SEEDS ?? '1..25').split('..').map(Number) as [number, number]
const SEEDS = Array.from({ length: LAST - FIRST + 1 }, (_, i) => FIRST + i)

/** The verdict, or what is wrong with it. */
function judge(init: CallersInit, total?: Counts): string | undefined {
  const { events, initial, counts } = playCallers(init)
  if (total !== undefined) for (const key of Object.keys(total) as (keyof Counts)[]) total[key] += counts[key]
  const verdict = checkLinearizable(configRegister(initial), events)
  return verdict.linearizable ? undefined : `seed ${init.seed}: nothing explains ${JSON.stringify(verdict.stuckAt)}`
}

describe('what callers are told', () => {
  it(`is linearizable when reads are confirmed (seeds ${FIRST} to ${LAST})`, { timeout: 300_000 }, () => {
    const total = noCounts()
    for (const seed of SEEDS)
      expect(judge({ seed, reads: 'confirmed', size: seed % 5 === 0 ? 5 : 3 }, total)).toBeUndefined()
    process.stdout.write(`linearizability: ${JSON.stringify(total)}\n`)
    // Histories in which nothing happens prove nothing.
    for (const [what, times] of Object.entries(total)) expect(times, what).toBeGreaterThan(SEEDS.length / 4)
    expect(total.answers).toBeGreaterThan(total.calls / 2)
  })

  it('is not, when nodes answer from what they have applied: the check can fail', () => {
    const wrong = SEEDS.slice(0, 10).filter((seed) => judge({ seed, reads: 'local' }) !== undefined)
    expect(wrong.length).toBeGreaterThan(0)
  })

  it('is the same for the same seed', () => {
    const play = (): string => JSON.stringify(playCallers({ seed: 3, reads: 'confirmed', ms: 1_000 }).events)
    expect(play()).toBe(play())
  })
})
