/** Invariants 14, 15, 16 and 27 as far as one look can tell: config versions, and what callers are told. */
import type { ClientOutcome } from '../../replica/types.ts'
import { recordAt } from '../../replicated-config/index.ts'
import type { Process } from '../machine.ts'
import type { Cluster, Memory, View } from './memory.ts'

export class CallerOracle {
  readonly #memory: Memory
  /** Highest config version that any caller was told of. */
  #acknowledged = 0
  readonly #reads = new Map<string, number>()
  readonly #applied = new Map<string, string>()
  /** The callers of this run never ask for the same value twice, so a value has one version. */
  valuesAreUnique = false

  constructor(memory: Memory) {
    this.#memory = memory
  }

  config(process: Process, view: View, version: number, hash: string): void {
    const cluster = this.#memory.clusterFor(view)
    const jumps = view.mayJump && version > view.version
    if (version !== view.version + 1 && !jumps) {
      this.#memory.fail('config-order', process, `config ${version} follows ${view.version}`)
    }
    const known = cluster?.configs.get(version)
    if (known === undefined) cluster?.configs.set(version, hash)
    else if (known !== hash) {
      const detail = `config ${version} has hash ${hash.slice(0, 8)} here and ${known.slice(0, 8)} elsewhere`
      this.#memory.fail('config-agreement', process, detail)
    }
    // Several versions may have been applied in one step; history holds them in full.
    const { config } = process.replica
    const record = config === undefined ? undefined : recordAt(config, version)
    if (record !== undefined) {
      if (version > 1 && view.hash !== '' && !jumps && record.previousHash !== view.hash) {
        this.#memory.fail('config-order', process, `config ${version} names another one before it than was here`)
      }
      if (this.valuesAreUnique && cluster !== undefined) this.#once(process, cluster, version, record.text)
    }
    view.version = version
    view.mayJump = false
    view.hash = hash
  }

  /** A request that is tried again takes effect once, whoever led when (invariant: exactly once). */
  #once(process: Process, { versionOf }: Cluster, version: number, text: string): void {
    const known = versionOf.get(text)
    if (known === undefined) versionOf.set(text, version)
    else if (known !== version) {
      this.#memory.fail('exactly-once', process, `one request made config ${known} and config ${version}`)
    }
  }

  asksToRead(requestId: string): void {
    this.#reads.set(requestId, this.#acknowledged)
  }

  /** A caller was answered: reads are no older than what callers knew when they asked; a request is applied once. */
  settled(process: Process, outcome: ClientOutcome): void {
    const { requestId } = outcome
    if (outcome.type === 'done') {
      const known = this.#reads.get(requestId)
      const version = this.#memory.views.get(process)?.version ?? 0
      if (known !== undefined && version < known) {
        const detail = `a read sees config ${version}; ${known} was acknowledged before it was asked for`
        this.#memory.fail('linearizable-read', process, detail)
      }
    }
    if (outcome.type !== 'applied' || outcome.result.type !== 'set') return
    const text = `${outcome.result.version}/${outcome.result.hash}`
    const before = this.#applied.get(requestId)
    if (before !== undefined && before !== text) {
      this.#memory.fail('exactly-once', process, `request ${requestId} was applied as ${before} and as ${text}`)
    }
    this.#applied.set(requestId, text)
    if (outcome.result.version > this.#acknowledged) this.#acknowledged = outcome.result.version
  }
}
