/** Input that no correct member would send (FAULTS B rows, P9): nothing may follow from it but a refusal. */
import { decodeCbor, encodeCbor, type CborValue } from '../../core/cbor.ts'
import type { Fault } from './kinds.ts'
import type { Scene } from './scene.ts'

/** Frames that one session may have refused before anybody looks: all of those below are. */
export class HostileFaults {
  readonly #scene: Scene
  #knocks = 0

  constructor(scene: Scene) {
    this.#scene = scene
  }

  begin(fault: Fault): void {
    const [first] = this.#scene.machines(fault)
    switch (fault.id as string) {
      case 'B1':
        return this.#send(fault, () => this.#noise(fault))
      case 'B3':
        return this.#send(fault, (sample) => this.#flood(fault, sample))
      case 'P9':
        return this.#send(fault, (sample) => this.#otherVersion(fault, sample))
      case 'B6':
        for (let i = 0; i < fault.value; i++) this.#scene.world.knock(first!, this.#knocks++)
        return
      default:
        return
    }
  }

  /** From an admitted peer: the codec must refuse every one of them. */
  #send(fault: Fault, make: (sample: Uint8Array) => Uint8Array): void {
    const { world } = this.#scene
    const [from, to] = this.#scene.machines(fault)
    const process = to!.process
    if (process === undefined || from === to || !process.sessions.has(from!.actor.peerId)) return
    const sample = from!.process?.lastFrame
    if (sample === undefined) return
    for (let i = 0; i < fault.value; i++) {
      world.fired(fault.id)
      const frame = make(sample)
      world.oracle.refuses(process, () => process.input({ type: 'frame', from: from!.actor.peerId, frame }))
      if (!process.alive) return
    }
  }

  readonly #streams = new Map<Fault, ReturnType<Scene['random']>>()

  #int(fault: Fault, low: number, high: number): number {
    let stream = this.#streams.get(fault)
    if (stream === undefined) this.#streams.set(fault, (stream = this.#scene.random(fault)))
    return stream.int(low, high)
  }

  #noise(fault: Fault): Uint8Array {
    return new Uint8Array(this.#int(fault, 0, 120)).map(() => this.#int(fault, 0, 255))
  }

  /**
   * Lists of a legal size in bytes, and of too many items (FAULTS B3): records, statements, entries, claims. Most have more than
   * any list may have, which is found out when all of them are decoded; some more than any frame may have.
   */
  #flood(fault: Fault, sample: Uint8Array): Uint8Array {
    const [id, generation] = decodeCbor(sample) as readonly CborValue[]
    const count = this.#int(fault, 0, 15) === 0 ? this.#int(fault, 65_536, 65_600) : this.#int(fault, 4_097, 4_200)
    const many = <T>(item: T): T[] => Array<T>(count).fill(item)
    const { genesis } = this.#scene.world.cast
    switch (this.#int(fault, 0, 3)) {
      case 0:
        return encodeCbor([genesis.domainId, generation!, 2, many(new Uint8Array(0))])
      case 1:
        return encodeCbor([genesis.domainId, generation!, 8, many(new Uint8Array(0))])
      case 2:
        return encodeCbor([id!, generation!, 1, [5, 1, 0, 0, 0, many([1, 0, new Uint8Array(0)])]])
      default:
        return encodeCbor([genesis.domainId, generation!, 0, [3, 1, many(new Uint8Array(0))]])
    }
  }

  /** What a later version might send: an unknown kind, a further field, another scope; and what a broken one does: half of it. */
  #otherVersion(fault: Fault, sample: Uint8Array): Uint8Array {
    const [id, generation, kind, body] = decodeCbor(sample) as readonly CborValue[]
    switch (this.#int(fault, 0, 4)) {
      case 0:
        return encodeCbor([id!, generation!, 64 + this.#int(fault, 0, 99), body!])
      case 1:
        return encodeCbor([id!, generation!, kind!, body!, this.#int(fault, 0, 9)])
      case 2:
        return encodeCbor([id!, (generation as number) + 1, kind!, body!])
      case 3:
        return encodeCbor([id!, generation!, kind!, [...(body as readonly CborValue[]), null]])
      default:
        return sample.slice(0, this.#int(fault, 0, sample.byteLength - 1))
    }
  }
}
