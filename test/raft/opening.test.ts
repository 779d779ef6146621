/** A group that was founded with its first leader: who opens term 1, who waits for that, and who does not. */
import { describe, expect, it } from 'vitest'
import type { NodeId, RaftEffects, RaftInit } from '../../src/raft/index.ts'
import { createRaft } from '../../src/raft/index.ts'
import { seededRandom } from '../../src/core/random.ts'
import { InvalidOptionError } from '../../src/core/errors.ts'
import { log, TIMING } from './member.ts'

const VOTERS = ['n1', 'n2', 'n3']
const membership = { voters: VOTERS, outgoing: [], learners: [], learnersNext: [], autoLeave: false }

/** `self` of a group that n1 opens, with the others connected. */
function founded(self: NodeId, init: Partial<RaftInit> = {}): RaftInit {
  const others = VOTERS.filter((id) => id !== self)
  return {
    self,
    membership,
    hardState: { term: 1, votedFor: 'n1' },
    justFounded: true,
    entries: [],
    timing: TIMING,
    random: seededRandom(self),
    connections: new Map(others.map((id) => [id, 100])),
    ...init
  }
}

const said = ({ send, sendAfter }: RaftEffects): string[] =>
  [...send, ...sendAfter].map(({ to, message }) => `${message.type} to ${to}`)

describe('who all begin with their vote for', () => {
  it('leads at once: nothing is asked, and nothing but its first entry is written', () => {
    const raft = createRaft(founded('n1', { firstEntryData: new Uint8Array([7]) }))
    const effects = raft.start(0)
    expect(raft.status()).toMatchObject({ role: 'leader', term: 1, leader: 'n1', lastIndex: 1 })
    expect(said(effects)).toEqual(['append to n2', 'append to n3'])
    const reason = 'everybody began with a vote for it'
    expect(effects.events).toContainEqual({ type: 'role', role: 'leader', term: 1, reason })
    expect(effects.write).toEqual({ id: 1, entries: [{ index: 1, term: 1, type: 'noop', data: new Uint8Array([7]) }] })
  })

  it('does not in a later life: it cannot know what it has said', () => {
    const { justFounded: _, ...restarted } = founded('n1')
    const raft = createRaft(restarted)
    const { deadline } = raft.start(0)
    expect(raft.status().role).toBe('follower')
    expect(said(raft.step({ type: 'tick' }, deadline!))).toEqual(['pre-vote to n2', 'pre-vote to n3'])
    expect(raft.status().term).toBe(1)
  })

  it('leaves it to a higher priority that is there, which does not wait for it', () => {
    const connections = new Map([
      ['n1', 100],
      ['n2', 100],
      ['n3', 300]
    ])
    const raft = createRaft(founded('n1', { connections }))
    raft.start(0)
    expect(raft.status().role).toBe('follower')
    const higher = createRaft(founded('n3', { connections, priority: 300 }))
    expect(higher.start(0).deadline).toBe(0)
  })
})

it('answers a confirmed read of what had committed when the office was lost, as soon as its own disk has it', () => {
  const raft = createRaft(founded('n1'))
  const { write } = raft.start(0)
  for (const from of ['n2', 'n3']) {
    raft.step({ type: 'message', from, message: { type: 'append-accepted', term: 1, match: 1 } }, 1)
  }
  const [asked] = raft.step({ type: 'read', ref: 5 }, 2).send
  if (asked?.message.type !== 'heartbeat') throw new Error('it did not ask')
  const reply = { type: 'heartbeat-reply', term: 1, seq: asked.message.seq, match: 1 } as const
  expect(raft.step({ type: 'message', from: 'n2', message: reply }, 3).outcomes).toEqual([])
  const successor = { type: 'heartbeat', term: 2, commit: 1, seq: 1, waitMs: 0, heir: 0 } as const
  expect(raft.step({ type: 'message', from: 'n3', message: successor }, 4).outcomes).toEqual([])
  const { outcomes } = raft.step({ type: 'persisted', write: write!.id }, 5)
  expect(outcomes).toEqual([{ type: 'readable', ref: 5, index: 1 }])
})

