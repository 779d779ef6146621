/** Writes for ever; prints the number of every batch once it is acknowledged. Started and killed by storage-kill.test.ts. */
import { writeSync } from 'node:fs'
import { openDataDir } from '../../src/storage/data-dir.ts'
import { openWalStorage } from '../../src/storage/wal/wal.ts'
import { batchOf, killOwner, lastIndexOf } from './storage-kill-batches.ts'

const dir = await openDataDir(process.argv[2]!)
const log = await openWalStorage({
  directory: dir.pathOf('wal'),
  owner: killOwner(dir.storeId),
  segmentBytes: 64 * 1024,
  growBytes: 16 * 1024
})

async function writeForEver(next: () => number): Promise<void> {
  for (;;) {
    const number = next()
    await log.write(batchOf(number))
    writeSync(1, `${number}\n`)
  }
}

let number = lastIndexOf(log.recovered)
const next = (): number => ++number
// Several at once, so that frames of many batches are cut as well as frames of one.
await Promise.all(Array.from({ length: 6 }, () => writeForEver(next)))
