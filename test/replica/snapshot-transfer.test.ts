/** Pieces of a snapshot between a sender and a receiver: loss, broken connections, newer ones, and bytes that are not right. */
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/hash.ts'
import { type Random, seededRandom } from '../../src/core/random.ts'
import { CHUNK_BYTES_MAX, type Frame } from '../../src/replica/frames.ts'
import { SnapshotReceiver } from '../../src/replica/snapshot-receiver.ts'
import {
  ASK_AGAIN_MS,
  GIVE_UP_MS,
  type OfferedSnapshot,
  SnapshotSender,
  WINDOW_BYTES
} from '../../src/replica/snapshot-sender.ts'

type Piece = Extract<Frame, { kind: 'snapshot' }>
type Progress = Extract<Frame, { kind: 'snapshot-progress' }>

function snapshotOf(index: number, size: number): OfferedSnapshot {
  const data = new Uint8Array(size)
  for (let i = 0; i < size; i += 997) data[i] = index + i
  return { name: { index, term: 1, digest: sha256(data), size }, data }
}

const nameOf = ({ name }: OfferedSnapshot): string => toHex(name.digest)

/** A sender and a receiver with a network between them that a test empties. */
class Pair {
  readonly reports: string[] = []
  /** Digests of what arrived whole. */
  readonly whole: string[] = []
  pieces: Piece[] = []
  answers: Progress[] = []
  receiver = new SnapshotReceiver()
  now = 0
  bytesSent = 0
  readonly sender = new SnapshotSender({
    send: (_peer, frame) => {
      this.pieces.push(frame as Piece)
      this.bytesSent += (frame as Piece).data.byteLength
    },
    report: (type, peer, index) => this.reports.push(`${type} ${peer} ${index}`)
  })

  receive(piece: Piece): void {
    const { digest, size } = piece.name
    // What has been taken has committed: nobody gathers it again.
    const isTaken = this.whole.includes(toHex(digest))
    const taken = isTaken ? ({ received: size, state: 'whole' } as const) : this.receiver.take(piece)
    if (taken === undefined) return
    if ('whole' in taken) this.whole.push(toHex(sha256(taken.whole)))
    const { received, state } = taken
    this.answers.push({ kind: 'snapshot-progress', digest, received, state })
  }

  /** Delivers what is on the way, as far as it is not lost. */
  turn(random?: Random, loss = 0): void {
    const lost = (): boolean => random !== undefined && random.next() < loss
    for (const piece of this.pieces.splice(0)) if (!lost()) this.receive(piece)
    for (const answer of this.answers.splice(0)) if (!lost()) this.sender.heard('n2', answer, this.now)
  }

  /** Until nothing moves but by time, and then on. */
  run(turns: number, random?: Random, loss = 0): void {
    for (let i = 0; i < turns && this.reports.length === 0; i++) {
      this.turn(random, loss)
      if (this.pieces.length === 0) {
        this.now = Math.max(this.now, this.sender.deadline() ?? this.now)
        this.sender.pump(this.now)
      }
    }
  }
}

