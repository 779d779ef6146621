/**
 * A follower takes the log of the leader it knows, and waits for its turn to campaign when it knows none.
 *
 * A leader is lost when it was silent for an election timeout, or at once when our own last connection to it closed: the
 * kernel closes the sockets of a dead process within milliseconds. That evidence is ours alone. It makes us ask for
 * pre-votes; it deposes nobody, because others grant only when they have lost the leader themselves.
 *
 * Others may lose it a moment later than the one who asks. A pre-vote that was refused only because our leader was alive
 * is therefore *owed*: it is granted as soon as that leader is lost here too, if its round is still being counted. Whoever comes first in
 * the order and has not asked yet is offered it (offers.ts).
 */
import { allowedWaitMs, patienceMs, suspectDelayMs, retryDelayMs, startDelayMs, turnMs } from './campaign-delay.ts'
import { majorityVote } from './quorum.ts'
import { RaftMessageError, decodeMembership } from './messages.ts'
import type { Append, PreVote, Transfer } from './messages.ts'
import type { RaftNode } from './node.ts'
import { awaitsOpening, isUnopened } from './opening.ts'
import type { LeaderMessage } from './receive.ts'
import type { Entry, LogPosition, NodeId, SnapshotMeta } from './types.ts'
import { couldVote } from './voting.ts'

export class Follower {
  readonly name = 'follower'
  readonly #node: RaftNode
  #campaignAt = Infinity
  /** When the leader was last heard. */
  #heardAt = -Infinity
  /** When the newest heartbeat of this term's leader came. */
  #heartbeatAt: number | undefined = undefined
  /** Up to here the log is known to be that of this term's leader. Nothing beyond it is ever committed here. */
  #match = 0
  /** What the leader says is committed; may run ahead of what has arrived. */
  #leaderCommit = 0
  /** The term in which `#match` and `#leaderCommit` were learnt. */
  #matchTerm = 0
  readonly #owed = new Map<NodeId, PreVote>()
  /** The term for which this member left the office to somebody. */
  #gaveWayIn: number | undefined
  /** It was told who comes first should the leader be lost, and has not offered that one its vote since. */
  #mayOffer = false
  /** A late timer was given its grace already. */
  #graced = false

  constructor(node: RaftNode) {
    this.#node = node
  }

  start(now: number): void {
    this.#campaignAt = now + startDelayMs(this.#node)
  }

  deadline(): number {
    return this.#owed.size > 0 || this.#mayOffer ? Math.min(this.#campaignAt, this.#leaderDeadAt()) : this.#campaignAt
  }

  tick(now: number): void {
    const late = now - this.#leaderDeadAt()
    if (late >= 0) this.#speakUp(late <= this.#node.settings.timing.heartbeatMs)
    if (now < this.#campaignAt) return
    if (this.#isLate(now)) return
    this.#node.campaign(this.#node.leader === undefined ? 'no leader' : `${this.#node.leader} fell silent`, now)
  }

  /**
   * A timer that fires late means that this process slept, not that the leader did: what the leader sent meanwhile waits
   * in our sockets. One short grace lets the embedder read it first.
   */
  #isLate(now: number): boolean {
    const { heartbeatMs, rankStepMs } = this.#node.settings.timing
    if (this.#graced || now - this.#campaignAt <= heartbeatMs) return false
    this.#graced = true
    this.#campaignAt = now + Math.min(heartbeatMs, rankStepMs)
    return true
  }

  leaderIsAlive(now: number): boolean {
    return this.#node.leader !== undefined && now < this.#leaderDeadAt()
  }

  #leaderDeadAt(): number {
    return this.#heardAt + patienceMs(this.#node)
  }

  /** The next campaign is a whole round away: something was just tried or granted. */
  waitWithoutLeader(now: number): void {
    this.#waitUntil(now + retryDelayMs(this.#node))
  }

  /** Who has just left the office is the last one to ask for it again, unless its heir goes. */
  standBack(now: number): void {
    this.#gaveWayIn = this.#node.term
    this.#waitUntil(now + this.#node.settings.timing.electionTimeoutMs + turnMs(this.#node))
  }

  #waitUntil(at: number): void {
    this.#graced = false
    this.#campaignAt = this.#node.configurations.mayCampaign(this.#node.self) ? at : Infinity
  }

