/**
 * A group of members in one thread whose network and disks take no time: every message and every write is done at once, in the
 * order in which they were asked for, and the clock jumps to whatever is due next. What is left is the algorithm. For whoever
 * wants to see the core at work and nothing else: the benchmark, and the rehearsal of a node that has just started.
 */
import { seededRandom } from '../core/random.ts'
import type { RaftMessage } from '../raft/messages.ts'
import { RaftNode } from '../raft/node.ts'
import type { NodeId, RaftEffects, RaftInput } from '../raft/types.ts'

const TIMING = { heartbeatMs: 50, electionTimeoutMs: 250, rankStepMs: 20, jitterMs: 5 }

interface Letter {
  readonly to: InstantMember
  readonly input: RaftInput
}

export interface InstantMember {
  readonly id: NodeId
  readonly raft: RaftNode
  up: boolean
  deadline: number
  /** Committed entries that it handed out. */
  emitted: number
}

export class InstantGroup {
  readonly members: InstantMember[]
  now = 0
  readonly #byId = new Map<NodeId, InstantMember>()
  readonly #carry: (message: RaftMessage) => RaftMessage
  #queue: Letter[] = []

  /** `carry`: what becomes of a message on its way; as it is, unless given. */
  constructor(size: number, seed: string, carry: (message: RaftMessage) => RaftMessage = (message) => message) {
    this.#carry = carry
    const voters = Array.from({ length: size }, (_, i) => `n${i + 1}`)
    const random = seededRandom(seed)
    this.members = voters.map((id) => ({
      id,
      raft: new RaftNode({
        self: id,
        membership: { voters, outgoing: [], learners: [], learnersNext: [], autoLeave: false },
        hardState: { term: 0, votedFor: undefined },
        entries: [],
        timing: TIMING,
        random: random.fork(id)
      }),
      up: true,
      deadline: Infinity,
      emitted: 0
    }))
    for (const member of this.members) this.#byId.set(member.id, member)
    for (const member of this.members) this.#take(member, member.raft.start(0))
    for (const a of this.members) {
      for (const b of this.members) if (a !== b) this.#queue.push({ to: a, input: { type: 'connected', peer: b.id } })
    }
    this.settle()
  }

  leader(): InstantMember | undefined {
    return this.members.find(({ up, raft }) => up && raft.status().writable)
  }

  /** Delivers all that is under way. */
  settle(): void {
    for (let at = 0; at < this.#queue.length; at++) {
      const { to, input } = this.#queue[at]!
      if (to.up) this.#take(to, to.raft.step(input, this.now))
    }
    this.#queue = []
  }

  /** Lets time pass until somebody leads and can write. */
  elect(): InstantMember {
    for (let rounds = 0; rounds < 1_000; rounds++) {
      const leader = this.leader()
      if (leader !== undefined) return leader
      const next = this.members.filter(({ up }) => up).reduce((a, b) => (a.deadline <= b.deadline ? a : b))
      this.now = Math.max(this.now, next.deadline)
      this.#queue.push({ to: next, input: { type: 'tick' } })
      this.settle()
    }
    throw new Error('nobody was elected in 1,000 timeouts')
  }

  /** Until the next heartbeat, which tells the others how long to wait for each other. */
  beat(leader: InstantMember): void {
    this.now = Math.max(this.now, leader.deadline)
    this.#queue.push({ to: leader, input: { type: 'tick' } })
    this.settle()
  }

  propose(leader: InstantMember, input: RaftInput): void {
    this.#queue.push({ to: leader, input })
    this.settle()
  }

  /** The connections of a member close, and nothing reaches it. The others miss it, and act on that, one after the other in this order. */
  cut(member: InstantMember, inOrder: readonly InstantMember[] = this.members): void {
    member.up = false
    for (const other of inOrder) {
      this.#tellOf(other, 'disconnected', member)
      this.settle()
      if (other.deadline <= this.now) this.#queue.push({ to: other, input: { type: 'tick' } })
      this.settle()
    }
  }

  /** It is back: connected, told of its successor, caught up. */
  join(member: InstantMember): void {
    member.up = true
    for (const other of this.members) {
      this.#tellOf(member, 'disconnected', other)
      this.#tellOf(member, 'connected', other)
      this.#tellOf(other, 'connected', member)
    }
    this.settle()
  }

  #tellOf(to: InstantMember, type: 'connected' | 'disconnected', about: InstantMember): void {
    if (to !== about) this.#queue.push({ to, input: { type, peer: about.id } })
  }

  #take(member: InstantMember, { write, send, sendAfter, committed, deadline }: RaftEffects): void {
    for (const { to, message } of send) this.#post(member, to, message)
    if (write !== undefined) this.#queue.push({ to: member, input: { type: 'persisted', write: write.id } })
    // Everything before it in the queue, its own write included, is done before it arrives.
    for (const { to, message } of sendAfter) this.#post(member, to, message)
    member.emitted += committed.length
    member.deadline = deadline ?? Infinity
  }

  #post(from: InstantMember, to: NodeId, message: RaftMessage): void {
    const target = this.#byId.get(to)
    if (target !== undefined)
      this.#queue.push({ to: target, input: { type: 'message', from: from.id, message: this.#carry(message) } })
  }
}
