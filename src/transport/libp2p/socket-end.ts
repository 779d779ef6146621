/**
 * The end of the socket below a connection, before libp2p knows of it.
 *
 * When a socket closes, Noise, Yamux, every stream, the connection and the managers of libp2p take themselves down one after the
 * other, within the event that tells of it. That is up to 4 ms of code which runs once in a while, in both survivors of a lost
 * leader, just when they should vote. So the link hears of the end first, and libp2p a moment later, when an election is over. In
 * between libp2p holds a connection that nobody uses; whoever writes to it gets an error, as with any that has just broken.
 *
 * What the peer sent before the end has been handed up by then: each layer passes on what it reads at once.
 */
import { StreamCloseEvent, type MessageStream } from '@libp2p/interface'
import type { Clock } from '../../core/clock.ts'

/** Longer than an election among near peers, far shorter than anybody's patience. */
const TEARDOWN_AFTER_MS = 25

export type EndListener = (error: Error | undefined) => void

export class SocketEnd {
  #listener: EndListener | undefined
  #told = false

  /** To be made before any layer above begins to listen. */
  constructor(socket: MessageStream, clock: Clock) {
    socket.addEventListener('close', (event: StreamCloseEvent) => {
      // The second time it is for the others.
      if (this.#listener === undefined || this.#told) return
      this.#told = true
      event.stopImmediatePropagation()
      const { local, error } = event
      clock.setTimer(TEARDOWN_AFTER_MS, () => socket.dispatchEvent(new StreamCloseEvent(local, error)))
      this.#listener(error)
    })
  }

  /** Without a listener, libp2p hears at once. */
  listen(listener: EndListener | undefined): void {
    this.#listener = listener
  }
}
