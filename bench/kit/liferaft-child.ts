/**
 * One member of liferaft for bench/compare.ts: lines of JSON over TCP, its log in memory. It keeps no vote and no entry on a
 * disk, which Raft needs to be safe, and which costs it nothing here.
 */
import { createRequire } from 'node:module'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface LiferaftOrder {
  /** Where the package is installed. */
  readonly directory: string
  readonly ports: readonly number[]
  readonly self: number
  readonly electionMs: readonly [min: number, max: number]
  readonly heartbeatMs: number
}

/** This member leads, and a command of its own term has committed; epoch ms. */
export interface LiferaftReport {
  readonly committedAt: number
}

type Packet = Readonly<Record<string, unknown>>
type Answer = (error: Error | undefined, data?: Packet) => void

/** As much of it as is used; the package has no types. */
interface Liferaft {
  on(event: 'leader' | 'commit' | 'error', listener: (value: unknown) => void): void
  emit(event: 'data', packet: Packet, answer: (data?: unknown) => void): void
  join(address: string, write: (packet: Packet, answer: Answer) => void): void
  command(command: unknown): Promise<void>
}

const order = JSON.parse(process.argv[2]!) as LiferaftOrder
const require = createRequire(join(order.directory, 'package.json'))
const LiferaftClass = require('liferaft') as new (address: string, options: object) => Liferaft
const memdown = require('memdown') as () => unknown
const [min, max] = order.electionMs
const raft = new LiferaftClass(`m${order.self}`, {
  ...{ 'election min': `${min} ms`, 'election max': `${max} ms`, heartbeat: `${order.heartbeatMs} ms` },
  ...{ Log: require('liferaft/log') as unknown, adapter: memdown }
})
raft.on('error', () => {})
let mine = 0
raft.on('leader', () => void raft.command({ by: order.self, number: ++mine }).catch(() => {}))
raft.on('commit', (command) => {
  if ((command as { by: number }).by !== order.self) return
  process.send!({ committedAt: performance.timeOrigin + performance.now() } satisfies LiferaftReport)
})

createServer((socket) => {
  socket.setNoDelay(true).on('error', () => {})
  onLines(socket, (line) => {
    const { number, packet } = JSON.parse(line) as { number: number; packet: Packet }
    raft.emit('data', packet, (data) => {
      void Promise.resolve(data).then((answer) => void socket.write(`${JSON.stringify({ number, answer })}\n`))
    })
  })
}).listen(order.ports[order.self], '127.0.0.1')

for (const [i, port] of order.ports.entries()) if (i !== order.self) raft.join(`m${i}`, link(port))

/** An interface tells of its stream's errors as its own. */
const onLines = (socket: Socket, take: (line: string) => void): void =>
  void createInterface(socket)
    .on('line', take)
    .on('error', () => {})

/** A connection that is made when it is needed, and what waits for answers on it. */
function link(port: number): (packet: Packet, answer: Answer) => void {
  let socket: Socket | undefined
  let number = 0
  const waiting = new Map<number, Answer>()
  const open = (): Socket => {
    const opened = connect(port, '127.0.0.1').setNoDelay(true)
    opened.on('error', () => {})
    opened.on('close', () => {
      if (socket === opened) socket = undefined
      for (const answer of waiting.values()) answer(new Error('closed'))
      waiting.clear()
    })
    onLines(opened, (line) => {
      const message = JSON.parse(line) as { number: number; answer?: Packet }
      waiting.get(message.number)?.(undefined, message.answer)
      waiting.delete(message.number)
    })
    return opened
  }
  return (packet, answer) => {
    socket ??= open()
    waiting.set(++number, answer)
    socket.write(`${JSON.stringify({ number, packet })}\n`)
  }
}

process.once('disconnect', () => process.exit())
