import { describe, test } from 'vitest'
import { storageConformance } from '../../src/conformance/storage.ts'
import { memoryHarness, realDiskHarness, simulatedDiskHarness } from './harness.ts'

describe.each([
  { name: 'memory', harness: memoryHarness },
  { name: 'write-ahead log on a simulated disk', harness: simulatedDiskHarness },
  { name: 'write-ahead log on files', harness: realDiskHarness }
])('$name', ({ harness }) => {
  for (const { name, run } of storageConformance) test(name, () => run(harness))
})
