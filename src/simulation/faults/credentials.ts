/**
 * Credentials that are in more hands than they should be, and machines that come with nothing but one (FAULTS B4, O3, O9, O12). What
 * must hold is the same as ever: one cluster, and as many members by a token as it says.
 */
import type { CopiedToken } from '../cast.ts'
import { START_WALL_MS } from '../door.ts'
import type { Machine } from '../machine.ts'
import type { Fault } from './kinds.ts'
import type { MachineFaults } from './machines.ts'
import type { Scene } from './scene.ts'

/** Between two looks of whoever restarts what has stopped. */
const SUPERVISED_MS = 400

export class CredentialFaults {
  readonly #scene: Scene
  readonly #machines: MachineFaults

  constructor(scene: Scene, machines: MachineFaults) {
    this.#scene = scene
    this.#machines = machines
  }

  begin(fault: Fault): void {
    const machines = this.#scene.machines(fault)
    switch (fault.id as string) {
      case 'B4':
        return this.#copied(fault, this.#scene.world.cast.copied[fault.variant as 'observer' | 'voter'])
      case 'O3':
        return this.#copied(fault, this.#scene.world.cast.copied.founding)
      case 'O9':
        for (const machine of machines) this.#emptied(machine, fault)
        return
      case 'O12':
        for (const machine of machines) this.#unset(machine, fault)
        return
      default:
        return
    }
  }

  /** All who hold the token try it, `value` ms apart; the first may fall right after it was let in. */
  #copied({ id, value, forMs }: Fault, { holders }: CopiedToken): void {
    const { world } = this.#scene
    const isNew = world.machines.every(({ actor }) => actor !== holders[0])
    // One more holder of founding credentials counts like one more lost disk.
    if (id === 'O3' && (!isNew || this.#scene.incarnationsLeft() < 1)) return
    world.fired(id)
    if (id === 'O3') this.#supervise(forMs)
    for (const [i, actor] of holders.entries()) {
      const machine = world.holder(actor)
      this.#scene.later(1 + i * value, () => world.start(machine))
      this.#scene.later(forMs, () => world.crash(machine))
      if (id === 'B4') this.#scene.restartLater(machine, forMs + 500)
    }
  }

  /** Whoever stopped because its seat is contested is started again, in the hope that the other one is gone. */
  #supervise(leftMs: number): void {
    const { world } = this.#scene
    const isOver = leftMs < -SUPERVISED_MS
    for (const machine of world.machines) {
      const isCopy = world.cast.copied.founding.holders.includes(machine.actor)
      if (machine.isContested && (leftMs > 0 || !isCopy)) world.start(machine)
    }
    if (!isOver) this.#scene.later(SUPERVISED_MS, () => this.#supervise(leftMs - SUPERVISED_MS))
  }

  /**
   * The data directory is gone, the certificate with it, and the machine starts with the token that once founded the cluster. `most`:
   * more of them than the cluster can lose, and still too few to found another one.
   */
  #emptied(machine: Machine, { variant, forMs }: Fault): void {
    const { world, lost } = this.#scene
    if (variant === 'one' || this.#scene.mayLose()) {
      if (this.#machines.wipe(machine, forMs, 'disk and certificate')) world.fired('O9')
      return
    }
    if (this.#scene.incarnationsLeft() < 1) return
    world.crash(machine)
    if (!machine.wipe()) return
    machine.certificate = undefined
    lost.add(machine)
    world.fired('O9')
    this.#scene.restartLater(machine, forMs)
  }

  /** No battery, no network time: it is 1970, until somebody says what time it is. */
  #unset(machine: Machine, { forMs }: Fault): void {
    machine.wallOffsetMs = -START_WALL_MS
    this.#scene.world.fired('O12')
    this.#scene.later(forMs, () => (machine.wallOffsetMs = 0))
  }
}
