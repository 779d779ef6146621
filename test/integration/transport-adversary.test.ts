/**
 * What strangers, foreign clusters, broken members and dying processes do to the transport over TCP. The nodes are real, the
 * network is the loopback; waits are for events.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, test } from 'vitest'
import { EventLog, toyGate, within } from '../../src/conformance/transport.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { systemClock } from '../../src/core/clock.ts'
import { AdmissionRefusedError, DialFailedError } from '../../src/transport/errors.ts'
import { encodeFrames, FrameKind } from '../../src/transport/framing.ts'
import { QUORATE_NOISE_PROTOCOL } from '../../src/transport/libp2p/admission-encrypter.ts'
import { FRAMES_PROTOCOL } from '../../src/transport/libp2p/frames-link.ts'
import { HELLO_PROTOCOL } from '../../src/transport/libp2p/hello-connector.ts'
import type { TransportLimits } from '../../src/transport/port.ts'
import { eventually } from '../admin/eventually.ts'
import { domainOf, libp2pHarness, type Libp2pHarness } from '../transport/harness.ts'
import { helloHarness, hostNode } from '../transport/hello-harness.ts'

const loopback = { listen: () => '/ip4/127.0.0.1/tcp/0', deadAddress: '/ip4/127.0.0.1/tcp/1' }
const cleanups: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function world(): Promise<Libp2pHarness> {
  const harness = await libp2pHarness(loopback)
  cleanups.push(() => harness.dispose())
  return harness
}

async function start(harness: Libp2pHarness, name: string, limits: Partial<TransportLimits> = {}, domain?: Uint8Array) {
  const node = await harness.node(name, toyGate(), limits, domain)
  const log = new EventLog()
  await node.transport.start(log)
  const address = node.transport.addresses()[0]!
  const dial = (other: { readonly peerId: string; readonly transport: typeof node.transport }) =>
    within(
      node.transport.dial(
        { peerId: other.peerId, addresses: other.transport.addresses() },
        { signal: new AbortController().signal }
      ),
      'a dial'
    )
  return { ...node, log, address, dial }
}

/** Figures for people; too dependent on the machine to assert. */
const report = (text: string): boolean => process.stderr.write(`${text}\n`)

const portOf = (address: string): number => Number(/\/tcp\/(\d+)/.exec(address)![1])

function rawSocket(address: string, localAddress = '127.0.0.1'): Socket {
  const socket = connect({ host: '127.0.0.1', port: portOf(address), localAddress })
  socket.on('error', () => {})
  cleanups.push(() => void socket.destroy())
  return socket
}

/** `once` would reject when the socket is reset, which is one of the ways to end. */
const closed = (socket: Socket): Promise<void> =>
  within(
    new Promise((resolve) => {
      if (socket.closed) resolve()
      else socket.on('close', () => resolve())
    }),
    'the end of a socket'
  )

