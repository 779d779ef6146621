/** A node in a process of its own: prints its address, then waits to be killed. */
import { EventLog, toyGate } from '../../src/conformance/transport.ts'
import { libp2pHarness } from './harness.ts'

const harness = await libp2pHarness({ listen: () => '/ip4/127.0.0.1/tcp/0', deadAddress: '/ip4/127.0.0.1/tcp/1' })
const { transport } = await harness.node('child', toyGate())
await transport.start(new EventLog())
process.stdout.write(`${transport.addresses()[0]}\n`)
