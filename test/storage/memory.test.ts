/** What the memory store adds to the port: a disk that outlives it, and faults on demand. */
import { expect, test } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { StorageModel, describeState } from '../../src/conformance/storage-model.ts'
import type { StoredEntry, WriteBatch } from '../../src/storage/port.ts'
import { createMemoryDisk, createMemoryStorage } from '../../src/storage/memory.ts'
import type { MemoryDisk } from '../../src/storage/memory.ts'
import { owner, ownerOf } from './harness.ts'

const vote = (text: string): WriteBatch => ({ cells: [{ name: 'vote', value: utf8(text) }] })

const voteOn = (disk: MemoryDisk): string => {
  const storage = createMemoryStorage({ disk })
  const value = storage.recovered.cells.get('vote')
  storage.crash()
  return Buffer.from(value ?? []).toString()
}

test('a crash loses what was not synced, or keeps its first batches, and settles no promise', async () => {
  for (const keep of [0, 1, 2]) {
    const held: (() => void)[] = []
    const storage = createMemoryStorage({ scheduleSync: (done) => held.push(done) })
    const settled: string[] = []
    for (const text of ['a', 'b']) void storage.write(vote(text)).finally(() => settled.push(text))
    await Promise.resolve()
    storage.crash(keep)
    for (const done of held) done()
    await storage.close()
    expect([voteOn(storage.disk), settled]).toEqual([['', 'a', 'b'][keep], []])
  }
})

test('writes after the crash never settle and never reach the disk', async () => {
  const storage = createMemoryStorage()
  await storage.write(vote('a'))
  storage.crash()
  let settled = false
  void storage.write(vote('b')).finally(() => (settled = true))
  await storage.close()
  expect([voteOn(storage.disk), settled]).toEqual(['a', false])
})

test('batches that wait while a sync runs share the next one', async () => {
  let syncs = 0
  const held: (() => void)[] = []
  const storage = createMemoryStorage({
    scheduleSync: (done) => {
      syncs++
      held.push(done)
    }
  })
  const writes = [storage.write(vote('a'))]
  await Promise.resolve()
  writes.push(storage.write(vote('b')), storage.write(vote('c')))
  held.shift()!()
  await writes[0]
  await Promise.resolve()
  held.shift()!()
  await Promise.all(writes)
  expect(syncs).toBe(2)
})

test('a disk serves one open store at a time', async () => {
  const disk = createMemoryDisk()
  const storage = createMemoryStorage({ disk })
  expect(() => createMemoryStorage({ disk })).toThrow('one open store')
  await storage.close()
  createMemoryStorage({ disk })
})

test('a disk that was not made here is refused', () => {
  expect(() => createMemoryStorage({ disk: { copy: createMemoryDisk } })).toThrow(
    'bug in quorate: the disk was not made by createMemoryDisk'
  )
})

test('a store that has crashed or was closed does not free the disk of the next', async () => {
  const disk = createMemoryDisk()
  const dead = createMemoryStorage({ disk })
  dead.crash()
  const closed = createMemoryStorage({ disk })
  await closed.close()
  await closed.close()
  const open = createMemoryStorage({ disk })
  dead.crash()
  await dead.close()
  await closed.close()
  expect(() => createMemoryStorage({ disk })).toThrow('one open store')
  await open.close()
})

test('after close, nothing is written', async () => {
  const storage = createMemoryStorage()
  await storage.close()
  await expect(storage.write(vote('a'))).rejects.toMatchObject({ name: 'StorageClosedError' })
})

test('a failed sync is final, says why, and what waited is not on the disk', async () => {
  for (const cause of [undefined, new Error('EIO: other')]) {
    const storage = createMemoryStorage()
    await storage.write(vote('a'))
    storage.failSync(cause)
    const error = {
      name: 'StorageFailedError',
      message: `sync of memory failed: ${cause?.message ?? 'EIO: simulated i/o error'}`
    }
    await expect(storage.write(vote('b'))).rejects.toMatchObject(error)
    await expect(storage.write(vote('c'))).rejects.toMatchObject(error)
    await storage.close()
    expect(voteOn(storage.disk)).toBe('a')
  }
})

test('the disk of another owner is refused, and stays free for its own', async () => {
  const disk = createMemoryDisk()
  await createMemoryStorage({ disk, owner }).close()
  expect(() => createMemoryStorage({ disk, owner: ownerOf('mallory') })).toThrow(
    'the memory disk belongs to another node'
  )
  createMemoryStorage({ disk, owner })
})

test('an owner has the right shape, and need not be told', async () => {
  const disk = createMemoryDisk()
  expect(() => createMemoryStorage({ disk, owner: { ...owner, storeId: new Uint8Array(3) } })).toThrow('3 bytes')
  await createMemoryStorage({ disk, owner }).close()
  await createMemoryStorage({ disk }).close()
  expect(() => createMemoryStorage({ disk, owner: ownerOf('mallory') })).toThrow('another node')
})

test('a copy of a disk is a machine that was rolled back', async () => {
  const disk = createMemoryDisk()
  const storage = createMemoryStorage({ disk })
  await storage.write(vote('a'))
  const snapshot = disk.copy()
  await storage.write(vote('b'))
  await storage.close()
  expect([voteOn(disk), voteOn(snapshot)]).toEqual(['b', 'a'])
})

test('a copy is all of the disk, and a disk of its own', async () => {
  const disk = createMemoryDisk()
  const storage = createMemoryStorage({ disk, owner })
  const entry = (index: number): StoredEntry => ({ index, term: 1, type: 0, data: utf8(`entry ${index}`) })
  const batches: WriteBatch[] = [
    { ...vote('a'), entries: [entry(1), entry(2), entry(3)] },
    { snapshot: { index: 2, term: 1, data: utf8('state') }, compactTo: 1 },
    { entries: [entry(3), entry(4)] }
  ]
  for (const batch of batches) await storage.write(batch)
  const copy = disk.copy()
  expect(() => createMemoryStorage({ disk: copy, owner: ownerOf('mallory') })).toThrow('another node')
  for (const batch of [vote('b'), { compactTo: 2 }, { entries: [entry(4)] }]) await storage.write(batch)
  const { recovered } = createMemoryStorage({ disk: copy, owner })
  expect(describeState(recovered)).toBe(describeState(StorageModel.after(batches)))
  expect(recovered).toMatchObject({ tornBytes: 0, skippedSnapshot: undefined })
})
