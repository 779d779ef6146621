/** What the log takes for its own in its directory, and what it leaves alone. */
import { describe, expect, test } from 'vitest'
import { createWalDirectory, isUntouched, readWalDirectory } from '../../src/storage/wal/directory.ts'
import { createSimulatedDisk, openOn, walDirectory } from './harness.ts'
import { nothing, SimulatedDisk } from './simulated-disk.ts'

async function put(disk: SimulatedDisk, name: string): Promise<void> {
  await (await disk.create(`${walDirectory}/${name}`)).close()
}

const namesOn = async (disk: SimulatedDisk): Promise<string[]> => [...(await disk.list(walDirectory))].toSorted()

test('files of other names are neither read nor removed', async () => {
  const disk = await createSimulatedDisk()
  await (await openOn(disk)).close()
  const others = [
    'copy-of-0000000007.wal',
    '00000000017.wal',
    '0000000007.wal.bak',
    'copy-of-0000000007.snapshot',
    '0000000007.snapshot.tmp.bak',
    'wal.tmp',
    'wal',
    'snapshot'
  ]
  for (const name of others) await put(disk, name)
  const { segments, snapshots, stale } = await readWalDirectory(walDirectory, disk)
  expect([segments, snapshots, stale]).toEqual([[1], [], []])
  await (await openOn(disk)).close()
  expect(await namesOn(disk)).toEqual([...others, '0000000001.wal'].toSorted())
})

test('what a crash left half made is removed, and numbers rise in whatever order the names come', async () => {
  const disk = await createSimulatedDisk()
  await (await openOn(disk)).close()
  const stale = ['0000000002.wal.tmp', '0000000012.snapshot.tmp']
  for (const name of [...stale, '0000000011.snapshot', '0000000009.snapshot', '0000000010.snapshot']) {
    await put(disk, name)
  }
  expect(await readWalDirectory(walDirectory, disk)).toEqual({
    segments: [1],
    snapshots: [9, 10, 11],
    stale: stale.map((name) => `${walDirectory}/${name}`),
    isNew: false
  })
  await (await openOn(disk)).close()
  expect(await namesOn(disk)).toEqual(['0000000001.wal'])
})

describe('birth', () => {
  test('made a second time, after a crash in the middle, it is as if made once', async () => {
    const disk = new SimulatedDisk()
    for (let i = 0; i < 2; i++) {
      await createWalDirectory(walDirectory, disk)
      expect(await namesOn(disk.afterPowerCut(nothing, 0))).toEqual(['empty'])
    }
    expect(disk.openFiles).toBe(0)
    await (await openOn(disk)).close()
    expect(await namesOn(disk.afterPowerCut(nothing, 0))).toEqual(['0000000001.wal'])
  })

  test('untouched is what holds the mark, or nothing; any other file is a log', async () => {
    const disk = new SimulatedDisk()
    disk.directories.add(walDirectory)
    expect(await isUntouched(walDirectory, disk)).toBe(true)
    await createWalDirectory(walDirectory, disk)
    expect(await isUntouched(walDirectory, disk)).toBe(true)
    await put(disk, '0000000001.wal.tmp')
    expect(await isUntouched(walDirectory, disk)).toBe(false)
  })
})
