/** The face that programs see: each question goes to the part of the node that knows the answer. */
import { toHex } from '../core/bytes.ts'
import { isTimeout, raceAbort } from '../core/deadline.ts'
import type { MemberOperation } from '../replica/index.ts'
import type { Client } from './client.ts'
import { NotReadyError } from './errors.ts'
import type { NodeParts } from './node-parts.ts'
import type { Reporter } from './reporter.ts'
import { members, nodeStatus, type StatusFacts } from './status.ts'
import type {
  CallOptions,
  LeaderInfo,
  MemberInfo,
  NodeEventName,
  NodeListener,
  NodeStatus,
  QuorateNode,
  ReadyInfo
} from './types.ts'

/** What stands behind the face. */
export interface Inside {
  readonly parts: NodeParts
  readonly reporter: Reporter
  readonly client: Client
  readonly ready: Promise<ReadyInfo>
  readonly stopped: Promise<void>
  facts(): StatusFacts
  waitingFor(): readonly string[]
}

export abstract class NodeFace implements QuorateNode {
  protected abstract readonly inside: Inside

  get peerId(): string {
    return this.inside.parts.home.key.signer.peerId
  }

  get domainId(): string {
    return toHex(this.inside.parts.home.domainId)
  }

  get clusterId(): string | undefined {
    return this.inside.reporter.clusterId
  }

  get leader(): LeaderInfo | undefined {
    return this.inside.reporter.leader
  }

  get stopped(): Promise<void> {
    return this.inside.stopped
  }

  get config(): QuorateNode['config'] {
    return this.inside.client.config
  }

  async ready({ signal }: CallOptions = {}): Promise<ReadyInfo> {
    const askedAt = this.inside.parts.clock.now()
    try {
      return await raceAbort(this.inside.ready, signal)
    } catch (error) {
      if (!isTimeout(error) || error !== signal?.reason) throw error
      const waitedMs = Math.round(this.inside.parts.clock.now() - askedAt)
      throw new NotReadyError(
        `${waitedMs} ms`,
        this.inside.reporter.stage,
        this.inside.waitingFor(),
        this.status().advice
      )
    }
  }

  status(): NodeStatus {
    return nodeStatus(this.inside.facts())
  }

  members(): readonly MemberInfo[] {
    return members(this.inside.facts())
  }

  transfer(options: CallOptions & { readonly to?: string } = {}): Promise<LeaderInfo> {
    return this.inside.client.transfer(options)
  }

  promote(member: string, { signal }: CallOptions = {}): Promise<readonly MemberInfo[]> {
    return this.#changeMembers({ op: 'promote', member }, signal)
  }

  demote(member: string, { signal }: CallOptions = {}): Promise<readonly MemberInfo[]> {
    return this.#changeMembers({ op: 'demote', member }, signal)
  }

  remove(member: string, { signal }: CallOptions = {}): Promise<readonly MemberInfo[]> {
    return this.#changeMembers({ op: 'remove', member }, signal)
  }

  replace(member: string, { by, signal }: CallOptions & { readonly by?: string } = {}): Promise<readonly MemberInfo[]> {
    return this.#changeMembers({ op: 'replace', member, by }, signal)
  }

  async #changeMembers(operation: MemberOperation, signal: AbortSignal | undefined): Promise<readonly MemberInfo[]> {
    await this.inside.client.changeMembers(operation, signal)
    return this.members()
  }

  async leave({ signal }: CallOptions = {}): Promise<void> {
    await this.inside.client.leave(signal)
    await this.stop()
  }

  addEventListener<N extends NodeEventName>(name: N, listener: NodeListener<N>): void {
    this.inside.parts.events.addEventListener(name, listener as (event: Event) => void)
  }

  removeEventListener<N extends NodeEventName>(name: N, listener: NodeListener<N>): void {
    this.inside.parts.events.removeEventListener(name, listener as (event: Event) => void)
  }

  abstract stop(options?: CallOptions): Promise<void>

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
