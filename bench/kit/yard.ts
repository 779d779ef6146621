/**
 * Real nodes for benchmarks: processes on loopback with their own data directories, and what they say. Most are `quorate up --json`;
 * programs.ts has the others.
 *
 * Times are the `at` of their events: epoch milliseconds with fractions, made from the monotonic clock that all processes of
 * one machine share and the epoch that each read when it started. The benchmark's own `wallNow` is made the same way. How far
 * the epochs are apart is watched: an event can never be older than the signal that caused it, nor younger than its arrival.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TimingPreset } from '../../src/config-init/index.ts'
import type { StampedNodeEvent } from '../../src/node/types.ts'
import { stepInFront } from './observer.ts'
import { portsFrom } from './ports.ts'
import { type Program, wordsOf } from './programs.ts'
import { mintTokens } from './tokens.ts'

/** A round that takes longer has failed: far above any election timeout on a busy machine. */
const PATIENCE_MS = 60_000

/** What was waited for did not happen in a minute. */
export class TooLateError extends Error {}

export const wallNow = (): number => performance.timeOrigin + performance.now()

export type EventOf<N extends StampedNodeEvent['event']> = Extract<StampedNodeEvent, { readonly event: N }>

interface LifeInit {
  readonly name: string
  readonly dataDir: string
  /** What is run, and its own words. */
  readonly program: readonly string[]
  /** Network namespace. */
  readonly namespace: string | undefined
  /** Modules that are loaded before the program. */
  readonly hooks: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** One process life of a node. */
export class Life {
  readonly name: string
  readonly dataDir: string
  readonly startedAt: number
  readonly events: StampedNodeEvent[] = []
  readonly child: ChildProcess
  readonly exited: Promise<void>
  ended = false
  stderr = ''
  /** The largest lead of an event's time over its arrival: above 0 only when the epochs differ. */
  static clockLeadMs = -Infinity
  readonly #watchers = new Set<() => void>()
  #rest = ''

  constructor({ name, dataDir, program, namespace, hooks, env }: LifeInit) {
    this.name = name
    this.dataDir = dataDir
    this.startedAt = wallNow()
    const imports = hooks.flatMap((hook) => ['--import', hook])
    // `ip netns exec` becomes the command: signals and the process id are those of the node.
    const inside = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace]
    const [command, ...rest] = [...inside, process.execPath, ...imports, ...program]
    this.child = spawn(command!, rest, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env }
    })
    stepInFront(this.child.pid)
    this.child.stdin!.on('error', () => {})
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#wake()
    })
    this.exited = new Promise((resolve) => {
      this.child.once('close', () => {
        this.ended = true
        this.#wake()
        resolve()
      })
    })
  }

  get peerId(): string {
    return this.events[0]!.node
  }

  /** The event after which this process knew the leader of its newest term, if it knows one now. */
  get leader(): EventOf<'leader'> | undefined {
    const last = this.events.findLast((event) => event.event === 'leader')
    return last?.leader === null ? undefined : last
  }

  /** Sends a signal and gives the moment just before it. */
  signal(name: NodeJS.Signals): number {
    const at = wallNow()
    this.child.kill(name)
    return at
  }

  /** Writes a line to its standard input. */
  tell(line: string): void {
    this.child.stdin!.write(`${line}\n`)
  }

  /** The first event that fits, from `from` on in the order of arrival. */
  until<N extends StampedNodeEvent['event']>(
    event: N,
    fits: (event: EventOf<N>) => boolean = () => true,
    from = 0
  ): Promise<EventOf<N>> {
    let next = from
    return this.#watch(event, () => {
      for (; next < this.events.length; next++) {
        const candidate = this.events[next]!
        if (isEvent(candidate, event) && fits(candidate)) return candidate
      }
      return undefined
    })
  }

  /** The rest of the first whole line on standard error that begins with `mark`, from this length of it on. */
  untilStderr(mark: string, from: number): Promise<string> {
    return this.#watch(mark, () => {
      const lines = this.stderr.slice(from).split('\n').slice(0, -1)
      return lines.find((line) => line.startsWith(mark))?.slice(mark.length)
    })
  }

  /** What `look` finds, asked at once and whenever something was heard. */
  #watch<T>(what: string, look: () => T | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const again = (): void => {
      const found = look()
      if (found !== undefined) resolve(found)
      else if (this.ended) reject(new Error(`${this.name} ended while ${what} was awaited: ${this.#story()}`))
    }
    const onLate = (): void => reject(new TooLateError(`${this.name}: no ${what} in time: ${this.#story()}`))
    const timer = setTimeout(onLate, PATIENCE_MS)
    this.#watchers.add(again)
    again()
    return promise.finally(() => {
      clearTimeout(timer)
      this.#watchers.delete(again)
    })
  }

  #story(): string {
    const last = this.events.slice(-8).map((event) => JSON.stringify(event).slice(0, 200))
    return [...last, this.stderr.slice(-1_000)].join('\n')
  }

  #read(text: string): void {
    const arrivedAt = wallNow()
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) {
      const event = JSON.parse(line) as StampedNodeEvent
      this.events.push(event)
      Life.clockLeadMs = Math.max(Life.clockLeadMs, event.at - arrivedAt)
    }
    this.#wake()
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher()
  }
}

