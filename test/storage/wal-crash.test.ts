/**
 * Power is cut after every system call of a workload, and inside every write (at every byte of the first 64, then
 * in steps, and sector by sector). Whatever the disk then holds,
 * the log opens, everything that was acknowledged is there, and what else is there is a prefix of what was written.
 */
import { describe, expect, test } from 'vitest'
import { StorageModel, describeState, randomStep } from '../../src/conformance/storage-model.ts'
import { seededRandom } from '../../src/core/random.ts'
import type { WriteBatch } from '../../src/storage/port.ts'
import type { WalInit } from '../../src/storage/wal/wal.ts'
import { createSimulatedDisk, openOn } from './harness.ts'
import { nothing, prefix, sectors, whole } from './simulated-disk.ts'
import type { SimulatedDisk, Tear } from './simulated-disk.ts'

interface Moment {
  readonly call: string
  readonly disk: SimulatedDisk
  readonly acknowledged: number
  readonly written: number
}

/** Runs the workload and keeps the disk as it is after every call that changes it. */
async function record(seed: string, init: Partial<WalInit>): Promise<{ moments: Moment[]; batches: WriteBatch[] }> {
  const random = seededRandom(seed)
  const disk = await createSimulatedDisk()
  const moments: Moment[] = []
  const batches: WriteBatch[] = []
  let acknowledged = 0
  disk.onChange = (call) => moments.push({ call, disk: disk.clone(), acknowledged, written: batches.length })
  const model = new StorageModel()
  for (let life = 0; life < 3; life++) {
    const log = await openOn(disk, init)
    for (let round = 0; round < 7; round++) {
      const group = Array.from({ length: random.int(1, 3) }, () => {
        const batch = randomStep(random, model, random.int(0, 3) === 0 ? 1500 : 60)
        model.apply(batch)
        batches.push(batch)
        return log.write(batch)
      })
      for (const written of group) {
        await written
        acknowledged++
      }
    }
    // The second life ends with a crash of the process: the cache stays.
    if (life !== 1) await log.close()
  }
  return { moments, batches }
}

function* tears(moment: Moment, every: number): Generator<Tear> {
  yield nothing
  yield whole
  const writes = moment.disk.unsynced()
  // With every length in one of two forms; the moments are many, so both forms meet every part of a frame.
  const longest = Math.max(0, ...writes.map(({ bytes }) => withoutZeros(bytes)))
  for (let length = 1; length < longest; length += length < 64 ? 1 : every) {
    yield prefix(length, length % 2 === 0)
  }
  if (longest > 0) {
    for (let pattern = 0; pattern < 16; pattern++) yield sectors((sector) => ((pattern >> (sector % 4)) & 1) === 1)
  }
}

type Names = Parameters<SimulatedDisk['afterPowerCut']>[1]

/** Names arrive in order, up to any of them, or in any selection: not every file system keeps their order. */
function* powerCuts(moment: Moment, every: number): Generator<{ tear: Tear; names: Names }> {
  const { length } = moment.disk.nameChanges
  for (const tear of [nothing, whole]) {
    for (let names = 0; names <= length; names++) yield { tear, names }
    for (let pattern = 0; pattern < Math.min(32, 2 ** length); pattern++) {
      yield { tear, names: (change) => ((pattern >> (change % 5)) & 1) === 1 }
    }
  }
  let turn = 0
  for (const tear of tears(moment, every)) yield { tear, names: turn++ % (length + 1) }
}

function withoutZeros(bytes: Uint8Array): number {
  let end = bytes.byteLength
  while (end > 0 && bytes[end - 1] === 0) end--
  return end
}

async function stateOf(disk: SimulatedDisk, init: Partial<WalInit>): Promise<string> {
  return describeState((await openOn(disk, init)).recovered)
}

describe.each([
  { name: 'space written ahead', init: { segmentBytes: 4096, growBytes: 1024 } },
  { name: 'space not written ahead', init: { segmentBytes: 4096, growBytes: 0 } },
  { name: 'one segment', init: { segmentBytes: 1 << 20, growBytes: 4096 } }
])('power cut, $name', ({ name, init }) => {
  test('acknowledged batches survive, and only written ones appear', { timeout: 120_000 }, async () => {
    const { moments, batches } = await record(`power cut ${name}`, init)
    const states = batches.map((_, i) => describeState(StorageModel.after(batches.slice(0, i))))
    states.push(describeState(StorageModel.after(batches)))
    let cuts = 0
    let torn = 0
    for (const moment of moments) {
      for (const { tear, names } of powerCuts(moment, 67)) {
        const disk = moment.disk.afterPowerCut(tear, names)
        const { recovered } = await openOn(disk, init)
        const state = describeState(recovered)
        const allowed = states.slice(moment.acknowledged, moment.written + 1)
        if (!allowed.includes(state)) {
          expect.fail(`after ${moment.call}, ${moment.acknowledged} acknowledged, ${moment.written} written:\n${state}`)
        }
        // What has been read is durable: a second cut, right after opening, takes nothing away.
        if (cuts++ % 4 === 0) expect(await stateOf(disk.afterPowerCut(nothing, 0), init)).toBe(state)
        if (recovered.tornBytes > 0) torn++
      }
    }
    expect(cuts).toBeGreaterThan(1000)
    expect(torn).toBeGreaterThan(300)
  })

  test('a killed process leaves frames in the cache, and opening makes them durable before it believes them', async () => {
    const { moments, batches } = await record(`kill ${name}`, init)
    for (const moment of moments) {
      const disk = moment.disk.clone()
      const state = await stateOf(disk, init)
      const allowed = batches.map((_, i) => describeState(StorageModel.after(batches.slice(0, i + 1))))
      expect(['', ...allowed].slice(moment.acknowledged, moment.written + 1)).toContain(state)
      expect(await stateOf(disk.afterPowerCut(nothing, 0), init)).toBe(state)
    }
  })

  test('the log goes on after a torn tail', async () => {
    const { moments } = await record(`go on ${name}`, init)
    const random = seededRandom(`go on ${name}`)
    for (const moment of moments.filter(({ call }) => call === 'write')) {
      const [{ bytes } = { bytes: new Uint8Array() }] = moment.disk.unsynced()
      const disk = moment.disk.afterPowerCut(prefix(random.int(0, withoutZeros(bytes)), true), 0)
      const log = await openOn(disk, init)
      const before = log.recovered
      await log.write({ cells: [{ name: 'after', value: Uint8Array.of(1) }] })
      const state = await stateOf(disk.afterPowerCut(nothing, 0), init)
      const cells = new Map(before.cells).set('after', Uint8Array.of(1))
      expect(state).toBe(describeState({ ...before, cells }))
    }
  })
})
