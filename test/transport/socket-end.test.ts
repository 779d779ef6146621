/** Who hears of a closed socket first. */
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
