/** What a lock file says, and who is believed to live. The races are in data-dir.test.ts. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { lockDirectory } from '../../src/storage/lock.ts'
import type { DirectoryLock, LockAddon } from '../../src/storage/lock.ts'
import { errno } from './simulated-disk.ts'

let root = ''
const held: DirectoryLock[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'quorate-lock-'))
})

afterEach(async () => {
  for (const { release } of held.splice(0)) await release()
  rmSync(root, { recursive: true })
})

const free: LockAddon = { tryLock: () => true }
const busy: LockAddon = { tryLock: () => false }
const host = hostname()
/** A pid that was never given out. */
const DEAD = 2 ** 22 + 1
const hasProc = existsSync('/proc/self/stat')

const write = (name: string, holder: unknown): void =>
  writeFileSync(join(root, name), typeof holder === 'string' ? holder : JSON.stringify(holder))
const read = (name: string): string => readFileSync(join(root, name), 'utf8')

async function lock(addon?: LockAddon): Promise<DirectoryLock> {
  const taken = await lockDirectory(root, addon)
  held.push(taken)
  return taken
}

const refusal = (file: string, holder: string, pid?: number) => ({
  name: 'DataDirLockedError',
  message: `data directory ${root} is in use by ${holder}`,
  details: { path: root, lockFile: join(root, file), pid }
})

/** Descriptors of this process in the directory. */
const openFiles = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      return target.startsWith(root) ? [target] : []
    } catch {
      return []
    }
  })

/** By whom a lock of the other kind, or a dead one, is held. */
const living: readonly [string, unknown, string, number?][] = [
  ['this process', { pid: process.pid, host }, `process ${process.pid}`, process.pid],
  ['a process that is not ours', { pid: 1, host }, 'process 1', 1],
  ['a process of another machine', { pid: DEAD, host: 'elsewhere' }, `process ${DEAD} on elsewhere`, DEAD]
]
const unknown = [
  '',
  'not json',
  'null',
  '5',
  '{}',
  '{"pid":1}',
  `{"host":"${host}"}`,
  `{"pid":1.5,"host":"${host}"}`,
  `{"pid":"1","host":"${host}"}`,
  '{"pid":1,"host":5}',
  `"pid host"`
]

