/**
 * Who is connected: one admitted session for each peer, and what members tell each other about where members are (peer exchange:
 * finding one member is enough, R-DSC-4).
 *
 * Everything that a peer says about others is a hint: a record counts only with its subject's own signature, is news once, and
 * costs a verification only when it claims to be newer than what is known, is not the one that its subject has shown when it was admitted,
 * and while its bringer has an allowance left.
 */
import { compareText, equalBytes } from '../core/bytes.ts'
import { PRIORITY_DEFAULT } from '../core/priority.ts'
import type { Admitted } from '../membership/admission.ts'
import { Allowances } from './allowance.ts'
import { PEER_RECORDS_MAX } from './frame-kinds.ts'
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
const UNSOUGHT_MAX = 4
/** Peers whose newest record is remembered; beyond it the oldest is news again. */
const RECORDS_REMEMBERED_MAX = 1_024
/** Records that one peer may make us verify, at once and then a second. */
export const RECORD_CHECKS_AT_ONCE = 64
export const RECORD_CHECKS_PER_SECOND = 4

export class Sessions {
  readonly #self: string
  readonly #readRecord: RecordReader
  readonly #open = new Map<string, Admitted>()
  /** The same by PeerId; undefined when it is to be sorted anew. */
  #sorted: readonly Admitted[] | undefined
  readonly #sequences = new Map<string, number>()
  readonly #checks = new Allowances(RECORD_CHECKS_AT_ONCE, RECORD_CHECKS_PER_SECOND)

  /** `self` is our PeerId. */
  constructor(self: string, readRecord: RecordReader) {
    this.#self = self
    this.#readRecord = readRecord
  }

  open(peer: Admitted): void {
    this.#open.set(peer.peerId, peer)
    this.#sorted = undefined
  }

  close(peer: Admitted): void {
    this.#open.delete(peer.peerId)
    this.#sorted = undefined
  }

  get(peerId: string): Admitted | undefined {
    return this.#open.get(peerId)
  }

  /** By PeerId, so that nothing depends on who came first. */
  list(): readonly Admitted[] {
    this.#sorted ??= [...this.#open.values()].toSorted((a, b) => compareText(a.peerId, b.peerId))
    return this.#sorted
  }

  /** What these incarnations say of themselves, in their order, so that nothing depends on who came first. */
  priorities(incarnations: Iterable<string>): ReadonlyMap<string, number> {
    const priorityOf = (id: string): number => this.#open.get(peerIdOf(id))?.priority ?? PRIORITY_DEFAULT
    return new Map([...incarnations].toSorted(compareText).map((id) => [id, priorityOf(id)]))
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

  /** Those records that hold and say something new. `from` is who brings them. */
  news(from: string, records: readonly Uint8Array[], now: number): readonly AddressHint[] {
    return records.flatMap((bytes) => {
      let proven: Admitted['addresses']
      const isWorthIt = (peerId: string, sequence: number): boolean => {
        if (!this.#isNews(peerId, sequence)) return false
        proven = this.#broughtBy(peerId, bytes)
        return proven === undefined && this.#checks.take(from, now)
      }
      const record = this.#readRecord(bytes, isWorthIt) ?? proven
      if (record === undefined) return []
      const { peerId, addresses, sequence } = record
      this.#sequences.delete(peerId)
      this.#sequences.set(peerId, sequence)
      if (this.#sequences.size > RECORDS_REMEMBERED_MAX) this.#sequences.delete(this.#sequences.keys().next().value!)
      return [{ peerId, addresses }]
    })
  }

  /** The same record that its subject has shown us in person: that one has been verified. */
  #broughtBy(peerId: string, bytes: Uint8Array): Admitted['addresses'] {
    const { addressRecord, addresses } = this.#open.get(peerId) ?? {}
    return addressRecord !== undefined && equalBytes(addressRecord, bytes) ? addresses : undefined
  }

  #isNews(peerId: string, sequence: number): boolean {
    return peerId !== this.#self && sequence > (this.#sequences.get(peerId) ?? -1)
  }
}
