/** Formation and what it asks for: its state is written, its messages leave, and when it is done the certificate is handed on. */
import { createFormation, createWitness } from '../formation/index.ts'
import { encodeFormationState } from '../formation/state.ts'
import type {
  Formation,
  FormationEffects,
  FormationInput,
  FormationStage,
  FormationState,
  FormationStatus,
  FoundingCertificate
} from '../formation/types.ts'
import { encodeHardState, FORMATION_CELL, VOTE_CELL } from './durable.ts'
import { firstVote } from './first-vote.ts'
import type { ReplicaInit } from './init.ts'
import type { Mail } from './mail.ts'
import type { Outbox } from './outbox.ts'
import { reportFormation } from './report-formation.ts'

export interface FoundingSurroundings {
  readonly init: ReplicaInit
  readonly outbox: Outbox
  readonly mail: Mail
  /** The latch is durable: from here on a majority of the certificate's members decides. */
  formed(certificate: FoundingCertificate, now: number): void
}

export class Founding {
  readonly #around: FoundingSurroundings
  readonly #formation: Formation
  #latched: boolean
  /** When it wants to be told the time. */
  deadline: number | undefined

  constructor(around: FoundingSurroundings) {
    const { self, foundingSize, formationState: state, crypto, formationTiming } = around.init
    this.#around = around
    this.#latched = state.certificate !== undefined
    this.#formation =
      self.seat === undefined
        ? createWitness({ foundingSize, state, crypto })
        : createFormation({ self, foundingSize, state, crypto, ...formationTiming })
  }

  get stage(): FormationStage {
    return this.#formation.stage()
  }

  status(): FormationStatus {
    return this.#formation.status()
  }

  start(now: number): void {
    this.#take(this.#formation.start(now), now)
  }

  tell(input: FormationInput, now: number): void {
    this.#take(this.#formation.step(input, now), now)
  }

  /** With the write that latches, and no other: from then on consensus votes. */
  #firstVote({ certificate }: FormationState): readonly { readonly name: string; readonly value: Uint8Array }[] {
    if (this.#latched || certificate === undefined) return []
    this.#latched = true
    const first = firstVote(this.#around.init, certificate)
    return first === undefined ? [] : [{ name: VOTE_CELL, value: encodeHardState(first.hardState) }]
  }

  #take(
    { write, send, sendAfter, sendAfterWrite, sign, events, formed, deadline }: FormationEffects,
    now: number
  ): void {
    const { outbox, mail } = this.#around
    this.deadline = deadline
    if (write !== undefined) {
      outbox.write('formation', write.id, {
        cells: [{ name: FORMATION_CELL, value: encodeFormationState(write.state) }, ...this.#firstVote(write.state)]
      })
    }
    const after = outbox.after('formation', sendAfterWrite)
    for (const { to, message } of send) mail.sendHeard(to, { kind: 'formation', message }, 0)
    for (const { to, message } of sendAfter) mail.sendHeard(to, { kind: 'formation', message }, after)
    if (sign !== undefined) outbox.sign({ type: 'acceptance', term: sign.term }, sign.payload)
    for (const event of events) for (const reported of reportFormation(event)) outbox.event(reported)
    if (formed !== undefined) this.#around.formed(formed, now)
  }
}
