/**
 * What travels between the members of one group, and how it looks as CBOR.
 *
 * Every message is an array whose first item names its kind and whose second is a term; docs/protocol/raft.md has the
 * CDDL. The envelope around it (cluster, generation, sender, receiver) belongs to the transport: the core is told `from`
 * by whoever authenticated the connection, and no message repeats it.
 *
 * The decoder is strict: exact lengths, terms and indexes from 0 to 2^53 - 1, counts bounded before anything is kept, an
 * append whose entries could be in no log is refused. Its only error is RaftMessageError.
 */
import { decodeCbor, encodeCbor } from '../core/cbor.ts'
import type { CborValue } from '../core/cbor.ts'
import { unreachable } from '../core/invariant.ts'
import { Fields, MEMBERS_MAX, RaftMessageError } from './fields.ts'
import type { Entry, EntryType, Membership } from './types.ts'

export { MEMBERS_MAX, NODE_ID_LENGTH_MAX, RaftMessageError } from './fields.ts'

/** "Would you vote for me?" Changes nothing at the receiver, so it may be asked at any time. */
export interface PreVote {
  readonly type: 'pre-vote'
  /** The term in which the sender would campaign; nobody is in it yet. */
  readonly nextTerm: number
  /** Echoed by the answer: an answer to an earlier round never counts (RAFT-HOLES 4). */
  readonly round: number
  readonly lastIndex: number
  readonly lastTerm: number
}

export interface PreVoteReply {
  readonly type: 'pre-vote-reply'
  /** The term of the one that answers: a pre-candidate that is behind learns it from a refusal. */
  readonly term: number
  readonly round: number
  readonly granted: boolean
}

/** "I would vote for you", unasked: the sender has lost the leader, which had named the receiver as the one to campaign first. */
export interface PreVoteOffer {
  readonly type: 'pre-vote-offer'
  /** The term after the sender's. */
  readonly nextTerm: number
  /** Where the sender's log ends: it would vote for a log that is not behind this one. */
  readonly lastIndex: number
  readonly lastTerm: number
  /** The newest heartbeat that the sender has heard in its term. */
  readonly seq: number
}

export interface Vote {
  readonly type: 'vote'
  readonly term: number
  readonly lastIndex: number
  readonly lastTerm: number
  /** The leader itself asked for this election, so having a leader is no reason to refuse. */
  readonly transfer: boolean
}

export interface VoteReply {
  readonly type: 'vote-reply'
  readonly term: number
  readonly granted: boolean
}

/** The entries after (prevIndex, prevTerm); none when the leader only wants to know whether that point matches. */
export interface Append {
  readonly type: 'append'
  readonly term: number
  readonly prevIndex: number
  readonly prevTerm: number
  readonly commit: number
  readonly entries: readonly Entry[]
}

/** The log agrees with the leader's up to `match`, durably. */
export interface AppendAccepted {
  readonly type: 'append-accepted'
  readonly term: number
  readonly match: number
}

export interface AppendRejected {
  readonly type: 'append-rejected'
  readonly term: number
  /** The `prevIndex` that did not match: names the append that this answers. */
  readonly prevIndex: number
  /** The last place at which the logs can still agree, and the term of the entry there. */
  readonly hintIndex: number
  readonly hintTerm: number
}

export interface Heartbeat {
  readonly type: 'heartbeat'
  readonly term: number
  /** Never above what the receiver has acknowledged. */
  readonly commit: number
  /** Rising within a term; confirms reads and measures round trips. */
  readonly seq: number
  /** How long the receiver lets others campaign first if the leader is lost, ms; 0: nobody comes before it. */
  readonly waitMs: number
  /** Who campaigns first: its place among all that vote (sorted ids), from 1; 0: nobody could. */
  readonly heir: number
}

export interface HeartbeatReply {
  readonly type: 'heartbeat-reply'
  readonly term: number
  readonly seq: number
  /** Up to where the receiver knows its log to be the leader's: lower than before when it was restarted. */
  readonly match: number
}

/** The commit index has moved. Wants no answer; its loss is repaired by the next heartbeat. */
export interface Commit {
  readonly type: 'commit'
  readonly term: number
  readonly commit: number
}

/** "Campaign now": the leader hands over to a voter that holds its whole log. Its vote follows as a `vote-reply`. */
export interface Transfer {
  readonly type: 'transfer'
  readonly term: number
  readonly lastIndex: number
  readonly lastTerm: number
}

