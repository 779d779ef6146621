/**
 * Whom consensus does not hear although it was admitted, how it is told, and what this node makes of being told itself.
 *
 * *Barred* is an incarnation whose disk was set back or copied, as its boot statements show (`boot-watch.ts`, FAULTS P5, P6). It may
 * have forgotten a vote, so nothing that it says about votes counts here, however often it starts again. *Removed* is one that the
 * committed configuration no longer names. Nobody replicates to it, so it would campaign for ever without being told
 * (RAFT-HOLES 37); what it is told names the index of that configuration, so that older news never outweighs newer.
 *
 * Being told is a voter's word, not a proof. It costs this node campaigns and nothing that is durable, and a later configuration
 * that names it ends it. That is within the promise: voters crash, they do not lie.
 */
import type { Admitted } from '../membership/admission.ts'
import type { RaftInput, RaftStatus } from '../raft/types.ts'
import type { BootWatch } from './boot-watch.ts'
import type { Frame } from './frames.ts'
import { type MemberHistory, peerIdOf } from './incarnations.ts'
import { type Fenced, type Standing, standingOf } from './standing.ts'
import type { ReplicaEvent } from './types.ts'

/** A peer that is not heard and goes on speaking is told so this often. */
export const TELL_EVERY_MS = 1_000

export interface FenceSurroundings {
  /** Our own incarnation. */
  readonly self: string
  boots(): BootWatch
  raftStatus(): RaftStatus | undefined
  toRaft(input: RaftInput, now: number): void
  send(peerId: string, frame: Frame): void
  event(event: ReplicaEvent): void
}

export class Fences {
  readonly #around: FenceSurroundings
  /** Who is told, and when it may be told again. */
  readonly #toldUntil = new Map<string, number>()
  /** What a voter told us about ourselves. */
  #fenced: Fenced | undefined
  /** Set when the cluster is founded. */
  history: MemberHistory | undefined

  constructor(around: FenceSurroundings) {
    this.#around = around
  }

  isBarred(incarnation: string): boolean {
    return this.#around.boots().isMute(incarnation)
  }

  isRemoved(incarnation: string): boolean {
    return this.history?.isRemoved(incarnation) ?? false
  }

  /** A leader that has removed itself is heard until somebody else leads: its last word is the hand-over. */
  isFenced(incarnation: string): boolean {
    if (this.isBarred(incarnation)) return true
    return this.isRemoved(incarnation) && this.#around.raftStatus()?.leader !== incarnation
  }

  /** Tells a peer that it is not heard, if that is so; not for every frame of it. */
  tell({ peerId, incarnation }: Admitted, now: number): void {
    if (!this.isFenced(incarnation) || now < (this.#toldUntil.get(peerId) ?? -Infinity)) return
    const bar = this.#around.boots().bar(incarnation)
    // Whoever is only suspected was told what is held against it, and will say more.
    if (bar === undefined && !this.isRemoved(incarnation)) return
    this.#toldUntil.set(peerId, now + TELL_EVERY_MS)
    const index = this.history?.index ?? 0
    const removed = `the configuration at ${index} does not name ${incarnation}`
    this.#around.send(
      peerId,
      bar === undefined
        ? { kind: 'fenced', code: 'removed', index, detail: removed }
        : { kind: 'fenced', code: bar.code, index: 0, detail: bar.detail }
    )
  }

  /** Its session is closed. */
  forget(peerId: string): void {
    this.#toldUntil.delete(peerId)
  }

  /** A peer says that it does not hear us. */
  told(from: Admitted, { code, index, detail }: Extract<Frame, { kind: 'fenced' }>, now: number): void {
    if (!this.#mayKnow(from)) return
    const before = this.#fenced
    if (before !== undefined && before.code !== 'removed') return
    if (before?.code === code && before.index >= index) return
    this.#fenced = { code, index, detail, by: from.peerId }
    this.#around.event({ type: 'alarm', code, detail: `${from.peerId} does not hear this node: ${detail}` })
    if (code === 'removed') this.#around.toRaft({ type: 'removed', index }, now)
  }

  /** Anybody with a credential has a session; what becomes of votes only those know who vote. */
  #mayKnow({ incarnation, claim }: Admitted): boolean {
    const membership = this.#around.raftStatus()?.membership
    if (membership === undefined) return claim !== undefined
    return membership.voters.includes(incarnation) || membership.outgoing.includes(incarnation)
  }

  standing(): Standing {
    const { self } = this.#around
    const bar = this.#around.boots().selfBar
    // What the own signature proves outweighs what others say.
    const fenced =
      bar === undefined ? this.#fenced : { code: bar.code, index: 0, detail: bar.detail, by: peerIdOf(self) }
    return standingOf(self, this.#around.raftStatus(), this.history, fenced)
  }

  /** Why nobody will take a request of this node any more; undefined while it belongs to the cluster. */
  outcast(): string | undefined {
    if (this.#fenced === undefined && !this.isRemoved(this.#around.self)) return undefined
    const { type, final } = this.standing()
    return type === 'removed' && final ? `the cluster removed ${this.#around.self}` : undefined
  }
}
