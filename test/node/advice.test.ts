import { describe, expect, it } from 'vitest'
import { advice, type AdviceFacts } from '../../src/node/advice.ts'
import type { StandingType } from '../../src/replica/index.ts'

const SELF = 'self#02'

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
  return { incarnation: SELF, replica: replica as unknown as AdviceFacts['replica'] }
}

describe('advice', () => {
  it('is silent while everything is as it should be', () => {
    expect(advice(facts('voter', [SELF, 'a#01', 'b#01'], ['c#01'], { connected: ['a#01', 'c#01'] }))).toEqual([])
    expect(advice({ incarnation: SELF, replica: undefined })).toEqual([])
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

  it.each(['removed', 'barred', 'newcomer'] as const)(
    'is not for a node that is %s: status says what it waits for',
    (type) => {
      expect(advice(facts(type, ['a#01'], ['a#02'], { connected: ['a#02'] }))).toEqual([])
    }
  )
})
