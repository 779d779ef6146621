import { describe, expect, it } from 'vitest'
import { advice, type AdviceFacts } from '../../src/node/advice.ts'
import { nextStepOf, type RefusalCode } from '../../src/membership/admission.ts'
import type { StandingType } from '../../src/replica/index.ts'

const SELF = 'self#02'
const LEADER = { peerId: 'a', term: 1 }

const refused = (by: 'us' | 'them', code: RefusalCode) => ({ by, code, detail: '' })

const REFUSALS: AdviceFacts['refusals'] = new Map([
  ['a', refused('them', 'token-expired')],
  ['b', refused('them', 'token-expired')],
  ['c', refused('them', 'clone')],
  ['d', refused('them', 'timeout')],
  ['e', refused('us', 'revoked')],
  ['f', refused('us', 'foreign-domain')]
])

function facts(
  type: StandingType,
  voters: readonly string[],
  learners: readonly string[],
  { connected = [], barred = [] }: { readonly connected?: readonly string[]; readonly barred?: readonly string[] } = {}
): AdviceFacts {
  const replica = {
    standing: { type, elders: [], fenced: undefined, final: true },
    sessions: connected.map((incarnation) => ({ incarnation })),
    barred: barred.map((incarnation) => ({ incarnation, detail: `${incarnation} was set back` })),
    entitled: 'voter',
    raft: { membership: { voters, outgoing: [], learners, learnersNext: [] } }
  }
  return {
    incarnation: SELF,
    leader: LEADER,
    refusals: new Map(),
    replica: replica as unknown as AdviceFacts['replica']
  }
}

describe('advice', () => {
  it('is silent while everything is as it should be', () => {
    expect(advice(facts('voter', [SELF, 'a#01', 'b#01'], ['c#01'], { connected: ['a#01', 'c#01'] }))).toEqual([])
    expect(advice({ ...facts('voter', [], []), replica: undefined })).toEqual([])
  })

  it('names the replacement of a lost disk, on that node and on every other', () => {
    expect(advice(facts('learner', ['self#01', 'a#01'], [SELF], { connected: ['a#01'] }))).toEqual([
      expect.stringMatching(/^this node came back with an empty disk and is a learner.*`quorate replace self`/)
    ])
    expect(advice(facts('voter', [SELF, 'a#01'], ['a#02'], { connected: ['a#02'] }))).toEqual([
      expect.stringMatching(/^a came back with an empty disk.*`quorate replace a`/)
    ])
  })

  it('leaves the old disk its vote while it is there', () => {
    expect(advice(facts('voter', [SELF, 'a#01'], ['a#02'], { connected: ['a#01'] }))).toEqual([])
  })

  it('tells a learner how it gets a vote, and an operator what to do with a disk that was set back', () => {
    expect(advice(facts('learner', ['a#01'], [SELF]))).toEqual([expect.stringContaining('`quorate promote self`')])
    // Both lives and the command are in the sentence that the alarm had.
    expect(advice(facts('voter', [SELF, 'a#01'], [], { barred: ['a#01'] }))).toEqual(['a#01 was set back'])
  })

  it('is not for a newcomer: status says what it waits for', () => {
    expect(advice(facts('newcomer', ['a#01'], ['a#02'], { connected: ['a#02'] }))).toEqual([])
  })

  it.each([
    ['removed', 'comes back with an empty data directory'],
    ['barred', '`quorate replace self`']
  ] as const)('is to stop a node that is %s, whatever else there is', (type, text) => {
    const told = advice({ ...facts(type, ['a#01'], ['a#02']), leader: undefined, refusals: REFUSALS })
    expect(told).toEqual([expect.stringMatching(/^stop this node; /)])
    expect(told[0]).toContain(text)
  })

  it('says once what to do about each kind of refusal, as long as nobody leads', () => {
    const alone = { ...facts('unfounded', [], []), replica: undefined, leader: undefined, refusals: REFUSALS }
    expect(advice(alone)).toEqual([nextStepOf('token-expired'), nextStepOf('clone'), nextStepOf('foreign-domain')])
    expect(advice({ ...alone, leader: LEADER })).toEqual([])
  })
})
