/** Snapshots on disk: in which order, what a failed call leaves, what damage does, and that nothing unneeded stays or is read. */
import { describe, expect, test } from 'vitest'
import { StorageModel, describeState } from '../../src/conformance/storage-model.ts'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import type { QuorateError } from '../../src/core/errors.ts'
import { sha256 } from '../../src/core/hash.ts'
import type { StoredEntry, WriteBatch } from '../../src/storage/port.ts'
import { segmentPath, snapshotPath } from '../../src/storage/wal/directory.ts'
import { createSimulatedDisk, openOn, owner, ownerOf, walDirectory } from './harness.ts'
import { errno, nothing } from './simulated-disk.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

const entry = (index: number, term = 1): StoredEntry => ({ index, term, type: 1, data: utf8(`entry ${index}`) })
const entries = (from: number, to: number): StoredEntry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => entry(from + i))
const snapshotAt = (index: number, term = 1): { snapshot: NonNullable<WriteBatch['snapshot']> } => ({
  snapshot: { index, term, data: utf8(`state at ${index}`) }
})
const vote: WriteBatch = { cells: [{ name: 'vote', value: utf8('for alice') }] }

/** Two snapshots, the log leads from the first to the second. */
const joined: readonly WriteBatch[] = [
  vote,
  { entries: entries(1, 6) },
  { ...snapshotAt(3), compactTo: 2 },
  snapshotAt(5),
  { entries: entries(7, 8) }
]
/** The same, and the log begins behind the first snapshot. */
const compacted: readonly WriteBatch[] = [...joined, { compactTo: 4 }]
/** The log was another one. */
const replaced: readonly WriteBatch[] = [...joined, snapshotAt(20, 3)]

async function diskOf(batches: readonly WriteBatch[], of = owner, segmentBytes = 1 << 20): Promise<SimulatedDisk> {
  const disk = await createSimulatedDisk()
  const log = await openOn(disk, { segmentBytes, owner: of })
  for (const batch of batches) await log.write(batch)
  await log.close()
  return disk
}

const nameOf = (index: number, term: number): string =>
  `a snapshot at ${index} of term ${term} with SHA-256 ${toHex(sha256(utf8(`state at ${index}`))).slice(0, 16)}…`

const expected = (batches: readonly WriteBatch[]): string => describeState(StorageModel.after(batches))

const filesOn = async (disk: SimulatedDisk): Promise<string[]> => [...(await disk.list(walDirectory))].toSorted()

const second = snapshotPath(walDirectory, 2)

const fill = (value: number, at: number) => (bytes: Uint8Array) => bytes.fill(bytes[at]! ^ value, at, at + 1)