describe('strangers', () => {
  test('a plain libp2p node gets no connection and sees no protocol', async () => {
    const harness = await world()
    const a = await start(harness, 'a')
    const { libp2p } = await hostNode('stranger', '/ip4/127.0.0.1/tcp/0', [tcp()])
    cleanups.push(() => libp2p.stop())
    const opened: unknown[] = []
    libp2p.addEventListener('connection:open', (event) => opened.push(event))
    await expect(libp2p.dial(multiaddr(a.address))).rejects.toThrow(/negotiate/)
    expect(opened).toEqual([])
    expect(a.libp2p.getConnections()).toEqual([])
    expect(a.log.lines).toEqual([])

    const toStranger = { peerId: libp2p.peerId.toString(), addresses: libp2p.getMultiaddrs().map(String) }
    const error: unknown = await a.transport
      .dial(toStranger, { signal: new AbortController().signal })
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(DialFailedError)
    expect((error as DialFailedError).message).toContain(QUORATE_NOISE_PROTOCOL)
  })

  test('a node of another domain fails in the handshake, and knows why', async () => {
    const harness = await world()
    const a = await start(harness, 'a')
    const b = await start(harness, 'b', {}, domainOf('other'))
    const before = performance.now()
    const error: unknown = await b.dial(a).catch((reason: unknown) => reason)
    const took = performance.now() - before
    expect(error).toBeInstanceOf(AdmissionRefusedError)
    expect((error as AdmissionRefusedError).refusal.code).toBe('foreign-domain')
    expect(b.log.lines).toEqual(['refused by us ?: foreign-domain'])
    expect(a.libp2p.getConnections()).toEqual([])
    report(`a foreign domain was refused after ${took.toFixed(1)} ms`)
  })

  test('our own address is recognised without its PeerId', async () => {
    const harness = await world()
    const a = await start(harness, 'a')
    const error: unknown = await a.transport
      .dial(
        { peerId: undefined, addresses: [a.address.replace(/\/p2p\/.*/, '')] },
        { signal: new AbortController().signal }
      )
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(AdmissionRefusedError)
    expect((error as AdmissionRefusedError).refusal.code).toBe('self')
    expect(a.log.sessions.size).toBe(0)
  })

  test('a refusal is fast', async () => {
    const harness = await world()
    const b = await harness.node('b', toyGate({ refuses: { code: 'token-expired', detail: 'last week' } }))
    await b.transport.start(new EventLog())
    const a = await start(harness, 'a')
    const before = performance.now()
    await expect(a.dial(b)).rejects.toBeInstanceOf(AdmissionRefusedError)
    report(`a refusal took ${(performance.now() - before).toFixed(1)} ms`)
  })

  test('sockets that say nothing, or garbage, are closed, and members are not disturbed', async () => {
    const harness = await world()
    const a = await start(harness, 'a', { admissionDeadlineMs: 500 })
    const b = await start(harness, 'b')
    const silent = rawSocket(a.address)
    const garbage = rawSocket(a.address)
    garbage.write(Buffer.alloc(5_000, 0xff))
    const half = rawSocket(a.address)
    half.write('\x13/multistream/1.0.0\n')
    await b.dial(a)
    await Promise.all([closed(silent), closed(garbage), closed(half)])
    expect(a.transport.send(b.peerId, utf8('x'))).toBe(true)
    await b.log.until('the frame', () => b.log.frames.length === 1)
    expect(harness.errors).toEqual([])
  })

  test('a flood from one host uses up its own share only', async () => {
    const harness = await world()
    const a = await start(harness, 'a', { strangersPerHostMax: 8, strangersMax: 16 })
    const b = await start(harness, 'b')
    const flood = Array.from({ length: 40 }, () => rawSocket(a.address, '127.0.0.9'))
    const turnedAway = flood.map((socket) => closed(socket))
    await Promise.race(turnedAway)
    await b.dial(a)
    await a.log.until('the session', () => a.log.sessions.size === 1)
    expect(a.transport.counters().strangersTurnedAway).toBeGreaterThanOrEqual(20)
    // The share is given back.
    for (const socket of flood) socket.destroy()
    await Promise.all(turnedAway)
    const late = await start(harness, 'c')
    await late.dial(a)
  })

  test('a stranger that sends megabytes is cut before they are buffered', async () => {
    const harness = await world()
    const a = await start(harness, 'a')
    const socket = rawSocket(a.address)
    // A long list of protocols that we do not speak: each one is a legal question.
    const question = Buffer.from('\x13/multistream/1.0.0\n' + '\x07/nope1\n'.repeat(1_000))
    const writing = (): void => {
      while (!socket.destroyed && socket.write(question));
    }
    socket.on('drain', writing)
    writing()
    socket.resume()
    await closed(socket)
    expect(socket.bytesWritten).toBeLessThan(16 * 1024 * 1024)
    expect(a.libp2p.getConnections()).toEqual([])
  })
})

