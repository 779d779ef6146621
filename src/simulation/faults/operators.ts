/** What operators do while all of this happens (FAULTS O rows): they change the members, make mistakes, move leadership. */
import type { ClientRequest } from '../../replica/types.ts'
import type { MemberOperation } from '../../replica/member-changes.ts'
import type { Machine } from '../machine.ts'
import type { Fault } from './kinds.ts'
import type { MachineFaults } from './machines.ts'
import type { Scene } from './scene.ts'

export class OperatorFaults {
  readonly #scene: Scene
  readonly #machines: MachineFaults

  constructor(scene: Scene, machines: MachineFaults) {
    this.#scene = scene
    this.#machines = machines
  }

  begin(fault: Fault): void {
    const [first, second] = this.#scene.machines(fault)
    if (fault.id === 'O13') this.#handOver(fault, first!)
    else this.#changeMembers(fault, first!, second!)
  }

  /** Asks at a machine that runs, as somebody at a keyboard would. */
  #ask(at: Machine, request: (requestId: string) => ClientRequest): boolean {
    const asked = [at, ...this.#scene.world.founders].find(({ process }) => process?.paused === false)
    if (asked?.process === undefined) return false
    this.#scene.world.request(asked.process, request(this.#scene.requestId()))
    return true
  }

  #operate(at: Machine, operation: MemberOperation): void {
    if (this.#ask(at, (requestId) => ({ type: 'members', requestId, operation }))) this.#scene.world.fired('O11')
  }

  #changeMembers({ variant, forMs }: Fault, subject: Machine, at: Machine): void {
    const member = subject.actor.peerId
    switch (variant) {
      case 'demote':
        this.#operate(at, { op: 'demote', member })
        return this.#scene.later(forMs, () => this.#operate(at, { op: 'promote', member }))
      case 'promote':
        return this.#operate(at, { op: 'promote', member })
      case 'remove':
        this.#operate(at, { op: 'remove', member })
        this.#asksOn(subject)
        return this.#comeBackEmpty(subject, at, forMs)
      case 'leave':
        if (subject.process === undefined || subject.process.paused) return
        this.#scene.world.fired('O11')
        this.#scene.world.request(subject.process, { type: 'leave', requestId: this.#scene.requestId() })
        return this.#comeBackEmpty(subject, at, forMs)
      case 'replace':
        if (!this.#machines.wipe(subject, Math.min(forMs, 500))) return
        // Two disks of one machine: whoever names the machine has not said which.
        this.#scene.later(forMs + 1_000, () => this.#operate(at, { op: 'remove', member }))
        return this.#scene.later(forMs + 1_500, () => this.#operate(at, { op: 'replace', member, by: undefined }))
      case 'many':
        for (const { actor } of this.#scene.world.founders) this.#operate(at, { op: 'demote', member: actor.peerId })
        return this.#scene.later(forMs, () => {
          for (const { actor } of this.#scene.world.founders) this.#operate(at, { op: 'promote', member: actor.peerId })
        })
      default:
        return this.#mistakes(at, subject)
    }
  }

  /** It may not have heard that it is out, and goes on asking. */
  #asksOn(subject: Machine): void {
    for (const afterMs of [1, 2, 4, 8, 16, 32]) {
      this.#scene.later(afterMs, () => {
        const requestId = this.#scene.requestId()
        if (subject.process !== undefined)
          this.#scene.world.request(subject.process, { type: 'transfer', requestId, to: undefined })
      })
    }
  }

  /** Whoever was removed comes back with an empty disk, is taken in as a learner, and may get its vote again. */
  #comeBackEmpty(machine: Machine, at: Machine, forMs: number): void {
    this.#scene.later(forMs, () => {
      if (!this.#machines.wipe(machine, 100)) return
      this.#scene.later(2_500, () => this.#operate(at, { op: 'promote', member: machine.actor.peerId }))
    })
  }

  /** What cannot be: each must be refused by its own code, and change nothing. */
  #mistakes(at: Machine, subject: Machine): void {
    const nobody = '12D3KooWNobody'
    const member = subject.actor.peerId
    this.#operate(at, { op: 'remove', member: nobody })
    this.#operate(at, { op: 'promote', member: nobody })
    this.#operate(at, { op: 'replace', member, by: nobody })
    this.#operate(at, { op: 'promote', member: 'x'.repeat(600) })
    this.#ask(at, (requestId) => ({ type: 'transfer', requestId, to: nobody }))
    // Of those who came later, some came to observe.
    const { machines, founders } = this.#scene.world
    for (const { actor } of machines.slice(founders.length)) {
      this.#operate(at, { op: 'promote', member: actor.peerId })
    }
  }

  #handOver({ variant }: Fault, machine: Machine): void {
    if (machine.process === undefined || machine.process.paused) return
    const { world } = this.#scene
    const to = variant === 'to one' ? world.founders.at(world.events % world.founders.length)?.actor.peerId : undefined
    const times = variant === 'to all' ? 3 : 1
    for (let i = 0; i < times; i++) {
      world.fired('O13')
      world.request(machine.process, { type: 'transfer', requestId: this.#scene.requestId(), to })
      if (machine.process === undefined) return
    }
  }
}
