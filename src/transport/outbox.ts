/**
 * Frames on their way out of one link.
 *
 * Frames that are queued in the same turn of the event loop leave as one write, in a microtask: fewer packets and fewer
 * encryptions, no added latency (50 small frames in one write cost a fifteenth of 50 writes). Nothing grows without bound: when
 * the peer does not read, the queue fills to its cap, and then frames are refused, as if the network had lost them.
 */
import { atEndOfTurn } from '../core/microtask.ts'
import { encodeFrames, FRAME_OVERHEAD_BYTES, type Frame, type FrameKind } from './framing.ts'

/** Where the bytes go. */
export interface ByteSink {
  /** False: taken, but no more until `Outbox.drained`. Throws when it is closed. */
  write(bytes: Uint8Array): boolean
}

export interface OutboxInit {
  readonly bytesMax: number
  /** Left free before the frames of each write, for whoever sends them. Default 0. */
  readonly headroomBytes?: number
  /** The sink threw; it has been detached. */
  onWriteError(error: unknown): void
}

/** One write is at most about this long, so that a large backlog does not become one huge copy. */
const WRITE_BYTES = 256 * 1024

export class Outbox {
  readonly #init: OutboxInit
  #queue: Frame[] = []
  #bytes = 0
  #sink: ByteSink | undefined
  #blocked = false
  #scheduled = false
  #waiting: (() => void)[] = []

  constructor(init: OutboxInit) {
    this.#init = init
  }

  get byteLength(): number {
    return this.#bytes
  }

  /** False when the frame does not fit; it is then dropped. The body is copied when it is written, so leave it alone until then. */
  push(kind: FrameKind, body: Uint8Array): boolean {
    const size = body.byteLength + FRAME_OVERHEAD_BYTES
    if (this.#bytes + size > this.#init.bytesMax) return false
    this.#queue.push({ kind, body })
    this.#bytes += size
    this.#schedule()
    return true
  }

  /** Frames wait until there is a sink. */
  attach(sink: ByteSink): void {
    this.#sink = sink
    this.#blocked = false
    this.#schedule()
  }

  detach(): void {
    this.#sink = undefined
    this.#release()
  }

  /** Resolves when the sink has taken everything, or is gone. */
  whenEmpty(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  drained(): void {
    this.#blocked = false
    this.flush()
  }

  /** Writes what the sink takes, now. */
  flush(): void {
    while (this.#sink !== undefined && !this.#blocked && this.#queue.length > 0) {
      const bytes = this.#nextWrite()
      try {
        this.#blocked = !this.#sink.write(bytes)
      } catch (error) {
        this.detach()
        this.#init.onWriteError(error)
      }
    }
    if (this.#queue.length === 0) this.#release()
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #schedule(): void {
    if (this.#scheduled || this.#sink === undefined || this.#blocked) return
    this.#scheduled = true
    atEndOfTurn(this.#onEndOfTurn)
  }

  readonly #onEndOfTurn = (): void => {
    this.#scheduled = false
    this.flush()
  }

  #nextWrite(): Uint8Array {
    let size = 0
    let count = 0
    while (count < this.#queue.length && (count === 0 || size < WRITE_BYTES)) {
      size += this.#queue[count]!.body.byteLength + FRAME_OVERHEAD_BYTES
      count += 1
    }
    this.#bytes -= size
    return encodeFrames(this.#queue.splice(0, count), this.#init.headroomBytes)
  }
}
