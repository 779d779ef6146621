/** Snapshots and compaction, and that both are one step with the entries of their batch. */
import assert from 'node:assert/strict'
import type { WriteBatch } from '../storage/port.ts'
import { assertHolds, assertOneOf, cell, define, entry, snapshot } from './storage-kit.ts'
import type { StorageConformanceCase } from './storage-kit.ts'
import { StorageModel } from './storage-model.ts'
import type { StoredState } from './storage-model.ts'

const fiveEntries: WriteBatch = { entries: [1, 2, 3, 4, 5].map((index) => entry(index, 1)) }

/** Batches, and what they leave of the log: `<snapshot index>/<its term> <entries that must be there>`. */
const snapshotStories: Readonly<Record<string, { batches: readonly WriteBatch[]; left: string }>> = {
  'a snapshot of an entry in the log leaves the log': {
    batches: [fiveEntries, { snapshot: snapshot(3, 1) }],
    left: '3/1 1 2 3 4 5'
  },
  'entries up to compactTo may go, also later than their snapshot': {
    batches: [fiveEntries, { snapshot: snapshot(4, 1) }, { compactTo: 2 }],
    left: '4/1 3 4 5'
  },
  'a log may be compacted to its end, and goes on': {
    batches: [fiveEntries, { snapshot: snapshot(5, 1), compactTo: 5 }, { entries: [entry(6, 2), entry(7, 2)] }],
    left: '5/1 6 7'
  },
  'a snapshot beyond the log replaces it': {
    batches: [fiveEntries, { snapshot: snapshot(9, 3) }],
    left: '9/3'
  },
  'a snapshot of another term replaces the log, also entries behind it': {
    batches: [fiveEntries, { snapshot: snapshot(3, 2) }],
    left: '3/2'
  },
  'snapshot, compaction and entries of one batch come in this order': {
    batches: [fiveEntries, { entries: [entry(10, 4), entry(11, 4)], compactTo: 9, snapshot: snapshot(9, 3) }],
    left: '9/3 10 11'
  },
  'a snapshot of a log that was compacted before': {
    batches: [fiveEntries, { snapshot: snapshot(2, 1), compactTo: 2 }, { snapshot: snapshot(4, 1) }, { compactTo: 3 }],
    left: '4/1 4 5'
  },
  'the suffix behind a snapshot can be replaced': {
    batches: [fiveEntries, { snapshot: snapshot(3, 1), compactTo: 1 }, { entries: [entry(4, 2, 'new four')] }],
    left: '3/1 2 3 4'
  },
  'a compaction that was overtaken changes nothing': {
    batches: [fiveEntries, { snapshot: snapshot(4, 1), compactTo: 3 }, { compactTo: 1 }, { entries: [entry(6, 1)] }],
    left: '4/1 4 5 6'
  },
  'a snapshot may be empty': {
    batches: [fiveEntries, { snapshot: snapshot(5, 1, '') }],
    left: '5/1 1 2 3 4 5'
  }
}

function summaryOf({ snapshot: kept, entries }: StoredState): string {
  return [`${kept?.index}/${kept?.term}`, ...entries.map(({ index }) => index)].join(' ')
}

export const snapshotConformance: readonly StorageConformanceCase[] = [
  ...Object.entries(snapshotStories).map(([name, { batches, left }]) =>
    define(name, async (harness) => {
      assert.equal(summaryOf(StorageModel.after(batches)), left)
      const storage = await harness.open()
      for (const batch of batches) await storage.write(batch)
      await harness.crash()
      const again = await assertHolds(harness, batches)
      const more = [{ entries: [entry(StorageModel.after(batches).lastIndex + 1, 9)] }, cell('vote', 'later')]
      for (const batch of more) await again.write(batch)
      await again.close()
      await (await assertHolds(harness, [...batches, ...more])).close()
    })
  ),

  define('a snapshot that replaces the log is there with its entries, or neither is', async (harness) => {
    const before = { ...cell('vote', 'old'), ...fiveEntries }
    const install = { ...cell('vote', 'new'), snapshot: snapshot(9, 3), compactTo: 9, entries: [entry(10, 4)] }
    const storage = await harness.open()
    await storage.write(before)
    void storage.write(install).catch(() => undefined)
    await harness.crash()
    await assertOneOf(harness, [[before], [before, install]])
  }),

  define('many snapshots, each of which lets the log before it go', async (harness) => {
    const batches = Array.from({ length: 30 }, (_, i): WriteBatch => {
      const [from, to] = [i * 4 + 1, i * 4 + 4]
      const entries = [0, 1, 2, 3].map((step) => entry(from + step, i))
      return i === 0
        ? { entries }
        : { snapshot: snapshot(from - 1, i - 1, `s${to}`.repeat(40)), compactTo: from - 3, entries }
    })
    for (let life = 0; life < 3; life++) {
      const storage = await assertHolds(harness, batches.slice(0, life * 10))
      await Promise.all(batches.slice(life * 10, life * 10 + 10).map((batch) => storage.write(batch)))
      await harness.crash()
    }
    await (await assertHolds(harness, batches)).close()
  }),

  define('a snapshot that does not lie beyond the newest is refused', async (harness) => {
    const storage = await harness.open()
    for (const batch of [fiveEntries, { snapshot: snapshot(3, 1) }]) await storage.write(batch)
    for (const index of [2, 3]) {
      await assert.rejects(storage.write({ snapshot: snapshot(index, 1) }), { name: 'InvariantError' })
    }
    await storage.write({ snapshot: snapshot(4, 1) })
    await storage.close()
  })
]
