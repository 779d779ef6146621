/** Lets the faults of a plan happen to a world, and ends all of them when it is healed. The kinds are in `faults/`. */
import type { Fault } from './faults.ts'
import { faultText, faultWords, LEADER } from './faults.ts'
import { CredentialFaults } from './faults/credentials.ts'
import { HostileFaults } from './faults/hostile.ts'
import { Liars } from './faults/liars.ts'
import { MachineFaults } from './faults/machines.ts'
import { Mixes } from './faults/mixes.ts'
import { NetworkFaults } from './faults/network.ts'
import { OperatorFaults } from './faults/operators.ts'
import { type Callers, Scene } from './faults/scene.ts'
import type { Machine } from './machine.ts'
import type { World } from './world.ts'

interface Handler {
  begin(fault: Fault): void
}

export class FaultDriver {
  readonly #scene: Scene
  readonly #network: NetworkFaults
  readonly #handlers: Readonly<Record<string, Handler>>

  constructor(world: World, plan: readonly Fault[], callers: Callers) {
    this.#scene = new Scene(world, callers)
    this.#network = new NetworkFaults(this.#scene)
    const machines = new MachineFaults(this.#scene)
    const hostile = new HostileFaults(this.#scene)
    const liars = new Liars(this.#scene)
    const credentials = new CredentialFaults(this.#scene, machines)
    this.#handlers = {
      N: this.#network,
      P: machines,
      D: machines,
      B: hostile,
      P9: hostile,
      B12: liars,
      B13: liars,
      B4: credentials,
      O3: credentials,
      O9: credentials,
      O12: credentials,
      O: new OperatorFaults(this.#scene, machines),
      M: new Mixes(this.#scene, this.#network, machines)
    }
    for (const fault of plan) world.at(fault.atMs * 1_000, () => this.#begin(fault))
  }

  /** Machines that lost what only they had; the cluster may go on without them. */
  get lost(): ReadonlySet<Machine> {
    return this.#scene.lost
  }

  /** Everything that is wrong with the surroundings is over. Who is down stays down until somebody starts it. */
  heal(): void {
    const { world } = this.#scene
    this.#scene.healed = true
    this.#network.heal()
    for (const machine of world.machines) {
      machine.diskUs = 300
      machine.diskFault = machine.crashPoint = undefined
      machine.setClock(1)
      this.#scene.resume(machine)
    }
    world.correctSeeds()
  }

  #begin(planned: Fault): void {
    if (this.#scene.healed) return
    const { world } = this.#scene
    const nodes = planned.nodes.map((index) => (index === LEADER ? this.#scene.leader() : index))
    const fault = { ...planned, nodes }
    world.recorder?.fault({
      id: fault.id,
      fromMs: fault.atMs,
      untilMs: fault.atMs + fault.forMs,
      text: faultText(fault, (index) => world.machines[index]!.name),
      short: faultWords(fault.id),
      nodes: fault.nodes,
      isVerb: false
    })
    const handler = this.#handlers[fault.id] ?? this.#handlers[fault.id[0]!]
    handler?.begin(fault)
  }
}
