/**
 * A disk in memory with a page cache in front of it, for faults between any two system calls and inside a write.
 *
 * A file has what the disk holds (`durable`), what a reader sees (`cached`), and the operations between them (`dirty`). A
 * directory has names in the same two states. `sync` moves dirty operations to the disk; a failed one throws them away and
 * leaves the cache as it is, as Linux does. `afterPowerCut` makes the disk that a machine finds when it boots again.
 */
import { dirname } from 'node:path'
import type { FileSystem, OpenFile } from '../../src/storage/file-system.ts'

export type Dirty =
  | { readonly type: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly type: 'truncate'; readonly length: number }

export interface Inode {
  durable: Uint8Array
  cached: Uint8Array
  dirty: Dirty[]
}

export type NameChange =
  | { readonly type: 'set'; readonly path: string; readonly inode: Inode }
  | { readonly type: 'remove'; readonly path: string }

/** What becomes of a write that was not synced: the new content of the file, or undefined for "nothing arrived". */
export type Tear = (before: Uint8Array, write: { position: number; bytes: Uint8Array }) => Uint8Array

export interface Fault {
  /** Throws to fail the call; for a write, `keep` bytes of it arrive in the cache before. */
  readonly error: Error
  readonly keep?: number
}

export class SimulatedDisk implements FileSystem {
  readonly cachedNames = new Map<string, Inode>()
  readonly durableNames = new Map<string, Inode>()
  /** Name changes that no directory sync has covered, in order. */
  nameChanges: NameChange[] = []
  readonly directories = new Set<string>()
  /** Called after every call that changes something, with the call's name. */
  onChange: (call: string) => void = () => undefined
  /** Asked before every call; a fault makes it fail. */
  fault: (call: string, path: string) => Fault | undefined = () => undefined
  free: number | undefined = 1_000_000
  /** Files that were opened or created and are not closed. */
  openFiles = 0

