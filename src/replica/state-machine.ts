/**
 * The state machine behind the log: committed entries in, config versions and redeemed tokens out. The rules are those of
 * `replicated-config` and `membership/redemptions`; this file knows which entry means what.
 */
import { equalBytes, utf8 } from '../core/bytes.ts'
import { applyRedeem, decodeRedeem, NO_REDEMPTIONS, type Redeem, type Redemptions } from '../membership/redemptions.ts'
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
  /** A join token was to be redeemed: its bearer may come in, or the bearers of its copies have to go. */
  readonly redeems?: true
}

const NOTHING: Applied = { events: [], answer: undefined }

export class StateMachine {
  readonly #initialText: string
  readonly #validate: ValidateConfig
  #state: ConfigState | undefined
  #redemptions: Redemptions = NO_REDEMPTIONS

  /** `initialText` is the canonical JSON of the genesis' config. */
  constructor(initialText: string, validate: ValidateConfig) {
    this.#initialText = initialText
    this.#validate = validate
  }

  /** Undefined until the first entry of the log has committed here. */
  get state(): ConfigState | undefined {
    return this.#state
  }

  /** Who has used which join token. */
  get redemptions(): Redemptions {
    return this.#redemptions
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
    const redeem = decodeRedeem(entry.data)
    if (redeem !== undefined) return this.#redeem(entry, redeem)
    const { state, result, repeated, requestId } = applyCommand(this.#state, entry, this.#validate)
    this.#state = state
    return {
      events: result.type === 'set' && !repeated ? [reportOf(state)] : [],
      answer: requestId === undefined ? undefined : { requestId, result }
    }
  }

  #redeem({ index }: Entry, redeem: Redeem | 'malformed'): Applied {
    if (redeem === 'malformed') {
      const detail = `entry ${index} redeems a token in a way that this version cannot read`
      return { events: [{ type: 'alarm', code: 'log-order', detail }], answer: undefined }
    }
    this.#redemptions = applyRedeem(this.#redemptions, redeem).state
    return { ...NOTHING, redeems: true }
  }
}

function reportOf({ current: { version, hash, author, reason } }: ConfigState): ReplicaEvent {
  return { type: 'config', version, hash, author, reason }
}
