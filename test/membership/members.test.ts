import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Membership } from '../../src/raft/types.ts'
import {
  bootAlarms,
  BOOTS_REMEMBERED_MAX,
  forgetLive,
  rememberBoot,
  type BootMemory
} from '../../src/membership/boots.ts'
import type { BootSighting } from '../../src/membership/judge.ts'
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

const life = (peerId: string, storeId: string, boot: number, bootNonce: string): BootSighting => ({
  peerId,
  storeId,
  boot,
  bootNonce
})
const codes = (memory: BootMemory, seen: BootSighting): readonly string[] =>
  bootAlarms(memory, seen).map(({ code }) => code)

describe('boot memory', () => {
  const first = life('A', 's1', 5, 'n1')
  const live = rememberBoot([], first)
  const gone = forgetLive(live, first)

  const cases: readonly (readonly [string, BootMemory, BootSighting, readonly string[]])[] = [
    ['a peer that nobody knows', [], first, []],
    ['the same life again', live, first, []],
    ['the next boot', gone, life('A', 's1', 6, 'n2'), []],
    ['the next boot before the old session was seen to end', live, life('A', 's1', 6, 'n2'), []],
    ['an older boot', gone, life('A', 's1', 4, 'n2'), ['rolled-back']],
    ['an older boot beside a live one', live, life('A', 's1', 4, 'n2'), ['rolled-back']],
    ['the same boot twice in turn', gone, life('A', 's1', 5, 'n2'), ['rolled-back']],
    ['the same boot twice at once', live, life('A', 's1', 5, 'n2'), ['clone']],
    ['a new disk after the old one', gone, life('A', 's2', 1, 'n2'), ['disk-lost']],
    ['a second disk at once', live, life('A', 's2', 1, 'n2'), ['clone']],
    ['another peer', live, life('B', 's1', 5, 'n2'), []]
  ]
  it.each(cases)('%s', (_, memory, seen, expected) => {
    expect(codes(memory, seen)).toEqual(expected)
    for (const { detail } of bootAlarms(memory, seen)) expect(detail).toMatch(/^A/)
  })

  it('reports a lost disk once, and the old disk again when it comes back to life', () => {
    const second = life('A', 's2', 1, 'n2')
    const both = rememberBoot(gone, second)
    expect(codes(forgetLive(both, second), second)).toEqual([])
    expect(codes(forgetLive(both, second), first)).toEqual([])
    expect(codes(both, first)).toEqual(['clone'])
  })

  it('does not let an older life hide a newer one', () => {
    const memory = rememberBoot(live, life('A', 's1', 3, 'old'))
    expect(memory).toEqual([{ ...first, live: true }])
  })

  it('is bounded, and gives up those that are gone before those that are here', () => {
    let memory: BootMemory = rememberBoot([], life('here', 's', 1, 'n'))
    for (let i = 0; i < BOOTS_REMEMBERED_MAX + 10; i++) {
      const passing = life(`P${i}`, 's', 1, 'n')
      memory = forgetLive(rememberBoot(memory, passing), passing)
    }
    expect(memory).toHaveLength(BOOTS_REMEMBERED_MAX)
    expect(memory[0]).toMatchObject({ peerId: 'here', live: true })
  })

  it('never alarms about one machine that restarts and reconnects', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('reconnect', 'restart', 'drop'), { maxLength: 30 }), (steps) => {
        let memory: BootMemory = []
        let boot = 1
        for (const step of steps) {
          if (step === 'restart') boot++
          const seen = life('A', 's1', boot, `n${boot}`)
          if (step === 'drop') memory = forgetLive(memory, seen)
          else {
            expect(bootAlarms(memory, seen)).toEqual([])
            memory = rememberBoot(memory, seen)
          }
        }
      })
    )
  })
})
