/** The simulated disk against the model of the storage suite: what was synced is there after every cut, and damage is noticed. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StorageModel, describeState, randomStep } from '../../src/conformance/storage-model.ts'
import { seededRandom } from '../../src/core/random.ts'
import type { Random } from '../../src/core/random.ts'
import { SimulatedLog } from '../../src/simulation/disk.ts'
import type { Recovery } from '../../src/simulation/disk.ts'
import type { WriteBatch } from '../../src/storage/port.ts'
import { owner } from '../storage/harness.ts'

/** Without the count of boots, which the disk keeps itself. */
function stateOf({ cells, snapshot, entries }: Recovery | StorageModel): string {
  const others = new Map(cells)
  others.delete('boot')
  return describeState({ cells: others, snapshot, entries })
}

const withoutBoot = (batch: WriteBatch): WriteBatch => ({
  ...batch,
  cells: (batch.cells ?? []).filter(({ name }) => name !== 'boot')
})

/** Groups of batches, each synced; the last may be on its way. Returns what is durable and what may be there. */
function live(
  log: SimulatedLog,
  random: Random,
  settled: StorageModel
): { settled: StorageModel; pending: WriteBatch[] } {
  const model = StorageModel.of(settled)
  for (let round = random.int(0, 6); round >= 0; round--) {
    const group = Array.from({ length: random.int(1, 3) }, () => {
      const batch = withoutBoot(randomStep(random, model, 100))
      model.apply(batch)
      log.accept(batch)
      return batch
    })
    // A batch that was handed over and not written is nowhere.
    if (round === 0 && random.int(0, 2) === 0) return { settled, pending: [] }
    log.write(group)
    if (round === 0) return { settled, pending: group }
    log.synced()
    settled = StorageModel.after(group, settled)
  }
  return { settled, pending: [] }
}

test('what was synced is there after kills and power cuts', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const random = seededRandom(seed)
      const log = new SimulatedLog(owner)
      let settled = new StorageModel()
      log.open()
      for (let life = 0; life < 6; life++) {
        const { settled: durable, pending } = live(log, random, settled)
        const pattern = random.int(0, 255)
        if (random.int(0, 1) === 0)
          log.powerCut((sector) => ((pattern >> (sector % 8)) & 1) === 1, random.int(0, 1) === 0)
        const recovery = log.open()
        const after = StorageModel.after(pending, durable)
        settled = stateOf(recovery) === stateOf(after) ? after : durable
        expect(stateOf(recovery)).toBe(stateOf(settled))
        expect(recovery.boot).toBe(life + 2)
      }
    }),
    { numRuns: 60 }
  )
})

/** What a start says of a disk with a flipped bit. */
function verdictOn(log: SimulatedLog): string {
  try {
    const { skippedSnapshot } = log.open()
    expect([skippedSnapshot === undefined, log.damaged]).toEqual([false, false])
    expect(log.open().skippedSnapshot).toBeUndefined()
    return 'made good'
  } catch (error) {
    return (error as Error).name
  }
}

test('every flipped bit is noticed', () => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(7), (seed, place, bit) => {
      const log = new SimulatedLog(owner)
      log.open()
      live(log, seededRandom(seed), new StorageModel())
      log.open()
      log.flip(place, bit)
      expect(verdictOn(log)).toMatch(/^(Storage(Corrupt|Foreign)Error|made good)$/)
    }),
    { numRuns: 200 }
  )
})

test.each([
  { compactTo: 3, verdict: 'made good' },
  { compactTo: 4, verdict: 'StorageCorruptError' }
])('a damaged snapshot, and a log that begins behind $compactTo: $verdict', ({ compactTo, verdict }) => {
  const snapshotAt = (index: number): WriteBatch => ({ snapshot: { index, term: 1, data: new Uint8Array(2000) } })
  const entries = [1, 2, 3, 4, 5, 6].map((index) => ({ index, term: 1, type: 1, data: new Uint8Array(3) }))
  const log = new SimulatedLog(owner)
  log.open()
  for (const batch of [{ entries }, snapshotAt(3), snapshotAt(5), { compactTo }]) {
    log.accept(batch)
    log.write([batch])
    log.synced()
  }
  log.flip(0.95, 3)
  expect(verdictOn(log)).toBe(verdict)
})
