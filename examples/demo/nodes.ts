/**
 * The demo's nodes: real `quorate up --json` processes, what they have said so far, and a way to wait for what they will say.
 *
 * A node is held by its standard input (`--stop-with-parent`): should the demo die in any way, even by SIGKILL, the pipe
 * closes and the nodes stop by themselves. They run in process groups of their own, so that Ctrl-C reaches the demo alone,
 * which then stops them in order.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { StageName, StampedNodeEvent } from '../../src/node/types.ts'

export const wallNow = (): number => performance.timeOrigin + performance.now()

export interface DemoNode {
  readonly name: string
  readonly dataDir: string
  child: ChildProcess | undefined
  /** When the process was started, epoch ms. */
  startedAt: number
  peerId: string | undefined
  addresses: readonly string[]
  /** Epoch ms; undefined until it listens. */
  listeningAt: number | undefined
  /** Stages that are done in this life, with the epoch ms at which they were. */
  done: Map<StageName, number>
  leader: { readonly term: number; readonly peer: string | null; readonly at: number } | undefined
  writable: { readonly term: number; readonly at: number } | undefined
  config: { readonly version: number; readonly hash: string; readonly at: number } | undefined
  cluster: string | null
  waitingFor: readonly string[]
  multicastBlocked: boolean
  exit: { readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly at: number } | undefined
  /** We end it ourselves: its exit is no failure. */
  ending: boolean
  stderr: string
}

/** A step did not end before its deadline, or a node ended by itself. */
export class DemoError extends Error {
  readonly exitCode: number
  constructor(message: string, exitCode: number) {
    super(message)
    this.name = 'DemoError'
    this.exitCode = exitCode
  }
}

const STDERR_CHARS_MAX = 4_000

export class Nodes {
  readonly list: readonly DemoNode[]
  readonly #command: readonly string[]
  readonly #onEvent: (node: DemoNode, event: StampedNodeEvent) => void
  readonly #signal: AbortSignal
  readonly #checks = new Set<() => void>()

  constructor(
    list: readonly { readonly name: string; readonly dataDir: string }[],
    command: readonly string[],
    signal: AbortSignal,
    onEvent: (node: DemoNode, event: StampedNodeEvent) => void
  ) {
    this.list = list.map((node) => ({
      ...node,
      child: undefined,
      stderr: '',
      ending: false,
      exit: undefined,
      ...unknown()
    }))
    this.#command = command
    this.#signal = signal
    this.#onEvent = onEvent
  }

  /** Gives the process id; undefined when the process could not be started. */
  start(node: DemoNode, args: readonly string[]): number | undefined {
    Object.assign(node, unknown(), { startedAt: wallNow(), exit: undefined, ending: false, stderr: '' })
    const child = spawn(process.execPath, [...this.#command, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true
    })
    node.child = child
    // It may be gone before it has read anything.
    child.stdin.on('error', () => {})
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      node.stderr = (node.stderr + text).slice(-STDERR_CHARS_MAX)
    })
    createInterface({ input: child.stdout }).on('line', (line) => this.#onLine(node, line))
    child.on('error', (error) => {
      node.stderr += error.message
      this.#onExit(node, null, null)
    })
    // After its last line: `close` comes when its streams have ended.
    child.on('close', (code, signal) => this.#onExit(node, code, signal))
    return child.pid
  }

  /** SIGTERM: the node stops in order. */
  stop(node: DemoNode): void {
    node.ending = true
    node.child?.kill('SIGTERM')
  }

  /** SIGKILL: the node is gone, as by a power cut. */
  kill(node: DemoNode): void {
    node.ending = true
    node.child?.kill('SIGKILL')
  }

  /** For the way out, whatever happened: nothing stays behind. Only processes that we started and that still run. */
  killAll(): void {
    for (const node of this.list) if (node.child !== undefined && node.exit === undefined) this.kill(node)
  }

  named(peerId: string | null | undefined): string {
    return this.list.find((node) => node.peerId === peerId)?.name ?? String(peerId)
  }

  /** Waits until `condition` gives something, looking again at every event; fails at the deadline and says what is missing. */
  until<T>(what: string, deadlineMs: number, condition: () => T | undefined, missing: () => string): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const check = (): void => {
      try {
        const fallen = this.list.find(({ exit, ending }) => exit !== undefined && !ending)
        if (fallen !== undefined) throw this.#fallen(fallen)
        const value = condition()
        if (value !== undefined) resolve(value)
      } catch (error) {
        reject(error)
      }
    }
    const onAbort = (): void => reject(this.#signal.reason as Error)
    const timer = setTimeout(
      () => reject(new DemoError(`${what}: not within ${deadlineMs / 1_000} s; ${missing()}`, 4)),
      deadlineMs
    )
    this.#checks.add(check)
    if (this.#signal.aborted) onAbort()
    this.#signal.addEventListener('abort', onAbort, { once: true })
    check()
    return promise.finally(() => {
      clearTimeout(timer)
      this.#checks.delete(check)
      this.#signal.removeEventListener('abort', onAbort)
    })
  }

  #fallen({ name, exit, stderr }: DemoNode): DemoError {
    const how = exit?.code ?? exit?.signal ?? 'without starting'
    return new DemoError(
      `${name} ended by itself (${how}): ${stderr.trim() || 'it said nothing'}`,
      exit?.code === 4 ? 4 : 1
    )
  }

  #onLine(node: DemoNode, line: string): void {
    const event = JSON.parse(line) as StampedNodeEvent
    note(node, event)
    this.#onEvent(node, event)
    this.#recheck()
  }

  #onExit(node: DemoNode, code: number | null, signal: NodeJS.Signals | null): void {
    node.exit ??= { code, signal, at: wallNow() }
    this.#recheck()
  }

  #recheck(): void {
    for (const check of this.#checks) check()
  }
}

type Unknown = Omit<DemoNode, 'name' | 'dataDir' | 'child' | 'exit' | 'ending' | 'stderr'>

/** What is known of a node at its start: nothing. */
const unknown = (): Unknown => ({
  startedAt: 0,
  peerId: undefined,
  addresses: [],
  listeningAt: undefined,
  done: new Map(),
  leader: undefined,
  writable: undefined,
  config: undefined,
  cluster: null,
  waitingFor: [],
  multicastBlocked: false
})

function note(node: DemoNode, event: StampedNodeEvent): void {
  const { at } = event
  node.peerId = event.node
  node.cluster = event.cluster
  switch (event.event) {
    case 'listening':
      node.addresses = event.addresses
      node.listeningAt = at
      break
    case 'stage':
      // The last stage is told by an event of its own, which says more.
      if (event.status === 'done' && event.stage !== 'ready') node.done.set(event.stage, at)
      break
    case 'leader':
      node.leader = { term: event.term, peer: event.leader, at }
      break
    case 'writable':
      node.writable = { term: event.term, at }
      break
    case 'ready':
      node.done.set('ready', at)
      node.leader = { term: event.term, peer: event.leader, at }
      node.config = { version: event.configVersion, hash: event.configHash, at }
      break
    case 'config':
      node.config = { version: event.version, hash: event.hash, at }
      break
    case 'waiting':
      node.waitingFor = event.waitingFor
      break
    case 'alarm':
      node.multicastBlocked ||= event.code === 'multicast-blocked'
      break
    case 'peer':
    case 'member':
    case 'stopped':
      break
  }
}
