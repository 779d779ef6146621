/** Nodes over libp2p, for the conformance suite and for the tests of the adapter. */
import type { TransportHarness, TransportHarnessNode } from '../../src/conformance/transport.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/hash.ts'
import type { AdmissionGate } from '../../src/transport/gate.ts'
import { createQuorateLibp2p } from '../../src/transport/libp2p/create-libp2p.ts'
import type { QuorateLibp2p, TransportFactory } from '../../src/transport/libp2p/types.ts'
import type { TransportLimits } from '../../src/transport/port.ts'

export interface Libp2pHarnessInit {
  readonly transports?: readonly TransportFactory[]
  readonly listen: (name: string) => string
  readonly deadAddress: string
}

export const domainOf = (name: string): Uint8Array => sha256(utf8(`domain ${name}`))
export const seedOf = (name: string): Uint8Array => sha256(utf8(`seed ${name}`))

export interface Libp2pHarness extends TransportHarness {
  node(
    name: string,
    gate: AdmissionGate,
    limits?: Partial<TransportLimits>,
    domainId?: Uint8Array
  ): Promise<TransportHarnessNode & QuorateLibp2p>
  /** What the transports reported. */
  readonly errors: string[]
}

export function libp2pHarness(init: Libp2pHarnessInit): Promise<Libp2pHarness> {
  const made: QuorateLibp2p[] = []
  const errors: string[] = []
  return Promise.resolve({
    errors,
    async node(name, gate, limits = {}, domainId = domainOf('test')) {
      const one = await createQuorateLibp2p({
        seed: seedOf(name),
        domainId,
        gate,
        limits,
        listen: [init.listen(name)],
        ...(init.transports === undefined ? {} : { transports: init.transports }),
        onError: (error, doing) => errors.push(`${name}, ${doing}: ${String(error)}`)
      })
      made.push(one)
      return { ...one, peerId: one.libp2p.peerId.toString() }
    },
    deadAddress: () => init.deadAddress,
    async dispose() {
      await Promise.all(made.map(({ transport }) => transport.stop()))
    }
  })
}
