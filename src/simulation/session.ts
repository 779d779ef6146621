/**
 * An authenticated connection between two processes. Each side has its own opinion on whether it is open: a side that has
 * died without a word, or a path that swallows everything, leaves the other one half open (FAULTS N10).
 */
import type { Admitted } from '../membership/admission.ts'
import type { Machine } from './machine.ts'
import type { Process } from './process.ts'
import type { World } from './world.ts'

/** Until the transport gives up on a peer that acknowledges nothing. */
export const SILENCE_US = 15_000_000

/** No frame takes so long while nothing is wrong. */
const SOON_US = 5_000

interface Side {
  readonly process: Process
  /** What admission proved about the other side. */
  readonly peer: Admitted
  open: boolean
  /** Arrival of the newest frame that this side sent: a stream keeps its order. */
  lastArrivalUs: number
}

export class Session {
  readonly #world: World
  readonly #a: Side
  readonly #b: Side
  #vanished = false

  constructor(world: World, a: Process, peerOfA: Admitted, b: Process, peerOfB: Admitted) {
    this.#world = world
    this.#a = { process: a, peer: peerOfA, open: false, lastArrivalUs: 0 }
    this.#b = { process: b, peer: peerOfB, open: false, lastArrivalUs: 0 }
  }

  open(): void {
    for (const side of [this.#b, this.#a]) {
      const { process, peer } = side
      process.later(() => {
        if (!process.alive) return
        process.sessions.get(peer.peerId)?.replaceAt(process)
        side.open = true
        process.sessions.set(peer.peerId, this)
        process.machine.peerCache.set(peer.peerId, this.other(process).machine.address)
        process.plan({ type: 'connected', peerId: peer.peerId })
        process.input({ type: 'session-open', peer })
      })
    }
  }

  isOpenOnBothSides(): boolean {
    return this.#a.open && this.#b.open && this.#a.process.alive && this.#b.process.alive
  }

  /** What runs on this very machine now is at one of its ends: not an earlier process of it, which may have had another disk. */
  isWith({ process }: Machine): boolean {
    return process !== undefined && (this.#a.process === process || this.#b.process === process)
  }

  /** Open on both sides, and what is sent arrives, not behind something that a slow link still holds. */
  isSound(): boolean {
    const soonUs = this.#world.nowUs + SOON_US
    const isFlowing = this.#a.lastArrivalUs < soonUs && this.#b.lastArrivalUs < soonUs
    return this.isOpenOnBothSides() && !this.#vanished && isFlowing
  }

  other(process: Process): Process {
    return process === this.#a.process ? this.#b.process : this.#a.process
  }

  #side(process: Process): Side {
    return process === this.#a.process ? this.#a : this.#b
  }

  send(from: Process, frame: Uint8Array): void {
    const side = this.#side(from)
    if (!side.open) return
    if (this.#vanished) return this.#world.lost(from, this.other(from), frame)
    const world = this.#world
    const { network } = world
    const to = this.other(from)
    const f = from.machine.index
    const t = to.machine.index
    const n = network.next(f, t)
    if (network.isBlocked(f, t) || network.loses(f, t, n)) {
      world.lost(from, to, frame)
      return
    }
    let at = world.nowUs + network.delay(f, t, n)
    if (network.reorderUs > 0) at += network.jitter(f, t, n)
    else if (at <= side.lastArrivalUs) at = side.lastArrivalUs + 1
    if (at > side.lastArrivalUs) side.lastArrivalUs = at
    const sentUs = world.nowUs
    const held = network.held.size === 0 ? undefined : network.held.get(network.link(f, t))
    if (held !== undefined) {
      held.push(() => this.#deliver(from, to, frame, sentUs))
      return
    }
    world.at(at, () => this.#deliver(from, to, frame, sentUs))
    const late = network.duplicate(f, t, n)
    if (late === undefined) return
    const { incarnation } = from.machine
    if (at + late > network.lastDuplicateUs) network.lastDuplicateUs = at + late
    world.at(at + late, () => this.#replay(from, incarnation, to, frame, sentUs))
  }

  #deliver(from: Process, to: Process, frame: Uint8Array, sentUs: number): void {
    if (!this.#side(to).open) {
      if (!to.alive) this.#reset(from, to)
      return
    }
    this.#world.delivered(from, to, frame, sentUs)
    to.input({ type: 'frame', from: from.machine.actor.peerId, frame })
  }

  /**
   * A copy that comes late is heard in whatever session these two incarnations have by then (FAULTS N3). Not in that of another
   * incarnation: a session begins with a handshake, and no network can put bytes of an old one into a new one.
   */
  #replay(from: Process, incarnation: string, to: Process, frame: Uint8Array, sentUs: number): void {
    const receiver = to.alive ? to : to.machine.process
    const session = receiver?.sessions.get(from.machine.actor.peerId)
    if (receiver === undefined || session?.other(receiver).machine.incarnation !== incarnation) return
    this.#world.delivered(from, receiver, frame, sentUs)
    this.#world.fired('N3')
    receiver.input({ type: 'frame', from: from.machine.actor.peerId, frame })
  }

  /** The host of a dead process answers that there is nobody. */
  #reset(from: Process, to: Process): void {
    const { network } = this.#world
    if (!to.machine.hostUp || network.isBlocked(to.machine.index, from.machine.index)) return
    this.#world.after(500, () => this.closeAt(from))
  }

  /** This side is told that the connection is over. */
  closeAt(process: Process): void {
    const side = this.#side(process)
    if (!side.open) return
    side.open = false
    process.later(() => {
      if (process.sessions.get(side.peer.peerId) === this) {
        process.sessions.delete(side.peer.peerId)
        process.input({ type: 'session-close', peerId: side.peer.peerId })
        process.plan({ type: 'disconnected', peerId: side.peer.peerId })
      }
    })
  }

  /** A newer connection of the same peer takes its place; the old one is closed, which its other end hears. */
  replaceAt(process: Process): void {
    this.closeAt(process)
    this.farewell(process, true)
  }

  /** One side has closed; the other learns it from the network, if the network lets it. */
  farewell(from: Process, spoken: boolean): void {
    this.#side(from).open = false
    const to = this.other(from)
    const { network } = this.#world
    const heard = spoken && !network.isBlocked(from.machine.index, to.machine.index)
    this.#world.after(heard ? 2_000 : SILENCE_US, () => this.closeAt(to))
  }

  /** Something on the path has forgotten the connection: it swallows everything until both transports give up (FAULTS N10). */
  vanish(): void {
    if (this.#vanished) return
    this.#vanished = true
    this.#world.after(SILENCE_US, () => this.closeBoth())
  }

  closeBoth(): void {
    this.closeAt(this.#a.process)
    this.closeAt(this.#b.process)
  }
}
