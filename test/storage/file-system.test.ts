/** What the port over Node's calls promises about a write, and that the log relies on nothing else. */
import { readdirSync, readFileSync, readlinkSync, statfsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nodeFileSystem, readAll, writeAll, type FileSystem, type OpenFile } from '../../src/storage/file-system.ts'
import { createWalDirectory } from '../../src/storage/wal/directory.ts'
import { openWalStorage } from '../../src/storage/wal/wal.ts'
import { owner } from './harness.ts'
import { errno } from './simulated-disk.ts'

const isLinux = process.platform === 'linux'
const O_DSYNC = 0o10000
const EXT4 = 0xef53
const TMPFS = 0x01021994

async function inDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-fs-'))
  try {
    await test(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** Flags of this process's descriptor of a file, as the kernel has them. */
function flagsOf(path: string): number {
  for (const fd of readdirSync('/proc/self/fd')) {
    let target: string
    try {
      target = readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      // The descriptor that listed the directory.
      continue
    }
    if (target !== path) continue
    return parseInt(/^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!, 8)
  }
  throw new Error(`nobody has ${path} open`)
}

it.runIf(isLinux)('a file says that it syncs its writes if, and only if, the kernel was told to', () =>
  inDirectory(async (directory) => {
    const isKnown = [EXT4, TMPFS].includes(statfsSync(directory).type)
    for (const [name, options] of [
      ['plain', undefined],
      ['synced', { syncedWrites: true }]
    ] as const) {
      const path = join(directory, name)
      const ways = [() => nodeFileSystem.create(path, 0o600, options), () => nodeFileSystem.open(path, options)]
      for (const open of ways) {
        const file = await open()
        expect((flagsOf(path) & O_DSYNC) !== 0, name).toBe(file.syncsWrites)
        if (isKnown) expect(file.syncsWrites, name).toBe(name === 'synced')
        await file.close()
      }
    }
  })
)

it('reads all of a file or its beginning, and nothing through a link', () =>
  inDirectory(async (directory) => {
    const [path, link] = [join(directory, 'file'), join(directory, 'link')]
    await writeFile(path, 'content')
    await symlink(path, link)
    const text = async (bytesMax?: number): Promise<string> =>
      Buffer.from(await nodeFileSystem.read(path, bytesMax)).toString()
    expect([await text(), await text(3), await text(7), await text(99)]).toEqual([
      'content',
      'con',
      'content',
      'content'
    ])
    await expect(nodeFileSystem.read(link)).rejects.toMatchObject({ code: 'ELOOP' })
    await expect(nodeFileSystem.open(link)).rejects.toMatchObject({ code: 'ELOOP' })
    await expect(nodeFileSystem.read(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(nodeFileSystem.open(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
    expect([...(await nodeFileSystem.list(directory))].toSorted()).toEqual(['file', 'link'])
  }))

it('makes a file that is new, and no other', () =>
  inDirectory(async (directory) => {
    const [path, link] = [join(directory, 'file'), join(directory, 'link')]
    await symlink(path, link)
    await expect(nodeFileSystem.create(link, 0o600)).rejects.toMatchObject({ code: 'EEXIST' })
    await (await nodeFileSystem.create(path, 0o640)).close()
    expect((await stat(path)).mode & 0o777).toBe(0o640)
    await expect(nodeFileSystem.create(path, 0o600)).rejects.toMatchObject({ code: 'EEXIST' })
  }))

it('writes where it is told to, cuts, renames and removes', () =>
  inDirectory(async (directory) => {
    const [path, other] = [join(directory, 'file'), join(directory, 'other')]
    const file = await nodeFileSystem.create(path, 0o600)
    await file.write(Buffer.from('abcdef'), 0)
    await file.write(Buffer.from('XY'), 2)
    await file.write(new Uint8Array(), 1)
    await file.truncate(5)
    await file.sync()
    await file.close()
    await expect(file.sync()).rejects.toThrow()
    await expect(file.write(Buffer.from('x'), 0)).rejects.toThrow()
    await writeFile(other, 'gone')
    await nodeFileSystem.rename(path, other)
    expect([await readdir(directory), await readFile(other, 'utf8')]).toEqual([['other'], 'abXYe'])
    for (let i = 0; i < 2; i++) await nodeFileSystem.remove(other)
    expect(await readdir(directory)).toEqual([])
  }))

it.runIf(isLinux)('a write that the system refuses says why', async () => {
  const file = await nodeFileSystem.open('/dev/full')
  await expect(file.write(Buffer.from('x'), 0)).rejects.toMatchObject({ code: 'ENOSPC' })
  await expect(file.sync()).rejects.toMatchObject({ code: 'EINVAL' })
  await file.close()
})

describe('a call that does less than it was asked to', () => {
  const text = Buffer.from('0123456789')

  /** Writes at most `most` bytes a time, and `fault` once the file is `end` long. */
  const disk = (most: number, end = Infinity, fault: Error | null = null) => {
    let content = Buffer.from('....')
    const write: Parameters<typeof writeAll>[0] = (bytes, offset, length, position, done) => {
      const part = Buffer.from(bytes).subarray(offset, offset + Math.min(length, most, end - position))
      expect([position, offset + length]).toEqual([content.byteLength, bytes.byteLength])
      content = Buffer.concat([content, part])
      if (part.byteLength === 0 && fault !== null) done(fault, 0)
      else done(null, part.byteLength)
    }
    return { write, text: () => content.toString() }
  }

  it.each([1, 3, 5, 9, 10, 11])('of a write of ten bytes %i', async (most) => {
    const { write, text: content } = disk(most)
    await writeAll(write, text, 4)
    expect(content()).toBe('....0123456789')
  })

  it('and then says why, or does not', async () => {
    const full = disk(3, 11, errno('ENOSPC'))
    await expect(writeAll(full.write, text, 4)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(full.text()).toBe('....0123456')
    const silent = disk(3, 11)
    await expect(writeAll(silent.write, text, 4)).rejects.toThrow('the system wrote nothing and gave no reason')
    await writeAll(disk(3).write, new Uint8Array(), 4)
  })

  it.each([1, 3, 5, 9, 10, 11])('of a read of ten bytes %i, until the file ends', async (most) => {
    const read: Parameters<typeof readAll>[0] = async (target, position) =>
      text.copy(target, 0, position, Math.min(position + most, 10))
    for (const length of [0, 1, 9, 10]) {
      expect(Buffer.from(await readAll(read, length)).toString()).toBe('0123456789'.slice(0, length))
    }
    expect(Buffer.from(await readAll(read, 15)).toString()).toBe('0123456789')
  })
})

it('makes a directory that is missing, in one that is there', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'sub')
    for (let i = 0; i < 2; i++) await nodeFileSystem.makeDirectory(path, 0o700)
    expect((await stat(path)).mode & 0o777).toBe(0o700)
    await expect(nodeFileSystem.makeDirectory(join(directory, 'none', 'sub'), 0o700)).rejects.toMatchObject({
      code: 'ENOENT'
    })
    await nodeFileSystem.syncDirectory(path)
    await expect(nodeFileSystem.syncDirectory(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
  }))

it('knows how much is free, when anybody does', () =>
  inDirectory(async (directory) => {
    const { bavail, bsize } = statfsSync(directory)
    const free = await nodeFileSystem.freeBytes(directory)
    // Others use the disk meanwhile.
    expect(Math.abs(free! - bavail * bsize)).toBeLessThan(0.2 * bavail * bsize + 2 ** 28)
    expect(await nodeFileSystem.freeBytes(join(directory, 'none'))).toBeUndefined()
  }))

it.runIf(isLinux)('lets go of what it opened, also when a call fails', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'file')
    await writeFile(path, 'content')
    const open = (): number =>
      readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory)
        } catch {
          return false
        }
      }).length
    await nodeFileSystem.read(path)
    await expect(nodeFileSystem.read(directory)).rejects.toMatchObject({ code: 'EISDIR' })
    await nodeFileSystem.syncDirectory(directory)
    expect(open()).toBe(0)
  })
)

