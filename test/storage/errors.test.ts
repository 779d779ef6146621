/** Which error a failed call becomes, and what it tells a person to do. */
import { expect, test } from 'vitest'
import type { QuorateError } from '../../src/core/errors.ts'
import {
  DataDirLockedError,
  DataDirUnsafeError,
  StorageAccessError,
  StorageClosedError,
  StorageCorruptError,
  StorageForeignError,
  errnoOf,
  openingError,
  writingError
} from '../../src/storage/errors.ts'
import { errno } from './simulated-disk.ts'

const codes = 'EACCES EPERM EROFS EMFILE ENFILE ENOENT ENOTDIR ELOOP ENOSPC EDQUOT EFBIG EIO'.split(' ')
const lines = (...errors: readonly QuorateError[]): string[] =>
  errors.flatMap(({ name, code, message, nextStep }) => [`${name} ${code}: ${message}`, `    ${nextStep}`])

test('a call that fails while a store is opened', () => {
  const causes = codes.map(errno)
  const errors = causes.map((cause) => openingError('opening', 'f', cause, 7))
  expect(lines(...errors)).toEqual([
    'StorageAccessError ERR_STORAGE_ACCESS: opening of f was refused: EACCES: simulated',
    '    Give the user that runs the node read and write permission on the data directory.',
    'StorageAccessError ERR_STORAGE_ACCESS: opening of f was refused: EPERM: simulated',
    '    Give the user that runs the node read and write permission on the data directory.',
    'StorageAccessError ERR_STORAGE_ACCESS: opening of f was refused: EROFS: simulated',
    '    The file system is mounted read-only: remount it read-write, or choose another data directory.',
    'StorageAccessError ERR_STORAGE_ACCESS: opening of f was refused: EMFILE: simulated',
    '    Too many files are open in this process: raise its limit (ulimit -n).',
    'StorageAccessError ERR_STORAGE_ACCESS: opening of f was refused: ENFILE: simulated',
    '    Too many files are open on this machine: raise fs.file-max or stop other processes.',
    'StorageAccessError ERR_STORAGE_ACCESS: opening of f was refused: ENOENT: simulated',
    '    The path does not exist: check it, or let the node create its data directory.',
    'StorageAccessError ERR_STORAGE_ACCESS: opening of f was refused: ENOTDIR: simulated',
    '    A part of the path is a file where a directory should be.',
    'StorageAccessError ERR_STORAGE_ACCESS: opening of f was refused: ELOOP: simulated',
    '    The path is a symbolic link where a plain file should be: somebody may have put it there.',
    'StorageFullError ERR_STORAGE_FULL: opening of f failed: no space left (7 bytes free)',
    '    Free space or raise the quota, then restart the node: what was acknowledged is there, what failed may be.',
    'StorageFullError ERR_STORAGE_FULL: opening of f failed: no space left (7 bytes free)',
    '    Free space or raise the quota, then restart the node: what was acknowledged is there, what failed may be.',
    'StorageFullError ERR_STORAGE_FULL: opening of f failed: no space left (7 bytes free)',
    '    Free space or raise the quota, then restart the node: what was acknowledged is there, what failed may be.',
    'StorageFailedError ERR_STORAGE_FAILED: opening of f failed: EIO: simulated',
    '    Check the disk (dmesg, SMART), then restart the node: what was acknowledged is there, what failed may be.'
  ])
  errors.forEach((error, i) => {
    const free = error.name === 'StorageFullError' ? { freeBytes: 7 } : {}
    expect([error.cause, error.details]).toEqual([
      causes[i],
      { operation: 'opening', file: 'f', errno: codes[i], ...free }
    ])
  })
})

test('a write that fails is a full disk or a failed one, and nothing else', () => {
  const errors = codes.map((code) => writingError('writing', 'f', errno(code)))
  expect([...new Set(errors.map(({ name }) => name))]).toEqual(['StorageFailedError', 'StorageFullError'])
  expect(errors.filter(({ name }) => name === 'StorageFullError').map(({ details }) => details['errno'])).toEqual([
    'ENOSPC',
    'EDQUOT',
    'EFBIG'
  ])
  expect(lines(errors[8]!)[0]).toBe('StorageFullError ERR_STORAGE_FULL: writing of f failed: no space left')
})

test('an error that says already what it is stays', () => {
  const closed = new StorageClosedError()
  expect([openingError('opening', 'f', closed), writingError('writing', 'f', closed)]).toEqual([closed, closed])
})

test('whatever else is thrown is a failed call without a code', () => {
  for (const cause of [new Error('why'), Object.assign(new Error('why'), { code: 5 }), { code: 'EIO' }, 'why']) {
    expect(errnoOf(cause)).toBeUndefined()
    expect(openingError('opening', 'f', cause).name).toBe('StorageFailedError')
    expect(writingError('writing', 'f', cause).name).toBe('StorageFailedError')
  }
})

test('a refusal that is new to us is one of the path or its permissions', () => {
  for (const cause of [errno('EBUSY'), new Error('why')]) {
    expect(new StorageAccessError('opening', 'f', cause).nextStep).toBe('Check the path and its permissions.')
  }
})

test('what is said of the others', () => {
  const errors = [
    new StorageCorruptError('f', 3, 'it is', new Error('why')),
    new StorageForeignError('f', 'node', 'alice', 'mallory'),
    new StorageClosedError(),
    new DataDirLockedError('d', 'd/lock', 'process 5', 5),
    new DataDirLockedError('d', 'd/lock', 'another process', undefined),
    new DataDirUnsafeError('d', 'is open', 'Close it.')
  ]
  expect(lines(...errors)).toEqual([
    'StorageCorruptError ERR_STORAGE_CORRUPT: f is damaged at byte 3: it is',
    '    Keep a copy of the data directory, then move store-id and wal away and start again: the node comes back as a new incarnation and is re-admitted by its peers.',
    'StorageForeignError ERR_STORAGE_FOREIGN: f belongs to another node: expected alice, found mallory',
    '    Put the right files back, or point this node at its own data directory.',
    'StorageClosedError ERR_STORAGE_CLOSED: the store is closed',
    '    Open the store again, or stop writing before it is closed.',
    'DataDirLockedError ERR_DATA_DIR_LOCKED: data directory d is in use by process 5',
    '    Stop process 5, or choose another data directory.',
    'DataDirLockedError ERR_DATA_DIR_LOCKED: data directory d is in use by another process',
    '    Stop the process that uses it (fuser d/lock), or choose another data directory.',
    'DataDirUnsafeError ERR_DATA_DIR_UNSAFE: d is open',
    '    Close it.'
  ])
  expect(errors.map(({ details }) => details)).toEqual([
    { file: 'f', offset: 3, reason: 'it is' },
    { file: 'f', what: 'node', expected: 'alice', found: 'mallory' },
    {},
    { path: 'd', lockFile: 'd/lock', pid: 5 },
    { path: 'd', lockFile: 'd/lock', pid: undefined },
    { path: 'd', reason: 'is open' }
  ])
  expect(errors[0]!.cause).toEqual(new Error('why'))
})
