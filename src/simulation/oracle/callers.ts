/** Invariants 14, 16 and 27: config versions, and what callers are told. */
import type { ClientOutcome } from '../../replica/types.ts'
import { recordAt } from '../../replicated-config/index.ts'
import type { Process } from '../process.ts'
import type { Cluster, Memory, View } from './memory.ts'
import { type RegisterAnswer, type RegisterCommand, VersionedRegister } from './register.ts'

export class CallerOracle {
  readonly #memory: Memory
  readonly #register: VersionedRegister<string>
  readonly #applied = new Map<string, string>()
  /** The callers of this run never ask for the same value twice, so a value has one version. */
  valuesAreUnique = false

  constructor(memory: Memory) {
    this.#memory = memory
    this.#register = new VersionedRegister({ version: 1, value: memory.world.cast.genesis.genesis.config })
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

  asked(requestId: string, command: RegisterCommand<string>): void {
    this.#register.asked(requestId, command)
  }

  /** A caller was answered: one order explains all answers so far, and a request is applied once. */
  settled(process: Process, outcome: ClientOutcome): void {
    const { requestId } = outcome
    const answer = this.#answer(process, outcome)
    // With 2N incarnations there may be two clusters, and two configs.
    const problem = answer === undefined ? undefined : this.#register.answered(requestId, answer)
    if (problem !== undefined && this.#memory.clusters.size === 1) this.#memory.fail('linearizable', process, problem)
    if (outcome.type !== 'applied' || outcome.result.type !== 'set') return
    const text = `${outcome.result.version}/${outcome.result.hash}`
    const before = this.#applied.get(requestId)
    if (before !== undefined && before !== text) {
      this.#memory.fail('exactly-once', process, `request ${requestId} was applied as ${before} and as ${text}`)
    }
    this.#applied.set(requestId, text)
  }

  /** What the caller has learnt: of a read, what the node would show at this moment. */
  #answer({ replica }: Process, outcome: ClientOutcome): RegisterAnswer<string> | undefined {
    if (outcome.type === 'done') {
      const { config } = replica
      return config === undefined
        ? { type: 'value', version: 0, value: '' }
        : { type: 'value', version: config.current.version, value: config.current.text }
    }
    if (outcome.type !== 'applied') return undefined
    const { result } = outcome
    return result.type === 'set' || result.type === 'conflict' ? result : undefined
  }
}
