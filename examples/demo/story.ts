/** The chapters of the demo, in order. Each waits for events of the nodes, never for time to pass. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { controlClient } from '../../src/admin/index.ts'
import type { StampedNodeEvent } from '../../src/node/types.ts'
import { plural } from '../../src/cli/view/text.ts'
import { multicastWorks } from './multicast.ts'
import { DemoError, type DemoNode, Nodes, wallNow } from './nodes.ts'
import type { Show, Timing } from './show.ts'

export interface StoryInit {
  readonly nodes: number
  readonly staticSeeds: boolean
  readonly command: string
  readonly folder: string
  readonly show: Show
  readonly signal: AbortSignal
}

/** Generous: a busy machine with two cores runs all the nodes. */
const FORM_MS_MAX = 60_000
const FAIL_OVER_MS_MAX = 30_000
const CHANGE_MS_MAX = 30_000
const RETURN_MS_MAX = 60_000
const STOP_MS_MAX = 30_000

const LOOPBACK = '127.0.0.1'
const CHANGED = { greeting: 'hello from the survivors' }

export async function tell(init: StoryInit): Promise<void> {
  const story = new Story(init)
  const killAll = (): void => story.nodes.killAll()
  // Also when something unforeseen throws past us.
  process.on('exit', killAll)
  try {
    await story.tell()
  } finally {
    killAll()
    process.off('exit', killAll)
  }
}

class Story {
  readonly nodes: Nodes
  readonly #init: StoryInit
  readonly #show: Show
  readonly #timings: Timing[] = []
  #discovery: 'mdns' | 'static seeds' = 'mdns'
  #founded = false

