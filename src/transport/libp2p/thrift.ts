/**
 * Fewer packets and less work for the same frames. Nothing on the wire changes its meaning; both ends may be without it.
 *
 * Measured on loopback, libp2p 3.3 spends 14 system calls and three wake-ups of the other process on one frame of 1 KiB:
 *
 * - Noise hands its length, its ciphertext and its tag to the socket as pieces, and TCP writes each piece by itself: the peer
 *   wakes for two bytes, and again for the rest. `gatherWrites` joins what was handed over in one call.
 * - Yamux answers every frame that it reads with a window update, whose cost is that of a frame. The specification only asks for
 *   them before the window is used up; `thriftyWindow` sends one when half of it is gone.
 * - Each of three layers tells for each frame that it has nothing more to send, and nobody listens: `spareEvents`.
 *
 * And on each new connection libp2p writes down in its peer store where the peer was reached and which protocols were spoken, and lets
 * the streams wait for that. Nothing of ours reads it: `spareRecords`.
 *
 * Yamux asks for the round trip time as soon as a connection is open, which is when a cluster is founded or a leader comes back: four
 * frames of each connection that nobody waits for: `pingLater`. And every component, connection and stream makes itself loggers,
 * three at a time, each of which asks whether standard error is a terminal: `silence`.
 *
 * libp2p has no settings for the others, so a method of the one object concerned is shadowed, as in `inbound-budget.ts`. Where the
 * object does not look as expected (another muxer, a later version), it is left alone and costs what it always did.
 */
import type { ComponentLogger, Logger, MessageStream, Peer, PeerStore, Stream, StreamMuxer } from '@libp2p/interface'
import type { Clock } from '../../core/clock.ts'

/** Below Noise: what is sent in one call leaves as one piece. */
export function gatherWrites(connection: MessageStream): void {
  const send = connection.send.bind(connection)
  connection.send = (data) => send(data instanceof Uint8Array ? data : data.subarray())
}

/** On any layer: an event that nobody listens to is not made. */
export function spareEvents(stream: MessageStream): void {
  const dispatch = stream.safeDispatchEvent.bind(stream)
  stream.safeDispatchEvent = (type, detail) => stream.listenerCount(type) === 0 || dispatch(type, detail)
}

/**
 * On the peer store of a libp2p node that is ours alone: only tags are kept, which its connection pruner reads. A record that would
 * be read, encoded and written for each stream costs about 1 ms of a young process, three times for each founder that is met.
 */
export function spareRecords(peerStore: Pick<PeerStore, 'merge'>): void {
  const merge = peerStore.merge.bind(peerStore)
  peerStore.merge = (id, data, options) =>
    data.tags === undefined ? Promise.resolve(nothingKnown(id)) : merge(id, data, options)
}

const nothingKnown = (id: Peer['id']): Peer => ({
  id,
  addresses: [],
  protocols: [],
  metadata: new Map(),
  tags: new Map()
})

/** As yamux has them. `recvWindow` is what the sender may send in all before it hears of us again, `recvWindowCapacity` what is left of it. */
interface YamuxWindow {
  readonly recvWindow: number
  readonly recvWindowCapacity: number
  readonly state: number
  sendWindowUpdate(): void
}

/** StreamState.Established of yamux: opened, accepted and not paused. */
const ESTABLISHED = 3

const thrifty = new WeakSet<Stream>()

/** On a stream that only reads: tells the sender to go on when half of the window is used up, not after each frame. Idempotent. */
export function thriftyWindow(stream: Stream): void {
  const yamux = stream as Partial<YamuxWindow>
  if (!isYamux(yamux) || thrifty.has(stream)) return
  thrifty.add(stream)
  const update = yamux.sendWindowUpdate.bind(yamux)
  yamux.sendWindowUpdate = () => {
    if (yamux.state !== ESTABLISHED || yamux.recvWindowCapacity * 2 <= yamux.recvWindow) update()
  }
}

const isYamux = (stream: Partial<YamuxWindow>): stream is YamuxWindow =>
  typeof stream.recvWindow === 'number' &&
  typeof stream.recvWindowCapacity === 'number' &&
  typeof stream.state === 'number' &&
  typeof stream.sendWindowUpdate === 'function'

/** Founding and elections are over by then; the round trip time is for windows of transfers that take longer. */
const PING_AFTER_MS = 1_000

/** As yamux has it. */
type Pinging = StreamMuxer & { ping(): Promise<number> }

/** The first ping of a new muxer leaves a second later; those that follow are as they were. */
export function pingLater(muxer: StreamMuxer, connection: MessageStream, clock: Clock): void {
  if (!isPinging(muxer)) return
  const ping = muxer.ping.bind(muxer)
  // It is asked for in the next microtask; what it gives is not looked at.
  muxer.ping = () => Promise.resolve(0)
  const timer = clock.setTimer(PING_AFTER_MS, () => {
    muxer.ping = ping
    // Whether the peer answers is for heartbeats to judge.
    if (muxer.status === 'open') ping().catch(() => {})
  })
  connection.addEventListener('close', () => timer.cancel())
}

const isPinging = (muxer: StreamMuxer): muxer is Pinging => typeof (muxer as Partial<Pinging>).ping === 'function'

/** A log that nobody reads. */
export const silence: ComponentLogger = { forComponent: () => mute }

const mute: Logger = Object.assign(() => {}, {
  error: () => {},
  trace: () => {},
  enabled: false,
  newScope: () => mute
})
