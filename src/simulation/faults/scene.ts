/** What every kind of fault needs: the world, its machines by index, a clock that stops when the world is healed. */
import { type Random, seededRandom } from '../../core/random.ts'
import type { Machine } from '../machine.ts'
import type { Process } from '../process.ts'
import type { World } from '../world.ts'
import { type Fault, LEADER } from './kinds.ts'

/** Who asks for something, when a fault wants somebody to ask. */
export interface Callers {
  /** Asks this process to change the config, `times` in a row. */
  burst(process: Process, times: number): void
  /** Asks this process for the config as the cluster has it. */
  read(process: Process): void
}

export class Scene {
  readonly world: World
  readonly callers: Callers
  healed = false
  /** Machines that lost what only they had; the cluster may go on without them. */
  readonly lost = new Set<Machine>()
  #requests = 0

  constructor(world: World, callers: Callers) {
    this.world = world
    this.callers = callers
  }

  /** Unless it is healed by then. */
  later(delayMs: number, run: () => void): void {
    this.world.after(Math.max(1, Math.round(delayMs * 1_000)), () => {
      if (!this.healed) run()
    })
  }

  /** By index; the first machine when nobody leads. */
  leader(): number {
    return this.leads()?.index ?? 0
  }

  /** Whoever leads the latest term. */
  leads(): Machine | undefined {
    let best: { readonly term: number; readonly machine: Machine } | undefined
    for (const machine of this.world.founders) {
      const status = machine.process?.replica.consensus()
      if (status?.role === 'leader' && status.term > (best?.term ?? 0)) best = { term: status.term, machine }
    }
    return best?.machine
  }

  machines({ nodes }: Fault): readonly Machine[] {
    return nodes.map((index) => this.world.machines[index === LEADER ? this.leader() : index]!)
  }

  /** A stream of this fault alone. */
  random({ id, atMs }: Fault): Random {
    return seededRandom(`${this.world.seed}/${id}/${atMs}`)
  }

  /** As many disks may be lost as leave a majority of the founders. */
  mayLose(): boolean {
    return this.lost.size < Math.ceil(this.world.founders.length / 2) - 1
  }

  /** How many more incarnations may get founding credentials before a second cluster is possible: fewer than 2N is the promise. */
  incarnationsLeft(): number {
    const { founders, machines, cast } = this.world
    const copies = machines.filter(({ actor }) => cast.copied.founding.holders.includes(actor)).length
    return founders.length - 1 - copies - founders.reduce((sum, { storeNumber }) => sum + storeNumber, 0)
  }

  requestId(): string {
    return `0f${(++this.#requests).toString(16).padStart(30, '0')}`
  }

  restartLater(machine: Machine, afterMs: number): void {
    this.later(afterMs, () => {
      machine.crashPoint = machine.diskFault = undefined
      if (machine.process === undefined) this.world.start(machine)
    })
  }

  resume(machine: Machine): void {
    if (machine.process?.paused !== true) return
    this.world.recorder?.paused(machine, false)
    machine.process.resume()
  }

  pause(machine: Machine): boolean {
    if (machine.process === undefined || machine.process.paused) return false
    this.world.recorder?.paused(machine, true)
    machine.process.pause()
    return true
  }
}
