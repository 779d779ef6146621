/** Fills a small file system with a log, then reads it back when there is room again, then when it is read-only. Prints JSON. */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openDataDir } from '../../src/storage/data-dir.ts'
import type { WriteBatch } from '../../src/storage/port.ts'
import { openWalStorage } from '../../src/storage/wal/wal.ts'
import type { WalStorage } from '../../src/storage/wal/wal.ts'
import { entryOf, killOwner, lastIndexOf } from './storage-kill-batches.ts'

const mount = process.argv[2]!
const outcomes: unknown[] = []

/** Without snapshots: with them the log would let go of old entries and never fill the disk. */
const plainBatchOf = (index: number): WriteBatch => ({ entries: [entryOf(index)] })

async function fill(log: WalStorage): Promise<number> {
  for (let number = lastIndexOf(log.recovered) + 1; number < 10_000; number++) {
    try {
      await log.write(plainBatchOf(number))
    } catch (error) {
      outcomes.push(error)
      return number - 1
    }
  }
  throw new Error('the file system does not get full')
}

writeFileSync(join(mount, 'ballast'), new Uint8Array(200_000))
const dir = await openDataDir(join(mount, 'node'))
const open = (): Promise<WalStorage> =>
  openWalStorage({
    directory: dir.pathOf('wal'),
    owner: killOwner(dir.storeId),
    segmentBytes: 256 * 1024,
    growBytes: 8192
  })
const log = await open()
const acknowledged = await fill(log)
await log.write(plainBatchOf(acknowledged + 1)).catch((error: unknown) => outcomes.push(error))
await log.close()
rmSync(join(mount, 'ballast'))
const again = await open()
outcomes.push({ acknowledged, recovered: lastIndexOf(again.recovered) })
await again.write(plainBatchOf(lastIndexOf(again.recovered) + 1))
await again.close()
// A file system with a file open for writing cannot become read-only.
await dir.close()
execFileSync('mount', ['-o', 'remount,ro', mount])
await open().catch((error: unknown) => outcomes.push(error))
await openDataDir(join(mount, 'other')).catch((error: unknown) => outcomes.push(error))
process.stdout.write(JSON.stringify(outcomes))
