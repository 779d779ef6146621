/** Segments made by hand, with right headers, numbers, chains and checksums. */
import { ownerTag } from '../../src/storage/owner.ts'
import type { StoreOwner } from '../../src/storage/port.ts'
import { encodeFrame, encodeSegmentHeader, frameBytes, segmentHeaderBytes } from '../../src/storage/wal/format.ts'
import type { FrameKind } from '../../src/storage/wal/format.ts'
import type { SegmentFile } from '../../src/storage/wal/recover.ts'
import { owner } from './harness.ts'

export type Frame = readonly [FrameKind, readonly Uint8Array[]]

export interface MadeSegment extends SegmentFile {
  /** Where each frame begins, and where the last ends. */
  readonly at: readonly number[]
}

/** `first`: number of the first segment. */
export function makeSegments(
  segments: readonly (readonly Frame[])[],
  { first = 1, of = owner, sequence = 1, previous = 0 }: Partial<Link> = {}
): MadeSegment[] {
  return segments.map((frames, i) => {
    const segment = first + i
    const parts: Uint8Array[] = [encodeSegmentHeader({ segment, sequence, previous }, of)]
    const at = [segmentHeaderBytes]
    for (const [kind, body] of frames) {
      const bytes = new Uint8Array(frameBytes(body))
      const position = at.at(-1)!
      previous = encodeFrame(bytes, position, { kind, body, sequence, previous, ownerTag: ownerTag(of) }).check
      sequence++
      at.push(position + bytes.byteLength)
      parts.push(bytes)
    }
    return { path: `segment ${segment}`, segment, bytes: new Uint8Array(Buffer.concat(parts)), at }
  })
}

/** Where a chain begins, and whose it is. */
export interface Link {
  readonly first: number
  readonly of: StoreOwner
  readonly sequence: number
  readonly previous: number
}
