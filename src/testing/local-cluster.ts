/** The cluster that a test drives: its nodes, its faults, and what it can wait for. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { isTimingPreset, type TimingPreset, timingPresets } from '../config-init/index.ts'
import { toHex } from '../core/bytes.ts'
import { systemClock } from '../core/clock.ts'
import { isTimeout, raceAbort, startDeadline } from '../core/deadline.ts'
import { InvalidOptionError } from '../core/errors.ts'
import type { JsonValue } from '../core/json.ts'
import { secureBytes } from '../core/random.ts'
import { createGenesis, type VerifiedGenesis } from '../identity/genesis.ts'
import { generateLocalKey, type Signer } from '../identity/signer.ts'
import { createToken, type TokenInit } from '../identity/token.ts'
import type { CallOptions, ConfigVersion, Logger, QuorateNode, SnapshotPolicy } from '../node/types.ts'
import { LocalClusterTimeoutError } from './errors.ts'
import { LocalNode } from './local-node.ts'
import { LocalNetwork } from './network.ts'

export interface LocalClusterInit {
  /** Founders, 1 to 9. Default 3. */
  readonly nodes?: number
  /** Config version 1. Default `{}`. */
  readonly config?: JsonValue
  /** JSON Schema that every config must fit. Default: none. */
  readonly schema?: JsonValue
  /** Default `lan`, the fastest. */
  readonly timing?: TimingPreset
  /** How long everything is under way between two nodes, one way, in ms. Default 0. */
  readonly delayMs?: number
  /** A new or empty directory, which stays: to look at after a test. Default: a temporary one, removed at the end. */
  readonly dataDir?: string
  /** When nodes save their state and cut their logs. Default: as every node. */
  readonly snapshots?: Partial<SnapshotPolicy>
  /** What the nodes log, by index. Default: nothing. */
  readonly logger?: (index: number) => Logger
}

/** A place in `nodes`, or the node that runs there. */
export type NodeRef = number | QuorateNode

export interface WaitOptions extends CallOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number
}

export interface LocalCluster {
  /** By place; the founders come first. Where nothing runs now: the node that ran there last. */
  readonly nodes: readonly QuorateNode[]
  /** Where nodes keep their data: `node-0`, `node-1` and so on. */
  readonly dataDir: string
  isRunning(node: NodeRef): boolean

  /** Resolves when every running node has a leader and the config. */
  ready(options?: WaitOptions): Promise<void>
  /** The node that leads: it may write, and a majority of the voters that it can reach follows it in the same term. */
  leader(options?: WaitOptions): Promise<QuorateNode>
  /** Resolves when all running nodes hold the same config, of `version` at least. */
  agreed(options?: WaitOptions & { readonly version?: number }): Promise<ConfigVersion>
  /** Whatever `look` finds, as soon as it finds something; it is asked again after every event of every node. */
  until<T>(what: string, look: () => T | undefined | false, options?: WaitOptions): Promise<T>

  /** In good order: leadership is handed over first. Idempotent. */
  stop(node: NodeRef): Promise<void>
  /** As when the process is killed: no hand-over and no goodbye, connections close at once. Idempotent. */
  crash(node: NodeRef): Promise<void>
  /** Starts it again with its data, stopped first if it runs. Resolves when it listens. */
  restart(node: NodeRef): Promise<QuorateNode>
  /** One more machine, with a join token. Resolves when it listens. Default role `voter`: a vote when it has caught up. */
  add(options?: { readonly role?: 'voter' | 'observer' }): Promise<QuorateNode>

  /**
   * Pulls the cables between the groups; nodes that are in none are one more group. Nobody is told, as in a real network: only
   * silence tells. Replaces the partition before it.
   */
  partition(groups: readonly (readonly NodeRef[])[]): void
  /** Plugs them in again: what was held arrives. */
  repair(): void
  /** From now on everything is under way for so long, one way. */
  delay(delayMs: number): void

