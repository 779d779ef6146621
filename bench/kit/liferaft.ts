/** The npm package liferaft, as it is: three processes of this Node, and its own timeouts. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { portsFrom } from './ports.ts'
import { killAll } from './children.ts'
import type { LiferaftOrder, LiferaftReport } from './liferaft-child.ts'
import { installPackages } from './npm.ts'
import type { Peer, PeerSystem } from './peer.ts'
import { wallNow } from './yard.ts'

const CHILD = fileURLToPath(new URL('liferaft-child.ts', import.meta.url))
const PATIENCE_MS = 30_000

/** Its default, and one that fails over sooner; heartbeat and range of the election timeout, ms. */
const SETTINGS = [
  { heartbeatMs: 50, electionMs: [150, 300] },
  { heartbeatMs: 20, electionMs: [50, 100] }
] as const

export function liferaftSystems(): readonly PeerSystem[] {
  const installed = installPackages(['liferaft@1.0.0', 'memdown@1.4.1'])
  const unavailable = 'failed' in installed ? installed.failed : undefined
  const directory = 'failed' in installed ? '' : installed.directory
  return SETTINGS.map(({ heartbeatMs, electionMs }) => ({
    name: `liferaft ${electionMs.join('-')}`,
    unavailable,
    create: (size) => new Liferaft({ directory, heartbeatMs, electionMs }, size)
  }))
}

class Liferaft implements Peer {
  readonly #order: Omit<LiferaftOrder, 'ports' | 'self'>
  readonly #ports: readonly number[]
  #members: ChildProcess[] = []
  #leader: ChildProcess | undefined
  #onWrite: (at: number) => void = () => {}

  constructor(order: Omit<LiferaftOrder, 'ports' | 'self'>, size: number) {
    this.#order = order
    const base = portsFrom()
    this.#ports = Array.from({ length: size }, (_, i) => base + i)
  }

  async startAll(): Promise<number> {
    const at = wallNow()
    this.#members = this.#ports.map((_, self) => {
      const order: LiferaftOrder = { ...this.#order, ports: this.#ports, self }
      const child = fork(CHILD, [JSON.stringify(order)])
      return child.on('message', (message) => {
        this.#leader = child
        this.#onWrite((message as LiferaftReport).committedAt)
      })
    })
    return (await this.#firstWrite(at)) - at
  }

  /** A member that comes back has lost its log, which this package does not survive: so all of them begin anew. */
  async killLeader(): Promise<number> {
    if (this.#leader === undefined) await this.startAll()
    // Not always at the same moment after a heartbeat.
    await new Promise((resolve) => void setTimeout(resolve, 300 + Math.random() * this.#order.heartbeatMs))
    const leader = this.#leader!
    const at = wallNow()
    leader.kill('SIGKILL')
    this.#members = this.#members.filter((member) => member !== leader)
    const took = (await this.#firstWrite(at)) - at
    await this.close()
    return took
  }

  async close(): Promise<void> {
    await killAll(this.#members)
    this.#members = []
    this.#leader = undefined
  }

  /** When the first of the members committed a command of its own, from then on. What a leader says may arrive late. */
  #firstWrite(since: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const late = setTimeout(() => reject(new Error('liferaft committed nothing in time')), PATIENCE_MS)
    this.#onWrite = (at) => {
      if (at >= since) resolve(at)
    }
    return promise.finally(() => clearTimeout(late))
  }
}
