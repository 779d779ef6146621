/** The calls by which a segment comes to be and grows, and what stands in it then. */
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import type { FileSystem, OpenFile } from '../../src/storage/file-system.ts'
import { segmentPath } from '../../src/storage/wal/directory.ts'
import { frameBytes, segmentHeaderBytes } from '../../src/storage/wal/format.ts'
import { encodeBatch } from '../../src/storage/wal/items.ts'
import { startOfLog } from '../../src/storage/wal/position.ts'
import { Replay } from '../../src/storage/wal/recover.ts'
import { SegmentWriter } from '../../src/storage/wal/segment-writer.ts'
import { createSimulatedDisk, owner, walDirectory } from './harness.ts'
import { nothing } from './simulated-disk.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

const first = segmentPath(walDirectory, 1)
const second = segmentPath(walDirectory, 2)

/** A body whose frame has this many bytes. */
const bodyOf = (bytes: number): readonly Uint8Array[] => [
  encodeBatch({ cells: [{ name: 'v', value: new Uint8Array(bytes - 45 - 7).fill(7) }] })
]

interface Setup {
  readonly disk: SimulatedDisk
  readonly writer: SegmentWriter
  /** `write 1.wal.tmp 0+300`, and so on, since they were asked for last. */
  calls(): string[]
}

async function setup({
  segmentBytes = 4096,
  growBytes = 1024,
  on = undefined as SimulatedDisk | undefined
} = {}): Promise<Setup> {
  const disk = on ?? (await createSimulatedDisk())
  let calls: string[] = []
  const short = (path: string): string => path.replace(/^.*\/0*/, '')
  const watch = (path: string, file: OpenFile): OpenFile => ({
    write: (bytes, position) => (
      calls.push(`write ${short(path)} ${position}+${bytes.byteLength}`),
      file.write(bytes, position)
    ),
    sync: () => (calls.push(`sync ${short(path)}`), file.sync()),
    truncate: (length) => (calls.push(`truncate ${short(path)} ${length}`), file.truncate(length)),
    close: () => (calls.push(`close ${short(path)}`), file.close())
  })
  const fileSystem: FileSystem = {
    ...forwarding(disk),
    async create(path, mode, options) {
      calls.push(`create ${short(path)} ${mode.toString(8)} ${JSON.stringify(options)}`)
      return watch(path, await disk.create(path))
    },
    async open(path, options) {
      calls.push(`open ${short(path)} ${JSON.stringify(options)}`)
      return watch(path, await disk.open(path))
    },
    rename: (from, to) => (calls.push(`rename ${short(from)} ${short(to)}`), disk.rename(from, to)),
    syncDirectory: (path) => (calls.push(`syncDirectory ${short(path)}`), disk.syncDirectory(path))
  }
  return {
    disk,
    writer: new SegmentWriter({ directory: walDirectory, owner, fileSystem, segmentBytes, growBytes }),
    calls: () => calls.splice(0)
  }
}

const forwarding = (disk: SimulatedDisk): FileSystem => ({
  list: (path) => disk.list(path),
  read: (path, bytesMax) => disk.read(path, bytesMax),
  create: (path) => disk.create(path),
  open: (path) => disk.open(path),
  rename: (from, to) => disk.rename(from, to),
  remove: (path) => disk.remove(path),
  makeDirectory: (path) => disk.makeDirectory(path),
  syncDirectory: (path) => disk.syncDirectory(path),
  freeBytes: () => disk.freeBytes()
})

/** What a machine that lost power now reads in the segments up to `last`. */
function replayed(disk: SimulatedDisk, last = 1): Replay {
  const replay = new Replay(owner)
  for (let segment = 1; segment <= last; segment++) {
    const path = segmentPath(walDirectory, segment)
    const bytes = disk.afterPowerCut(nothing, 0).content(path)
    replay.read({ path, segment, bytes }, segment === last)
  }
  return replay
}

const cells = new Map([['a', utf8('one')]])
/** Header, and a checkpoint at the start of the log without cells. */
const emptyBytes = segmentHeaderBytes + 45 + 17

