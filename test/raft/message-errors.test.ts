/** What the decoder says about a message that is none: which field is wrong, and what to do. */
import { describe, expect, test } from 'vitest'
import { encodeCbor, type CborValue } from '../../src/core/cbor.ts'
import { decodeMembership, decodeRaftMessage, encodeRaftMessage, RaftMessageError } from '../../src/raft/index.ts'
import type { RaftMessage } from '../../src/raft/index.ts'
import { MEMBERS_MAX } from '../../src/raft/messages.ts'
import { log } from './member.ts'

const entries = log(1)
const place = { lastIndex: 3, lastTerm: 1 }
/** Each message, and the names of its fields in their order. */
const MESSAGES: readonly (readonly [RaftMessage, string])[] = [
  [{ type: 'pre-vote', nextTerm: 2, round: 1, ...place }, 'nextTerm round lastIndex lastTerm'],
  [{ type: 'pre-vote-reply', term: 2, round: 1, granted: true }, 'term round granted'],
  [{ type: 'pre-vote-offer', nextTerm: 2, ...place, seq: 1 }, 'nextTerm lastIndex lastTerm seq'],
  [{ type: 'vote', term: 2, ...place, transfer: false }, 'term lastIndex lastTerm transfer'],
  [{ type: 'vote-reply', term: 2, granted: true }, 'term granted'],
  [
    { type: 'append', term: 2, prevIndex: 1, prevTerm: 1, commit: 1, entries },
    'term prevIndex prevTerm commit entries'
  ],
  [{ type: 'append-accepted', term: 2, match: 1 }, 'term match'],
  [{ type: 'append-rejected', term: 2, prevIndex: 1, hintIndex: 1, hintTerm: 1 }, 'term prevIndex hintIndex hintTerm'],
  [{ type: 'heartbeat', term: 2, commit: 1, seq: 1, waitMs: 1, heir: 1 }, 'term commit seq waitMs heir'],
  [{ type: 'heartbeat-reply', term: 2, seq: 1, match: 1 }, 'term seq match'],
  [{ type: 'commit', term: 2, commit: 1 }, 'term commit'],
  [{ type: 'transfer', term: 2, ...place }, 'term lastIndex lastTerm']
]

function errorOf(decode: () => unknown): RaftMessageError {
  try {
    decode()
  } catch (error) {
    if (error instanceof RaftMessageError) return error
    throw error
  }
  throw new Error('it was understood')
}
const messageError = (value: CborValue): RaftMessageError => errorOf(() => decodeRaftMessage(value))
const membershipError = (value: CborValue): string => errorOf(() => decodeMembership(encodeCbor(value))).message

describe('an error', () => {
  test.each(MESSAGES)('names the field of $type that is wrong', (message, names) => {
    const fields = encodeRaftMessage(message) as readonly CborValue[]
    for (const [i, field] of ['kind', ...names.split(' ')].entries()) {
      for (const junk of [null, -1]) {
        const error = messageError(fields.with(i, junk))
        expect(error.message.split(' is ')[0]).toBe(field)
        expect(error.details).toEqual({ field })
      }
    }
  })

  test('has a name, a code and a next step', () => {
    expect(messageError(7)).toMatchObject({
      name: 'RaftMessageError',
      code: 'ERR_RAFT_MESSAGE',
      message: expect.stringContaining('a raft message is an array'),
      nextStep: 'Close the stream: the peer speaks another protocol version or is broken.'
    })
  })

  test('says that a number is negative or missing, a term 0, a kind unknown', () => {
    expect(messageError([10, -1, 1]).message).toBe('term is not an integer from 0 to 2^53 - 1')
    expect(messageError([10, 0, 1])).toMatchObject({ message: 'term is 0', details: { field: 'term' } })
    expect(messageError([13])).toMatchObject({ message: 'no raft message has the kind 13', details: { kind: 13 } })
  })

  test('names the field of an entry', () => {
    const data = new Uint8Array()
    const of = (entry: CborValue): RaftMessageError => messageError([5, 2, 1, 1, 1, [entry]])
    expect(of([null, 2, data]).details).toEqual({ field: 'entry term' })
    expect(of([1, 2, null]).message).toBe('entry data is not a byte string')
    expect(of([1, null, data]).details).toEqual({ field: 'entry type' })
    expect(of([1, 2, null]).details).toEqual({ field: 'entry data' })
    expect(of([1, 9, data])).toMatchObject({ message: 'no entry has the type 9', details: { code: 9 } })
    expect(of([1, 2, data, 1]).message).toBe('4 fields where 3 belong')
  })

  test('says what is wrong with a membership', () => {
    const good: readonly CborValue[] = [['a'], [], [], [], false]
    expect(decodeMembership(encodeCbor(good))).toMatchObject({ voters: ['a'], autoLeave: false })
    for (const [i, field] of ['voters', 'outgoing', 'learners', 'learnersNext', 'autoLeave'].entries()) {
      expect(membershipError(good.with(i, 1))).toMatch(new RegExp(`^${field} is `))
    }
    expect(membershipError([...good, 1])).toBe('6 fields where 5 belong')
    expect(membershipError([['a'], [], ['a'], [], false])).toBe('a member both votes and learns')
    expect(membershipError([['a'], [], [], ['b'], false])).toBe('a next learner is no leaving voter')
    expect(membershipError([['a'], [], [], [], true])).toBe('there is no joint configuration to leave')
    const { message, cause } = errorOf(() => decodeMembership(new Uint8Array([0xff])))
    expect([message, cause]).toEqual(['a membership entry is not deterministic CBOR', expect.any(Error)])
  })

  test('says what is wrong with a list of members', () => {
    const of = (voters: CborValue): RaftMessageError =>
      errorOf(() => decodeMembership(encodeCbor([voters, [], [], [], false])))
    const details = { field: 'voters' }
    for (const ids of [
      ['b', 'a'],
      ['a', 'a']
    ])
      expect(of(ids)).toMatchObject({ message: 'voters is not sorted', details })
    for (const id of ['', 'x'.repeat(257), 7]) {
      expect(of([id])).toMatchObject({ message: 'voters holds something that is no node id', details })
    }
    const many = Array.from({ length: MEMBERS_MAX + 1 }, (_, i) => `x${String(i).padStart(4, '0')}`)
    expect(of(many)).toMatchObject({ message: `voters has more than ${MEMBERS_MAX} items`, details })
    for (const id of ['A', 'x'.repeat(256)]) {
      expect(decodeMembership(encodeCbor([[id], [], [], [], false])).voters).toEqual([id])
    }
  })

  test('does not come while every list is as long as it may be', () => {
    const list = (name: string): string[] =>
      Array.from({ length: MEMBERS_MAX }, (_, i) => `${name}${String(i).padStart(4, '0')}`)
    const full = [list('v'), list('o'), list('l'), list('o'), true]
    expect(decodeMembership(encodeCbor(full)).learners).toHaveLength(MEMBERS_MAX)
  })

  test('comes when entries would reach beyond the last index there can be, and not before', () => {
    const last = Number.MAX_SAFE_INTEGER
    const item: CborValue = [1, 2, new Uint8Array()]
    expect(messageError([5, 1, last, 1, 1, [item]]).message).toBe('entries reach beyond index 2^53 - 1')
    expect(decodeRaftMessage([5, 1, last - 1, 1, 1, [item]])).toMatchObject({ entries: [{ index: last }] })
  })
})
