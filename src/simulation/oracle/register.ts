/**
 * Linearizability of the config, checked at each answer (invariant 27).
 *
 * In general it takes a search over orders (Herlihy and Wing, 1990). Here every answer names a version, and versions are the order:
 * a write is where its version begins, a read or a conflict lies within the version that it saw. So there is one order at most, and
 * it is right when it agrees with real time (what is asked after an answer comes after it: a write strictly, a read at the earliest
 * in the same version), with the values, and with the sequential rules of compare-and-set. A write that was never answered counts
 * once somebody has seen its value. Values are asked for once.
 *
 * That this is the same as the search is a test, against the checker that searches (test/linearizability).
 */
export type RegisterCommand<V> =
  | { readonly type: 'read' }
  | { readonly type: 'set'; readonly value: V }
  | { readonly type: 'compare-and-set'; readonly ifVersion: number; readonly value: V }

export type RegisterAnswer<V> =
  | { readonly type: 'value'; readonly version: number; readonly value: V }
  | { readonly type: 'set'; readonly version: number }
  | { readonly type: 'conflict'; readonly actual: number }

interface Asked<V> {
  readonly command: RegisterCommand<V>
  /** The newest version that any answer had shown when it was asked. */
  readonly known: number
}

export class VersionedRegister<V> {
  #newest: number
  readonly #open = new Map<string, Asked<V>>()
  readonly #writes = new Map<V, Asked<V>>()
  readonly #valueOf = new Map<number, V>()
  readonly #versionOf = new Map<V, number>()
  readonly #first: number

  constructor(initial: { readonly version: number; readonly value: V }) {
    this.#first = this.#newest = initial.version
    this.#valueOf.set(initial.version, initial.value)
    this.#versionOf.set(initial.value, initial.version)
  }

  asked(id: string, command: RegisterCommand<V>): void {
    const asked = { command, known: this.#newest }
    this.#open.set(id, asked)
    if (command.type !== 'read') this.#writes.set(command.value, asked)
  }

  /** Why no order explains the answers so far; undefined: one does. What was not asked here is nobody's business. */
  answered(id: string, answer: RegisterAnswer<V>): string | undefined {
    const asked = this.#open.get(id)
    if (asked === undefined) return undefined
    this.#open.delete(id)
    const version = answer.type === 'conflict' ? answer.actual : answer.version
    const problem = this.#order(asked, answer, version) ?? this.#value(asked, answer, version)
    if (version > this.#newest) this.#newest = version
    return problem
  }

  /** Versions below the newest that nobody is known to have written. */
  unexplained(): readonly number[] {
    const versions = Array.from({ length: this.#newest - this.#first }, (_, i) => this.#first + i + 1)
    return versions.filter((version) => !this.#valueOf.has(version))
  }

  #order({ command, known }: Asked<V>, answer: RegisterAnswer<V>, version: number): string | undefined {
    if (version > this.#first + this.#writes.size)
      return `version ${version} was seen, and nobody had asked for so many`
    if (answer.type !== 'set') {
      return version >= known ? undefined : `version ${version} was seen; ${known} was, before this was asked`
    }
    if (version <= known) return `a write made version ${version}; ${known} was seen before it was asked for`
    const { ifVersion } = command as { readonly ifVersion?: number }
    if (ifVersion === undefined || ifVersion === version - 1) return undefined
    return `a write on top of version ${ifVersion} made version ${version}`
  }

  #value({ command }: Asked<V>, answer: RegisterAnswer<V>, version: number): string | undefined {
    if (answer.type === 'conflict') {
      const { ifVersion } = command as { readonly ifVersion?: number }
      return ifVersion === version
        ? `a write on top of version ${version} was told that it is version ${version}`
        : undefined
    }
    if (answer.type === 'value') return this.#bind(version, answer.value)
    return command.type === 'read' ? undefined : this.#bind(version, command.value)
  }

  /** A version has one value, a value one version, and somebody asked for it in time. */
  #bind(version: number, value: V): string | undefined {
    const bound = this.#versionOf.get(value)
    if (bound === version) return undefined
    if (bound !== undefined) return `one write made versions ${bound} and ${version}`
    if (this.#valueOf.has(version)) return `version ${version} has two values`
    this.#valueOf.set(version, value)
    this.#versionOf.set(value, version)
    const write = this.#writes.get(value)
    if (write === undefined) return `version ${version} is nobody's`
    return this.#order(write, { type: 'set', version }, version)
  }
}
