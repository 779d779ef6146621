/** The cluster that a test drives. A wait asks again after every event of every node, so it ends as soon as it can. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { toHex } from '../core/bytes.ts'
import { systemClock } from '../core/clock.ts'
import { isTimeout, raceAbort, startDeadline } from '../core/deadline.ts'
import { InvalidOptionError } from '../core/errors.ts'
import { secureBytes } from '../core/random.ts'
import type { VerifiedGenesis } from '../identity/genesis.ts'
import type { Signer } from '../identity/signer.ts'
import { createToken, type TokenInit } from '../identity/token.ts'
import type { ConfigVersion, QuorateNode } from '../node/types.ts'
import { LocalClusterTimeoutError } from './errors.ts'
import { LocalNode } from './local-node.ts'
import { LocalNetwork } from './network.ts'
import { checkDelay, type DataHome } from './options.ts'
import type { LocalCluster, LocalClusterInit, NodeRef, WaitOptions } from './types.ts'

export interface ClusterInit extends DataHome {
  readonly genesis: VerifiedGenesis
  readonly issuer: Signer
  readonly priorities: readonly number[]
  readonly delayMs: number
  readonly snapshots: LocalClusterInit['snapshots']
  readonly logger: LocalClusterInit['logger']
}

const WAIT_MS = 10_000

export class Cluster implements LocalCluster {
  readonly #init: ClusterInit
  readonly #network: LocalNetwork
  readonly #places: LocalNode[] = []
  readonly #watchers = new Set<() => void>()
  #looking = false
  #closing: Promise<void> | undefined

  constructor(init: ClusterInit) {
    this.#init = init
    const id = toHex(secureBytes(6))
    this.#network = new LocalNetwork({ clock: systemClock, delayMs: init.delayMs, id })
  }

  async found(size: number): Promise<void> {
    const places = Array.from({ length: size }, (_, i) => i)
    const seats = await Promise.all(
      places.map((place) => this.#makePlace(place, places, { kind: 'founding', seat: place + 1 }))
    )
    this.#places.push(...seats)
    // All of them: whoever is still on its way up when another fails would come up behind the back of `close`.
    const starts = await Promise.allSettled(seats.map((seat) => seat.start()))
    const failed = starts.find((start) => start.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  // ── What is there ───────────────────────────────────────────────────────────────────────────────────────────────────

  get nodes(): readonly QuorateNode[] {
    return this.#places.map(({ node }) => node)
  }

  get dataDir(): string {
    return this.#init.dataDir
  }

  isRunning(node: NodeRef): boolean {
    return this.#place(node).isRunning
  }

  get #running(): readonly LocalNode[] {
    return this.#places.filter(({ isRunning }) => isRunning)
  }

  // ── What can be waited for ──────────────────────────────────────────────────────────────────────────────────────────

  async ready(options: WaitOptions = {}): Promise<void> {
    const running = this.#running
    let ready = 0
    for (const { node } of running) {
      node.ready().then(
        () => {
          ready++
          this.#changed()
        },
        () => {
          // Why it stopped is in the standing of the nodes.
        }
      )
    }
    await this.until('every node is ready', () => ready === running.length, options)
  }

  leader(options: WaitOptions = {}): Promise<QuorateNode> {
    return this.until('a leader', () => this.#running.find((place) => this.#leads(place))?.node, options)
  }

  agreed({ version = 1, ...options }: WaitOptions & { readonly version?: number } = {}): Promise<ConfigVersion> {
    return this.until(
      `the same config, version ${version} or later, on every node`,
      () => {
        const configs = this.#running.map(({ node }) => node.config.get())
        const [first] = configs
        if (first === undefined || first.version < version) return undefined
        return configs.every((config) => config?.hash === first.hash) ? first : undefined
      },
      options
    )
  }

  async until<T>(
    what: string,
    look: () => T | undefined | false,
    { signal, timeoutMs = WAIT_MS }: WaitOptions = {}
  ): Promise<T> {
    const found = Promise.withResolvers<T>()
    const watcher = (): void => {
      try {
        const seen = look()
        if (seen !== undefined && seen !== false) found.resolve(seen)
      } catch (error) {
        found.reject(error)
      }
    }
    const deadline = startDeadline(systemClock, timeoutMs, { parent: signal })
    this.#watchers.add(watcher)
    try {
      watcher()
      return await raceAbort(found.promise, deadline.signal)
    } catch (error) {
      if (!isTimeout(error) || error !== deadline.signal.reason || signal?.aborted === true) throw error
      throw new LocalClusterTimeoutError(what, timeoutMs, this.#standing())
    } finally {
      this.#watchers.delete(watcher)
      deadline.cancel()
    }
  }

  /** A majority of all voters, among those that it reaches, says so. */
  #leads(place: LocalNode): boolean {
    const { node, index } = place
    const { role, writable, term, members } = node.status()
    if (role !== 'leader' || !writable) return false
    const voters = new Set(members.filter((member) => member.role === 'voter').map(({ peerId }) => peerId))
    const followers = this.#running.filter(
      (other) =>
        this.#network.reaches(index, other.index) &&
        voters.has(other.node.peerId) &&
        other.node.leader?.peerId === node.peerId &&
        other.node.leader.term === term
    )
    return followers.length * 2 > voters.size
  }

  #standing(): readonly string[] {
    return this.#places.map(({ index, node, isRunning }) => {
      if (!isRunning) return `node ${index} is down`
      const { role, term, stage, config, waitingFor } = node.status()
      const leads = this.#places.find((other) => other.node.peerId === node.leader?.peerId)
      const follows = leads === undefined ? 'no leader' : `leader node ${leads.index}`
      const held = config === null ? 'no config' : `config ${config.version}`
      const waits = waitingFor.length === 0 ? '' : `, waits for: ${waitingFor.join('; ')}`
      return `node ${index} is ${role ?? `at stage ${stage}`}, term ${term}, ${follows}, ${held}${waits}`
    })
  }

  /** Looks once for everything that happened in this turn, and never from within a node's own step. */
  readonly #changed = (): void => {
    if (this.#looking) return
    this.#looking = true
    queueMicrotask(() => {
      this.#looking = false
      for (const watcher of [...this.#watchers]) watcher()
    })
  }

  // ── Machines ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async stop(node: NodeRef): Promise<void> {
    await this.#place(node).stop()
    this.#changed()
  }

  async crash(node: NodeRef): Promise<void> {
    await this.#place(node).crash()
    this.#changed()
  }

  async restart(node: NodeRef): Promise<QuorateNode> {
    this.#assertOpen()
    const place = this.#place(node)
    await place.stop()
    return place.start()
  }

  async add({ role = 'voter' }: { readonly role?: 'voter' | 'observer' } = {}): Promise<QuorateNode> {
    this.#assertOpen()
    const index = this.#places.length
    const others = this.#places.map((place) => place.index)
    const place = await this.#makePlace(index, others, { kind: 'join', role })
    const node = await place.start()
    this.#places.push(place)
    return node
  }

  // ── Network ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  partition(groups: readonly (readonly NodeRef[])[]): void {
    const places = groups.map((group) => group.map((node) => this.#place(node).index))
    const all = places.flat()
    const twice = all.find((place, i) => all.indexOf(place) !== i)
    if (twice !== undefined) throw new InvalidOptionError(`node ${twice} is in two groups of the partition`)
    this.#network.partition(places)
    this.#changed()
  }

  repair(): void {
    this.#network.repair()
    this.#changed()
  }

  delay(delayMs: number): void {
    checkDelay(delayMs)
    this.#network.delayMs = delayMs
  }

  // ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { dataDir, isTemporary } = this.#init
    // There is nobody to hand over to.
    await Promise.all(this.#places.map((place) => place.crash()))
    if (isTemporary) await rm(dataDir, { recursive: true, force: true })
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new InvalidOptionError('the cluster is closed; make a new one')
  }

  #place(node: NodeRef): LocalNode {
    const place = this.#places.find((one) => (typeof node === 'number' ? one.index === node : one.node === node))
    if (place !== undefined) return place
    throw new InvalidOptionError(
      typeof node === 'number'
        ? `there is no node ${node}; the cluster has the nodes 0 to ${this.#places.length - 1}`
        : `the node ${node.peerId} is not of this cluster, or was restarted since: take it from \`nodes\` again`
    )
  }

  async #makePlace(index: number, others: readonly number[], grant: TokenInit['grant']): Promise<LocalNode> {
    const { genesis, issuer, dataDir, priorities, snapshots, logger } = this.#init
    const { text } = await createToken(genesis, [issuer], { grant, carryGenesis: true })
    return new LocalNode({
      index,
      dataDir: join(dataDir, `node-${index}`),
      token: new TextDecoder().decode(text.reveal()),
      network: this.#network,
      seeds: others.filter((other) => other !== index).map((other) => this.#network.addressOf(other)),
      priority: priorities[index],
      snapshots,
      logger: logger?.(index),
      onEvent: this.#changed
    })
  }
}
