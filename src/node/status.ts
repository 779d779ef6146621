/** What a node says of itself: `status`, `members`, config history. Pure: a view of the replica's own status. */
import { toBase64Url } from '../core/bytes.ts'
import type { TimingPreset } from '../config-init/timing.ts'
import type { Genesis } from '../identity/genesis.ts'
import type { Admitted } from '../membership/admission.ts'
import { type ConsensusRoles, memberRows } from '../membership/members.ts'
import { peerIdOf, type ReplicaStatus } from '../replica/index.ts'
import type { ConfigState } from '../replicated-config/index.ts'
import { advice } from './advice.ts'
import type { WaitingFacts } from './waiting.ts'
import type { ConfigHistoryEntry, ConfigVersion, LeaderInfo, MemberInfo, NodeStatus, StageName } from './types.ts'

export interface StatusFacts {
  readonly peerId: string
  readonly incarnation: string
  readonly domainId: string
  readonly genesis: Genesis | undefined
  readonly timing: TimingPreset
  readonly replica: ReplicaStatus | undefined
  readonly leader: LeaderInfo | undefined
  readonly stage: StageName
  readonly waitingFor: readonly string[]
  readonly addresses: readonly string[]
  readonly uptimeMs: number
  /** Whom the dialer knows. */
  readonly attempts: WaitingFacts['attempts']
  /** By PeerId or address: the last refusal, ours or theirs. */
  readonly refusals: WaitingFacts['refusals']
}

export function nodeStatus(facts: StatusFacts): NodeStatus {
  const { genesis, replica } = facts
  const config = replica?.config?.current
  const foundingSize = genesis?.foundingSize ?? 0
  return {
    node: facts.peerId,
    domain: facts.domainId,
    cluster: replica?.clusterId ?? null,
    name: genesis?.name ?? '',
    mode: genesis?.mode ?? 'seats',
    stage: facts.stage,
    role: roleOf(facts),
    term: replica?.raft?.term ?? replica?.formation.term ?? 0,
    leader: facts.leader?.peerId ?? null,
    writable: replica?.raft?.writable ?? false,
    timing: facts.timing,
    members: members(facts),
    config: config === undefined ? null : { version: config.version, hash: config.hash },
    safety: {
      foundingSize,
      incarnationsSeen: replica?.foundingIncarnations ?? 0,
      splitNeeds: 2 * foundingSize
    },
    barred: (replica?.barred ?? []).map(({ incarnation, code, detail, statements }) => {
      const [peerId = '', storeId = ''] = incarnation.split('#')
      return { peerId, storeId, code, detail, statements: statements.map(toBase64Url) }
    }),
    waitingFor: facts.waitingFor,
    advice: advice(facts),
    addresses: facts.addresses,
    uptimeMs: facts.uptimeMs
  }
}

export type MembersFacts = Pick<StatusFacts, 'replica' | 'incarnation' | 'addresses' | 'attempts'>

/** Before founding: the founders that are here, and who waits for the cluster. Afterwards: the members that consensus has. */
export function members(facts: MembersFacts): readonly MemberInfo[] {
  const { replica, incarnation: self } = facts
  if (replica === undefined) return []
  const { raft, formation, founders, sessions, standing, priority: own } = replica
  const rows = memberRows({
    self,
    membership: raft === undefined ? undefined : rolesSeen(raft.membership, self, standing.type === 'removed'),
    founders: raft === undefined ? formation.present : founders,
    connected: new Set(sessions.map(({ incarnation }) => incarnation)),
    leader: raft?.leader
  })
  const here = new Map(sessions.map((peer) => [peer.incarnation, peer]))
  const ranks = new Map(raft?.progress.map(({ id, rank }) => [id, rank]))
  const bars = barredHere(replica, self)
  const addressOf = knownAddresses(facts, sessions)
  return rows.map(({ incarnation, peerId, storeId, seat, role, connected, self: isSelf, leader }) => {
    const vote =
      role === 'voter' ? 'now' : voteOf(replica, incarnation, role, isSelf ? undefined : here.get(incarnation))
    return {
      peerId,
      storeId,
      seat,
      // Whoever waits for a vote is no observer before founding either.
      role: raft === undefined && vote === 'by-itself' ? 'learner' : role,
      connected,
      self: isSelf,
      leader,
      vote,
      barred: bars.get(incarnation),
      address: addressOf(peerId),
      priority: isSelf ? own : here.get(incarnation)?.priority,
      heir: placeOf(ranks.get(incarnation))
    }
  })
}

