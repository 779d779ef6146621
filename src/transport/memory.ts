/**
 * The port without a network: nodes of one process that share a hub. For tests and examples.
 *
 * It is no mock: admission runs the same exchange with the same gates, sessions follow the same table, dials the same dialer.
 * What it replaces is bytes, encryption and sockets. Each delivery goes through an injected `schedule`, so that a test decides
 * when and in which order links make progress; on one link frames always keep their order, as on a stream.
 *
 * Left out: lanes (nothing here could be held up), and the identity proof. A node is who it says it is.
 */
import { systemClock, type Clock, type Timer } from '../core/clock.ts'
import { AdmissionBrokenError } from './errors.ts'
import { AdmissionExchange, gateFailed, INSTANCE_BYTES } from './exchange.ts'
import { FRAME_OVERHEAD_BYTES, type Frame, type FrameKind } from './framing.ts'
import type { AdmissionGate, Admitted } from './gate.ts'
import {
  defaultTransportLimits,
  type MeasuredTransport,
  type TransportCounters,
  type TransportEvents,
  type TransportLimits
} from './port.ts'
import type { Link } from './session-table.ts'
import { TransportCore } from './transport-core.ts'

export interface MemoryHubInit {
  readonly clock?: Clock
  /** Must call `deliver` once, later, not from within. Default: a microtask. */
  readonly schedule?: (deliver: () => void, way: { readonly from: string; readonly to: string }) => void
}

export interface MemoryTransportInit {
  readonly peerId: string
  readonly gate: AdmissionGate
  readonly limits?: Partial<TransportLimits>
  readonly onError?: (error: unknown, doing: string) => void
}

export class MemoryHub {
  readonly clock: Clock
  readonly #schedule: NonNullable<MemoryHubInit['schedule']>
  readonly #nodes = new Map<string, MemoryTransport>()
  readonly #cuts = new Set<string>()
  #instances = 0

  constructor(init: MemoryHubInit = {}) {
    this.clock = init.clock ?? systemClock
    this.#schedule = init.schedule ?? ((deliver) => queueMicrotask(deliver))
  }

