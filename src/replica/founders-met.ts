/**
 * Who has ever held founding credentials, as far as this node can know: the number that guarantee 1 is about.
 *
 * Three memories make it. The founding certificate names those who founded. The log (or a snapshot) names every incarnation that
 * ever was a member, so also those of lost disks whom the leader took in: that part is the same on all members, on whoever joins
 * later too. The rest was only met: before founding, or turned away. Those names are kept in a cell of their own, because a count
 * that a restart makes smaller would err on the dangerous side. Nothing waits for that write: it is made a second after the
 * meeting, and not at all when by then the certificate names everybody, as it does when founding goes as it should.
 *
 * What is missed: incarnations that no member here has met and no log names, and one that was met less than a second before a crash.
 */
import { compareText } from '../core/bytes.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../core/cbor.ts'
import type { Claim } from '../formation/types.ts'
import { StoredStateError } from './durable.ts'

/** Incarnations that this store has met and that held founding credentials. */
export const MET_CELL = 'founders-met'
/** Far beyond any 2N; whoever holds a founding token could make more of them for ever. */
const MET_MAX = 1_024
/** Of one seat; a person needs to be told of two. */
const CLAIMANTS_MAX = 4
export const MET_KEPT_AFTER_MS = 1_000

export class FoundersMet {
  readonly #names: Set<string>
  /** Who has claimed a seat in this process life, in the order of their coming. */
  readonly #claimants = new Map<number, Set<string>>()
  #kept: string
  /** When names are to be written that are not yet. */
  deadline: number | undefined

  constructor(kept: readonly string[]) {
    this.#names = new Set(kept)
    this.#kept = [...this.#names].toSorted(compareText).join()
  }

  get names(): ReadonlySet<string> {
    return this.#names
  }

  meet({ incarnation, seat, peerId }: Claim, now: number): void {
    if (seat !== 0) this.#claimed(seat, peerId)
    if (this.#names.has(incarnation) || this.#names.size >= MET_MAX) return
    this.#names.add(incarnation)
    this.deadline ??= now + MET_KEPT_AFTER_MS
  }

  #claimed(seat: number, peerId: string): void {
    const peerIds = this.#claimants.get(seat) ?? new Set()
    if (peerIds.size < CLAIMANTS_MAX) this.#claimants.set(seat, peerIds.add(peerId))
  }

  /** Seats that more than one PeerId has claimed, by seat. */
  contested(): readonly { readonly seat: number; readonly peerIds: readonly string[] }[] {
    return [...this.#claimants]
      .filter(([, peerIds]) => peerIds.size > 1)
      .toSorted(([a], [b]) => a - b)
      .map(([seat, peerIds]) => ({ seat, peerIds: [...peerIds] }))
  }

  /** The cell's new value, when the time has come and it has one. `named`: whom the durable certificate names anyway. */
  toKeep(now: number, named: ReadonlySet<string>): Uint8Array | undefined {
    if (this.deadline === undefined || now < this.deadline) return undefined
    this.deadline = undefined
    const names = [...this.#names].filter((name) => !named.has(name)).toSorted(compareText)
    const text = names.join()
    if (text === this.#kept) return undefined
    this.#kept = text
    return encodeCbor(names)
  }
}

/** Throws StoredStateError. */
export function decodeMet(bytes: Uint8Array | undefined): readonly string[] {
  if (bytes === undefined) return []
  let value: CborValue
  try {
    value = decodeCbor(bytes)
  } catch (error) {
    throw new StoredStateError('memory of founders', error)
  }
  const isRead = Array.isArray(value) && value.length <= MET_MAX && value.every((name) => typeof name === 'string')
  if (!isRead) throw new StoredStateError('memory of founders')
  return value as readonly string[]
}
