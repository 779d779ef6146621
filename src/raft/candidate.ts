/**
 * Asking for the office, in two rounds: a pre-candidate asks whether it *would* win and risks nothing; a candidate has
 * entered the next term with a vote for itself and asks for the others'.
 *
 * Answers are kept by voter, so a repeated one counts once; a grant outweighs an earlier refusal of the same round, since
 * a voter may lose its leader after it has refused. Refusals end nothing early: the round's deadline does, and until then
 * an owed grant can still arrive. Pre-votes that came unasked count like answers (offers.ts); if they are a quorum, nobody is asked.
 *
 * **Why votes may be asked for before our own is durable.** The request may leave while the disk is still writing our
 * vote, which saves one write on the way to a leader. It is tempting to say that a candidate which crashes before its write
 * has lost its role and so cannot win. That is not enough: it restarts in the term before, may campaign in the *same* term
 * again, and its voters, who voted for it already, grant again or their old grants arrive late. Two rules close this:
 *
 *  1. Nobody leads before its own vote is durable, however many others have granted. A term in which this incarnation has
 *     led is therefore a term it remembers, and never campaigns in again; without this, two lives of one member could lead
 *     the same term and fill the same index differently.
 *  2. A request that leaves early claims a log that is durable. Otherwise a grant given for entries that the crash took
 *     would count for the shorter log of the next life. (If the log is not durable yet, the request waits for the disk.)
 *
 * With both, a grant from an earlier life counts for a log that the candidate still has, unless a leader of a term in
 * between has replaced it, and such a leader held every committed entry itself.
 */
import { retryDelayMs } from './campaign-delay.ts'
import { votersOf } from './configuration.ts'
import type { PreVoteReply } from './messages.ts'
import { jointVote } from './quorum.ts'
import type { RaftMessage } from './messages.ts'
import type { RaftNode } from './node.ts'
import type { ReplyMessage } from './receive.ts'
import type { NodeId } from './types.ts'

/** What the two rounds have in common. */
abstract class Round {
  protected readonly node: RaftNode
  protected readonly answers = new Map<NodeId, boolean>()
  protected endsAt: number

  constructor(node: RaftNode, now: number) {
    this.node = node
    this.endsAt = now + retryDelayMs(node)
  }

  deadline(): number {
    return this.endsAt
  }

  tick(now: number): void {
    if (now < this.endsAt) return
    const { node } = this
    node.failedRounds++
    if (node.failedRounds === 1) {
      node.outbox.event({ type: 'no-quorum', term: node.term, heardFrom: this.#heardFrom() })
    }
    node.campaign('nobody was elected', now)
  }

  /** Voters that have answered in this round, itself included. */
  get answered(): number {
    return new Set([this.node.self, ...this.#heardFrom()]).size
  }

  #heardFrom(): readonly NodeId[] {
    return votersOf(this.node.membership).filter((id) => this.answers.has(id))
  }

  /** A voter that could not be reached when the round began. */
  connected(peer: NodeId): void {
    const { node } = this
    if (!node.settings.staggered || !node.configurations.isVoter(peer) || this.answers.has(peer)) return
    this.ask(peer)
  }

  disconnected(): void {}

  protected askAll(but?: NodeId): void {
    const isAsked = (id: NodeId): boolean => id !== this.node.self && id !== but && !this.answers.has(id)
    for (const id of votersOf(this.node.membership)) if (isAsked(id)) this.ask(id)
  }

  protected count(from: NodeId, granted: boolean): void {
    if (granted || !this.answers.has(from)) this.answers.set(from, granted)
  }

  protected get won(): boolean {
    return jointVote(this.node.membership, (id) => this.answers.get(id)) === 'won'
  }

  protected abstract ask(peer: NodeId): void
}

export class PreCandidate extends Round {
  readonly name = 'pre-candidate'
  readonly #request: RaftMessage & { readonly type: 'pre-vote' }

  constructor(node: RaftNode, round: number, now: number) {
    super(node, now)
    const { lastIndex, lastTerm } = node.log
    this.#request = { type: 'pre-vote', nextTerm: node.term + 1, round, lastIndex, lastTerm }
  }

  start(now: number): void {
    const { node } = this
    for (const id of node.offers.standing(node)) this.count(id, true)
    this.count(node.self, true)
    if (!this.#goesOn(now)) this.askAll()
  }

  reply(from: NodeId, message: PreVoteReply, now: number): void {
    if (message.round === this.#request.round) this.answer(from, message.granted, now)
  }

  persisted(_now: number): void {}

  answer(from: NodeId, granted: boolean, now: number): void {
    this.count(from, granted)
    this.#goesOn(now)
  }

  #goesOn(now: number): boolean {
    if (!this.won) return false
    this.node.becomeCandidate(undefined, 'a quorum would vote for it', now)
    return true
  }

  protected ask(peer: NodeId): void {
    this.node.send(peer, this.#request)
  }
}

export class Candidate extends Round {
  readonly name = 'candidate'
  readonly #request: RaftMessage & { readonly type: 'vote' }
  /** The log that we claim to have is on disk. */
  readonly #mayAskNow: boolean
  /** The leader that hands over. Its vote comes unasked. */
  readonly #patron: NodeId | undefined

  constructor(node: RaftNode, patron: NodeId | undefined, now: number) {
    super(node, now)
    const { lastIndex, lastTerm } = node.log
    this.#patron = patron
    this.#request = { type: 'vote', term: node.term, lastIndex, lastTerm, transfer: patron !== undefined }
    this.#mayAskNow = node.logDurable
  }

  start(now: number): void {
    this.askAll(this.#patron)
    this.#tally(now)
  }

  reply(from: NodeId, message: ReplyMessage, now: number): void {
    if (message.type !== 'vote-reply') return
    this.count(from, message.granted)
    this.#tally(now)
  }

  persisted(now: number): void {
    if (this.node.disk.hardStateDurable) this.count(this.node.self, true)
    this.#tally(now)
  }

  #tally(now: number): void {
    // The own answer is there only when the own vote is durable: rule 1 above.
    if (!this.answers.has(this.node.self) || !this.won) return
    let votes = 0
    for (const granted of this.answers.values()) if (granted) votes++
    this.node.becomeLeader(votes, now)
  }

  protected ask(peer: NodeId): void {
    if (this.#mayAskNow) this.node.send(peer, this.#request)
    else this.node.sendLater(peer, this.#request)
  }
}
