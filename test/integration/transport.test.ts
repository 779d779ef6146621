import { describe, test } from 'vitest'
import { transportConformance } from '../../src/conformance/transport.ts'
import { libp2pHarness } from '../transport/harness.ts'

// Port 1 of the loopback answers with a reset; nothing listens there.
describe('libp2p transport, TCP on the loopback', () => {
  for (const { name, run } of transportConformance) {
    test(name, () =>
      run(() => libp2pHarness({ listen: () => '/ip4/127.0.0.1/tcp/0', deadAddress: '/ip4/127.0.0.1/tcp/1' }))
    )
  }
})
