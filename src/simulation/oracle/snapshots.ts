/** Snapshots: equal places give equal bytes, and nothing is cut from a log that no durable snapshot covers. */
import { crc32 } from '../crc.ts'
import type { DurableBatch } from '../../replica/types.ts'
import type { Process } from '../process.ts'
import type { Memory, View } from './memory.ts'

export class SnapshotOracle {
  readonly #memory: Memory
  /** What the newest durable snapshot on a disk covers. */
  readonly #durable = new Map<string, number>()
  /** Digests by cluster and index. */
  readonly #digests = new Map<string, number>()

  constructor(memory: Memory) {
    this.#memory = memory
  }

  recovered(process: Process): void {
    const { snapshot, skippedSnapshot } = process.recovery
    const name = process.machine.disk
    const index = snapshot?.index ?? 0
    const known = this.#durable.get(name) ?? 0
    if (index < known && skippedSnapshot === undefined && !process.machine.distrusted) {
      const detail = `a snapshot of ${known} was synced, one of ${index} is read back`
      this.#memory.fail('durable-snapshot', process, detail)
    }
    this.#durable.set(name, index)
  }

  /** It was handed to storage: our own, or somebody's that takes the place of our log. */
  asked(process: Process, { clusterId }: View, { index, data }: NonNullable<DurableBatch['snapshot']>): void {
    const key = `${clusterId}/${index}`
    const digest = crc32(data)
    const known = this.#digests.get(key)
    if (known === undefined) this.#digests.set(key, digest)
    else if (known !== digest) {
      this.#memory.fail('snapshot-agreement', process, `its snapshot of ${index} is not the one that another has`)
    }
  }

  persisted(process: Process, { snapshot, compactTo }: DurableBatch): void {
    const name = process.machine.disk
    const covered = Math.max(this.#durable.get(name) ?? 0, snapshot?.index ?? 0)
    this.#durable.set(name, covered)
    if (compactTo === undefined || compactTo <= covered) return
    const detail = `entries up to ${compactTo} are cut, and the newest snapshot ends at ${covered}`
    this.#memory.fail('cut-is-covered', process, detail)
  }
}
