/**
 * When a snapshot is taken, what is kept of it, and how it comes from and goes to others.
 *
 * **Taking.** When enough entries, or bytes of them, were applied since the last one, the state machine is written out in one
 * step and handed to the store like any other batch; consensus cuts its log when that is durable. The bytes of the newest stay in
 * memory, for whoever needs them. Bytes count at least as much as the last snapshot had, so that a large state is not
 * written again for a few small entries.
 *
 * **Sending and receiving.** `snapshot-sender.ts` and `snapshot-receiver.ts`. What has arrived whole is read before consensus hears of
 * it; what cannot be read is refused with an alarm, and changes nothing.
 */
import { InvalidOptionError } from '../core/errors.ts'
import { sha256 } from '../core/hash.ts'
import { invariant } from '../core/invariant.ts'
import type { Entry, LogPosition, NodeId, RaftInput, SnapshotRequest } from '../raft/types.ts'
import type { Frame } from './frames.ts'
import { decodeSnapshot, type Snapshot, SnapshotError, type StoredSnapshot } from './snapshot.ts'
import { SnapshotReceiver } from './snapshot-receiver.ts'
import { type OfferedSnapshot, SnapshotSender } from './snapshot-sender.ts'
import type { StateMachine } from './state-machine.ts'
import type { DurableBatch, ReplicaEvent } from './types.ts'

/** How often the state is saved as a snapshot, and what of the log stays behind it. Every number is from 1. */
export interface SnapshotPolicy {
  /** Entries of the log that were applied since the last one. Default 10,000. */
  readonly entriesMax: number
  /** Bytes of their data. Default 32 MiB; not before as many as the last snapshot had. */
  readonly bytesMax: number
  /** Entries that stay in the log for followers that are a little behind. Default 1,024, at most `entriesMax`. */
  readonly trailingEntriesMax: number
  /** Bytes of those. Default 8 MiB. */
  readonly trailingBytesMax: number
}

/** Seldom enough that a cluster whose config changes by hand never takes one, often enough that a restart stays short. */
const DEFAULTS: SnapshotPolicy = {
  entriesMax: 10_000,
  bytesMax: 32 * 1024 * 1024,
  trailingEntriesMax: 1_024,
  trailingBytesMax: 8 * 1024 * 1024
}

/** With every default filled in. Throws InvalidOptionError. */
export function resolveSnapshots(given: Partial<SnapshotPolicy> = {}): SnapshotPolicy {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULTS, name)) {
      throw new InvalidOptionError(`snapshots.${name} is unknown; there are ${Object.keys(DEFAULTS).join(', ')}`)
    }
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new InvalidOptionError(`snapshots.${name} is ${value}; it is a whole number from 1`)
    }
  }
  const entriesMax = given.entriesMax ?? DEFAULTS.entriesMax
  const trailingEntriesMax = Math.min(given.trailingEntriesMax ?? DEFAULTS.trailingEntriesMax, entriesMax)
  return { ...DEFAULTS, ...given, trailingEntriesMax }
}

export interface SnapshotSurroundings {
  readonly policy: SnapshotPolicy
  readonly machine: StateMachine
  /** Term and commit index of our own core. */
  position(): { readonly term: number; readonly commitIndex: number }
  /** One more batch of this owner; `persisted` follows with the same number. */
  write(number: number, batch: DurableBatch): void
  toRaft(input: RaftInput, now: number): void
  send(peer: NodeId, frame: Frame): void
  event(event: ReplicaEvent): void
}

export class Snapshots {
  readonly #around: SnapshotSurroundings
  readonly #sender: SnapshotSender
  readonly #receiver = new SnapshotReceiver()
  /** Durable here. */
  #newest: OfferedSnapshot | undefined
  /** Ours, on its way to the disk. */
  #saving: OfferedSnapshot | undefined
  #saves = 0
  /** Somebody's, handed to consensus; taken when a write of consensus names it. */
  #arriving: { readonly snapshot: Snapshot; readonly data: Uint8Array; isTaken: boolean } | undefined
  #entries = 0
  #bytes = 0

