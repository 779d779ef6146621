import { describe, test } from 'vitest'
import { transportConformance, type TransportHarness } from '../../src/conformance/transport.ts'
import { MemoryHub, type MemoryHubInit } from '../../src/transport/memory.ts'
import { seededRandom } from '../../src/core/random.ts'

function harness(init: MemoryHubInit = {}): TransportHarness {
  const hub = new MemoryHub(init)
  const running: { stop(): Promise<void> }[] = []
  return {
    node(name, gate, limits = {}) {
      const transport = hub.transport({ peerId: name, gate, limits })
      running.push(transport)
      return Promise.resolve({ peerId: name, transport, crash: () => hub.crash(name) })
    },
    deadAddress: () => '/memory/nobody',
    async dispose() {
      for (const transport of running) await transport.stop()
    }
  }
}

describe('memory transport', () => {
  for (const { name, run } of transportConformance) test(name, () => run(() => Promise.resolve(harness())))
})

describe('memory transport, deliveries in random order', () => {
  for (const { name, run } of transportConformance) {
    test(name, async ({ task }) => {
      const random = seededRandom(task.name)
      const waiting: (() => void)[] = []
      const schedule = (deliver: () => void): void => {
        waiting.push(deliver)
        setImmediate(() => waiting.splice(random.int(0, waiting.length - 1), 1)[0]?.())
      }
      await run(() => Promise.resolve(harness({ schedule })))
    })
  }
})
