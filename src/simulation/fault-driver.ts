/** Lets the faults of a plan happen to a world, and ends all of them when it is healed. */
import { seededRandom } from '../core/random.ts'
import type { Fault } from './faults.ts'
import { faultText, LEADER } from './faults.ts'
import type { SimulatedLog } from './disk.ts'
import type { Machine } from './machine.ts'
import type { World } from './world.ts'

/** Operators and supervisors act at this pace. */
const SUPERVISOR_MS = 50

export class FaultDriver {
  readonly #world: World
  readonly #active = new Set<Fault>()
  #healed = false
  /** Machines that lost what only they had; the cluster may go on without them. */
  readonly lost = new Set<Machine>()
  #knocks = 0

  constructor(world: World, plan: readonly Fault[]) {
    this.#world = world
    for (const fault of plan) world.at(fault.atMs * 1_000, () => this.#begin(fault))
  }

  /** Everything that is wrong with the surroundings is over. Who is down stays down until somebody starts it. */
  heal(): void {
    this.#healed = true
    this.#active.clear()
    this.#world.network.clear()
    for (const machine of this.#world.machines) {
      machine.diskUs = 300
      machine.diskFault = machine.crashPoint = undefined
      machine.setClock(1)
      this.#resume(machine)
    }
    this.#world.correctSeeds()
  }

  #begin(planned: Fault): void {
    if (this.#healed) return
    const fault = { ...planned, nodes: planned.nodes.map((index) => (index === LEADER ? this.#leader() : index)) }
    const { recorder } = this.#world
    recorder?.fault({
      id: fault.id,
      fromMs: fault.atMs,
      untilMs: fault.atMs + fault.forMs,
      text: faultText(fault, (index) => this.#world.machines[index]!.name),
      nodes: fault.nodes
    })
    if (fault.id.startsWith('N')) this.#network(fault)
    else this.#local(fault)
  }

  /** By index; the first machine when nobody leads. */
  #leader(): number {
    let best = { term: 0, index: 0 }
    for (const { process, index } of this.#world.founders) {
      const status = process?.replica.consensus()
      if (status?.role === 'leader' && status.term > best.term) best = { term: status.term, index }
    }
    return best.index
  }

  #machines({ nodes }: Fault): readonly Machine[] {
    return nodes.map((index) => this.#world.machines[index]!)
  }

  #later(delayMs: number, run: () => void): void {
    this.#world.after(delayMs * 1_000, () => {
      if (!this.#healed) run()
    })
  }

  // ── Network ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #network(fault: Fault): void {
    const [first, second] = this.#machines(fault)
    switch (fault.id as string) {
      case 'N10':
        this.#halfOpen(first!, second!)
        return
      case 'N11':
        first!.wallOffsetMs += fault.value * 365 * 86_400_000
        this.#world.fired('N11')
        return
      case 'N12':
        first!.setClock(fault.value)
        this.#world.fired('N12')
        this.#later(fault.forMs, () => first!.setClock(1))
        return
      case 'N14':
        this.#world.fired('N14')
        return
      case 'N8':
        this.#flap(fault, Math.ceil(fault.forMs / fault.value))
        return
      default:
        this.#activate(fault)
        this.#later(fault.forMs, () => this.#deactivate(fault))
        if (fault.variant === 'reset') this.#reset(fault)
    }
  }

  #activate(fault: Fault): void {
    this.#world.fired(fault.id)
    this.#active.add(fault)
    this.#paint()
  }

