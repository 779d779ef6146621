import { memory } from '@libp2p/memory'
import { describe, test } from 'vitest'
import { transportConformance } from '../../src/conformance/transport.ts'
import { libp2pHarness } from './harness.ts'

// The whole of libp2p, Noise and Yamux, without sockets. The same over TCP is in test/integration/transport.test.ts.
let hubs = 0

describe('libp2p transport, memory', () => {
  for (const { name, run } of transportConformance) {
    test(name, () =>
      run(() => {
        hubs += 1
        const hub = hubs
        return libp2pHarness({
          transports: [memory()],
          listen: (node) => `/memory/hub-${hub}-${node}`,
          deadAddress: `/memory/hub-${hub}-nobody`
        })
      })
    )
  }
})
