/**
 * The directory of the log: `0000000001.wal` and so on without gaps, and at birth a file `empty`.
 *
 * A segment is made under a temporary name, synced with its checkpoint, and renamed: a file that bears its final name is
 * whole up to its first frame. `empty` says that there was never a segment here; without it a log that has vanished would
 * look like a log that was never written, and a voter would come back without its votes (RAFT-HOLES 42).
 */
import { dirname, join } from 'node:path'
import { StorageCorruptError } from '../errors.ts'
import type { FileSystem } from '../file-system.ts'
import { nodeFileSystem } from '../file-system.ts'

const emptyMarker = 'empty'
const temporarySuffix = '.tmp'
const segmentName = /^(\d{10})\.wal$/

export const segmentPath = (directory: string, segment: number): string =>
  join(directory, `${String(segment).padStart(10, '0')}.wal`)

export const temporaryPath = (path: string): string => `${path}${temporarySuffix}`

export interface WalDirectory {
  /** Rising by one. */
  readonly segments: readonly number[]
  /** Left by a crash in the middle of a rotation. */
  readonly stale: readonly string[]
  readonly isNew: boolean
}

/** Makes the directory of a log that has never been written. Call it once, when the data directory is born. */
export async function createWalDirectory(directory: string, fileSystem: FileSystem = nodeFileSystem): Promise<void> {
  await fileSystem.makeDirectory(directory, 0o700)
  const names = await fileSystem.list(directory)
  if (!names.includes(emptyMarker)) await (await fileSystem.create(join(directory, emptyMarker), 0o600)).close()
  await fileSystem.syncDirectory(directory)
  await fileSystem.syncDirectory(dirname(directory))
}

/** After the first segment is durable. */
export async function removeEmptyMarker(directory: string, fileSystem: FileSystem): Promise<void> {
  await fileSystem.remove(join(directory, emptyMarker))
  await fileSystem.syncDirectory(directory)
}

export async function readWalDirectory(directory: string, fileSystem: FileSystem): Promise<WalDirectory> {
  const names = await fileSystem.list(directory)
  const isNew = names.includes(emptyMarker)
  const stale = names.filter((name) => name.endsWith(`.wal${temporarySuffix}`)).map((name) => join(directory, name))
  const segments = names.flatMap((name) => segmentName.exec(name)?.slice(1).map(Number) ?? []).toSorted((a, b) => a - b)
  if (segments.length === 0 && !isNew) {
    throw new StorageCorruptError(directory, 0, 'the log has been written before and is gone')
  }
  segments.forEach((segment, i) => {
    if (segment !== i + 1) {
      throw new StorageCorruptError(segmentPath(directory, i + 1), 0, `it is missing, and segment ${segment} is there`)
    }
  })
  return { segments, stale, isNew }
}

/** True when nothing was ever logged here: a directory that is empty, or that holds the mark and no segment. */
export async function isUntouched(directory: string, fileSystem: FileSystem): Promise<boolean> {
  const names = await fileSystem.list(directory)
  return names.every((name) => name === emptyMarker)
}
