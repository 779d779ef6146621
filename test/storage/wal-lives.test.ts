/**
 * Random lives of one store, against the model: batches of every kind, some waiting together, calls that fail, kills and
 * power cuts at any call, also while the store is opened. After each, what was acknowledged is there, and of what was
 * written the first so many batches.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StorageModel, describeState, randomStep } from '../../src/conformance/storage-model.ts'
import { seededRandom } from '../../src/core/random.ts'
import type { Random } from '../../src/core/random.ts'
import type { WriteBatch } from '../../src/storage/port.ts'
import type { WalStorage } from '../../src/storage/wal/wal.ts'
import { createSimulatedDisk, openOn } from './harness.ts'
import { errno, sectors } from './simulated-disk.ts'
import type { Fault, SimulatedDisk } from './simulated-disk.ts'

/** The process stops here: the call is made in part or not at all, and none after it. */
const dead = errno('EDEAD')

/** Fails the call with this number: once with an error, or, when the process dies, from there on. */
function failAt(disk: SimulatedDisk, callNumber: number, dies: boolean, random: Random): void {
  let calls = 0
  disk.fault = (call): Fault | undefined => {
    calls++
    if (calls < callNumber || (!dies && calls > callNumber)) return undefined
    const keep = calls === callNumber && call === 'write' ? random.int(0, 900) : 0
    return { error: dies ? dead : errno(random.int(0, 1) === 0 ? 'EIO' : 'ENOSPC'), keep }
  }
}

/** A machine that lost power: every sector and every name for itself. */
function powerCut(disk: SimulatedDisk, random: Random): SimulatedDisk {
  const pattern = random.int(0, 2 ** 16 - 1)
  return disk.afterPowerCut(
    sectors((sector) => ((pattern >> (sector % 16)) & 1) === 1),
    () => random.int(0, 1) === 0
  )
}

async function openIfItLives(disk: SimulatedDisk): Promise<WalStorage | undefined> {
  try {
    return await openOn(disk, { segmentBytes: 2048, growBytes: 512 })
  } catch (error) {
    expect((error as Error).name).toMatch(/^Storage(Failed|Full)Error$/)
    return undefined
  }
}

/** Writes a few batches, one or several at a time; returns those that were acknowledged and those that may be there. */
async function live(
  log: WalStorage,
  settled: StorageModel,
  random: Random
): Promise<{ settled: StorageModel; pending: WriteBatch[] }> {
  const model = StorageModel.of(settled)
  let pending: WriteBatch[] = []
  for (let round = random.int(0, 8); round > 0; round--) {
    const group = Array.from({ length: random.int(1, 3) }, () => {
      const batch = randomStep(random, model, random.int(0, 3) === 0 ? 1200 : 40)
      model.apply(batch)
      pending.push(batch)
      return log.write(batch)
    })
    const outcomes = await Promise.allSettled(group)
    const written = outcomes.findIndex(({ status }) => status === 'rejected')
    // In the order of the calls, and nothing is accepted behind a failure.
    if (written !== -1) expect(outcomes.slice(written).every(({ status }) => status === 'rejected')).toBe(true)
    const count = written === -1 ? group.length : written
    settled = StorageModel.after(pending.slice(0, count), settled)
    pending = pending.slice(count)
    if (written !== -1) break
  }
  if (random.int(0, 2) === 0) await log.close()
  return { settled, pending }
}

test('whatever happens to a store, it comes back with what it acknowledged', async () => {
  const seen = { cuts: 0, deaths: 0, snapshots: 0, kept: 0 }
  const property = fc.asyncProperty(fc.nat(), async (seed) => {
    const random = seededRandom(`life ${seed}`)
    let disk = await createSimulatedDisk()
    let settled = new StorageModel()
    let pending: WriteBatch[] = []
    for (let life = 0; life < 6; life++) {
      const dies = random.int(0, 2) > 0
      if (random.int(0, 3) > 0) failAt(disk, random.int(1, 60), dies, random)
      const log = await openIfItLives(disk)
      if (log !== undefined) {
        const found = [...pending.keys(), pending.length]
          .map((kept) => StorageModel.after(pending.slice(0, kept), settled))
          .find((model) => describeState(model) === describeState(log.recovered))
        if (found === undefined) expect.fail(`life ${life}:\n${describeState(log.recovered)}`)
        if (log.recovered.snapshot !== undefined) seen.snapshots++
        expect(log.recovered.skippedSnapshot).toBeUndefined()
        ;({ settled, pending } = await live(log, found, random))
      }
      seen.deaths++
      seen.kept += pending.length
      disk.fault = () => undefined
      const isCut = random.int(0, 1) === 0
      disk = isCut ? powerCut(disk, random) : disk.clone()
      if (isCut) seen.cuts++
    }
  })
  await fc.assert(property, { numRuns: 150 })
  expect(seen.cuts).toBeGreaterThan(200)
  expect(seen.snapshots).toBeGreaterThan(200)
  expect(seen.kept).toBeGreaterThan(100)
})
