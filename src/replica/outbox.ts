/**
 * Collects what one step asks for, and keeps the books between the protocols' own write numbers and the replica's: each
 * protocol counts its writes from 1; the store sees one row of batches.
 */
import type { ClientOutcome, DurableBatch, ReplicaEffects, ReplicaEvent, ReplicaSend, SignRequest } from './types.ts'

/** `sessions`: what nothing rests on. */
export type WriteOwner = 'formation' | 'raft' | 'sessions' | 'snapshots'

interface OpenWrite {
  readonly id: number
  readonly owner: WriteOwner
  readonly inner: number
}

export class Outbox {
  /** Not yet durable, in order. */
  readonly #open: OpenWrite[] = []
  #lastId = 0
  #writes: { id: number; batch: DurableBatch }[] = []
  #sends: ReplicaSend[] = []
  #bulk: { to: string; frame: Uint8Array }[] = []
  #sign: SignRequest[] = []
  #outcomes: ClientOutcome[] = []
  #events: ReplicaEvent[] = []

  write(owner: WriteOwner, inner: number, batch: DurableBatch): void {
    const id = ++this.#lastId
    this.#open.push({ id, owner, inner })
    this.#writes.push({ id, batch })
  }

  /** What has to be durable before something that rests on write `inner` of `owner` may leave; 0: it is already. */
  after(owner: WriteOwner, inner: number): number {
    for (let i = this.#open.length - 1; i >= 0; i--) {
      const write = this.#open[i]!
      if (write.owner === owner && write.inner <= inner) return write.id
    }
    return 0
  }

  /** Write `id` and all before it are durable: which write of which protocol does that complete? The last of each is enough. */
  durable(id: number): readonly { readonly owner: WriteOwner; readonly inner: number }[] {
    const done = new Map<WriteOwner, number>()
    while (this.#open.length > 0 && this.#open[0]!.id <= id) {
      const write = this.#open.shift()!
      done.set(write.owner, write.inner)
    }
    return [...done].map(([owner, inner]) => ({ owner, inner }))
  }

  send(to: string, frame: Uint8Array, after: number, tells?: ReplicaSend['tells']): void {
    this.#sends.push(tells === undefined ? { to, frame, after } : { to, frame, after, tells })
  }

  sendBulk(to: string, frame: Uint8Array): void {
    this.#bulk.push({ to, frame })
  }

  sign(purpose: SignRequest['purpose'], payload: Uint8Array): void {
    this.#sign.push({ purpose, payload })
  }

  outcome(outcome: ClientOutcome): void {
    this.#outcomes.push(outcome)
  }

  event(event: ReplicaEvent): void {
    this.#events.push(event)
  }

  /** Hands over what has gathered and starts anew. */
  flush(deadline: number | undefined): ReplicaEffects {
    const effects: ReplicaEffects = {
      writes: this.#writes.length === 0 ? NOTHING : this.#writes,
      sends: this.#sends.length === 0 ? NOTHING : this.#sends,
      bulk: this.#bulk.length === 0 ? NOTHING : this.#bulk,
      sign: this.#sign.length === 0 ? NOTHING : this.#sign,
      outcomes: this.#outcomes.length === 0 ? NOTHING : this.#outcomes,
      events: this.#events.length === 0 ? NOTHING : this.#events,
      deadline
    }
    if (effects.writes !== NOTHING) this.#writes = []
    if (effects.sends !== NOTHING) this.#sends = []
    if (effects.bulk !== NOTHING) this.#bulk = []
    if (effects.sign !== NOTHING) this.#sign = []
    if (effects.outcomes !== NOTHING) this.#outcomes = []
    if (effects.events !== NOTHING) this.#events = []
    return effects
  }
}

/** Most steps ask for one thing, and many for none. */
const NOTHING: readonly never[] = []
