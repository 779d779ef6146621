/**
 * What every `Transport` must do, as plain functions: run them in any test runner against any implementation.
 *
 *   for (const { name, run } of transportConformance) test(name, () => run(createMyHarness))
 *
 * It speaks about what can be seen through the port. Bytes on the wire, caps and deadlines are each implementation's own matter.
 * Nothing here sleeps: every wait is for an event, with a generous limit.
 */
import assert from 'node:assert/strict'
import { fromUtf8, utf8 } from '../core/bytes.ts'
import { sha256 } from '../core/hash.ts'
import { AdmissionRefusedError, DialFailedError, TransportStoppedError } from '../transport/errors.ts'
import {
  connected,
  define,
  dial,
  haveSession,
  nextTurn,
  pair,
  pattern,
  refusal,
  rejection,
  startNode,
  talk,
  toyGate,
  within,
  type StartedNode,
  type TransportConformanceCase
} from './transport-kit.ts'

export { EventLog, toyGate, within } from './transport-kit.ts'
export type { ToyGateInit, TransportConformanceCase, TransportHarness, TransportHarnessNode } from './transport-kit.ts'

export const transportConformance: readonly TransportConformanceCase[] = [
  define('a dial opens one session on both sides', async (harness) => {
    const { a, b } = await pair(harness)
    assert.deepEqual(await a.dial(b), { peerId: b.peerId })
    await haveSession(a, b)
    assert.deepEqual(a.log.lines, [`open ${b.peerId}`])
    assert.deepEqual(b.log.lines, [`open ${a.peerId}`])
  }),

  define('an address is enough: the dial tells who is there', async (harness) => {
    const { a, b } = await pair(harness)
    assert.deepEqual(await dial(a, { peerId: undefined, addresses: b.transport.addresses() }), { peerId: b.peerId })
    await haveSession(a, b)
  }),

  define('frames arrive whole and in order, of any size, both ways', async (harness) => {
    const { a, b } = await connected(harness)
    const sizes = [0, 1, 2, 250, 251, 4096, 65_530, 65_536, 300_000, 1_048_576, 3]
    for (const [from, to] of [[a, b] as const, [b, a] as const]) {
      for (const size of sizes) assert.ok(from.transport.send(to.peerId, pattern(size)), `sending ${size} bytes`)
      await to.log.until('all frames', () => to.log.frames.length === sizes.length)
      for (const [i, size] of sizes.entries()) {
        assert.deepEqual(sha256(to.log.frames[i]!.frame), sha256(pattern(size)), `frame ${i}, ${size} bytes`)
      }
    }
  }),

  define('many small frames of one moment arrive in order', async (harness) => {
    const { a, b } = await connected(harness)
    const texts = Array.from({ length: 2_000 }, (_, i) => `frame ${i}`)
    for (const text of texts) assert.ok(a.transport.send(b.peerId, utf8(text)))
    await b.log.until('all frames', () => b.log.frames.length === texts.length)
    assert.deepEqual(b.log.texts(a.peerId), texts)
  }),

  define('frames in the lane for bulk arrive whole and in order, beside the others', async (harness) => {
    const { a, b } = await connected(harness)
    const pieces = Array.from({ length: 20 }, (_, i) => pattern(10_000 + i))
    for (const piece of pieces) assert.ok(a.transport.send(b.peerId, piece, 'bulk'))
    await talk(a, b, 'prompt')
    await b.log.until('all pieces', () => b.log.frames.length === pieces.length + 1)
    assert.deepEqual(
      b.log.frames.map(({ frame }) => frame).filter(({ byteLength }) => byteLength >= 10_000),
      pieces
    )
  }),

  define('frames that are sent at the very moment of opening arrive, both ways', async (harness) => {
    const { a, b } = await pair(harness)
    a.log.onOpen = (peerId) => assert.ok(a.transport.send(peerId, utf8('from a')))
    b.log.onOpen = (peerId) => assert.ok(b.transport.send(peerId, utf8('from b')))
    await a.dial(b)
    await a.log.until('the frame of b', () => a.log.texts(b.peerId).length === 1)
    await b.log.until('the frame of a', () => b.log.texts(a.peerId).length === 1)
  }),

  define('a dial to a peer with a session resolves, and changes nothing', async (harness) => {
    const { a, b } = await connected(harness)
    assert.deepEqual(await a.dial(b), { peerId: b.peerId })
    assert.deepEqual(await b.dial(a), { peerId: a.peerId })
    await talk(a, b, 'x')
    assert.equal(a.transport.counters().sessionsOpened, 1)
    assert.equal(b.transport.counters().sessionsOpened, 1)
  }),

  define('parallel dials to one peer share one session', async (harness) => {
    const { a, b } = await pair(harness)
    await Promise.all([a.dial(b), a.dial(b), a.dial(b)])
    await haveSession(a, b)
    assert.equal(b.transport.counters().sessionsOpened, 1)
  }),

  define('a dead address fails, and says which', async (harness) => {
    const { a, b } = await pair(harness)
    const dead = harness.deadAddress()
    const error = await rejection(dial(a, { peerId: b.peerId, addresses: [dead] }), DialFailedError)
    assert.deepEqual(
      error.attempts.map(({ address }) => address),
      [dead]
    )
    assert.equal((await rejection(dial(a, { peerId: b.peerId, addresses: [] }), DialFailedError)).attempts.length, 0)
    await rejection(dial(a, { peerId: b.peerId, addresses: ['not an address'] }), DialFailedError)
  }),

  define('a dead address does not stop a live one', async (harness) => {
    const { a, b } = await pair(harness)
    const addresses = [harness.deadAddress(), 'not an address', ...b.transport.addresses()]
    assert.deepEqual(await dial(a, { peerId: b.peerId, addresses }), { peerId: b.peerId })
  }),

  define('somebody else at the address is not taken for the peer', async (harness) => {
    const { a, b } = await pair(harness)
    const c = await startNode(harness, 'c')
    const addresses = b.transport.addresses().map((address) => address.replace(/\/p2p\/.*$/, ''))
    await rejection(dial(a, { peerId: c.peerId, addresses }), DialFailedError)
    assert.ok(!a.log.sessions.has(c.peerId))
  }),

  define('our own PeerId is recognised', async (harness) => {
    const a = await startNode(harness, 'a')
    const error = await rejection(a.dial(a), AdmissionRefusedError)
    assert.equal(error.refusal.code, 'self')
  }),

  define('a refusal by them reaches the dialler, and both sides say so', async (harness) => {
    const a = await startNode(harness, 'a')
    const b = await startNode(harness, 'b', toyGate({ refuses: refusal('token-expired', 'last week') }))
    const error = await rejection(a.dial(b), AdmissionRefusedError)
    assert.equal(error.by, 'them')
    assert.deepEqual(error.refusal, refusal('token-expired', 'last week'))
    await b.log.until('the refusal', () => b.log.refusals.length > 0)
    assert.deepEqual(a.log.lines, [`refused by them ${b.peerId}: token-expired`])
    assert.deepEqual(b.log.lines, [`refused by us ${a.peerId}: token-expired`])
    assert.equal(a.transport.counters().refusedByThem, 1)
    assert.equal(b.transport.counters().refusedByUs, 1)
  }),

  define('a refusal by us reaches the peer that was dialled', async (harness) => {
    const a = await startNode(harness, 'a', toyGate({ refuses: refusal('not-in-roster', 'unknown here') }))
    const b = await startNode(harness, 'b')
    const error = await rejection(a.dial(b), AdmissionRefusedError)
    assert.equal(error.by, 'us')
    assert.equal(error.refusal.code, 'not-in-roster')
    await b.log.until('the refusal', () => b.log.refusals.length > 0)
    assert.deepEqual(b.log.lines, [`refused by them ${a.peerId}: not-in-roster`])
  }),

  define('two that refuse each other learn two reasons', async (harness) => {
    const a = await startNode(harness, 'a', toyGate({ refuses: refusal('revoked', 'a says') }))
    const b = await startNode(harness, 'b', toyGate({ refuses: refusal('clone', 'b says') }))
    await rejection(a.dial(b), AdmissionRefusedError)
    await b.log.until('both refusals', () => b.log.refusals.length === 2)
    assert.deepEqual(a.log.lines.toSorted(), [
      `refused by them ${b.peerId}: clone`,
      `refused by us ${b.peerId}: revoked`
    ])
    assert.deepEqual(b.log.lines.toSorted(), [
      `refused by them ${a.peerId}: revoked`,
      `refused by us ${a.peerId}: clone`
    ])
  }),

  define('a node without genesis gets it from one that has it, whoever dials', async (harness) => {
    const a = await startNode(harness, 'a', toyGate({ holdsGenesis: false }))
    const b = await startNode(harness, 'b')
    const c = await startNode(harness, 'c', toyGate({ holdsGenesis: false }))
    await a.dial(b)
    await b.dial(c)
    await haveSession(a, b)
    await haveSession(b, c)
    await talk(a, b, 'x')
    await talk(c, b, 'y')
  }),

  define('two nodes without genesis cannot admit each other', async (harness) => {
    const a = await startNode(harness, 'a', toyGate({ holdsGenesis: false }))
    const b = await startNode(harness, 'b', toyGate({ holdsGenesis: false }))
    const error = await rejection(a.dial(b), AdmissionRefusedError)
    assert.equal(error.refusal.code, 'genesis-unknown')
    await b.log.until('the refusal', () => b.log.refusals.length > 0)
    assert.equal(b.log.refusals[0]!.refusal.code, 'genesis-unknown')
  }),

  define('a node without genesis that is refused says why', async (harness) => {
    const a = await startNode(harness, 'a', toyGate({ holdsGenesis: false }))
    const b = await startNode(harness, 'b', toyGate({ refuses: refusal('no-credential', 'show one') }))
    const error = await rejection(a.dial(b), AdmissionRefusedError)
    assert.deepEqual([error.by, error.refusal.code], ['them', 'no-credential'])
    await b.log.until('the refusal', () => b.log.refusals.length > 0)
    assert.deepEqual(b.log.lines, [`refused by us ${a.peerId}: no-credential`])
  }),

  define('a gate that throws fails that admission and nothing else', async (harness) => {
    const a = await startNode(harness, 'a', toyGate({ throws: true }))
    const b = await startNode(harness, 'b')
    const c = await startNode(harness, 'c')
    await rejection(a.dial(b), AdmissionRefusedError)
    await rejection(b.dial(a), Error)
    await b.dial(c)
    await talk(b, c, 'still here')
  }),

  define('of simultaneous dials one session is left on both sides, and frames flow both ways', async (harness) => {
    for (let round = 0; round < 30; round++) {
      const a = await startNode(harness, `a${round}`)
      const b = await startNode(harness, `b${round}`)
      await Promise.all([a.dial(b), b.dial(a)])
      await haveSession(a, b)
      await Promise.all([talk(a, b, 'early'), talk(b, a, 'early')])
      await Promise.all([talk(a, b, 'later'), talk(b, a, 'later')])
      for (const { transport } of [a, b]) {
        const { sessionsOpened, sessionsClosed } = transport.counters()
        assert.deepEqual({ round, sessionsOpened, sessionsClosed }, { round, sessionsOpened: 1, sessionsClosed: 0 })
      }
      await Promise.all([a.transport.stop(), b.transport.stop()])
    }
  }),

  define('no frame is lost while two connections become one', async (harness) => {
    const { a, b } = await pair(harness)
    const count = 300
    await Promise.all([a.dial(b), b.dial(a)])
    await haveSession(a, b)
    const expected: string[] = []
    for (let i = 0; i < count; i++) {
      const text = String(i).padStart(4, '0')
      expected.push(text)
      assert.ok(a.transport.send(b.peerId, utf8(text)))
      assert.ok(b.transport.send(a.peerId, utf8(text)))
      if (i % 10 === 0) await nextTurn()
    }
    await a.log.until('all frames of b', () => a.log.frames.length === count)
    await b.log.until('all frames of a', () => b.log.frames.length === count)
    // Around the change of links they may overtake each other.
    assert.deepEqual(a.log.texts(b.peerId).toSorted(), expected)
    assert.deepEqual(b.log.texts(a.peerId).toSorted(), expected)
  }),

  define('disconnect closes on both sides; a new dial opens a new session', async (harness) => {
    const { a, b } = await connected(harness)
    await a.transport.disconnect(b.peerId, 'the test says so')
    assert.deepEqual(a.log.lines.at(-1), `close ${b.peerId}: the test says so`)
    assert.equal(a.transport.send(b.peerId, utf8('x')), false)
    await b.log.until('the close', () => !b.log.sessions.has(a.peerId))
    await a.transport.disconnect(b.peerId, 'again, which does nothing')
    await b.dial(a)
    await haveSession(a, b)
    await talk(a, b, 'again')
    await talk(b, a, 'again')
  }),

  define('what was sent before stop arrives, then the session closes', async (harness) => {
    const { a, b } = await connected(harness)
    await talk(b, a, 'warm')
    for (let i = 0; i < 20; i++) assert.ok(a.transport.send(b.peerId, utf8(`last ${i}`)))
    await a.transport.stop()
    await b.log.until('the close', () => !b.log.sessions.has(a.peerId))
    assert.deepEqual(
      b.log.texts(a.peerId),
      Array.from({ length: 20 }, (_, i) => `last ${i}`)
    )
  }),

  define('stop is idempotent, closes sessions, and is final for dials and sends', async (harness) => {
    const { a, b } = await connected(harness)
    await Promise.all([a.transport.stop(), a.transport.stop()])
    await a.transport.stop()
    assert.deepEqual([...a.log.sessions], [])
    const lines = a.log.lines.length
    assert.equal(a.transport.send(b.peerId, utf8('x')), false)
    await rejection(a.dial(b), TransportStoppedError)
    await b.log.until('the close', () => !b.log.sessions.has(a.peerId))
    assert.equal(a.log.lines.length, lines, 'no events after stop')
  }),

  define('stop ends a dial that is under way', async (harness) => {
    const { a, b } = await pair(harness)
    const dialling = rejection(a.dial(b), TransportStoppedError)
    await a.transport.stop()
    await within(dialling, 'the end of the dial')
  }),

  define('an aborted dial rejects with the signal’s reason', async (harness) => {
    const { a, b } = await pair(harness)
    const controller = new AbortController()
    const dialling = a.transport.dial(
      { peerId: b.peerId, addresses: b.transport.addresses() },
      { signal: controller.signal }
    )
    const reason = new Error('changed my mind')
    controller.abort(reason)
    await assert.rejects(within(dialling, 'the end of the dial'), reason)
    await assert.rejects(a.transport.dial({ peerId: b.peerId, addresses: [] }, { signal: controller.signal }), reason)
    // And it can still be done.
    await a.dial(b)
  }),

  define('sending without a session, or more than a frame holds, is refused and counted', async (harness) => {
    const a = await startNode(harness, 'a', toyGate(), { frameBytesMax: 1_000 })
    const b = await startNode(harness, 'b')
    assert.equal(a.transport.send(b.peerId, utf8('x')), false)
    await a.dial(b)
    assert.equal(a.transport.send(b.peerId, pattern(1_000)), false)
    assert.equal(a.transport.send(b.peerId, pattern(999)), true)
    await b.log.until('the frame', () => b.log.frames.length === 1)
    assert.equal(a.transport.counters().framesDropped, 2)
    assert.equal(a.transport.counters().framesSent, 1)
    assert.equal(b.transport.counters().framesReceived, 1)
  }),

  define('a full buffer drops frames instead of growing', async (harness) => {
    const a = await startNode(harness, 'a', toyGate(), { sendBufferBytesMax: 300_000 })
    const b = await startNode(harness, 'b')
    await a.dial(b)
    await haveSession(a, b)
    let taken = 0
    while (a.transport.send(b.peerId, pattern(50_000))) {
      taken += 1
      assert.ok(taken < 100, 'the buffer has no bound')
    }
    await b.log.until('the frames that were taken', () => b.log.frames.length === taken)
    await talk(a, b, 'room again')
  }),

  define('a frame handler that throws does not take the transport with it', async (harness) => {
    const { a, b } = await connected(harness)
    const c = await startNode(harness, 'c')
    const onFrame = b.log.onFrame.bind(b.log)
    b.log.onFrame = (peerId, frame) => {
      onFrame(peerId, frame)
      if (fromUtf8(frame) === 'bad') throw new Error('the handler is broken')
    }
    await talk(a, b, 'bad')
    await talk(a, b, 'good')
    await c.dial(b)
    await talk(c, b, 'good')
  }),

  define('a restarted peer is a new session: close, then open', async (harness) => {
    const { a, b } = await connected(harness)
    await b.transport.stop()
    await a.log.until('the close', () => !a.log.sessions.has(b.peerId))
    const again = await startNode(harness, 'b')
    assert.equal(again.peerId, b.peerId)
    await a.dial(again)
    await haveSession(a, again)
    await talk(again, a, 'I am back')
    const kinds = a.log.lines.filter((line) => !line.startsWith('frame')).map((line) => line.split(' ')[0])
    assert.deepEqual(kinds, ['open', 'close', 'open'])
  }),

  define('a peer that dies is reported', async (harness) => {
    const { a, b } = await connected(harness)
    if (b.crash === undefined) return
    await talk(a, b, 'are you there')
    b.crash()
    await a.log.until('the close', () => !a.log.sessions.has(b.peerId))
    assert.equal(a.transport.send(b.peerId, utf8('x')), false)
  }),

  define('five nodes that dial each other all at once form a full mesh', async (harness) => {
    const nodes: StartedNode[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e']) nodes.push(await startNode(harness, name))
    const ways = nodes.flatMap((from) => nodes.filter((to) => to !== from).map((to) => [from, to] as const))
    await Promise.all(ways.map(([from, to]) => from.dial(to)))
    await Promise.all(ways.map(([from, to]) => talk(from, to, `${from.peerId} to ${to.peerId}`)))
    for (const { transport, log } of nodes) {
      assert.equal(log.sessions.size, 4)
      assert.equal(transport.counters().sessionsOpened, 4)
      assert.equal(transport.counters().sessionsClosed, 0)
    }
  })
]
