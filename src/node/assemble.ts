/** What `createNode` and the libp2p service have in common: options checked, home opened, a node made around a transport. */
import { isTimingPreset, type NetworkTiming, timingPresets } from '../config-init/index.ts'
import { systemClock } from '../core/clock.ts'
import { InvalidOptionError } from '../core/errors.ts'
import { PRIORITY_DEFAULT, PRIORITY_MAX } from '../core/priority.ts'
import { systemRandom } from '../core/random.ts'
import type { LocalKey } from '../identity/signer.ts'
import { resolveSnapshots } from '../replica/index.ts'
import type { AdmissionGate } from '../transport/gate.ts'
import type { Transport, TransportLimits } from '../transport/port.ts'
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
  const sources = createSources({ home, clock, random, logger, discovery })
  return new Node({
    home,
    clock,
    random,
    logger,
    agent,
    events,
    timing,
    snapshots: resolveSnapshots(init.snapshots),
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

const OPTIONS: readonly (keyof NodeInit)[] = [
  'token',
  'genesis',
  'dataDir',
  'listen',
  'discovery',
  'timing',
  'snapshots',
  'priority',
  'logger',
  'events',
  'transports'
]

/** JavaScript has no compiler to say these things. */
function checkOptions(init: NodeInit): void {
  const unknown = Object.keys(init).find((name) => !(OPTIONS as readonly string[]).includes(name))
  if (unknown !== undefined) {
    throw new InvalidOptionError(`unknown option ${unknown}; the options are ${OPTIONS.join(', ')}`)
  }
  const { dataDir, timing, token, priority = PRIORITY_DEFAULT } = init
  if (typeof dataDir !== 'string') {
    throw new InvalidOptionError(`dataDir is ${String(dataDir)}: name a directory for key and log`)
  }
  if (token !== undefined && typeof token !== 'string') {
    throw new InvalidOptionError('token is not a text: pass the line that `quorate init` wrote into a token file')
  }
  if (dataDir.trim() === '') throw new InvalidOptionError('dataDir is empty: name a directory for key and log')
  if (timing !== undefined && !isTimingPreset(timing)) {
    throw new InvalidOptionError(`timing is ${String(timing)}; it is one of ${Object.keys(timingPresets).join(', ')}`)
  }
  if (!Number.isInteger(priority) || priority < 0 || priority > PRIORITY_MAX) {
    throw new InvalidOptionError(`priority is ${String(priority)}; it is a whole number from 0 to ${PRIORITY_MAX}`)
  }
}