describe('members that misbehave', () => {
  /** A stream for frames beside the regular one, on which a test can write what it likes. */
  async function evilStream(harness: Libp2pHarness, limits: Partial<TransportLimits>) {
    const a = await start(harness, 'a', limits)
    const b = await start(harness, 'b')
    await b.dial(a)
    await a.log.until('the session', () => a.log.sessions.has(b.peerId))
    const stream = await b.libp2p.getConnections()[0]!.newStream(FRAMES_PROTOCOL)
    const reset = new Promise<Error | undefined>((resolve) => {
      stream.addEventListener('close', ({ error }) => resolve(error))
    })
    const stillWorks = async (): Promise<void> => {
      // What was on its way when a stream broke is lost, as on any network: say it until it is heard.
      let heard = false
      const say = (): void => {
        if (heard) return
        b.transport.send(a.peerId, utf8('still here'))
        systemClock.setTimer(10, say)
      }
      say()
      await a.log.until('the frame', () => a.log.texts(b.peerId).includes('still here'))
      heard = true
      expect(a.log.lines.filter((line) => line.startsWith('close'))).toEqual([])
    }
    return { a, b, stream, reset, stillWorks }
  }

  test('an oversized frame resets its stream at the header', async () => {
    const harness = await world()
    const { a, stream, reset, stillWorks } = await evilStream(harness, { frameBytesMax: 10_000 })
    stream.send(Uint8Array.of(0, 0, 0x27, 0x11))
    await within(reset, 'the reset')
    expect(a.transport.counters().streamsReset).toBe(1)
    await stillWorks()
  })

  test('a frame that trickles resets its stream at the deadline', async () => {
    const harness = await world()
    const { a, stream, reset, stillWorks } = await evilStream(harness, { frameDeadlineMs: 300 })
    const bytes = encodeFrames([{ kind: FrameKind.data, body: new Uint8Array(500) }])
    let at = 0
    const drip = (): void => {
      if (stream.status !== 'open') return
      stream.send(bytes.subarray(at, at + 1))
      at += 1
      systemClock.setTimer(20, drip)
    }
    drip()
    await within(reset, 'the reset')
    expect(a.transport.counters().streamsReset).toBe(1)
    await stillWorks()
  })

  test('random bytes never reach the frame handler as more than frames, and never crash', async () => {
    const harness = await world()
    const { a, b, stream, reset, stillWorks } = await evilStream(harness, { frameBytesMax: 1_000 })
    stream.send(Uint8Array.from({ length: 5_000 }, (_, i) => (i * 7919) & 0xff))
    await within(reset, 'the reset')
    await stillWorks()
    expect(new Set(a.log.texts(b.peerId))).toEqual(new Set(['still here']))
  })

  test('a stream that breaks is opened again, and the session stays', async () => {
    const harness = await world()
    const { a, stillWorks } = await evilStream(harness, {})
    const [connection] = a.libp2p.getConnections()
    for (const stream of connection!.streams) {
      if (stream.direction === 'inbound' && stream.protocol === FRAMES_PROTOCOL) stream.abort(new Error('test'))
    }
    await stillWorks()
  })
})

