/** What `createNode` and the libp2p service have in common: options checked, home opened, a node made around a transport. */
import type { NetworkTiming } from '../config-init/index.ts'
import { systemClock } from '../core/clock.ts'
import { PRIORITY_DEFAULT } from '../core/priority.ts'
import { systemRandom } from '../core/random.ts'
import type { LocalKey } from '../identity/signer.ts'
import { resolveSnapshots } from '../replica/index.ts'
import type { AdmissionGate } from '../transport/gate.ts'
import type { Transport, TransportLimits } from '../transport/port.ts'
import { checkOptions } from './check-options.ts'
import { agent, carefulLogger, silentLogger } from './defaults.ts'
import { type Home, openHome } from './home.ts'
import { Node } from './node.ts'
import { createSources } from './sources.ts'
import type { NodeInit } from './types.ts'

export interface TransportNeeds {
  readonly home: Home
  readonly gate: AdmissionGate
  readonly limits: Partial<TransportLimits>
  readonly onError: (error: unknown, doing: string) => void
}

export interface Assembly {
  readonly events: EventTarget
  readonly createTransport: (needs: TransportNeeds) => Promise<Transport>
  /** Instead of the key in the data directory. */
  readonly key?: LocalKey
}

export async function assembleNode(init: NodeInit, { events, createTransport, key }: Assembly): Promise<Node> {
  const clock = systemClock
  const startedAt = clock.now()
  checkOptions(init)
  const { dataDir, token, genesis, timing, discovery } = init
  const snapshots = resolveSnapshots(init.snapshots)
  const logger = carefulLogger(init.logger ?? silentLogger)
  const random = systemRandom()
  const home = await openHome({
    dataDir,
    token,
    genesis,
    logger,
    clock,
    startedAt,
    ...(key === undefined ? {} : { key })
  })
  try {
    const sources = createSources({ home, clock, random, logger, discovery })
    return new Node({
      home,
      clock,
      random,
      logger,
      agent,
      events,
      timing,
      snapshots,
      priority: init.priority ?? PRIORITY_DEFAULT,
      createTransport: (gate, network) =>
        createTransport({
          home,
          gate,
          limits: limitsOf(network),
          onError: (error, doing) => logger.warn({ error, doing }, 'the transport survived an error')
        }),
      createSources: sources.create,
      rememberPeer: sources.remember
    })
  } catch (error) {
    // From here on the node closes its home; before, nobody else would.
    await home.close().catch(() => {})
    throw error
  }
}

/** Several addresses of a peer are tried within one dial, so a connect that hangs may take a quarter of it. */
function limitsOf({ dialTimeoutMs, admissionTimeoutMs, frameTimeoutMs }: NetworkTiming): Partial<TransportLimits> {
  return {
    connectTimeoutMs: dialTimeoutMs / 4,
    addressDialTimeoutMs: dialTimeoutMs + admissionTimeoutMs,
    admissionDeadlineMs: admissionTimeoutMs,
    frameDeadlineMs: frameTimeoutMs
  }
}
