/**
 * A store without a disk, for tests and simulation: the write-ahead log's honest twin. Same checks, same atomic batches,
 * same group commit, same final failure; only durability is pretended.
 *
 * The disk outlives the store: `crash()` drops what was not synced and frees the disk, and `createMemoryStorage({ disk })`
 * is the restart. Left out: damage inside the bytes, because there are no bytes; the write-ahead log has its own tests.
 */
import { invariant } from '../core/invariant.ts'
import { LogOutline } from './batch.ts'
import { StorageClosedError, StorageFailedError } from './errors.ts'
import { GroupCommit } from './group-commit.ts'
import { checkOwnerShape, checkSameOwner } from './owner.ts'
import type { Recovered, StoreOwner, Storage, StoredEntry, StoredSnapshot, WriteBatch } from './port.ts'

/** What survives a crash. */
export interface MemoryDisk {
  /** A separate disk with the same content: a backup, or a machine restored from a snapshot (FAULTS P5). */
  copy(): MemoryDisk
}

export interface MemoryStorageInit {
  /** Default: a new, empty disk. A disk serves one open store at a time. */
  readonly disk?: MemoryDisk
  /** When given, a disk that another owner has written is refused with StorageForeignError. */
  readonly owner?: StoreOwner
  /** Calls `done` when the sync that starts now has finished; a simulator puts its disk latency here. Default: at once. */
  readonly scheduleSync?: (done: () => void) => void
}

export interface MemoryStorage extends Storage {
  readonly disk: MemoryDisk
  /**
   * The process dies now. Batches that were not synced are lost, except the first `keep` of them, which had reached the
   * disk although nobody was told (default 0). Their promises never settle: nobody is left to hear.
   */
  crash(keep?: number): void
  /** The sync that runs or comes next fails: the store refuses everything afterwards. */
  failSync(cause?: Error): void
}

export const createMemoryDisk = (): MemoryDisk => new Disk()

export function createMemoryStorage(init: MemoryStorageInit = {}): MemoryStorage {
  return new Memory(init)
}

class Disk implements MemoryDisk {
  cells = new Map<string, Uint8Array>()
  snapshot: StoredSnapshot | undefined
  /** Entries up to here are gone. */
  baseIndex = 0
  entries: StoredEntry[] = []
  owner: StoreOwner | undefined
  inUse = false

  copy(): Disk {
    const copy = new Disk()
    copy.cells = new Map(this.cells)
    copy.snapshot = this.snapshot
    copy.baseIndex = this.baseIndex
    copy.entries = [...this.entries]
    copy.owner = this.owner
    return copy
  }

  apply({ batch, beginsAnew }: Accepted): void {
    const { cells, snapshot, compactTo, entries } = batch
    for (const { name, value } of cells) this.cells.set(name, value)
    this.snapshot = snapshot ?? this.snapshot
    if (snapshot !== undefined && beginsAnew) {
      this.baseIndex = snapshot.index
      this.entries = []
    }
    this.#compact(compactTo)
    const first = entries[0]
    if (first !== undefined) this.entries.length = first.index - 1 - this.baseIndex
    for (const entry of entries) this.entries.push(entry)
  }

  #compact(index: number): void {
    const gone = Math.max(0, index - this.baseIndex)
    this.entries.splice(0, gone)
    this.baseIndex += gone
  }

  claim(owner: StoreOwner | undefined): void {
    invariant(!this.inUse, 'a memory disk serves one open store at a time')
    if (owner !== undefined) {
      checkOwnerShape(owner)
      if (this.owner !== undefined) checkSameOwner('the memory disk', owner, this.owner)
      this.owner = owner
    }
    this.inUse = true
  }
}

type Copy = WriteBatch & Required<Omit<WriteBatch, 'snapshot'>>

interface Accepted {
  readonly batch: Copy
  readonly beginsAnew: boolean
}

class Memory implements MemoryStorage {
  readonly disk: Disk
  readonly recovered: Recovered
  readonly #commit: GroupCommit<Accepted>
  readonly #outline: LogOutline
  #unsynced: Accepted[] = []
  #syncFailure: Error | undefined
  #closed: Promise<void> | undefined
  #crashed = false

  constructor({ disk = createMemoryDisk(), owner, scheduleSync = (done) => done() }: MemoryStorageInit) {
    invariant(disk instanceof Disk, 'the disk was not made by createMemoryDisk')
    disk.claim(owner)
    this.disk = disk
    const { snapshot } = disk
    this.recovered = {
      cells: new Map(disk.cells),
      snapshot,
      entries: [...disk.entries],
      tornBytes: 0,
      skippedSnapshot: undefined
    }
    this.#outline = new LogOutline(disk)
    this.#commit = new GroupCommit(async (batches) => {
      await new Promise<void>(scheduleSync)
      this.#sync(batches.length)
    }, Infinity)
  }

  async write(batch: WriteBatch): Promise<void> {
    if (this.#closed !== undefined) throw new StorageClosedError()
    const { beginsAnew } = this.#outline.accept(batch)
    const accepted = { batch: copyOf(batch), beginsAnew }
    this.#unsynced.push(accepted)
    await this.#commit.add(accepted, 0)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  crash(keep = 0): void {
    if (this.#crashed) return
    this.#crashed = true
    this.#commit.abandon()
    for (const accepted of this.#unsynced.slice(0, keep)) this.disk.apply(accepted)
    this.disk.inUse = false
  }

  failSync(cause = new Error('EIO: simulated i/o error')): void {
    this.#syncFailure = cause
  }

  async #close(): Promise<void> {
    await this.#commit.drain()
    if (!this.#crashed) this.disk.inUse = false
  }

  #sync(count: number): void {
    if (this.#crashed) return
    if (this.#syncFailure !== undefined) throw new StorageFailedError('sync', 'memory', this.#syncFailure)
    for (const accepted of this.#unsynced.splice(0, count)) this.disk.apply(accepted)
  }
}

/** `new Uint8Array`, not `slice`: a caller's Buffer would answer with a window on itself. */
function copyOf({ cells = [], snapshot, compactTo = 0, entries = [] }: WriteBatch): Copy {
  return {
    cells: cells.map(({ name, value }) => ({ name, value: new Uint8Array(value) })),
    ...(snapshot === undefined ? {} : { snapshot: { ...snapshot, data: new Uint8Array(snapshot.data) } }),
    compactTo,
    entries: entries.map((entry) => ({ ...entry, data: new Uint8Array(entry.data) }))
  }
}