  persisted(_now: number): void {}

  reply(): void {}

  connected(_peer: NodeId, now: number): void {
    const node = this.#node
    if (!node.settings.staggered || node.leader !== undefined || this.#campaignAt === Infinity) return
    const reachable =
      majorityVote(node.membership.voters, (id) => id === node.self || node.connections.has(id)) === 'won'
    if (!reachable || awaitsOpening(node)) return
    // A group that has had terms may have a leader, which greets new connections at once: let it.
    const patience = node.term === 0 ? 0 : node.settings.timing.heartbeatMs
    this.#campaignAt = Math.min(this.#campaignAt, now + patience + turnMs(node))
  }

  disconnected(peer: NodeId, now: number): void {
    const node = this.#node
    if (!node.settings.staggered) return
    // Whoever was to open the first term, or took over from us, is gone before it was heard.
    const isAwaited = isUnopened(node) || (this.#gaveWayIn === node.term && node.termLeader === undefined)
    if (peer === node.votedFor && isAwaited) this.#campaignAt = Math.min(this.#campaignAt, now + turnMs(node))
    if (peer !== node.leader) return
    node.setLeader(undefined)
    // Should it come back, the time without a connection says nothing about its heartbeats.
    this.#heartbeatAt = undefined
    if (node.configurations.mayCampaign(node.self)) this.#campaignAt = now + turnMs(node)
    this.#speakUp(true)
  }

  owePreVote(from: NodeId, request: PreVote): void {
    if (this.#node.configurations.isMember(from)) this.#owed.set(from, request)
  }

  /** The leader is lost, which its heir is to know; unless a timer was late, since then it is us who slept. */
  #speakUp(isOnTime: boolean): void {
    const { offers } = this.#node
    const heir = isOnTime && this.#mayOffer ? offers.heir(this.#node) : undefined
    // Who has asked already gets that answer.
    if (heir !== undefined && !this.#owed.has(heir)) offers.make(this.#node, heir)
    this.#mayOffer = false
    this.#grantOwed()
  }

  #grantOwed(): void {
    const node = this.#node
    for (const [from, request] of this.#owed) {
      if (!couldVote(node, from, request)) continue
      node.reply(from, { type: 'pre-vote-reply', term: node.term, round: request.round, granted: true })
    }
    this.#owed.clear()
  }

  /** From the leader of the current term. */
  hear(from: NodeId, message: LeaderMessage, now: number): void {
    if (message.type === 'heartbeat') {
      this.#measure(message.term, now)
      // Before the next campaign is planned: what the newest heartbeat says counts at once.
      this.#node.waitMs = allowedWaitMs(this.#node, message.waitMs)
      this.#node.offers.beat(message)
      this.#mayOffer = message.heir > 0 && this.#node.settings.staggered
    }
    this.#contact(now)
    switch (message.type) {
      case 'append':
        this.#append(from, message)
        break
      case 'heartbeat':
        this.#learnCommit(message.commit)
        this.#node.reply(from, { type: 'heartbeat-reply', term: message.term, seq: message.seq, match: this.#match })
        break
      case 'commit':
        this.#learnCommit(message.commit)
        break
      case 'transfer':
        this.#takeOver(from, message, now)
        break
    }
  }

  #measure(term: number, now: number): void {
    const { configurations, suspicion, self } = this.#node
    const before = this.#matchTerm === term && configurations.isVoter(self) ? this.#heartbeatAt : undefined
    if (before !== undefined && before >= this.#node.wokeAt) suspicion.observe(now - before)
    this.#heartbeatAt = now
  }

  #contact(now: number): void {
    const node = this.#node
    if (this.#matchTerm !== node.term) {
      this.#matchTerm = node.term
      this.#heartbeatAt = undefined
      this.#match = 0
      this.#leaderCommit = 0
    }
    this.#heardAt = now
    this.#graced = false
    node.failedRounds = 0
    if (this.#owed.size > 0) this.#owed.clear()
    this.#campaignAt = now + suspectDelayMs(node)
  }

  #append(from: NodeId, message: Append): void {
    const node = this.#node
    const { term } = message
    const { prevIndex, prevTerm, entries } = reachingBeyond(node.log.base, message)
    if (node.log.termAt(prevIndex) !== prevTerm) {
      const hintIndex = node.log.lastOfTermAtMost(Math.min(prevIndex, node.log.lastIndex), prevTerm)
      const hintTerm = node.log.termAt(hintIndex)!
      node.reply(from, { type: 'append-rejected', term, prevIndex: message.prevIndex, hintIndex, hintTerm })
      return
    }
    const problem = this.#take(entries)
    if (problem !== undefined) {
      node.anomaly(from, problem)
      return
    }
    // Only what this append covers: the log may go on with entries that the leader does not have (RAFT-HOLES 50).
    const match = prevIndex + entries.length
    if (match > this.#match) this.#match = match
    this.#learnCommit(message.commit)
    node.sendLater(from, { type: 'append-accepted', term, match })
  }

  /** Stores what is new; what conflicts with it goes. The reason why it must not, if any. */
  #take(entries: readonly Entry[]): string | undefined {
    const { log } = this.#node
    const start = entries.findIndex((entry) => log.termAt(entry.index) !== entry.term)
    if (start === -1) return undefined
    const first = entries[start]!
    if (first.index <= log.commit) return `would replace the committed entry ${first.index}`
    for (let i = start; i < entries.length; i++) {
      if (entries[i]!.type === 'membership' && !isMembership(entries[i]!))
        return `entry ${entries[i]!.index} is no membership`
    }
    if (first.index <= log.lastIndex) this.#node.truncate(first.index)
    for (let i = start; i < entries.length; i++) this.#node.append(entries[i]!)
    return undefined
  }

  /**
   * A whole snapshot has come, perhaps from somebody who has led before. What it covers has committed; whoever leads the present
   * term has it (leader completeness), so the acknowledgement is true for that leader, whoever sent the snapshot.
   */
  install(from: NodeId, snapshot: SnapshotMeta, now: number): void {
    const node = this.#node
    const { log, leader } = node
    if (from === leader) this.#contact(now)
    if (snapshot.index > log.commit) {
      // An entry that matches needs no snapshot, only the news that it has committed (etcd calls it fast-forward).
      if (log.termAt(snapshot.index) === snapshot.term) node.commitTo(snapshot.index)
      else node.replaceLog(snapshot)
    }
    if (leader === undefined) return
    if (log.commit > this.#match) this.#match = log.commit
    node.sendLater(leader, { type: 'append-accepted', term: node.term, match: log.commit })
  }

  #learnCommit(commit: number): void {
    if (commit > this.#leaderCommit) this.#leaderCommit = commit
    this.#node.commitTo(Math.min(this.#leaderCommit, this.#match))
  }

  /** The leader hands over. Without its last entry we could not win, so an outdated request is left to time out. */
  #takeOver(from: NodeId, message: Transfer, now: number): void {
    const node = this.#node
    const { lastIndex, lastTerm } = node.log
    if (message.lastIndex !== lastIndex || message.lastTerm !== lastTerm) return
    node.takeOver(from, now)
  }
}

/** What of an append is not gone here already. All before our log begins has committed, so it is the leader's as well. */
function reachingBeyond(base: LogPosition, append: Append): Pick<Append, 'prevIndex' | 'prevTerm' | 'entries'> {
  if (append.prevIndex >= base.index) return append
  const covered = base.index - append.prevIndex
  const prevTerm = append.entries[covered - 1]?.term ?? base.term
  return { prevIndex: base.index, prevTerm, entries: append.entries.slice(covered) }
}

function isMembership(entry: Entry): boolean {
  try {
    decodeMembership(entry.data)
    return true
  } catch (error) {
    if (error instanceof RaftMessageError) return false
    throw error
  }
}
