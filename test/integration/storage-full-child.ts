/** Fills a small file system with a log, then reads it back when there is room again, then when it is read-only. Prints JSON. */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openDataDir } from '../../src/storage/data-dir.ts'
import { openWalStorage } from '../../src/storage/wal/wal.ts'
import type { WalStorage } from '../../src/storage/wal/wal.ts'
import { batchOf, killOwner } from './storage-kill-batches.ts'

const mount = process.argv[2]!
const outcomes: unknown[] = []

async function fill(log: WalStorage): Promise<number> {
  for (let number = log.recovered.entries.length + 1; ; number++) {
    try {
      await log.write(batchOf(number))
    } catch (error) {
      outcomes.push(error)
      return number - 1
    }
  }
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
await log.write(batchOf(acknowledged + 1)).catch((error: unknown) => outcomes.push(error))
await log.close()
rmSync(join(mount, 'ballast'))
const again = await open()
outcomes.push({ acknowledged, recovered: again.recovered.entries.length })
await again.write(batchOf(again.recovered.entries.length + 1))
await again.close()
// A file system with a file open for writing cannot become read-only.
await dir.close()
execFileSync('mount', ['-o', 'remount,ro', mount])
await open().catch((error: unknown) => outcomes.push(error))
await openDataDir(join(mount, 'other')).catch((error: unknown) => outcomes.push(error))
process.stdout.write(JSON.stringify(outcomes))
