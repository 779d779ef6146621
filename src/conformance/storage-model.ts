/** What a store must hold after a list of batches, and random batches that fit it: the reference of the storage suite. */
import type { Random } from '../core/random.ts'
import type { Recovered, StoredEntry, StoredSnapshot, WriteBatch } from '../storage/port.ts'

export type StoredState = Pick<Recovered, 'cells' | 'entries'> & { readonly snapshot?: StoredSnapshot | undefined }

/** The state that a list of batches leads to. It keeps no entry longer than it must. */
export class StorageModel implements StoredState {
  readonly cells = new Map<string, Uint8Array>()
  snapshot: StoredSnapshot | undefined
  /** Entries up to here are gone. */
  baseIndex = 0
  entries: StoredEntry[] = []

  get lastIndex(): number {
    return this.baseIndex + this.entries.length
  }

  apply({ cells = [], snapshot, compactTo = 0, entries = [] }: WriteBatch): void {
    for (const { name, value } of cells) this.cells.set(name, value)
    if (snapshot !== undefined) {
      const isInLog = this.entries.some(({ index, term }) => index === snapshot.index && term === snapshot.term)
      if (!isInLog) this.#beginAt(snapshot.index, [])
      this.snapshot = snapshot
    }
    if (compactTo > this.baseIndex) {
      const rest = this.entries.filter(({ index }) => index > compactTo)
      this.#beginAt(compactTo, rest)
    }
    const first = entries[0]
    if (first !== undefined) this.entries = [...this.entries.slice(0, first.index - 1 - this.baseIndex), ...entries]
  }

  /** A store may keep entries that are not needed any more, as long as they join the others. */
  allows({ cells, snapshot, entries }: StoredState): boolean {
    const [first, needed] = [entries[0]?.index, entries.filter(({ index }) => index > this.baseIndex)]
    if (first !== undefined && (first < 1 || first > this.baseIndex + 1)) return false
    if (entries.some(({ index }, i) => index !== first! + i)) return false
    return describeState({ cells, snapshot, entries: needed }) === describeState(this)
  }

  static of({ cells, snapshot, entries }: StoredState): StorageModel {
    const model = new StorageModel()
    for (const [name, value] of cells) model.cells.set(name, value)
    model.snapshot = snapshot
    model.#beginAt((entries[0]?.index ?? (snapshot?.index ?? 0) + 1) - 1, [...entries])
    return model
  }

  static after(batches: readonly WriteBatch[], from: StoredState = new StorageModel()): StorageModel {
    const model = StorageModel.of(from)
    for (const batch of batches) model.apply(batch)
    return model
  }

  #beginAt(baseIndex: number, entries: StoredEntry[]): void {
    this.baseIndex = baseIndex
    this.entries = entries
  }
}

/** Comparable and printable; equal exactly when the states are. */
export function describeState({ cells, snapshot, entries }: StoredState): string {
  const sorted = Array.from(cells, ([name, value]) => `${name}=${hex(value)}`).toSorted()
  const kept = snapshot === undefined ? [] : [`snapshot ${snapshot.index}/${snapshot.term}:${hex(snapshot.data)}`]
  const log = entries.map(({ index, term, type, data }) => `${index}/${term}/${type}:${hex(data)}`)
  return [...sorted, ...kept, ...log].join('\n')
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** A batch without a snapshot that fits: cells, appended entries, or a replaced suffix. */
export function randomBatch(random: Random, model: StorageModel, valueBytesMax = 200): WriteBatch {
  const bytes = (): Uint8Array => chanceBytes(random, valueBytesMax)
  const names = ['vote', 'founding', 'boot', 'certificate'].filter(() => random.int(0, 2) === 0)
  const replaceable = model.lastIndex - (model.snapshot?.index ?? 0)
  const from = model.lastIndex + 1 - (random.int(0, 4) === 0 ? random.int(0, replaceable) : 0)
  const entries = Array.from({ length: random.int(0, 3) }, (_, i) => ({
    index: from + i,
    term: random.int(0, 2 ** 40),
    type: random.int(0, 255),
    data: bytes()
  }))
  return { cells: names.map((name) => ({ name, value: bytes() })), entries }
}

/** The same, and one in four saves a snapshot, lets old entries go, or both. */
export function randomStep(random: Random, model: StorageModel, valueBytesMax = 200): WriteBatch {
  if (random.int(0, 3) > 0) return randomBatch(random, model, valueBytesMax)
  const snapshot = random.int(0, 3) > 0 ? randomSnapshot(random, model, valueBytesMax) : undefined
  const newest = snapshot?.index ?? model.snapshot?.index ?? 0
  const compactTo = random.int(0, 2) > 0 ? random.int(0, newest) : undefined
  const head = { ...(snapshot && { snapshot }), ...(compactTo !== undefined && { compactTo }) }
  return { ...randomBatch(random, StorageModel.after([head], model), valueBytesMax), ...head }
}

/** Mostly of an entry in the log, as a node takes it of its own state; else of another log, as a leader sends it. */
function randomSnapshot(random: Random, model: StorageModel, valueBytesMax: number): StoredSnapshot {
  const candidates = model.entries.filter(({ index }) => index > (model.snapshot?.index ?? 0))
  const own = candidates[random.int(0, Math.ceil(candidates.length * 1.3))]
  const data = chanceBytes(random, valueBytesMax * 3)
  if (own !== undefined) return { index: own.index, term: own.term, data }
  return { index: (model.snapshot?.index ?? 0) + random.int(1, 6), term: random.int(0, 2 ** 40), data }
}

function chanceBytes(random: Random, lengthMax: number): Uint8Array {
  // One in four is all zeros, which is what a lost sector reads as.
  const fill = random.int(0, 3)
  return Uint8Array.from({ length: random.int(0, lengthMax) }, () => (fill === 0 ? 0 : random.int(0, 255)))
}
