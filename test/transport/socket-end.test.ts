/** Who hears of a closed socket first. */
import { createServer, connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { StreamAbortEvent, StreamCloseEvent, type MessageStream } from '@libp2p/interface'
import { describe, expect, test } from 'vitest'
import { SocketEnd } from '../../src/transport/libp2p/socket-end.ts'
import { type ManualClock, manualClock } from './manual-clock.ts'

function made(): { socket: EventTarget; end: SocketEnd; clock: ManualClock; heard: string[] } {
  const socket = new EventTarget()
  const clock = manualClock()
  const heard: string[] = []
  const end = new SocketEnd(socket as unknown as MessageStream, clock)
  // As Noise does, later.
  socket.addEventListener('close', (event) => heard.push(`libp2p: ${(event as StreamCloseEvent).error?.message}`))
  return { socket, end, clock, heard }
}

/** Of a link whose socket this is. */
const endOf = (socket: Socket, clock = manualClock()): SocketEnd =>
  new SocketEnd(Object.assign(new EventTarget(), { socket }) as unknown as MessageStream, clock)

describe('the end of a socket', () => {
  test('is told to the link at once and to libp2p a moment later, once, with its reason', () => {
    const { socket, end, clock, heard } = made()
    end.listen((error) => heard.push(`link: ${error?.message}`))
    socket.dispatchEvent(new StreamAbortEvent(new Error('reset')))
    expect(heard).toEqual(['link: reset'])
    clock.advance(25)
    expect(heard).toEqual(['link: reset', 'libp2p: reset'])
    clock.advance(1_000)
    expect(heard).toHaveLength(2)
  })

  test('is libp2p’s alone before there is a link, and after it', () => {
    const { socket, end, clock, heard } = made()
    end.listen(() => heard.push('link'))
    end.listen(undefined)
    socket.dispatchEvent(new StreamCloseEvent())
    expect(heard).toEqual(['libp2p: undefined'])
    clock.advance(1_000)
    expect(heard).toHaveLength(1)
  })
})

/** Two ends of one connection of Node's; libp2p's wrapper of the one holds it as `socket`. */
async function connected(): Promise<{ near: Socket; far: Socket; close: () => void }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const far = connect((server.address() as { port: number }).port, '127.0.0.1')
  const [near] = await accepted
  const close = (): void => {
    server.close()
    far.destroy()
    near.destroy()
  }
  return { near, far, close }
}

describe('the end of a socket of Node', () => {
  test('is told to the link, behind what came before it; Node ends and closes it a moment later', async () => {
    const { near, far, close } = await connected()
    const clock = manualClock()
    const heard: string[] = []
    const end = endOf(near, clock)
    near.on('data', (data: Buffer) => heard.push(data.toString()))
    near.on('end', () => heard.push('end'))
    const told = new Promise<void>((resolve) =>
      end.listen((error) => {
        heard.push(`link: ${error?.message}`)
        resolve()
      })
    )
    far.end('last words')
    await told
    expect(heard).toEqual(['last words', 'link: undefined'])
    expect(near.writable).toBe(true)
    const closed = once(near, 'close')
    clock.advance(25)
    await closed
    expect(heard).toEqual(['last words', 'link: undefined', 'end'])
    close()
  })

  test('is Node’s alone without a link', async () => {
    const { near, far, close } = await connected()
    const heard: string[] = []
    const end = endOf(near)
    end.listen(() => heard.push('link'))
    end.listen(undefined)
    near.on('data', () => heard.push('data'))
    far.end('words')
    await once(near, 'end')
    expect(heard).toEqual(['data'])
    close()
  })

  test('comes behind what was not handed up yet', async () => {
    const { near, far, close } = await connected()
    const heard: string[] = []
    const end = endOf(near)
    end.listen(() => heard.push('link'))
    const pushed = new Promise<void>((resolve) => {
      const push = near.push.bind(near)
      near.push = (chunk, encoding) => {
        const more = push(chunk, encoding)
        if (chunk === null) resolve()
        return more
      }
    })
    far.end('words')
    await pushed
    near.on('data', () => heard.push('data'))
    await once(near, 'end')
    expect(heard).toEqual(['data'])
    close()
  })

  test('is not told to a socket that is gone by then', async () => {
    const { near, far, close } = await connected()
    const clock = manualClock()
    const heard: string[] = []
    const end = endOf(near, clock)
    near.on('data', () => heard.push('data'))
    near.on('end', () => heard.push('end'))
    const told = new Promise<void>((resolve) => end.listen(() => resolve()))
    far.end('words')
    await told
    near.destroy()
    await once(near, 'close')
    clock.advance(25)
    expect(heard).toEqual(['data'])
    close()
  })
})
