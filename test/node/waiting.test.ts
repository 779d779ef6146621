import { describe, expect, it } from 'vitest'
import { STANDINGS } from '../../src/replica/standing.ts'
import type { StandingType } from '../../src/replica/index.ts'
import { lacksNothing, type WaitingFacts, waitingFor } from '../../src/node/waiting.ts'

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

describe('a founder that waits', () => {
  const founding = (contested: unknown) => ({
    ...facts('unfounded', {}),
    replica: {
      clusterId: undefined,
      joins: false,
      contested,
      formation: { conflict: undefined, missingSeats: [2, 3], term: 0, present: [] }
    } as unknown as WaitingFacts['replica']
  })

  it('names whom it tried once, and why in words', () => {
    const at = '/ip4/10.0.0.3/tcp/4001'
    const refused = `no session with peer: ${at}: connection error ${at}: connect ECONNREFUSED 10.0.0.3:4001`
    const attempt = (peerId: string, lastError: string) => ({ peerId, addresses: [at], state: 'waiting', lastError })
    const attempts = [attempt('peer', refused), attempt('other', 'read ETIMEDOUT'), attempt('third', 'clone')]
    const [sentence] = waitingFor({ ...founding([]), attempts: attempts as unknown as WaitingFacts['attempts'] })
    expect(sentence).toBe(
      `1 of 3 founders: seats 2, 3 not seen; tried peer at ${at} (nobody listens there), other at ${at} (no answer), third at ${at} (clone)`
    )
  })

  it('says that a seat is empty because two claim it', () => {
    expect(waitingFor(founding([])).join()).not.toContain('claimed')
    const sentences = waitingFor(founding([{ seat: 2, peerIds: ['a', 'b'] }]))
    expect(sentences[0]).toContain('1 of 3 founders: seats 2, 3 not seen')
    expect(sentences[1]).toContain('seat 2 was claimed by a and by b: one token is on more than one machine')
    expect(waitingFor(founding([{ seat: 1, peerIds: ['a', 'b'] }])).join()).not.toContain('claimed')
  })
})

describe('a voter without a leader', () => {
  const voters = [SELF, 'a#02', 'b#03', 'c#04', 'd#05']
  const seeks = (raft: object) => {
    const given = facts('voter', { voters })
    const replica = given.replica! as unknown as { raft: object; sessions: unknown }
    const sessions = voters.slice(1).map((incarnation) => ({ incarnation }))
    const status = { ...given.replica, sessions, raft: { ...replica.raft, ...raft } }
    return waitingFor({ ...given, leader: undefined, replica: status as unknown as WaitingFacts['replica'] })
  }

  it('says who answers, and not only who is connected', () => {
    expect(seeks({ role: 'pre-candidate', answered: 1 })).toEqual([
      'a leader: 5 of 5 voters have a connection here, 1 of them has answered in the election of term 5, this node included, and 3 must agree'
    ])
    expect(seeks({ role: 'candidate', answered: 3 })[0]).toContain('3 of them have answered in the election of term 4')
    expect(seeks({ role: 'follower' })[0]).toBe(
      'a leader: 5 of 5 voters have a connection here, and none of them leads term 4'
    )
  })
})

it('has nothing to say where nothing is lacking', () => {
  let silent = 0
  for (const type of STANDINGS) {
    for (const clusterId of [undefined, 'c']) {
      for (const config of [undefined, {}]) {
        for (const leader of [undefined, 'a']) {
          const around = facts(type, { voters: ['a#02', SELF] })
          const formation = { conflict: undefined, missingSeats: [], term: 0 }
          const replica = { ...around.replica, clusterId, config, contested: [], formation } as unknown as NonNullable<
            WaitingFacts['replica']
          >
          if (!lacksNothing(replica, leader)) continue
          silent++
          expect(waitingFor({ ...around, replica, leader })).toEqual([])
        }
      }
    }
  }
  expect(silent).toBe(2)
})