describe('the pid file', () => {
  test('names this process, is private, and goes with the lock', async () => {
    const { method, release } = await lock()
    expect([method, readdirSync(root)]).toEqual(['pid', ['lock.pid']])
    const holder = JSON.parse(read('lock.pid')) as Record<string, unknown>
    expect(holder).toMatchObject({ pid: process.pid, host })
    if (hasProc) {
      expect(holder['startTime']).toBe(
        readFileSync('/proc/self/stat', 'utf8')
          .replace(/^.*\) /, '')
          .split(' ')[19]
      )
      expect(holder['bootId']).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
    }
    expect(statSync(join(root, 'lock.pid')).mode & 0o777).toBe(0o600)
    await release()
    expect(readdirSync(root)).toEqual([])
    writeFileSync(join(root, 'lock.pid'), 'of the next')
    await release()
    expect(read('lock.pid')).toBe('of the next')
  })

  test.each(living)('of %s is respected', async (_, holder, name, pid) => {
    write('lock.pid', holder)
    await expect(lock()).rejects.toMatchObject(refusal('lock.pid', name, pid))
    expect([read('lock.pid'), readdirSync(root)]).toEqual([JSON.stringify(holder), ['lock.pid']])
  })

  test('that says nothing of use is respected', async () => {
    for (const text of unknown) {
      write('lock.pid', text)
      await expect(lock()).rejects.toMatchObject({
        ...refusal('lock.pid', 'another process'),
        nextStep: `Stop the process that uses it (fuser ${join(root, 'lock.pid')}), or choose another data directory.`
      })
    }
  })

  test.runIf(hasProc)('is taken over when its process is dead, by any of three signs', async () => {
    const mine = { pid: process.pid, host }
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    for (const dead of [
      { pid: DEAD, host },
      { ...mine, startTime: '1' },
      { ...mine, bootId: 'of another boot' }
    ]) {
      write('lock.pid', dead)
      await (await lock()).release()
      expect(readdirSync(root)).toEqual([])
    }
    const startTime = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')[19]
    for (const alive of [
      { ...mine, startTime },
      { ...mine, bootId },
      { ...mine, startTime, bootId }
    ]) {
      write('lock.pid', alive)
      await expect(lock()).rejects.toMatchObject({ name: 'DataDirLockedError' })
    }
  })

  test('is not taken over when its process can neither be asked nor looked at', async () => {
    write('lock.pid', { pid: DEAD, host, startTime: '1' })
    const asked = vi.spyOn(process, 'kill')
    try {
      asked.mockImplementation(() => {
        throw errno('EPERM')
      })
      await expect(lock()).rejects.toMatchObject(refusal('lock.pid', `process ${DEAD}`, DEAD))
      expect(asked).toHaveBeenCalledWith(DEAD, 0)
      asked.mockReturnValue(true)
      await expect(lock()).rejects.toMatchObject(refusal('lock.pid', `process ${DEAD}`, DEAD))
    } finally {
      asked.mockRestore()
    }
    await lock()
  })

  test('is looked at once more before it is taken over', async () => {
    for (const [next, name, pid] of [
      [JSON.stringify({ pid: process.pid, host }), `process ${process.pid}`, process.pid],
      ['', 'another process', undefined]
    ] as const) {
      write('lock.pid', { pid: DEAD, host })
      const asked = vi.spyOn(process, 'kill').mockImplementationOnce(() => {
        write('lock.pid', next)
        throw errno('ESRCH')
      })
      try {
        await expect(lock()).rejects.toMatchObject(refusal('lock.pid', name, pid))
      } finally {
        asked.mockRestore()
      }
      expect([read('lock.pid'), readdirSync(root)]).toEqual([next, ['lock.pid']])
    }
  })

  test('that somebody has removed is released all the same', async () => {
    const { release } = await lock()
    rmSync(join(root, 'lock.pid'))
    await release()
  })

  test('is not taken over while the gate is shut, or cannot be made', async () => {
    write('lock.pid', { pid: DEAD, host })
    mkdirSync(join(root, 'lock.pid.takeover'))
    await expect(lock()).rejects.toMatchObject(refusal('lock.pid', `process ${DEAD}`, DEAD))
    expect(readdirSync(root)).toEqual(['lock.pid', 'lock.pid.takeover'])
  })

  test.each(living)('gives way to the kernel lock of %s', async (_, holder, name, pid) => {
    write('lock', holder)
    await expect(lock()).rejects.toMatchObject(refusal('lock', name, pid))
    expect(readdirSync(root)).toEqual(['lock'])
  })

  test('does not give way to a name that means nothing, or a dead one', async () => {
    for (const text of [...unknown, JSON.stringify({ pid: DEAD, host })]) {
      write('lock', text)
      await (await lock()).release()
    }
  })
})

describe('the kernel lock', () => {
  test('names this process for people, and nobody when it is free', async () => {
    write('lock', 'x'.repeat(500))
    const { method, release } = await lock(free)
    expect([method, readdirSync(root)]).toEqual(['kernel', ['lock']])
    expect(JSON.parse(read('lock'))).toMatchObject({ pid: process.pid, host })
    await release()
    expect(read('lock')).toBe('')
    await release()
    if (hasProc) expect(openFiles()).toEqual([])
  })

  test('makes a private file', async () => {
    await lock(free)
    expect(statSync(join(root, 'lock')).mode & 0o777).toBe(0o600)
  })

  test.each(living)('of %s is respected', async (_, holder, name, pid) => {
    write('lock', holder)
    await expect(lock(busy)).rejects.toMatchObject(refusal('lock', name, pid))
    expect(read('lock')).toBe(JSON.stringify(holder))
    if (hasProc) expect(openFiles()).toEqual([])
  })

  test('whose holder has no name yet, or a dead one, is respected', async () => {
    for (const text of [...unknown, JSON.stringify({ pid: DEAD, host })]) {
      write('lock', text)
      await expect(lock(busy)).rejects.toMatchObject(refusal('lock', 'another process'))
    }
  })

  test.each(living)('gives way to the pid file of %s', async (_, holder, name, pid) => {
    write('lock.pid', holder)
    await expect(lock(free)).rejects.toMatchObject(refusal('lock.pid', name, pid))
    if (hasProc) expect(openFiles()).toEqual([])
  })

  test('does not give way to a pid file that means nothing, or a dead one', async () => {
    for (const text of [...unknown, JSON.stringify({ pid: DEAD, host })]) {
      write('lock.pid', text)
      await (await lock(free)).release()
    }
  })
})

test('a directory that is not there is said to be so', async () => {
  for (const addon of [free, undefined]) {
    await expect(lockDirectory(join(root, 'none'), addon)).rejects.toMatchObject({
      name: 'StorageAccessError',
      details: { operation: 'locking', file: join(root, 'none'), errno: 'ENOENT' }
    })
  }
})
