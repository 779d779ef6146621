/** Which addresses a machine is told of at its start: those of founders, of some by lot, or, when an operator has put all right, of all. */
import type { Machine } from './machine.ts'
import type { World, WorldInit } from './world.ts'

export class SeedAddresses {
  readonly #world: World
  readonly #known: number
  readonly #ofJoiners: number | undefined
  #isCorrected = false

  constructor(
    world: World,
    { seedsKnown, joinerSeeds }: { readonly [K in 'seedsKnown' | 'joinerSeeds']: WorldInit[K] | undefined }
  ) {
    this.#world = world
    this.#known = seedsKnown ?? world.cast.actors.length
    this.#ofJoiners = joinerSeeds
  }

  /** From here on everybody is told of all others, where they are then. */
  correct(): void {
    this.#isCorrected = true
  }

  of(machine: Machine): readonly string[] {
    const { cast, founders, machines } = this.#world
    const others = machines.filter(({ actor }) => actor !== machine.actor)
    if (this.#isCorrected) return others.map(({ address }) => address)
    const { actors } = cast
    if (!actors.includes(machine.actor)) return this.#ofJoiner(machine, others)
    const seeds: string[] = []
    for (let i = 1; i <= this.#known; i++) {
      const { actor } = founders[(machine.index + i) % actors.length]!
      if (actor !== machine.actor) seeds.push(actor.address)
    }
    return seeds
  }

  #ofJoiner(machine: Machine, others: readonly Machine[]): readonly string[] {
    const { founders, random } = this.#world
    if (this.#ofJoiners === undefined) return founders.map(({ actor }) => actor.address)
    const lot = random.fork(`seeds of ${machine.name}`)
    const drawn = new Set<string>()
    while (drawn.size < Math.min(this.#ofJoiners, others.length)) {
      drawn.add(others[lot.int(0, others.length - 1)]!.address)
    }
    return [...drawn]
  }
}
