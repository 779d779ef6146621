/** The parent's side of `mdns-child.ts`: starts it, collects what it prints, waits for lines. */
import { spawn } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { LanHost } from './netns.ts'

export interface ChildLine {
  readonly event: 'started' | 'hint' | 'alarm' | 'stopped'
  /** Epoch milliseconds. */
  readonly at: number
  readonly peerId?: string
  readonly addresses?: readonly string[]
  readonly gone?: boolean
  readonly code?: string
  readonly detail?: string
}

export interface MdnsProcessInit {
  readonly kind?: 'ours' | 'vanilla'
  readonly seed: number
  readonly tag: string
  readonly port?: number
  readonly interfaces?: readonly string[]
  /** Where it runs; default: beside the test. */
  readonly host?: LanHost
}

const CHILD = fileURLToPath(new URL('mdns-child.ts', import.meta.url))
const LIMIT_MS = 60_000

export class MdnsProcess {
  readonly lines: ChildLine[] = []
  /** What peers this process knows now, by PeerId. */
  readonly known = new Map<string, readonly string[]>()
  peerId = ''
  readonly #child: ChildProcess
  readonly #listeners = new Set<() => void>()
  #stderr = ''
  #hasExited = false

  constructor(init: MdnsProcessInit) {
    const { host, ...rest } = init
    const args = ['--no-warnings', CHILD, JSON.stringify({ kind: 'ours', port: 4001, ...rest })]
    const options: SpawnOptions = { stdio: ['pipe', 'pipe', 'pipe'] }
    this.#child =
      host === undefined ? spawn(process.execPath, args, options) : host.spawn(process.execPath, args, options)
    this.#child.stderr!.on('data', (data: Buffer) => (this.#stderr += data.toString()))
    this.#child.once('exit', () => {
      this.#hasExited = true
      this.#wake()
    })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#take(JSON.parse(line) as ChildLine))
  }

  /** Resolves when the condition holds; rejects after a minute, or when the process ends before. */
  async until(what: string, condition: () => boolean): Promise<void> {
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#wake()
    }, LIMIT_MS)
    try {
      while (!condition()) {
        if (late || this.#hasExited)
          throw new Error(`${late ? 'too late' : 'the process ended'}: ${what}\n${this.report()}`)
        await new Promise<void>((resolve) => {
          this.#listeners.add(resolve)
        })
      }
    } finally {
      clearTimeout(timer)
    }
  }

  async started(): Promise<void> {
    await this.until('it starts', () => this.peerId !== '')
  }

  async knows(...others: readonly MdnsProcess[]): Promise<void> {
    await this.until(`${this.peerId} knows ${others.map(({ peerId }) => peerId).join(', ')}`, () =>
      others.every(({ peerId }) => this.known.has(peerId))
    )
  }

  alarms(): readonly (string | undefined)[] {
    return this.lines.filter(({ event }) => event === 'alarm').map(({ code }) => code)
  }

  /** Orderly, with a goodbye. */
  async stop(): Promise<void> {
    this.#child.stdin!.end()
    await this.#exited()
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited()
  }

  report(): string {
    return [...this.lines.map((line) => JSON.stringify(line)), this.#stderr].join('\n')
  }

  async #exited(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    await new Promise<void>((resolve) => {
      this.#child.once('exit', () => resolve())
    })
  }

  #take(line: ChildLine): void {
    this.lines.push(line)
    if (line.event === 'started') this.peerId = line.peerId!
    if (line.event === 'hint') {
      if (line.gone === true) this.known.delete(line.peerId!)
      else this.known.set(line.peerId!, line.addresses!)
    }
    this.#wake()
  }

  #wake(): void {
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener()
  }
}

/** A service tag that no other test on this machine uses. */
export const freshTag = (): string =>
  `_q-${Math.floor(Math.random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0')}._udp.local`
