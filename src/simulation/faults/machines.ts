/** Faults of processes and disks (FAULTS P and D rows). */
import type { SimulatedLog } from '../disk.ts'
import type { Machine } from '../machine.ts'
import type { Fault } from './kinds.ts'
import type { Scene } from './scene.ts'

/** Operators and supervisors act at this pace. */
const SUPERVISOR_MS = 50
/** Files younger than this may not have reached their directory when the power goes, unless they were synced. */
const YOUNG_MS = 30_000

export class MachineFaults {
  readonly #scene: Scene

  constructor(scene: Scene) {
    this.#scene = scene
  }

  begin(fault: Fault): void {
    const { world } = this.#scene
    const machines = this.#scene.machines(fault)
    const first = machines[0]!
    const { forMs, value } = fault
    switch (fault.id as string) {
      case 'P1':
        return this.#kill(first, fault)
      case 'P2':
        if (this.#scene.pause(first)) world.fired('P2')
        return this.#scene.later(forMs, () => this.#scene.resume(first))
      case 'P3':
        return this.#storm(fault)
      case 'P4':
        return void this.wipe(first, forMs)
      case 'P5':
        return this.#setBack(first, forMs)
      case 'P6':
        return this.#clone(first, forMs)
      case 'P7':
        return this.#loseKey(first, machines, forMs)
      case 'P8':
        world.fired('P8')
        return this.#block(first, value, forMs)
      case 'D1':
      case 'D3':
        for (const machine of machines) this.#powerCut(machine, fault)
        return
      case 'D2':
      case 'D6':
        if (first.process === undefined) return
        world.fired(fault.id)
        first.diskFault = fault.id === 'D2' ? 'fail' : 'full'
        return this.#scene.restartLater(first, forMs)
      case 'D4':
        return this.#rot(first, fault)
      case 'D5':
        return this.#misdirect(first, machines[1]!, forMs)
      case 'D7':
        world.fired('D7')
        first.diskUs = value * 1_000
        return this.#scene.later(forMs, () => (first.diskUs = 300))
      case 'D8':
        return this.#loseYoungFiles(first, forMs)
      default:
        return
    }
  }

  #kill(machine: Machine, { variant, forMs }: Fault): void {
    const { world } = this.#scene
    if (machine.process === undefined) return
    world.fired('P1')
    if (variant === 'now') world.crash(machine)
    else machine.crashPoint = variant as 'before-sync'
    this.#scene.restartLater(machine, forMs)
  }

  /** Stands still for `blockedMs`, breathes, and stands still again. */
  #block(machine: Machine, blockedMs: number, leftMs: number): void {
    if (leftMs <= 0) return
    this.#scene.pause(machine)
    this.#scene.later(blockedMs, () => {
      this.#scene.resume(machine)
      this.#scene.later(30, () => this.#block(machine, blockedMs, leftMs - blockedMs))
    })
  }

  /** D1 tears the write that is under way, or the next one; of D3 all happens to arrive, and nobody was told of it. */
  #powerCut(machine: Machine, { id, variant, forMs }: Fault): void {
    if (machine.process === undefined) return
    if (id === 'D1') this.#scene.world.fired('D1')
    if (variant === 'now') this.#scene.world.crash(machine, 'power')
    else machine.crashPoint = id === 'D1' ? 'power torn' : 'power whole'
    this.#scene.restartLater(machine, forMs)
  }

  #storm({ variant, forMs }: Fault): void {
    const { world } = this.#scene
    world.fired('P3')
    for (const [i, machine] of world.founders.entries()) {
      const delay = variant === 'rolling' ? i * forMs : 0
      this.#scene.later(delay, () => {
        world.crash(machine, variant === 'power' ? 'power' : 'kill')
        this.#scene.restartLater(machine, variant === 'rolling' ? SUPERVISOR_MS : forMs)
      })
    }
  }

  /**
   * The key stays, and the founding certificate unless `what` says so; the rest is gone: a new incarnation, which votes for nobody
   * (FAULTS P4). A minority at most.
   */
  wipe(machine: Machine, forMs: number, what: 'disk' | 'disk and certificate' = 'disk'): boolean {
    const { world, lost } = this.#scene
    if (!this.#scene.mayLose()) return false
    world.crash(machine)
    if (!machine.wipe()) return false
    if (what === 'disk and certificate') machine.certificate = undefined
    world.fired('P4')
    lost.add(machine)
    this.#scene.restartLater(machine, forMs)
    return true
  }

  #setBack(machine: Machine, afterMs: number): void {
    const { world } = this.#scene
    const image: SimulatedLog = machine.log.copy()
    this.#scene.later(afterMs, () => {
      world.crash(machine, 'power')
      machine.log = image
      machine.distrusted = true
      world.fired('P5')
      this.#scene.restartLater(machine, SUPERVISOR_MS)
    })
  }

  #clone(machine: Machine, forMs: number): void {
    const { world } = this.#scene
    if (world.machines.length > world.founders.length + 4) return
    const copy = world.clone(machine)
    world.fired('P6')
    world.start(copy)
    this.#scene.later(forMs, () => world.crash(copy))
  }

  /** Another key on the same disk is another node, and the disk says so. */
  #loseKey(machine: Machine, _machines: readonly Machine[], forMs: number): void {
    const { world } = this.#scene
    const other = world.founders.find((one) => one !== machine)
    if (other === undefined || machine.refusal !== undefined || machine.log.bytes === 0) return
    world.crash(machine)
    world.fired('P7')
    this.#tryForeign(machine, machine.log.asReadBy(other.log), `it runs under the key of ${other.name}`, forMs)
  }

  #rot(machine: Machine, { value, forMs }: Fault): void {
    const { world, lost } = this.#scene
    if (!this.#scene.mayLose() || machine.refusal !== undefined || machine.log.bytes === 0) return
    world.crash(machine)
    lost.add(machine)
    world.fired('D4')
    machine.log.flip(value, Math.floor(value * 1e6) % 8)
    this.#scene.restartLater(machine, forMs)
  }

  /** Somebody puts the disk of one machine into another; it must say so. Then it is put right. */
  #misdirect(machine: Machine, other: Machine, forMs: number): void {
    if (machine === other || machine.refusal !== undefined || other.log.bytes === 0) return
    const { world } = this.#scene
    world.crash(machine)
    world.fired('D5')
    this.#tryForeign(machine, other.log.asReadBy(machine.log), `it runs on the disk of ${other.name}`, forMs)
  }

  #tryForeign(machine: Machine, disk: SimulatedLog, what: string, forMs: number): void {
    const { world } = this.#scene
    const own = machine.log
    machine.log = disk
    world.start(machine)
    if (machine.process !== undefined) world.oracle.believedDamage(machine.process, what)
    machine.refusal = undefined
    machine.log = own
    this.#scene.restartLater(machine, forMs)
  }

  /** The copy of the founding certificate beside the key was not synced to its directory: the log has it still. */
  #loseYoungFiles(machine: Machine, forMs: number): void {
    const { world } = this.#scene
    if (machine.process === undefined || machine.certificate === undefined) return
    const ageMs = (world.nowUs - machine.certificateAtUs) / 1_000
    if (ageMs > YOUNG_MS || machine.storeNumber > 0) return
    world.fired('D8')
    world.crash(machine, 'power')
    machine.certificate = undefined
    this.#scene.restartLater(machine, forMs)
  }
}
