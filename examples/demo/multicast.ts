/** Does multicast work on this machine's loopback? A packet to ourselves, on a port of our own, tells within moments. */
import { createSocket } from 'node:dgram'

/** The group of mDNS (RFC 6762). */
const GROUP = '224.0.0.251'
const LOOPBACK = '127.0.0.1'
const WAIT_MS = 1_000

export function multicastWorks(): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  const timer = setTimeout(() => resolve(false), WAIT_MS)
  socket.on('error', () => resolve(false))
  socket.on('message', () => resolve(true))
  socket.bind(0, () => {
    try {
      socket.addMembership(GROUP, LOOPBACK)
      socket.setMulticastInterface(LOOPBACK)
      socket.setMulticastLoopback(true)
      // Never beyond this machine.
      socket.setMulticastTTL(0)
      socket.send('quorate', socket.address().port, GROUP)
    } catch {
      resolve(false)
    }
  })
  return promise.finally(() => {
    clearTimeout(timer)
    socket.close()
  })
}
