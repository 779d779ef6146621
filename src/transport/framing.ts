/**
 * Frames on a stream of bytes, and back.
 *
 * A libp2p stream keeps no message boundaries: chunks are split and merged on the way. So every frame is
 *
 *     length  4 bytes, big-endian: the bytes that follow (kind and body), at least 1
 *     kind    1 byte, see FrameKind
 *     body    length - 1 bytes
 *
 * A declared length is checked against the cap when its four bytes are there, and never allocated: a frame that lies within one
 * chunk is a view of it, a frame that spans chunks is joined once all of it has arrived (FAULTS B2). From a frame's first
 * byte to its last runs a deadline, so that a peer which trickles cannot hold a reader for ever (B8).
 */
import type { Clock, Timer } from '../core/clock.ts'
import { invariant } from '../core/invariant.ts'
import { FramingError } from './errors.ts'

/** What a frame is. Admission uses 1 to 4, an admitted stream 16 to 20. */
export const FrameKind = {
  hello: 1,
  verdict: 2,
  /** "I cannot judge you before I have your verdict"; the second one: "and I still cannot". */
  waiting: 3,
  /** "I know how this ended": after a refusal, so that neither side closes before the other has read why. */
  heard: 4,
  data: 16,
  /** "Does this link still work?" */
  probe: 17,
  echo: 18,
  /** The last frame that the sender puts on this link, because another link to the same peer survives. */
  retired: 19,
  /** "I am done with this link." */
  bye: 20
} as const
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

export interface Frame {
  /** A byte; not every byte is a FrameKind. */
  readonly kind: number
  readonly body: Uint8Array
}

export const FRAME_OVERHEAD_BYTES = 5
const LENGTH_BYTES = 4
const NOTHING: Uint8Array = new Uint8Array(0)

/** The frames as one piece of bytes, for one write, behind so many that are left free. */
export function encodeFrames(frames: readonly Frame[], headroomBytes = 0): Uint8Array<ArrayBuffer> {
  let total = headroomBytes
  for (const { body } of frames) total += FRAME_OVERHEAD_BYTES + body.byteLength
  const bytes = new Uint8Array(total)
  let at = headroomBytes
  for (const { kind, body } of frames) {
    const length = body.byteLength + 1
    for (let i = 0; i < LENGTH_BYTES; i++) bytes[at + i] = length >>> (24 - 8 * i)
    bytes[at + LENGTH_BYTES] = kind
    bytes.set(body, at + FRAME_OVERHEAD_BYTES)
    at += FRAME_OVERHEAD_BYTES + body.byteLength
  }
  return bytes
}

/** Chunks in, frames out. After a FramingError it stays broken. */
export class FrameDecoder {
  readonly #bytesMax: number
  /** What was pushed and not taken lies in [start, end). A chunk that came alone is used as it is. */
  #buffer: Uint8Array = NOTHING
  #start = 0
  #end = 0
  #owned = false
  /** Of the frame that has begun; 0 before its header is complete. */
  #declared = 0
  #broken: FramingError | undefined

  /** `bytesMax` counts kind and body. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes that wait for the rest of their frame, or for `next`. */
  get byteLength(): number {
    return this.#end - this.#start
  }

  /** Length that the frame under way declared; 0 when that is not known yet. */
  get declaredBytes(): number {
    return this.#declared
  }

