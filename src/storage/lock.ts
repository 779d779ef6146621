/**
 * One process in a data directory at a time (FAULTS D9).
 *
 * The lock is the kernel's: an open-file-description lock on the file `lock`, taken through a native addon. It ends with the
 * process, however that ends, so that nothing has to be cleaned up after a crash. The text in the file is for people only.
 *
 * Where the addon cannot be loaded, the file `lock.pid` stands in: it appears in one step (link), names the process by pid,
 * start time, boot and machine, and is taken over only from a process that is certainly dead. Both ways respect each
 * other: each announces itself first and looks for the other then, so that at worst both refuse.
 */
import { closeSync, constants, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { link, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { toHex } from '../core/bytes.ts'
import { secureBytes } from '../core/random.ts'
import { DataDirLockedError, errnoOf, openingError } from './errors.ts'

/** The part of fs-native-extensions that is used here. */
export interface LockAddon {
  /** False when another open file holds the lock. */
  tryLock(fd: number): boolean
}

export interface DirectoryLock {
  readonly method: 'kernel' | 'pid'
  /** Idempotent. */
  release(): Promise<void>
}

/** What a lock file says about its holder. */
interface Holder {
  readonly pid: number
  /** Clock ticks after boot, from /proc; tells a process from a later one with the same pid. */
  readonly startTime?: string | undefined
  readonly bootId?: string | undefined
  readonly host: string
}

export function loadLockAddon(): LockAddon | undefined {
  const require = createRequire(import.meta.url)
  return orUndefined(() => prebuilt(require)) ?? orUndefined(() => require('fs-native-extensions') as LockAddon)
}

/**
 * Where the package has it for this machine, straight from there. The package's own search reads a dozen files, among them a
 * parser of versions: 6 ms of every start, where this takes 0.6. Undefined where the machine needs another one.
 */
function prebuilt(require: NodeJS.Require): LockAddon | undefined {
  // As the package tells a C library that is not glibc.
  if (process.platform === 'linux' && existsSync('/etc/alpine-release')) return undefined
  const machine = `${process.platform}-${process.arch}`
  const { tryLock } = require(`fs-native-extensions/prebuilds/${machine}/fs-native-extensions.node`) as Binding
  return {
    tryLock(fd) {
      try {
        tryLock(fd, 0, 0, true)
        return true
      } catch (error) {
        if (errnoOf(error) === 'EAGAIN') return false
        throw error
      }
    }
  }
}

/** What is behind the package's functions. Throws EAGAIN when another open file holds the lock; length 0 is the whole file. */
interface Binding {
  tryLock(fd: number, offset: number, length: number, exclusive: boolean): void
}

function orUndefined<T>(load: () => T): T | undefined {
  try {
    return load()
  } catch {
    return undefined
  }
}

/** Without the addon a pid file stands in. Errors: DataDirLockedError, StorageAccessError. */
export async function lockDirectory(directory: string, addon: LockAddon | undefined): Promise<DirectoryLock> {
  try {
    return addon === undefined ? await lockByPid(directory) : await lockByKernel(directory, addon)
  } catch (error) {
    throw openingError('locking', directory, error)
  }
}

async function lockByKernel(directory: string, addon: LockAddon): Promise<DirectoryLock> {
  const path = join(directory, 'lock')
  // A bare descriptor: a FileHandle that nobody refers to any more is closed by the garbage collector, and the lock with it.
  const noFollow = (constants.O_NOFOLLOW as number | undefined) ?? 0
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | noFollow, 0o600)
  try {
    if (!addon.tryLock(fd)) {
      // The holder may not have written its name yet; the name of a dead one helps nobody.
      const holder = await readHolder(path)
      throw lockedBy(directory, path, holder !== undefined && isAlive(holder) ? holder : undefined)
    }
    ftruncateSync(fd, 0)
    writeSync(fd, JSON.stringify(self()), 0)
    const other = await readHolder(join(directory, 'lock.pid'))
    if (other !== undefined && isAlive(other)) throw lockedBy(directory, join(directory, 'lock.pid'), other)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return released('kernel', async () => {
    ftruncateSync(fd, 0)
    closeSync(fd)
  })
}

async function lockByPid(directory: string): Promise<DirectoryLock> {
  const path = join(directory, 'lock.pid')
  if (!(await announce(path))) {
    const holder = await readHolder(path)
    if (holder === undefined || isAlive(holder)) throw lockedBy(directory, path, holder)
    if (!(await takeOver(path))) throw lockedBy(directory, path, await readHolder(path))
  }
  const other = await readHolder(join(directory, 'lock'))
  if (other !== undefined && isAlive(other)) {
    await rm(path, { force: true })
    throw lockedBy(directory, join(directory, 'lock'), other)
  }
  return released('pid', () => rm(path, { force: true }))
}

/** The file appears with its content or not at all. False when the name is taken. */
async function announce(path: string): Promise<boolean> {
  const mine = `${path}.${toHex(secureBytes(8))}.tmp`
  await writeFile(mine, JSON.stringify(self()), { flag: 'wx', mode: 0o600 })
  try {
    await link(mine, path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(mine, { force: true })
  }
}

/**
 * Replaces the file of a dead process. Only whoever made the directory `lock.pid.takeover` may remove the file, and looks
 * once more before; a process that dies right there leaves that directory, and a person has to remove it.
 */
async function takeOver(path: string): Promise<boolean> {
  const gate = `${path}.takeover`
  try {
    await mkdir(gate)
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
  try {
    const holder = await readHolder(path)
    if (holder === undefined || isAlive(holder)) return false
    await rm(path)
    return await announce(path)
  } finally {
    await rmdir(gate)
  }
}

function released(method: 'kernel' | 'pid', release: () => Promise<void>): DirectoryLock {
  let done: Promise<void> | undefined
  return { method, release: () => (done ??= release()) }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    return isHolder(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isHolder = (value: unknown): value is Holder =>
  typeof value === 'object' &&
  value !== null &&
  'pid' in value &&
  Number.isInteger(value.pid) &&
  'host' in value &&
  typeof value.host === 'string'

function lockedBy(directory: string, lockFile: string, holder: Holder | undefined): DataDirLockedError {
  if (holder === undefined) return new DataDirLockedError(directory, lockFile, 'another process', undefined)
  const where = holder.host === hostname() ? '' : ` on ${holder.host}`
  return new DataDirLockedError(directory, lockFile, `process ${holder.pid}${where}`, holder.pid)
}

function self(): Holder {
  return { pid: process.pid, host: hostname(), startTime: startTimeOf(process.pid), bootId: currentBootId() }
}

/** When in doubt it lives: refusing to start can be repaired, two processes in one directory cannot. */
function isAlive(holder: Holder): boolean {
  if (holder.host !== hostname()) return true
  const bootId = currentBootId()
  if (bootId !== undefined && holder.bootId !== undefined && bootId !== holder.bootId) return false
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false
  }
  const startTime = startTimeOf(holder.pid)
  return startTime === undefined || holder.startTime === undefined || startTime === holder.startTime
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)); the command name before it may hold spaces and parentheses. */
function startTimeOf(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

const currentBootId = (): string | undefined => readText('/proc/sys/kernel/random/boot_id')?.trim()

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