it('opens whatever the priority of those who are not there', () => {
  const raft = createRaft(founded('n1', { priority: 50, connections: new Map() }))
  raft.start(0)
  expect(raft.status().role).toBe('leader')
})

describe('the others', () => {
  it('wait for it, and follow', () => {
    const raft = createRaft(founded('n2'))
    const { deadline } = raft.start(0)
    expect(deadline).toBeGreaterThanOrEqual(2 * TIMING.heartbeatMs)
    expect(raft.step({ type: 'connected', peer: 'n3' }, 1).deadline).toBe(deadline)
    const [append] = createRaft(founded('n1')).start(0).send
    raft.step({ type: 'message', from: 'n1', message: append!.message }, 2)
    expect(raft.status()).toMatchObject({ term: 1, leader: 'n1', lastIndex: 1 })
  })

  it('campaign for term 2 in their order, at once when it is not there', () => {
    const connections = new Map([['n3', 100]])
    expect(createRaft(founded('n2', { connections })).start(0).deadline).toBe(TIMING.rankStepMs)
  })

  it('do not wait for it when they have the higher priority themselves', () => {
    const connections = new Map([
      ['n1', 100],
      ['n2', 100]
    ])
    expect(createRaft(founded('n3', { connections, priority: 300 })).start(0).deadline).toBe(0)
  })

  it('campaign when it goes before it was heard, and not for the loss of anybody else', () => {
    const raft = createRaft(founded('n2'))
    const { deadline } = raft.start(0)
    expect(raft.step({ type: 'disconnected', peer: 'n3' }, 1).deadline).toBe(deadline)
    expect(raft.step({ type: 'disconnected', peer: 'n1' }, 1).deadline).toBe(1 + TIMING.rankStepMs)
  })

  it('are like all members once they are in a later term', () => {
    const raft = createRaft(founded('n2'))
    raft.start(0)
    const vote = { type: 'vote', term: 2, lastIndex: 0, lastTerm: 0, transfer: false } as const
    const { deadline } = raft.step({ type: 'message', from: 'n3', message: vote }, 1)
    expect(raft.status().term).toBe(2)
    // It has voted for n3 now, whose end says nothing about a leader; and whoever comes may be led by somebody already.
    expect(raft.step({ type: 'disconnected', peer: 'n3' }, 2).deadline).toBe(deadline)
    raft.step({ type: 'connected', peer: 'n3' }, 3)
    expect(raft.step({ type: 'connected', peer: 'n1' }, 3).deadline).toBe(3 + TIMING.heartbeatMs + TIMING.rankStepMs)
  })

  it('campaign for term 2 when it stays silent', () => {
    const raft = createRaft(founded('n2'))
    const { deadline } = raft.start(0)
    const { send } = raft.step({ type: 'tick' }, deadline!)
    const [asked] = send
    if (asked?.message.type !== 'pre-vote') throw new Error('it did not ask')
    const { round, nextTerm } = asked.message
    expect(nextTerm).toBe(2)
    raft.step(
      { type: 'message', from: 'n3', message: { type: 'pre-vote-reply', term: 1, round, granted: true } },
      deadline!
    )
    expect(raft.status()).toMatchObject({ role: 'candidate', term: 2 })
  })
})

describe('what a group that was just founded cannot begin with', () => {
  const refused: [string, Partial<RaftInit>][] = [
    ['no vote', { hardState: { term: 1, votedFor: undefined } }],
    ['a vote for somebody else', { hardState: { term: 1, votedFor: 'n4' } }],
    ['another term', { hardState: { term: 2, votedFor: 'n1' } }],
    ['a log', { entries: log(1) }],
    ['a snapshot', { snapshot: { index: 1, term: 1, membership, membershipIndex: 0 } }]
  ]
  it.each(refused)('%s', (_, wrong) => {
    const begin = (): unknown => createRaft(founded('n1', wrong))
    expect(begin).toThrow(InvalidOptionError)
    expect(begin).toThrow(
      /a group that was just founded begins in term 1 with a vote for a voter, and no log; it is term \d$/
    )
  })
})
