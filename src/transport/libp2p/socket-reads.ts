/**
 * What a socket of Node has read, before Node makes an event of it.
 *
 * A socket is a stream: each chunk passes its buffer, the listeners of `data`, and a question in a later turn whether to read on, which
 * opens a turn of its own. While nothing is kept back and nobody but libp2p listens, none of it changes anything, and on a node that
 * idles it is a twentieth of all that is done. Node has no option for a socket that was accepted, so `push` of the one object is
 * shadowed, as in `socket-end.ts`; a socket that looks otherwise is read as always.
 */

/** As `net.Socket` has them. */
interface ReadSocket {
  readonly readableFlowing: boolean | null
  readonly readableLength: number
  push(chunk: unknown, encoding?: BufferEncoding): boolean
  listenerCount(name: string): number
}

/** From now on `take` gets what comes, whenever `mayTake` says so and the socket itself would hand it on at once. */
export function readAtOnce(socket: object, mayTake: () => boolean, take: (bytes: Uint8Array) => void): void {
  if (!isReadSocket(socket)) return
  const push = socket.push.bind(socket)
  socket.push = (chunk, encoding) => {
    const isDirect =
      chunk instanceof Uint8Array &&
      socket.readableFlowing === true &&
      socket.readableLength === 0 &&
      socket.listenerCount('data') === 1 &&
      mayTake()
    if (!isDirect) return push(chunk, encoding)
    take(chunk)
    return true
  }
}

function isReadSocket(socket: Partial<ReadSocket>): socket is ReadSocket {
  return (
    typeof socket.push === 'function' &&
    typeof socket.listenerCount === 'function' &&
    typeof socket.readableLength === 'number' &&
    typeof socket.readableFlowing === 'boolean'
  )
}
