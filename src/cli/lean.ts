/**
 * What a process that runs for months does once it has started, for the sake of its peers and of its next start.
 *
 * The kernel frees the memory of a killed process before it closes its sockets, so the size of a leader is part of every
 * failover (docs/PERFORMANCE.md). V8 lets the space for new objects grow to 32 MiB for programs that make many; what the
 * start needed of it, a few MiB, is enough for this one.
 */
import { flushCompileCache } from 'node:module'
import { setFlagsFromString } from 'node:v8'

/** When the node listens: whatever a start needs is compiled, and nobody waits for an answer yet. */
export function settleIn(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  // Otherwise only a process that ends in order would leave compiled code to the next one. Writes once for each version.
  flushCompileCache()
}
