/**
 * What the rest of Quorate asks of a disk.
 *
 * A store holds named cells (last value wins: vote, founding state, certificate, boot counter), one log of entries, and the
 * newest snapshot of what the log's owner made of it. A batch is atomic: after a crash either all of it is there or none.
 * `write` resolves when the batch is durable (synced), and in the order of the calls; batches that are queued while a sync
 * runs share the next one (group commit). A failed write or sync is final: the store refuses everything afterwards, because
 * what the disk holds is no longer known (fsyncgate).
 *
 * Within a batch the snapshot comes first, then the compaction, then the entries. So a snapshot that a leader sent, the
 * log that it replaces and the first entries behind it are one step.
 */

/** A log entry as bytes on disk: `type` is a small number that the log's owner chooses. */
export interface StoredEntry {
  /** From 1, without gaps. */
  readonly index: number
  readonly term: number
  readonly type: number
  readonly data: Uint8Array
}

/** The state that the log led to, up to and with the entry `index` of `term`. */
export interface StoredSnapshot {
  readonly index: number
  readonly term: number
  /** At most 256 MiB. */
  readonly data: Uint8Array
}

export interface WriteBatch {
  /** Name: 1 to 32 characters of a-z, 0-9, `-`, `.`. */
  readonly cells?: readonly { readonly name: string; readonly value: Uint8Array }[]
  /**
   * Replaces the newest snapshot and lies beyond it. When the log holds the entry (index, term), the log stays as it is.
   * Otherwise the log was another one: it goes, all of it, and begins again, empty, at `index` + 1.
   */
  readonly snapshot?: StoredSnapshot
  /**
   * Entries up to this index are not needed any more; the store may keep more. At most the index of the newest snapshot,
   * that of this batch included.
   */
  readonly compactTo?: number
  /**
   * Contiguous; the first index is beyond the newest snapshot and at most one past the end of the log. Everything from there
   * on is replaced.
   */
  readonly entries?: readonly StoredEntry[]
}

export interface Recovered {
  readonly cells: ReadonlyMap<string, Uint8Array>
  readonly snapshot: StoredSnapshot | undefined
  /** Contiguous. The first index is at most that of the snapshot + 1, or 1; the last is at least that of the snapshot, when there are any. */
  readonly entries: readonly StoredEntry[]
  /** Bytes of a torn, never acknowledged tail that were cut, for the log line. */
  readonly tornBytes: number
  /**
   * Why the newest snapshot was passed over, for the log line: it is damaged, and `snapshot` is the one before it, from
   * which `entries` still lead to the same state.
   */
  readonly skippedSnapshot: string | undefined
}

/** Whose store this is; a file that belongs to somebody else is refused (FAULTS D5). */
export interface StoreOwner {
  /** 32 bytes. */
  readonly domainId: Uint8Array
  /** Text form of the node's PeerId. */
  readonly peerId: string
  /** 16 random bytes, made when the data directory was born. */
  readonly storeId: Uint8Array
}

export interface Storage {
  /** What was found when the store was opened. Read it first: what later batches let go may be missing from it. */
  readonly recovered: Recovered
  write(batch: WriteBatch): Promise<void>
  /** Waits for what is queued. Idempotent. */
  close(): Promise<void>
}
