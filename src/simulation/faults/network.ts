/** Faults of the network (FAULTS N rows). Those that last are painted over each other; see `network.ts` of the room. */
import type { Machine } from '../machine.ts'
import type { Fault } from './kinds.ts'
import type { Scene } from './scene.ts'

const YEAR_MS = 365 * 86_400_000

export class NetworkFaults {
  readonly #scene: Scene
  readonly #active = new Set<Fault>()

  constructor(scene: Scene) {
    this.#scene = scene
  }

  heal(): void {
    this.#active.clear()
    this.#scene.world.network.clear()
  }

  begin(fault: Fault): void {
    const { world } = this.#scene
    const [first, second] = this.#scene.machines(fault)
    switch (fault.id as string) {
      case 'N8':
        return this.#flap(fault, Math.ceil(fault.forMs / fault.value))
      case 'N10':
        return this.#forget(fault, first!, second!)
      case 'N11':
        first!.wallOffsetMs += fault.value * YEAR_MS
        return world.fired('N11')
      case 'N12':
        first!.setClock(fault.value)
        world.fired('N12')
        return this.#scene.later(fault.forMs, () => first!.setClock(1))
      case 'N13':
        return this.#lie(fault, first!, second!)
      case 'N14':
        return world.fired('N14')
      case 'N15':
        return this.#move(fault, first!, second!)
      default:
        this.activate(fault)
        this.#scene.later(fault.forMs, () => this.deactivate(fault))
        if (fault.variant === 'reset') this.#reset(fault)
    }
  }

  activate(fault: Fault): void {
    if (fault.id.startsWith('N')) this.#scene.world.fired(fault.id)
    this.#active.add(fault)
    this.#paint()
  }

  deactivate(fault: Fault): void {
    this.#active.delete(fault)
    this.#paint()
  }

  #flap(fault: Fault, times: number): void {
    if (times <= 0) return this.deactivate(fault)
    if (this.#active.has(fault)) this.deactivate(fault)
    else this.activate(fault)
    this.#scene.later(fault.value, () => this.#flap(fault, times - 1))
  }

  #paint(): void {
    const { world } = this.#scene
    world.network.clear()
    for (const fault of this.#active) this.#paintOne(fault)
    world.cutsChanged()
  }

  #paintOne(fault: Fault): void {
    const { network, machines } = this.#scene.world
    const { nodes, value } = fault
    const others = machines.map(({ index }) => index).filter((index) => !nodes.includes(index))
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
        return this.#paintPartial(fault)
      case 'N8':
        return network.blockBoth(nodes[0]!, nodes[1]!)
      case 'N9':
        network.slowUs[network.link(nodes[0]!, nodes[1]!)] = value * 1_000
        network.slowUs[network.link(nodes[1]!, nodes[0]!)] = value * 1_000
        return
      case 'M1':
      case 'M2':
        // The first is cut off from everybody but those that are named after it.
        for (const b of others) network.blockBoth(nodes[0]!, b)
        return
      case 'M4':
        // It hears everybody.
        for (const b of others) network.block(nodes[0]!, b)
        return
      case 'M3':
        network.slowUs.fill(value * 250)
        return
      default:
        return
    }
  }

  /** `bridge`: one machine sees both halves. `ring`: each sees only its neighbours, so that every majority is another one. */
  #paintPartial({ nodes, variant }: Fault): void {
    const { network, founders } = this.#scene.world
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
    const { world } = this.#scene
    for (const machine of world.founders) {
      for (const session of machine.process?.sessions.values() ?? []) {
        const other = session.other(machine.process!).machine
        if (nodes.includes(machine.index) !== nodes.includes(other.index)) world.after(1_000, () => session.closeBoth())
      }
    }
  }

  /** `half-open`: one end is gone and the other does not know. `nat-drop`: the path has forgotten it and neither end knows. */
  #forget({ variant }: Fault, a: Machine, b: Machine): void {
    const session = a.process?.sessions.get(b.actor.peerId)
    if (session === undefined || a.process === undefined) return
    this.#scene.world.fired('N10')
    if (variant === 'nat-drop') session.vanish()
    else session.closeAt(a.process)
  }

  /** Hints that are wrong. Discovery can send a dial astray, and nothing more. */
  #lie({ variant }: Fault, deceived: Machine, subject: Machine): void {
    const { process } = deceived
    if (process === undefined || deceived === subject) return
    const { world } = this.#scene
    world.fired('N13')
    const { peerId } = subject.actor
    const other = world.founders.find((one) => one !== deceived && one !== subject) ?? subject
    const hint = (addresses: readonly string[], about: string | undefined = peerId): void =>
      process.plan({ type: 'hint', hint: { source: 'mdns', peerId: about, addresses } })
    switch (variant) {
      case 'nowhere':
        return hint(['/ip4/10.9.9.9/tcp/4001'])
      case 'somebody else':
        return hint([other.address])
      case 'itself':
        return hint([deceived.address])
      case 'gone':
        return process.plan({ type: 'hint', hint: { source: 'mdns', peerId, addresses: [], gone: true } })
      default:
        for (let i = 0; i < 200; i++) hint([`/ip4/10.9.${i % 250}.1/tcp/4001`], i % 2 === 0 ? undefined : `12D3Koo${i}`)
    }
  }

  /** DHCP gives out other addresses; two machines may even get each other's (identity is the key, not the address). */
  #move({ variant }: Fault, a: Machine, b: Machine): void {
    const { world } = this.#scene
    if (variant === 'swap' && a !== b) world.swapAddresses(a, b)
    else world.moveTo(a)
    world.fired('N15')
  }
}
