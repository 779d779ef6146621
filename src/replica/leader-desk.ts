/**
 * What peers ask of this node because they believe that it leads: taken while there is room, given to our consensus core, and
 * answered when that is done with it. Whoever asked keeps the request and asks again; nothing here outlives an office.
 */
import type { Outcome, RaftInput, RaftStatus } from '../raft/types.ts'
import { type AnswerCode, type CoreRequests, isFinal } from './core-requests.ts'
import { type Forwarded, Forwards } from './forwards.ts'
import type { ForwardedOperation, Frame } from './frames.ts'
import { namedBy, peerIdOf } from './incarnations.ts'

/** What it needs of the desk around it. */
export interface LeaderSurroundings {
  readonly selfPeerId: string
  /** PeerId of the leader, when known. */
  leader(): { readonly peerId: string | undefined }
  raftStatus(): RaftStatus | undefined
  toRaft(input: RaftInput, now: number): void
  send(peerId: string, frame: Frame): void
  /** The incarnation behind a peer's session, or our own. */
  incarnationOf(peerId: string): string | undefined
}

export class LeaderDesk {
  readonly #around: LeaderSurroundings
  readonly #core: CoreRequests
  readonly #forwards = new Forwards()

  constructor(around: LeaderSurroundings, core: CoreRequests) {
    this.#around = around
    this.#core = core
  }

  forward(peerId: string, requestId: Uint8Array, operation: ForwardedOperation, now: number): void {
    const { peerId: leader } = this.#around.leader()
    const isLeader = leader === this.#around.selfPeerId
    if (!isLeader || this.#forwards.isFullFor(peerId, this.#memberCount())) {
      this.#answer(peerId, requestId, 'retry', leader, isLeader ? 'busy' : 'not-leader', '')
      return
    }
    // A repeat of what our core still works on: the first one's outcome answers both.
    if (this.#forwards.has(peerId, requestId)) return
    const input = this.#core.inputOf(operation, this.#around.incarnationOf(peerId))
    if (!('ref' in input)) {
      this.#answer(peerId, requestId, input.status, leader, input.code, input.detail)
      return
    }
    this.#forwards.add(input.ref, { peerId, requestId, op: operation.op })
    this.#around.toRaft(input, now)
  }

  #memberCount(): number {
    const status = this.#around.raftStatus()
    return status === undefined ? 1 : namedBy(status.membership).length
  }

  /** Our core is done with a ref, which may be a peer's. */
  settled(outcome: Outcome): void {
    const forwarded = this.#forwards.take(outcome.ref)
    if (forwarded !== undefined) this.#settledFor(forwarded, outcome)
  }

  #settledFor({ peerId, requestId, op }: Forwarded, outcome: Outcome): void {
    const leader = this.#around.leader().peerId
    switch (outcome.type) {
      case 'committed':
        this.#answer(peerId, requestId, 'done', leader, '', '', op === 'command' ? outcome.index : 0)
        return
      case 'transferred':
        this.#answer(peerId, requestId, 'done', peerIdOf(outcome.to), '', '')
        return
      case 'refused':
        this.#answer(
          peerId,
          requestId,
          isFinal(outcome.code) ? 'refused' : 'retry',
          leader,
          outcome.code,
          outcome.detail
        )
        return
      case 'dropped':
      case 'unknown':
        this.#answer(peerId, requestId, 'retry', leader, outcome.type, '')
        return
      case 'readable':
        this.#answer(peerId, requestId, 'done', leader, '', '', outcome.index)
    }
  }

  #answer(
    peerId: string,
    requestId: Uint8Array,
    status: 'done' | 'retry' | 'refused',
    leader: string | undefined,
    code: AnswerCode,
    detail: string,
    index = 0
  ): void {
    this.#around.send(peerId, { kind: 'answer', requestId, status, leader, index, code, detail })
  }
}
