/**
 * From a batch to what goes on disk: checked, encoded, and with the position of the log behind it. Pure; the simulated disk
 * uses it too.
 */
import { LogOutline } from '../batch.ts'
import type { StoredEntry, StoredSnapshot, StoreOwner, WriteBatch } from '../port.ts'
import { encodeBatch } from './items.ts'
import { moved, startOfLog } from './position.ts'
import type { LogPosition } from './position.ts'
import { describeSnapshot, encodeSnapshotFile } from './snapshot-file.ts'
import type { SnapshotRef } from './snapshot-file.ts'

export interface IntakeInit {
  readonly owner: StoreOwner
  readonly position: LogPosition
  readonly snapshot: StoredSnapshot | undefined
  readonly entries: readonly StoredEntry[]
  /** Of the file of the next snapshot: higher than that of any file on disk. */
  readonly nextSnapshot: number
}

export interface SnapshotFile {
  readonly ref: SnapshotRef
  readonly image: Uint8Array
}

/** A batch on its way. It shares no bytes with the caller's. */
export interface Taken {
  /** For the body of a frame. */
  readonly bytes: Uint8Array
  readonly cells: readonly { readonly name: string; readonly value: Uint8Array }[]
  /** Durable before the frame is written. */
  readonly snapshot: SnapshotFile | undefined
  /** Where the log stands after this batch. */
  readonly position: LogPosition
}

export class Intake {
  readonly #owner: StoreOwner
  readonly #outline: LogOutline
  /** When all that was taken has been written. */
  #position: LogPosition
  #nextSnapshot: number

  constructor({ owner, position, snapshot, entries, nextSnapshot }: IntakeInit) {
    this.#owner = owner
    this.#outline = new LogOutline({ baseIndex: position.baseIndex, snapshot, entries })
    this.#position = position
    this.#nextSnapshot = nextSnapshot
  }

  static empty(owner: StoreOwner, nextSnapshot: number): Intake {
    return new Intake({ owner, position: startOfLog, snapshot: undefined, entries: [], nextSnapshot })
  }

  /** Throws InvariantError for a batch that breaks a rule; nothing has changed then. */
  take(batch: WriteBatch): Taken {
    const { beginsAnew } = this.#outline.accept(batch)
    const { cells = [], compactTo, entries = [] } = batch
    const snapshot = batch.snapshot === undefined ? undefined : this.#fileOf(batch.snapshot)
    const bytes = encodeBatch({ cells, snapshot: snapshot?.ref, beginsAnew, compactTo, entries })
    const lastIndex = entries.at(-1)?.index
    this.#position = moved(this.#position, { snapshot: snapshot?.ref, beginsAnew, compactTo, lastIndex })
    // `new Uint8Array`, not `slice`: a caller's Buffer would answer with a window on itself.
    const copies = cells.map(({ name, value }) => ({ name, value: new Uint8Array(value) }))
    return { bytes, cells: copies, snapshot, position: this.#position }
  }

  #fileOf(snapshot: StoredSnapshot): SnapshotFile {
    const ref = describeSnapshot(this.#nextSnapshot++, snapshot)
    return { ref, image: encodeSnapshotFile(ref, snapshot.data, this.#owner) }
  }
}
