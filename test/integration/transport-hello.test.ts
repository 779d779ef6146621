import { tcp } from '@libp2p/tcp'
import { describe, test } from 'vitest'
import { transportConformance } from '../../src/conformance/transport.ts'
import { helloHarness } from '../transport/hello-harness.ts'

describe('hello stream in somebody else’s libp2p node, TCP on the loopback', () => {
  for (const { name, run } of transportConformance) {
    test(name, () =>
      run(() =>
        helloHarness({
          transports: [tcp()],
          listen: () => '/ip4/127.0.0.1/tcp/0',
          deadAddress: '/ip4/127.0.0.1/tcp/1'
        })
      )
    )
  }
})
