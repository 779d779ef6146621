/** What a node still waits for, in sentences: the answer to "why is it not up yet?" (R-OBS-8). */
import type { DialAttempts } from '../discovery/port.ts'
import { peerIdOf, type ReplicaStatus } from '../replica/index.ts'

export interface WaitingFacts {
  readonly foundingSize: number
  /** Undefined while the genesis is not known. */
  readonly replica: ReplicaStatus | undefined
  readonly selfIncarnation: string
  readonly leader: string | undefined
  readonly attempts: readonly DialAttempts[]
  readonly multicastBlocked: boolean
  /** By PeerId or address: the last refusal, ours or theirs. */
  readonly refusals: ReadonlyMap<string, { readonly by: 'us' | 'them'; readonly code: string; readonly detail: string }>
}

/** At most this many targets are named; a status is read by people. */
const TRIED_MAX = 6

/**
 * Whether `waitingFor` has nothing to say, from what is at hand: a node asks it of itself for ever, and the whole status is a lot to
 * make for that.
 */
export function lacksNothing(
  replica: Pick<ReplicaStatus, 'config' | 'standing'> & { readonly clusterId: unknown },
  leader: string | undefined
): boolean {
  const { type } = replica.standing
  const isIn = replica.clusterId !== undefined && (type === 'voter' || type === 'learner')
  return isIn && leader !== undefined && replica.config !== undefined
}

export function waitingFor(facts: WaitingFacts): readonly string[] {
  const { replica } = facts
  if (replica === undefined) {
    return [`the genesis: the token only pins it, and no peer has sent it yet${tried(facts)}`, ...hints(facts)]
  }
  if (replica.clusterId === undefined && replica.joins) {
    return [
      `a member of the cluster: this node has a join token, and none was met yet that is founded${tried(facts)}`,
      ...hints(facts)
    ]
  }
  if (replica.clusterId === undefined) {
    return [foundingSentence(facts, replica), ...contestSentences(replica), ...hints(facts)]
  }
  const outside = outsideSentence(facts, replica)
  if (outside !== undefined) return outside
  if (facts.leader === undefined) return [leaderSentence(facts, replica), ...hints(facts)]
  if (replica.config === undefined)
    return ['the config: the leader is known, its first entry has not been committed here yet']
  return []
}

/** For a node that is no voter or learner. */
function outsideSentence(facts: WaitingFacts, { standing, raft }: ReplicaStatus): readonly string[] | undefined {
  const { selfIncarnation } = facts
  switch (standing.type) {
    case 'removed': {
      // Whoever was only told still has the configuration from before.
      const voters = (raft?.membership.voters ?? []).filter((id) => id !== selfIncarnation).map(peerIdOf)
      return [
        `this node is no longer a member: the cluster removed ${selfIncarnation} and goes on with ${voters.join(', ')}; stop this node`
      ]
    }
    case 'barred':
      return [`an empty disk, because this one has no vote: ${standing.fenced?.detail ?? 'it was set back'}`]
    case 'newcomer':
      return [
        `a place in the cluster, which was founded without this data directory (${selfIncarnation}): the leader takes it in as a learner by itself`,
        ...hints(facts)
      ]
    case 'unfounded':
    case 'voter':
    case 'learner':
      return undefined
  }
}

function foundingSentence(facts: WaitingFacts, { formation }: ReplicaStatus): string {
  const { foundingSize } = facts
  if (formation.conflict !== undefined) {
    const [a, b] = formation.conflict.claims
    return `one of two nodes to be stopped: seat ${formation.conflict.seat} is claimed by ${a.peerId} and by ${b.peerId}`
  }
  const { missingSeats } = formation
  if (missingSeats.length === 0)
    return `the founders' signatures (all ${foundingSize} are here, term ${formation.term})`
  const present = foundingSize - missingSeats.length
  const seats = missingSeats.length === 1 ? `seat ${missingSeats[0]}` : `seats ${missingSeats.join(', ')}`
  return `${present} of ${foundingSize} founders: ${seats} not seen${tried(facts)}`
}

/** Those who contest a seat stop when they meet, so a third founder sees an empty seat and would wonder why. */
function contestSentences({ formation, contested }: ReplicaStatus): readonly string[] {
  if (formation.conflict !== undefined) return []
  return contested
    .filter(({ seat }) => formation.missingSeats.includes(seat))
    .map(
      ({ seat, peerIds }) =>
        `seat ${seat} was claimed by ${peerIds.join(' and by ')}: one token is on more than one machine, and they stop when they meet; start the right one, and keep the others off`
    )
}

function leaderSentence(facts: WaitingFacts, { raft, sessions }: ReplicaStatus): string {
  const voters = raft?.membership.voters ?? []
  const connected = new Set(sessions.map(({ incarnation }) => incarnation))
  const reachable = voters.filter((voter) => voter === facts.selfIncarnation || connected.has(voter)).length
  const needed = Math.floor(voters.length / 2) + 1
  return reachable < needed
    ? `a majority: ${reachable} of ${voters.length} voters are reachable, ${needed} are needed${tried(facts)}`
    : `a leader: ${reachable} of ${voters.length} voters have a connection here, ${electionText(raft, needed)}`
}

/** A connection says nothing of who answers on it: a leader that is cut off without a word has all of them, and hears nobody. */
function electionText(raft: ReplicaStatus['raft'], needed: number): string {
  if (raft?.answered === undefined) return `and none of them leads term ${raft?.term ?? 0}`
  const next = raft.role === 'pre-candidate' ? raft.term + 1 : raft.term
  return `${raft.answered} of them ${raft.answered === 1 ? 'has' : 'have'} answered in the election of term ${next}, this node included, and ${needed} must agree`
}

function tried({ attempts }: WaitingFacts): string {
  const open = attempts.filter(({ state }) => state !== 'connected')
  if (open.length === 0) return '; no address is known to try'
  const texts = open.slice(0, TRIED_MAX).map(({ peerId, addresses, lastError, state }) => {
    const where = addresses.length === 0 ? 'no address' : addresses.slice(0, 2).join(' ')
    const who = peerId === undefined ? where : `${peerId} at ${where}`
    return `${who} (${state === 'self' ? 'this node itself' : whyNot(lastError ?? state)})`
  })
  const more = open.length > TRIED_MAX ? ` and ${open.length - TRIED_MAX} more` : ''
  return `; tried ${texts.join(', ')}${more}`
}

/** What the system says of an address, in words. */
const UNREACHED: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  EHOSTUNREACH: 'it cannot be reached from here',
  ENETUNREACH: 'it cannot be reached from here',
  ETIMEDOUT: 'no answer'
}

/** An error of a dial names peer and address once for each layer that it came through; who was tried is said already. */
function whyNot(error: string): string {
  const known = /\b(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)\b/.exec(error)?.[0]
  return known === undefined ? error : UNREACHED[known]!
}

function hints(facts: WaitingFacts): readonly string[] {
  const sentences: string[] = []
  if (facts.multicastBlocked) {
    sentences.push(
      'multicast does not work here: mDNS hears not even itself; give --seed addresses, or another --interface'
    )
  }
  for (const [who, { by, code, detail }] of [...facts.refusals].slice(0, TRIED_MAX)) {
    sentences.push(
      by === 'them' ? `${who} refuses this node (${code}): ${detail}` : `${who} was refused (${code}): ${detail}`
    )
  }
  return sentences
}
