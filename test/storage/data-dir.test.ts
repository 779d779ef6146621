import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { createRequire } from 'node:module'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { toHex } from '../../src/core/bytes.ts'
import { dataFiles, openDataDir, openStoreId } from '../../src/storage/data-dir.ts'
import type { DataDir, DataDirOptions, DataFile } from '../../src/storage/data-dir.ts'
import { nodeFileSystem } from '../../src/storage/file-system.ts'
import { type LockAddon, loadLockAddon } from '../../src/storage/lock.ts'
import { openWalStorage } from '../../src/storage/wal/wal.ts'
import { owner } from './harness.ts'
import { SimulatedDisk, errno, nothing, prefix, whole } from './simulated-disk.ts'

let root = ''
let path = ''
const opened: DataDir[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'quorate-data-dir-'))
  path = join(root, 'node')
})

afterEach(async () => {
  for (const dir of opened.splice(0)) await dir.close()
  rmSync(root, { recursive: true, force: true })
})

async function open(options: DataDirOptions = {}): Promise<DataDir> {
  const dir = await openDataDir(path, options)
  opened.push(dir)
  return dir
}

const modeOf = (file: string): number => statSync(file).mode & 0o777

/** A process that is certainly dead: this machine, this boot, a pid that was never given out. */
const deadHolder = JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() })
const byPid: DataDirOptions = { lock: 'pid' }

describe('birth', () => {
  test('a new directory is private and gets a storeId; the next opening finds the same', async () => {
    const dir = await open()
    expect([dir.born, dir.storeId.byteLength, dir.warnings]).toEqual([true, 16, []])
    expect([modeOf(path), modeOf(dir.pathOf('wal')), modeOf(dir.pathOf('storeId'))]).toEqual([0o700, 0o700, 0o600])
    expect(dir.pathOf('nodeKey')).toBe(join(path, 'node.key'))
    await dir.close()
    const again = await open()
    expect([again.born, toHex(again.storeId)]).toEqual([false, toHex(dir.storeId)])
  })

  test('parents that are missing are made, and as private', async () => {
    path = join(root, 'a', 'b', 'c')
    await open()
    expect([modeOf(join(root, 'a')), modeOf(path)]).toEqual([0o700, 0o700])
  })

  test('two directories have two storeIds', async () => {
    const one = await open()
    path = join(root, 'other')
    expect(toHex((await open()).storeId)).not.toBe(toHex(one.storeId))
  })

  test('a key that is already there does not stop birth: same node, new incarnation', async () => {
    mkdirSync(path, { mode: 0o700 })
    writeFileSync(join(path, 'node.key'), 'key')
    expect((await open()).born).toBe(true)
  })

  test('the log can be opened in it, and a storeId that vanished beside a log is refused', async () => {
    const dir = await open()
    const log = await openWalStorage({ directory: dir.pathOf('wal'), owner: { ...owner, storeId: dir.storeId } })
    await log.close()
    await dir.close()
    rmSync(dir.pathOf('storeId'))
    await expect(open()).rejects.toMatchObject({
      name: 'StorageCorruptError',
      details: { file: dir.pathOf('storeId'), offset: 0, reason: 'it is missing, and there is a log' }
    })
  })

  test('a log that vanished beside a storeId is refused', async () => {
    const dir = await open()
    const init = { directory: dir.pathOf('wal'), owner: { ...owner, storeId: dir.storeId } }
    await (await openWalStorage(init)).close()
    for (const name of readdirSync(dir.pathOf('wal'))) rmSync(join(dir.pathOf('wal'), name))
    await expect(openWalStorage(init)).rejects.toMatchObject({ name: 'StorageCorruptError' })
  })

  test('every changed byte of the storeId is noticed', async () => {
    const dir = await open()
    const file = dir.pathOf('storeId')
    const good = readFileSync(file)
    await dir.close()
    for (let at = 0; at < good.byteLength; at++) {
      writeFileSync(file, Buffer.from(good).fill(good[at]! ^ 1, at, at + 1))
      await expect(open()).rejects.toMatchObject({ name: 'StorageCorruptError' })
    }
  })

  test('the storeId is a line of text with a checksum, and anything else is refused', async () => {
    const dir = await open()
    const file = dir.pathOf('storeId')
    const good = readFileSync(file, 'latin1')
    await dir.close()
    const line = `quorate-store 1 ${toHex(dir.storeId)}`
    expect(good).toBe(`${line} ${crc32(line).toString(16).padStart(8, '0')}\n`)
    for (const other of [
      '',
      ` ${good}`,
      `x\n${good}`,
      `${good}\n`,
      `${good}x`,
      good.slice(0, -1),
      good.toUpperCase()
    ]) {
      writeFileSync(file, other, 'latin1')
      await expect(open()).rejects.toMatchObject({
        name: 'StorageCorruptError',
        details: { file, offset: 0, reason: 'it is not a storeId with its checksum' }
      })
    }
    // A checksum that begins with zeros has all of its digits.
    const short = 'quorate-store 1 00000000000000000000000000000003'
    const digits = crc32(short).toString(16)
    expect(digits.length).toBeLessThan(8)
    writeFileSync(file, `${short} ${digits.padStart(8, '0')}\n`)
    expect(toHex((await open()).storeId)).toBe(short.slice(16))
  })

  test('a storeId that is found is durable before it is believed', async () => {
    const disk = new SimulatedDisk()
    disk.directories.add('/data')
    await openStoreId('/data', disk)
    const calls: string[] = []
    disk.fault = (call, name) => void calls.push(`${call} ${name}`)
    await openStoreId('/data', disk)
    expect(calls).toEqual(['list /data', 'list /data', 'syncDirectory /data', 'read /data/store-id'])
  })

  test('every file has its name', async () => {
    const { pathOf, path: at } = await open()
    expect(at).toBe(path)
    expect(Object.keys(dataFiles).map((file) => [file, pathOf(file as DataFile)])).toEqual(
      [
        ['nodeKey', 'node.key'],
        ['storeId', 'store-id'],
        ['lock', 'lock'],
        ['wal', 'wal'],
        ['genesis', 'genesis.cose'],
        ['certificate', 'certificate.cose'],
        ['token', 'token'],
        ['peers', 'peers.json'],
        ['control', 'control.json']
      ].map(([file, name]) => [file, join(path, name!)])
    )
  })

  test('what a crash left of a storeId goes', async () => {
    mkdirSync(path, { mode: 0o700 })
    writeFileSync(join(path, 'store-id.0123456789abcdef.tmp'), 'half')
    await open()
    expect(readdirSync(path).toSorted()).toEqual(['lock', 'store-id', 'wal'])
  })

  test('power cut at any moment of birth: the next opening has a storeId that stays', async () => {
    const disk = new SimulatedDisk()
    disk.directories.add('/data')
    const moments: SimulatedDisk[] = []
    disk.onChange = () => moments.push(disk.clone())
    await openStoreId('/data', disk)
    expect(moments.length).toBeGreaterThan(5)
    for (const moment of moments) {
      for (let names = 0; names <= moment.nameChanges.length; names++) {
        for (const tear of [nothing, whole, prefix(10, false), prefix(10, true)]) {
          const after = moment.afterPowerCut(tear, names)
          const { storeId } = await openStoreId('/data', after)
          const found = await openStoreId('/data', after.afterPowerCut(nothing, 0))
          expect([found.born, toHex(found.storeId)]).toEqual([false, toHex(storeId)])
        }
      }
    }
  })
})