  /** A node's transport; several of one PeerId model a restarted process. */
  transport(init: MemoryTransportInit): MeasuredTransport {
    this.#instances += 1
    const instance = new Uint8Array(INSTANCE_BYTES)
    new DataView(instance.buffer).setUint32(INSTANCE_BYTES - 4, this.#instances)
    return new MemoryTransport(this, init, instance)
  }

  /** Pulls the cable between two nodes: what is sent waits, and nobody is told, as with TCP. */
  cut(a: string, b: string): void {
    this.#cuts.add(pair(a, b))
  }

  /** Plugs it in again: what waited goes on. */
  heal(a: string, b: string): void {
    this.#cuts.delete(pair(a, b))
    for (const node of this.#nodes.values()) node.resume()
  }

  /** A firewall between two nodes forgets their connections: these carry nothing more and say nothing; new ones work. */
  blackhole(a: string, b: string): void {
    for (const node of this.#nodes.values()) {
      if (node.peerId === a) node.lose(b)
      if (node.peerId === b) node.lose(a)
    }
  }

  /** Kills the process of a node: its events stop at once, and the others see their connections close. */
  crash(peerId: string): void {
    this.#nodes.get(peerId)?.crash()
  }

  isCut(a: string, b: string): boolean {
    return this.#cuts.has(pair(a, b))
  }

  schedule(deliver: () => void, from: string, to: string): void {
    this.#schedule(deliver, { from, to })
  }

  join(node: MemoryTransport): void {
    this.#nodes.set(node.peerId, node)
  }

  leave(node: MemoryTransport): void {
    if (this.#nodes.get(node.peerId) === node) this.#nodes.delete(node.peerId)
  }

  find(peerId: string): MemoryTransport | undefined {
    return this.#nodes.get(peerId)
  }
}

const pair = (a: string, b: string): string => (a < b ? `${a} ${b}` : `${b} ${a}`)
const addressOf = (peerId: string): string => `/memory/${peerId}/p2p/${peerId}`

class MemoryTransport implements MeasuredTransport {
  readonly peerId: string
  readonly gate: AdmissionGate
  readonly instance: Uint8Array
  readonly core: TransportCore
  readonly hub: MemoryHub
  readonly #ends = new Set<End>()
  #dials = 0

  constructor(hub: MemoryHub, init: MemoryTransportInit, instance: Uint8Array) {
    this.hub = hub
    this.peerId = init.peerId
    this.gate = init.gate
    this.instance = instance
    this.core = new TransportCore({
      self: init.peerId,
      clock: hub.clock,
      limits: { ...defaultTransportLimits, ...init.limits },
      closesLinks: true,
      onError: init.onError ?? (() => {}),
      attempt: (address, expected, { signal }) => this.#attempt(address, expected, signal)
    })
  }

  start(events: TransportEvents): Promise<void> {
    this.core.start(events)
    this.hub.join(this)
    return Promise.resolve()
  }

  addresses(): readonly string[] {
    return this.core.running ? [addressOf(this.peerId)] : []
  }

  dial(
    target: { readonly peerId: string | undefined; readonly addresses: readonly string[] },
    options: { readonly signal: AbortSignal }
  ): Promise<{ readonly peerId: string }> {
    return this.core.dial(target, options.signal)
  }

  send(peerId: string, frame: Uint8Array): boolean {
    return this.core.send(peerId, frame)
  }

  disconnect(peerId: string, reason: string): Promise<void> {
    this.core.disconnect(peerId, reason)
    return Promise.resolve()
  }

  stop(): Promise<void> {
    this.hub.leave(this)
    this.core.stop()
    for (const end of this.#ends) end.close('stopping')
    return Promise.resolve()
  }

  counters(): TransportCounters {
    return { ...this.core.counters }
  }

  crash(): void {
    this.hub.leave(this)
    for (const end of this.#ends) end.vanish()
    this.core.kill()
  }

  lose(remotePeerId: string): void {
    for (const end of this.#ends) end.lose(remotePeerId)
  }

  resume(): void {
    for (const end of this.#ends) end.pump()
  }

  add(end: End): void {
    this.#ends.add(end)
  }

  remove(end: End): void {
    this.#ends.delete(end)
  }

  async #attempt(address: string, expected: string | undefined, signal: AbortSignal): Promise<string> {
    const name = /^\/memory\/([^/]+)(?:\/p2p\/[^/]+)?$/.exec(address)?.[1]
    if (name === undefined) throw new Error('not a memory address')
    if (expected !== undefined && expected !== name) throw new Error(`${name} answers there, not ${expected}`)
    const remote = this.hub.find(name)
    if (remote === undefined || remote === this) throw new Error('nobody listens there')
    this.#dials += 1
    const ours = new End(this, true, name, this.#dials)
    const theirs = new End(remote, false, this.peerId, 0)
    ours.other = theirs
    theirs.other = ours
    const onAbort = (): void => ours.abort('the dial was given up')
    signal.addEventListener('abort', onAbort, { once: true })
    ours.begin()
    theirs.begin()
    try {
      await ours.admission
      return name
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}

/** One side of a connection: first an exchange, then a link. */
class End implements Link {
  readonly #node: MemoryTransport
  readonly #dialled: boolean
  readonly #remotePeerId: string
  readonly #exchange: AdmissionExchange
  readonly #admission = Promise.withResolvers<void>()
  /** Set before anything is sent. Undefined: what is sent goes nowhere. */
  other: End | undefined
  /** On their way to the other end; `undefined` closes. */
  #outgoing: (Frame | undefined)[] = []
  #outgoingBytes = 0
  #bytesReceived = 0
  #stalled = 0
  #deadline: Timer | undefined
  #admitted: { readonly admitted: Admitted; readonly instance: string; readonly sequence: number } | undefined
  #closed = false
  readonly #ownSequence: number

  constructor(node: MemoryTransport, dialled: boolean, remotePeerId: string, sequence: number) {
    this.#node = node
    this.#dialled = dialled
    this.#remotePeerId = remotePeerId
    this.#ownSequence = sequence
    this.#exchange = new AdmissionExchange({ gate: node.gate, remotePeerId, instance: node.instance, sequence })
    this.#admission.promise.catch(() => {})
    node.add(this)
  }

  get admission(): Promise<void> {
    return this.#admission.promise
  }

  get admitted(): Admitted {
    return this.#admitted!.admitted
  }

  get instance(): string {
    return this.#admitted!.instance
  }

  get bytesReceived(): number {
    return this.#bytesReceived
  }

  get dialledByUs(): boolean {
    return this.#dialled
  }

  get sequence(): number {
    return this.#dialled ? this.#ownSequence : this.#admitted!.sequence
  }

  begin(): void {
    const { clock, limits } = this.#node.core
    this.#deadline = clock.setTimer(limits.admissionDeadlineMs, () => {
      this.#exchange.giveUp({ code: 'timeout', detail: `admission took longer than ${limits.admissionDeadlineMs} ms` })
      this.#conclude()
    })
    this.#exchanging(() => this.#exchange.start())
  }

  send(kind: FrameKind, body: Uint8Array): boolean {
    const size = body.byteLength + FRAME_OVERHEAD_BYTES
    if (this.#closed || this.#outgoingBytes + size > this.#node.core.limits.sendBufferBytesMax) return false
    this.#transmit({ kind, body: body.slice() })
    return true
  }

  close(reason: string): void {
    if (this.#closed) return
    this.#transmit(undefined)
    this.#finish(reason)
  }

  abort(reason: string): void {
    if (this.#closed) return
    this.#outgoing = []
    this.#outgoingBytes = 0
    this.close(reason)
  }

  /** The process is gone: the other end sees the connection close, this one is not told. */
  vanish(): void {
    if (this.#closed) return
    this.#admitted = undefined
    this.abort('crashed')
  }

  lose(remotePeerId: string): void {
    if (this.#remotePeerId === remotePeerId) this.other = undefined
  }

  /** Goes on with what waited at a cut. */
  pump(): void {
    const waiting = this.#stalled
    this.#stalled = 0
    for (let i = 0; i < waiting; i++) this.#schedule()
  }

  #transmit(frame: Frame | undefined): void {
    this.#outgoing.push(frame)
    this.#outgoingBytes += frame === undefined ? 0 : frame.body.byteLength + FRAME_OVERHEAD_BYTES
    this.#schedule()
  }

  #schedule(): void {
    const { hub, peerId } = this.#node
    hub.schedule(
      () => {
        if (hub.isCut(peerId, this.#remotePeerId)) {
          this.#stalled += 1
          this.#node.add(this)
        } else this.#deliverNext()
      },
      peerId,
      this.#remotePeerId
    )
  }

  #deliverNext(): void {
    const { other } = this
    if (this.#outgoing.length === 0) return
    const frame = this.#outgoing.shift()
    if (this.#closed && this.#outgoing.length === 0) this.#node.remove(this)
    if (frame === undefined) other?.peerClosed()
    else {
      this.#outgoingBytes -= frame.body.byteLength + FRAME_OVERHEAD_BYTES
      other?.receive(frame)
    }
  }

  peerClosed(): void {
    this.#finish('the peer closed the connection')
  }

  receive(frame: Frame): void {
    this.#bytesReceived += frame.body.byteLength + FRAME_OVERHEAD_BYTES
    if (this.#closed) return
    if (this.#admitted === undefined) this.#exchanging(() => this.#exchange.receive(frame))
    else this.#node.core.linkReceived(this, frame)
  }

  #exchanging(step: () => readonly Frame[]): void {
    try {
      for (const frame of step()) this.#transmit(frame)
    } catch (error) {
      this.#node.core.report(error, 'judging a peer')
      this.#exchange.giveUp(gateFailed(error))
    }
    if (this.#exchange.outcome !== undefined) this.#conclude()
  }

  #conclude(): void {
    const { outcome } = this.#exchange
    if (outcome === undefined || this.#closed) return
    this.#deadline?.cancel()
    if (outcome.type === 'admitted') {
      this.#admitted = outcome
      this.#node.core.linkOpened(this)
      this.#admission.resolve()
    } else {
      this.#admission.reject(this.#node.core.refused(outcome, this.#remotePeerId, addressOf(this.#remotePeerId)))
      this.close('refused')
    }
  }

  #finish(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#deadline?.cancel()
    if (this.#outgoing.length === 0) this.#node.remove(this)
    this.#admission.reject(new AdmissionBrokenError(reason))
    if (this.#admitted === undefined) return
    // Never from within a call of the table.
    this.#node.hub.schedule(() => this.#node.core.linkClosed(this, reason), this.#node.peerId, this.#node.peerId)
  }
}
