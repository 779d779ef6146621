/** What the cases of the storage suite share: the harness that an implementation brings, and words for batches. */
import { type ConformanceCase, defineCase } from './case.ts'
import assert from 'node:assert/strict'
import { utf8 } from '../core/bytes.ts'
import type { Storage, StoredEntry, StoredSnapshot, WriteBatch } from '../storage/port.ts'
import { describeState, StorageModel } from './storage-model.ts'
import type { StoredState } from './storage-model.ts'

/** One disk, and one process at a time on it. Each case gets a new one. */
export interface StorageHarness {
  /** Opens the store on this harness's disk; the one opened before was closed or has crashed. */
  open(): Promise<Storage>
  /** The process that has the store open dies, and everything that was not synced is lost. */
  crash(): Promise<void>
  /** The sync that comes next fails. Absent where that cannot be arranged; its cases then pass without a check. */
  failNextSync?(): void
  dispose(): Promise<void>
}

export type StorageConformanceCase = ConformanceCase<StorageHarness>

export const cell = (name: string, text: string): WriteBatch => ({ cells: [{ name, value: utf8(text) }] })

export const entry = (index: number, term: number, text = `entry ${index}`): StoredEntry => ({
  index,
  term,
  type: 1,
  data: utf8(text)
})

export const snapshot = (index: number, term: number, text = `snapshot ${index}`): StoredSnapshot => ({
  index,
  term,
  data: utf8(text)
})

export const define: typeof defineCase<StorageHarness> = defineCase

/** The store holds what one of the histories leads to, and nothing between them. */
export async function assertOneOf(
  harness: StorageHarness,
  histories: readonly (readonly WriteBatch[])[]
): Promise<void> {
  const { recovered } = await harness.open()
  const whole = histories.some((batches) => StorageModel.after(batches).allows(recovered))
  assert.ok(whole, `neither the old state nor the new one:\n${describeState(recovered)}`)
}

export async function assertHolds(harness: StorageHarness, batches: readonly WriteBatch[]): Promise<Storage> {
  const storage = await harness.open()
  assertAllowed(StorageModel.after(batches), storage.recovered)
  return storage
}

export function assertAllowed(model: StorageModel, state: StoredState): void {
  if (!model.allows(state)) assert.equal(describeState(state), describeState(model), 'the store holds another state')
}
