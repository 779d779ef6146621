/** Shows each new muxer, and the connection below it, to whoever shadows methods of it. */
import type { MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'

export function eachMuxer<C>(
  factory: (components: C) => StreamMuxerFactory,
  look: (muxer: StreamMuxer, connection: MessageStream) => void
): (components: C) => StreamMuxerFactory {
  return (components) => {
    const muxers = factory(components)
    const create = muxers.createStreamMuxer.bind(muxers)
    muxers.createStreamMuxer = (connection) => {
      const muxer = create(connection)
      look(muxer, connection)
      return muxer
    }
    return muxers
  }
}