describe('what is refused', () => {
  test('a directory that others can write in, with the command that repairs it; or a warning', async () => {
    mkdirSync(path)
    chmodSync(path, 0o777)
    await expect(open()).rejects.toMatchObject({ name: 'DataDirUnsafeError', nextStep: `Run: chmod 700 ${path}` })
    expect((await open({ openPermissions: 'warn' })).warnings).toEqual([expect.stringContaining('mode 777')])
  })

  test('a directory that others can only read is theirs to read', async () => {
    mkdirSync(path)
    for (const [mode, isOpen] of [
      [0o755, false],
      [0o720, true],
      [0o702, true],
      [0o1777, true]
    ] as const) {
      chmodSync(path, mode)
      if (!isOpen) await (await open()).close()
      else {
        await expect(open()).rejects.toMatchObject({
          message: `${path} can be changed by other users (mode ${mode.toString(8)})`
        })
      }
    }
  })

  test('a directory of another user is worth a warning, where there are users', async () => {
    await (await open()).close()
    chmodSync(path, 0o770)
    const { getuid } = process
    const uid = statSync(path).uid
    try {
      process.getuid = () => uid + 1
      expect((await open({ ...byPid, openPermissions: 'warn' })).warnings).toEqual([
        `${path} can be changed by other users (mode 770)`,
        `${path} belongs to uid ${uid}, this process runs as ${uid + 1}`,
        'a pid file stands in for the native lock: never use this directory from two machines or containers'
      ])
      await opened.pop()!.close()
      Object.assign(process, { getuid: undefined })
      expect((await open()).warnings).toEqual([])
    } finally {
      Object.assign(process, { getuid })
    }
  })

  test('a call that fails says what was done, and where', async () => {
    writeFileSync(join(root, 'file'), '')
    await expect(openDataDir(join(root, 'file', 'below'))).rejects.toMatchObject({
      details: { operation: 'making', file: join(root, 'file', 'below') }
    })
    const fileSystem = { ...nodeFileSystem, list: () => Promise.reject(errno('ENOSPC')), freeBytes: async () => 5 }
    await expect(open({ fileSystem })).rejects.toMatchObject({
      name: 'StorageFullError',
      details: { operation: 'opening', file: path, freeBytes: 5 }
    })
    await open()
  })

  test('a file in the place of the directory', async () => {
    writeFileSync(path, '')
    await expect(open()).rejects.toMatchObject({
      name: 'DataDirUnsafeError',
      message: `${path} is not a directory`,
      nextStep: 'Choose another path for the data directory.'
    })
    path = join(path, 'below')
    await expect(open()).rejects.toMatchObject({ name: 'StorageAccessError', details: { errno: 'ENOTDIR' } })
  })

  test.each(['lock', 'store-id'])('a symbolic link in the place of %s', async (name) => {
    await (await open()).close()
    const target = join(root, 'target')
    writeFileSync(target, 'precious')
    rmSync(join(path, name))
    symlinkSync(target, join(path, name))
    await expect(open()).rejects.toMatchObject({ name: 'StorageAccessError', details: { errno: 'ELOOP' } })
    expect(readFileSync(target, 'utf8')).toBe('precious')
  })
})

