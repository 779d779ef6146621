/**
 * The end of the socket below a connection, before Node and libp2p know of it.
 *
 * When a socket ends, Node ends its own side and closes it, and Noise, Yamux, every stream, the connection and the managers of libp2p
 * take themselves down one after the other, within the event that tells of it. That is up to 5 ms of code which runs once in a
 * while, in all survivors of a lost leader, just when they should vote. So the link hears of the end first, and they a moment later,
 * when an election is over. In between they hold a connection that nobody uses; whoever writes to it gets an error, as with any
 * that has just broken.
 *
 * What the peer sent before the end has been handed up by then: each layer passes on what it reads at once.
 *
 * The end of what the peer sends comes to a socket of Node as `push(null)`, which is held back; Node has no option for that, so the method
 * of the one object is shadowed, as in `thrift.ts`. A socket that breaks is destroyed by Node itself: then the event is held back with
 * which libp2p tells its upper layers. That is also the way where there is no socket of Node.
 */
import { StreamCloseEvent, type MessageStream } from '@libp2p/interface'
import type { Clock } from '../../core/clock.ts'

/** Longer than an election among near peers, far shorter than anybody's patience. */
const TEARDOWN_AFTER_MS = 25

export type EndListener = (error: Error | undefined) => void

/** As `net.Socket` has them. */
interface ReadableSocket {
  readonly readableLength: number
  push(chunk: unknown, encoding?: BufferEncoding): boolean
}

export class SocketEnd {
  readonly #clock: Clock
  #listener: EndListener | undefined
  #told = false

  /** To be made before any layer above begins to listen. */
  constructor(connection: MessageStream, clock: Clock) {
    this.#clock = clock
    const { socket } = connection as { readonly socket?: Partial<ReadableSocket> }
    if (isReadable(socket)) this.#holdEndOf(socket)
    connection.addEventListener('close', (event: StreamCloseEvent) => {
      const { local, error } = event
      if (this.#tell(error, () => connection.dispatchEvent(new StreamCloseEvent(local, error)))) {
        event.stopImmediatePropagation()
      }
    })
  }

  /** Without a listener, Node and libp2p hear at once. */
  listen(listener: EndListener | undefined): void {
    this.#listener = listener
  }

  #holdEndOf(socket: ReadableSocket): void {
    const push = socket.push.bind(socket)
    // To a socket that is gone by then it says nothing.
    const end = (): void => void push(null)
    socket.push = (chunk, encoding) => {
      // What has come and was not handed up yet, because somebody paused, comes before the end.
      if (chunk !== null || socket.readableLength > 0 || !this.#tell(undefined, end)) return push(chunk, encoding)
      return false
    }
  }

  /** True when the link was told, and the others will be. The second time it is for the others. */
  #tell(error: Error | undefined, tellOthers: () => void): boolean {
    if (this.#listener === undefined || this.#told) return false
    this.#told = true
    try {
      this.#listener(error)
    } finally {
      this.#clock.setTimer(TEARDOWN_AFTER_MS, tellOthers)
    }
    return true
  }
}

const isReadable = (socket: Partial<ReadableSocket> | undefined): socket is ReadableSocket =>
  typeof socket?.push === 'function' && typeof socket.readableLength === 'number'