  /** The chunk is kept and viewed, not copied: it belongs to the decoder from now on. */
  push(chunk: Uint8Array): void {
    if (this.#start === this.#end) {
      this.#buffer = chunk
      this.#start = 0
      this.#end = chunk.byteLength
      this.#owned = false
      return
    }
    if (!this.#owned || this.#end + chunk.byteLength > this.#buffer.byteLength) this.#grow(chunk.byteLength)
    this.#buffer.set(chunk, this.#end)
    this.#end += chunk.byteLength
  }

  /** The next whole frame, or undefined. Throws FramingError on an empty or oversized one. */
  next(): Frame | undefined {
    if (this.#broken !== undefined) throw this.#broken
    if (this.#declared === 0) {
      if (this.byteLength < LENGTH_BYTES) return undefined
      this.#declared = this.#checkedLength()
    }
    if (this.byteLength < this.#declared) return undefined
    const bytes = this.#take(this.#declared)
    this.#declared = 0
    return { kind: bytes[0]!, body: bytes.subarray(1) }
  }

  /** Gives back what follows the last frame; for a hand-over between protocols. Only between frames. */
  rest(): Uint8Array {
    invariant(this.#declared === 0, 'a hand-over in the middle of a frame')
    return this.#take(this.byteLength)
  }

  #checkedLength(): number {
    const header = this.#take(LENGTH_BYTES)
    const length = new DataView(header.buffer, header.byteOffset, LENGTH_BYTES).getUint32(0)
    if (length >= 1 && length <= this.#bytesMax) return length
    this.#take(this.byteLength)
    this.#broken = new FramingError(
      length === 0 ? 'a frame without a kind' : `a frame of ${length} bytes; at most ${this.#bytesMax} are allowed`,
      { declaredBytes: length, bytesMax: this.#bytesMax }
    )
    throw this.#broken
  }

  #take(count: number): Uint8Array {
    const view = this.#buffer.subarray(this.#start, this.#start + count)
    this.#start += count
    // Never reused: frames that were handed out are views of it.
    if (this.#start === this.#end) this.#buffer = NOTHING
    return view
  }

  /** Twice what has arrived, so that many small chunks cost linear time and a lie about the length costs nothing. */
  #grow(more: number): void {
    const needed = this.byteLength + more
    const grown = new Uint8Array(needed * 2)
    grown.set(this.#buffer.subarray(this.#start, this.#end))
    this.#buffer = grown
    this.#end -= this.#start
    this.#start = 0
    this.#owned = true
  }
}

export interface FrameReaderInit {
  readonly bytesMax: number
  readonly deadlineMs: number
  readonly bytesPerSecondMin: number
  readonly clock: Clock
  onFrame(frame: Frame): void
  /** Called once; the reader takes nothing more. */
  onError(error: FramingError): void
}

/** A decoder that calls back, with a deadline for each frame that arrives in pieces. */
export class FrameReader {
  readonly #init: FrameReaderInit
  readonly #decoder: FrameDecoder
  #timer: Timer | undefined
  #begunAt = 0
  #closed = false

  constructor(init: FrameReaderInit) {
    this.#init = init
    this.#decoder = new FrameDecoder(init.bytesMax)
  }

  push(chunk: Uint8Array): void {
    if (this.#closed) return
    this.#decoder.push(chunk)
    try {
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        this.#disarm()
        this.#init.onFrame(frame)
        // The receiver may close the reader from within.
        if (this.#isClosed()) return
      }
    } catch (error) {
      if (!(error instanceof FramingError)) throw error
      this.#fail(error)
      return
    }
    if (this.#timer === undefined && (this.#decoder.byteLength > 0 || this.#decoder.declaredBytes > 0)) {
      this.#begunAt = this.#init.clock.now()
      this.#arm(this.#init.deadlineMs)
    }
  }

  close(): void {
    this.#closed = true
    this.#disarm()
  }

  #isClosed(): boolean {
    return this.#closed
  }

  #arm(delayMs: number): void {
    this.#timer = this.#init.clock.setTimer(delayMs, () => {
      const { clock, deadlineMs, bytesPerSecondMin } = this.#init
      const allowedMs = deadlineMs + (this.#decoder.declaredBytes / bytesPerSecondMin) * 1000
      const leftMs = this.#begunAt + allowedMs - clock.now()
      if (leftMs > 0) {
        this.#arm(leftMs)
        return
      }
      const { byteLength, declaredBytes } = this.#decoder
      this.#fail(
        new FramingError(`${byteLength} of ${declaredBytes} bytes of a frame after ${Math.round(allowedMs)} ms`, {
          byteLength,
          declaredBytes,
          allowedMs
        })
      )
    })
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #fail(error: FramingError): void {
    this.close()
    this.#init.onError(error)
  }
}
