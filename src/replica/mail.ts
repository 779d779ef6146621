/**
 * Frames on their way out and in: which scope they have, whom they may go to, and what waits for the founding certificate.
 *
 * A peer has a session, and beyond that it may be *heard*: formation and consensus speak only with whom they were told to be connected
 * (session-changes.ts), so whoever is barred is sent nothing of theirs and nothing of it counts.
 */
import { invariant } from '../core/invariant.ts'
import type { RaftMessage } from '../raft/index.ts'
import { decodeFrame, EarlyFrameError, encodeFrame, type Frame, FrameError, type FrameScope } from './frames.ts'
import { peerIdOf } from './incarnations.ts'
import type { ReplicaInit } from './init.ts'
import type { Outbox } from './outbox.ts'
import type { Sessions } from './sessions.ts'
import { isDue } from './times.ts'
import type { ReplicaSend } from './types.ts'

/** Frames of consensus that arrive between a certificate and its latch; more are lost, as on any network. */
const EARLY_FRAMES_MAX = 64
const EARLY_BYTES_MAX = 1024 * 1024
/** A certificate comes before what is said under it. If it does not, in milliseconds, it was lost, and a new session brings it. */
const CERTIFICATE_PATIENCE_MS = 2_000

export interface EarlyFrame {
  readonly from: string
  readonly frame: Uint8Array
}

export class Mail {
  readonly #init: ReplicaInit
  readonly #outbox: Outbox
  readonly #sessions: Sessions
  /** Incarnations that formation and consensus were told to be connected. */
  readonly heard = new Set<string>()
  /** Set when the cluster is founded. */
  clusterId: Uint8Array | undefined
  #lastScope: FrameScope | undefined
  #early: EarlyFrame[] = []
  /** When the first of them came, or when it was last asked who is overdue. */
  #earlySince = 0
  /** The last that became bytes: the same is often told to several, one after the other. */
  #encoded: { readonly content: object; readonly bytes: Uint8Array } | undefined

  constructor(init: ReplicaInit, outbox: Outbox, sessions: Sessions) {
    this.#init = init
    this.#outbox = outbox
    this.#sessions = sessions
  }

  #scope(): FrameScope {
    if (this.#lastScope?.clusterId === this.clusterId && this.#lastScope !== undefined) return this.#lastScope
    const { domainId, generation, crypto } = this.#init
    this.#lastScope = { domainId, generation, clusterId: this.clusterId, readClaim: crypto.readClaim }
    return this.#lastScope
  }

  /** To whoever has a session. */
  send(peerId: string, frame: Frame, after = 0): void {
    if (this.#sessions.get(peerId) !== undefined) this.#outbox.send(peerId, this.#encode(frame), after)
  }

  /** A message, or else a frame, that is one object becomes bytes once. */
  #encode(frame: Frame): Uint8Array {
    const content = 'message' in frame ? frame.message : frame
    if (this.#encoded?.content !== content) this.#encoded = { content, bytes: encodeFrame(frame, this.#scope()) }
    return this.#encoded.bytes
  }

  sendHeard(incarnation: string, frame: Frame, after: number): void {
    if (this.heard.has(incarnation)) this.send(peerIdOf(incarnation), frame, after)
  }

  sendRaft(incarnation: string, message: RaftMessage, after: number): void {
    if (!this.heard.has(incarnation)) return
    this.#outbox.send(peerIdOf(incarnation), this.#encode({ kind: 'raft', message }), after, TELLS[message.type])
  }

  sendBulk(incarnation: string, frame: Frame): void {
    if (this.heard.has(incarnation)) this.#outbox.sendBulk(peerIdOf(incarnation), encodeFrame(frame, this.#scope()))
  }

  /** Undefined for what is refused, and for what has to wait until the cluster is founded here. */
  read(from: string, bytes: Uint8Array, now: number): Frame | undefined {
    try {
      return decodeFrame(bytes, this.#scope())
    } catch (error) {
      invariant(error instanceof FrameError, () => `decodeFrame threw ${String(error)}`)
      if (error instanceof EarlyFrameError && this.#hasRoom(bytes)) {
        if (this.#early.length === 0) this.#earlySince = now
        this.#early.push({ from, frame: bytes })
      } else this.#outbox.event({ type: 'frame-refused', peerId: from, reason: error.message })
      return undefined
    }
  }

  /** A founder that has latched a moment before us already speaks of the cluster; its frames wait for our own latch. */
  #hasRoom(frame: Uint8Array): boolean {
    let bytes = frame.byteLength
    for (const early of this.#early) bytes += early.frame.byteLength
    return this.#early.length < EARLY_FRAMES_MAX && bytes <= EARLY_BYTES_MAX
  }

  /** What waited counts for the incarnation that sent it; the next session may be another's. */
  sessionClosed(peerId: string): void {
    this.#early = this.#early.filter(({ from }) => from !== peerId)
  }

  /** When the wait for a certificate becomes suspicious. */
  deadline(): number | undefined {
    return this.#early.length === 0 ? undefined : this.#earlySince + CERTIFICATE_PATIENCE_MS
  }

  /** Peers who have spoken of a cluster for so long without a certificate; each is named once in every such time. */
  overdue(now: number): readonly string[] {
    if (!isDue(this.deadline(), now)) return []
    this.#earlySince = now
    return [...new Set(this.#early.map(({ from }) => from))]
  }

  takeEarly(): readonly EarlyFrame[] {
    const early = this.#early
    this.#early = []
    return early
  }
}

/** What speaks of the commit index, to whom the driver may leave it until the end of its turn. */
const TELLS: Partial<Record<RaftMessage['type'], ReplicaSend['tells']>> = { commit: 'notice', append: 'append' }
