/** What a node is made of: everything of the world that it touches, handed in. */
import type { NetworkTiming, TimingPreset } from '../config-init/index.ts'
import type { Clock } from '../core/clock.ts'
import type { Random } from '../core/random.ts'
import type { Discovery } from '../discovery/port.ts'
import type { SnapshotPolicy } from '../replica/index.ts'
import type { AdmissionGate } from '../transport/gate.ts'
import type { Transport } from '../transport/port.ts'
import type { Home } from './home.ts'
import type { Logger } from './types.ts'

export interface NodeParts {
  readonly home: Home
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly agent: string
  /** Where events are dispatched; whoever wants the first of them listens before the node is made. */
  readonly events: EventTarget
  /** Overrides the preset of the genesis. */
  readonly timing: TimingPreset | undefined
  readonly snapshots: SnapshotPolicy
  /** See NodeInit. */
  readonly priority: number
  /** Builds the transport around the gate; called once. */
  readonly createTransport: (gate: AdmissionGate, network: NetworkTiming) => Promise<Transport>
  /** Sources of hints; `addresses` is what may be announced. */
  readonly createSources: (addresses: () => readonly string[]) => Promise<readonly Discovery[]>
  /** Remembers where peers were reached, for the next start. */
  readonly rememberPeer: (peerId: string, addresses: readonly string[]) => void
}
