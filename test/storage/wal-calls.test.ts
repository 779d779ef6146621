/** The calls of a log from its birth to its end, one by one, and the numbers that it tells. */
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { InvariantError } from '../../src/core/invariant.ts'
import type { FileSystem, OpenFile } from '../../src/storage/file-system.ts'
import type { StoredEntry, WriteBatch } from '../../src/storage/port.ts'
import { segmentPath } from '../../src/storage/wal/directory.ts'
import { openWalStorage } from '../../src/storage/wal/wal.ts'
import { createSimulatedDisk, openOn, owner, walDirectory } from './harness.ts'
import { errno } from './simulated-disk.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

const vote = (text: string): WriteBatch => ({ cells: [{ name: 'vote', value: utf8(text) }] })
const entries = (from: number, to: number, bytes = 1): StoredEntry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ index: from + i, term: 1, type: 0, data: new Uint8Array(bytes) }))
const snapshotAt = (index: number): WriteBatch => ({ snapshot: { index, term: 1, data: utf8(`at ${index}`) } })

/** The calls on the disk from now on, without the directory and the zeros of a number. */
function watch(disk: SimulatedDisk): () => string[] {
  const calls: string[] = []
  disk.fault = (call, path) => void calls.push(`${call} ${path.slice(walDirectory.length).replace(/^\/0*/, '')}`.trim())
  return () => calls.splice(0)
}

const first = segmentPath(walDirectory, 1)
const namesOn = async (disk: SimulatedDisk): Promise<string[]> => [...(await disk.list(walDirectory))].toSorted()

/** The disk, with other files on it. */
const withFiles = (disk: SimulatedDisk, change: (file: OpenFile) => Partial<OpenFile>): FileSystem =>
  new Proxy<FileSystem>(disk, {
    get(target, name) {
      if (name === 'open' || name === 'create') {
        return async (path: string) => {
          const file = await disk[name](path)
          return { ...file, ...change(file) }
        }
      }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    }
  })

/** Files that cannot be closed. */
const stuck = (disk: SimulatedDisk): FileSystem =>
  withFiles(disk, (file) => ({ close: () => file.close().then(() => Promise.reject(errno('EIO'))) }))

describe('opening', () => {
  test('for the first time makes a segment and takes the mark away', async () => {
    const disk = await createSimulatedDisk()
    const calls = watch(disk)
    const log = await openOn(disk)
    expect(calls()).toEqual([
      'list',
      'create 1.wal.tmp',
      'write 1.wal.tmp',
      'sync 1.wal.tmp',
      'rename 1.wal.tmp',
      'syncDirectory',
      'remove empty',
      'syncDirectory'
    ])
    expect(log.recovered).toEqual({
      cells: new Map(),
      snapshot: undefined,
      entries: [],
      tornBytes: 0,
      skippedSnapshot: undefined
    })
  })

  test('again reads it, writes its last frame, and nothing else', async () => {
    const disk = await createSimulatedDisk()
    await (await openOn(disk)).write(vote('a'))
    const calls = watch(disk)
    const log = await openOn(disk)
    const again = ['read 1.wal', 'open 1.wal', 'write 1.wal', 'truncate 1.wal', 'sync 1.wal', 'syncDirectory']
    expect(calls()).toEqual(['list', 'read 1.wal', ...again])
    expect(log.stats()).toEqual({ frames: 0, batches: 0, bytes: 0, segment: 1, queuedBatches: 0, queuedBytes: 0 })
  })

  test('of a log whose birth was not finished takes the mark away, and keeps what there is', async () => {
    const disk = await createSimulatedDisk()
    disk.fault = (call, path) => (call === 'remove' && path.endsWith('empty') ? { error: errno('EIO') } : undefined)
    await expect(openOn(disk)).rejects.toMatchObject({ name: 'StorageFailedError' })
    disk.fault = () => undefined
    expect(await namesOn(disk)).toEqual(['0000000001.wal', 'empty'])
    await (await openOn(disk)).write(vote('a'))
    expect(await namesOn(disk)).toEqual(['0000000001.wal'])
  })

  test('that fails says where, with the free space, and closes what it opened', async () => {
    const disk = await createSimulatedDisk()
    await (await openOn(disk)).close()
    disk.free = 5
    for (const fileSystem of [disk, stuck(disk)]) {
      disk.fault = (call) => (call === 'truncate' ? { error: errno('ENOSPC') } : undefined)
      await expect(openOn(disk, { fileSystem })).rejects.toMatchObject({
        name: 'StorageFullError',
        details: { operation: 'opening', file: walDirectory, freeBytes: 5 }
      })
      expect(disk.openFiles).toBe(0)
    }
  })

  test('is for an owner of the right shape', async () => {
    const disk = await createSimulatedDisk()
    await expect(openOn(disk, { owner: { ...owner, peerId: '' } })).rejects.toThrow('peerId has 0 bytes')
  })
})