export type RaftMessage =
  | PreVote
  | PreVoteReply
  | PreVoteOffer
  | Vote
  | VoteReply
  | Append
  | AppendAccepted
  | AppendRejected
  | Heartbeat
  | HeartbeatReply
  | Commit
  | Transfer

/** Entries in one append that the decoder accepts, whatever the sender's own limit is. */
export const MESSAGE_ENTRIES_MAX = 4096
const PRE_VOTE = 1
const PRE_VOTE_REPLY = 2
const VOTE = 3
const VOTE_REPLY = 4
export const APPEND = 5
export const APPEND_ACCEPTED = 6
const APPEND_REJECTED = 7
export const HEARTBEAT = 8
export const HEARTBEAT_REPLY = 9
export const COMMIT = 10
const TRANSFER = 11
const PRE_VOTE_OFFER = 12

const ENTRY_TYPES: readonly EntryType[] = ['noop', 'membership', 'command']

/** The number that stands for an entry type on the wire and on disk. */
export const entryTypeCode = (type: EntryType): number => ENTRY_TYPES.indexOf(type)

/** Undefined for a number that stands for no entry type. */
export const entryTypeOf = (code: number): EntryType | undefined => ENTRY_TYPES[code]

export function encodeRaftMessage(message: RaftMessage): CborValue {
  const m = message
  switch (m.type) {
    case 'pre-vote':
      return [PRE_VOTE, m.nextTerm, m.round, m.lastIndex, m.lastTerm]
    case 'pre-vote-reply':
      return [PRE_VOTE_REPLY, m.term, m.round, m.granted]
    case 'pre-vote-offer':
      return [PRE_VOTE_OFFER, m.nextTerm, m.lastIndex, m.lastTerm, m.seq]
    case 'vote':
      return [VOTE, m.term, m.lastIndex, m.lastTerm, m.transfer]
    case 'vote-reply':
      return [VOTE_REPLY, m.term, m.granted]
    case 'append':
      return [APPEND, m.term, m.prevIndex, m.prevTerm, m.commit, m.entries.map(encodeEntry)]
    case 'append-accepted':
      return [APPEND_ACCEPTED, m.term, m.match]
    case 'append-rejected':
      return [APPEND_REJECTED, m.term, m.prevIndex, m.hintIndex, m.hintTerm]
    case 'heartbeat':
      return [HEARTBEAT, m.term, m.commit, m.seq, m.waitMs, m.heir]
    case 'heartbeat-reply':
      return [HEARTBEAT_REPLY, m.term, m.seq, m.match]
    case 'commit':
      return [COMMIT, m.term, m.commit]
    case 'transfer':
      return [TRANSFER, m.term, m.lastIndex, m.lastTerm]
    default:
      return unreachable(m)
  }
}

/** Its index follows from its place in the append. */
const encodeEntry = (entry: Entry): CborValue => [entry.term, entryTypeCode(entry.type), entry.data]

export function decodeRaftMessage(value: CborValue): RaftMessage {
  const fields = new Fields(value)
  const message = readMessage(fields)
  fields.end()
  return message
}

function readMessage(f: Fields): RaftMessage {
  const kind = f.number('kind')
  switch (kind) {
    case PRE_VOTE:
      return {
        type: 'pre-vote',
        nextTerm: f.positive('nextTerm'),
        round: f.number('round'),
        lastIndex: f.number('lastIndex'),
        lastTerm: f.number('lastTerm')
      }
    case PRE_VOTE_REPLY:
      return { type: 'pre-vote-reply', term: f.number('term'), round: f.number('round'), granted: f.boolean('granted') }
    case PRE_VOTE_OFFER:
      return {
        type: 'pre-vote-offer',
        nextTerm: f.positive('nextTerm'),
        lastIndex: f.number('lastIndex'),
        lastTerm: f.number('lastTerm'),
        seq: f.number('seq')
      }
    case VOTE:
      return {
        type: 'vote',
        term: f.positive('term'),
        lastIndex: f.number('lastIndex'),
        lastTerm: f.number('lastTerm'),
        transfer: f.boolean('transfer')
      }
    case VOTE_REPLY:
      return { type: 'vote-reply', term: f.positive('term'), granted: f.boolean('granted') }
    case APPEND:
      return readAppend(f)
    case APPEND_ACCEPTED:
      return { type: 'append-accepted', term: f.positive('term'), match: f.number('match') }
    case APPEND_REJECTED:
      return {
        type: 'append-rejected',
        term: f.positive('term'),
        prevIndex: f.number('prevIndex'),
        hintIndex: f.number('hintIndex'),
        hintTerm: f.number('hintTerm')
      }
    case HEARTBEAT:
      return {
        type: 'heartbeat',
        term: f.positive('term'),
        commit: f.number('commit'),
        seq: f.number('seq'),
        waitMs: f.number('waitMs'),
        heir: f.number('heir')
      }
    case HEARTBEAT_REPLY:
      return { type: 'heartbeat-reply', term: f.positive('term'), seq: f.number('seq'), match: f.number('match') }
    case COMMIT:
      return { type: 'commit', term: f.positive('term'), commit: f.number('commit') }
    case TRANSFER:
      return {
        type: 'transfer',
        term: f.positive('term'),
        lastIndex: f.number('lastIndex'),
        lastTerm: f.number('lastTerm')
      }
    default:
      throw new RaftMessageError(`no raft message has the kind ${kind}`, { details: { kind } })
  }
}

