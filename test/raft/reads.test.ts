/** Reads that a new leader is asked for before its first entry has committed: confirmed meanwhile, answered then, or never. */
import { describe, expect, it, test } from 'vitest'
import type { Envelope } from '../../src/raft/index.ts'
import { Member, TIMING } from './member.ts'

const types = (said: readonly Envelope[]): readonly string[] => said.map(({ to, message }) => `${message.type} ${to}`)
const reply = { type: 'heartbeat-reply', term: 1, seq: 1, match: 1 } as const

/** n1 leads term 1; its first entry is on its way, and n2 has said that it hears it. */
function asked(): Member {
  const member = new Member()
  member.elect('n2')
  expect(types(member.tell({ type: 'read', ref: 5 }))).toEqual(['heartbeat n2', 'heartbeat n3'])
  // The entry is not sent again: whoever has it is still writing.
  expect(types(member.hear('n2', reply))).toEqual([])
  expect(member.outcomes).toEqual([])
  return member
}

describe('a read before the first commit of a term', () => {
  it('is answered with that commit', () => {
    const member = asked()
    const said = member.hear('n2', { type: 'append-accepted', term: 1, match: 1 })
    expect(member.outcomes).toEqual([{ type: 'readable', ref: 5, index: 1 }])
    expect(types(said)).not.toContain('heartbeat n3')
  })

  it('is dropped when the office is lost before that, although a quorum had confirmed it', () => {
    const member = asked()
    member.hear('n3', { type: 'heartbeat', term: 2, commit: 0, seq: 1, waitMs: 0, heir: 0 })
    expect(member.outcomes).toEqual([{ type: 'dropped', ref: 5, leader: 'n3' }])
  })

  it('does not put off the heartbeat that asks what became of the entry', () => {
    const member = new Member()
    member.elect('n2')
    const due = member.deadline
    for (let seq = 1; seq <= 3; seq++) {
      member.now++
      member.tell({ type: 'read', ref: seq })
      expect(types(member.hear('n2', { ...reply, seq }))).toEqual([])
    }
    expect(member.deadline).toBe(due)
    expect(types(member.timeout())).toEqual(['heartbeat n2', 'heartbeat n3'])
    expect(types(member.hear('n2', { ...reply, seq: 4, match: 0 }))).toEqual(['append n2'])
  })
})

test('a read after the first commit asks by a heartbeat like any other: what was lost is repaired, and the next one is a heartbeat away', () => {
  const member = new Member()
  member.elect('n2')
  member.hear('n2', { type: 'append-accepted', term: 1, match: 1 })
  member.now += TIMING.heartbeatMs - 1
  expect(types(member.tell({ type: 'read', ref: 5 }))).toEqual(['heartbeat n2', 'heartbeat n3'])
  expect(member.deadline).toBe(member.now + TIMING.heartbeatMs)
  expect(types(member.hear('n3', { ...reply, match: 0 }))).toContain('append n3')
})
