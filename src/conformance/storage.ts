/**
 * What every `Storage` must do, as plain functions: run them in any test runner against any implementation.
 *
 *   for (const { name, run } of storageConformance) test(name, () => run(createMyHarness))
 *
 * The suite speaks about what can be seen through the port and survives a crash. Damage inside the bytes is each
 * implementation's own matter.
 */
import assert from 'node:assert/strict'
import { utf8 } from '../core/bytes.ts'
import { messageOf } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { seededRandom } from '../core/random.ts'
import type { WriteBatch } from '../storage/port.ts'
import { assertAllowed, assertHolds, assertOneOf, cell, define, entry, snapshot } from './storage-kit.ts'
import type { StorageConformanceCase, StorageHarness } from './storage-kit.ts'
import { describeState, randomStep, StorageModel } from './storage-model.ts'
import { snapshotConformance } from './storage-snapshots.ts'

export const storageConformance: readonly StorageConformanceCase[] = [
  define('a new store is empty', async (harness) => {
    const storage = await harness.open()
    assert.equal(describeState(storage.recovered), '')
    assert.equal(storage.recovered.tornBytes, 0)
    await storage.close()
  }),

  define('what was acknowledged is there after a crash', async (harness) => {
    const batches = [cell('vote', 'a'), { entries: [entry(1, 1), entry(2, 1)] }, cell('vote', 'b')]
    const storage = await harness.open()
    for (const batch of batches) await storage.write(batch)
    await harness.crash()
    await (await assertHolds(harness, batches)).close()
  }),

  define('what was acknowledged is there after a clean stop, and after the next one', async (harness) => {
    const batches: WriteBatch[] = []
    for (let round = 1; round <= 4; round++) {
      const storage = await assertHolds(harness, batches)
      batches.push({ ...cell('boot', String(round)), entries: [entry(round, round)] })
      await storage.write(batches.at(-1)!)
      await storage.close()
    }
    await (await assertHolds(harness, batches)).close()
  }),

  define('the last value of a cell wins, also within one batch, and may be empty', async (harness) => {
    const storage = await harness.open()
    await storage.write({
      cells: [
        { name: 'vote', value: utf8('first') },
        { name: 'vote', value: utf8('second') }
      ]
    })
    await storage.write({ cells: [{ name: 'empty.cell-1', value: new Uint8Array() }] })
    await harness.crash()
    const { cells } = (await harness.open()).recovered
    assert.deepEqual(new Map(cells), new Map([['vote', utf8('second')], ['empty.cell-1', new Uint8Array()]])) // prettier-ignore
  }),

  define('entries replace everything from their first index on', async (harness) => {
    const batches = [
      { entries: [entry(1, 1), entry(2, 1), entry(3, 1), entry(4, 1)] },
      { entries: [entry(3, 2, 'new three')] },
      { entries: [entry(4, 2, 'new four'), entry(5, 2)] }
    ]
    const storage = await harness.open()
    for (const batch of batches) await storage.write(batch)
    await harness.crash()
    const { entries } = (await harness.open()).recovered
    assert.deepEqual(entries, [
      entry(1, 1),
      entry(2, 1),
      entry(3, 2, 'new three'),
      entry(4, 2, 'new four'),
      entry(5, 2)
    ])
  }),

  define('a batch whose promise has not settled is there as a whole or not at all', async (harness) => {
    const before = { ...cell('vote', 'old'), entries: [entry(1, 1)] }
    const batch = { ...cell('vote', 'new'), entries: [entry(1, 2), entry(2, 2)] }
    const storage = await harness.open()
    await storage.write(before)
    void storage.write(batch).catch(() => undefined)
    await harness.crash()
    await assertOneOf(harness, [[before], [before, batch]])
  }),

  define('promises resolve in the order of the calls', async (harness) => {
    const storage = await harness.open()
    const order: number[] = []
    const writes = Array.from({ length: 40 }, async (_, i) => {
      await storage.write({ entries: [entry(i + 1, 1)] })
      order.push(i)
    })
    await Promise.all(writes)
    assert.deepEqual(
      order,
      Array.from({ length: 40 }, (_, i) => i)
    )
    await storage.close()
  }),

  define('bytes that the caller changes afterwards are stored as they were', async (harness) => {
    const storage = await harness.open()
    // Buffers: their `slice` copies nothing.
    const value = Buffer.from('before')
    const data = Buffer.from('before')
    const state = Buffer.from('before')
    const written = storage.write({
      cells: [{ name: 'vote', value }],
      snapshot: { index: 1, term: 1, data: state },
      entries: [{ ...entry(2, 1), data }]
    })
    for (const bytes of [value, data, state]) bytes.fill(0)
    await written
    await harness.crash()
    const recovered = (await harness.open()).recovered
    const { cells, snapshot: kept, entries } = recovered
    assert.deepEqual([cells.get('vote'), kept?.data, entries[0]?.data], Array(3).fill(utf8('before')))
  }),

  define('what was recovered does not change while the store is written', async (harness) => {
    const first = await harness.open()
    await first.write({ ...cell('vote', 'a'), entries: [entry(1, 1), entry(2, 1)] })
    await first.close()
    const storage = await harness.open()
    const before = describeState(storage.recovered)
    await storage.write({ ...cell('vote', 'b'), entries: [entry(1, 2)] })
    assert.equal(describeState(storage.recovered), before)
    await storage.close()
  }),

  define('an empty batch waits for all before it', async (harness) => {
    const storage = await harness.open()
    let written = false
    void storage.write(cell('vote', 'a')).then(() => (written = true)) // oxlint-disable-line promise/always-return
    await storage.write({})
    assert.ok(written)
    await storage.close()
  }),

  define('a batch that breaks a rule is refused and changes nothing', async (harness) => {
    const good = { ...cell('vote', 'a'), entries: [entry(1, 1), entry(2, 1)] }
    const bad: Readonly<Record<string, WriteBatch>> = {
      'a gap behind the log': { entries: [entry(4, 1)] },
      'index 0': { entries: [entry(0, 1)] },
      'a gap inside the batch': { entries: [entry(3, 1), entry(5, 1)] },
      'a negative term': { entries: [entry(3, -1)] },
      'half an index': { entries: [entry(2.5, 1)] },
      'half a term': { entries: [entry(3, 1.5)] },
      'a type above 255': { entries: [{ ...entry(3, 1), type: 256 }] },
      'a negative type': { entries: [{ ...entry(3, 1), type: -1 }] },
      'half a type': { entries: [{ ...entry(3, 1), type: 0.5 }] },
      'an empty name': cell('', 'x'),
      'a long name': cell('a'.repeat(33), 'x'),
      'an upper-case name': cell('Vote', 'x'),
      'a good cell beside a bad entry': { ...cell('vote', 'x'), entries: [entry(9, 1)] },
      'a compaction without a snapshot': { compactTo: 1 },
      'a compaction beyond the snapshot': { snapshot: snapshot(1, 1), compactTo: 2 },
      'a compaction to nowhere': { compactTo: -1 },
      'a compaction to half an entry': { snapshot: snapshot(1, 1), compactTo: 0.5 },
      'a snapshot of half an entry': { snapshot: snapshot(1.5, 1) },
      'a snapshot of half a term': { snapshot: snapshot(2, 1.5) },
      'a snapshot of nothing': { snapshot: snapshot(0, 0) },
      'a snapshot of a negative term': { snapshot: snapshot(2, -1) },
      'an entry within the snapshot': { snapshot: snapshot(2, 1), entries: [entry(2, 1)] },
      'an entry that does not join the snapshot of another log': { snapshot: snapshot(7, 2), entries: [entry(3, 1)] }
    }
    const storage = await harness.open()
    await storage.write(good)
    for (const [what, batch] of Object.entries(bad))
      await assert.rejects(storage.write(batch), { name: 'InvariantError' }, what)
    await storage.write({ entries: [entry(3, 1)] })
    await harness.crash()
    await (await assertHolds(harness, [good, { entries: [entry(3, 1)] }])).close()
  }),

  define('close waits for what is queued, can be repeated, and ends writing', async (harness) => {
    const batches = Array.from({ length: 20 }, (_, i) => ({ entries: [entry(i + 1, 1)] }))
    const storage = await harness.open()
    const writes = Promise.all(batches.map((batch) => storage.write(batch)))
    await Promise.all([storage.close(), storage.close()])
    await writes
    await assert.rejects(storage.write(cell('vote', 'late')), { name: 'StorageClosedError' })
    await storage.close()
    await (await assertHolds(harness, batches)).close()
  }),

  ...snapshotConformance,

  define('a failed sync is final', async (harness) => {
    if (harness.failNextSync === undefined) return
    const storage = await harness.open()
    await storage.write(cell('vote', 'a'))
    harness.failNextSync()
    const outcomes = await Promise.allSettled([storage.write(cell('vote', 'b')), storage.write(cell('vote', 'c'))])
    assert.deepEqual(outcomes.map(nameOfOutcome), ['StorageFailedError', 'StorageFailedError'])
    await assert.rejects(storage.write(cell('vote', 'd')), { name: 'StorageFailedError' })
    await storage.close()
    const { cells } = (await harness.open()).recovered
    const vote = Buffer.from(cells.get('vote') ?? []).toString()
    assert.ok(['a', 'b', 'c'].includes(vote), `vote is ${vote}`)
  }),

  define('a large batch and many small ones come back byte for byte', async (harness) => {
    const large = { entries: [{ ...entry(1, 1), data: new Uint8Array(1024 * 1024).map((_, i) => i * 31) }] }
    const small = Array.from({ length: 300 }, (_, i) => ({ entries: [entry(i + 2, 1)] }))
    const storage = await harness.open()
    await Promise.all([large, ...small].map((batch) => storage.write(batch)))
    await harness.crash()
    await (await assertHolds(harness, [large, ...small])).close()
  }),

  define(
    'random batches, stops and crashes leave what was acknowledged and no more than was written',
    async (harness) => {
      for (let seed = 1; seed <= 5; seed++) await randomLives(harness, seededRandom(`storage conformance ${seed}`))
    }
  )
]