describe('the way to disk', () => {
  test('the file is durable, named and read back before the frame that names it; then what is not needed goes', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk, { segmentBytes: 1 << 20 })
    await log.write({ entries: entries(1, 5) })
    await log.write(snapshotAt(2))
    const calls: string[] = []
    disk.fault = (call, path) => void calls.push(`${call} ${path.slice(walDirectory.length + 1)}`)
    await log.write({ ...vote, ...snapshotAt(4), compactTo: 4, entries: [entry(6)] })
    expect(calls).toEqual([
      'create 0000000002.snapshot.tmp',
      'write 0000000002.snapshot.tmp',
      'sync 0000000002.snapshot.tmp',
      'rename 0000000002.snapshot.tmp',
      'syncDirectory ',
      'read 0000000002.snapshot',
      'write 0000000001.wal',
      'sync 0000000001.wal',
      'remove 0000000001.snapshot'
    ])
  })

  test.each(['create', 'write', 'sync', 'rename', 'syncDirectory', 'read', 'remove'])(
    'a %s that fails is final, and what was acknowledged is there',
    async (call) => {
      for (const [code, name] of [
        ['EIO', 'StorageFailedError'],
        ['ENOSPC', 'StorageFullError']
      ] as const) {
        const before = joined.slice(0, 4)
        const disk = await createSimulatedDisk()
        const log = await openOn(disk, { segmentBytes: 1 << 20 })
        for (const batch of before) await log.write(batch)
        const install = { ...snapshotAt(20, 3), compactTo: 20, entries: [entry(21, 4)] }
        let isDone = false
        disk.fault = (made, path) => {
          if (made !== call || isDone || (made === 'write' && path.endsWith('.wal'))) return undefined
          isDone = true
          return { error: errno(code), keep: 30 }
        }
        const outcomes = await Promise.allSettled([log.write(install), log.write(vote)])
        const reasons = outcomes.map((o) => o.status === 'rejected' && (o.reason as QuorateError))
        const details = { file: expect.stringMatching(call === 'remove' ? /1\.wal$/ : /3\.snapshot$/) as string }
        const failed = { name: call === 'read' ? 'StorageFailedError' : name, details }
        expect(reasons).toMatchObject([failed, failed])
        await expect(log.write(vote)).rejects.toThrow()
        await log.close()
        disk.fault = () => undefined
        const allowed = [expected(before), expected([...before, install]), expected([...before, install, vote])]
        for (const after of [disk.clone(), disk.afterPowerCut(nothing, 0)]) {
          const state = describeState((await openOn(after)).recovered)
          expect(call === 'remove' ? allowed.slice(1) : allowed.slice(0, 1)).toContain(state)
          expect((await filesOn(after)).filter((file) => file.endsWith('.tmp'))).toEqual([])
        }
      }
    }
  )

  test('a batch that waits beside a large snapshot does not wait for it', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk, { segmentBytes: 1 << 20 })
    await log.write({ entries: entries(1, 5) })
    const { frames } = log.stats()
    const order: string[] = []
    disk.fault = (call, path) => void (call === 'sync' && order.push(path.slice(-8)))
    const large = { index: 4, term: 1, data: new Uint8Array(1 << 20) }
    await Promise.all([log.write(vote), log.write({ snapshot: large })])
    expect([log.stats().frames - frames, order]).toEqual([2, ['0001.wal', 'shot.tmp', '0001.wal']])
  })

  test('a snapshot that reads back as something else is not named by any frame', async () => {
    const disk = await diskOf(joined.slice(0, 3))
    const log = await openOn(disk)
    disk.onChange = (call) => call === 'syncDirectory' && disk.edit(second, fill(1, 325))
    await expect(log.write(snapshotAt(5))).rejects.toMatchObject({
      name: 'StorageFailedError',
      details: { operation: 'reading back', file: second }
    })
    disk.onChange = () => undefined
    expect(describeState((await openOn(disk)).recovered)).toBe(expected(joined.slice(0, 3)))
  })
})