  #deactivate(fault: Fault): void {
    this.#active.delete(fault)
    this.#paint()
  }

  #flap(fault: Fault, times: number): void {
    if (times <= 0) return this.#deactivate(fault)
    if (this.#active.has(fault)) this.#deactivate(fault)
    else this.#activate(fault)
    this.#later(fault.value, () => this.#flap(fault, times - 1))
  }

  #paint(): void {
    const { network } = this.#world
    network.clear()
    for (const fault of this.#active) this.#paintOne(fault)
    this.#world.cutsChanged()
  }

  #paintOne(fault: Fault): void {
    const { network, founders } = this.#world
    const { nodes, value } = fault
    const others = founders.map(({ index }) => index).filter((index) => !nodes.includes(index))
    switch (fault.id as string) {
      case 'N1':
        network.lossRate = Math.max(network.lossRate, value)
        return
      case 'N2':
        if (fault.variant === 'spikes') {
          network.spikeRate = 0.02
          network.spikeUs = value * 5_000
        } else network.delayUs = value * 1_000
        return
      case 'N3':
        network.duplicateRate = value
        network.duplicateLateUs = 20_000_000
        return
      case 'N4':
        network.reorderUs = value * 1_000
        return
      case 'N5':
        for (const a of nodes) for (const b of others) network.blockBoth(a, b)
        return
      case 'N6':
        for (const a of nodes)
          for (const b of others) network.block(...(fault.variant === 'deaf' ? ([b, a] as const) : ([a, b] as const)))
        return
      case 'N7':
        this.#paintPartial(fault)
        return
      case 'N8':
        network.blockBoth(nodes[0]!, nodes[1]!)
        return
      case 'N9':
        network.slowUs[nodes[0]! * 16 + nodes[1]!] = network.slowUs[nodes[1]! * 16 + nodes[0]!] = value * 1_000
        return
      default:
        return
    }
  }

  /** `bridge`: one machine sees both halves. `ring`: each sees only its neighbours, so that every majority is another one. */
  #paintPartial({ nodes, variant }: Fault): void {
    const { network, founders } = this.#world
    const size = founders.length
    for (let a = 0; a < size; a++) {
      for (let b = a + 1; b < size; b++) {
        const distance = Math.min(b - a, size - (b - a))
        const apart =
          variant === 'ring' ? distance > 1 : a !== nodes[0] && b !== nodes[0] && a < size / 2 !== b < size / 2
        if (apart) network.blockBoth(a, b)
      }
    }
  }

  /** A partition that says so: routers answer, connections break at once. */
  #reset({ nodes }: Fault): void {
    for (const machine of this.#world.founders) {
      for (const session of machine.process?.sessions.values() ?? []) {
        const other = session.other(machine.process!).machine
        if (nodes.includes(machine.index) !== nodes.includes(other.index))
          this.#world.after(1_000, () => session.closeBoth())
      }
    }
  }

  #halfOpen(a: Machine, b: Machine): void {
    const session = a.process?.sessions.get(b.actor.peerId)
    if (session === undefined || a.process === undefined) return
    this.#world.fired('N10')
    session.closeAt(a.process)
  }

  // ── Machines ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #local(fault: Fault): void {
    const machines = this.#machines(fault)
    const first = machines[0]
    switch (fault.id as string) {
      case 'P1':
        if (first!.process === undefined) return
        this.#world.fired('P1')
        if (fault.variant === 'now') this.#world.crash(first!)
        else first!.crashPoint = fault.variant as 'before-sync'
        this.#restartLater(first!, fault.forMs)
        return
      case 'P2':
        if (first!.process === undefined) return
        this.#world.fired('P2')
        this.#world.recorder?.paused(first!, true)
        first!.process.pause()
        this.#later(fault.forMs, () => this.#resume(first!))
        return
      case 'P3':
        this.#storm(fault)
        return
      case 'P4':
        this.#wipe(first!, fault.forMs)
        return
      case 'P5':
        this.#setBack(first!, fault.forMs)
        return
      case 'P6':
        this.#clone(first!, fault.forMs)
        return
      case 'D1':
      case 'D3':
        for (const machine of machines) this.#powerCut(machine, fault.forMs)
        return
      case 'D2':
      case 'D6':
        if (first!.process === undefined) return
        this.#world.fired(fault.id)
        first!.diskFault = fault.id === 'D2' ? 'fail' : 'full'
        this.#restartLater(first!, fault.forMs)
        return
      case 'D4':
        this.#rot(first!, fault)
        return
      case 'D5':
        this.#misdirect(first!, machines[1]!, fault.forMs)
        return
      case 'D7':
        this.#world.fired('D7')
        first!.diskUs = fault.value * 1_000
        this.#later(fault.forMs, () => (first!.diskUs = 300))
        return
      case 'B1':
        this.#forge(fault)
        return
      case 'B6':
        for (let i = 0; i < fault.value; i++) this.#world.knock(first!, this.#knocks++)
        return
      case 'O11':
        this.#handOver(first!)
        return
      default:
        return
    }
  }

  #resume(machine: Machine): void {
    if (machine.process?.paused !== true) return
    this.#world.recorder?.paused(machine, false)
    machine.process.resume()
  }

  #restartLater(machine: Machine, afterMs: number): void {
    this.#later(afterMs, () => {
      machine.crashPoint = machine.diskFault = undefined
      if (machine.process === undefined) this.#world.start(machine)
    })
  }

  #powerCut(machine: Machine, forMs: number): void {
    // At a moment at which a write is under way, when there is one soon; at its own moment otherwise.
    if (machine.process === undefined) return
    this.#world.fired('D1')
    this.#world.crash(machine, 'power')
    this.#restartLater(machine, forMs)
  }

  #storm({ variant, forMs }: Fault): void {
    this.#world.fired('P3')
    for (const [i, machine] of this.#world.founders.entries()) {
      const delay = variant === 'rolling' ? i * forMs : 0
      this.#later(delay, () => {
        this.#world.crash(machine, variant === 'power' ? 'power' : 'kill')
        this.#restartLater(machine, variant === 'rolling' ? SUPERVISOR_MS : forMs)
      })
    }
  }

  /** Key and certificate stay, the rest is gone: a new incarnation, which votes for nobody (FAULTS P4). */
  #wipe(machine: Machine, forMs: number): void {
    // A minority at most: what a majority has forgotten nobody can bring back, and nobody promises to.
    if (this.lost.size >= Math.ceil(this.#world.founders.length / 2) - 1) return
    this.#world.crash(machine)
    if (!machine.wipe()) return
    this.#world.fired('P4')
    this.lost.add(machine)
    this.#restartLater(machine, forMs)
  }

  #setBack(machine: Machine, afterMs: number): void {
    const image: SimulatedLog = machine.log.copy()
    this.#later(afterMs, () => {
      this.#world.crash(machine, 'power')
      machine.log = image
      machine.distrusted = true
      this.#world.fired('P5')
      this.#restartLater(machine, SUPERVISOR_MS)
    })
  }

  #clone(machine: Machine, forMs: number): void {
    if (this.#world.machines.length > this.#world.founders.length + 4) return
    const copy = this.#world.clone(machine)
    this.#world.fired('P6')
    this.#world.start(copy)
    this.#later(forMs, () => this.#world.crash(copy))
  }

  #rot(machine: Machine, { value, forMs }: Fault): void {
    if (this.lost.size >= Math.ceil(this.#world.founders.length / 2) - 1 || machine.refusal !== undefined) return
    if (machine.log.bytes === 0) return
    this.#world.crash(machine)
    this.lost.add(machine)
    this.#world.fired('D4')
    machine.log.flip(value, Math.floor(value * 1e6) % 8)
    this.#restartLater(machine, forMs)
  }

  /** Somebody puts the disk of one machine into another; it must say so. Then it is put right. */
  #misdirect(machine: Machine, other: Machine, forMs: number): void {
    if (machine === other || machine.refusal !== undefined || other.log.bytes === 0) return
    this.#world.crash(machine)
    this.#world.fired('D5')
    const own = machine.log
    machine.log = other.log.asReadBy(own)
    this.#world.start(machine)
    if (machine.process !== undefined)
      this.#world.oracle.believedDamage(machine.process, `it runs on the disk of ${other.name}`)
    machine.refusal = undefined
    machine.log = own
    this.#restartLater(machine, forMs)
  }

  /** Bytes from an admitted peer that the codec must refuse: nothing may follow from them. */
  #forge(fault: Fault): void {
    const [from, to] = this.#machines(fault)
    const process = to!.process
    if (process === undefined || !process.sessions.has(from!.actor.peerId)) return
    const random = seededRandom(`${this.#world.seed}/forge/${fault.atMs}`)
    for (let i = 0; i < fault.value; i++) {
      const frame = new Uint8Array(random.int(0, 120)).map(() => random.int(0, 255))
      this.#world.fired('B1')
      process.input({ type: 'frame', from: from!.actor.peerId, frame })
    }
  }

  #handOver(machine: Machine): void {
    const { process } = machine
    if (process === undefined) return
    this.#world.fired('O11')
    const requestId = `0f${this.#world.events.toString(16).padStart(30, '0')}`
    this.#world.request(process, { type: 'transfer', requestId, to: undefined })
  }
}