  constructor(init: StoryInit) {
    this.#init = init
    this.#show = init.show
    const list = Array.from({ length: init.nodes }, (_, i) => ({
      name: `n${i + 1}`,
      dataDir: join(init.folder, `n${i + 1}`)
    }))
    this.nodes = new Nodes(list, [init.command], init.signal, (node, event) => this.#onEvent(node, event))
  }

  async tell(): Promise<void> {
    const { nodes, staticSeeds } = this.#init
    this.#show.title(`quorate demo: ${nodes} processes, each with nothing but its token`, { folder: this.#init.folder })
    await this.#makeDocuments()
    if (staticSeeds || !(await multicastWorks())) {
      this.#discovery = 'static seeds'
      if (!staticSeeds)
        this.#show.note('multicast does not work on this loopback: the nodes get the address of the first')
    }
    await this.#form()
    this.#founded = true
    const killed = await this.#failOver()
    await this.#changeConfig(killed)
    await this.#comeBack(killed)
    await this.#stop()
    const facts = { nodes, discovery: this.#discovery, cluster: this.nodes.list[0]!.cluster }
    this.#show.summary(this.#timings, facts)
  }

  // ── Founding ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #makeDocuments(): Promise<void> {
    const { nodes, command, folder } = this.#init
    const args = [
      'init',
      '--name',
      'demo',
      '--seats',
      String(nodes),
      '--out',
      join(folder, 'documents'),
      '--plaintext-key'
    ]
    await promisify(execFile)(process.execPath, [command, ...args]).catch(
      (error: Error & { readonly stderr?: string }) => {
        throw new DemoError(`quorate init failed: ${error.stderr ?? error.message}`, 1)
      }
    )
  }

  async #form(): Promise<void> {
    const startedAt = wallNow()
    this.#show.step('form', `founding, discovery by ${this.#discovery}`, startedAt)
    const { list } = this.nodes
    await this.#startAll()
    const outcome = await this.nodes.until(
      'founding',
      FORM_MS_MAX,
      () => (list.every(({ done }) => done.has('ready')) ? 'ready' : this.#multicastBlocked()),
      () => this.#missing()
    )
    if (outcome === 'blocked') return this.#formWithSeeds()
    const first = list[0]!
    const clusters = new Set(list.map(({ cluster }) => cluster))
    const hashes = new Set(list.map(({ config }) => `${config?.version} ${config?.hash}`))
    if (clusters.size !== 1 || hashes.size !== 1) {
      throw new DemoError(
        `the nodes disagree: clusters ${[...clusters].join(', ')}; configs ${[...hashes].join(', ')}`,
        1
      )
    }
    const leader = this.#leader(list).name
    const readyAt = Math.max(...list.map(({ done }) => done.get('ready')!))
    const listeningAt = Math.max(...list.map((node) => node.listeningAt!))
    this.#time('processes started → all ready', readyAt - startedAt)
    this.#time('last node listening → all ready', readyAt - listeningAt)
    const text = `one cluster ${short(first.cluster)}, leader ${leader}, config 1 ${short(first.config?.hash)} on all ${list.length}`
    this.#show.done('form', text, {
      cluster: first.cluster,
      leader,
      configHash: first.config?.hash,
      ms: readyAt - startedAt
    })
  }

  /** With static seeds the first node comes first: somebody's address must be known. */
  async #startAll(): Promise<void> {
    const [first, ...others] = this.nodes.list
    if (this.#discovery === 'mdns') {
      for (const node of this.nodes.list) this.#start(node, true)
      return
    }
    this.#start(first!, true)
    await this.nodes.until(
      'the first node to listen',
      FORM_MS_MAX,
      () => (first!.addresses.length > 0 ? true : undefined),
      () => this.#missing()
    )
    for (const node of others) this.#start(node, true)
  }

  /** Later starts need no token: the data directory holds it. */
  #start(node: DemoNode, withToken: boolean): void {
    const { folder } = this.#init
    const seat = this.nodes.list.indexOf(node) + 1
    const token = withToken ? ['--token', join(folder, 'documents', `seat-${seat}.token`)] : []
    const seeds = this.nodes.list.flatMap((other) =>
      other === node || other.exit !== undefined ? [] : other.addresses.slice(0, 1)
    )
    const find =
      this.#discovery === 'mdns'
        ? ['--interface', LOOPBACK]
        : ['--no-mdns', ...(seeds.length === 0 ? [] : ['--seed', ...seeds])]
    const listen = ['--listen', `/ip4/${LOOPBACK}/tcp/0`]
    const pid = this.nodes.start(node, [
      'up',
      '--data',
      node.dataDir,
      ...token,
      ...listen,
      ...find,
      '--json',
      '--stop-with-parent'
    ])
    this.#show.started(node.name, pid)
  }

  /** The nodes themselves found that multicast does not work, before they found each other. */
  #multicastBlocked(): 'blocked' | undefined {
    const { list } = this.nodes
    const found = list.some(({ done }) => done.has('discovery'))
    return this.#discovery === 'mdns' && !found && list.some(({ multicastBlocked }) => multicastBlocked)
      ? 'blocked'
      : undefined
  }

  async #formWithSeeds(): Promise<void> {
    this.#show.note('the nodes say that multicast is blocked here: once more, with the address of the first')
    this.#discovery = 'static seeds'
    for (const node of this.nodes.list) this.nodes.stop(node)
    await this.#allGone(this.nodes.list)
    await this.#form()
  }

  // ── Losing the leader ───────────────────────────────────────────────────────────────────────────────────────────────

  async #failOver(): Promise<DemoNode> {
    const killed = this.#leader(this.nodes.list)
    const term = killed.leader!.term
    const killedAt = wallNow()
    this.#show.step('failover', `kill -9 ${killed.name}, the leader`, killedAt)
    this.nodes.kill(killed)
    const rest = this.nodes.list.filter((node) => node !== killed)
    const next = await this.#newLeader('a new leader', rest, term, FAIL_OVER_MS_MAX)
    this.#time('leader killed → new leader', next.leader!.at - killedAt)
    this.#time('leader killed → writable again', next.writable!.at - killedAt)
    this.#show.done('failover', `${next.name} leads in term ${next.leader!.term} and takes changes`, {
      killed: killed.name,
      leader: next.name,
      term: next.leader!.term,
      leaderMs: next.leader!.at - killedAt,
      writableMs: next.writable!.at - killedAt
    })
    return killed
  }

  /** All of these nodes follow one leader among them, of a later term, whose first entry is committed. */
  #newLeader(what: string, nodes: readonly DemoNode[], afterTerm: number, msMax: number): Promise<DemoNode> {
    return this.nodes.until(
      what,
      msMax,
      () => {
        const leader = nodes.find(
          ({ peerId }) => peerId !== undefined && nodes.every((node) => node.leader?.peer === peerId)
        )
        const term = leader?.leader?.term ?? 0
        return leader !== undefined && term > afterTerm && leader.writable?.term === term ? leader : undefined
      },
      () => this.#missing()
    )
  }

  // ── Changing the config ─────────────────────────────────────────────────────────────────────────────────────────────

  async #changeConfig(killed: DemoNode): Promise<void> {
    const survivors = this.nodes.list.filter((node) => node !== killed)
    const asked = survivors.find((node) => node.leader?.peer !== node.peerId) ?? survivors[0]!
    const askedAt = wallNow()
    this.#show.step('change', `change the config, asking ${asked.name}, which does not lead`, askedAt)
    const config = await controlClient(asked.dataDir).setConfig(CHANGED, {
      ifVersion: 1,
      reason: 'the demo goes on',
      signal: AbortSignal.any([AbortSignal.timeout(CHANGE_MS_MAX), this.#init.signal])
    })
    const answeredAt = wallNow()
    const everywhereAt = await this.#everywhere(survivors, config.version, config.hash, CHANGE_MS_MAX)
    this.#time('config change → committed', answeredAt - askedAt)
    this.#time('config change → on every live node', Math.max(answeredAt, everywhereAt) - askedAt)
    const names = survivors.map(({ name }) => name).join(' ')
    this.#show.done('change', `config ${config.version} ${short(config.hash)} on ${names}`, {
      asked: asked.name,
      ...config
    })
  }

  async #everywhere(nodes: readonly DemoNode[], version: number, hash: string, msMax: number): Promise<number> {
    const has = ({ config, done }: DemoNode): boolean =>
      done.has('ready') && config?.version === version && config.hash === hash
    await this.nodes.until(
      `config ${version} on ${nodes.map(({ name }) => name).join(', ')}`,
      msMax,
      () => (nodes.every(has) ? true : undefined),
      () =>
        `missing on ${nodes
          .filter((node) => !has(node))
          .map(({ name }) => name)
          .join(', ')}`
    )
    return Math.max(...nodes.flatMap(({ config, done }) => [config!.at, done.get('ready')!]))
  }

  // ── Coming back ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async #comeBack(killed: DemoNode): Promise<void> {
    const { config } = this.nodes.list.find((node) => node !== killed)!
    const startedAt = wallNow()
    await this.#allGone([killed])
    this.#show.step('return', `${killed.name} comes back; its data directory is all that it needs`, startedAt)
    this.#start(killed, false)
    const caughtUpAt = await this.#everywhere([killed], config!.version, config!.hash, RETURN_MS_MAX)
    this.#time('killed node started → caught up', caughtUpAt - startedAt)
    this.#show.done('return', `${killed.name} has config ${config!.version} ${short(config!.hash)} too`, {
      returned: killed.name,
      version: config!.version,
      hash: config!.hash,
      ms: caughtUpAt - startedAt
    })
  }

  // ── Leaving in order ────────────────────────────────────────────────────────────────────────────────────────────────

  async #stop(): Promise<void> {
    const { list } = this.nodes
    const leader = this.#leader(list)
    const { term } = leader.leader!
    const askedAt = wallNow()
    this.#show.step('stop', `stop ${leader.name}, the leader, in order (SIGTERM), then the others`, askedAt)
    this.nodes.stop(leader)
    const rest = list.filter((node) => node !== leader)
    const next = await this.#newLeader('the hand-over', rest, term, STOP_MS_MAX)
    const handedOverMs = next.writable!.at - askedAt
    this.#time('leader asked to stop → successor writable', handedOverMs)
    await this.#allGone([leader])
    for (const node of rest) this.nodes.stop(node)
    await this.#allGone(rest)
    const bad = list.find(({ exit }) => exit?.code !== 0)
    if (bad !== undefined)
      throw new DemoError(`${bad.name} ended with ${bad.exit?.code ?? bad.exit?.signal}: ${bad.stderr.trim()}`, 1)
    this.#show.done('stop', `${leader.name} handed over to ${next.name}; all ended with exit code 0`, {
      from: leader.name,
      to: next.name,
      term: next.leader!.term,
      handedOverMs
    })
  }

  async #allGone(nodes: readonly DemoNode[]): Promise<void> {
    await this.nodes.until(
      'the end of processes',
      STOP_MS_MAX,
      () => (nodes.every(({ exit }) => exit !== undefined) ? true : undefined),
      () =>
        `still running: ${nodes
          .filter(({ exit }) => exit === undefined)
          .map(({ name }) => name)
          .join(', ')}`
    )
  }

  // ── Telling ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #leader(nodes: readonly DemoNode[]): DemoNode {
    const leader = nodes.find(({ peerId, leader: known }) => peerId !== undefined && known?.peer === peerId)
    if (leader === undefined) throw new DemoError('no node leads', 1)
    return leader
  }

  /** What every node that is not ready waits for, in its own words. */
  #missing(): string {
    const waiting = this.nodes.list.filter(({ exit, waitingFor }) => exit === undefined && waitingFor.length > 0)
    if (waiting.length === 0) return 'no node says what it waits for'
    return waiting.map(({ name, waitingFor }) => `${name} waits for ${waitingFor.join('; ')}`).join('. ')
  }

  #time(what: string, ms: number): void {
    this.#timings.push({ what, ms })
  }

  #onEvent(node: DemoNode, event: StampedNodeEvent): void {
    this.#show.event(node.name, event)
    const said = this.#lineOf(node, event)
    if (said !== undefined) this.#show.line(event.at, node.name, ...said)
  }

  #lineOf(node: DemoNode, event: StampedNodeEvent): readonly [string, string] | undefined {
    switch (event.event) {
      case 'listening':
        return ['listening', event.addresses.map((address) => address.replace(/\/p2p\/.*/, '')).join(' ')]
      case 'stage':
        return event.status === 'done' ? this.#stageLine(node, event) : undefined
      case 'leader':
        if (!node.done.has('election')) return undefined
        return event.leader === null
          ? ['no leader', `term ${event.term}`]
          : ['follows', `${this.nodes.named(event.leader)}, term ${event.term}`]
      case 'writable':
        return ['writable', `term ${event.term}`]
      case 'config':
        if (!node.done.has('config')) return undefined
        return ['config', `${event.version} ${short(event.hash)}, ${event.reason}`]
      case 'alarm':
        return ['alarm', `${event.code}: ${event.detail}`]
      case 'stopped':
        return ['stopped', event.error?.message ?? '']
      case 'peer':
      case 'ready':
      case 'member':
      case 'waiting':
        return undefined
    }
  }

  /** What a stage has brought, in the words of people. */
  #stageLine(
    node: DemoNode,
    { stage, detail }: Extract<StampedNodeEvent, { event: 'stage' }>
  ): readonly [string, string] | undefined {
    switch (stage) {
      case 'preflight':
      case 'identity':
        return undefined
      case 'discovery':
        return ['discovered', plural(Number(detail?.['peers'] ?? 0), 'peer')]
      case 'authentication':
        return ['authenticated', this.#founded ? 'a member' : `all ${this.nodes.list.length} founders`]
      case 'formation':
        return [this.#founded ? 'knows' : 'founded', `cluster ${short(node.cluster)}`]
      case 'election':
        return [
          this.#founded ? 'follows' : 'elected',
          `${this.nodes.named(node.leader?.peer)}, term ${node.leader?.term}`
        ]
      case 'config':
        return [this.#founded ? 'has' : 'replicated', `config ${node.config?.version} ${short(node.config?.hash)}`]
      case 'ready':
        return ['ready', '']
    }
  }
}

const short = (hex: string | null | undefined): string => hex?.slice(0, 12) ?? '?'
