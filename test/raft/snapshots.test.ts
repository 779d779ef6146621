/** What a snapshot does to one member, told step by step, with a disk that confirms when the test says so. */
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { seededRandom } from '../../src/core/random.ts'
import { createRaft, encodeMembership } from '../../src/raft/index.ts'
import type { Entry, Membership, Raft, RaftEffects, RaftInit, RaftMessage, SnapshotMeta } from '../../src/raft/index.ts'
import { emptyState } from './embedder.ts'
import { TIMING } from './member.ts'

const members = (...voters: readonly string[]): Membership => ({
  voters,
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false
})
const THREE = members('n1', 'n2', 'n3')
const entry = (index: number, term: number): Entry => ({ index, term, type: 'command', data: utf8(`${index}`) })
const snapshotAt = (index: number, term: number): SnapshotMeta => ({ ...emptyState(THREE), index, term })

function started(init: Partial<RaftInit> = {}): Raft {
  const raft = createRaft({
    self: 'n1',
    membership: THREE,
    hardState: { term: 2, votedFor: undefined },
    entries: [],
    timing: TIMING,
    random: seededRandom('snapshots'),
    ...init
  })
  raft.start(0)
  return raft
}

const append = (prevIndex: number, prevTerm: number, entries: readonly Entry[], commit = 0): RaftMessage => ({
  type: 'append',
  term: 2,
  prevIndex,
  prevTerm,
  commit,
  entries
})
const from = (raft: Raft, peer: string, message: RaftMessage) => raft.step({ type: 'message', from: peer, message }, 1)
const install = (raft: Raft, snapshot: SnapshotMeta, term = 2, peer = 'n2') =>
  raft.step({ type: 'install', from: peer, term, snapshot }, 1)
const persisted = (raft: Raft, write: number) => raft.step({ type: 'persisted', write }, 1)
/** Late, so it listens for a moment before it campaigns. */
function campaign(raft: Raft): RaftEffects {
  raft.step({ type: 'tick' }, 490)
  return raft.step({ type: 'tick' }, 500)
}
const accepted = (match: number) => ({ to: 'n2', message: { type: 'append-accepted', term: 2, match } })

describe('a snapshot that replaces the log', () => {
  test('is restored and acknowledged when its own write is durable, whatever earlier writes are confirmed', () => {
    const raft = started()
    from(raft, 'n2', append(0, 0, [entry(1, 1)], 1))
    from(
      raft,
      'n2',
      append(
        1,
        1,
        [2, 3, 4, 5, 6].map((index) => entry(index, 1))
      )
    )
    const taken = install(raft, snapshotAt(4, 2))
    expect(taken.write).toEqual({ id: 3, snapshot: { index: 4, term: 2 } })
    expect([taken.send, taken.sendAfter, taken.sendAfterWrite]).toEqual([[], [accepted(4)], 3])
    expect(raft.status()).toMatchObject({ firstIndex: 5, lastIndex: 4, commitIndex: 4, snapshotIndex: 0 })
    // What its disk holds is not what its log says: nothing can be said of it.
    expect(raft.status().durable).toBeUndefined()
    // Entries 1 to 6 as they were: none of them is what the log says now.
    for (const write of [1, 2]) expect(persisted(raft, write)).toMatchObject({ restored: undefined, committed: [] })
    expect(persisted(raft, 3)).toMatchObject({ restored: snapshotAt(4, 2), committed: [] })
    expect(raft.status()).toMatchObject({ snapshotIndex: 4, durable: { lastIndex: 4 } })
  })

  test('lets the entries behind it out after it, though their own writes are confirmed together', () => {
    const raft = started()
    install(raft, snapshotAt(4, 2))
    from(raft, 'n2', append(4, 2, [entry(5, 2)], 5))
    expect(persisted(raft, 2)).toMatchObject({ restored: snapshotAt(4, 2), committed: [entry(5, 2)] })
  })

  test('gives way to a newer one that comes before it is durable', () => {
    const raft = started()
    install(raft, snapshotAt(4, 2))
    install(raft, snapshotAt(9, 2))
    expect(persisted(raft, 1).restored).toBeUndefined()
    expect(persisted(raft, 2).restored).toEqual(snapshotAt(9, 2))
  })

  test('makes whoever has it unable to win before it is durable', () => {
    const raft = started({ preVote: false, checkQuorum: false })
    install(raft, snapshotAt(4, 2))
    const effects = raft.step({ type: 'tick' }, 105)
    expect(effects.write?.hardState).toEqual({ term: 3, votedFor: 'n1' })
    expect(effects.send).toEqual([])
    expect(effects.sendAfter.map(({ message }) => message.type)).toEqual(['vote', 'vote'])
  })

  test('answers who waited for an entry that it covers, and that had committed', () => {
    const raft = started({ preVote: false, checkQuorum: false, membership: members('n1', 'n2', 'n3') })
    campaign(raft)
    persisted(raft, 1)
    from(raft, 'n2', { type: 'vote-reply', term: 3, granted: true })
    raft.step({ type: 'propose', ref: 7, data: utf8('x') }, 501)
    for (const peer of ['n2', 'n3']) from(raft, peer, { type: 'append-accepted', term: 3, match: 2 })
    // Committed by the others; our own disk is slow, and the next leader is far ahead.
    expect(raft.status().commitIndex).toBe(2)
    const taken = install(raft, { ...snapshotAt(9, 4) }, 4)
    expect(taken.outcomes).toEqual([{ type: 'committed', ref: 7, index: 2, term: 3 }])
    expect(taken.write).toMatchObject({ hardState: { term: 4 }, snapshot: { index: 9, term: 4 } })
  })
})

