/**
 * A machine outlives its processes (process.ts): it has an address, a disk, a clock and a key, and faults happen to it.
 */
import { LAST_RESORT, PRIORITY_DEFAULT } from '../core/priority.ts'
import type { Actor, Store } from './cast.ts'
import { SimulatedLog } from './disk.ts'
import { FATE } from './fate.ts'
import type { Process } from './process.ts'
import type { World } from './world.ts'

/** Where a process dies when it dies at a write (FAULTS P1), or its machine does: the write is torn or arrives whole (D1, D3). */
export type CrashPoint = 'before-sync' | 'after-sync' | 'after-send' | 'power torn' | 'power whole'

export class Machine {
  readonly world: World
  readonly index: number
  readonly name: string
  readonly actor: Actor
  /** Where it listens now. */
  address: string
  addressRecord: Uint8Array
  /** How often its address has changed. */
  moves = 0
  storeNumber = 0
  log: SimulatedLog
  /** The founding certificate beside the key: outlives the log. */
  certificate: Uint8Array | undefined
  certificateAtUs = 0
  process: Process | undefined
  /** The operating system runs and answers for closed ports. */
  hostUp = true
  lives = 0
  /** Sent and heard, over all lives. */
  frames = 0
  /** Local monotonic time: ms at `sinceUs`, and how fast it runs. */
  clockMs: number
  clockSinceUs = 0
  clockRate = 1
  /** Offset of the wall clock. Nothing but dates of tokens and words for people look at it. */
  wallOffsetMs = 0
  diskUs = 300
  /** What the next sync does instead of succeeding. */
  diskFault: 'fail' | 'full' | undefined
  crashPoint: CrashPoint | undefined
  /** Addresses of peers that it was connected to: the peer cache of the data directory. */
  readonly peerCache = new Map<string, string>()
  /** Why it does not start: what the store said. */
  refusal: string | undefined
  /** Its last process ended by itself, because somebody else holds a claim on its seat. */
  isContested = false
  /** The disk was set back or copied: an incarnation that Raft trusts in vain. */
  distrusted = false
  /** Others heard what cannot be from this incarnation; they may bar it for that, and it counts as failed (FAULTS B12). */
  hasLied = false

  constructor(world: World, index: number, name: string, actor: Actor, address: string) {
    this.world = world
    this.index = index
    this.name = name
    this.actor = actor
    this.address = address
    this.addressRecord = actor.addressRecord
    this.clockMs = 1_000 + index * 777
    this.log = this.#emptyLog()
  }

  get store(): Store {
    return this.actor.stores[this.storeNumber]!
  }

  get incarnation(): string {
    return this.store.self.incarnation
  }

  /** A name for its disk: a clone shares the incarnation, and writes elsewhere. */
  get disk(): string {
    return `${this.incarnation} of ${this.index}`
  }

  /** Where they are drawn, of ten machines about two are a last resort, and three were given another priority. */
  get priority(): number {
    if (!this.world.drawsPriorities) return PRIORITY_DEFAULT
    const share = this.world.fate.unit(this.index, 0, FATE.priority)
    if (share < 0.2) return LAST_RESORT
    return share < 0.5 ? Math.floor(share * 1_000) : PRIORITY_DEFAULT
  }

  nowMs(): number {
    return this.clockMs + ((this.world.nowUs - this.clockSinceUs) * this.clockRate) / 1_000
  }

  /** When this machine's clock will show `ms`. Never earlier than the next microsecond. */
  whenUs(ms: number): number {
    const us = this.clockSinceUs + ((ms - this.clockMs) * 1_000) / this.clockRate
    return Math.max(this.world.nowUs + 1, Math.ceil(us))
  }

  setClock(rate: number): void {
    this.clockMs = this.nowMs()
    this.clockSinceUs = this.world.nowUs
    this.clockRate = rate
  }

  /** The data directory is gone; key and certificate stay. False when there is no further disk. */
  wipe(): boolean {
    if (this.storeNumber + 1 >= this.actor.stores.length) return false
    this.storeNumber++
    this.log = this.#emptyLog()
    this.peerCache.clear()
    this.refusal = undefined
    this.distrusted = this.hasLied = false
    return true
  }

  #emptyLog(): SimulatedLog {
    const { genesis } = this.world.cast
    return new SimulatedLog({
      domainId: genesis.domainId,
      peerId: this.actor.peerId,
      storeId: this.store.storeId
    })
  }
}
