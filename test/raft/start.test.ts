import { describe, expect, test } from 'vitest'
import { InvalidOptionError } from '../../src/core/errors.ts'
import { seededRandom } from '../../src/core/random.ts'
import { RaftMessageError, createRaft } from '../../src/raft/index.ts'
import type { Entry, RaftInit, SnapshotMeta } from '../../src/raft/index.ts'

const init: RaftInit = {
  self: 'n1',
  membership: { voters: ['n1', 'n2', 'n3'], outgoing: [], learners: [], learnersNext: [], autoLeave: false },
  hardState: { term: 2, votedFor: undefined },
  entries: [],
  timing: { heartbeatMs: 10, electionTimeoutMs: 100, rankStepMs: 10, jitterMs: 0 },
  random: seededRandom(1)
}

const snapshot: SnapshotMeta = { index: 3, term: 2, membership: init.membership, membershipIndex: 0 }

const entry = (index: number, term: number): Entry => ({ index, term, type: 'command', data: new Uint8Array() })

describe('what cannot be started from is refused with the rule that it breaks', () => {
  const refused: [string, Partial<RaftInit>, RegExp][] = [
    ['a log that does not begin at 1', { entries: [entry(2, 1)] }, /place 1 holds 2/],
    ['a log that does not reach its snapshot', { snapshot, entries: [entry(2, 1)] }, /entry 3@2 .* term none/],
    ['a log that contradicts its snapshot', { snapshot, entries: [entry(2, 1), entry(3, 1)] }, /3@2 .* term 1 there/],
    ['a log that begins behind its snapshot', { snapshot, entries: [entry(5, 2)] }, /begins at 4 or before; .* 5/],
    ['a snapshot ahead of the term', { snapshot: { ...snapshot, term: 3 } }, /2 and 3/],
    [
      'a snapshot without voters',
      { snapshot: { ...snapshot, membership: { ...init.membership, voters: [] } } },
      /no voters/
    ],
    ['a log with a gap', { entries: [entry(1, 1), entry(3, 1)] }, /place 2 holds 3/],
    ['terms that go down', { entries: [entry(1, 2), entry(2, 1)] }, /1 after 2/],
    ['an entry of term 0', { entries: [entry(1, 0)] }, /entry 1 has 0/],
    ['a log ahead of the term', { entries: [entry(1, 3)] }, /2 and 3/],
    ['no voters', { membership: { ...init.membership, voters: [] } }, /no voters/],
    [
      'a heartbeat that is not faster than the timeout',
      { timing: { ...init.timing, heartbeatMs: 100 } },
      /above heartbeatMs/
    ],
    ['a limit of 0', { limits: { inflightMax: 0 } }, /inflightMax is above 0/],
    [
      'initial data that fits into no entry',
      { firstEntryData: new Uint8Array(9), limits: { entryBytesMax: 8 } },
      /firstEntryData is at most 8/
    ],
    ['a timing that is no number', { timing: { ...init.timing, jitterMs: NaN } }, /jitterMs/]
  ]

  test.each(refused)('%s', (_, wrong, message) => {
    expect(() => createRaft({ ...init, ...wrong })).toThrow(InvalidOptionError)
    expect(() => createRaft({ ...init, ...wrong })).toThrow(message)
  })

  test('a stored membership that is none', () => {
    const entries: Entry[] = [{ index: 1, term: 1, type: 'membership', data: new Uint8Array([0xff]) }]
    expect(() => createRaft({ ...init, entries })).toThrow(RaftMessageError)
  })
})

describe('the rank before any leader has assigned one', () => {
  const firstCall = (self: string, more: Partial<RaftInit> = {}): number | undefined =>
    createRaft({ ...init, hardState: { term: 0, votedFor: undefined }, ...more, self }).start(0).deadline

  test('is the place among the voters', () => {
    expect(['n1', 'n2', 'n3'].map((self) => firstCall(self))).toEqual([0, 10, 20])
  })

  test('is what the embedder says', () => {
    expect(firstCall('n3', { rank: 0 })).toBe(0)
  })

  test('gives somebody who may lead already two heartbeats to say so', () => {
    expect(firstCall('n2', { hardState: { term: 1, votedFor: undefined } })).toBe(30)
  })
})
