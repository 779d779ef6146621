/** What is read back from a disk. */
import { bug, type PlantedBug, SNAPSHOT_FAULTS } from './bug.ts'

export const STORAGE: readonly PlantedBug[] = [
  bug(
    'damage passes for a torn tail',
    'storage',
    'storage/wal/recover.ts',
    'if (damage !== undefined) throw new StorageCorruptError(file.path, at, damage)',
    ''
  ),
  bug(
    'the checksum of a body is not compared',
    'storage',
    'storage/wal/format.ts',
    'return crc32(body) === header.bodyCrc ? body : undefined',
    'return body'
  ),
  bug(
    "another machine's disk is believed",
    'storage',
    'storage/owner.ts',
    'export function checkSameOwner(file: string, expected: StoreOwner, found: StoreOwner): void {',
    "export function checkSameOwner(file: string, expected: StoreOwner, found: StoreOwner): void {\n  if (file !== '') return",
    {
      edits: [
        {
          file: 'src/storage/wal/recover.ts',
          find: 'if (!equalBytes(header.ownerTag, this.#tag)) {',
          replace: 'if (header.ownerTag.byteLength === 0) {'
        }
      ]
    }
  ),
  bug(
    'more is cut than a snapshot covers, and the store lets it',
    'storage',
    'storage/batch.ts',
    'compactTo >= 0 && compactTo <= snapshotIndex',
    'compactTo >= 0',
    {
      only: SNAPSHOT_FAULTS,
      edits: [{ file: 'src/raft/snapshots.ts', find: 'disk.compacted(cut)', replace: 'disk.compacted(log.commit)' }]
    }
  ),
  bug(
    'a shorter value does not replace a longer one when the log is read back',
    'storage',
    'storage/wal/log-state.ts',
    'cell: (name, value) => this.cells.set(name, value),',
    'cell: (name, value) => (this.cells.get(name)?.byteLength ?? 0) > value.byteLength || this.cells.set(name, value),'
  ),
  bug(
    'the last frame of a log passes for torn',
    'storage',
    'storage/wal/recover.ts',
    '      this.#apply(file, at, header, body)\n',
    "      const last = at + header.totalBytes\n      if (isLast && header.kind === 'batch' && isZero(file.bytes, last, file.bytes.byteLength)) {\n        this.#tail = { ...this.tail, tornBytes: header.totalBytes }\n        return\n      }\n      this.#apply(file, at, header, body)\n"
  ),
  bug(
    'the older of two snapshots is read back',
    'storage',
    'storage/wal/log-state.ts',
    'return { ...this.#position, lastIndex: this.#lastIndex }',
    'return { ...this.#position, snapshots: this.#position.snapshots.slice(0, 1), lastIndex: this.#lastIndex }',
    { only: SNAPSHOT_FAULTS }
  )
]
