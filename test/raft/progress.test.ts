/** What a leader makes of the answers of one member, answer by answer. */
import { describe, expect, test } from 'vitest'
import { Progress } from '../../src/raft/progress.ts'

const LIMITS = { inflightMax: 2, inflightBytesMax: 100 }
const seen = ({ state, match, next, paused }: Progress): unknown => ({ state, match, next, paused })

/** Its log goes up to 4, and it is known to. */
function replicating(limits = LIMITS): Progress {
  const peer = new Progress('n2', 5, 0, limits)
  peer.accepted(4, 0)
  return peer
}
function waiting(next = 5): Progress {
  const peer = new Progress('n2', next, 0, LIMITS)
  peer.sent(next, 1)
  peer.needsSnapshot(7)
  return peer
}

describe('who is probed', () => {
  test('gets one append, and the next one when it answers', () => {
    const peer = new Progress('n2', 5, 0, LIMITS)
    expect(seen(peer)).toEqual({ state: 'probe', match: 0, next: 5, paused: false })
    peer.sent(9, 10)
    expect(seen(peer)).toEqual({ state: 'probe', match: 0, next: 5, paused: true })
    expect([peer.accepted(9, 0), peer.probing]).toEqual([true, false])
    expect(seen(peer)).toEqual({ state: 'replicate', match: 9, next: 10, paused: false })
  })

  test('is not found to agree by an answer from before', () => {
    const peer = replicating()
    peer.sent(6, 1)
    peer.accepted(6, 0)
    peer.probe()
    expect(peer.accepted(5, 0)).toBe(false)
    expect(seen(peer)).toEqual({ state: 'probe', match: 6, next: 7, paused: false })
  })

  test('goes back to where it says that it agrees, when it answers what it was asked last', () => {
    const peer = new Progress('n2', 5, 0, LIMITS)
    peer.sent(5, 1)
    expect([peer.rejected(3, 1), seen(peer)]).toEqual([false, { state: 'probe', match: 0, next: 5, paused: true }])
    expect([peer.rejected(4, 2), seen(peer)]).toEqual([true, { state: 'probe', match: 0, next: 3, paused: false }])
    peer.sent(5, 1)
    expect([peer.rejected(2, 9), seen(peer)]).toEqual([true, { state: 'probe', match: 0, next: 2, paused: false }])
  })
})

describe('who agrees', () => {
  test('is sent as many appends and bytes as may be in flight, each of them once', () => {
    const peer = replicating()
    peer.sent(5, 10)
    peer.sent(5, 10)
    expect(seen(peer)).toEqual({ state: 'replicate', match: 4, next: 6, paused: false })
    peer.sent(6, 10)
    expect(peer.paused).toBe(true)
    expect([peer.accepted(5, 0), peer.accepted(5, 0), peer.paused]).toEqual([true, false, false])
    peer.sent(7, 10)
    expect([peer.paused, peer.accepted(7, 0), peer.paused]).toEqual([true, true, false])
    const heavy = replicating({ ...LIMITS, inflightMax: 9 })
    heavy.sent(5, 99)
    expect(heavy.paused).toBe(false)
    heavy.sent(6, 1)
    expect([heavy.paused, heavy.accepted(5, 0), heavy.paused]).toEqual([true, true, false])
  })

  test('is probed from what is certain when it refuses what was sent', () => {
    for (const [prevIndex, agreeAt, next] of [
      [5, 9, 5],
      [6, 5, 6],
      [6, 0, 5]
    ] as const) {
      const peer = replicating()
      peer.sent(6, 1)
      peer.sent(7, 1)
      expect([peer.rejected(4, 9), peer.rejected(8, 9)]).toEqual([false, false])
      expect(peer.rejected(prevIndex, agreeAt)).toBe(true)
      expect(seen(peer)).toEqual({ state: 'probe', match: 4, next, paused: false })
      // What was in flight is forgotten.
      peer.accepted(4, 0)
      expect(seen(peer)).toEqual({ state: 'replicate', match: 4, next: 5, paused: false })
    }
  })
})

describe('who waits for a snapshot', () => {
  test('hears of nothing else, and its refusals are from before', () => {
    const peer = waiting()
    expect(peer).toMatchObject({ state: 'snapshot', snapshotSeq: 7, paused: true, probing: false })
    expect([peer.rejected(4, 2), seen(peer)]).toEqual([false, { state: 'snapshot', match: 0, next: 5, paused: true }])
  })

  test('goes on when it has what the log can follow, and waits on with anything less', () => {
    for (const [begins, match, next] of [
      [5, 8, 9],
      [8, 8, 9],
      [12, 8, 12]
    ] as const) {
      const peer = waiting(begins)
      expect([peer.accepted(match, 20), seen(peer)]).toEqual([true, { state: 'snapshot', match, next, paused: true }])
      peer.accepted(20, 20)
      expect(seen(peer)).toEqual({ state: 'replicate', match: 20, next: 21, paused: false })
    }
  })

  test('is asked again with the next heartbeat, whether the snapshot was sent or not', () => {
    const sent = waiting()
    sent.snapshotSent(9)
    expect(seen(sent)).toEqual({ state: 'probe', match: 0, next: 10, paused: true })
    const failed = waiting()
    failed.snapshotFailed()
    expect(seen(failed)).toEqual({ state: 'probe', match: 0, next: 1, paused: true })
    for (const peer of [replicating(), new Progress('n2', 5, 0, LIMITS)]) {
      const before = seen(peer)
      peer.snapshotSent(9)
      peer.snapshotFailed()
      expect(seen(peer)).toEqual(before)
    }
  })
})
