/**
 * What admission proved, from the moment of the proof until libp2p shows the connection.
 *
 * The encrypter knows the peer before there is a connection; `connection:open` brings the connection without what the
 * encrypter returned. Both carry the same `timeline` object (a `Connection` takes it from its socket), so it is the key.
 * Held weakly: a connection that never opens leaves nothing behind. A connection without a record was not admitted here.
 */
import { secureBytes } from '../../core/random.ts'
import { INSTANCE_BYTES, type ExchangeOutcome } from '../exchange.ts'
import type { Admitted } from '../gate.ts'
import type { ShortWay } from './short-way.ts'
import type { SocketEnd } from './socket-end.ts'

export interface AdmissionRecord {
  readonly admitted: Admitted
  readonly instance: string
  /** The dialler's. */
  readonly sequence: number
  /** Of the socket below; absent where libp2p does not show it. */
  readonly socketEnd: SocketEnd | undefined
  /** Through its layers; absent where they are not as expected. */
  readonly shortWay: ShortWay | undefined
}

export class Admissions {
  /** Names this process to its peers. */
  readonly instance: Uint8Array = secureBytes(INSTANCE_BYTES)
  readonly #records = new WeakMap<object, AdmissionRecord>()
  #sequence = 0

  nextSequence(): number {
    this.#sequence += 1
    return this.#sequence
  }

  remember(timeline: object, record: AdmissionRecord): void {
    this.#records.set(timeline, record)
  }

  recall(timeline: object): AdmissionRecord | undefined {
    return this.#records.get(timeline)
  }
}

export function recordOf(
  outcome: ExchangeOutcome & { readonly type: 'admitted' },
  dialledByUs: boolean,
  ownSequence: number,
  { socketEnd, shortWay }: Partial<Pick<AdmissionRecord, 'socketEnd' | 'shortWay'>> = {}
): AdmissionRecord {
  return {
    admitted: outcome.admitted,
    instance: outcome.instance,
    sequence: dialledByUs ? ownSequence : outcome.sequence,
    socketEnd,
    shortWay
  }
}
