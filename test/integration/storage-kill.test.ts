/** A process that writes is killed (SIGKILL) at random moments: what it was told is durable is there, whole and in order. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { fromUtf8 } from '../../src/core/bytes.ts'
import { seededRandom } from '../../src/core/random.ts'
import { openDataDir } from '../../src/storage/data-dir.ts'
import { openWalStorage } from '../../src/storage/wal/wal.ts'
import { entryOf, killOwner, lastIndexOf, snapshotBefore } from './storage-kill-batches.ts'

const child = fileURLToPath(new URL('storage-kill-child.ts', import.meta.url))

const start = (path: string): ChildProcess =>
  spawn(process.execPath, ['--experimental-strip-types', '--no-warnings', child, path], {
    stdio: ['ignore', 'pipe', 'inherit']
  })

/** Kills the process once it has acknowledged `count` batches; returns the highest number that it has printed. */
async function killAfter(process: ChildProcess, count: number): Promise<number> {
  const exited = once(process, 'exit')
  let seen = 0
  let highest = 0
  for await (const line of createInterface({ input: process.stdout! })) {
    highest = Math.max(highest, Number(line))
    if (++seen === count) process.kill('SIGKILL')
  }
  expect(await exited).toEqual([null, 'SIGKILL'])
  return highest
}

test('every acknowledged batch survives SIGKILL, and the lock of the dead process is free', async () => {
  const root = mkdtempSync(join(tmpdir(), 'quorate-kill-'))
  const path = join(root, 'node')
  const random = seededRandom('storage kill')
  try {
    let before = 0
    for (let round = 0; round < 12; round++) {
      const acknowledged = await killAfter(start(path), random.int(1, 400))
      expect(acknowledged).toBeGreaterThan(before)
      const dir = await openDataDir(path)
      const log = await openWalStorage({ directory: dir.pathOf('wal'), owner: killOwner(dir.storeId) })
      const { entries, cells, snapshot } = log.recovered
      const last = lastIndexOf(log.recovered)
      expect(last).toBeGreaterThanOrEqual(acknowledged)
      entries.forEach((entry, i) => {
        const index = entries[0]!.index + i
        if (!isSame(entry, entryOf(index))) expect.fail(`entry ${index} is not what was written`)
      })
      expect(snapshot).toEqual(snapshotBefore(last))
      expect(entries[0]!.index).toBeLessThanOrEqual((snapshot?.index ?? 0) + 1)
      expect(entries.length).toBeLessThan(100)
      expect(fromUtf8(cells.get('last')!)).toBe(String(last))
      expect(readdirSync(dir.pathOf('wal')).length).toBeLessThan(8)
      before = last
      await log.close()
      await dir.close()
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

test('a running process keeps a second one out and is named', async () => {
  const root = mkdtempSync(join(tmpdir(), 'quorate-kill-'))
  const running = start(join(root, 'node'))
  try {
    await once(running.stdout!, 'data')
    await expect(openDataDir(join(root, 'node'))).rejects.toMatchObject({
      name: 'DataDirLockedError',
      details: { pid: running.pid }
    })
  } finally {
    running.kill('SIGKILL')
    await once(running, 'exit')
    rmSync(root, { recursive: true, force: true })
  }
})

type Entry = ReturnType<typeof entryOf>
const isSame = (a: Entry, b: Entry): boolean =>
  a.index === b.index && a.term === b.term && a.type === b.type && Buffer.compare(a.data, b.data) === 0