  /** Ends every node at once and removes a temporary directory. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * A cluster in this process, over libp2p's memory transport. Resolves when every node listens; `ready()` when it serves.
 * Errors: InvalidOptionError.
 */
export async function createLocalCluster(init: LocalClusterInit = {}): Promise<LocalCluster> {
  check(init)
  const { nodes = 3, config, schema, timing = 'lan', delayMs = 0, snapshots, logger } = init
  const issuer = generateLocalKey().signer
  const genesis = await createGenesis(
    {
      name: 'local',
      foundingSize: nodes,
      timing,
      createdAtMs: systemClock.wallNow(),
      ...(config === undefined ? {} : { config }),
      ...(schema === undefined ? {} : { schema })
    },
    [issuer]
  )
  const home = await homeFor(init.dataDir)
  const cluster = new Cluster({ genesis, issuer, delayMs, snapshots, logger, ...home })
  try {
    await cluster.found(nodes)
    return cluster
  } catch (error) {
    await cluster.close()
    throw error
  }
}

const OPTIONS: readonly (keyof LocalClusterInit)[] = [
  'nodes',
  'config',
  'schema',
  'timing',
  'delayMs',
  'dataDir',
  'snapshots',
  'logger'
]

function check(init: LocalClusterInit): void {
  const unknown = Object.keys(init).find((name) => !(OPTIONS as readonly string[]).includes(name))
  if (unknown !== undefined) {
    throw new InvalidOptionError(`unknown option ${unknown}; the options are ${OPTIONS.join(', ')}`)
  }
  const { nodes = 3, timing, delayMs } = init
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > 9) {
    throw new InvalidOptionError(`a cluster has 1 to 9 founders; ${nodes} were asked for`, {
      nextStep: 'Further nodes join a cluster that runs: `await cluster.add()`.'
    })
  }
  if (timing !== undefined && !isTimingPreset(timing)) {
    throw new InvalidOptionError(`timing is ${String(timing)}; it is one of ${Object.keys(timingPresets).join(', ')}`)
  }
  if (delayMs !== undefined) checkDelay(delayMs)
}

function checkDelay(delayMs: number): void {
  if (!Number.isFinite(delayMs) || delayMs < 0) {
    throw new InvalidOptionError(`delayMs is ${delayMs}; it is a number of milliseconds, 0 or more`)
  }
}

interface DataHome {
  readonly dataDir: string
  readonly isTemporary: boolean
}

async function homeFor(given: string | undefined): Promise<DataHome> {
  if (given === undefined) {
    return { dataDir: await mkdtemp(join(tmpdir(), 'quorate-local-')), isTemporary: true }
  }
  const dataDir = resolve(given)
  await mkdir(dataDir, { recursive: true })
  const [first] = await readdir(dataDir)
  if (first !== undefined) {
    throw new InvalidOptionError(`dataDir ${dataDir} is not empty: it holds ${first}`, {
      nextStep: 'Every local cluster is a new one and needs a directory of its own.'
    })
  }
  return { dataDir, isTemporary: false }
}

interface ClusterInit extends DataHome {
  readonly genesis: VerifiedGenesis
  readonly issuer: Signer
  readonly delayMs: number
  readonly snapshots: LocalClusterInit['snapshots']
  readonly logger: LocalClusterInit['logger']
}

const WAIT_MS = 10_000

class Cluster implements LocalCluster {
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
    await Promise.all(seats.map((seat) => seat.start()))
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
    const { genesis, issuer, dataDir, snapshots, logger } = this.#init
    const { text } = await createToken(genesis, [issuer], { grant, carryGenesis: true })
    return new LocalNode({
      index,
      dataDir: join(dataDir, `node-${index}`),
      token: new TextDecoder().decode(text.reveal()),
      network: this.#network,
      seeds: others.filter((other) => other !== index).map((other) => this.#network.addressOf(other)),
      snapshots,
      logger: logger?.(index),
      onEvent: this.#changed
    })
  }
}
