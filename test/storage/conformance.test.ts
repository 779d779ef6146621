import { describe, test } from 'vitest'
import { storageConformance } from '../../src/conformance/storage.ts'
import { memoryHarness, realDiskHarness, simulatedDiskHarness } from './harness.ts'

describe.each([
  { name: 'memory', harness: memoryHarness },
  { name: 'write-ahead log on a simulated disk', harness: simulatedDiskHarness },
  { name: 'write-ahead log on files', harness: realDiskHarness }
])('$name', ({ name: store, harness }) => {
  for (const { name, run } of storageConformance) {
    // The write-ahead log learns snapshots next.
    const later = store !== 'memory' && /snapshot|compact|random|the caller changes/.test(name)
    test.skipIf(later)(name, () => run(harness))
  }
})