describe('a transfer', () => {
  const large = snapshotOf(9, 20 * CHUNK_BYTES_MAX + 5)

  it('asks first, keeps a window ahead of the answers, and ends in a report', () => {
    const pair = new Pair()
    pair.sender.begin('n2', large, 3, 0)
    expect(pair.pieces).toMatchObject([{ leaderTerm: 3, offset: 0, data: new Uint8Array(), name: large.name }])
    pair.turn()
    expect(pair.pieces.map(({ offset }) => offset)).toEqual([0, 1, 2, 3].map((n) => n * CHUNK_BYTES_MAX))
    expect(pair.bytesSent).toBe(WINDOW_BYTES)
    pair.run(100)
    expect(pair.reports).toEqual(['snapshot-sent n2 9'])
    expect(pair.whole).toEqual([nameOf(large)])
    expect([pair.bytesSent, pair.now, pair.sender.deadline()]).toEqual([large.name.size, 0, undefined])
  })

  it('is finished under loss, and fails only when nothing comes through', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const pair = new Pair()
      pair.sender.begin('n2', large, 3, 0)
      pair.run(2_000, seededRandom(seed), 0.2)
      expect(pair.reports, `seed ${seed}`).toEqual(['snapshot-sent n2 9'])
      expect(pair.whole).toEqual([nameOf(large)])
    }
    const dead = new Pair()
    dead.sender.begin('n2', large, 3, 0)
    dead.run(2_000, seededRandom(1), 1)
    expect([dead.reports, dead.now]).toEqual([['snapshot-failed n2 9'], GIVE_UP_MS])
  })

  it('goes on where the connection broke, also with another leader that sends the same', () => {
    const pair = new Pair()
    pair.sender.begin('n2', large, 3, 0)
    for (let i = 0; i < 4; i++) pair.turn()
    pair.sender.forget('n2')
    pair.pieces = []
    const had = pair.receiver.received
    expect(had).toBeGreaterThan(WINDOW_BYTES)
    pair.sender.begin('n2', { ...large }, 4, 5_000)
    pair.bytesSent = 0
    pair.run(100)
    expect(pair.whole).toEqual([nameOf(large)])
    expect(pair.bytesSent).toBe(large.name.size - had)
  })

  it('begins once for one snapshot; a newer one takes its place on both sides', () => {
    const pair = new Pair()
    const newer = snapshotOf(12, 3 * CHUNK_BYTES_MAX)
    pair.sender.begin('n2', large, 3, 0)
    pair.turn()
    const [old] = pair.pieces.splice(0)
    pair.sender.begin('n2', large, 3, 0)
    expect(pair.pieces).toEqual([])
    pair.sender.begin('n2', newer, 3, 0)
    pair.turn()
    // What was still on the way of the old one is nobody's any more.
    pair.receive(old!)
    expect(pair.answers).toEqual([])
    pair.run(100)
    expect([pair.reports, pair.whole]).toEqual([['snapshot-sent n2 12'], [nameOf(newer)]])
    pair.sender.begin('n2', large, 3, 0)
    pair.sender.clear()
    expect(pair.sender.deadline()).toBeUndefined()
  })

  it('of bytes that are not what they are called rests before it has failed', () => {
    const pair = new Pair()
    const small = snapshotOf(9, 100)
    pair.sender.begin('n2', { ...small, data: small.data.toReversed().fill(1) }, 3, 0)
    for (let i = 0; i < 5; i++) pair.turn()
    expect([pair.whole, pair.reports, pair.receiver.received]).toEqual([[], [], 0])
    pair.run(50)
    expect([pair.reports, pair.now]).toEqual([['snapshot-failed n2 9'], GIVE_UP_MS])
  })

  it('hears nothing of what it did not send, nor more than there is', () => {
    const pair = new Pair()
    const small = snapshotOf(9, 100)
    const say = (more: Partial<Progress>): void =>
      pair.sender.heard(
        'n2',
        { kind: 'snapshot-progress', digest: small.name.digest, received: 0, state: 'whole', ...more },
        0
      )
    say({})
    pair.sender.begin('n2', small, 3, 0)
    say({ digest: new Uint8Array(32) })
    say({ received: 101 })
    expect(pair.reports).toEqual([])
    say({})
    expect(pair.reports).toEqual(['snapshot-sent n2 9'])
  })

  it('goes back to what the receiver has, when that began anew', () => {
    const pair = new Pair()
    pair.sender.begin('n2', large, 3, 0)
    for (let i = 0; i < 4; i++) pair.turn()
    pair.pieces = []
    pair.receiver = new SnapshotReceiver()
    pair.now = ASK_AGAIN_MS
    pair.sender.pump(pair.now)
    pair.run(100)
    expect(pair.whole).toEqual([nameOf(large)])
  })

  it('leaves nothing behind once its entries have committed otherwise', () => {
    const pair = new Pair()
    pair.sender.begin('n2', large, 3, 0)
    for (let i = 0; i < 3; i++) pair.turn()
    pair.receiver.reached(8)
    expect(pair.receiver.received).toBeGreaterThan(0)
    pair.receiver.reached(9)
    expect(pair.receiver.received).toBe(0)
  })
})
