import { describe, expect, it } from 'vitest'
import type { StandingType } from '../../src/replica/index.ts'
import { type WaitingFacts, waitingFor } from '../../src/node/waiting.ts'

const SELF = 'self#01'

/** A founded node of three, of whose status only what is asked for is filled in. */
function facts(
  type: StandingType,
  membership: Partial<Record<'voters' | 'outgoing' | 'learners' | 'learnersNext', readonly string[]>>
) {
  const replica = {
    clusterId: 'c',
    member: true,
    standing: { type, elders: [], fenced: undefined, final: true },
    founders: [],
    sessions: [],
    config: {},
    raft: { term: 4, membership: { voters: [], outgoing: [], learners: [], learnersNext: [], ...membership } }
  }
  return {
    foundingSize: 3,
    replica: replica as unknown as WaitingFacts['replica'],
    selfIncarnation: SELF,
    leader: 'a',
    attempts: [],
    multicastBlocked: false,
    refusals: new Map()
  }
}

describe('a founder that consensus goes on without', () => {
  it('says that it is no longer a member, and who is', () => {
    expect(waitingFor(facts('removed', { voters: ['a#02', 'b#03'] }))).toEqual([
      'this node is no longer a member: the cluster removed self#01 and goes on with a, b; stop this node'
    ])
  })

  it('is told apart from one whose PeerId came back with another disk', () => {
    expect(waitingFor(facts('removed', { voters: ['a#02', 'self#99'] }))[0]).toContain('removed self#01')
  })

  it.each(['voters', 'outgoing', 'learners', 'learnersNext'] as const)('is a member while it is among %s', (list) => {
    expect(waitingFor(facts(list === 'voters' ? 'voter' : 'learner', { [list]: ['a#02', SELF] }))).toEqual([])
  })
})
