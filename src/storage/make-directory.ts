/**
 * Makes a directory (mode 0700) with its parents, each durable in the one above. Does nothing when it is there.
 *
 * Not mkdir's `recursive`: it reports a read-only file system as a missing directory, and below a directory in which nothing
 * can be made (`/proc`) Node 24 tries for ever. Here that is ENOENT with the path that could not be made.
 */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from './errors.ts'
import { nodeFileSystem } from './file-system.ts'

export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeDirectory(dirname(path))
    await mkdir(path, { mode: 0o700 })
  }
  await nodeFileSystem.syncDirectory(dirname(path))
}
