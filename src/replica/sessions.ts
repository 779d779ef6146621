/**
 * Who is connected: one admitted session for each peer, what their boots give away, and what members tell each other about
 * where members are (peer exchange: finding one member is enough, R-DSC-4).
 *
 * Everything that a peer says about others is a hint: a record counts only with its subject's own signature, is news once, and
 * costs a verification only when it claims to be newer than what is known.
 */
import { compareText } from '../core/bytes.ts'
import type { Admitted } from '../membership/admission.ts'
import { bootAlarms, type BootMemory, forgetLive, type IdentityAlarm, rememberBoot } from '../membership/boots.ts'
import type { RememberedBoot } from './durable.ts'
import { PEER_RECORDS_MAX } from './frames.ts'
import { peerIdOf } from './incarnations.ts'

export interface AddressHint {
  readonly peerId: string
  readonly addresses: readonly string[]
}

export interface RecordReader {
  /** Undefined when the record does not hold, or `isNews` says no before its signature is looked at. */
  (
    bytes: Uint8Array,
    isNews: (peerId: string, sequence: number) => boolean
  ): (AddressHint & { readonly sequence: number }) | undefined
}

export interface Introduction {
  readonly to: string
  readonly records: readonly Uint8Array[]
}

/** Of peers that nobody needs to find, so many are told of. */
const UNSOUGHT_MAX = 8
/** Peers whose newest record is remembered; beyond it the oldest is news again. */
const RECORDS_REMEMBERED_MAX = 1_024

export class Sessions {
  readonly #self: string
  readonly #readRecord: RecordReader
  readonly #open = new Map<string, Admitted>()
  /** The same by PeerId; undefined when it is to be sorted anew. */
  #sorted: readonly Admitted[] | undefined
  /** Process lives seen in this one: what tells a copied disk from one that was set back. */
  #boots: BootMemory
  /** Incarnations whose disk was seen to be set back, with the sentence that says so. */
  readonly #barred = new Map<string, string>()
  readonly #sequences = new Map<string, number>()

  /** `self` is our PeerId; `known` is what earlier lives of this process have seen. */
  constructor(self: string, readRecord: RecordReader, known: readonly RememberedBoot[] = []) {
    this.#self = self
    this.#readRecord = readRecord
    this.#boots = known.map(({ peerId, storeId, boot, bootNonce }) => {
      return { peerId, storeId, boot, bootNonce, live: false }
    })
    for (const { peerId, storeId, barred } of known) {
      if (barred !== undefined) this.#barred.set(`${peerId}#${storeId}`, barred)
    }
  }

  /** What this session says about the identity behind it. */
  open(peer: Admitted): readonly IdentityAlarm[] {
    const alarms = bootAlarms(this.#boots, peer)
    this.#boots = rememberBoot(this.#boots, peer)
    this.#open.set(peer.peerId, peer)
    this.#sorted = undefined
    const setBack = alarms.find(({ code }) => code === 'rolled-back')
    if (setBack !== undefined) this.#barred.set(peer.incarnation, setBack.detail)
    return alarms
  }

  /** Why this incarnation must not vote; undefined when nothing is held against it. Starting it again changes nothing. */
  barred(incarnation: string): string | undefined {
    return this.#barred.get(incarnation)
  }

  /** What must not be forgotten when this process ends: the lives of members, and who is barred. In a fixed order. */
  boots(isMember: (incarnation: string) => boolean): readonly RememberedBoot[] {
    return this.#boots
      .map(({ peerId, storeId, boot, bootNonce }) => {
        return { peerId, storeId, boot, bootNonce, barred: this.#barred.get(`${peerId}#${storeId}`) }
      })
      .filter(({ peerId, storeId, barred }) => barred !== undefined || isMember(`${peerId}#${storeId}`))
      .toSorted((a, b) => compareText(a.peerId, b.peerId) || compareText(a.storeId, b.storeId))
  }

  close(peer: Admitted): void {
    this.#open.delete(peer.peerId)
    this.#sorted = undefined
    this.#boots = forgetLive(this.#boots, peer)
  }

  get(peerId: string): Admitted | undefined {
    return this.#open.get(peerId)
  }

  /** By PeerId, so that nothing depends on who came first. */
  list(): readonly Admitted[] {
    this.#sorted ??= [...this.#open.values()].toSorted((a, b) => compareText(a.peerId, b.peerId))
    return this.#sorted
  }

  /** The peer whose present session belongs to this very incarnation. */
  peerOf(incarnation: string): string | undefined {
    const peerId = peerIdOf(incarnation)
    return this.#open.get(peerId)?.incarnation === incarnation ? peerId : undefined
  }

  /**
   * Tells a newcomer where the others are, and the others where the newcomer is. Whom everybody needs (`isSought`) comes first:
   * among a thousand members the few that vote must not be crowded out. Of those that nobody seeks a handful is enough.
   */
  introductions(newcomer: Admitted, isSought: (peer: Admitted) => boolean): readonly Introduction[] {
    const others = this.list().filter(({ peerId }) => peerId !== newcomer.peerId)
    const sought = others.filter(isSought)
    const unsought = others.filter((peer) => !isSought(peer))
    const shown = [...sought, ...unsought.slice(0, UNSOUGHT_MAX)].flatMap(({ addressRecord }) => addressRecord ?? [])
    const hearers = [...sought, ...(isSought(newcomer) ? unsought : unsought.slice(0, UNSOUGHT_MAX))]
    const { addressRecord } = newcomer
    return [
      ...(shown.length === 0 ? [] : [{ to: newcomer.peerId, records: shown.slice(0, PEER_RECORDS_MAX) }]),
      ...(addressRecord === undefined
        ? []
        : hearers.slice(0, PEER_RECORDS_MAX).map(({ peerId }) => ({ to: peerId, records: [addressRecord] })))
    ]
  }

  /** Those records that hold and say something new. */
  news(records: readonly Uint8Array[]): readonly AddressHint[] {
    return records.flatMap((bytes) => {
      const record = this.#readRecord(bytes, (peerId, sequence) => this.#isNews(peerId, sequence))
      if (record === undefined) return []
      const { peerId, addresses, sequence } = record
      this.#sequences.delete(peerId)
      this.#sequences.set(peerId, sequence)
      if (this.#sequences.size > RECORDS_REMEMBERED_MAX) this.#sequences.delete(this.#sequences.keys().next().value!)
      return [{ peerId, addresses }]
    })
  }

  #isNews(peerId: string, sequence: number): boolean {
    return peerId !== this.#self && sequence > (this.#sequences.get(peerId) ?? -1)
  }
}
