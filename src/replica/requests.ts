/**
 * What callers asked of this node, until each is answered once. What peers ask of it is in `leader-desk.ts`.
 *
 * A request is tried where it can succeed: by our own consensus core when we lead, by the leader when somebody else does,
 * later when nobody does. It keeps one id for its whole life, by which the state machine knows a repeat among the last
 * `ANSWERS_MAX`. A command is not repeated while its first copy may be in a log: its leader is asked what became of it. A command is finished when
 * this node has applied it, wherever it was proposed; a read when this node has applied what the leader confirmed (ReadIndex,
 * dissertation section 6.4); the other requests when the leader says so.
 *
 * Refused for good is only what would be refused again: an unknown voter, a change that loses the quorum. Everything else
 * (no leader, a leader that lost its office, a full log) is tried until the caller gives up, because silence is never absence.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import type { Outcome, Proposal } from '../raft/types.ts'
import type { ApplyResult } from '../replicated-config/index.ts'
import { CoreRequests, type CoreSurroundings, isFinal } from './core-requests.ts'
import { forwardFrame, operationOf } from './forwards.ts'
import { type ForwardedOperation, type Frame, operationProblem } from './frames.ts'
import { peerIdOf } from './incarnations.ts'
import { LeaderDesk, type LeaderSurroundings } from './leader-desk.ts'
import type { ClientOutcome, ClientRequest, RequestCode } from './types.ts'

/** Requests of this node that wait for an outcome. Beyond it callers are told `busy`. */
export const PENDING_MAX = 4_096
/** An answer that has not come after this long is presumed lost. */
export const RETRY_MS = 1_000
/** After a leader said that it could not take it. */
export const RETRY_SOON_MS = 20

interface Pending {
  readonly request: ClientRequest
  /** Set while our own core has it. */
  ref: number | undefined
  /** Who was asked last, in which term. */
  asked: string | undefined
  askedTerm: number
  /** Ask the same one again at this time. */
  retryAt: number
  /** A confirmed read: done when this much is applied here. */
  readIndex: number | undefined
  /** A copy of it may be in the log of some leader up to `askedTerm`. */
  mayBeLogged: boolean
  /** A command of which the leader knows that it stands up to here or nowhere: decided when this much is applied here. 0: not yet. */
  committedIndex: number
  /** What was sent last only asks what became of it. */
  isQuestion: boolean
}

/** The answers that a snapshot remembers. */
export interface AnswerMemory {
  find(requestId: string): ApplyResult | undefined
  /** None was ever forgotten. */
  readonly isWhole: boolean
}

/** What the desk needs of the replica around it. */
export interface RequestSurroundings extends CoreSurroundings, LeaderSurroundings {
  /** PeerId and term of the leader, when known. */
  leader(): { readonly peerId: string | undefined; readonly term: number }
  /** Why nobody will take a request of this node any more; undefined while it belongs to the cluster. */
  outcast(): string | undefined
  outcome(outcome: ClientOutcome): void
}

export class RequestDesk {
  readonly #around: RequestSurroundings
  /** In the callers' order on this node: nothing that the network can shuffle. */
  readonly #pending = new Map<string, Pending>()
  readonly #byRef = new Map<number, Pending>()
  readonly #core: CoreRequests
  readonly #forPeers: LeaderDesk
  #appliedIndex = 0
  /** Of the newest entry that is applied here. */
  #appliedTerm = 0

  constructor(around: RequestSurroundings) {
    this.#around = around
    this.#core = new CoreRequests(around)
    this.#forPeers = new LeaderDesk(around, this.#core)
  }

  get size(): number {
    return this.#pending.size
  }

