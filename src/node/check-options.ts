/**
 * The options of a node, each held against its rule before anything is opened: what is wrong is said with its value, and a call that
 * fails here has touched nothing.
 */
import { isTimingPreset, timingPresets } from '../config-init/index.ts'
import { InvalidOptionError } from '../core/errors.ts'
import { checkNames, checkTexts, checkWhole, shown } from '../core/options.ts'
import { PRIORITY_MAX } from '../core/priority.ts'
import type { NodeInit } from './types.ts'

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

const LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** JavaScript has no compiler to say these things. Throws InvalidOptionError. */
export function checkOptions(init: NodeInit): void {
  checkNames('options', init, OPTIONS)
  const { dataDir, token, genesis, listen, discovery, timing, snapshots, priority, transports } = init
  if (typeof dataDir !== 'string') {
    throw new InvalidOptionError(`dataDir is ${shown(dataDir)}: name a directory for key and log`)
  }
  if (dataDir.trim() === '') throw new InvalidOptionError('dataDir is empty: name a directory for key and log')
  if (token !== undefined && typeof token !== 'string') {
    throw new InvalidOptionError('token is not a text: pass the line that `quorate init` wrote into a token file')
  }
  if (genesis !== undefined && !(genesis instanceof Uint8Array)) {
    throw new InvalidOptionError(`genesis is ${shown(genesis)}; it is the bytes of the document, a Uint8Array`)
  }
  checkTexts('listen', listen, '/ip4/0.0.0.0/tcp/4001')
  if (discovery !== undefined) checkDiscovery(discovery)
  if (timing !== undefined && !isTimingPreset(timing)) {
    throw new InvalidOptionError(`timing is ${String(timing)}; it is one of ${Object.keys(timingPresets).join(', ')}`)
  }
  if (snapshots !== undefined && (typeof snapshots !== 'object' || snapshots === null)) {
    throw new InvalidOptionError(
      `snapshots is ${shown(snapshots)}; it is an object with entriesMax, bytesMax and the like`
    )
  }
  if (priority !== undefined) checkWhole('priority', priority, 0, PRIORITY_MAX)
  if (
    transports !== undefined &&
    !(Array.isArray(transports) && transports.every((one) => typeof one === 'function'))
  ) {
    throw new InvalidOptionError(`transports is ${shown(transports)}; it is a list of libp2p transport factories`)
  }
  checkObservers(init)
}

function checkDiscovery(discovery: NonNullable<NodeInit['discovery']>): void {
  checkNames('discovery', discovery, ['mdns', 'seeds'])
  const { mdns, seeds } = discovery
  checkTexts('discovery.seeds', seeds, '192.168.1.10:4001')
  if (mdns === undefined || typeof mdns === 'boolean') return
  checkNames('discovery.mdns', mdns, ['interfaces'])
  checkTexts('discovery.mdns.interfaces', mdns.interfaces, 'eth0')
}

function checkObservers({ logger, events }: NodeInit): void {
  const mute = logger === undefined ? undefined : LEVELS.find((level) => typeof (logger ?? {})[level] !== 'function')
  if (mute !== undefined) {
    throw new InvalidOptionError(`logger is ${shown(logger)} without a function ${mute}; it has ${LEVELS.join(', ')}`)
  }
  if (events !== undefined && typeof events?.dispatchEvent !== 'function') {
    throw new InvalidOptionError(`events is ${shown(events)}; it is an EventTarget`)
  }
}
