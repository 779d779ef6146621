/** What a node can say of itself at this moment, gathered from its parts: for `status`, and for whoever waits for it. */
import type { TimingPreset } from '../config-init/timing.ts'
import type { VerifiedGenesis } from '../identity/genesis.ts'
import type { Replica } from '../replica/index.ts'
import type { Transport } from '../transport/port.ts'
import type { Reporter } from './reporter.ts'
import type { Seeker } from './seeker.ts'
import type { StatusFacts } from './status.ts'
import type { LeaderInfo } from './types.ts'
import { lacksNothing, waitingFor } from './waiting.ts'

interface FactsInit {
  readonly peerId: string
  readonly incarnation: string
  /** Hex. */
  readonly domainId: string
  readonly reporter: Reporter
  readonly seeker: Seeker
  /** Undefined while it is not known. */
  readonly genesis: () => VerifiedGenesis | undefined
  /** The preset in force. */
  readonly timing: () => TimingPreset
  readonly replica: () => Replica | undefined
  readonly leader: () => LeaderInfo | undefined
  readonly transport: () => Transport | undefined
}

export class Facts {
  readonly #init: FactsInit

  constructor(init: FactsInit) {
    this.#init = init
  }

  status(): StatusFacts {
    const { peerId, incarnation, domainId, reporter, seeker, genesis, timing, replica, leader, transport } = this.#init
    return {
      peerId,
      incarnation,
      domainId,
      genesis: genesis()?.genesis,
      timing: timing(),
      replica: replica()?.status(),
      leader: leader(),
      stage: reporter.stage,
      waitingFor: this.waitingFor(),
      addresses: transport()?.addresses() ?? [],
      uptimeMs: reporter.elapsedMs,
      attempts: seeker.explain(),
      refusals: reporter.refusals
    }
  }

  /** A sentence for each thing that is missing. */
  waitingFor(): readonly string[] {
    const { incarnation, reporter, seeker, genesis, leader } = this.#init
    const replica = this.#init.replica()
    if (replica !== undefined && lacksNothing(replica, leader()?.peerId)) return []
    return waitingFor({
      foundingSize: genesis()?.genesis.foundingSize ?? 0,
      replica: replica?.status(),
      selfIncarnation: incarnation,
      leader: leader()?.peerId,
      attempts: seeker.explain(),
      multicastBlocked: reporter.multicastBlocked,
      refusals: reporter.refusals
    })
  }
}
