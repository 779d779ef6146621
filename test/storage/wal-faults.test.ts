/** System calls that fail: nothing is tried twice, everything after it is refused, and the next process finds what was acknowledged. */
import { describe, expect, test } from 'vitest'
import { describeState, StorageModel } from '../../src/conformance/storage-model.ts'
import { utf8 } from '../../src/core/bytes.ts'
import type { WriteBatch } from '../../src/storage/port.ts'
import { createSimulatedDisk, openOn } from './harness.ts'
import { errno, nothing } from './simulated-disk.ts'
import type { Fault, SimulatedDisk } from './simulated-disk.ts'

const vote = (text: string): WriteBatch => ({ cells: [{ name: 'vote', value: utf8(text) }] })

/** The next call of that name fails, once. */
function failOnce(disk: SimulatedDisk, name: string, fault: Fault): void {
  disk.fault = (call) => {
    if (call !== name) return undefined
    disk.fault = () => undefined
    return fault
  }
}

async function recoveredVote(disk: SimulatedDisk): Promise<string> {
  return Buffer.from((await openOn(disk)).recovered.cells.get('vote') ?? []).toString()
}

describe('a call that fails while the log is written', () => {
  test.each(['write', 'sync'])(
    '%s: the batch and all behind it are rejected, and nothing is written again',
    async (call) => {
      const disk = await createSimulatedDisk()
      const log = await openOn(disk)
      await log.write(vote('a'))
      failOnce(disk, call, { error: errno('EIO'), keep: 20 })
      const failing = log.write(vote('b'))
      await Promise.resolve()
      const queued = log.write(vote('c'))
      await expect(failing).rejects.toMatchObject({ name: 'StorageFailedError', details: { errno: 'EIO' } })
      await expect(queued).rejects.toMatchObject({ name: 'StorageFailedError' })
      const calls: string[] = []
      disk.onChange = (name) => calls.push(name)
      await expect(log.write(vote('d'))).rejects.toMatchObject({ name: 'StorageFailedError' })
      await log.close()
      expect(calls).toEqual([])
      expect(['a', 'b']).toContain(await recoveredVote(disk.clone()))
      expect(await recoveredVote(disk.afterPowerCut(nothing, 0))).toBe('a')
    }
  )

  test('after a failed sync the next process does not believe the page cache', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk)
    await log.write(vote('a'))
    failOnce(disk, 'sync', { error: errno('EIO') })
    await expect(log.write(vote('b'))).rejects.toMatchObject({ name: 'StorageFailedError' })
    // The cache shows b, the disk holds a, and the kernel believes that they agree.
    const read = await recoveredVote(disk)
    expect(await recoveredVote(disk.afterPowerCut(nothing, 0))).toBe(read)
  })

  test.each([0, 1, 43, 44, 60, 200])(
    'a full disk after %i bytes: said with the free space, cut at the next start',
    async (keep) => {
      const disk = await createSimulatedDisk()
      const log = await openOn(disk)
      const kept = [vote('a'), { entries: [{ index: 1, term: 1, type: 1, data: utf8('first') }] }]
      for (const batch of kept) await log.write(batch)
      disk.free = 0
      failOnce(disk, 'write', { error: errno('ENOSPC'), keep })
      const failed = { code: 'ERR_STORAGE_FULL', details: { freeBytes: 0, errno: 'ENOSPC' } }
      await expect(log.write(vote('x'.repeat(300)))).rejects.toMatchObject(failed)
      await expect(log.write(vote('c'))).rejects.toMatchObject(failed)
      await log.close()
      const again = await openOn(disk)
      expect(describeState(again.recovered)).toBe(describeState(StorageModel.after(kept)))
      expect(again.recovered.tornBytes).toBeLessThanOrEqual(keep)
      expect(again.recovered.tornBytes > 0).toBe(keep > 0)
      await again.write(vote('c'))
      expect(await recoveredVote(disk.afterPowerCut(nothing, 0))).toBe('c')
    }
  )

  test.each(['create', 'write', 'sync', 'rename', 'syncDirectory'])(
    'a rotation in which %s fails loses nothing',
    async (call) => {
      const disk = await createSimulatedDisk()
      const log = await openOn(disk, { segmentBytes: 1024 })
      let last = ''
      for (let i = 0; log.stats().segment < 2; i++) await log.write(vote((last = `v${i}`)))
      for (let room = 1024 - 256 - 400; room > 0; room -= 50) await log.write(vote((last = `w${room}`)))
      disk.fault = (name, path) =>
        name === call && (call === 'syncDirectory' || path.endsWith('.tmp')) ? { error: errno('EIO') } : undefined
      const write = async (): Promise<void> => {
        for (let i = 0; i < 40; i++) {
          await log.write(vote(`x${i}`))
          last = `x${i}`
        }
      }
      await expect(write()).rejects.toMatchObject({ name: 'StorageFailedError' })
      await log.close()
      disk.fault = () => undefined
      expect(await recoveredVote(disk)).toBe(last)
      expect(await recoveredVote(disk.afterPowerCut(nothing, 0))).toBe(last)
    }
  )
})

describe('a call that fails while the log is opened', () => {
  test.each([
    ['EACCES', 'StorageAccessError', 'permission'],
    ['EROFS', 'StorageAccessError', 'read-only'],
    ['EMFILE', 'StorageAccessError', 'ulimit'],
    ['ELOOP', 'StorageAccessError', 'symbolic link'],
    ['ENOSPC', 'StorageFullError', 'Free space'],
    ['EIO', 'StorageFailedError', 'Check the disk']
  ])('%s is %s and says what to do', async (code, name, advice) => {
    for (const call of ['list', 'open', 'write', 'sync']) {
      const disk = await createSimulatedDisk()
      await (await openOn(disk)).write(vote('a'))
      failOnce(disk, call, { error: errno(code) })
      await expect(openOn(disk)).rejects.toMatchObject({ name, nextStep: expect.stringContaining(advice) as string })
      expect(await recoveredVote(disk)).toBe('a')
    }
  })
})

test('batches that wait while a sync runs share the next one', async () => {
  const disk = await createSimulatedDisk()
  const log = await openOn(disk)
  const syncs: string[] = []
  disk.onChange = (call) => call === 'sync' && syncs.push(call)
  await Promise.all(Array.from({ length: 64 }, (_, i) => log.write(vote(String(i)))))
  expect(syncs).toHaveLength(1)
  expect(log.stats()).toMatchObject({ batches: 64, frames: 1, queuedBatches: 0, queuedBytes: 0 })
})

test('a batch costs one write and one sync, and nothing else', async () => {
  const disk = await createSimulatedDisk()
  const log = await openOn(disk, { segmentBytes: 1 << 20 })
  const calls: string[] = []
  disk.onChange = (call) => calls.push(call)
  for (let i = 0; i < 30; i++) await log.write(vote(String(i)))
  expect(calls).toEqual(Array.from({ length: 30 }, () => ['write', 'sync']).flat())
})
