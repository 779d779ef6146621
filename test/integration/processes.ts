/**
 * Real nodes as real processes: `bin/quorate.js up --json`, watched through their events. Everything that a test starts ends
 * with the test (`--stop-with-parent`, and `endAll`), and everything waits for events, never for time.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  createGenesis,
  createToken,
  generateLocalKey,
  type JsonValue,
  type StampedNodeEvent,
  type TokenInit
} from '../../src/index.ts'

export const QUORATE = fileURLToPath(new URL('../../bin/quorate.js', import.meta.url))

/** Generous: two busy cores start a node in a second and form a cluster in another. */
export const PATIENCE_MS = 60_000

export interface Founding {
  readonly genesis: Uint8Array
  readonly domainId: string
  /** By seat, from 0. */
  readonly tokens: readonly string[]
}

/** `limits` restricts the token of a seat (from 1): dates, or the peer that may use it. */
export async function founding(
  name: string,
  seats: number,
  {
    config = { limit: 1 },
    limits = {}
  }: { readonly config?: JsonValue; readonly limits?: Readonly<Record<number, Omit<TokenInit, 'grant'>>> } = {}
): Promise<Founding> {
  const issuer = generateLocalKey().signer
  const genesis = await createGenesis({ name, foundingSize: seats, config, createdAtMs: Date.now() }, [issuer])
  const tokens: string[] = []
  for (let seat = 1; seat <= seats; seat++) {
    const { text } = await createToken(genesis, [issuer], { grant: { kind: 'founding', seat }, ...limits[seat] })
    tokens.push(new TextDecoder().decode(text.reveal()))
  }
  return { genesis: genesis.bytes, domainId: Buffer.from(genesis.domainId).toString('hex'), tokens }
}

export interface NodeOptions {
  readonly data: string
  readonly token?: string
  /** Further words for `up`. */
  readonly args?: readonly string[]
  /** Runs inside this network namespace; otherwise on loopback, mDNS included. */
  readonly namespace?: string
  /** Beside what this process has. */
  readonly env?: Readonly<Record<string, string>>
}

export class NodeProcess {
  readonly events: StampedNodeEvent[] = []
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  readonly child: ChildProcess
  /** What it could not say as an event. */
  stderr = ''
  readonly #watchers = new Set<() => void>()
  #rest = ''
  #gone = false

  constructor(options: NodeOptions) {
    const local = options.namespace === undefined ? ['--interface', 'lo'] : []
    const words = ['up', '--json', '--stop-with-parent', '--data', options.data, ...local, ...(options.args ?? [])]
    if (options.token !== undefined) words.push('--token', options.token)
    const command = [process.execPath, QUORATE, ...words]
    if (options.namespace !== undefined) command.unshift('ip', 'netns', 'exec', options.namespace)
    const env = { ...process.env, ...options.env }
    this.child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'pipe'], env })
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', (code, signal) => {
        this.#gone = true
        this.#wake()
        resolve({ code, signal })
      })
    })
  }

  /** The first event, from `from` on, that fits. Fails when the process ends or patience does, with what was seen. */
  async until<E extends StampedNodeEvent>(
    what: string,
    fits: (event: StampedNodeEvent) => event is E,
    options?: { readonly from?: number; readonly patienceMs?: number }
  ): Promise<E>
  async until(
    what: string,
    fits: (event: StampedNodeEvent) => boolean,
    options?: { readonly from?: number; readonly patienceMs?: number }
  ): Promise<StampedNodeEvent>
  async until(
    what: string,
    fits: (event: StampedNodeEvent) => boolean,
    { from = 0, patienceMs = PATIENCE_MS }: { readonly from?: number; readonly patienceMs?: number } = {}
  ): Promise<StampedNodeEvent> {
    const { promise, resolve, reject } = Promise.withResolvers<StampedNodeEvent>()
    let at = from
    const look = (): void => {
      for (; at < this.events.length; at++) if (fits(this.events[at]!)) return resolve(this.events[at]!)
      if (this.#gone) reject(new Error(`the process ended before ${what}${this.story()}`))
    }
    const timer = setTimeout(() => reject(new Error(`not within ${patienceMs} ms: ${what}${this.story()}`)), patienceMs)
    this.#watchers.add(look)
    look()
    return promise.finally(() => {
      clearTimeout(timer)
      this.#watchers.delete(look)
    })
  }

  ready(): Promise<Extract<StampedNodeEvent, { event: 'ready' }>> {
    return this.until('ready', (event) => event.event === 'ready')
  }

  /** SIGKILL: no farewell, no flush. Resolves when the process is gone. */
  async kill(): Promise<void> {
    if (!this.#gone) this.child.kill('SIGKILL')
    await this.exited
  }

  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM')
    return (await this.exited).code
  }

  story(): string {
    const lines = this.events.slice(-25).map((event) => JSON.stringify(event).slice(0, 300))
    return `\n--- last events\n${lines.join('\n')}\n--- stderr\n${this.stderr.slice(-2_000)}`
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) if (line !== '') this.events.push(JSON.parse(line) as StampedNodeEvent)
    this.#wake()
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher()
  }
}

/** A folder for the data directories and the processes in it; both end with `close`. */
export class Yard {
  readonly path: string
  readonly #processes: NodeProcess[] = []

  private constructor(path: string) {
    this.path = path
  }

  static async open(): Promise<Yard> {
    return new Yard(await mkdtemp(join(tmpdir(), 'quorate-test-')))
  }

  data(name: string): string {
    return join(this.path, name)
  }

  start(name: string, options: Omit<NodeOptions, 'data'> = {}): NodeProcess {
    const node = new NodeProcess({ data: this.data(name), ...options })
    this.#processes.push(node)
    return node
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((node) => node.kill()))
    await rm(this.path, { recursive: true, force: true })
  }
}

/** A subcommand, run to its end. */
export async function run(
  ...words: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [QUORATE, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = await new Promise<[number | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve([status]))
  })
  return { code, stdout, stderr }
}
