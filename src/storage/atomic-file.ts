/** Small files that are there whole or not at all (FAULTS D6, D8): temporary file, sync, rename, sync of the directory. */
import { dirname, join } from 'node:path'
import { toHex } from '../core/bytes.ts'
import { secureBytes } from '../core/random.ts'
import { openingError } from './errors.ts'
import type { FileSystem } from './file-system.ts'
import { nodeFileSystem } from './file-system.ts'

export interface WriteFileAtomicOptions {
  /** Default 0o600. */
  readonly mode?: number
  readonly fileSystem?: FileSystem
}

/**
 * Replaces the file. When it resolves the new content is durable; when it rejects or the process dies the old one is
 * there, or the new one. Errors: StorageAccessError, StorageFullError, StorageFailedError.
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array,
  { mode = 0o600, fileSystem = nodeFileSystem }: WriteFileAtomicOptions = {}
): Promise<void> {
  const directory = dirname(path)
  const temporary = `${path}.${toHex(secureBytes(8))}.tmp`
  try {
    await writeNew(temporary, bytes, mode, fileSystem)
    await fileSystem.rename(temporary, path)
    await fileSystem.syncDirectory(directory)
  } catch (error) {
    const freeBytes = await fileSystem.freeBytes(directory)
    await fileSystem.remove(temporary).catch(() => undefined)
    throw openingError('writing', path, error, freeBytes)
  }
}

async function writeNew(path: string, bytes: Uint8Array, mode: number, fileSystem: FileSystem): Promise<void> {
  const file = await fileSystem.create(path, mode)
  try {
    await file.write(bytes, 0)
    await file.sync()
  } finally {
    await file.close()
  }
}

const leftover = /.\.[0-9a-f]{16}\.tmp$/

/** Removes what crashes in the middle of `writeFileAtomic` have left in the directory; only while nobody else writes there. */
export async function removeLeftovers(directory: string, fileSystem: FileSystem = nodeFileSystem): Promise<void> {
  for (const name of await fileSystem.list(directory)) {
    if (leftover.test(name)) await fileSystem.remove(join(directory, name))
  }
}