const isEvent = <N extends StampedNodeEvent['event']>(event: StampedNodeEvent, name: N): event is EventOf<N> =>
  event.event === name

export interface YardInit {
  readonly size: number
  readonly discovery: 'seeds' | 'mdns'
  /** Default: that of the genesis, `lan`. */
  readonly timing?: TimingPreset
  /** Default: the command. */
  readonly program?: Program
  /** Each node in a namespace of its own; `bench/kit/switch.ts`. */
  readonly hosts?: { readonly namespaces: readonly string[]; readonly addresses: readonly string[] }
  /** Modules that are loaded into the nodes before their program, and what they read from the environment. */
  readonly hooks?: readonly string[]
  readonly env?: (yard: { readonly ports: readonly number[] }) => Readonly<Record<string, string>>
}

/** The data directories and processes of one cluster. */
export class Yard {
  readonly lives: Life[] = []
  readonly #init: YardInit
  readonly #path = mkdtempSync(join(tmpdir(), 'quorate-bench-'))
  readonly #basePort = portsFrom()
  #tokens: readonly string[] = []

  constructor(init: YardInit) {
    this.#init = init
  }

  async prepare(): Promise<void> {
    this.#tokens = await mintTokens(this.#init.size)
  }

  /** Where the nodes listen, by seat. */
  get ports(): readonly number[] {
    return Array.from({ length: this.#init.size }, (_, seat) => this.#basePort + seat)
  }

  /** Starts, or starts again, the node of this seat (from 0). */
  start(seat: number): Life {
    const { discovery, timing, program = 'command', hosts, hooks = [], env } = this.#init
    const dataDir = join(this.#path, `n${seat + 1}`)
    const address = (at: number): string => hosts?.addresses[at] ?? '127.0.0.1'
    const seeds = this.ports.map((port, at) => `${address(at)}:${port}`).filter((_, at) => at !== seat)
    const life = new Life({
      ...{ name: `node ${seat + 1}`, dataDir, hooks, env: env?.(this) ?? {}, namespace: hosts?.namespaces[seat] },
      program: wordsOf(program, {
        ...{ dataDir, token: this.#tokens[seat]!, timing },
        listen: `/ip4/${address(seat)}/tcp/${discovery === 'mdns' ? 0 : this.ports[seat]!}`,
        seeds: discovery === 'mdns' ? undefined : seeds
      })
    })
    this.lives[seat] = life
    return life
  }

  /** `started`: called when all processes exist. */
  async startAll(started: () => void = () => {}): Promise<void> {
    for (let seat = 0; seat < this.#init.size; seat++) this.start(seat)
    started()
    await Promise.all(this.lives.map((life) => life.until('ready')))
  }

  living(): Life[] {
    return this.lives.filter(({ ended }) => !ended)
  }

  async close(): Promise<void> {
    for (const life of this.living()) life.signal('SIGKILL')
    await Promise.all(this.lives.map(({ exited }) => exited))
    rmSync(this.#path, { recursive: true, force: true })
  }
}
