import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Membership } from '../../src/raft/types.ts'
import { memberRows, type MembersView } from '../../src/membership/members.ts'

const membership = (change: Partial<Membership>): Membership => ({
  voters: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: true,
  ...change
})

const view = (change: Partial<MembersView>): MembersView => ({
  self: 'B#2',
  membership: undefined,
  founders: [],
  connected: new Set(),
  leader: undefined,
  ...change
})

describe('the table of members', () => {
  it('shows seats, roles, sessions and the leader', () => {
    const rows = memberRows(
      view({
        membership: membership({ voters: ['A#1', 'B#2', 'C#3'], learners: ['D#4'] }),
        founders: [
          { incarnation: 'A#1', seat: 2 },
          { incarnation: 'B#2', seat: 1 },
          { incarnation: 'C#3', seat: 3 }
        ],
        connected: new Set(['A#1', 'E#5']),
        leader: 'A#1'
      })
    )
    const shown = rows.map(({ peerId, storeId, seat, role, connected, self, leader }) =>
      [peerId, storeId, seat ?? '-', role, connected && 'connected', self && 'self', leader && 'leader']
        .filter(Boolean)
        .join(' ')
    )
    expect(shown).toEqual([
      'B 2 1 voter connected self',
      'A 1 2 voter connected leader',
      'C 3 3 voter',
      'D 4 - learner',
      'E 5 - observer connected'
    ])
  })

  it('counts those who leave a joint configuration as voters until they have left', () => {
    const joint = membership({ voters: ['A#1'], outgoing: ['A#1', 'C#3'], learnersNext: ['C#3'] })
    const roles = memberRows(view({ membership: joint })).map(({ incarnation, role }) => [incarnation, role])
    expect(roles).toEqual([
      ['A#1', 'voter'],
      ['C#3', 'voter'],
      ['B#2', 'observer']
    ])
  })

  it('knows itself before founding, and tells a wiped voter from its new incarnation', () => {
    expect(memberRows(view({}))).toMatchObject([{ incarnation: 'B#2', role: 'observer', self: true, connected: true }])
    const present = [
      { incarnation: 'A#1', seat: 2 },
      { incarnation: 'B#2', seat: 1 }
    ]
    expect(memberRows(view({ founders: present, connected: new Set(['A#1', 'C#3']) }))).toMatchObject([
      { incarnation: 'B#2', role: 'voter', seat: 1, connected: true },
      { incarnation: 'A#1', role: 'voter', seat: 2, connected: true },
      { incarnation: 'C#3', role: 'observer', seat: undefined }
    ])
    const rows = memberRows(view({ membership: membership({ voters: ['A#1', 'B#2'] }), connected: new Set(['A#9']) }))
    expect(rows).toMatchObject([
      { incarnation: 'A#1', role: 'voter', connected: false },
      { incarnation: 'B#2', role: 'voter' },
      { incarnation: 'A#9', role: 'observer', connected: true }
    ])
  })

  it('is the same in whatever order the facts came', () => {
    const ids = ['A#1', 'B#2', 'C#3', 'D#4', 'E#5']
    fc.assert(
      fc.property(fc.shuffledSubarray(ids, { minLength: 5 }), fc.shuffledSubarray(ids, { minLength: 5 }), (a, b) => {
        const rows = (order: readonly string[]) =>
          memberRows(view({ membership: membership({ voters: order }), connected: new Set(order) }))
        expect(rows(a)).toEqual(rows(b))
      })
    )
  })
})