  accept(request: ClientRequest, now: number): void {
    if (this.#pending.has(request.requestId)) return
    const refuse = (code: RequestCode, detail: string): void =>
      this.#around.outcome({ type: 'refused', requestId: request.requestId, code, detail })
    const problem = operationProblem(operationOf(request))
    if (problem !== undefined) return refuse('invalid-request', problem)
    if (this.#pending.size >= PENDING_MAX) {
      return refuse('busy', `${PENDING_MAX} requests are waiting on this node already`)
    }
    this.#pending.set(request.requestId, {
      request,
      ref: undefined,
      asked: undefined,
      askedTerm: 0,
      retryAt: now,
      readIndex: undefined,
      mayBeLogged: false,
      committedIndex: 0,
      isQuestion: false
    })
  }

  cancel(requestId: string): void {
    this.#remove(requestId)
  }

  /** A command was applied here. True when a caller of this node waited for it. */
  applied(requestId: string): boolean {
    return this.#remove(requestId) !== undefined
  }

  /** Entries up to `index`, the last one of `term`, are applied here. */
  appliedUpTo(index: number, term: number): void {
    this.#appliedIndex = index
    this.#appliedTerm = term
    this.#finishReads()
  }

  /**
   * A snapshot stands for the entries up to `index`. What it remembers of a command is its answer. Of one that may be among those
   * entries and is not remembered nobody knows how it ended, and to ask again might apply it twice.
   */
  restored(index: number, term: number, memory: AnswerMemory): void {
    for (const [requestId, pending] of [...this.#pending]) {
      if (pending.request.type !== 'command') continue
      const result = memory.find(requestId)
      const { committedIndex, mayBeLogged } = pending
      const isLost = (committedIndex > 0 && committedIndex <= index) || (mayBeLogged && !memory.isWhole)
      if (result === undefined && !isLost) continue
      this.#remove(requestId)
      const detail = `this node was so far behind that it got the state as of entry ${index} without the entries before`
      this.#around.outcome(
        result === undefined
          ? { type: 'refused', requestId, code: 'unknown', detail }
          : { type: 'applied', requestId, result }
      )
    }
    this.appliedUpTo(index, term)
  }

  #finishReads(): void {
    const index = this.#appliedIndex
    for (const { request, readIndex } of this.#pending.values()) {
      if (readIndex !== undefined && readIndex <= index) this.#finish(request.requestId, this.#around.leader().peerId)
    }
  }

  /** Tries whatever can be tried now. */
  pump(now: number): void {
    if (this.#pending.size === 0) return
    const outcast = this.#around.outcast()
    if (outcast !== undefined) return this.#endAll(outcast)
    const { peerId: leader, term } = this.#around.leader()
    if (leader === undefined) return
    const proposals: Proposal[] = []
    for (const pending of this.#pending.values()) {
      if (pending.ref !== undefined || pending.readIndex !== undefined) continue
      if (isHandedOver(pending, leader)) {
        this.#finish(pending.request.requestId, leader)
        continue
      }
      const asked = pending.asked === leader && pending.askedTerm === term
      if ((asked && now < pending.retryAt) || this.#isHeld(pending, term)) continue
      pending.retryAt = now + RETRY_MS
      if (asked && pending.mayBeLogged && pending.committedIndex === 0 && leader !== this.#around.selfPeerId) {
        this.#askWhatBecameOf(pending, leader)
        continue
      }
      pending.asked = leader
      pending.askedTerm = term
      pending.mayBeLogged = pending.request.type === 'command'
      pending.committedIndex = 0
      pending.isQuestion = false
      if (leader !== this.#around.selfPeerId) this.#around.send(leader, forwardFrame(pending.request))
      else if (pending.request.type === 'command')
        proposals.push({ ref: this.#refer(pending), data: pending.request.data })
      else {
        this.#proposeAll(proposals.splice(0), now)
        this.#propose(pending, now)
      }
    }
    this.#proposeAll(proposals, now)
  }

  /**
   * The leader may have logged it, and its answer is lost. So it is not told the command again but asked for a read under the same id:
   * while its core works on the command, that is a repeat; else its answer names an index up to which the command stands in
   * the log or will never stand there. When that much is applied here, the command is done or may safely be asked for again,
   * however many others came between.
   */
  #askWhatBecameOf(pending: Pending, leader: string): void {
    pending.isQuestion = true
    const requestId = fromHex(pending.request.requestId)!
    this.#around.send(leader, { kind: 'forward', requestId, operation: { op: 'read' } })
  }

  /** Commands that wait at the same time share one append and one write. */
  #proposeAll(proposals: readonly Proposal[], now: number): void {
    if (proposals.length > 0) this.#around.toRaft({ type: 'propose-batch', proposals }, now)
  }

  /** The ref under which our core has it. */
  #refer(pending: Pending, ref = this.#around.nextRef()): number {
    pending.ref = ref
    this.#byRef.set(ref, pending)
    return ref
  }

  /**
   * It has committed, and we are slow to apply it; or a leader of an earlier term may have logged it. When an entry of the
   * present term is applied here, that copy has been applied before it or never will be (Leader Completeness), so that asking
   * again cannot apply it twice, however many others there are.
   */
  #isHeld({ mayBeLogged, askedTerm, committedIndex }: Pending, term: number): boolean {
    return committedIndex > this.#appliedIndex || (mayBeLogged && askedTerm < term && this.#appliedTerm < term)
  }

  /** The cluster goes on without us, so nothing that we ask is decided any more; to leave it is done. */
  #endAll(why: string): void {
    for (const [requestId, { request, ref }] of [...this.#pending]) {
      if (ref !== undefined) continue
      if (request.type === 'leave') this.#finish(requestId, this.#around.leader().peerId)
      else if (this.#remove(requestId))
        this.#around.outcome({ type: 'refused', requestId, code: 'removed', detail: why })
    }
  }

  /** The earliest time at which `pump` has something to do without any other input. */
  deadline(): number | undefined {
    const { peerId: leader, term } = this.#around.leader()
    if (leader === undefined) return undefined
    let next: number | undefined
    for (const pending of this.#pending.values()) {
      const { ref, retryAt, readIndex } = pending
      if (ref !== undefined || readIndex !== undefined || this.#isHeld(pending, term)) continue
      if (next === undefined || retryAt < next) next = retryAt
    }
    return next
  }

  /** A peer asks us, whom it believes to lead. */
  forward(peerId: string, requestId: Uint8Array, operation: ForwardedOperation, now: number): void {
    this.#forPeers.forward(peerId, requestId, operation, now)
  }

  /** A new session with a peer: what we asked it, and what it answered, may have been lost with the one before. */
  sessionOpened(peerId: string, now: number): void {
    for (const pending of this.#pending.values()) {
      if (pending.asked === peerId && pending.ref === undefined) pending.retryAt = Math.min(pending.retryAt, now)
    }
  }

  /** The leader answers what we forwarded. */
  answered(peerId: string, frame: Extract<Frame, { kind: 'answer' }>, now: number): void {
    const requestId = toHex(frame.requestId)
    const pending = this.#pending.get(requestId)
    // Only whom we asked may answer: any other member could make a caller believe in a hand-over that never was.
    if (pending === undefined || pending.asked !== peerId || pending.ref !== undefined) return
    switch (frame.status) {
      case 'done':
        if (pending.request.type === 'command') {
          pending.committedIndex = frame.index
          pending.retryAt = now
          return
        }
        if (pending.request.type === 'read') return this.#confirmed(pending, frame.index)
        this.#remove(requestId)
        this.#around.outcome({ type: 'done', requestId, leader: frame.leader })
        return
      case 'refused':
        this.#remove(requestId)
        this.#around.outcome({ type: 'refused', requestId, code: frame.code, detail: frame.detail })
        return
      case 'retry':
        // That a question could not be answered says nothing of the command.
        if (frame.code !== 'unknown' && !pending.isQuestion) pending.mayBeLogged = false
        pending.retryAt = now + RETRY_SOON_MS
        return
    }
  }

  /** Our core is done with a ref. */
  settled(outcome: Outcome, now: number): void {
    const own = this.#byRef.get(outcome.ref)
    if (own !== undefined) {
      this.#byRef.delete(outcome.ref)
      own.ref = undefined
      this.#settledOwn(own, outcome, now)
      return
    }
    this.#forPeers.settled(outcome)
  }

  #settledOwn(pending: Pending, outcome: Outcome, now: number): void {
    const { requestId, type } = pending.request
    switch (outcome.type) {
      case 'committed':
        // A command is answered by its own application, which follows or has just been.
        if (type !== 'command') this.#finish(requestId, this.#around.selfPeerId)
        else pending.committedIndex = outcome.index
        return
      case 'transferred':
        this.#finish(requestId, peerIdOf(outcome.to))
        return
      case 'refused':
        if (!isFinal(outcome.code)) return this.#tryAgain(pending, now)
        if (this.#remove(requestId)) {
          this.#around.outcome({ type: 'refused', requestId, code: outcome.code, detail: outcome.detail })
        }
        return
      case 'dropped':
        return this.#tryAgain(pending, now)
      case 'unknown':
        pending.retryAt = now + RETRY_SOON_MS
        return
      case 'readable':
        this.#confirmed(pending, outcome.index)
    }
  }

  /** It entered no log. */
  #tryAgain(pending: Pending, now: number): void {
    pending.mayBeLogged = false
    pending.retryAt = now + RETRY_SOON_MS
  }

  #confirmed(pending: Pending, index: number): void {
    pending.readIndex = index
    this.#finishReads()
  }

  #propose(pending: Pending, now: number): void {
    const { requestId } = pending.request
    const self = this.#around.incarnationOf(this.#around.selfPeerId)
    const input = this.#core.inputOf(operationOf(pending.request), self)
    if ('ref' in input) {
      this.#refer(pending, input.ref)
      this.#around.toRaft(input, now)
    } else if (input.status === 'retry') this.#tryAgain(pending, now)
    else if (input.status === 'done') this.#finish(requestId, this.#around.selfPeerId)
    else {
      this.#remove(requestId)
      this.#around.outcome({ type: 'refused', requestId, code: input.code, detail: input.detail })
    }
  }

  #finish(requestId: string, leader: string | undefined): void {
    if (this.#remove(requestId)) this.#around.outcome({ type: 'done', requestId, leader })
  }

  #remove(requestId: string): Pending | undefined {
    const pending = this.#pending.get(requestId)
    if (pending === undefined) return undefined
    this.#pending.delete(requestId)
    if (pending.ref !== undefined) this.#byRef.delete(pending.ref)
    return pending
  }
}

/**
 * Leadership has moved as asked, whether or not the old leader lived to say so. Asking the new one as well would move it on,
 * and again, for as long as answers are late.
 */
function isHandedOver({ request, asked }: Pending, leader: string): boolean {
  if (request.type !== 'transfer') return false
  return request.to === undefined ? asked !== undefined && asked !== leader : request.to === leader
}