/** By incarnation: why its vote is not counted. Of itself a node knows it from those who do not count it. */
function barredHere({ barred, standing }: ReplicaStatus, self: string): ReadonlyMap<string, string> {
  const bars = new Map<string, string>(barred.map(({ incarnation, code }) => [incarnation, code]))
  if (standing.type === 'barred') bars.set(self, standing.fenced?.code ?? 'rolled-back')
  return bars
}

/** Without a vote. Consensus does not know a newcomer yet: its credential says what it came for. */
function voteOf(
  replica: ReplicaStatus,
  incarnation: string,
  role: 'learner' | 'observer',
  session: Admitted | undefined
): MemberInfo['vote'] {
  if (role === 'learner') return replica.voteOf(incarnation)
  const { seat, role: granted } = session ?? { seat: replica.joins ? undefined : 0, role: replica.entitled }
  if (seat !== undefined) return 'when-promoted'
  return granted === 'voter' ? 'by-itself' : 'never'
}

/** By PeerId: what its session says, or where it is dialled. An address that is good on one machine only comes last. */
function knownAddresses(
  { addresses, attempts, incarnation }: MembersFacts,
  sessions: readonly Admitted[]
): (peerId: string) => string | undefined {
  const known = new Map(attempts.map(({ peerId, addresses: dialled }) => [peerId, dialled]))
  for (const { peerId, addresses: told } of sessions) if (told !== undefined) known.set(peerId, told.addresses)
  known.set(peerIdOf(incarnation), addresses)
  return (peerId) => {
    const plain = (known.get(peerId) ?? []).map((address) => address.replace(/\/p2p\/[^/]+$/, ''))
    return plain.find((address) => !isLoopback(address)) ?? plain[0]
  }
}

const isLoopback = (address: string): boolean => /^\/(?:ip4\/127\.|ip6\/::1\/)/.test(address)

const placeOf = (rank: number | undefined): number | undefined => (rank === undefined ? undefined : rank + 1)

/** Whoever was told that it is out has nothing newer than the configuration in which it was not. */
function rolesSeen(membership: ConsensusRoles, self: string, isRemoved: boolean): ConsensusRoles {
  if (!isRemoved) return membership
  const others = (ids: readonly string[]): readonly string[] => ids.filter((id) => id !== self)
  const { voters, outgoing, learners, learnersNext } = membership
  return {
    voters: others(voters),
    outgoing: others(outgoing),
    learners: others(learners),
    learnersNext: others(learnersNext)
  }
}

function roleOf({ replica, incarnation }: StatusFacts): NodeStatus['role'] {
  const raft = replica?.raft
  if (raft === undefined) return null
  const { type } = replica!.standing
  if (type === 'removed' || type === 'barred') return null
  const { voters, outgoing, learners, learnersNext } = raft.membership
  if (voters.includes(incarnation) || outgoing.includes(incarnation)) return raft.role
  // Whoever left, or was founded without, has no part.
  return learners.includes(incarnation) || learnersNext.includes(incarnation) ? 'learner' : null
}

export function currentConfig(state: ConfigState | undefined): ConfigVersion | undefined {
  if (state === undefined) return undefined
  const { version, hash, value } = state.current
  return { version, hash, value }
}

export const configHistory = (state: ConfigState | undefined): readonly ConfigHistoryEntry[] =>
  [...(state?.history ?? [])].map(({ version, hash, value, previousHash, author, reason, at, term }) => ({
    version,
    hash,
    value,
    previousHash,
    author,
    reason,
    at,
    term
  }))
