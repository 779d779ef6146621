/**
 * What a request means to the consensus core of whoever leads, or why it never gets there: an observer has no say, nobody
 * speaks for somebody else, a change of members is refused with its arithmetic.
 */
import { invariant } from '../core/invariant.ts'
import { decodeDenial, encodeDenial } from '../membership/denial.ts'
import { decodeRedeem } from '../membership/redemptions.ts'
import type { RaftInput, RaftStatus, RefusalCode } from '../raft/types.ts'
import { decodeCommand } from '../replicated-config/index.ts'
import type { ForwardedOperation } from './frames.ts'
import { namedBy, peerIdOf } from './incarnations.ts'
import { type MemberOperation, type MemberRefusalCode, type MembersInForce, planMembers } from './member-changes.ts'
import type { RequestCode } from './types.ts'

export interface CoreSurroundings {
  raftStatus(): RaftStatus | undefined
  /** The incarnation of a voter, by PeerId. */
  voterOf(peerId: string): string | undefined
  /** What plans of changes go by. */
  members(status: RaftStatus): MembersInForce
  /** Names a request to our core; rising. */
  nextRef(): number
  /** Until `ref` is settled, this learner is not promoted by itself: its vote is being denied. */
  holdBack(ref: number, incarnation: string): void
}

export type CoreRequest = Extract<RaftInput, { ref: number }>

/** As in an `answer` frame. */
export interface Answer {
  readonly status: 'done' | 'retry' | 'refused'
  readonly code: AnswerCode
  readonly detail: string
}

/** Empty: there is nothing to say. */
export type AnswerCode = RequestCode | RefusalCode | MemberRefusalCode | ''

const refused = (code: Exclude<AnswerCode, ''>, detail: string): Answer => ({ status: 'refused', code, detail })

export class CoreRequests {
  readonly #around: CoreSurroundings

  constructor(around: CoreSurroundings) {
    this.#around = around
  }

  /** What our core is told, or the answer that needs no core. `subject` is the incarnation that asks. */
  inputOf(operation: ForwardedOperation, subject: string | undefined): CoreRequest | Answer {
    switch (operation.op) {
      case 'command':
        // Only the leader redeems tokens, and only those that it has verified.
        if (decodeRedeem(operation.data) !== undefined)
          return refused('invalid-change', 'a token is redeemed by admission')
        if (decodeDenial(operation.data) !== undefined) return refused('invalid-change', 'a vote is denied by demote')
        return (
          this.#noSay(subject) ??
          foreignAuthor(operation.data, subject) ?? {
            type: 'propose',
            ref: this.#around.nextRef(),
            data: operation.data
          }
        )
      case 'transfer': {
        const noSay = this.#noSay(subject)
        if (noSay !== undefined) return noSay
        const ref = this.#around.nextRef()
        if (operation.to === undefined) return { type: 'transfer', ref }
        const to = this.#around.voterOf(operation.to)
        return to === undefined
          ? refused('invalid-change', `${operation.to} is not a voter of this cluster`)
          : { type: 'transfer', ref, to }
      }
      case 'read':
        return { type: 'read', ref: this.#around.nextRef() }
      case 'leave':
        return this.#changeMembers({ op: 'remove', member: subject ?? '' }, subject)
      case 'promote':
      case 'demote':
      case 'remove':
      case 'replace':
        return this.#changeMembers(operation, subject)
    }
  }

  #changeMembers(operation: MemberOperation, subject: string | undefined): CoreRequest | Answer {
    const status = this.#around.raftStatus()
    invariant(status !== undefined, 'who is asked to lead a change has a consensus core')
    const plan = planMembers(operation, this.#around.members(status))
    switch (plan.type) {
      case 'later':
        return { status: 'retry', code: 'change-in-progress', detail: '' }
      case 'done':
        // An old leader, in the last moments of its office, may believe what others have changed: it has to be one still.
        return { type: 'read', ref: this.#around.nextRef() }
      case 'deny':
        return this.#noSay(subject, operation) ?? this.#deny(plan.member)
      case 'refused':
        return refused(plan.code, plan.detail)
      case 'change':
        return (
          this.#noSay(subject, operation) ?? {
            type: 'change-membership',
            ref: this.#around.nextRef(),
            change: plan.change
          }
        )
    }
  }

  #deny(incarnation: string): CoreRequest {
    const ref = this.#around.nextRef()
    this.#around.holdBack(ref, incarnation)
    return { type: 'propose', ref, data: encodeDenial(incarnation) }
  }

  /** Whoever is no member, or only an observer, has no say in what the cluster does; anybody may go. */
  #noSay(subject: string | undefined, operation?: MemberOperation): Answer | undefined {
    const status = this.#around.raftStatus()
    invariant(status !== undefined, 'who is asked to decide has a consensus core')
    if (subject === undefined || !namedBy(status.membership).includes(subject)) {
      const who = subject ?? 'the node that asks'
      return refused('not-a-member', `${who} is no member of this cluster; ask on one that is`)
    }
    if (operation?.op === 'remove' && operation.member === subject) return undefined
    return this.#around.members(status).isObserver(peerIdOf(subject))
      ? refused('observer', `${peerIdOf(subject)} came with the token of an observer; ask on a voter or learner`)
      : undefined
  }
}

/** A config names its author for ever, so whoever forwards one may only name itself. What cannot be read is judged when it is applied. */
function foreignAuthor(data: Uint8Array, subject: string | undefined): Answer | undefined {
  const decoded = decodeCommand(data)
  const peerId = subject === undefined ? undefined : peerIdOf(subject)
  if (decoded.type === 'malformed' || decoded.command.author === peerId) return undefined
  return refused('invalid-change', `${peerId ?? 'nobody'} cannot write in the name of ${decoded.command.author}`)
}

/** Would be refused again. */
const FINAL: ReadonlySet<RefusalCode> = new Set(['would-lose-quorum', 'invalid-change', 'transfer-failed', 'too-large'])

export const isFinal = (code: RefusalCode): boolean => FINAL.has(code)