  list(directory: string): Promise<readonly string[]> {
    return this.#call('list', directory, () => {
      if (!this.directories.has(directory)) throw errno('ENOENT')
      return [...this.cachedNames.keys()]
        .filter((p) => dirname(p) === directory)
        .map((p) => p.slice(directory.length + 1))
    })
  }

  read(path: string, bytesMax = Infinity): Promise<Uint8Array> {
    return this.#call('read', path, () => this.#inode(path).cached.slice(0, bytesMax))
  }

  create(path: string): Promise<OpenFile> {
    return this.#call('create', path, () => {
      if (this.cachedNames.has(path)) throw errno('EEXIST')
      const inode = { durable: new Uint8Array(), cached: new Uint8Array(), dirty: [] }
      this.#setName({ type: 'set', path, inode })
      this.onChange('create')
      return this.#file(inode)
    })
  }

  open(path: string): Promise<OpenFile> {
    return this.#call('open', path, () => this.#file(this.#inode(path)))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call('rename', from, () => {
      const inode = this.#inode(from)
      this.#setName({ type: 'set', path: to, inode })
      this.#setName({ type: 'remove', path: from })
      this.onChange('rename')
    })
  }

  remove(path: string): Promise<void> {
    return this.#call('remove', path, () => {
      if (!this.cachedNames.has(path)) return
      this.#setName({ type: 'remove', path })
      this.onChange('remove')
    })
  }

  makeDirectory(path: string): Promise<void> {
    return this.#call('makeDirectory', path, () => void this.directories.add(path))
  }

  syncDirectory(path: string): Promise<void> {
    return this.#call('syncDirectory', path, () => {
      for (const change of this.nameChanges.filter((c) => dirname(c.path) === path))
        applyName(this.durableNames, change)
      this.nameChanges = this.nameChanges.filter((c) => dirname(c.path) !== path)
      this.onChange('syncDirectory')
    })
  }

  freeBytes(): Promise<number | undefined> {
    return Promise.resolve(this.free)
  }

  /** Another disk in the same state, cache included. */
  clone(): SimulatedDisk {
    const copies = new Map<Inode, Inode>()
    const copyOf = (inode: Inode): Inode => {
      const copy = copies.get(inode) ?? {
        durable: inode.durable.slice(),
        cached: inode.cached.slice(),
        dirty: [...inode.dirty]
      }
      copies.set(inode, copy)
      return copy
    }
    const clone = new SimulatedDisk()
    for (const directory of this.directories) clone.directories.add(directory)
    for (const [path, inode] of this.cachedNames) clone.cachedNames.set(path, copyOf(inode))
    for (const [path, inode] of this.durableNames) clone.durableNames.set(path, copyOf(inode))
    clone.nameChanges = this.nameChanges.map((c) => (c.type === 'set' ? { ...c, inode: copyOf(c.inode) } : c))
    return clone
  }

  /** The writes that no sync has covered. */
  unsynced(): readonly { readonly position: number; readonly bytes: Uint8Array }[] {
    return [...this.cachedNames.values()].flatMap((inode) => inode.dirty.filter((d) => d.type === 'write'))
  }

  /** The machine lost power and booted: unsynced writes arrive as `tear` says, unsynced names so many, or those that `names` picks. */
  afterPowerCut(tear: Tear, names: number | ((change: number) => boolean)): SimulatedDisk {
    const disk = this.clone()
    const arrives = typeof names === 'number' ? (i: number): boolean => i < names : names
    for (const change of disk.nameChanges.filter((_, i) => arrives(i))) applyName(disk.durableNames, change)
    disk.nameChanges = []
    for (const inode of new Set(disk.durableNames.values())) {
      let content = inode.durable
      for (const dirty of inode.dirty)
        content = dirty.type === 'write' ? tear(content, dirty) : resize(content, dirty.length)
      Object.assign(inode, { durable: content, cached: content.slice(), dirty: [] })
    }
    disk.cachedNames.clear()
    for (const [path, inode] of disk.durableNames) disk.cachedNames.set(path, inode)
    return disk
  }

  /** Changes a file at rest. */
  edit(path: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const content = change(this.#inode(path).cached.slice())
    Object.assign(this.#inode(path), { durable: content, cached: content.slice(), dirty: [] })
  }

  content(path: string): Uint8Array {
    return this.#inode(path).cached
  }

  #file(inode: Inode): OpenFile {
    this.openFiles++
    const name = (): string => [...this.cachedNames].find(([, other]) => other === inode)?.[0] ?? '(removed)'
    return {
      write: (bytes, position) => {
        const fault = this.fault('write', name())
        const arrived = fault === undefined ? bytes : bytes.subarray(0, fault.keep ?? 0)
        const write = { type: 'write', position, bytes: arrived.slice() } as const
        inode.cached = whole(inode.cached, write)
        inode.dirty.push(write)
        this.onChange('write')
        return fault === undefined ? Promise.resolve() : Promise.reject(fault.error)
      },
      sync: () => {
        const fault = this.fault('sync', name())
        // After a failed sync the cache holds pages that the disk never got and that no later sync will write.
        if (fault === undefined)
          inode.durable = inode.dirty.reduce((content, dirty) => arrive(content, dirty, whole), inode.durable)
        inode.dirty = []
        this.onChange('sync')
        return fault === undefined ? Promise.resolve() : Promise.reject(fault.error)
      },
      truncate: (length) =>
        this.#call('truncate', name(), () => {
          inode.cached = resize(inode.cached, length)
          inode.dirty.push({ type: 'truncate', length })
          this.onChange('truncate')
        }),
      close: () => {
        this.openFiles--
        return Promise.resolve()
      }
    }
  }

  #call<Result>(call: string, path: string, body: () => Result): Promise<Result> {
    const fault = this.fault(call, path)
    if (fault !== undefined) return Promise.reject(fault.error)
    return new Promise((resolve) => resolve(body()))
  }

  #inode(path: string): Inode {
    const inode = this.cachedNames.get(path)
    if (inode === undefined) throw errno('ENOENT')
    return inode
  }

  #setName(change: NameChange): void {
    applyName(this.cachedNames, change)
    this.nameChanges.push(change)
  }
}

function applyName(names: Map<string, Inode>, change: NameChange): void {
  if (change.type === 'set') names.set(change.path, change.inode)
  else names.delete(change.path)
}

const arrive = (content: Uint8Array, dirty: Dirty, tear: Tear): Uint8Array =>
  dirty.type === 'write' ? tear(content, dirty) : resize(content, dirty.length)

export const errno = (code: string): Error => Object.assign(new Error(`${code}: simulated`), { code })

export function resize(content: Uint8Array, length: number): Uint8Array {
  const resized = new Uint8Array(length)
  resized.set(content.subarray(0, length))
  return resized
}

/** All of the write arrives. */
export const whole: Tear = (before, { position, bytes }) => {
  const after = resize(before, Math.max(before.byteLength, position + bytes.byteLength))
  after.set(bytes, position)
  return after
}

export const nothing: Tear = (before) => before

/** The first `length` bytes arrive; `extended`: the file has its new size all the same, and reads as zeros. */
export const prefix =
  (length: number, extended: boolean): Tear =>
  (before, { position, bytes }) => {
    const after = whole(before, { position, bytes: bytes.subarray(0, length) })
    return extended ? resize(after, Math.max(after.byteLength, position + bytes.byteLength)) : after
  }

/** Each sector of the file arrives or not. */
export const sectors =
  (arrives: (sector: number) => boolean): Tear =>
  (before, { position, bytes }) => {
    const after = resize(before, Math.max(before.byteLength, position + bytes.byteLength))
    for (let i = 0; i < bytes.byteLength; i++) {
      if (arrives(Math.floor((position + i) / 512))) after[position + i] = bytes[i]!
    }
    return after
  }