describe('damage', () => {
  test('every flipped bit of the newest snapshot is found; the one before it stands in while the log leads on from there', async () => {
    const [way, noWay, other] = [await diskOf(joined), await diskOf(compacted), await diskOf(replaced)]
    const { cells, entries: log } = StorageModel.after(joined)
    const passedOver = describeState({ cells, ...snapshotAt(3), entries: log })
    for (let at = 0; at < way.content(second).byteLength; at++) {
      const bit = 1 << (at % 8)
      const rotten = way.clone()
      rotten.edit(second, fill(bit, at))
      const { recovered } = await openOn(rotten)
      expect(describeState(recovered)).toBe(passedOver)
      expect(recovered.skippedSnapshot).toContain('0000000002.snapshot is damaged')
      for (const [disk, path] of [
        [noWay, second],
        [other, snapshotPath(walDirectory, 3)]
      ] as const) {
        // prettier-ignore
        const refused = disk.clone()
        refused.edit(path, fill(bit, at))
        await expect(openOn(refused)).rejects.toMatchObject({ name: 'StorageCorruptError', details: { file: path } })
        expect(await filesOn(refused)).toEqual(await filesOn(disk))
      }
    }
  })

  test.each([
    { what: 'is missing', reason: 'it is missing', change: (disk: SimulatedDisk) => disk.remove(second) },
    {
      what: 'is cut short',
      reason: 'it holds 9 bytes of 10',
      change: async (disk: SimulatedDisk) => disk.edit(second, (bytes) => bytes.slice(0, -1))
    },
    {
      what: 'is longer',
      reason: 'it holds 11 bytes of 10',
      change: async (disk: SimulatedDisk) => disk.edit(second, (b) => Uint8Array.of(...b, 0))
    },
    {
      what: 'has another byte',
      reason: 'its SHA-256 does not match',
      change: async (disk: SimulatedDisk) => disk.edit(second, fill(1, 325))
    },
    {
      what: 'is empty',
      reason: '0 bytes cannot hold the header of a snapshot',
      change: async (disk: SimulatedDisk) => disk.edit(second, () => new Uint8Array())
    }
  ])('a snapshot that $what is damage', async ({ reason, change }) => {
    const [way, noWay] = [await diskOf(joined), await diskOf(compacted)]
    for (const disk of [way, noWay]) await change(disk)
    expect((await openOn(way)).recovered.snapshot?.index).toBe(3)
    const error = { name: 'StorageCorruptError', details: { file: second, reason } }
    await expect(openOn(noWay)).rejects.toMatchObject(error)
  })

  test('a snapshot that was passed over is not looked at again, and a later one may lie before it', async () => {
    const disk = await diskOf(joined)
    disk.edit(second, fill(1, 325))
    const log = await openOn(disk)
    expect(await filesOn(disk)).toEqual(['0000000001.snapshot', '0000000001.wal'])
    await log.write({ ...snapshotAt(4), compactTo: 4 })
    await log.close()
    const { recovered } = await openOn(disk.afterPowerCut(nothing, 0))
    expect(describeState(recovered)).toBe(
      expected([...joined.slice(0, 3), ...joined.slice(4), { ...snapshotAt(4), compactTo: 4 }])
    )
    expect(recovered.skippedSnapshot).toBeUndefined()
  })

  test('when both are damaged nothing is believed', async () => {
    const disk = await diskOf(joined)
    for (const number of [1, 2]) disk.edit(snapshotPath(walDirectory, number), fill(1, 325))
    await expect(openOn(disk)).rejects.toMatchObject({ name: 'StorageCorruptError' })
  })

  test.each([
    { what: 'of another node', details: { what: 'node' }, from: () => diskOf(joined, ownerOf('mallory')), number: 2 },
    { what: 'that is older', details: { what: 'place in the log' }, from: () => diskOf(joined), number: 1 },
    {
      what: 'of the same number and another content',
      details: { what: 'history' },
      from: () => diskOf([...joined.slice(0, 3), snapshotAt(6)]),
      number: 2
    },
    {
      what: 'of the same number and data, of another entry',
      details: { what: 'history' },
      from: () => diskOf([...joined.slice(0, 3), { snapshot: { ...snapshotAt(5).snapshot, index: 6 } }]),
      number: 2
    },
    {
      what: 'of the same number, data and entry, of another term',
      details: { what: 'history', expected: nameOf(5, 1), found: nameOf(5, 2) },
      from: () => diskOf([...joined.slice(0, 3), snapshotAt(5, 2)]),
      number: 2
    },
    { what: 'that is a segment', details: { what: 'kind' }, from: () => diskOf(joined), number: 0 }
  ])('a file $what in its place is refused, also when there is another way', async ({ details, from, number }) => {
    const source = await from()
    const path = number === 0 ? segmentPath(walDirectory, 1) : snapshotPath(walDirectory, number)
    const disk = await diskOf(joined)
    disk.edit(second, () => source.content(path).slice())
    await expect(openOn(disk)).rejects.toMatchObject({ name: 'StorageForeignError', details })
  })
})

