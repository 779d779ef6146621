/**
 * When a node is ready: a leader is known, and what had committed by then is applied here, also after a restart with an old log.
 */
import type { Client } from './client.ts'
import type { Reporter } from './reporter.ts'
import type { ReadyInfo } from './types.ts'

export interface ReadinessInit {
  readonly client: Client
  readonly reporter: Reporter
  /** Aborts when the node begins to end. */
  readonly ending: AbortSignal
}

export class Readiness {
  readonly #init: ReadinessInit
  readonly #ready = Promise.withResolvers<ReadyInfo>()
  #catchingUp = false

  constructor(init: ReadinessInit) {
    this.#init = init
    // Whoever does not ask must not be killed by an unhandled rejection.
    this.#ready.promise.catch(() => {})
  }

  get promise(): Promise<ReadyInfo> {
    return this.#ready.promise
  }

  /** A leader or a config is new: asks the leader how far it is, unless that is under way. */
  catchUp(): void {
    const { client, reporter, ending } = this.#init
    if (reporter.leader === undefined || this.#catchingUp || reporter.isReady) return
    this.#catchingUp = true
    client
      .barrier(ending)
      .then(
        () => this.#caughtUp(),
        () => {
          // Only the end of this node ends the wait.
        }
      )
      .finally(() => (this.#catchingUp = false))
  }

  /** It never will be. */
  fail(reason: unknown): void {
    this.#ready.reject(reason)
  }

  #caughtUp(): void {
    const { client, reporter } = this.#init
    const current = client.config.get()
    if (current === undefined || reporter.leader === undefined) return
    const { peerId: leader, term } = reporter.leader
    const ready = reporter.ready({ leader, term, configVersion: current.version, configHash: current.hash })
    if (ready !== undefined) this.#ready.resolve(ready)
  }
}
