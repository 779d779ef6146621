/** What programs ask of a node, as requests to the replica and their outcomes as values and errors. */
import { toHex, utf8Length } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { raceAbort, startDeadline } from '../core/deadline.ts'
import { invariant } from '../core/invariant.ts'
import { canonicalJson, type JsonValue } from '../core/json.ts'
import { checkNames } from '../core/options.ts'
import { idBytes } from '../core/random.ts'
import type { MemberOperation } from '../replica/index.ts'
import type { ClientOutcome, ClientRequest } from '../replica/types.ts'
import {
  CONFIG_BYTES_MAX,
  ConfigTooLargeError,
  type ConfigState,
  configErrorOf,
  encodeCommand
} from '../replicated-config/index.ts'
import { REQUEST_DEADLINE_MS } from './callers.ts'
import { RequestRefusedError } from './errors.ts'
import { configHistory, currentConfig } from './status.ts'
import { updateConfig } from './update-config.ts'
import type { CallOptions, ConfigVersion, LeaderInfo, QuorateNode } from './types.ts'

export interface ClientInit {
  readonly peerId: string
  readonly clock: Clock
  readonly events: EventTarget
  readonly leader: () => LeaderInfo | undefined
  readonly configState: () => ConfigState | undefined
  /** Aborted when the node ends. */
  readonly ending: AbortSignal
  /** Exactly one outcome, or a rejection: see Callers. */
  readonly request: (request: ClientRequest, signal: AbortSignal | undefined) => Promise<ClientOutcome>
}

const WORDS = {
  promote: 'the promotion',
  demote: 'the demotion',
  remove: 'the removal',
  replace: 'the replacement'
} as const

const newRequestId = (): string => toHex(idBytes(16))

export class Client {
  readonly #init: ClientInit
  readonly config: QuorateNode['config']

  constructor(init: ClientInit) {
    this.#init = init
    this.config = {
      get: <T>() => currentConfig(init.configState()) as ConfigVersion<T> | undefined,
      read: async <T>(options?: CallOptions) => (await this.#readConfig(options?.signal)) as ConfigVersion<T>,
      set: (value, options) => this.#setConfig(value, options),
      update: (change, options) => updateConfig(this.config, change, options),
      history: () => configHistory(init.configState())
    }
  }

  /** Resolves when what had committed before the call is applied here. */
  async barrier(signal: AbortSignal | undefined): Promise<void> {
    await this.#ask('the read', { type: 'read', requestId: newRequestId() }, signal)
  }

  async transfer({ to, signal }: CallOptions & { readonly to?: string }): Promise<LeaderInfo> {
    const request = { type: 'transfer', requestId: newRequestId(), to } as const
    const outcome = await this.#ask('the hand-over of leadership', request, signal)
    return this.#leaderIs(outcome.type === 'done' ? outcome.leader : undefined, signal)
  }

  async leave(signal: AbortSignal | undefined): Promise<void> {
    await this.#ask('leaving', { type: 'leave', requestId: newRequestId() }, signal)
  }

  /** Resolves when it has committed, and has been applied here as far as this node still takes part. */
  async changeMembers(operation: MemberOperation, signal: AbortSignal | undefined): Promise<void> {
    await this.#ask(WORDS[operation.op], { type: 'members', requestId: newRequestId(), operation }, signal)
    try {
      await this.barrier(signal)
    } catch {
      // It is decided all the same: the caller has lost patience, or this node is the one that was removed.
    }
  }

  async #readConfig(signal: AbortSignal | undefined): Promise<ConfigVersion> {
    await this.barrier(signal)
    const current = currentConfig(this.#init.configState())
    invariant(current !== undefined, 'a confirmed read follows the first entry of the log')
    return current
  }

  async #setConfig(
    value: JsonValue,
    options: CallOptions & { readonly ifVersion?: number; readonly reason?: string } = {}
  ): Promise<ConfigVersion> {
    // A misspelt ifVersion would replace whatever is there.
    checkNames('options', options, ['ifVersion', 'reason', 'signal'])
    const { ifVersion, reason = '', signal } = options
    const text = canonicalJson(value)
    const bytes = utf8Length(text)
    // The state machine would say so as well, if the log and the way there were wide enough.
    if (bytes > CONFIG_BYTES_MAX) throw new ConfigTooLargeError(bytes)
    const requestId = newRequestId()
    const data = encodeCommand({
      kind: 'config-set',
      requestId,
      author: this.#init.peerId,
      at: Math.floor(this.#init.clock.wallNow()),
      reason,
      text,
      ...(ifVersion === undefined ? {} : { ifVersion })
    })
    const outcome = await this.#ask('the config change', { type: 'command', requestId, data }, signal)
    invariant(outcome.type === 'applied', 'a command ends by its application')
    const { result } = outcome
    if (result.type === 'set') {
      return { version: result.version, hash: result.hash, value: JSON.parse(text) as JsonValue }
    }
    throw configErrorOf(result) ?? new RequestRefusedError('the config change', result.type, '')
  }

  /** The new leader's first message to us may still be on its way. */
  #leaderIs(peerId: string | undefined, signal: AbortSignal | undefined): Promise<LeaderInfo> {
    const { clock, events, leader, ending } = this.#init
    const { promise, resolve } = Promise.withResolvers<LeaderInfo>()
    const onLeader = (): void => {
      const now = leader()
      if (now !== undefined && (peerId === undefined || now.peerId === peerId)) resolve(now)
    }
    events.addEventListener('leader', onLeader)
    onLeader()
    const deadline = startDeadline(clock, REQUEST_DEADLINE_MS, { parent: signal })
    return raceAbort(raceAbort(promise, deadline.signal), ending).finally(() => {
      deadline.cancel()
      events.removeEventListener('leader', onLeader)
    })
  }

  async #ask(
    what: string,
    request: ClientRequest,
    signal: AbortSignal | undefined
  ): Promise<Exclude<ClientOutcome, { type: 'refused' }>> {
    const outcome = await this.#init.request(request, signal)
    if (outcome.type === 'refused') throw new RequestRefusedError(what, outcome.code, outcome.detail)
    return outcome
  }
}
