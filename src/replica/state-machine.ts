/**
 * The state machine behind the log: committed entries in, config versions, redeemed tokens and denied votes out. The rules are those of
 * `replicated-config` and `membership`; this file knows which entry means what. It can say what all of them led to, and
 * go on from what another one says: a snapshot (`snapshot.ts`).
 */
import { equalBytes, utf8 } from '../core/bytes.ts'
import { decodeDenial, type Denial } from '../membership/denial.ts'
import { applyRedeem, decodeRedeem, NO_REDEMPTIONS, type Redeem, type Redemptions } from '../membership/redemptions.ts'
import { decodeMembership } from '../raft/messages.ts'
import type { Entry, LogPosition, Membership } from '../raft/types.ts'
import {
  ANSWERS_MAX,
  applyCommand,
  type ApplyResult,
  type ConfigState,
  initialConfig,
  type ValidateConfig
} from '../replicated-config/index.ts'
import { MemberHistory } from './incarnations.ts'
import type { AnswerMemory } from './requests.ts'
import { encodeSnapshot, type Snapshot } from './snapshot.ts'
import type { ReplicaEvent } from './types.ts'

export interface Applied {
  readonly events: readonly ReplicaEvent[]
  /** The command's own request, and how it ended. */
  readonly answer: { readonly requestId: string; readonly result: ApplyResult } | undefined
  /** A join token was to be redeemed: its bearer may come in, or the bearers of its copies have to go. */
  readonly redeems?: true
  /** This incarnation gets no vote by itself. */
  readonly denies?: string
}

const NOTHING: Applied = { events: [], answer: undefined }

export class StateMachine {
  readonly #initialText: string
  readonly #validate: ValidateConfig
  #state: ConfigState | undefined
  #redemptions: Redemptions = NO_REDEMPTIONS
  #index = 0
  #term = 0
  /** In force after the newest entry that is applied, and who came before; undefined until founded. */
  #membership: Membership | undefined
  #membershipIndex = 0
  #members: MemberHistory | undefined

  /** `initialText` is the canonical JSON of the genesis' config. */
  constructor(initialText: string, validate: ValidateConfig) {
    this.#initialText = initialText
    this.#validate = validate
  }

  /** Undefined until the first entry of the log has committed here. */
  get state(): ConfigState | undefined {
    return this.#state
  }

  /** How requests ended that are still remembered. */
  get answers(): AnswerMemory {
    const { answered } = this.#state ?? {}
    return {
      find: (requestId) => answered?.find(requestId)?.result,
      isWhole: answered === undefined || answered.length < ANSWERS_MAX
    }
  }

  /** Who has used which join token. */
  get redemptions(): Redemptions {
    return this.#redemptions
  }

  /** Of the newest entry that is applied, or that a snapshot stood for. */
  get position(): LogPosition {
    return { index: this.#index, term: this.#term }
  }

  /** Who votes before the first entry of all. */
  found(membership: Membership): void {
    this.#membership = membership
    this.#members = new MemberHistory(membership)
  }

  /** All that the entries up to `index` led to, as bytes. Undefined before there is a config to speak of. */
  save(): Uint8Array | undefined {
    if (this.#state === undefined || this.#membership === undefined || this.#members === undefined) return undefined
    return encodeSnapshot({
      index: this.#index,
      term: this.#term,
      membership: this.#membership,
      membershipIndex: this.#membershipIndex,
      ...this.#members.remembered(),
      config: this.#state,
      redemptions: this.#redemptions
    })
  }

  /** Goes on from there, as if it had applied all entries up to it; says what is news for people. */
  restore(snapshot: Snapshot): readonly ReplicaEvent[] {
    const before = this.#state?.current.version
    this.#index = snapshot.index
    this.#term = snapshot.term
    this.#membership = snapshot.membership
    this.#membershipIndex = snapshot.membershipIndex
    this.#members = new MemberHistory(snapshot.membership)
    this.#members.restore(snapshot)
    this.#state = snapshot.config
    this.#redemptions = snapshot.redemptions
    return before === snapshot.config.current.version ? [] : [reportOf(snapshot.config)]
  }

  apply(entry: Entry): Applied {
    this.#index = entry.index
    this.#term = entry.term
    switch (entry.type) {
      case 'membership':
        this.#membership = decodeMembership(entry.data)
        this.#membershipIndex = entry.index
        this.#members?.committed(this.#membership, entry.index)
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
    const denial = decodeDenial(entry.data)
    if (denial !== undefined) return this.#deny(entry, denial)
    const { state, result, repeated, requestId } = applyCommand(this.#state, entry, this.#validate)
    this.#state = state
    return {
      events: result.type === 'set' && !repeated ? [reportOf(state)] : [],
      answer: requestId === undefined ? undefined : { requestId, result }
    }
  }

  #redeem(entry: Entry, redeem: Redeem | 'malformed'): Applied {
    if (redeem === 'malformed') return unreadable('redeems a token', entry)
    this.#redemptions = applyRedeem(this.#redemptions, redeem).state
    return { ...NOTHING, redeems: true }
  }

  #deny(entry: Entry, denial: Denial | 'malformed'): Applied {
    if (denial === 'malformed') return unreadable('denies a vote', entry)
    this.#members?.denied(denial.incarnation)
    return { ...NOTHING, denies: denial.incarnation }
  }
}

function unreadable(what: string, { index }: Entry): Applied {
  const detail = `entry ${index} ${what} in a way that this version cannot read`
  return { events: [{ type: 'alarm', code: 'log-order', detail }], answer: undefined }
}

function reportOf({ current: { version, hash, author, reason } }: ConfigState): ReplicaEvent {
  return { type: 'config', version, hash, author, reason }
}