/** Acknowledged batches must be there; of those that were still under way at the crash, the first few may be. */
async function randomLives(harness: StorageHarness, random: Random): Promise<void> {
  let settled: StorageModel | undefined
  for (let life = 0; life < 8; life++) {
    const storage = await harness.open()
    // The disk keeps what an earlier seed wrote: the first life takes it as it is.
    settled ??= StorageModel.of(storage.recovered)
    assertAllowed(settled, storage.recovered)
    const written = StorageModel.of(settled)
    const pending: WriteBatch[] = []
    for (let i = random.int(0, 12); i > 0; i--) {
      const batch = randomStep(random, written)
      written.apply(batch)
      pending.push(batch)
      const outcome = storage.write(batch).catch((error: unknown) => messageOf(error))
      if (random.int(0, 1) === 0) {
        assert.equal(await outcome, undefined)
        for (const done of pending.splice(0)) settled.apply(done)
      }
    }
    if (random.int(0, 1) === 0) await storage.close()
    else await harness.crash()
    settled = await survivors(harness, settled, pending)
  }
}

async function survivors(
  harness: StorageHarness,
  settled: StorageModel,
  pending: readonly WriteBatch[]
): Promise<StorageModel> {
  const storage = await harness.open()
  await storage.close()
  for (let kept = pending.length; kept >= 0; kept--) {
    const candidate = StorageModel.after(pending.slice(0, kept), settled)
    if (candidate.allows(storage.recovered)) return candidate
  }
  const state = describeState(storage.recovered)
  throw new assert.AssertionError({ message: `acknowledged batches are missing or others appeared:\n${state}` })
}

const nameOfOutcome = (outcome: PromiseSettledResult<void>): string =>
  outcome.status === 'rejected' && outcome.reason instanceof Error ? outcome.reason.name : outcome.status
