/**
 * Whom a vote may go to (paper, section 5.4.1): to somebody who asks for it in that very term, with a log that is at least as new as the
 * voter's. A leader that hands over gives its vote for the next term unasked; then that log is on the target's disk already. Seen where it
 * is given, and not by what becomes of it: such a candidate may lose, or win and hold everything all the same.
 */
import type { ConsensusView, LogPosition } from '../../raft/types.ts'
import type { Process } from '../process.ts'
import type { Memory, Place, View } from './memory.ts'

/** After its last step. */
interface Seen {
  term: number
  leads: boolean
  votedFor: string | undefined
  lastTerm: number
  lastIndex: number
}

export class VoteOracle {
  readonly #memory: Memory
  readonly #seen = new WeakMap<Process, Seen>()
  /** Where the logs of candidates ended, by cluster, term and incarnation; of a copied machine two may ask. */
  readonly #asked = new Map<string, LogPosition[]>()

  constructor(memory: Memory) {
    this.#memory = memory
  }

  stepped(process: Process, view: View, { role, term, votedFor }: ConsensusView): void {
    const { log } = view
    const leads = role === 'leader'
    const lastTerm = log.at(-1)?.term ?? 0
    const before = this.#seen.get(process)
    // What a life begins with was given by an earlier one, or with the founding certificate.
    if (before === undefined) this.#seen.set(process, { term, leads, votedFor, lastTerm, lastIndex: log.length })
    if (before?.term !== term || before.votedFor !== votedFor) this.#voted(process, view, term, votedFor, before)
    if (before === undefined) return
    before.term = term
    before.leads = leads
    before.votedFor = votedFor
    before.lastTerm = lastTerm
    before.lastIndex = log.length
  }

  #voted(process: Process, view: View, term: number, votedFor: string | undefined, before: Seen | undefined): void {
    if (votedFor === undefined) return
    const key = `${view.clusterId} ${term} ${votedFor}`
    const asked = this.#asked.get(key) ?? []
    if (votedFor === view.incarnation) {
      this.#asked.set(key, [...asked, endOf(view.log)])
    } else if (
      before !== undefined &&
      !asked.some((last) => isAsNew(last, before)) &&
      !this.#mayGoTo(votedFor, term, before)
    ) {
      const name = this.#memory.world.nameOf(votedFor)
      const shown = asked.map(({ index, term: of }) => `${index} of term ${of}`).join(' and ')
      const why = asked.length === 0 ? 'which does not ask for it' : `whose log ends in entry ${shown}`
      const detail = `its own log ends in entry ${before.lastIndex} of term ${before.lastTerm}, and it votes in term ${term} for ${name}, ${why}`
      this.#memory.fail('vote-is-earned', process, detail)
    }
  }

  /** Without a question. Whoever lies (FAULTS B12) may ask for what it likes, and whose disk was set back acknowledged in vain (P6). */
  #mayGoTo(candidate: string, term: number, before: Seen): boolean {
    if (this.#isExcused(candidate)) return true
    return (
      before.leads &&
      term === before.term + 1 &&
      this.#memory.isOnDisk(candidate, ({ log }) => isAsNew(endOf(log), before))
    )
  }

  #isExcused(incarnation: string): boolean {
    return this.#memory.world.machines.some(
      (machine) => (machine.hasLied || machine.distrusted) && machine.incarnation === incarnation
    )
  }
}

const endOf = (log: readonly Place[]): LogPosition => ({ index: log.length, term: log.at(-1)?.term ?? 0 })

const isAsNew = ({ index, term }: LogPosition, { lastTerm, lastIndex }: Seen): boolean =>
  term > lastTerm || (term === lastTerm && index >= lastIndex)
