/** How an adapter gets connections and makes links of them: the part in which its two modes differ. */
import type { Connection, Stream } from '@libp2p/interface'
import type { Attempt } from '../dialer.ts'

export interface Connector {
  /** Registers what it needs, before any connection is looked at. */
  start(): Promise<void>
  stop(): Promise<void>
  /** A connection has opened. Must not throw. */
  connected(connection: Connection): void
  /** A connection has closed. Must not throw. */
  disconnected(connection: Connection): void
  /** Keeps or resets a stream for frames on a connection that has no link (yet). */
  early(stream: Stream, connection: Connection): void
  readonly attempt: Attempt
}
