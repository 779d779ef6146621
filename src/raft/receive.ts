/**
 * Which messages are heard at all, and by which role.
 *
 * A message of an earlier term is not; an answer of a later term ends our own, if a member says so. Only one leader speaks in a
 * term: whoever else claims to is reported, not followed.
 */
import { invariant, unreachable } from '../core/invariant.ts'
import type { Append, Commit, Heartbeat, PreVoteReply, RaftMessage, Transfer } from './messages.ts'
import type { AppendAccepted, AppendRejected, HeartbeatReply, VoteReply } from './messages.ts'
import type { RaftNode } from './node.ts'
import { isCredible } from './term-jump.ts'
import type { NodeId } from './types.ts'
import { answerPreVote, answerVote } from './voting.ts'

/** Sent by a leader only. */
export type LeaderMessage = Append | Heartbeat | Commit | Transfer
/** Sent to a leader or a candidate, in the term of the question. */
export type ReplyMessage = VoteReply | AppendAccepted | AppendRejected | HeartbeatReply

export function receive(node: RaftNode, from: NodeId, message: RaftMessage, now: number): void {
  switch (message.type) {
    case 'pre-vote':
      answerPreVote(node, from, message, now)
      break
    case 'vote':
      answerVote(node, from, message, now)
      break
    case 'pre-vote-reply':
      preVoteReply(node, from, message, now)
      break
    case 'pre-vote-offer':
      node.offers.take(node, from, message, now)
      break
    case 'append':
    case 'heartbeat':
    case 'commit':
    case 'transfer':
      fromLeader(node, from, message, now)
      break
    case 'vote-reply':
    case 'append-accepted':
    case 'append-rejected':
    case 'heartbeat-reply':
      reply(node, from, message, now)
      break
    default:
      unreachable(message)
  }
}

function preVoteReply(node: RaftNode, from: NodeId, message: PreVoteReply, now: number): void {
  if (!message.granted && message.term > node.term) laterTerm(node, from, message.term, now)
  else if (node.role.name === 'pre-candidate') node.role.reply(from, message, now)
}

function reply(node: RaftNode, from: NodeId, message: ReplyMessage, now: number): void {
  if (message.term > node.term) laterTerm(node, from, message.term, now)
  else if (message.term === node.term && node.role.name !== 'pre-candidate') node.role.reply(from, message, now)
}

/** An answer from a later term; whoever is no member has no say in it (RAFT-HOLES 37). */
function laterTerm(node: RaftNode, from: NodeId, term: number, now: number): void {
  if (node.configurations.isMember(from) && isCredible(node, from, term))
    node.becomeFollower(term, undefined, `${from} is in term ${term}`, now)
}

function fromLeader(node: RaftNode, from: NodeId, message: LeaderMessage, now: number): void {
  if (message.term < node.term) {
    // The old leader learns that its time is over; without this it would go on until CheckQuorum.
    node.reply(from, { type: 'heartbeat-reply', term: node.term, seq: 0, match: 0 })
    return
  }
  if (!followLeader(node, from, message.term, now)) return
  invariant(node.role.name === 'follower', 'who hears a leader follows it')
  node.role.hear(from, message, now)
}

/** Follows whoever speaks as the leader of a term that is not over; false when that cannot be. */
export function followLeader(node: RaftNode, from: NodeId, term: number, now: number): boolean {
  if (term === node.term && node.termLeader !== undefined && node.termLeader !== from) {
    node.anomaly(from, `claims to lead term ${term}, which ${node.termLeader} leads`)
    return false
  }
  if (!isCredible(node, from, term)) return false
  if (term > node.term || node.leader !== from) {
    node.becomeFollower(term, from, `${from} leads term ${term}`, now)
  }
  return true
}
