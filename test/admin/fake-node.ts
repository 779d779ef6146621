/** A node made of plain facts, for tests of what talks to one. */
import type { JsonValue } from '../../src/core/json.ts'
import { QuorateError } from '../../src/core/errors.ts'
import type {
  CallOptions,
  ConfigHistoryEntry,
  ConfigVersion,
  NodeEvent,
  NodeEventName,
  NodeListener,
  NodeStatus,
  QuorateNode,
  StampedNodeEvent
} from '../../src/node/types.ts'

export const SELF = '12D3KooWSelfSelfSelfSelfSelfSelfSelfSelfSelfSelf1111'
export const OTHER = '12D3KooWOtherOtherOtherOtherOtherOtherOtherOther2222'
export const THIRD = '12D3KooWThirdThirdThirdThirdThirdThirdThirdThird3333'
export const CLUSTER = 'c1'.repeat(32)

export const READY: NodeStatus = {
  node: SELF,
  domain: 'd0'.repeat(32),
  cluster: CLUSTER,
  name: 'plant-7',
  mode: 'seats',
  stage: 'ready',
  role: 'leader',
  term: 3,
  leader: SELF,
  writable: true,
  members: [
    {
      peerId: SELF,
      storeId: '01',
      seat: 1,
      role: 'voter',
      connected: true,
      self: true,
      leader: true,
      vote: 'now',
      barred: undefined,
      address: '/ip4/10.0.0.1/tcp/4001',
      priority: 100,
      heir: undefined
    },
    {
      peerId: OTHER,
      storeId: '02',
      seat: 2,
      role: 'voter',
      connected: true,
      self: false,
      leader: false,
      vote: 'now',
      barred: undefined,
      address: '/ip4/10.0.0.2/tcp/4001',
      priority: 100,
      heir: 1
    },
    {
      peerId: THIRD,
      storeId: '03',
      seat: 3,
      role: 'voter',
      connected: false,
      self: false,
      leader: false,
      vote: 'now',
      barred: undefined,
      address: undefined,
      priority: undefined,
      heir: 2
    }
  ],
  timing: 'lan',
  config: { version: 1, hash: 'ab'.repeat(32) },
  safety: { foundingSize: 3, incarnationsSeen: 4, splitNeeds: 6 },
  barred: [],
  waitingFor: [],
  advice: [],
  addresses: ['/ip4/127.0.0.1/tcp/4001'],
  uptimeMs: 192_000
}

type Listener = Parameters<EventTarget['addEventListener']>[1]

export class FakeNode implements QuorateNode {
  readonly peerId = SELF
  readonly domainId = READY.domain
  readonly clusterId = CLUSTER
  readonly leader = { peerId: SELF, term: 3 }
  facts: NodeStatus = READY
  history: ConfigHistoryEntry[] = []
  /** What was asked, in order. */
  readonly asked: unknown[] = []
  /** Thrown by the next request. */
  failure: Error | undefined
  /** Requests wait for it when set; they see their signal abort. */
  hold: { readonly aborted: Promise<unknown>; readonly signalled: (reason: unknown) => void } | undefined
  readonly stopped: Promise<void>
  readonly #target = new EventTarget()
  #end: () => void = () => {}

  constructor() {
    this.stopped = new Promise((resolve) => (this.#end = resolve))
  }

  async ready(): Promise<never> {
    throw new Error('not used')
  }

  status(): NodeStatus {
    return this.facts
  }

  members(): NodeStatus['members'] {
    return this.facts.members
  }

  readonly config: QuorateNode['config'] = {
    get: <T>() => this.history.at(-1) as unknown as ConfigVersion<T> | undefined,
    read: async <T>({ signal }: CallOptions = {}) => {
      await this.#request(['read'], signal)
      return this.history.at(-1) as unknown as ConfigVersion<T>
    },
    update: () => Promise.reject(new Error('no request of the command makes it')),
    history: () => this.history,
    set: async (value, { signal, ...options } = {}) => {
      await this.#request(['set', value, options], signal)
      return this.commit(value, options.reason ?? '')
    }
  }

  /** What `set` does when nothing is in its way. */
  commit(value: JsonValue, reason: string): ConfigHistoryEntry {
    const version = this.history.length + 1
    const entry = {
      version,
      hash: `h${version}`,
      value,
      previousHash: '',
      author: SELF,
      reason,
      at: 1_795_150_944_252,
      term: 3
    }
    this.history.push(entry)
    this.emit({ event: 'config', version, hash: entry.hash, author: SELF, reason })
    return entry
  }

  async transfer({ signal, ...options }: { signal?: AbortSignal; to?: string } = {}): Promise<{
    peerId: string
    term: number
  }> {
    await this.#request(['transfer', options], signal)
    return { peerId: options.to ?? OTHER, term: 4 }
  }

  promote(peer: string, { signal }: { signal?: AbortSignal } = {}): Promise<NodeStatus['members']> {
    return this.#change(['promote', peer], signal)
  }

  demote(peer: string, { signal }: { signal?: AbortSignal } = {}): Promise<NodeStatus['members']> {
    return this.#change(['demote', peer], signal)
  }

  remove(peer: string, { signal }: { signal?: AbortSignal } = {}): Promise<NodeStatus['members']> {
    return this.#change(['remove', peer], signal)
  }

  replace(peer: string, { signal, by }: { signal?: AbortSignal; by?: string } = {}): Promise<NodeStatus['members']> {
    return this.#change(['replace', peer, by], signal)
  }

  async #change(asked: unknown, signal: AbortSignal | undefined): Promise<NodeStatus['members']> {
    await this.#request(asked, signal)
    return this.facts.members
  }

  async leave({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#request(['leave'], signal)
    await this.stop()
  }

  async stop(): Promise<void> {
    this.emit({ event: 'stopped', reason: 'asked' })
    this.#end()
  }

  addEventListener<N extends NodeEventName>(name: N, listener: NodeListener<N>): void {
    this.listeners++
    this.#target.addEventListener(name, listener as Listener)
  }

  removeEventListener<N extends NodeEventName>(name: N, listener: NodeListener<N>): void {
    this.listeners--
    this.#target.removeEventListener(name, listener as Listener)
  }

  listeners = 0

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  emit(event: NodeEvent): void {
    const detail: StampedNodeEvent = { ...event, at: 1, node: SELF, cluster: CLUSTER, attempt: 1 }
    this.#target.dispatchEvent(new CustomEvent('*', { detail }))
  }

  async #request(asked: unknown, signal: AbortSignal | undefined): Promise<void> {
    this.asked.push(asked)
    const { failure, hold } = this
    if (failure !== undefined) throw failure
    if (hold === undefined) return
    await new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => {
        hold.signalled(signal.reason)
        reject(signal.reason as Error)
      })
    })
  }

  /** From here on requests hang; resolves with the reason for which the first was aborted. */
  hang(): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    this.hold = { aborted: promise, signalled: resolve }
    return promise
  }
}

export const conflict = (): QuorateError =>
  new QuorateError('ConfigConflictError', 'ERR_CONFIG_CONFLICT', 'the config is at version 5, not 4', {
    details: { expected: 4, present: 5, raw: new Uint8Array([1, 2]), big: 12n },
    nextStep: 'Read it again.'
  })
