import { describe, expect, test } from 'vitest'
import { storageConformance } from '../../src/conformance/storage.ts'
import { memoryHarness, realDiskHarness, simulatedDiskHarness } from './harness.ts'

describe.each([
  { name: 'memory', harness: memoryHarness },
  { name: 'write-ahead log on a simulated disk', harness: simulatedDiskHarness },
  { name: 'write-ahead log on files', harness: realDiskHarness }
])('$name', ({ harness }) => {
  for (const { name, run } of storageConformance) test(name, () => run(harness))
})

test('a store that confirms what it never writes is found out by nearly every case, and let go of', async () => {
  let open = 0
  const results = await Promise.allSettled(
    storageConformance.map(({ run }) =>
      run(async () => {
        open++
        const harness = await memoryHarness()
        const lies = async (...words: Parameters<typeof harness.open>): ReturnType<typeof harness.open> => {
          const storage = await harness.open(...words)
          return { recovered: storage.recovered, write: async () => {}, close: () => storage.close() }
        }
        const dispose = async (): Promise<void> => {
          open--
          await harness.dispose()
        }
        return { ...harness, open: lies, dispose }
      })
    )
  )
  const passed = storageConformance.filter((_, i) => results[i]!.status === 'fulfilled').map(({ name }) => name)
  expect(passed).toEqual([
    'a new store is empty',
    'promises resolve in the order of the calls',
    'what was recovered does not change while the store is written',
    'an empty batch waits for all before it'
  ])
  expect(open).toBe(0)
})