describe('a segment', () => {
  test('has its name when header and checkpoint are durable; the one before it is closed', async () => {
    const { disk, writer, calls } = await setup()
    await writer.start(startOfLog, cells)
    const size = emptyBytes + 6 + 1 + 3
    expect(calls()).toEqual([
      'create 1.wal.tmp 600 {"syncedWrites":true}',
      `write 1.wal.tmp 0+${size}`,
      'sync 1.wal.tmp',
      'rename 1.wal.tmp 1.wal',
      'syncDirectory wal'
    ])
    expect([writer.number, writer.path, writer.lastKind]).toEqual([1, first, 'checkpoint'])
    const { state, tail } = replayed(disk)
    expect([[...state.cells], tail.start, tail.end]).toEqual([[...cells], size, size])
    await writer.append('batch', bodyOf(100))
    calls()
    await writer.start({ ...startOfLog, lastIndex: 0 }, new Map([...cells, ['v', new Uint8Array(48).fill(7)]]))
    expect(calls().slice(0, 3)).toEqual([
      'create 2.wal.tmp 600 {"syncedWrites":true}',
      'close 1.wal.tmp',
      `write 2.wal.tmp 0+${size + 55}`
    ])
    expect([writer.number, writer.path, writer.lastKind, disk.openFiles]).toEqual([2, second, 'checkpoint', 1])
    expect(replayed(disk, 2).tail.sequence).toBe(4)
  })

  test('grows by frames, each one write and one sync, behind the one before', async () => {
    const { disk, writer, calls } = await setup({ growBytes: 0 })
    await writer.start(startOfLog, new Map())
    calls()
    let end = emptyBytes
    for (const bytes of [100, 60, 20_000, 30_000, 61]) {
      expect(await writer.append('batch', bodyOf(bytes))).toBe(bytes)
      expect(calls()).toEqual([`write 1.wal.tmp ${end}+${bytes}`, 'sync 1.wal.tmp'])
      end += bytes
      expect(replayed(disk).tail.end).toBe(end)
    }
    expect(await writer.append('seal', [])).toBe(45)
    expect([writer.lastKind, replayed(disk).tail.sequence]).toEqual(['seal', 8])
  })

  test('is written ahead in steps, up to its size, and beyond it no further than a frame goes', async () => {
    const { disk, writer, calls } = await setup({ segmentBytes: 2500, growBytes: 1024 })
    await writer.start(startOfLog, new Map())
    calls()
    const lengths: [number, number][] = []
    let at = emptyBytes
    for (const bytes of [60, 1024 - emptyBytes - 60, 60, 1400, 60, 60]) {
      await writer.append('batch', bodyOf(bytes))
      const [position, length] = calls()[0]!.split(' ')[2]!.split('+').map(Number)
      expect(position).toBe(at)
      lengths.push([length!, disk.content(first).byteLength])
      at += bytes
    }
    expect(lengths).toEqual([
      [1024 - emptyBytes, 1024],
      [1024 - emptyBytes - 60, 1024],
      [1024, 2048],
      [2500 - 1084, 2500],
      [60, 2544],
      [60, 2604]
    ])
    const { tail } = replayed(disk)
    expect([tail.end, tail.sequence]).toEqual([at, 8])
  })

  test('takes frames of any size into space that is written already, and nothing of an earlier one with them', async () => {
    const { disk, writer, calls } = await setup({ segmentBytes: 1 << 20, growBytes: 1 << 18 })
    await writer.start(startOfLog, new Map())
    await writer.append('batch', bodyOf(60))
    calls()
    for (const bytes of [40_000, 100, 16_384, 16_385, 32_768, 65_536, 70]) {
      await writer.append('batch', bodyOf(bytes))
      expect(calls()[0]).toMatch(new RegExp(`\\+${bytes}$`))
      expect(
        disk
          .content(first)
          .subarray(replayed(disk).tail.end)
          .every((byte) => byte === 0)
      ).toBe(true)
    }
    expect([disk.content(first).byteLength, replayed(disk).tail.sequence]).toEqual([1 << 18, 10])
  })

  test('is full for a frame that would end beyond the limit, unless it holds nothing yet', async () => {
    const { writer } = await setup()
    await writer.start(startOfLog, new Map())
    expect(writer.isFullFor(bodyOf(5000), 10)).toBe(false)
    await writer.append('batch', bodyOf(100))
    const end = emptyBytes + 100
    expect([end + 99, end + 100].map((limit) => writer.isFullFor(bodyOf(100), limit))).toEqual([true, false])
    expect(frameBytes(bodyOf(100))).toBe(100)
  })

  test('that was read is gone on with: its last frame again in place, cut behind it, durable with its name', async () => {
    const before = await setup()
    await before.writer.start(startOfLog, cells)
    for (const bytes of [100, 90]) await before.writer.append('batch', bodyOf(bytes))
    const { tail } = replayed(before.disk)
    const { disk, writer, calls } = await setup({ on: before.disk.clone() })
    await writer.resume(1, tail)
    expect(calls()).toEqual([
      'open 1.wal {"syncedWrites":true}',
      `write 1.wal ${tail.end - 90}+90`,
      `truncate 1.wal ${tail.end}`,
      'sync 1.wal',
      'syncDirectory wal'
    ])
    expect(disk.content(first).byteLength).toBe(tail.end)
    expect([writer.number, writer.path, writer.lastKind]).toEqual([1, first, 'batch'])
    expect(writer.isFullFor(bodyOf(100), tail.end)).toBe(true)
    await writer.append('batch', bodyOf(80))
    expect(calls()).toEqual([`write 1.wal ${tail.end}+${1024 - tail.end}`, 'sync 1.wal'])
    expect(replayed(disk).tail).toMatchObject({ sequence: 5, end: tail.end + 80, start: tail.start })
  })

  test('that was read up to its checkpoint holds nothing yet', async () => {
    const before = await setup()
    await before.writer.start(startOfLog, cells)
    const { writer } = await setup({ on: before.disk })
    await writer.resume(1, replayed(before.disk).tail)
    expect([writer.isFullFor(bodyOf(100), 0), writer.lastKind]).toEqual([false, 'checkpoint'])
  })
})

test('before the first segment, and after the last, there is none', async () => {
  const { disk, writer, calls } = await setup()
  const none = async (): Promise<void> => {
    expect([writer.number, writer.path]).toEqual([0, walDirectory])
    await expect(writer.append('batch', bodyOf(60))).rejects.toThrow(/^bug in quorate: the log is not open$/)
    await writer.release()
    expect(disk.openFiles).toBe(0)
  }
  await none()
  await writer.start(startOfLog, new Map())
  calls()
  await writer.release()
  expect(calls()).toEqual(['close 1.wal.tmp'])
  await none()
})
