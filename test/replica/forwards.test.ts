/** The room for what others ask of a leader, and who has how much of it. */
import { expect, it } from 'vitest'
import { type Forwarded, FORWARDED_MAX, forwardFrame, Forwards } from '../../src/replica/forwards.ts'

const idOf = (n: number): Uint8Array => new Uint8Array(16).fill(n)
const asked = (peerId: string, n: number): Forwarded => ({ peerId, requestId: idOf(n), op: 'read' })

/** How many of `peerId` have room, beside `members - 1` others. */
function roomOf(peerId: string, members: number): number {
  const forwards = new Forwards()
  let ref = 0
  while (!forwards.isFullFor(peerId, members) && ref < 20_000) forwards.add(++ref, asked(peerId, ref))
  return ref
}

it('is shared among the members, and each may ask for one thing', () => {
  const all = roomOf('a', 1)
  expect(all).toBe(FORWARDED_MAX)
  expect(roomOf('a', 4)).toBe(Math.floor(all / 4))
  expect(roomOf('a', 0)).toBe(all)
  expect(roomOf('a', 10 * all)).toBe(1)
})

it('is free again when it is done with, for whom it was', () => {
  const forwards = new Forwards()
  const members = 10_000
  forwards.add(1, asked('a', 1))
  forwards.add(2, asked('a', 2))
  expect([forwards.isFullFor('a', members), forwards.isFullFor('b', members)]).toEqual([true, false])
  expect([forwards.has('a', idOf(1)), forwards.has('b', idOf(1))]).toEqual([true, false])
  expect(forwards.take(1)).toEqual(asked('a', 1))
  expect([forwards.take(1), forwards.has('a', idOf(1))]).toEqual([undefined, false])
  // The other one is still there.
  expect(forwards.isFullFor('a', members)).toBe(true)
  forwards.take(2)
  expect(forwards.isFullFor('a', members)).toBe(false)
  // Nothing is left over of it: the count begins at nothing again.
  forwards.add(3, asked('a', 3))
  forwards.take(3)
  expect(forwards.isFullFor('a', members)).toBe(false)
})

it('is asked for by requests that have a name', () => {
  expect(() => forwardFrame({ type: 'read', requestId: 'no hex' })).toThrow('request id no hex is not hex')
  expect(forwardFrame({ type: 'read', requestId: '00'.repeat(16) })).toMatchObject({ requestId: idOf(0) })
})
