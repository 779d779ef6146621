/**
 * Who may say that it would vote for somebody else, asked or unasked (dissertation, section 9.6): only who has lost the leader itself.
 * Seen where it is said, and not by what becomes of it: a leader that is deposed with its followers content is back soon after, and
 * nothing is lost but time.
 */
import type { ConsensusView } from '../../raft/types.ts'
import type { ReplicaInput, ReplicaSend } from '../../replica/types.ts'
import { flagIn, numberIn, raftTypeOf } from '../peek.ts'
import { type Process, TIMING } from '../process.ts'
import type { Memory } from './memory.ts'

/** The last that somebody said as the leader of a term. */
interface Heard {
  readonly from: string
  readonly term: number
  readonly atUs: number
}

/** A follower is patient for longer than this, however fast its clock. */
const CONTENT_US = ((TIMING.raft.electionTimeoutMinMs ?? TIMING.raft.electionTimeoutMs) * 1_000) / 2

export class PreVoteOracle {
  readonly #memory: Memory
  readonly #heard = new WeakMap<Process, Heard>()

  constructor(memory: Memory) {
    this.#memory = memory
  }

  stepped(process: Process, { role, term }: ConsensusView, input: ReplicaInput | undefined): void {
    if (input?.type !== 'frame' || role !== 'follower') return
    const { from, frame } = input
    const type = raftTypeOf(frame)
    if (type !== 'heartbeat' && type !== 'append' && type !== 'commit') return
    if (numberIn(frame, 0) === term) this.#heard.set(process, { from, term, atUs: this.#memory.world.nowUs })
  }

  asks(process: Process, sends: readonly ReplicaSend[]): void {
    for (const { to, frame } of sends) {
      const type = raftTypeOf(frame)
      if (type === 'pre-vote-offer' || (type === 'pre-vote-reply' && flagIn(frame, 2))) this.#grants(process, to)
    }
  }

  #grants(process: Process, to: string): void {
    const raft = process.replica.status().raft
    const { world } = this.#memory
    if (raft?.role === 'leader') this.#fail(process, to, `leads term ${raft.term}`)
    const heard = this.#heard.get(process)
    if (raft?.leader === undefined || heard?.term !== raft.term || heard.from === to) return
    const leader = world.machines.find(({ actor }) => actor.peerId === heard.from)
    const silentUs = world.nowUs - heard.atUs
    if (leader?.incarnation !== raft.leader || silentUs >= CONTENT_US / process.machine.clockRate) return
    this.#fail(process, to, `heard ${leader.name}, its leader, ${silentUs / 1_000} ms ago`)
  }

  #fail(process: Process, to: string, why: string): void {
    const whom = this.#memory.world.machines.find(({ actor }) => actor.peerId === to)?.name ?? to
    this.#memory.fail('pre-vote-is-earned', process, `it would vote for ${whom}, and ${why}`)
  }
}
