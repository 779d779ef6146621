/**
 * The state machine behind the log: committed entries in, config versions out. The rules are those of `replicated-config`; this
 * file knows which entry means what.
 */
import { equalBytes, utf8 } from '../core/bytes.ts'
import type { Entry } from '../raft/types.ts'
import {
  applyCommand,
  type ApplyResult,
  type ConfigState,
  initialConfig,
  type ValidateConfig
} from '../replicated-config/index.ts'
import type { ReplicaEvent } from './types.ts'

export interface Applied {
  readonly events: readonly ReplicaEvent[]
  /** The command's own request, and how it ended. */
  readonly answer: { readonly requestId: string; readonly result: ApplyResult } | undefined
}

const NOTHING: Applied = { events: [], answer: undefined }

export class ConfigMachine {
  readonly #initialText: string
  readonly #validate: ValidateConfig
  #state: ConfigState | undefined

  /** `initialText` is the canonical JSON of the genesis' config. */
  constructor(initialText: string, validate: ValidateConfig) {
    this.#initialText = initialText
    this.#validate = validate
  }

  /** Undefined until the first entry of the log has committed here. */
  get state(): ConfigState | undefined {
    return this.#state
  }

  apply(entry: Entry): Applied {
    switch (entry.type) {
      case 'membership':
        return NOTHING
      case 'noop':
        return entry.data.byteLength > 0 && this.#state === undefined ? this.#initial(entry.data) : NOTHING
      case 'command':
        return this.#command(entry)
    }
  }

  /** The same bytes stand in the genesis that every member verified; a leader that wrote others is broken or hostile. */
  #initial(data: Uint8Array): Applied {
    this.#state = initialConfig(this.#initialText)
    const events = [reportOf(this.#state)]
    if (!equalBytes(data, utf8(this.#initialText))) {
      const detail = 'the first entry of the log does not carry the config of the genesis; the genesis holds'
      events.unshift({ type: 'alarm', code: 'initial-config-differs', detail })
    }
    return { events, answer: undefined }
  }

  #command(entry: Entry): Applied {
    if (this.#state === undefined) {
      const detail = `entry ${entry.index} is a command before the initial config`
      return { events: [{ type: 'alarm', code: 'log-order', detail }], answer: undefined }
    }
    const { state, result, repeated, requestId } = applyCommand(this.#state, entry, this.#validate)
    this.#state = state
    return {
      events: result.type === 'set' && !repeated ? [reportOf(state)] : [],
      answer: requestId === undefined ? undefined : { requestId, result }
    }
  }
}

function reportOf({ current: { version, hash, author, reason } }: ConfigState): ReplicaEvent {
  return { type: 'config', version, hash, author, reason }
}
