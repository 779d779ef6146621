/**
 * The few system calls that durable files need, as a port: faults are injected below it and the shipped code runs above.
 *
 * Measured (ext4 on a virtual disk, Node 24, 1.1 KiB appended and synced, p50 / p99 in ms, into space that was written
 * before and into space that was not): FileHandle write + datasync 0.17 / 0.30 and 0.24 / 0.44; fs.write + fs.fdatasync
 * 0.15 / 0.27 and 0.22 / 0.36; writeSync + fs.fdatasync 0.15 / 0.23 and 0.19 / 0.32; one write to a file opened with
 * O_DSYNC 0.15 / 0.23 and 0.21 / 0.34; both calls synchronous 0.11 / 0.16 and 0.18 / 0.25. So: callbacks, because they
 * never stop the event loop, and space written ahead, because that saves a third. The latency of O_DSYNC is that of two calls,
 * its processor time is not: 90 us for a write instead of 130 to 160, because one trip to the thread pool costs as much as the
 * write itself. Some layered file systems keep no promise for it, so it is used where Linux itself has the file (see
 * `SYNCED_TYPES`), and elsewhere each write is followed by its fdatasync.
 */
import { constants, fdatasync, write } from 'node:fs'
import { mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from './errors.ts'

export interface OpenFile {
  /** True: what `write` has written is durable when it resolves, as after `sync`. */
  readonly syncsWrites?: boolean
  /** Writes all of `bytes` at `position`. When it rejects, any part may have been written. */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** Content and size are durable when it resolves (fdatasync). */
  sync(): Promise<void>
  truncate(length: number): Promise<void>
  close(): Promise<void>
}

export interface OpenOptions {
  /** Every write will be followed by a sync: the file may do both in one call, and says so in `syncsWrites`. */
  readonly syncedWrites?: boolean
}

export interface FileSystem {
  /** Names in the directory, in no order. */
  list(directory: string): Promise<readonly string[]>
  /** The content, or as much of it as fits in `bytesMax`. */
  read(path: string, bytesMax?: number): Promise<Uint8Array>
  /** A new file for reading and writing; rejects with EEXIST when the name is taken, even by a dangling link. */
  create(path: string, mode: number, options?: OpenOptions): Promise<OpenFile>
  /** An existing plain file for reading and writing; rejects with ELOOP on a symbolic link. */
  open(path: string, options?: OpenOptions): Promise<OpenFile>
  /** Replaces `to`. Durable after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>
  /** Does nothing when there is no such file. */
  remove(path: string): Promise<void>
  /** Does nothing when the name exists; rejects when its parent does not. */
  makeDirectory(path: string, mode: number): Promise<void>
  /** Names made, replaced and removed in the directory are durable when it resolves. */
  syncDirectory(path: string): Promise<void>
  /** Free for this user; undefined when it cannot be told. */
  freeBytes(path: string): Promise<number | undefined>
}

/** Absent on Windows, where opening a link needs a privilege that an attacker would not have. */
const NOFOLLOW = (constants.O_NOFOLLOW as number | undefined) ?? 0

export const nodeFileSystem: FileSystem = {
  list: (directory) => readdir(directory),
  async read(path, bytesMax = Infinity) {
    const handle = await open(path, constants.O_RDONLY | NOFOLLOW)
    try {
      const length = Math.min((await handle.stat()).size, bytesMax)
      return await readAll(async (buffer, position) => (await handle.read({ buffer, position })).bytesRead, length)
    } finally {
      await handle.close()
    }
  },
  create: (path, mode, options) => openFile(path, constants.O_CREAT | constants.O_EXCL, mode, options),
  open: (path, options) => openFile(path, 0, undefined, options),
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { force: true }),
  async makeDirectory(path, mode) {
    try {
      // Not `recursive`, which reports a read-only file system as a missing directory.
      await mkdir(path, { mode })
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
    }
  },
  async syncDirectory(path) {
    // Windows has no handle to sync for a directory; NTFS journals names by itself.
    if (process.platform === 'win32') return
    const handle = await open(path, constants.O_RDONLY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
  async freeBytes(path) {
    try {
      const { bavail, bsize } = await statfs(path)
      return bavail * bsize
    } catch {
      return undefined
    }
  }
}

async function openFile(
  path: string,
  flags: number,
  mode: number | undefined,
  { syncedWrites = false }: OpenOptions = {}
): Promise<NodeFile> {
  const syncsWrites = syncedWrites && (await keepsDsync(dirname(path)))
  const all = constants.O_RDWR | NOFOLLOW | flags | (syncsWrites ? constants.O_DSYNC : 0)
  return new NodeFile(await open(path, all, mode), syncsWrites)
}

/** By the `f_type` of statfs(2): ext2 to ext4, XFS, Btrfs, F2FS, ZFS and tmpfs. */
const SYNCED_TYPES: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994])

async function keepsDsync(directory: string): Promise<boolean> {
  if (process.platform !== 'linux') return false
  try {
    return SYNCED_TYPES.has((await statfs(directory)).type)
  } catch {
    return false
  }
}

class NodeFile implements OpenFile {
  readonly syncsWrites: boolean
  readonly #handle: FileHandle

  constructor(handle: FileHandle, syncsWrites: boolean) {
    this.#handle = handle
    this.syncsWrites = syncsWrites
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return writeAll((...args) => write(this.#handle.fd, ...args), bytes, position)
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) =>
      fdatasync(this.#handle.fd, (error) => (error === null ? resolve() : reject(error)))
    )
  }

  async truncate(length: number): Promise<void> {
    await this.#handle.truncate(length)
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** Fills `target` from a place of the file as far as it can, and answers with how far. */
type ReadSome = (target: Uint8Array, position: number) => Promise<number>

/** The beginning of a file: `length` bytes, or fewer when it ends before. */
export async function readAll(readSome: ReadSome, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let end = 0
  while (end < length) {
    const count = await readSome(bytes.subarray(end), end)
    if (count === 0) break
    end += count
  }
  return bytes.subarray(0, end)
}

/** Writes `length` bytes from `offset` on at a place of the file, or fewer, and says how many. */
type WriteSome = (
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
  done: (error: Error | null, written: number) => void
) => void

/** A short write is legal (the disk is about to be full, a signal came): the rest is tried, and then says why. */
export function writeAll(writeSome: WriteSome, bytes: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const writeFrom = (offset: number): void =>
      writeSome(bytes, offset, bytes.byteLength - offset, position + offset, (error, written) => {
        const end = offset + written
        if (error !== null) reject(error)
        else if (end === bytes.byteLength) resolve()
        else if (written === 0) reject(new Error('the system wrote nothing and gave no reason'))
        else writeFrom(end)
      })
    writeFrom(0)
  })
}
