/** What a person should do about the members although nothing is broken: one sentence each, with the command. */
import { nextStepOf, type RefusalCode } from '../membership/admission.ts'
import { recoveryOf } from '../membership/boots.ts'
import { peerIdOf, type ReplicaStatus } from '../replica/index.ts'
import type { LeaderInfo } from './types.ts'
import type { WaitingFacts } from './waiting.ts'

export interface AdviceFacts {
  readonly leader: LeaderInfo | undefined
  /** By PeerId or address: the last refusal, ours or theirs. */
  readonly refusals: WaitingFacts['refusals']
  readonly replica: ReplicaStatus | undefined
  /** Our own incarnation. */
  readonly incarnation: string
}

/** Refusals that pass by themselves, or say nothing of what this node holds. */
const PASSING: ReadonlySet<string> = new Set<RefusalCode>(['self', 'timeout', 'genesis-unknown', 'malformed'])

export function advice(facts: AdviceFacts): readonly string[] {
  const { replica, leader } = facts
  const { type } = replica?.standing ?? { type: 'unfounded' }
  // Waiting helps neither of these.
  if (type === 'removed') {
    return [
      'stop this node; its machine comes back with an empty data directory, or with this one less wal and store-id'
    ]
  }
  if (type === 'barred') return [`stop this node; ${recoveryOf(peerIdOf(facts.incarnation))}`]
  return leader === undefined ? [...afterRefusals(facts), ...ofMembers(facts)] : ofMembers(facts)
}

/** Whoever gets in nowhere, because of what it holds. Of two clusters that meet, each refuses the other. */
function afterRefusals({ refusals }: AdviceFacts): readonly string[] {
  const codes = [...refusals.values()].filter(
    ({ by, code }) => (by === 'them' || code === 'foreign-domain') && !PASSING.has(code)
  )
  return [...new Set(codes.map(({ code }) => nextStepOf(code as RefusalCode)))]
}

function ofMembers({ replica, incarnation: self }: AdviceFacts): readonly string[] {
  if (replica?.raft === undefined) return []
  const { type } = replica.standing
  if (type === 'newcomer') return []
  const { voters, learners } = replica.raft.membership
  const connected = new Set([self, ...replica.sessions.map(({ incarnation }) => incarnation)])
  const reborn = learners.filter((id) => voters.some((voter) => isElder(voter, id, connected)))
  const sentences = reborn.map((id) => {
    const who = id === self ? 'this node' : peerIdOf(id)
    return `${who} came back with an empty disk and is a learner; its old disk still counts as a voter that has failed: \`quorate replace ${peerIdOf(id)}\` gives the new one its vote`
  })
  if (type === 'learner' && replica.entitled === 'voter' && !reborn.includes(self)) {
    sentences.push(
      `this node is a learner: it receives log and config and has no vote; \`quorate promote ${peerIdOf(self)}\` gives it one`
    )
  }
  return [...sentences, ...replica.barred.map(({ detail }) => detail)]
}

/** A voter of the same PeerId that nobody answers for any more. */
const isElder = (voter: string, learner: string, connected: ReadonlySet<string>): boolean =>
  peerIdOf(voter) === peerIdOf(learner) && !connected.has(voter)