describe('what is kept, and what is read', () => {
  /** A long life: entries, and now and then a snapshot that keeps the last ten of them. */
  async function longLife(rounds: number) {
    const disk = await createSimulatedDisk()
    const removed = new Map<string, Uint8Array>()
    disk.fault = (call, path) => {
      if (call === 'remove' && !path.endsWith('empty')) removed.set(path, disk.content(path).slice())
      return undefined
    }
    const log = await openOn(disk)
    const batches: WriteBatch[] = [vote]
    await log.write(vote)
    let most = 0
    for (let i = 1; i <= rounds; i++) {
      const batch: WriteBatch = {
        ...(i % 20 === 0 && { ...snapshotAt(i - 1), compactTo: Math.max(0, i - 11) }),
        entries: [{ ...entry(i), data: new Uint8Array(100).fill(i) }]
      }
      batches.push(batch)
      await log.write(batch)
      most = Math.max(most, (await filesOn(disk)).length)
    }
    await log.close()
    return { disk, batches, most, removed }
  }

  test('a long life leaves few files, and opening reads no others', async () => {
    const [short, long] = [await longLife(200), await longLife(800)]
    expect(long.most).toBe(short.most)
    expect(long.most).toBeLessThan(9)
    const read: string[] = []
    long.disk.fault = (call, path) => void (call === 'read' && read.push(path))
    expect(describeState((await openOn(long.disk)).recovered)).toBe(expected(long.batches))
    expect(new Set(read).size).toBeLessThan(5)
  })

  test('the third snapshot lets the first go, and a compaction alone the one that it leaves behind', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk, { segmentBytes: 1 << 20 })
    const snapshots = async (): Promise<string[]> => (await filesOn(disk)).filter((file) => file.endsWith('.snapshot'))
    await log.write({ entries: entries(1, 9) })
    for (const index of [2, 4, 6]) await log.write(snapshotAt(index))
    expect(await snapshots()).toEqual(['0000000002.snapshot', '0000000003.snapshot'])
    await log.write({ compactTo: 4 })
    expect(await snapshots()).toEqual(['0000000002.snapshot', '0000000003.snapshot'])
    await log.write({ compactTo: 5 })
    expect(await snapshots()).toEqual(['0000000003.snapshot'])
  })

  test('a compaction alone lets the segments before it go', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk)
    for (let i = 1; i <= 120; i++) await log.write({ entries: [{ ...entry(i), data: new Uint8Array(200) }] })
    await log.write(snapshotAt(120))
    const before = await filesOn(disk)
    await log.write({ compactTo: 119 })
    const after = await filesOn(disk)
    expect(before.length - after.length).toBeGreaterThan(4)
    await log.write({ compactTo: 120 })
    expect((await filesOn(disk)).filter((file) => file.endsWith('.wal'))).toHaveLength(1)
  })

  test('what was recovered stays in memory for as long as it is on disk', async () => {
    const log = await openOn(await diskOf(joined))
    const summary = (): unknown => [log.recovered.snapshot?.index, log.recovered.entries.map(({ index }) => index)]
    await log.write({ ...vote, entries: [entry(9)] })
    expect(summary()).toEqual([5, [3, 4, 5, 6, 7, 8]])
    await log.write({ compactTo: 4 })
    expect(summary()).toEqual([5, [5, 6, 7, 8]])
    await log.write(snapshotAt(20, 3))
    expect(summary()).toEqual([undefined, []])
  })

  test('every file that is opened is closed, also when a call fails', async () => {
    for (const call of ['', 'write', 'sync', 'rename', 'syncDirectory']) {
      const disk = await createSimulatedDisk()
      const log = await openOn(disk)
      for (const batch of joined) await log.write(batch)
      expect(disk.openFiles).toBe(1)
      disk.fault = (made, path) => (made === call && !path.endsWith('.wal') ? { error: errno('EIO') } : undefined)
      await log.write({ ...snapshotAt(20, 3), entries: entries(21, 40) }).catch(() => undefined)
      await log.close()
      expect([call, disk.openFiles]).toEqual([call, 0])
    }
  })

  test.each([
    { what: 'all', isBack: () => true },
    { what: 'some', isBack: (turn: number) => turn % 4 > 0 }
  ])(
    'files whose removal did not survive the crash ($what of them) are not read, and removed again',
    async ({ isBack }) => {
      const { disk, batches, removed } = await longLife(300)
      const kept = await filesOn(disk)
      expect(removed.size).toBeGreaterThan(10)
      let turn = 0
      for (const [path, bytes] of removed) {
        if (!isBack(turn++)) continue
        await (await disk.create(path)).close()
        disk.edit(path, () => bytes)
      }
      const read = new Set<string>()
      disk.fault = (call, path) => void (call === 'read' && read.add(path))
      expect(describeState((await openOn(disk)).recovered)).toBe(expected(batches))
      expect(read.size).toBeLessThan(kept.length + 3)
      expect((await filesOn(disk)).filter((file) => !kept.includes(file))).toEqual([])
    }
  )

  test('a segment that is needed and not there is named', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk)
    for (let i = 1; i <= 120; i++) await log.write({ entries: [{ ...entry(i), data: new Uint8Array(200) }] })
    await log.write({ ...snapshotAt(60), compactTo: 50 })
    await log.close()
    const first = (await filesOn(disk)).find((file) => file.endsWith('.wal'))!
    await disk.remove(`${walDirectory}/${first}`)
    await expect(openOn(disk)).rejects.toMatchObject({
      name: 'StorageCorruptError',
      details: { file: `${walDirectory}/${first}`, reason: expect.stringContaining('entries from 51 on') as string }
    })
  })

  test('a checkpoint longer than what is read of a head is found all the same', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk, { segmentBytes: 200_000 })
    const certificate = { cells: [{ name: 'certificate', value: new Uint8Array(100_000).fill(7) }] }
    const batches: WriteBatch[] = [certificate]
    await log.write(certificate)
    for (let i = 1; i <= 40; i++) batches.push({ entries: [{ ...entry(i), data: new Uint8Array(20_000) }] })
    batches.push({ ...snapshotAt(40), compactTo: 39 }, { entries: [entry(41)] })
    for (const batch of batches.slice(1)) await log.write(batch)
    await log.close()
    expect(describeState((await openOn(disk)).recovered)).toBe(expected(batches))
  })
})
