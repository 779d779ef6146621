/**
 * The data directory: who may use it, what is in it, and the storeId that is born with it.
 *
 * The storeId is the disk's half of an incarnation (PeerId, storeId). It is made once, in an empty directory, together with
 * the mark that the log was never written; a directory that has one of the two and not the other has lost something, and
 * is refused rather than taken for a new one (RAFT-HOLES 42).
 */
import { stat } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { dirname, join, resolve } from 'node:path'
import { fromHex, toHex, utf8 } from '../core/bytes.ts'
import { secureBytes } from '../core/random.ts'
import { removeLeftovers, writeFileAtomic } from './atomic-file.ts'
import { DataDirUnsafeError, StorageCorruptError, openingError } from './errors.ts'
import type { FileSystem } from './file-system.ts'
import { nodeFileSystem } from './file-system.ts'
import { loadLockAddon, lockDirectory } from './lock.ts'
import type { DirectoryLock } from './lock.ts'
import { makeDirectory } from './make-directory.ts'
import { createWalDirectory, isUntouched } from './wal/directory.ts'

/** Names in a data directory. */
export const dataFiles = {
  nodeKey: 'node.key',
  storeId: 'store-id',
  lock: 'lock',
  wal: 'wal',
  genesis: 'genesis.cose',
  certificate: 'certificate.cose',
  token: 'token',
  peers: 'peers.json',
  control: 'control.json'
} as const

export type DataFile = keyof typeof dataFiles

export interface DataDir {
  /** Absolute. */
  readonly path: string
  /** 16 random bytes. */
  readonly storeId: Uint8Array
  /** True when this call made the storeId: the node is a new incarnation. */
  readonly born: boolean
  /** What a person should know and what did not stop us; one sentence each. */
  readonly warnings: readonly string[]
  pathOf(file: DataFile): string
  /** Releases the lock. Idempotent. */
  close(): Promise<void>
}

export interface DataDirOptions {
  /** What to do when group or others may write in the directory. Default `refuse`; `warn` is for volumes whose mode is not ours to choose. */
  readonly openPermissions?: 'refuse' | 'warn'
  /** `kernel`, the default, falls back to `pid` with a warning where its addon cannot be loaded; lock.ts has the difference. */
  readonly lock?: 'kernel' | 'pid'
  readonly fileSystem?: FileSystem
}

/**
 * Makes the directory (mode 0700) when it is missing, takes its lock, and reads or makes its storeId.
 * Errors: DataDirLockedError, DataDirUnsafeError, StorageAccessError, StorageCorruptError, StorageFullError.
 */
export async function openDataDir(path: string, options: DataDirOptions = {}): Promise<DataDir> {
  const { openPermissions = 'refuse', fileSystem = nodeFileSystem } = options
  const directory = resolve(path)
  const warnings = await makeAndCheck(directory, openPermissions)
  const lock = await lockDirectory(directory, options.lock === 'pid' ? undefined : loadLockAddon())
  try {
    return dataDir(directory, await openStoreId(directory, fileSystem), warnings, lock)
  } catch (error) {
    await lock.release()
    throw openingError('opening', directory, error, await fileSystem.freeBytes(directory))
  }
}

function dataDir(path: string, { storeId, born }: StoreId, warnings: readonly string[], lock: DirectoryLock): DataDir {
  const hint = 'a pid file stands in for the native lock: never use this directory from two machines or containers'
  return {
    path,
    storeId,
    born,
    warnings: lock.method === 'pid' ? [...warnings, hint] : warnings,
    pathOf: (file) => join(path, dataFiles[file]),
    close: () => lock.release()
  }
}

async function makeAndCheck(directory: string, openPermissions: 'refuse' | 'warn'): Promise<readonly string[]> {
  try {
    await makeDirectory(directory)
    return await checkPermissions(directory, openPermissions)
  } catch (error) {
    throw openingError('making', directory, error, await nodeFileSystem.freeBytes(dirname(directory)))
  }
}

async function checkPermissions(directory: string, openPermissions: 'refuse' | 'warn'): Promise<readonly string[]> {
  const found = await stat(directory)
  if (!found.isDirectory()) {
    throw new DataDirUnsafeError(directory, 'is not a directory', 'Choose another path for the data directory.')
  }
  if (process.getuid === undefined) return []
  const { mode, uid } = found
  const warnings: string[] = []
  if ((mode & 0o022) !== 0) {
    const reason = `can be changed by other users (mode ${(mode & 0o7777).toString(8)})`
    if (openPermissions === 'refuse') throw new DataDirUnsafeError(directory, reason, `Run: chmod 700 ${directory}`)
    warnings.push(`${directory} ${reason}`)
  }
  if (uid !== process.getuid())
    warnings.push(`${directory} belongs to uid ${uid}, this process runs as ${process.getuid()}`)
  return warnings
}

interface StoreId {
  readonly storeId: Uint8Array
  readonly born: boolean
}

/** Under the lock. The log's directory comes first, so that a storeId is never there without it. */
export async function openStoreId(directory: string, fileSystem: FileSystem): Promise<StoreId> {
  await removeLeftovers(directory, fileSystem)
  const path = join(directory, dataFiles.storeId)
  const wal = join(directory, dataFiles.wal)
  const names = await fileSystem.list(directory)
  if (names.includes(dataFiles.storeId)) {
    // Its name may be in the cache only: the process that made it may have died before it synced the directory.
    await fileSystem.syncDirectory(directory)
    return { storeId: parse(path, await fileSystem.read(path)), born: false }
  }
  if (names.includes(dataFiles.wal) && !(await isUntouched(wal, fileSystem))) {
    throw new StorageCorruptError(path, 0, 'it is missing, and there is a log')
  }
  await createWalDirectory(wal, fileSystem)
  const storeId = secureBytes(16)
  await writeFileAtomic(path, print(storeId), { fileSystem })
  return { storeId, born: true }
}

/** One line: a word, the format version, the id and a checksum of it all. */
function print(storeId: Uint8Array): Uint8Array {
  const line = `quorate-store 1 ${toHex(storeId)}`
  return utf8(`${line} ${checksum(line)}\n`)
}

function parse(path: string, bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1')
  const found = /^(quorate-store 1 ([0-9a-f]{32})) ([0-9a-f]{8})\n$/.exec(text)
  const storeId = found === null || checksum(found[1]!) !== found[3] ? undefined : fromHex(found[2]!)
  if (storeId === undefined) throw new StorageCorruptError(path, 0, 'it is not a storeId with its checksum')
  return storeId
}

const checksum = (line: string): string => crc32(line).toString(16).padStart(8, '0')
