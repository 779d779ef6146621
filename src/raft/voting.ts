/**
 * How any role answers "would you vote for me?" and "vote for me!".
 *
 * The whole answer is one synchronous look at term, vote, log and leader, so nothing can slip between the check and the
 * grant (RAFT-HOLES 16). A pre-vote changes nothing here; a vote is granted only after its record is durable.
 *
 * Two kinds of candidates are not heard at all, and above all do not raise our term: one that asks while our leader is
 * alive (dissertation section 4.2.3), and one that is no member and whose log is not strictly ahead of ours. The second
 * rule silences removed members, yet a new member that we have not heard of can win: it holds the entry that admitted it,
 * which we lack, so its log is ahead (RAFT-HOLES 32, 37).
 */
import type { PreVote, Vote } from './messages.ts'
import type { RaftNode } from './node.ts'
import { isCredible } from './term-jump.ts'
import type { NodeId } from './types.ts'

export function answerPreVote(node: RaftNode, from: NodeId, request: PreVote, now: number): void {
  if (isStranger(node, from, request)) return
  const answer = (granted: boolean): void =>
    node.reply(from, { type: 'pre-vote-reply', term: node.term, round: request.round, granted })
  if (!couldVote(node, from, request)) answer(false)
  else if (!hasLiveLeader(node, from, now)) answer(true)
  else {
    answer(false)
    if (node.role.name === 'follower') node.role.owePreVote(from, request)
  }
}

/** As far as term, vote and log go. Asked again when the leader is lost. */
export function couldVote(node: RaftNode, from: NodeId, request: PreVote): boolean {
  if (request.nextTerm < node.term) return false
  if (request.nextTerm === node.term && !voteIsFree(node, from)) return false
  return node.log.isUpToDate(request.lastIndex, request.lastTerm)
}

export function answerVote(node: RaftNode, from: NodeId, request: Vote, now: number): void {
  if (isStranger(node, from, request)) return
  if (request.term < node.term) {
    node.reply(from, { type: 'vote-reply', term: node.term, granted: false })
    return
  }
  if (node.settings.checkQuorum && !request.transfer && hasLiveLeader(node, from, now)) return
  if (!isCredible(node, from, request.term)) return
  if (request.term > node.term)
    node.becomeFollower(request.term, undefined, `${from} campaigns in term ${request.term}`, now)
  const granted = voteIsFree(node, from) && node.log.isUpToDate(request.lastIndex, request.lastTerm)
  if (granted) {
    if (node.role.name === 'pre-candidate') node.becomeFollower(node.term, undefined, `votes for ${from}`, now)
    node.disk.vote(from)
    // Only a granted vote quiets the own campaign: resetting on every request lets a hopeless candidate silence all (RAFT-HOLES 20).
    if (node.role.name === 'follower') node.role.waitWithoutLeader(now)
  }
  node.sendLater(from, { type: 'vote-reply', term: node.term, granted })
}

/** A repeated request of the same candidate is granted again: the first answer may have been lost (RAFT-HOLES 15). */
function voteIsFree(node: RaftNode, candidate: NodeId): boolean {
  return node.votedFor === candidate || (node.votedFor === undefined && node.termLeader === undefined)
}

/** A leader that campaigns has left its office, so it does not stand in its own way (RAFT-HOLES 10). */
function hasLiveLeader(node: RaftNode, from: NodeId, now: number): boolean {
  if (node.role.name === 'leader') return true
  return node.role.name === 'follower' && node.leader !== from && node.role.leaderIsAlive(now)
}

function isStranger(node: RaftNode, from: NodeId, request: { lastIndex: number; lastTerm: number }): boolean {
  if (node.configurations.isMember(from)) return false
  const { lastIndex, lastTerm } = node.log
  return request.lastTerm < lastTerm || (request.lastTerm === lastTerm && request.lastIndex <= lastIndex)
}
