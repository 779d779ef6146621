import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StorageHarness } from '../../src/conformance/storage-kit.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/hash.ts'
import { createMemoryDisk, createMemoryStorage } from '../../src/storage/memory.ts'
import type { MemoryStorage } from '../../src/storage/memory.ts'
import type { StoreOwner } from '../../src/storage/port.ts'
import { createWalDirectory } from '../../src/storage/wal/directory.ts'
import { openWalStorage } from '../../src/storage/wal/wal.ts'
import type { WalInit, WalStorage } from '../../src/storage/wal/wal.ts'
import { SimulatedDisk, errno, nothing } from './simulated-disk.ts'

export const ownerOf = (name: string): StoreOwner => ({
  domainId: sha256(utf8('domain')),
  peerId: `12D3KooW${name}`,
  storeId: sha256(utf8(name)).slice(0, 16)
})

export const owner = ownerOf('alice')

/** Small numbers, so that a short workload rotates and grows. */
export const smallLog = { segmentBytes: 4096, growBytes: 1024 } as const

export const walDirectory = '/data/wal'

export async function createSimulatedDisk(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk()
  await createWalDirectory(walDirectory, disk)
  return disk
}

export const openOn = (disk: SimulatedDisk, init: Partial<WalInit> = {}): Promise<WalStorage> =>
  openWalStorage({ directory: walDirectory, owner, fileSystem: disk, ...smallLog, ...init })

export async function memoryHarness(): Promise<StorageHarness> {
  const disk = createMemoryDisk()
  let storage: MemoryStorage | undefined
  return {
    open: async () => (storage = createMemoryStorage({ disk, owner })),
    crash: async () => storage?.crash(),
    failNextSync: () => storage?.failSync(),
    dispose: async () => storage?.crash()
  }
}

export async function simulatedDiskHarness(): Promise<StorageHarness> {
  let disk = await createSimulatedDisk()
  return {
    open: () => openOn(disk),
    async crash() {
      disk = disk.afterPowerCut(nothing, 0)
    },
    failNextSync() {
      disk.fault = (call) => {
        if (call !== 'sync') return undefined
        disk.fault = () => undefined
        return { error: errno('EIO') }
      }
    },
    dispose: async () => undefined
  }
}

/** Real files; the crash is a copy of them at that moment, which is what a killed process leaves. */
export async function realDiskHarness(): Promise<StorageHarness> {
  const root = mkdtempSync(join(tmpdir(), 'quorate-storage-'))
  let life = 0
  const directory = (): string => join(root, String(life))
  const opened: WalStorage[] = []
  await createWalDirectory(directory())
  return {
    async open() {
      const storage = await openWalStorage({ directory: directory(), owner, ...smallLog })
      opened.push(storage)
      return storage
    },
    async crash() {
      const before = directory()
      life++
      cpSync(before, directory(), { recursive: true })
    },
    async dispose() {
      for (const storage of opened) await storage.close()
      rmSync(root, { recursive: true })
    }
  }
}

/** Bytes in hexadecimal, with spaces between the fields. */
export const packed = (hex: string): string => hex.replaceAll(' ', '')