describe('writing', () => {
  test('goes in segments of 16 MiB and steps of 256 KiB when nothing else was asked for', async () => {
    const disk = await createSimulatedDisk()
    let length = 0
    // The bytes themselves are not kept: they are many.
    const measured = withFiles(disk, () => ({
      write: async (bytes, position) => void (length = Math.max(length, position + bytes.byteLength))
    }))
    const log = await openWalStorage({ directory: walDirectory, owner, fileSystem: measured })
    await log.write(vote('a'))
    expect(length).toBe(256 * 1024)
    const half = 8 * 1024 * 1024
    const large = (bytes: number): WriteBatch => ({ cells: [{ name: 'large', value: new Uint8Array(bytes) }] })
    await log.write(large(half))
    await log.write(large(half - 1000))
    expect([log.stats().segment, length]).toEqual([1, 2 * half])
    await log.write(large(1000))
    expect(log.stats().segment).toBe(2)
  })

  test('counts frames, batches and bytes, and what waits', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk, { segmentBytes: 1 << 20 })
    const cellBytes = 6 + 4 + 1
    await log.write(vote('a'))
    expect(log.stats()).toEqual({
      frames: 1,
      batches: 1,
      bytes: 45 + cellBytes,
      segment: 1,
      queuedBatches: 0,
      queuedBytes: 0
    })
    const waiting = [vote('b'), { entries: entries(1, 3) }, snapshotAt(2)].map((batch) => log.write(batch))
    const snapshotFileBytes = 320 + 4
    const queuedBytes = cellBytes + 3 * 23 + 66 + snapshotFileBytes
    expect(log.stats()).toMatchObject({ frames: 1, queuedBatches: 3, queuedBytes })
    await Promise.all(waiting)
    const bytes = 2 * 45 + 2 * cellBytes + 3 * 23 + 66
    expect(log.stats()).toEqual({ frames: 2, batches: 4, bytes, segment: 1, queuedBatches: 0, queuedBytes: 0 })
  })

  test('the last value of a cell is what the next segment restates', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk, { segmentBytes: 400, growBytes: 0 })
    await Promise.all([log.write(vote('a')), log.write(vote('b')), log.write({ entries: entries(1, 2, 40) })])
    await log.write({ entries: entries(3, 4, 40) })
    expect(log.stats().segment).toBe(2)
    await log.close()
    const { recovered } = await openOn(disk)
    expect([Buffer.from(recovered.cells.get('vote')!).toString(), recovered.entries.length]).toEqual(['b', 4])
  })

  test('with a snapshot begins a segment as soon as a sixteenth of the one at hand is written', async () => {
    for (const [used, segment] of [
      [0, 1],
      [470, 1],
      [471, 2]
    ] as const) {
      const disk = await createSimulatedDisk()
      const log = await openOn(disk, { segmentBytes: 16_000, growBytes: 0 })
      await log.write({ ...vote('x'.repeat(used)), entries: entries(1, 2) })
      await log.write(snapshotAt(1))
      expect([used, log.stats().segment]).toEqual([used, segment])
    }
  })

  test('what moves no base and brings no snapshot removes nothing', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk)
    await log.write({ entries: entries(1, 4) })
    await log.write(snapshotAt(2))
    const recovered = log.recovered
    for (const batch of [vote('a'), { entries: entries(5, 5) }, { compactTo: 0 }]) await log.write(batch)
    expect(log.recovered).toBe(recovered)
    await log.write({ compactTo: 1 })
    expect(log.recovered).not.toBe(recovered)
  })

  test('a bug of ours that shows while a group is written is said as it is', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk)
    const bug = new InvariantError('for this test')
    disk.fault = (call) => (call === 'write' ? { error: bug } : undefined)
    await expect(log.write(vote('a'))).rejects.toBe(bug)
    await expect(log.write(vote('b'))).rejects.toBe(bug)
  })
})

describe('snapshots on disk', () => {
  test('have numbers that rise over all lives, also beyond one that nothing names', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk, { segmentBytes: 1 << 20 })
    await log.write({ entries: entries(1, 9) })
    await log.write(snapshotAt(2))
    await log.close()
    await (await disk.create(`${walDirectory}/0000000007.snapshot`)).close()
    const again = await openOn(disk, { segmentBytes: 1 << 20 })
    expect(await namesOn(disk)).toEqual(['0000000001.snapshot', '0000000001.wal'])
    await again.write(snapshotAt(3))
    expect(await namesOn(disk)).toEqual(['0000000001.snapshot', '0000000001.wal', '0000000008.snapshot'])
  })
})

describe('closing', () => {
  test('seals the log once, whoever asks how often, and waits for what is written', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk)
    const calls = watch(disk)
    const written = log.write(vote('a'))
    const closed = log.close()
    expect(log.close()).toBe(closed)
    await Promise.all([written, closed])
    expect([calls(), disk.openFiles]).toEqual([['write 1.wal', 'sync 1.wal', 'write 1.wal', 'sync 1.wal'], 0])
    await expect(log.write(vote('b'))).rejects.toMatchObject({ name: 'StorageClosedError' })
    expect(log.stats()).toMatchObject({ frames: 2, batches: 1 })
    const again = await openOn(disk)
    calls()
    await again.close()
    expect(calls()).toEqual([])
  })

  test('is not stopped by a seal that cannot be written, or a file that cannot be closed', async () => {
    const disk = await createSimulatedDisk()
    for (const fileSystem of [disk, stuck(disk)]) {
      disk.fault = () => undefined
      const log = await openOn(disk, { fileSystem })
      await log.write(vote('a'))
      disk.fault = (call) => (call === 'write' ? { error: errno('EIO') } : undefined)
      await log.close()
      expect(disk.openFiles).toBe(0)
    }
    disk.fault = () => undefined
    expect((await openOn(disk)).recovered.cells.get('vote')).toEqual(utf8('a'))
  })

  test('after a failed write leaves the disk alone', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk)
    disk.fault = (call) => (call === 'sync' ? { error: errno('EIO') } : undefined)
    await expect(log.write(vote('a'))).rejects.toMatchObject({
      name: 'StorageFailedError',
      details: { operation: 'writing', file: first, errno: 'EIO' }
    })
    const calls = watch(disk)
    await log.close()
    expect([calls(), disk.openFiles]).toEqual([[], 0])
  })
})
