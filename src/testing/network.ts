/**
 * The switchboard between the nodes of a local cluster: cuts and delays, above real libp2p connections.
 *
 * Each node's transport is wrapped. What a node hears of a peer (a session opened, a frame, a session closed) goes through one
 * queue for that peer, in order. A cut holds the queues of both sides and every dial between them: nobody is told anything, as
 * when a cable is pulled, and when it is plugged in again what was held arrives. A delay lets everything wait as long.
 *
 * Known difference to a pulled cable: the connections below stay up, so a cut that lasts longer than a silent session may
 * (half a minute) closes nothing.
 */
import type { Clock, Timer } from '../core/clock.ts'
import { raceAbort } from '../core/deadline.ts'
import type { Lane, Transport, TransportEvents } from '../transport/port.ts'

/** Frames that one node holds back for one peer; more are lost, as in a full buffer. */
const HELD_MAX = 4_096

export class LocalNetwork {
  readonly clock: Clock
  /** One way. */
  delayMs: number
  readonly #id: string
  /** Place of each node in the cluster, by PeerId. */
  readonly #places = new Map<string, number>()
  readonly #transports = new Set<LinkedTransport>()
  /** Group of each place; places in different groups are cut off from each other. */
  #groups: ReadonlyMap<number, number> | undefined
  #changed = Promise.withResolvers<void>()

  /** `id` keeps the addresses of two clusters in one process apart. */
  constructor({ clock, delayMs, id }: { readonly clock: Clock; readonly delayMs: number; readonly id: string }) {
    this.clock = clock
    this.delayMs = delayMs
    this.#id = id
  }

  addressOf(place: number): string {
    return `/memory/quorate-${this.#id}-${place}`
  }

