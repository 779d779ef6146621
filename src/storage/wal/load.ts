/**
 * Reads the directory of the log, as little of it as needed, and changes nothing.
 *
 * The checkpoint at the head of each segment is the index of the log: it says where the log stood when the segment began,
 * so that the first segment that matters is found by reading heads, from the newest back to the first that begins at or
 * before the base. It is part of the log, under its checksums, and cannot be older or newer than it. Everything from there
 * on is read in full, frame by frame; what stands before is not read at all, and is left over.
 *
 * The snapshot that is handed out is the newest, or, when that is damaged and the log still leads there, the one before
 * it, with the log from there on: the same state by the longer way. Otherwise damage is an error, never an older state.
 */
import { StorageCorruptError, errnoOf } from '../errors.ts'
import type { FileSystem } from '../file-system.ts'
import type { StoredSnapshot, StoreOwner } from '../port.ts'
import { readWalDirectory, segmentPath, snapshotPath } from './directory.ts'
import type { WalDirectory } from './directory.ts'
import { readFrameBody, readFrameHeader, segmentHeaderBytes } from './format.ts'
import { readOwner, segmentKind } from './header.ts'
import { readPosition } from './items.ts'
import { newestSnapshot, withoutNewest } from './position.ts'
import type { LogPosition } from './position.ts'
import { Replay } from './recover.ts'
import { readSnapshotFile } from './snapshot-file.ts'
import type { SnapshotRef } from './snapshot-file.ts'

/** Enough for the checkpoint of a node; a longer one is read with its whole segment. */
const headBytes = 64 * 1024

/** A segment that was read, and the end of the log when it began. */
export interface KnownSegment {
  readonly number: number
  readonly beganAt: number
}

export interface LoadedLog {
  readonly replay: Replay
  /** Rising by one, the last is the one to go on with. */
  readonly segments: readonly KnownSegment[]
  readonly snapshot: StoredSnapshot | undefined
  /** Where the log stands, without a snapshot that turned out to be damaged. */
  readonly position: LogPosition
  /** The newest snapshot was passed over: its number, and why. */
  readonly skipped: SkippedSnapshot | undefined
}

export interface SkippedSnapshot {
  readonly number: number
  readonly damage: StorageCorruptError
}

export interface LoadInit {
  readonly directory: string
  readonly owner: StoreOwner
  readonly fileSystem: FileSystem
}

/**
 * The PeerId in the newest segment of a log; undefined for a log that was never written. Throws StorageCorruptError, and
 * ENOENT when the directory is missing.
 */
export async function logOwner(directory: string, fileSystem: FileSystem): Promise<string | undefined> {
  const newest = (await readWalDirectory(directory, fileSystem)).segments.at(-1)
  if (newest === undefined) return undefined
  const path = segmentPath(directory, newest)
  return readOwner(path, await fileSystem.read(path, segmentHeaderBytes), segmentKind).peerId
}

/** `found` has at least one segment. */
export async function loadLog(init: LoadInit, found: WalDirectory): Promise<LoadedLog> {
  const { directory, owner, fileSystem } = init
  const replay = new Replay(owner)
  const segments: KnownSegment[] = []
  const needed = await neededSegments(init, contiguous(found.segments))
  for (const number of needed) {
    const path = segmentPath(directory, number)
    replay.read({ path, segment: number, bytes: await fileSystem.read(path) }, number === needed.at(-1))
    segments.push({ number, beganAt: replay.state.beganAt })
  }
  const missing = replay.state.missingFrom
  if (missing !== undefined) {
    const reason = `it is missing, and the log needs its entries from ${missing} on`
    throw new StorageCorruptError(segmentPath(directory, needed[0]! - 1), 0, reason)
  }
  return { replay, segments, ...(await loadSnapshot(init, replay.state.position)) }
}

/** The run of segments that ends with the newest. */
function contiguous(segments: readonly number[]): readonly number[] {
  const gap = segments.findLastIndex((segment, i) => i > 0 && segments[i - 1] !== segment - 1)
  return gap === -1 ? segments : segments.slice(gap)
}

/** From the last segment that begins at or before the base of the log; the base itself may have moved on since. */
async function neededSegments(init: LoadInit, segments: readonly number[]): Promise<readonly number[]> {
  let base: number | undefined
  for (let i = segments.length - 1; i >= 0; i--) {
    const position = await positionAtHead(init, segments[i]!)
    // Whatever is wrong with this head, reading the segment says it.
    if (position === undefined) return segments.slice(i)
    base ??= position.baseIndex
    if (position.lastIndex <= base) return segments.slice(i)
  }
  return segments
}

async function positionAtHead(
  { directory, fileSystem }: LoadInit,
  segment: number
): Promise<Pick<LogPosition, 'baseIndex' | 'lastIndex'> | undefined> {
  const path = segmentPath(directory, segment)
  let file = await fileSystem.read(path, headBytes)
  const header = readFrameHeader(file, segmentHeaderBytes)
  if (header === undefined) return undefined
  if (segmentHeaderBytes + header.totalBytes > file.byteLength) file = await fileSystem.read(path)
  const body = readFrameBody(file, segmentHeaderBytes, header)
  return body === undefined ? undefined : readPosition(body)
}

async function loadSnapshot(
  init: LoadInit,
  position: LogPosition
): Promise<Pick<LoadedLog, 'snapshot' | 'position' | 'skipped'>> {
  const newest = newestSnapshot(position)
  if (newest === undefined) return { snapshot: undefined, position, skipped: undefined }
  try {
    return { snapshot: await readSnapshot(init, newest), position, skipped: undefined }
  } catch (damage) {
    const before = withoutNewest(position)
    const other = newestSnapshot(before)
    if (!(damage instanceof StorageCorruptError) || other === undefined) throw damage
    const snapshot = await readSnapshot(init, other)
    return { snapshot, position: before, skipped: { number: newest.number, damage } }
  }
}

/** Reads the file of the snapshot and checks all of it. */
export async function readSnapshot(
  { directory, owner, fileSystem }: LoadInit,
  ref: SnapshotRef
): Promise<StoredSnapshot> {
  const path = snapshotPath(directory, ref.number)
  try {
    return readSnapshotFile(path, await fileSystem.read(path), ref, owner)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw new StorageCorruptError(path, 0, 'it is missing', error)
    throw error
  }
}
