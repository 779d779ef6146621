/**
 * Where the log stands: what has gone, where it ends, and which snapshots it leans on.
 *
 * A snapshot is kept for as long as the log joins it, and no more than two are: the newest, and the one before it while
 * the entries that led from it to the newest are still there. Then the older one is a second way to the same state, and
 * the newest may be damaged without loss. Once those entries go, the older one is worth nothing, and goes with them.
 */
import type { SnapshotRef } from './snapshot-file.ts'

export interface LogPosition {
  /** Entries up to here are gone. */
  readonly baseIndex: number
  readonly lastIndex: number
  /** At most two, the newest last. */
  readonly snapshots: readonly SnapshotRef[]
}

export const startOfLog: LogPosition = { baseIndex: 0, lastIndex: 0, snapshots: [] }

/** What a batch does to the position; `beginsAnew`: the snapshot replaces a log that does not lead to it. */
export interface Move {
  readonly snapshot: SnapshotRef | undefined
  readonly beginsAnew: boolean
  readonly compactTo: number | undefined
  /** Undefined when the batch has no entries. */
  readonly lastIndex: number | undefined
}

export function moved(position: LogPosition, { snapshot, beginsAnew, compactTo, lastIndex }: Move): LogPosition {
  const after = snapshot === undefined ? position : withSnapshot(position, snapshot, beginsAnew)
  const compacted = compactedTo(after, compactTo ?? 0)
  return lastIndex === undefined ? compacted : { ...compacted, lastIndex }
}

export function withSnapshot(position: LogPosition, snapshot: SnapshotRef, beginsAnew: boolean): LogPosition {
  if (beginsAnew) return { baseIndex: snapshot.index, lastIndex: snapshot.index, snapshots: [snapshot] }
  return joined({ ...position, snapshots: [...position.snapshots.slice(-1), snapshot] })
}

export function compactedTo(position: LogPosition, index: number): LogPosition {
  return index <= position.baseIndex ? position : joined({ ...position, baseIndex: index })
}

/** Without the newest snapshot: the one before it leads to the same state. */
export const withoutNewest = (position: LogPosition): LogPosition => ({
  ...position,
  snapshots: position.snapshots.slice(0, -1)
})

export const newestSnapshot = ({ snapshots }: LogPosition): SnapshotRef | undefined => snapshots.at(-1)

/** Without the snapshots that the log has left behind; that is never the newest. */
const joined = (position: LogPosition): LogPosition => ({
  ...position,
  snapshots: position.snapshots.filter(({ index }) => index >= position.baseIndex)
})