  connect(place: number, peerId: string, inner: Transport): LinkedTransport {
    const transport = new LinkedTransport(this, place, inner, () => this.#transports.delete(transport))
    this.#places.set(peerId, place)
    this.#transports.add(transport)
    return transport
  }

  /** Nothing passes between different groups; places that are in none are one more group. */
  partition(groups: readonly (readonly number[])[]): void {
    this.#groups = new Map(groups.flatMap((places, group) => places.map((place) => [place, group] as const)))
    this.#change()
  }

  repair(): void {
    this.#groups = undefined
    this.#change()
  }

  reaches(a: number, b: number | undefined): boolean {
    return b === undefined || this.#groups?.get(a) === this.#groups?.get(b)
  }

  placeOf(peerId: string): number | undefined {
    return this.#places.get(peerId)
  }

  /** Where a dial leads to; undefined: nowhere in this cluster. */
  destinationOf({ peerId, addresses }: Target): number | undefined {
    if (peerId !== undefined) return this.placeOf(peerId)
    const prefix = this.addressOf(0).slice(0, -1)
    const address = addresses.find((text) => text.startsWith(prefix))
    return address === undefined ? undefined : Number.parseInt(address.slice(prefix.length), 10)
  }

  /** Resolves as soon as nothing is cut between them. */
  async passage(from: number, to: number | undefined, signal: AbortSignal): Promise<void> {
    while (!this.reaches(from, to)) await raceAbort(this.#changed.promise, signal)
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
    for (const transport of this.#transports) transport.deliver()
  }
}

interface Target {
  readonly peerId: string | undefined
  readonly addresses: readonly string[]
}

/** What one node has not heard yet of one peer. */
interface Inbox {
  readonly waiting: { readonly dueAt: number; readonly tell: () => void }[]
  timer: Timer | undefined
  /** While it tells, whatever comes queues up behind. */
  telling: boolean
}

class LinkedTransport implements Transport {
  readonly #network: LocalNetwork
  readonly #place: number
  readonly #inner: Transport
  readonly #onStop: () => void
  readonly #inboxes = new Map<string, Inbox>()
  readonly #sessions = new Set<string>()
  /** Undefined before it starts, and when nobody is left to be told. */
  #events: TransportEvents | undefined

  constructor(network: LocalNetwork, place: number, inner: Transport, onStop: () => void) {
    this.#network = network
    this.#place = place
    this.#inner = inner
    this.#onStop = onStop
  }

  start(events: TransportEvents): Promise<void> {
    this.#events = events
    return this.#inner.start({
      onSessionOpen: (peer) => this.#hear(peer.peerId, () => this.#opened(peer)),
      onSessionClose: (peerId, reason) => this.#hear(peerId, () => this.#closed(peerId, reason)),
      onFrame: (from, frame) => this.#hear(from, () => this.#events?.onFrame(from, frame), true),
      onRefused: (refusal) => this.#events?.onRefused(refusal)
    })
  }

  addresses(): readonly string[] {
    return this.#inner.addresses()
  }

  async dial(target: Target, options: { readonly signal: AbortSignal }): Promise<{ readonly peerId: string }> {
    const network = this.#network
    await network.passage(this.#place, network.destinationOf(target), options.signal)
    const found = await this.#inner.dial(target, options)
    // It may have been cut meanwhile.
    await network.passage(this.#place, network.placeOf(found.peerId), options.signal)
    return found
  }

  send(peerId: string, frame: Uint8Array, lane?: Lane): boolean {
    return this.#events !== undefined && this.#inner.send(peerId, frame, lane)
  }

  disconnect(peerId: string, reason: string): Promise<void> {
    return this.#inner.disconnect(peerId, reason)
  }

  stop(): Promise<void> {
    this.#end()
    return this.#inner.stop()
  }

  /** Nothing more leaves or arrives; the node sees its sessions closed, as the others see theirs. */
  crash(): Promise<void> {
    const events = this.#events
    this.#end()
    for (const peerId of this.#sessions) events?.onSessionClose(peerId, 'crashed')
    this.#sessions.clear()
    return this.#inner.stop()
  }

  #end(): void {
    this.#events = undefined
    for (const { timer } of this.#inboxes.values()) timer?.cancel()
    this.#inboxes.clear()
    this.#onStop()
  }

  #opened(peer: Parameters<TransportEvents['onSessionOpen']>[0]): void {
    this.#sessions.add(peer.peerId)
    this.#events?.onSessionOpen(peer)
  }

  #closed(peerId: string, reason: string): void {
    this.#sessions.delete(peerId)
    this.#events?.onSessionClose(peerId, reason)
  }

  /** Tells whatever may pass by now. */
  deliver(): void {
    for (const peerId of this.#inboxes.keys()) this.#drain(peerId)
  }

  #hear(peerId: string, tell: () => void, mayBeLost = false): void {
    if (this.#events === undefined) return
    const inbox = this.#inboxes.get(peerId) ?? { waiting: [], timer: undefined, telling: false }
    this.#inboxes.set(peerId, inbox)
    if (mayBeLost && inbox.waiting.length >= HELD_MAX) return
    const { clock, delayMs } = this.#network
    inbox.waiting.push({ dueAt: delayMs === 0 ? 0 : clock.now() + delayMs, tell })
    this.#drain(peerId)
  }

  #drain(peerId: string): void {
    const inbox = this.#inboxes.get(peerId)
    if (inbox === undefined || inbox.telling) return
    inbox.timer?.cancel()
    inbox.timer = undefined
    inbox.telling = true
    try {
      while (this.#isDue(peerId, inbox)) inbox.waiting.shift()!.tell()
    } finally {
      inbox.telling = false
    }
  }

  /** Whether the next may be told now; sets the timer for it when it may be told later. */
  #isDue(peerId: string, inbox: Inbox): boolean {
    const [next] = inbox.waiting
    const { clock } = this.#network
    if (next === undefined || !this.#network.reaches(this.#place, this.#network.placeOf(peerId))) return false
    const waitMs = next.dueAt === 0 ? 0 : next.dueAt - clock.now()
    if (waitMs > 0) inbox.timer = clock.setTimer(waitMs, () => this.#drain(peerId))
    return waitMs <= 0
  }
}

export type { LinkedTransport }