function readAppend(f: Fields): Append {
  const term = f.positive('term')
  const prevIndex = f.number('prevIndex')
  const prevTerm = f.number('prevTerm')
  const commit = f.number('commit')
  const items = f.array('entries', MESSAGE_ENTRIES_MAX)
  if (prevIndex + items.length > Number.MAX_SAFE_INTEGER)
    throw new RaftMessageError('entries reach beyond index 2^53 - 1')
  if (prevTerm > term) throw new RaftMessageError('an append names an entry of a later term than its own')
  if ((prevIndex === 0) !== (prevTerm === 0)) throw new RaftMessageError('only index 0 has term 0')
  const entries: Entry[] = []
  let least = Math.max(prevTerm, 1)
  for (const item of items) {
    const entry = readEntry(item, prevIndex + entries.length + 1)
    if (entry.term < least || entry.term > term)
      throw new RaftMessageError('terms of entries go back or exceed the message')
    least = entry.term
    entries.push(entry)
  }
  return { type: 'append', term, prevIndex, prevTerm, commit, entries }
}

function readEntry(value: CborValue, index: number): Entry {
  const f = new Fields(value)
  const term = f.positive('entry term')
  const code = f.number('entry type')
  const data = f.bytes('entry data')
  f.end()
  const type = entryTypeOf(code)
  if (type === undefined) throw new RaftMessageError(`no entry has the type ${code}`, { details: { code } })
  if (type === 'membership') decodeMembership(data)
  return { index, term, type, data }
}

/** The data of a `membership` entry. */
export function encodeMembership(membership: Membership): Uint8Array<ArrayBuffer> {
  const { voters, outgoing, learners, learnersNext, autoLeave } = membership
  return encodeCbor([voters, outgoing, learners, learnersNext, autoLeave])
}

/** Checks form, order and disjointness, so that what comes out can be put in force. Throws RaftMessageError. */
export function decodeMembership(data: Uint8Array): Membership {
  const f = new Fields(cborOf(data))
  const membership: Membership = {
    voters: f.nodeIds('voters'),
    outgoing: f.nodeIds('outgoing'),
    learners: f.nodeIds('learners'),
    learnersNext: f.nodeIds('learnersNext'),
    autoLeave: f.boolean('autoLeave')
  }
  f.end()
  const wrong = membershipProblem(membership)
  if (wrong !== undefined) throw new RaftMessageError(wrong)
  return membership
}

/** One sentence about the first rule that a membership breaks; undefined when it can be put in force. */
export function membershipProblem(m: Membership): string | undefined {
  if (m.voters.length === 0) return 'a membership has no voters'
  const voting = new Set([...m.voters, ...m.outgoing])
  if (m.learners.some((id) => voting.has(id))) return 'a member both votes and learns'
  if (m.learnersNext.some((id) => !m.outgoing.includes(id) || m.voters.includes(id))) {
    return 'a next learner is no leaving voter'
  }
  if (m.outgoing.length === 0 && m.autoLeave) return 'there is no joint configuration to leave'
  return undefined
}

function cborOf(data: Uint8Array): CborValue {
  try {
    return decodeCbor(data, { depthMax: 3, itemsMax: 4 * MEMBERS_MAX + 8 })
  } catch (cause) {
    throw new RaftMessageError('a membership entry is not deterministic CBOR', { cause })
  }
}