  constructor(around: SnapshotSurroundings) {
    this.#around = around
    this.#sender = new SnapshotSender({
      send: (peer, frame) => around.send(peer, frame),
      report: (type, peer, index, now) => around.toRaft({ type, peer, index }, now)
    })
  }

  /** What the store held. */
  recovered(stored: StoredSnapshot): void {
    this.#newest = offered(stored)
  }

  applied(entry: Entry): void {
    this.#entries++
    this.#bytes += entry.data.byteLength
  }

  pump(now: number): void {
    this.#receiver.reached(this.#around.position().commitIndex)
    this.#sender.pump(now)
    if (this.#isDue()) this.#save()
  }

  deadline(): number | undefined {
    return this.#sender.deadline()
  }

  #isDue(): boolean {
    if (this.#saving !== undefined || this.#arriving?.isTaken === true) return false
    const { entriesMax, bytesMax } = this.#around.policy
    return this.#entries >= entriesMax || this.#bytes >= Math.max(bytesMax, this.#newest?.name.size ?? 0)
  }

  #save(): void {
    const { machine } = this.#around
    const data = machine.save()
    if (data === undefined) return
    this.#entries = this.#bytes = 0
    this.#saving = offered({ ...machine.position, data })
    this.#around.write(++this.#saves, { snapshot: { ...machine.position, data } })
  }

  persisted(now: number): void {
    const saved = this.#saving
    invariant(saved !== undefined, 'what is durable was being saved')
    this.#saving = undefined
    const { index, size } = saved.name
    // One that came from a leader meanwhile is later.
    if (index > (this.#newest?.name.index ?? 0)) this.#newest = saved
    this.#around.event({ type: 'snapshot', action: 'taken', index, bytes: size })
    this.#around.toRaft({ type: 'snapshotted', index }, now)
  }

  // ── To others ───────────────────────────────────────────────────────────────────────────────────────────────────────

  requested({ to, index }: SnapshotRequest, now: number): void {
    const newest = this.#newest
    invariant(newest !== undefined && newest.name.index >= index, () => `there is no snapshot of ${index} to send`)
    this.#sender.begin(to, newest, this.#around.position().term, now)
  }

  progressed(peer: NodeId, frame: Extract<Frame, { kind: 'snapshot-progress' }>, now: number): void {
    this.#sender.heard(peer, frame, now)
  }

  sessionClosed(peer: NodeId): void {
    this.#sender.forget(peer)
  }

  officeLost(): void {
    this.#sender.clear()
  }

  // ── From others ─────────────────────────────────────────────────────────────────────────────────────────────────────

  received(from: NodeId, piece: Extract<Frame, { kind: 'snapshot' }>, now: number): void {
    const { digest, index, size } = piece.name
    const answer = (received: number, state: Extract<Frame, { kind: 'snapshot-progress' }>['state']): void =>
      this.#around.send(from, { kind: 'snapshot-progress', digest, received, state })
    if (index <= this.#around.position().commitIndex) return answer(size, 'whole')
    const taken = this.#receiver.take(piece)
    if (taken === undefined) return
    let { state } = taken
    if (taken.whole !== undefined && !this.#install(from, piece, taken.whole, now)) state = 'unusable'
    if (state === 'unusable') {
      const detail = `the snapshot of entry ${index} that ${from} sent cannot be used`
      this.#around.event({ type: 'alarm', code: 'snapshot-unusable', detail })
    }
    answer(taken.received, state)
  }

  /** False when it is not what its name says. */
  #install(
    from: NodeId,
    { name, leaderTerm }: Extract<Frame, { kind: 'snapshot' }>,
    data: Uint8Array,
    now: number
  ): boolean {
    const snapshot = readable(data)
    if (snapshot?.index !== name.index || snapshot.term !== name.term) return false
    const before = this.#arriving
    const arriving = { snapshot, data, isTaken: false }
    this.#arriving = arriving
    this.#around.toRaft({ type: 'install', from, term: leaderTerm, snapshot }, now)
    if (!arriving.isTaken) this.#arriving = before
    return true
  }

  /** Consensus takes what was handed to it: the bytes for its write. */
  taken({ index, term }: LogPosition): StoredSnapshot {
    const arriving = this.#arriving
    invariant(arriving?.snapshot.index === index, () => `nothing of ${index} was handed in`)
    arriving.isTaken = true
    return { index, term, data: arriving.data }
  }

  /** It is durable: what the state becomes. */
  restored({ index, term }: LogPosition): Snapshot {
    const arriving = this.#arriving
    invariant(arriving?.snapshot.index === index, () => `nothing of ${index} was taken`)
    this.#arriving = undefined
    this.#newest = offered({ index, term, data: arriving.data })
    this.#entries = this.#bytes = 0
    this.#around.event({ type: 'snapshot', action: 'restored', index, bytes: arriving.data.byteLength })
    return arriving.snapshot
  }
}

const offered = ({ index, term, data }: StoredSnapshot): OfferedSnapshot => ({
  name: { index, term, digest: sha256(data), size: data.byteLength },
  data
})

function readable(data: Uint8Array): Snapshot | undefined {
  try {
    return decodeSnapshot(data)
  } catch (error) {
    if (error instanceof SnapshotError) return undefined
    throw error
  }
}
