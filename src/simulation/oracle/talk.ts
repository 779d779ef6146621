/**
 * Invariant 24, where it can be seen as it happens: a leader that asks where a follower's log agrees with its own gets nearer with
 * every rejection. Two that ask and reject for ever lose nothing; without this they would be found by a lack of progress alone, after
 * minutes of a cluster's time.
 */
import type { Process } from '../process.ts'
import { numberIn, raftTypeOf } from '../peek.ts'
import type { Memory } from './memory.ts'

/** What rejects, and whom: since the last acceptance, in one term. */
interface Row {
  readonly term: number
  readonly count: number
}

/** More than appends can be under way, arrive twice and come from before a restart, on top of one for each entry. */
const SPARE = 256

export class TalkOracle {
  readonly #memory: Memory
  readonly #rejections = new WeakMap<Process, Map<string, Row>>()

  constructor(memory: Memory) {
    this.#memory = memory
  }

  sends(process: Process, to: string, frame: Uint8Array): void {
    const type = raftTypeOf(frame)
    if (type === 'append-accepted') this.#rejections.get(process)?.delete(to)
    else if (type === 'append-rejected') this.#rejects(process, to, numberIn(frame, 0))
  }

  #rejects(process: Process, to: string, term: number): void {
    let rows = this.#rejections.get(process)
    if (rows === undefined) this.#rejections.set(process, (rows = new Map()))
    const before = rows.get(to)
    const count = before?.term === term ? before.count + 1 : 1
    rows.set(to, { term, count })
    if (count <= SPARE) return
    const longest = Math.max(...[...this.#memory.views.values()].map(({ log }) => log.length))
    if (count <= SPARE + longest) return
    const detail = `it has rejected ${count} appends of term ${term} in a row; no log has more than ${longest} entries`
    this.#memory.fail('agreement-is-found', process, detail)
  }
}
