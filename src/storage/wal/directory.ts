/**
 * The directory of the log: `0000000001.wal` and so on, `0000000001.snapshot` and so on, and at birth a file `empty`.
 *
 * Every file is made under a temporary name, synced, and renamed: one that bears its final name is whole, a segment up to
 * its checkpoint. Files that nothing needs any more are removed, in any order, and may come back after a power cut: so
 * what stands before a gap is left over, and whether something is missing is a question for `load.ts`. `empty` says that
 * there was never a segment here; without it a log that has vanished would look like a log that was never written, and a
 * voter would come back without its votes (RAFT-HOLES 42).
 */
import { dirname, join } from 'node:path'
import { StorageCorruptError } from '../errors.ts'
import type { FileSystem } from '../file-system.ts'
import { nodeFileSystem } from '../file-system.ts'

const emptyMarker = 'empty'
const temporarySuffix = '.tmp'
const fileName = /^(\d{10})\.(wal|snapshot)$/
const temporaryName = /\.(?:wal|snapshot)\.tmp$/

export const segmentPath = (directory: string, segment: number): string => pathOf(directory, segment, 'wal')

export const snapshotPath = (directory: string, number: number): string => pathOf(directory, number, 'snapshot')

const pathOf = (directory: string, number: number, ending: string): string =>
  join(directory, `${String(number).padStart(10, '0')}.${ending}`)

export const temporaryPath = (path: string): string => `${path}${temporarySuffix}`

export interface WalDirectory {
  /** Rising. */
  readonly segments: readonly number[]
  readonly snapshots: readonly number[]
  /** Left by a crash while a file was made. */
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
  const stale = names.filter((name) => temporaryName.test(name)).map((name) => join(directory, name))
  const numbersOf = (ending: string): number[] =>
    names
      .map((name) => fileName.exec(name))
      .flatMap((match) => (match?.[2] === ending ? [Number(match[1])] : []))
      .toSorted((a, b) => a - b)
  const [segments, snapshots] = [numbersOf('wal'), numbersOf('snapshot')]
  if (segments.length === 0 && !isNew) {
    throw new StorageCorruptError(directory, 0, 'the log has been written before and is gone')
  }
  return { segments, snapshots, stale, isNew }
}

/** True when nothing was ever logged here: a directory that is empty, or that holds the mark and no segment. */
export async function isUntouched(directory: string, fileSystem: FileSystem): Promise<boolean> {
  const names = await fileSystem.list(directory)
  return names.every((name) => name === emptyMarker)
}