it.each([
  { platform: 'win32', syncs: false, isMissing: false },
  { platform: 'darwin', syncs: false, isMissing: true }
])('on $platform no promise of its writes is believed', ({ platform, syncs, isMissing }) =>
  inDirectory(async (directory) => {
    const real = Object.getOwnPropertyDescriptor(process, 'platform')!
    Object.defineProperty(process, 'platform', { ...real, value: platform })
    try {
      const file = await nodeFileSystem.create(join(directory, 'file'), 0o600, { syncedWrites: true })
      expect(file.syncsWrites).toBe(syncs)
      await file.close()
      // Windows cannot open a directory to sync it.
      const synced = nodeFileSystem.syncDirectory(join(directory, 'none'))
      await (isMissing ? expect(synced).rejects.toMatchObject({ code: 'ENOENT' }) : synced)
    } finally {
      Object.defineProperty(process, 'platform', real)
    }
  })
)

it('the log syncs after each write, unless the file has done so', async () => {
  for (const syncsWrites of [false, true]) {
    await inDirectory(async (directory) => {
      const calls: string[] = []
      const watch = (file: OpenFile): OpenFile => ({
        syncsWrites,
        write: (bytes, position) => (calls.push('write'), file.write(bytes, position)),
        sync: () => (calls.push('sync'), file.sync()),
        truncate: (length) => file.truncate(length),
        close: () => file.close()
      })
      const fileSystem: FileSystem = {
        ...nodeFileSystem,
        create: async (path, mode) => watch(await nodeFileSystem.create(path, mode)),
        open: async (path) => watch(await nodeFileSystem.open(path))
      }
      const path = join(directory, 'log')
      await createWalDirectory(path)
      const log = await openWalStorage({ directory: path, owner, fileSystem })
      calls.length = 0
      await log.write({ cells: [{ name: 'a', value: new Uint8Array(1) }] })
      await log.write({ cells: [{ name: 'a', value: new Uint8Array(2) }] })
      expect(calls).toEqual(syncsWrites ? ['write', 'write'] : ['write', 'sync', 'write', 'sync'])
      await log.close()
    })
  }
})
