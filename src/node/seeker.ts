/**
 * How a node looks for peers: the dialer with the sources of its hints, from when the transport has addresses, and whom it was told
 * to reach. Whatever it is told before that is nothing to it: nobody was looked for yet.
 */
import type { NetworkTiming } from '../config-init/index.ts'
import type { DialAttempts, DialPlannerInput, PeerHint } from '../discovery/port.ts'
import type { Transport } from '../transport/port.ts'
import { Dialer } from './dialer.ts'
import type { NodeParts } from './node-parts.ts'
import type { Reporter } from './reporter.ts'

export interface SeekerInit {
  readonly self: string
  readonly parts: Pick<NodeParts, 'clock' | 'random' | 'createSources'>
  readonly reporter: Reporter
  /** PeerIds of those who vote, once they are known. */
  readonly voters: () => readonly string[] | undefined
}

export class Seeker {
  readonly #init: SeekerInit
  #dialer: Dialer | undefined
  /** Whom the dialer was told to reach. */
  #wanted: readonly string[] | undefined

  constructor(init: SeekerInit) {
    this.#init = init
  }

  /** `ending`: nothing begins any more once it is aborted; it then throws. */
  async start(transport: Transport, network: NetworkTiming, ending: AbortSignal): Promise<void> {
    const { self, parts, reporter } = this.#init
    const { clock, random, createSources } = parts
    this.#dialer = new Dialer({
      self,
      clock,
      random,
      transport,
      sources: await createSources(() => transport.addresses()),
      dialTimeoutMs: network.dialTimeoutMs + network.admissionTimeoutMs,
      onHint: ({ peerId, source }) => {
        if (peerId !== undefined) reporter.discovered(peerId, source)
      },
      onAlarm: (alarm) => reporter.discoveryAlarm(alarm)
    })
    ending.throwIfAborted()
    await this.#dialer.start()
    this.wantVoters()
  }

  tell(input: DialPlannerInput): void {
    this.#dialer?.tell(input)
  }

  hint(hint: PeerHint): void {
    this.#dialer?.hint(hint)
  }

  /** Whoever votes is dialled for ever, and before everybody else. */
  wantVoters(): void {
    const peerIds = this.#init.voters()
    // A thousand learners that come in change nothing of it.
    if (peerIds === undefined || this.#dialer === undefined || sameTexts(peerIds, this.#wanted)) return
    this.#wanted = peerIds
    this.#dialer.tell({ type: 'wanted', peerIds })
  }

  explain(): readonly DialAttempts[] {
    return this.#dialer?.explain() ?? []
  }

  async stop(): Promise<void> {
    await this.#dialer?.stop()
  }
}

const sameTexts = (a: readonly string[], b: readonly string[] | undefined): boolean =>
  a.length === b?.length && a.every((text, i) => text === b[i])