describe.each([
  { method: 'kernel', options: {} },
  { method: 'pid', options: byPid }
])('the lock ($method)', ({ options }) => {
  test('a second opening is refused and names the holder', async () => {
    await open(options)
    await expect(open(options)).rejects.toMatchObject({
      name: 'DataDirLockedError',
      details: { path, pid: process.pid },
      nextStep: expect.stringContaining(`Stop process ${process.pid}`) as string
    })
  })

  test('both kinds of lock respect each other', async () => {
    await open(options)
    await expect(open(byPid)).rejects.toMatchObject({ name: 'DataDirLockedError' })
    await expect(open({})).rejects.toMatchObject({ name: 'DataDirLockedError' })
  })

  test('closing frees it, twice is once', async () => {
    const dir = await open(options)
    await dir.close()
    await dir.close()
    await open(options)
  })

  test('a refusal leaves the holder undisturbed', async () => {
    const dir = await open(options)
    await expect(open(options)).rejects.toMatchObject({ name: 'DataDirLockedError' })
    await expect(open(options)).rejects.toMatchObject({ name: 'DataDirLockedError' })
    await dir.close()
    await open(options)
  })

  test('a failed opening frees it', async () => {
    await (await open(options)).close()
    const good = readFileSync(join(path, 'store-id'))
    writeFileSync(join(path, 'store-id'), 'rotten')
    await expect(open(options)).rejects.toMatchObject({ name: 'StorageCorruptError' })
    writeFileSync(join(path, 'store-id'), good)
    await open(options)
  })
})

describe('the pid file', () => {
  test('of a dead process is taken over, with a warning that it is a pid file', async () => {
    await (await open()).close()
    writeFileSync(join(path, 'lock.pid'), deadHolder)
    expect((await open(byPid)).warnings).toEqual([expect.stringContaining('pid file')])
    expect(JSON.parse(readFileSync(join(path, 'lock.pid'), 'utf8'))).toMatchObject({ pid: process.pid })
    expect(existsSync(join(path, 'lock.pid.takeover'))).toBe(false)
  })

  test.each([
    ['a living process', JSON.stringify({ pid: process.pid, host: hostname() })],
    ['another machine', JSON.stringify({ pid: 2 ** 22 + 1, host: 'another' })],
    ['nobody can say whom', 'not json']
  ])('of %s is respected', async (_, holder) => {
    await (await open()).close()
    writeFileSync(join(path, 'lock.pid'), holder)
    await expect(open(byPid)).rejects.toMatchObject({ name: 'DataDirLockedError' })
    expect(readFileSync(join(path, 'lock.pid'), 'utf8')).toBe(holder)
  })

  test('a later process with the pid of a dead one is not taken for it', async () => {
    await (await open()).close()
    writeFileSync(join(path, 'lock.pid'), JSON.stringify({ pid: process.pid, host: hostname(), startTime: '1' }))
    if (existsSync('/proc/self/stat')) await open(byPid)
  })

  test('is not taken over while somebody else is taking it over', async () => {
    await (await open()).close()
    writeFileSync(join(path, 'lock.pid'), deadHolder)
    mkdirSync(join(path, 'lock.pid.takeover'))
    await expect(open(byPid)).rejects.toMatchObject({ name: 'DataDirLockedError' })
  })

  test('of many that start at once, one wins', async () => {
    await (await open()).close()
    writeFileSync(join(path, 'lock.pid'), deadHolder)
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => open(byPid)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
})

test('the native lock is there on the platforms that we test on', () => {
  expect(loadLockAddon()).toBeDefined()
})

test('the native lock and the package that it comes from respect each other', () => {
  const addons = [loadLockAddon()!, createRequire(import.meta.url)('fs-native-extensions') as LockAddon]
  for (const [ours, other] of [addons, addons.toReversed()] as [LockAddon, LockAddon][]) {
    const file = join(root, 'locked')
    const [holder, another] = [openSync(file, 'a+'), openSync(file, 'a+')]
    expect(ours.tryLock(holder)).toBe(true)
    expect([other.tryLock(another), ours.tryLock(another)]).toEqual([false, false])
    closeSync(holder)
    expect(other.tryLock(another)).toBe(true)
    closeSync(another)
    expect(() => ours.tryLock(another)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  }
})
