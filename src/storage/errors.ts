/**
 * What can go wrong with a disk, one class for each thing that a person would do about it.
 *
 * Corrupt, foreign, locked and unsafe are found when a store is opened, before it has promised anything. Failed and full
 * are final for the life of the process: after a write or a sync that did not succeed nobody knows what the disk holds
 * (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020), so nothing is tried a second time.
 */
import { QuorateError, messageOf } from '../core/errors.ts'

/** Bytes that were acknowledged cannot be read back. The store refuses to open: a voter that forgets may vote twice. */
export class StorageCorruptError extends QuorateError {
  constructor(file: string, offset: number, reason: string, cause?: unknown) {
    super('StorageCorruptError', 'ERR_STORAGE_CORRUPT', `${file} is damaged at byte ${offset}: ${reason}`, {
      details: { file, offset, reason },
      nextStep:
        'Keep a copy of the data directory, then move store-id and wal away and start again: the node comes back as a new incarnation and is re-admitted by its peers.',
      cause
    })
  }
}

/** The store is known by its id, and its log is gone: whoever starts without it would vote a second time. */
export class StorageMissingError extends QuorateError {
  constructor(log: string, storeId: string) {
    super(
      'StorageMissingError',
      'ERR_STORAGE_MISSING',
      `${log} is gone: ${storeId} is there, and the log of this store is not`,
      {
        details: { log, storeId },
        nextStep: `If it was only moved, put it back. If it is lost, move ${storeId} away too and start again: the node comes back as a learner with a new disk, and \`quorate replace\` gives it the vote of the lost one.`
      }
    )
  }
}

/** The file is whole, but it is not a file of this store: another cluster's, another node's, another kind, another place. */
export class StorageForeignError extends QuorateError {
  constructor(file: string, what: string, expected: string, found: string) {
    super(
      'StorageForeignError',
      'ERR_STORAGE_FOREIGN',
      `${file} belongs to another ${what}: expected ${expected}, found ${found}`,
      {
        details: { file, what, expected, found },
        nextStep: 'Put the right files back, or point this node at its own data directory.'
      }
    )
  }
}

/** A write or a sync failed. Final: the store refuses everything from here on, and the node must stop voting. */
export class StorageFailedError extends QuorateError {
  constructor(operation: string, file: string, cause: unknown) {
    super('StorageFailedError', 'ERR_STORAGE_FAILED', `${operation} of ${file} failed: ${messageOf(cause)}`, {
      details: { operation, file, errno: errnoOf(cause) },
      nextStep:
        'Check the disk (dmesg, SMART), then restart the node: what was acknowledged is there, what failed may be.',
      cause
    })
  }
}

/** No space or no quota is left. Final for this process; a half-written batch is cut when the store is opened again. */
export class StorageFullError extends QuorateError {
  constructor(operation: string, file: string, freeBytes: number | undefined, cause: unknown) {
    const free = freeBytes === undefined ? '' : ` (${freeBytes} bytes free)`
    super('StorageFullError', 'ERR_STORAGE_FULL', `${operation} of ${file} failed: no space left${free}`, {
      details: { operation, file, freeBytes, errno: errnoOf(cause) },
      nextStep:
        'Free space or raise the quota, then restart the node: what was acknowledged is there, what failed may be.',
      cause
    })
  }
}

/** The operating system does not let us use the file at all: permissions, read-only mount, too many open files. */
export class StorageAccessError extends QuorateError {
  constructor(operation: string, file: string, cause: unknown) {
    const errno = errnoOf(cause)
    super('StorageAccessError', 'ERR_STORAGE_ACCESS', `${operation} of ${file} was refused: ${messageOf(cause)}`, {
      details: { operation, file, errno },
      nextStep: accessAdvice.get(errno) ?? 'Check the path and its permissions.',
      cause
    })
  }
}

/** The store was closed before this write. */
export class StorageClosedError extends QuorateError {
  constructor() {
    super('StorageClosedError', 'ERR_STORAGE_CLOSED', 'the store is closed', {
      nextStep: 'Open the store again, or stop writing before it is closed.'
    })
  }
}

/** Another process uses this data directory. Two of them would be one voter with two minds. */
export class DataDirLockedError extends QuorateError {
  constructor(path: string, lockFile: string, holder: string, pid: number | undefined) {
    super('DataDirLockedError', 'ERR_DATA_DIR_LOCKED', `data directory ${path} is in use by ${holder}`, {
      details: { path, lockFile, pid },
      nextStep:
        pid === undefined
          ? `Stop the process that uses it (fuser ${lockFile}), or choose another data directory.`
          : `Stop process ${pid}, or choose another data directory.`
    })
  }
}

/** The data directory can be changed by others, or something in it is not what it should be (FAULTS D10). */
export class DataDirUnsafeError extends QuorateError {
  constructor(path: string, reason: string, nextStep: string) {
    super('DataDirUnsafeError', 'ERR_DATA_DIR_UNSAFE', `${path} ${reason}`, { details: { path, reason }, nextStep })
  }
}

/** Of a code that is missing nothing is known. */
const accessAdvice: ReadonlyMap<string | undefined, string> = new Map([
  ['EACCES', 'Give the user that runs the node read and write permission on the data directory.'],
  ['EPERM', 'Give the user that runs the node read and write permission on the data directory.'],
  ['EROFS', 'The file system is mounted read-only: remount it read-write, or choose another data directory.'],
  ['EMFILE', 'Too many files are open in this process: raise its limit (ulimit -n).'],
  ['ENFILE', 'Too many files are open on this machine: raise fs.file-max or stop other processes.'],
  ['ENOENT', 'The path does not exist: check it, or let the node create its data directory.'],
  ['ENOTDIR', 'A part of the path is a file where a directory should be.'],
  ['ELOOP', 'The path is a symbolic link where a plain file should be: somebody may have put it there.']
])

const fullCodes: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

/** The error for a failed call while a store is being opened: nothing has been promised yet, so access problems have their own class. */
export function openingError(operation: string, file: string, cause: unknown, freeBytes?: number): QuorateError {
  if (cause instanceof QuorateError) return cause
  if (fullCodes.has(errnoOf(cause))) return new StorageFullError(operation, file, freeBytes, cause)
  if (accessAdvice.has(errnoOf(cause))) return new StorageAccessError(operation, file, cause)
  return new StorageFailedError(operation, file, cause)
}

/** The error for a failed write or sync of a store that is in use. */
export function writingError(operation: string, file: string, cause: unknown, freeBytes?: number): QuorateError {
  if (cause instanceof QuorateError) return cause
  if (fullCodes.has(errnoOf(cause))) return new StorageFullError(operation, file, freeBytes, cause)
  return new StorageFailedError(operation, file, cause)
}
