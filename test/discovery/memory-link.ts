/** One Ethernet segment in virtual time: every packet reaches every open socket of the group, its sender's included. */
import type { Clock, Timer } from '../../src/core/clock.ts'
import type { Random } from '../../src/core/random.ts'
import { seededRandom } from '../../src/core/random.ts'
import type { LinkEvents, LinkInterface, MulticastLink } from '../../src/discovery/mdns/link.ts'

export class VirtualClock implements Clock {
  #now = 0
  #order = 0
  readonly #timers = new Map<object, { at: number; order: number; fn: () => void }>()

  now(): number {
    return this.#now
  }

  wallNow(): number {
    return 1_700_000_000_000 + this.#now
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const key = {}
    this.#timers.set(key, { at: this.#now + Math.max(0, delayMs), order: this.#order++, fn })
    return { cancel: () => void this.#timers.delete(key) }
  }

  afterIo(fn: () => void): void {
    this.setTimer(0, fn)
  }

  get pending(): number {
    return this.#timers.size
  }

  /** Runs timers in order, and lets promises settle between them. */
  async runFor(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await settle()
      let next: [object, { at: number; order: number; fn: () => void }] | undefined
      for (const entry of this.#timers) {
        const earlier =
          next === undefined ||
          entry[1].at < next[1].at ||
          (entry[1].at === next[1].at && entry[1].order < next[1].order)
        if (entry[1].at <= end && earlier) next = entry
      }
      if (next === undefined) break
      this.#timers.delete(next[0])
      this.#now = Math.max(this.#now, next[1].at)
      next[1].fn()
    }
    this.#now = end
  }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 6; i++) await Promise.resolve()
}

export interface SegmentInit {
  readonly clock: VirtualClock
  readonly latencyMs?: number
  readonly lossRate?: number
  /** Packets that a receiver can take in 10 ms; the rest is lost, as in a full socket buffer. */
  readonly receivedPer10Ms?: number
}

export class Segment {
  readonly clock: VirtualClock
  packets = 0
  bytes = 0
  lost = 0
  multicastWorks = true
  lossRate: number
  readonly #latencyMs: number
  readonly #receivedPer10Ms: number
  readonly #random: Random = seededRandom('segment')
  readonly #ports = new Set<MemoryLink>()

  constructor(init: SegmentInit) {
    this.clock = init.clock
    this.#latencyMs = init.latencyMs ?? 0.5
    this.lossRate = init.lossRate ?? 0
    this.#receivedPer10Ms = init.receivedPer10Ms ?? Infinity
  }

  attach(address: string): MemoryLink {
    return new MemoryLink(this, address)
  }

  add(port: MemoryLink): void {
    this.#ports.add(port)
  }

  remove(port: MemoryLink): void {
    this.#ports.delete(port)
  }

  /** As if somebody sent these bytes from there. */
  inject(bytes: Uint8Array, address: string, port = 5353): void {
    this.packets += 1
    this.bytes += bytes.byteLength
    if (!this.multicastWorks) return
    const receivers = [...this.#ports]
    this.clock.setTimer(this.#latencyMs, () => {
      for (const receiver of receivers) {
        if (this.#random.next() < this.lossRate) this.lost += 1
        else receiver.receive(bytes, { address, port }, this.#receivedPer10Ms)
      }
    })
  }
}

export class MemoryLink implements MulticastLink {
  readonly segment: Segment
  address: string
  netmask = '255.255.0.0'
  up = true
  sendError: Error | undefined
  openError: Error | undefined
  rejoins = 0
  #events: LinkEvents | undefined
  #window = -1
  #inWindow = 0

  constructor(segment: Segment, address: string) {
    this.segment = segment
    this.address = address
  }

  async open(events: LinkEvents): Promise<void> {
    if (this.openError !== undefined) throw this.openError
    this.#events = events
    this.segment.add(this)
  }

  interfaces(rejoin = false): readonly LinkInterface[] {
    if (rejoin) this.rejoins += 1
    if (!this.up) return []
    return [{ name: 'eth0', address: this.address, netmask: this.netmask, loopback: false, hosts: [this.address] }]
  }

  async send(_on: LinkInterface, bytes: Uint8Array): Promise<void> {
    if (this.sendError !== undefined) throw this.sendError
    if (this.up && this.#events !== undefined) this.segment.inject(bytes, this.address)
  }

  async close(): Promise<void> {
    this.#events = undefined
    this.segment.remove(this)
  }

  receive(bytes: Uint8Array, source: { address: string; port: number }, receivedPer10Ms: number): void {
    const window = Math.floor(this.segment.clock.now() / 10)
    if (window !== this.#window) [this.#window, this.#inWindow] = [window, 0]
    this.#inWindow += 1
    if (this.#inWindow > receivedPer10Ms) this.segment.lost += 1
    else if (this.up) this.#events?.onPacket(bytes, source)
  }
}