describe('a snapshot that is no news', () => {
  test('only moves the commit index where the log holds its last entry, with all that is behind it', () => {
    const raft = started()
    from(raft, 'n2', append(0, 0, [entry(1, 1), entry(2, 2), entry(3, 2)]))
    persisted(raft, 1)
    const taken = install(raft, snapshotAt(2, 2))
    expect(taken).toMatchObject({ write: undefined, restored: undefined, committed: [entry(1, 1), entry(2, 2)] })
    expect(taken.send).toEqual([accepted(2)])
    expect(raft.status()).toMatchObject({ lastIndex: 3, commitIndex: 2, snapshotIndex: 0 })
  })

  test('is answered with what has committed here, and changes nothing', () => {
    const raft = started()
    from(raft, 'n2', append(0, 0, [entry(1, 1), entry(2, 2), entry(3, 2)], 2))
    persisted(raft, 1)
    const taken = install(raft, snapshotAt(1, 1))
    expect([taken.write, taken.restored, taken.send]).toEqual([undefined, undefined, [accepted(2)]])
  })

  test('that was our own and is older than one that came meanwhile cuts nothing', () => {
    const raft = started()
    from(raft, 'n2', append(0, 0, [entry(1, 1), entry(2, 2)], 2))
    persisted(raft, 1)
    install(raft, snapshotAt(9, 2))
    expect(raft.step({ type: 'snapshotted', index: 2 }, 1).write).toBeUndefined()
    persisted(raft, 2)
    expect(raft.step({ type: 'snapshotted', index: 2 }, 1).write).toBeUndefined()
    expect(raft.status()).toMatchObject({ firstIndex: 10, snapshotIndex: 9 })
  })
})

describe('who sends a snapshot', () => {
  test('is not heard when it contradicts itself, or somebody else leads its term', () => {
    const raft = started()
    from(raft, 'n2', append(0, 0, []))
    for (const [snapshot, term, peer] of [
      [snapshotAt(4, 3), 2, 'n2'],
      [{ ...snapshotAt(4, 2), membershipIndex: 5 }, 2, 'n2'],
      [snapshotAt(4, 2), 2, 'n3']
    ] as const) {
      const effects = install(raft, snapshot, term, peer)
      expect(effects.events.map(({ type }) => type)).toEqual(['anomaly'])
      expect(effects.write).toBeUndefined()
    }
  })

  test('of an earlier term moves no candidate and no leader', () => {
    const raft = started({ preVote: false, checkQuorum: false })
    campaign(raft)
    expect(install(raft, snapshotAt(4, 2)).write).toBeUndefined()
    expect(raft.status()).toMatchObject({ role: 'candidate', lastIndex: 0 })
  })
})

