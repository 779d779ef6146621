/**
 * Chains of faults that hang together: the ways in which logs come apart. Each of them happens by chance as well, but one that
 * needs five steps in a row happens by chance once in thousands of runs. The moment, the length and the machines are drawn.
 */
import type { Machine } from '../machine.ts'
import type { Fault } from './kinds.ts'
import type { MachineFaults } from './machines.ts'
import type { NetworkFaults } from './network.ts'
import type { Scene } from './scene.ts'

/** Between two callers while a leader is cut off. */
const ASK_MS = 40

export class Mixes {
  readonly #scene: Scene
  readonly #network: NetworkFaults
  readonly #machines: MachineFaults

  constructor(scene: Scene, network: NetworkFaults, machines: MachineFaults) {
    this.#scene = scene
    this.#network = network
    this.#machines = machines
  }

  begin(fault: Fault): void {
    if (fault.id === 'M4') return this.#silenced(fault)
    const leader = this.#scene.leads()
    if (leader === undefined) return
    this.#scene.world.fired(fault.id)
    if (fault.id === 'M1') this.#usurped(fault, leader)
    else if (fault.id === 'M2') this.#falling(fault, fault.value)
    else this.#crawling(fault, leader)
  }

  /**
   * A leader is cut off and goes on writing entries that nobody hears, while the others elect another one. When it comes back, its
   * log has to give way: to a living successor, or (`heir dies`) to the log of whoever is elected next. With a slow disk its own
   * writes are still under way then; `torn` takes its power at that moment. All the while somebody reads where the old leader is, and
   * somebody writes elsewhere: a leader that is none any more must not answer.
   */
  #usurped(fault: Fault, old: Machine): void {
    const cut = { ...fault, nodes: [old.index] }
    this.#network.activate(cut)
    if (fault.variant === 'slow disk' || fault.variant === 'torn') old.diskUs = fault.forMs * 1_200
    if (old.process !== undefined) this.#scene.callers.burst(old.process, fault.value)
    this.#readHereWriteThere(old, Math.floor(fault.forMs / ASK_MS))
    this.#scene.later(fault.forMs, () => {
      this.#network.deactivate(cut)
      const heir = this.#scene.leads()
      if (fault.variant === 'heir dies' && heir !== undefined && heir !== old) {
        this.#scene.world.crash(heir)
        this.#scene.restartLater(heir, 1_500)
      }
      if (fault.variant === 'torn') {
        this.#scene.later(5, () => this.#scene.world.crash(old, 'power'))
        this.#scene.restartLater(old, 500)
      }
      this.#scene.later(fault.forMs, () => (old.diskUs = 300))
    })
  }

  #readHereWriteThere(old: Machine, times: number): void {
    if (times <= 0) return
    const { callers } = this.#scene
    const heir = this.#scene.leads()
    if (heir !== old && heir?.process !== undefined) callers.burst(heir.process, 1)
    if (old.process !== undefined) callers.read(old.process)
    this.#scene.later(ASK_MS, () => this.#readHereWriteThere(old, times - 1))
  }

  /** Each leader in turn reaches one follower with what it writes, and is gone: figure 8 of the paper. */
  #falling(fault: Fault, rounds: number): void {
    if (rounds <= 0) return
    const random = this.#scene.random({ ...fault, atMs: fault.atMs + rounds })
    const leader = this.#scene.leads()
    if (leader?.process === undefined) return this.#scene.later(150, () => this.#falling(fault, rounds - 1))
    const others = this.#scene.world.founders.filter((machine) => machine !== leader)
    const confidant = others[random.int(0, others.length - 1)]
    const cut = { ...fault, nodes: [leader.index, ...(confidant === undefined ? [] : [confidant.index])] }
    this.#network.activate(cut)
    this.#scene.callers.burst(leader.process, random.int(1, 6))
    this.#scene.later(random.int(5, 120), () => {
      this.#network.deactivate(cut)
      this.#scene.world.crash(leader)
      this.#scene.restartLater(leader, fault.forMs)
      this.#scene.later(random.int(60, 900), () => this.#falling(fault, rounds - 1))
    })
  }

  /**
   * Whoever leads founding hears all acceptances, and nobody hears of the certificate. So one machine is in a cluster that no other
   * knows of, and the others have to arrive at the same one: after it is back, or with what is left of it.
   */
  #silenced(fault: Fault): void {
    const { world } = this.#scene
    let seen = false
    world.onEvent = ({ machine }, { type }) => {
      if (seen || this.#scene.healed || type !== 'founding-leader') return
      seen = true
      world.fired('M4')
      this.#scene.later(fault.value, () => this.#silence(fault, machine))
    }
  }

  #silence(fault: Fault, machine: Machine): void {
    const cut = { ...fault, nodes: [machine.index] }
    this.#network.activate(cut)
    this.#scene.later(fault.forMs, () => {
      this.#network.deactivate(cut)
      if (fault.variant === 'only silent') return
      if (fault.variant === 'disk lost') return void this.#machines.wipe(machine, fault.forMs)
      if (fault.variant === 'disk and certificate lost')
        return void this.#machines.wipe(machine, fault.forMs, 'disk and certificate')
      this.#scene.world.crash(machine, fault.variant === 'power' ? 'power' : 'kill')
      this.#scene.restartLater(machine, fault.forMs)
    })
  }

  /** Elections in which every vote is late, and some writes take longer than anybody waits. */
  #crawling(fault: Fault, leader: Machine): void {
    const random = this.#scene.random(fault)
    const cut = { ...fault, value: random.int(0, 600) }
    this.#network.activate(cut)
    const { founders } = this.#scene.world
    for (const machine of founders)
      if (random.next() < 0.7) machine.diskUs = fault.value * 1_000 * (0.2 + random.next())
    this.#scene.world.crash(leader)
    this.#scene.restartLater(leader, random.int(100, fault.forMs))
    this.#scene.later(fault.forMs, () => {
      this.#network.deactivate(cut)
      for (const machine of founders) machine.diskUs = 300
    })
  }
}
