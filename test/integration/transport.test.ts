import { Socket } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { startNode } from '../../src/conformance/transport-kit.ts'
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

test('what is prompt does not wait behind what is bulk', async () => {
  const harness = await libp2pHarness({ listen: () => '/ip4/127.0.0.1/tcp/0', deadAddress: '/ip4/127.0.0.1/tcp/1' })
  try {
    const [a, b] = [await startNode(harness, 'a'), await startNode(harness, 'b')]
    await a.dial(b)
    await b.log.until('a session at the other end', () => b.log.sessions.has(a.peerId))
    a.transport.send(b.peerId, new Uint8Array(1), 'bulk')
    a.transport.send(b.peerId, new Uint8Array(1))
    await b.log.until('both streams', () => b.log.frames.length === 2)
    // Far more than a stream may have under way: the reader has to ask for the rest of it.
    const pieces = 64
    for (let i = 0; i < pieces; i++) expect(a.transport.send(b.peerId, new Uint8Array(64 * 1024), 'bulk')).toBe(true)
    a.transport.send(b.peerId, new Uint8Array(2))
    await b.log.until('all of it', () => b.log.frames.length === pieces + 3)
    const at = b.log.frames.findIndex(({ frame }) => frame.byteLength === 2)
    expect(at).toBeLessThan(pieces / 2)
  } finally {
    await harness.dispose()
  }
})

test('a frame costs one write to a socket, and its reader none', async () => {
  const harness = await libp2pHarness({ listen: () => '/ip4/127.0.0.1/tcp/0', deadAddress: '/ip4/127.0.0.1/tcp/1' })
  const written = vi.spyOn(Socket.prototype, 'write')
  try {
    const [a, b] = [await startNode(harness, 'a'), await startNode(harness, 'b')]
    await a.dial(b)
    await b.log.until('a session at the other end', () => b.log.sessions.has(a.peerId))
    const frames = async (from: typeof a, to: typeof a, upTo: number): Promise<void> => {
      while (to.log.frames.length < upTo) {
        const count = to.log.frames.length + 1
        from.transport.send(to.peerId, new Uint8Array(1_024))
        await to.log.until(`frame ${count}`, () => to.log.frames.length === count)
      }
    }
    // The first ones open and accept their streams, and whatever libp2p says at the beginning comes before the second.
    await frames(a, b, 2)
    await frames(b, a, 2)
    await frames(a, b, 3)
    written.mockClear()
    // Below half a window of Yamux, 128 KiB, of which the reader would tell.
    await frames(a, b, 43)
    expect(written).toHaveBeenCalledTimes(40)
  } finally {
    written.mockRestore()
    await harness.dispose()
  }
})
