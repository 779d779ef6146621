/**
 * Real nodes for benchmarks: `quorate up --json` processes on loopback with their own data directories, and what they say.
 *
 * Times are the `at` of their events: epoch milliseconds with fractions, made from the monotonic clock that all processes of
 * one machine share and the epoch that each read when it started. The benchmark's own `wallNow` is made the same way. How far
 * the epochs are apart is watched: an event can never be older than the signal that caused it, nor younger than its arrival.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { StampedNodeEvent } from '../../src/node/types.ts'
import { mintTokens } from './tokens.ts'

const COMMAND = fileURLToPath(new URL('../../bin/quorate.js', import.meta.url))

/** A round that takes longer has failed: far above any election timeout on a busy machine. */
const PATIENCE_MS = 60_000

export const wallNow = (): number => performance.timeOrigin + performance.now()

export type EventOf<N extends StampedNodeEvent['event']> = Extract<StampedNodeEvent, { readonly event: N }>

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

  constructor(name: string, dataDir: string, args: readonly string[]) {
    this.name = name
    this.dataDir = dataDir
    this.startedAt = wallNow()
    const words = [COMMAND, 'up', '--json', '--stop-with-parent', '--data', dataDir, ...args]
    this.child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.child.stdin!.on('error', () => {})
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
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

  /** The first event that fits, from `from` on in the order of arrival. */
  until<N extends StampedNodeEvent['event']>(
    event: N,
    fits: (event: EventOf<N>) => boolean = () => true,
    from = 0
  ): Promise<EventOf<N>> {
    const { promise, resolve, reject } = Promise.withResolvers<EventOf<N>>()
    let next = from
    const look = (): void => {
      for (; next < this.events.length; next++) {
        const candidate = this.events[next]!
        if (isEvent(candidate, event) && fits(candidate)) return resolve(candidate)
      }
      if (this.ended) reject(new Error(`${this.name} ended while ${event} was awaited: ${this.#story()}`))
    }
    const timer = setTimeout(
      () => reject(new Error(`${this.name}: no ${event} in time: ${this.#story()}`)),
      PATIENCE_MS
    )
    this.#watchers.add(look)
    look()
    return promise.finally(() => {
      clearTimeout(timer)
      this.#watchers.delete(look)
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
  /** Further words for `up`. */
  readonly args?: readonly string[]
}

/** The data directories and processes of one cluster. */
export class Yard {
  readonly lives: Life[] = []
  readonly #init: YardInit
  readonly #path = mkdtempSync(join(tmpdir(), 'quorate-bench-'))
  readonly #basePort = 20_000 + Math.floor(Math.random() * 20_000)
  #tokens: readonly string[] = []

  constructor(init: YardInit) {
    this.#init = init
  }

  async prepare(): Promise<void> {
    this.#tokens = await mintTokens(this.#init.size)
  }

  /** Starts, or starts again, the node of this seat (from 0). */
  start(seat: number): Life {
    const { size, discovery, args = [] } = this.#init
    const seeds = Array.from({ length: size }, (_, i) => `127.0.0.1:${this.#basePort + i}`).filter((_, i) => i !== seat)
    const find =
      discovery === 'mdns' ? ['--interface', 'lo'] : ['--no-mdns', ...seeds.flatMap((seed) => ['--seed', seed])]
    const port = discovery === 'mdns' ? 0 : this.#basePort + seat
    const words = ['--listen', `/ip4/127.0.0.1/tcp/${port}`, '--token', this.#tokens[seat]!, ...find, ...args]
    const life = new Life(`node ${seat + 1}`, join(this.#path, `n${seat + 1}`), words)
    this.lives[seat] = life
    return life
  }

  async startAll(): Promise<void> {
    for (let seat = 0; seat < this.#init.size; seat++) this.start(seat)
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
