/**
 * A network with a delay, as a process of its own: it accepts connections, and passes on what arrives on them, in order, when its
 * time has come; closing and resetting take the same way. Each chunk draws its delay and never overtakes the one before.
 * Node's timers are exact to about a millisecond, so a delay is up to that much longer.
 */
import { connect, createServer, type Socket } from 'node:net'

export interface ProxyOrder {
  /** Port on which to accept, and the port to which it leads. */
  readonly routes: readonly (readonly [from: number, to: number])[]
  /** One way, uniform between these. */
  readonly delayMs: readonly [min: number, max: number]
}

/** What happens at one end and has its effect at the other one, later. */
class Lane {
  readonly #delayMs: ProxyOrder['delayMs']
  readonly #queue: { readonly dueMs: number; readonly run: () => void }[] = []
  #lastDueMs = 0

  constructor(delayMs: ProxyOrder['delayMs']) {
    this.#delayMs = delayMs
  }

  later(run: () => void): void {
    const [min, max] = this.#delayMs
    this.#lastDueMs = Math.max(this.#lastDueMs, performance.now() + min + Math.random() * (max - min))
    this.#queue.push({ dueMs: this.#lastDueMs, run })
    if (this.#queue.length === 1) this.#wait()
  }

  #wait(): void {
    setTimeout(() => this.#drain(), Math.max(0, this.#queue[0]!.dueMs - performance.now()))
  }

  #drain(): void {
    while (this.#queue.length > 0 && this.#queue[0]!.dueMs <= performance.now()) this.#queue.shift()!.run()
    if (this.#queue.length > 0) this.#wait()
  }
}

function pass(from: Socket, to: Socket, lane: Lane): void {
  from.setNoDelay(true)
  from.on('data', (chunk) => lane.later(() => void (to.writable && to.write(chunk))))
  from.on('end', () => lane.later(() => to.end()))
  from.on('error', () => lane.later(() => to.resetAndDestroy()))
}

const { routes, delayMs } = JSON.parse(process.argv[2]!) as ProxyOrder

function accept(near: Socket, port: number): void {
  const far: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  // Opening takes no time here: what is sent meanwhile waits in the socket, and has had its delay before.
  pass(near, far, new Lane(delayMs))
  pass(far, near, new Lane(delayMs))
}

const listening = routes.map(
  ([from, to]) =>
    new Promise<void>((resolve) => {
      createServer({ allowHalfOpen: true }, (near) => accept(near, to)).listen(from, '127.0.0.1', resolve)
    })
)
await Promise.all(listening)
process.send!('ready')
process.once('disconnect', () => process.exit())
