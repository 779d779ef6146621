/** What a credential allows: the rules of tokens and seats, each at its border. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Claim } from '../../src/formation/types.ts'
import type { Admitted } from '../../src/membership/admission.ts'
import type { Redemptions } from '../../src/membership/redemptions.ts'
import type { Fences } from '../../src/replica/fences.ts'
import { Guests } from '../../src/replica/guests.ts'

const TOKEN = 'aa'.repeat(16)

type Role = 'voter' | 'observer'

const bearer = (peerId: string, { uses = 2, role = 'voter' } = {}): Admitted =>
  ({
    peerId,
    incarnation: `${peerId}#1`,
    claim: undefined,
    credential: { token: { kind: 'join', tokenId: TOKEN, role, uses } }
  }) as unknown as Admitted

/** Of a founder the token is a founding one. */
const founder = (peerId: string, seat: number): Admitted =>
  ({
    peerId,
    incarnation: `${peerId}#1`,
    claim: { peerId, seat } as unknown as Claim,
    credential: { token: { kind: 'founding', seat } }
  }) as unknown as Admitted

let redemptions: Redemptions
let seats: Map<number, string>
let barred: Set<string>
let removed: Set<string>
let voted: Set<string> | undefined
let guests: Guests

const redeemed = (by: readonly string[], role: Role = 'voter'): void => {
  redemptions = new Map([[TOKEN, { role, uses: 2, peerIds: by }]])
}

beforeEach(() => {
  redemptions = new Map()
  seats = new Map()
  barred = new Set()
  removed = new Set()
  voted = new Set()
  const fences = {
    isBarred: (id: string) => barred.has(id),
    isRemoved: (id: string) => removed.has(id),
    get history() {
      const ever = voted
      return ever === undefined ? undefined : { hasVoted: (id: string) => ever.has(id) }
    }
  } as unknown as Fences
  guests = new Guests({
    fences,
    redemptions: () => redemptions,
    isFounder: (peerId) => [...seats.values()].includes(peerId),
    holderOf: (seat) => seats.get(seat)
  })
})

describe('whoever comes', () => {
  it('with a join token redeems it, as long as a use of it is left, and is taken in when it has', () => {
    const redeem = { tokenId: TOKEN, peerId: 'c', role: 'voter', uses: 2 }
    expect(guests.welcome(bearer('c'))).toEqual({ type: 'redeem', redeem })
    redeemed(['a'])
    expect(guests.welcome(bearer('c'))).toEqual({ type: 'redeem', redeem })
    redeemed(['a', 'b'])
    expect(guests.welcome(bearer('c'))).toEqual({ type: 'no' })
    expect(guests.welcome(bearer('b'))).toEqual({ type: 'take-in' })
  })

  it('with a seat is taken in, unless the seat is another’s', () => {
    expect(guests.welcome(founder('a', 1))).toEqual({ type: 'take-in' })
    seats.set(1, 'a')
    expect(guests.welcome(founder('a', 1))).toEqual({ type: 'take-in' })
    expect(guests.welcome(founder('b', 1))).toEqual({ type: 'no' })
  })

  it('with neither, barred or removed, is not', () => {
    const claimless = { ...founder('a', 1), claim: undefined } as unknown as Admitted
    expect(guests.welcome(claimless)).toEqual({ type: 'no' })
    barred.add('b#1')
    removed.add('c#1')
    for (const id of ['b', 'c']) expect(guests.welcome(bearer(id))).toEqual({ type: 'no' })
  })
})

describe('what a token makes of a member', () => {
  it('an observer, or a joiner that gets its vote; a founder is neither, whatever it holds', () => {
    const are = (id: string) => [guests.isObserver(id), guests.isJoiner(id)]
    expect(are('a')).toEqual([false, false])
    redeemed(['a', 'f'], 'observer')
    seats.set(1, 'f')
    expect([are('a'), are('f')]).toEqual([
      [true, true],
      [false, false]
    ])
    redeemed(['a', 'f'])
    expect([are('a'), are('f')]).toEqual([
      [false, true],
      [false, false]
    ])
  })

  it('a vote by itself once, one when it is promoted after that, and none for an observer', () => {
    redeemed(['a'])
    expect([guests.awaitsVote('a#1'), guests.voteOf('a#1')]).toEqual([true, 'by-itself'])
    voted!.add('a#1')
    expect([guests.awaitsVote('a#1'), guests.voteOf('a#1')]).toEqual([false, 'when-promoted'])
    redeemed(['b'], 'observer')
    expect([guests.awaitsVote('b#1'), guests.voteOf('b#1')]).toEqual([false, 'never'])
    // Before founding nobody waits for a vote.
    redeemed(['a'])
    voted = undefined
    expect(guests.awaitsVote('a#1')).toBe(false)
  })
})

describe('a copy', () => {
  it('of a join token is whoever comes when all uses are others’', () => {
    const all = ['a', 'b', 'c'].map((id) => bearer(id))
    redeemed(['a'])
    expect(guests.copies(all)).toEqual([])
    redeemed(['a', 'b'])
    const detail = `c brings join token ${TOKEN}, which a, b used up: it was copied, or handed out too often`
    expect(guests.copies(all)).toEqual([{ peerId: 'c', detail }])
  })

  it('of a founding token is whoever claims a seat that is another’s; before founding nobody is', () => {
    const all = [founder('a', 1), founder('b', 1), founder('c', 2)]
    expect(guests.copies(all)).toEqual([])
    seats.set(1, 'a').set(2, 'c')
    const detail = "b claims seat 1, which is a's since founding: the token was copied"
    expect(guests.copies(all)).toEqual([{ peerId: 'b', detail }])
  })

  it('is no founder for a token beside its seat', () => {
    redeemed(['x', 'y'])
    const both = { ...bearer('a'), claim: { peerId: 'a', seat: 1 } } as unknown as Admitted
    expect(guests.copies([both])).toEqual([])
  })
})
