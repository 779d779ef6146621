/** Raft under crashes, loss, repetition, reordering and partitions: `simulation.ts` says what is checked after every step. */
import { describe, expect, test } from 'vitest'
import { Simulation } from './simulation.ts'
import type { SimulationInit, SimulationResult } from './simulation.ts'

/** QUORATE_RAFT_SEEDS=1000..2000 runs other seeds than the recorded ones. */
const [first, last] = (process.env['QUORATE_RAFT_SEEDS'] ?? '').split('..').map(Number)

function runAll(count: number, init: Omit<SimulationInit, 'seed'>): SimulationResult {
  const total = {
    elections: 0,
    committed: 0,
    reads: 0,
    crashes: 0,
    transfers: 0,
    changes: 0,
    snapshots: 0,
    installs: 0
  }
  const from = last === undefined ? 1 : first!
  for (let seed = from; seed < (last ?? from + count); seed++) {
    const result = new Simulation({ ...init, seed }).run()
    for (const key of Object.keys(total) as (keyof SimulationResult)[]) total[key] += result[key]
  }
  return total
}

describe('a seeded world with faults', () => {
  test('three members', () => {
    const total = runAll(120, { size: 3 })
    // A world in which nothing happens proves nothing.
    expect(total.elections).toBeGreaterThan(500)
    expect(total.committed).toBeGreaterThan(10_000)
    expect(total.reads).toBeGreaterThan(1000)
    expect(total.crashes).toBeGreaterThan(1000)
    expect(total.transfers).toBeGreaterThan(10)
    expect(total.snapshots).toBeGreaterThan(500)
    expect(total.installs).toBeGreaterThan(100)
  })

  test('five members', () => {
    expect(runAll(60, { size: 5 }).elections).toBeGreaterThan(100)
  })

  test('three members, classic timeouts, no pre-vote, no CheckQuorum', () => {
    const total = runAll(60, { size: 3, mode: 'classic', preVote: false, checkQuorum: false })
    expect(total.elections).toBeGreaterThan(200)
  })

  test('three members that do not agree about mode, pre-vote and CheckQuorum', () => {
    expect(runAll(60, { size: 3, mixed: true }).elections).toBeGreaterThan(200)
  })

  test('membership changes among five', () => {
    const total = runAll(80, { size: 3, spares: 2 })
    expect(total.changes).toBeGreaterThan(100)
  })

  test('one member alone', () => {
    expect(runAll(20, { size: 1 }).elections).toBeGreaterThan(50)
  })
})
