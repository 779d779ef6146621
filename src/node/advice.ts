/** What a person should do about the members although nothing is broken: one sentence each, with the command. */
import { peerIdOf, type ReplicaStatus } from '../replica/index.ts'

export interface AdviceFacts {
  readonly replica: ReplicaStatus | undefined
  /** Our own incarnation. */
  readonly incarnation: string
}

export function advice({ replica, incarnation: self }: AdviceFacts): readonly string[] {
  if (replica?.raft === undefined) return []
  const { type } = replica.standing
  if (type === 'removed' || type === 'barred' || type === 'newcomer') return []
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