describe('a leader whose log begins late', () => {
  /** Leads term 3 with entries 1 to 6, of which 1 to 4 are gone. */
  function leader(): Raft {
    const raft = started({
      preVote: false,
      checkQuorum: false,
      snapshot: snapshotAt(5, 2),
      entries: [entry(4, 2), entry(5, 2)]
    })
    campaign(raft)
    persisted(raft, 1)
    from(raft, 'n2', { type: 'vote-reply', term: 3, granted: true })
    persisted(raft, 2)
    expect(raft.status()).toMatchObject({ role: 'leader', firstIndex: 5, lastIndex: 6, commitIndex: 5 })
    return raft
  }
  const rejected = (prevIndex: number, hintIndex: number, hintTerm: number): RaftMessage => ({
    type: 'append-rejected',
    term: 3,
    prevIndex,
    hintIndex,
    hintTerm
  })
  const asks = (raft: Raft, message: RaftMessage) => from(raft, 'n3', message)

  test('asks for a snapshot once, for whoever agrees only where the log is gone', () => {
    const raft = leader()
    from(raft, 'n2', { type: 'append-accepted', term: 3, match: 5 })
    expect(asks(raft, rejected(5, 2, 1)).sendSnapshots).toEqual([{ to: 'n3', index: 5 }])
    for (const hint of [1, 3]) expect(asks(raft, rejected(5, hint, 1)).sendSnapshots).toEqual([])
    expect(raft.step({ type: 'propose', ref: 1, data: utf8('x') }, 502).send.map(({ to }) => to)).toEqual(['n2'])
  })

  test('finds out that it cannot know where the logs agree, when the hint names a term from before', () => {
    const raft = leader()
    expect(asks(raft, rejected(5, 5, 1)).send[0]?.message).toMatchObject({ type: 'append', prevIndex: 4, prevTerm: 2 })
    expect(asks(raft, rejected(4, 4, 1)).sendSnapshots).toEqual([{ to: 'n3', index: 5 }])
  })

  test('goes on with appends as soon as the follower can follow them, whatever became of the snapshot', () => {
    const raft = leader()
    asks(raft, rejected(5, 2, 1))
    expect(asks(raft, { type: 'append-accepted', term: 3, match: 3 }).send).toEqual([])
    const next = asks(raft, { type: 'append-accepted', term: 3, match: 4 })
    expect(next.send[0]?.message).toMatchObject({ type: 'append', prevIndex: 4, entries: [entry(5, 2), {}] })
    for (const type of ['snapshot-sent', 'snapshot-failed'] as const) {
      raft.step({ type, peer: 'n3', index: 5 }, 502)
      expect(raft.status().progress.find(({ id }) => id === 'n3')).toMatchObject({ state: 'replicate', match: 4 })
    }
  })

  test('knows nobody who was never a member, and nothing when it does not lead', () => {
    const raft = leader()
    for (const type of ['snapshot-sent', 'snapshot-failed'] as const) {
      expect(raft.step({ type, peer: 'stranger', index: 5 }, 502).send).toEqual([])
      expect(started().step({ type, peer: 'n2', index: 5 }, 502).send).toEqual([])
    }
  })

  test('asks again about the end of a pipeline that it cannot send any more', () => {
    const raft = leader()
    asks(raft, { type: 'append-accepted', term: 3, match: 5 })
    for (let ref = 1; ref <= 2000; ref++) raft.step({ type: 'propose', ref, data: utf8('x') }, 503)
    persisted(raft, 2002)
    from(raft, 'n2', { type: 'append-accepted', term: 3, match: 2006 })
    const beat = raft.step({ type: 'tick' }, 520).send.find(({ to }) => to === 'n3')!.message
    expect(beat).toMatchObject({ type: 'heartbeat' })
    raft.step({ type: 'snapshotted', index: 2006 }, 521)
    const seq = 'seq' in beat ? beat.seq : 0
    const answered = asks(raft, { type: 'heartbeat-reply', term: 3, seq, match: 5 })
    expect(answered.sendSnapshots).toEqual([{ to: 'n3', index: 2006 }])
  })
})

describe('a member that starts from a snapshot', () => {
  test('acts on its members and those of the log behind it, and on none from before', () => {
    const joint: Membership = { ...THREE, outgoing: ['n1', 'n2'], autoLeave: true }
    const entries: Entry[] = [
      { index: 3, term: 1, type: 'membership', data: encodeMembership(members('n9')) },
      entry(4, 2),
      { index: 5, term: 2, type: 'membership', data: encodeMembership(THREE) }
    ]
    const snapshot = { index: 4, term: 2, membership: joint, membershipIndex: 4 }
    expect(started({ snapshot, entries: entries.slice(0, 2) }).status()).toMatchObject({
      membership: joint,
      membershipIndex: 4,
      commitIndex: 4,
      firstIndex: 4
    })
    expect(started({ snapshot, entries }).status()).toMatchObject({ membership: THREE, membershipIndex: 5 })
  })
})
