/** What the port over Node's calls promises about a write, and that the log relies on nothing else. */
import { readdirSync, readFileSync, readlinkSync, statfsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { nodeFileSystem, type FileSystem, type OpenFile } from '../../src/storage/file-system.ts'
import { createWalDirectory } from '../../src/storage/wal/directory.ts'
import { openWalStorage } from '../../src/storage/wal/wal.ts'
import { owner } from './harness.ts'

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
