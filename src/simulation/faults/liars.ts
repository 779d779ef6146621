/**
 * Admitted peers that say what no correct one would: numbers that cannot be, and votes of those who have none (FAULTS B12, B13). Quorate
 * is no Byzantine system, and a voter that lies well can break it; but what cannot be true is believed from nobody, and whoever has no
 * vote is not counted, whatever it says.
 */
import type { Random } from '../../core/random.ts'
import type { RaftMessage } from '../../raft/messages.ts'
import { TERM_JUMP_MAX } from '../../raft/term-jump.ts'
import type { Membership, RaftStatus } from '../../raft/types.ts'
import { encodeFrame } from '../../replica/frames.ts'
import { namedBy } from '../../replica/incarnations.ts'
import type { Machine } from '../machine.ts'
import type { Process } from '../process.ts'
import type { Fault } from './kinds.ts'
import type { Scene } from './scene.ts'

export class Liars {
  readonly #scene: Scene
  /** What each process was told last. */
  readonly #votes = new WeakMap<Process, { readonly name: string; readonly frames: readonly Uint8Array[] }>()

  constructor(scene: Scene) {
    this.#scene = scene
  }

  begin(fault: Fault): void {
    const [first, second] = this.#scene.machines(fault)
    if (fault.id === 'B12') this.#boast(fault, first!, second!)
    else this.#usurp(fault, fault.value)
  }

  /** Terms that nobody can be in, entries that nobody has, an office that somebody else holds. */
  #boast(fault: Fault, from: Machine, to: Machine): void {
    const { process } = to
    if (process === undefined || process.paused || process.sessions.get(from.actor.peerId)?.isWith(from) !== true)
      return
    const { lost } = this.#scene
    if (!lost.has(from) && !this.#scene.mayLose()) return
    lost.add(from)
    from.hasLied = true
    const random = this.#scene.random(fault)
    for (let i = 0; i < fault.value; i++) {
      const status = process.replica.status().raft
      // Whoever is no member yet has to begin with somebody's term.
      if (status === undefined || !namedBy(status.membership).includes(to.incarnation)) return
      const message = lie(random, status, from.incarnation)
      if (message === undefined) continue
      this.#scene.world.fired('B12')
      this.#scene.world.oracle.unmoved(process, `a false ${message.type}`, () => this.#say(from, process, message))
      if (!process.alive) return
    }
  }

  /** Goes on for `times` ms, so that it meets elections: whoever has no vote gives it to everybody. */
  #usurp(fault: Fault, times: number): void {
    const { world } = this.#scene
    if (times <= 0) return
    const voters = world.machines.flatMap(({ process }) => process?.replica.consensus()?.membership.voters ?? [])
    const from = world.machines.find(
      ({ process, incarnation }) => process?.paused === false && !voters.includes(incarnation)
    )
    // There are voters only: somebody with a join token comes.
    if (from === undefined && voters.length > 0) world.start(world.holder(world.cast.copied.observer.holders[0]!))
    for (const { process } of world.machines) {
      if (from !== undefined && process !== undefined) this.#vote(from, process)
    }
    this.#scene.later(1, () => this.#usurp(fault, times - 1))
  }

  #vote(from: Machine, process: Process): void {
    const status = process.replica.consensus()
    if (status === undefined || process.paused || process.sessions.get(from.actor.peerId)?.isWith(from) !== true) return
    const { term, lastIndex, membership } = status
    this.#scene.world.fired('B13')
    // Whoever has signed no such vote is barred for it, as one that has forgotten it.
    from.hasLied = true
    // What a learner acknowledges counts for its own progress, and it would be made a voter by a lie.
    const acknowledges = !isNamed(membership, from.incarnation)
    for (const frame of this.#votesOf(process, term, lastIndex, acknowledges)) {
      if (process.alive) process.input({ type: 'frame', from: from.actor.peerId, frame })
    }
  }

  /** The same until it gets further: there are thousands of them, a millisecond apart. */
  #votesOf(process: Process, term: number, lastIndex: number, acknowledges: boolean): readonly Uint8Array[] {
    const name = `${term} ${lastIndex} ${acknowledges}`
    let votes = this.#votes.get(process)
    if (votes?.name !== name) {
      const messages: RaftMessage[] = [
        { type: 'vote-reply', term, granted: true },
        { type: 'pre-vote-reply', term, round: 1, granted: true },
        { type: 'pre-vote-offer', nextTerm: term + 1, lastIndex: 0, lastTerm: 0, seq: Number.MAX_SAFE_INTEGER }
      ]
      if (acknowledges) {
        messages.push({ type: 'append-accepted', term, match: lastIndex })
        messages.push({ type: 'heartbeat-reply', term, seq: Number.MAX_SAFE_INTEGER, match: lastIndex })
      }
      votes = { name, frames: messages.map((message) => this.#frameOf(process, message)) }
      this.#votes.set(process, votes)
    }
    return votes.frames
  }

  #say(from: Machine, process: Process, message: RaftMessage): void {
    process.input({ type: 'frame', from: from.actor.peerId, frame: this.#frameOf(process, message) })
  }

  #frameOf(process: Process, message: RaftMessage): Uint8Array {
    const { genesis, crypto } = this.#scene.world.cast
    return encodeFrame(
      { kind: 'raft', message },
      {
        domainId: genesis.domainId,
        clusterId: process.replica.clusterId,
        generation: genesis.genesis.generation,
        readClaim: crypto.readClaim
      }
    )
  }
}

const isNamed = ({ voters, outgoing, learners, learnersNext }: Membership, id: string): boolean =>
  [voters, outgoing, learners, learnersNext].some((part) => part.includes(id))

/** Nothing about the receiver may change by it. Undefined: what was drawn could be true at the moment. */
function lie(random: Random, { term, lastIndex, leader }: RaftStatus, from: string): RaftMessage | undefined {
  const far = Math.min(
    Number.MAX_SAFE_INTEGER,
    random.next() < 0.5 ? Infinity : term + TERM_JUMP_MAX + random.int(1, 1_000)
  )
  const beyond = random.next() < 0.5 ? Number.MAX_SAFE_INTEGER : lastIndex + random.int(1, 1_000)
  switch (random.int(0, 9)) {
    case 0:
      return { type: 'vote', term: far, lastIndex: beyond, lastTerm: far, transfer: random.next() < 0.5 }
    case 1:
      return { type: 'heartbeat', term: far, commit: beyond, seq: 1, waitMs: 0, heir: 1 }
    case 2:
      return { type: 'append', term: far, prevIndex: beyond, prevTerm: far, commit: beyond, entries: [] }
    case 3:
      return { type: 'heartbeat-reply', term: far, seq: beyond, match: beyond }
    case 4:
      return { type: 'vote-reply', term: far, granted: random.next() < 0.5 }
    case 5:
      return { type: 'transfer', term: far, lastIndex: beyond, lastTerm: far }
    case 6:
      return { type: 'append-accepted', term, match: beyond }
    case 7:
      return leader === undefined || leader === from
        ? undefined
        : { type: 'heartbeat', term, commit: beyond, seq: 1, waitMs: 0, heir: 1 }
    case 8:
      return { type: 'pre-vote-offer', nextTerm: far, lastIndex: beyond, lastTerm: far, seq: beyond }
    default:
      return leader === undefined || leader === from ? undefined : { type: 'commit', term, commit: beyond }
  }
}
