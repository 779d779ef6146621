/** What the memory store adds to the port: a disk that outlives it, and faults on demand. */
import { expect, test } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import type { WriteBatch } from '../../src/storage/port.ts'
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

test('the disk of another owner is refused, and stays free for its own', async () => {
  const disk = createMemoryDisk()
  await createMemoryStorage({ disk, owner }).close()
  expect(() => createMemoryStorage({ disk, owner: ownerOf('mallory') })).toThrow('another node')
  createMemoryStorage({ disk, owner })
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