describe('connections', () => {
  test('after a double dial one connection is left on both sides', async () => {
    const harness = await world()
    const a = await start(harness, 'a')
    const b = await start(harness, 'b')
    const one = (node: typeof a): boolean => node.libp2p.getConnections().length === 1
    const settled = Promise.withResolvers<void>()
    const check = (): void => {
      if (one(a) && one(b) && a.log.sessions.size === 1 && b.log.sessions.size === 1) settled.resolve()
    }
    for (const node of [a, b]) {
      for (const name of ['connection:open', 'connection:close'] as const) {
        node.libp2p.addEventListener(name, () => void systemClock.setTimer(0, check))
      }
    }
    await Promise.all([a.dial(b), b.dial(a)])
    await within(settled.promise, 'one connection on both sides')
    expect(a.transport.send(b.peerId, utf8('x'))).toBe(true)
    await b.log.until('the frame', () => b.log.frames.length === 1)
  })

  test('members are tagged, so that libp2p prunes others first', async () => {
    const harness = await world()
    const a = await start(harness, 'a')
    const b = await start(harness, 'b')
    await a.dial(b)
    const tags = async (): Promise<string[]> => [...(await a.libp2p.peerStore.get(b.libp2p.peerId)).tags.keys()]
    await eventually(tags).toContain('quorate-session')
    await a.transport.disconnect(b.peerId, 'test')
    // A moment later: an election may be under way.
    await eventually(tags).not.toContain('quorate-session')
  })

  test('a port that is taken is a typed error, and the transport can be stopped', async () => {
    const harness = await world()
    const a = await start(harness, 'a')
    const taken = await libp2pHarness({ ...loopback, listen: () => `/ip4/127.0.0.1/tcp/${portOf(a.address)}` })
    cleanups.push(() => taken.dispose())
    const b = await taken.node('b', toyGate())
    await expect(b.transport.start(new EventLog())).rejects.toMatchObject({ code: 'ERR_LISTEN_FAILED' })
    await b.transport.stop()
  })

  test('a killed process is reported at once', async () => {
    const harness = await world()
    const a = await start(harness, 'a')
    const child = spawn(process.execPath, [fileURLToPath(new URL('../transport/peer-process.ts', import.meta.url))], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    cleanups.push(() => void child.kill('SIGKILL'))
    const [line] = (await within(once(createInterface(child.stdout), 'line'), 'the child')) as [string]
    const { peerId } = await within(
      a.transport.dial({ peerId: undefined, addresses: [line] }, { signal: new AbortController().signal }),
      'a dial'
    )
    const before = performance.now()
    child.kill('SIGKILL')
    await a.log.until('the close', () => !a.log.sessions.has(peerId))
    report(`the session closed ${(performance.now() - before).toFixed(1)} ms after SIGKILL`)
    expect(a.log.lines.at(-1)).toMatch(/^close /)
  })
})

describe('a guest in somebody else’s node', () => {
  test('frames before the hello are reset; the connection stays; protocols of the host work', async () => {
    const harness = await helloHarness({ ...loopback, transports: [tcp()] })
    cleanups.push(() => harness.dispose())
    const a = await harness.node('a', toyGate())
    const log = new EventLog()
    await a.transport.start(log)
    const { libp2p } = await hostNode('stranger', '/ip4/127.0.0.1/tcp/0', [tcp()])
    cleanups.push(() => libp2p.stop())
    await harness.hosts.get('a')!.handle('/host/1.0.0', (stream) => void stream.close())
    const connection = await libp2p.dial(multiaddr(a.transport.addresses()[0]))
    const stream = await connection.newStream(FRAMES_PROTOCOL)
    const reset = new Promise<void>((resolve) => {
      if (stream.status === 'open') stream.addEventListener('close', () => resolve())
      else resolve()
    })
    await within(reset, 'the reset')
    // Two that say nothing in their hello are left at the deadline, or when they hang up; more at a time are not served.
    for (let i = 0; i < 3; i++) (await connection.newStream(HELLO_PROTOCOL)).send(Uint8Array.of(0, 0, 0, 0))
    expect(connection.status).toBe('open')
    expect((await connection.newStream('/host/1.0.0')).protocol).toBe('/host/1.0.0')
    expect(log.sessions.size).toBe(0)
  })

  test('a host that knows nothing of us is left in peace', async () => {
    const harness = await helloHarness({ ...loopback, transports: [tcp()] })
    cleanups.push(() => harness.dispose())
    const a = await harness.node('a', toyGate())
    await a.transport.start(new EventLog())
    const { libp2p } = await hostNode('other', '/ip4/127.0.0.1/tcp/0', [tcp()])
    cleanups.push(() => libp2p.stop())
    await expect(
      a.transport.dial(
        { peerId: libp2p.peerId.toString(), addresses: libp2p.getMultiaddrs().map(String) },
        { signal: new AbortController().signal }
      )
    ).rejects.toThrow(HELLO_PROTOCOL)
    expect(harness.hosts.get('a')!.getConnections()).toHaveLength(1)
    expect(harness.errors).toEqual([])
  })
})
