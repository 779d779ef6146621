/** How often a join token lets somebody in: the same count on every member. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCbor, type CborValue } from '../../src/core/cbor.ts'
import {
  applyRedeem,
  decodeRedeem,
  encodeRedeem,
  NO_REDEMPTIONS,
  type Redeem,
  redeemedBy,
  roleOf
} from '../../src/membership/redemptions.ts'
import { decodeCommand, encodeCommand } from '../../src/replicated-config/index.ts'

const tokenId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const redeem: fc.Arbitrary<Redeem> = fc.record({
  tokenId,
  peerId: fc.string({ minLength: 1, maxLength: 60 }),
  role: fc.constantFrom('voter' as const, 'observer' as const),
  uses: fc.integer({ min: 1, max: 10_000 })
})

const TOKEN = 'ab'.repeat(16)
const use = (peerId: string, uses = 2): Redeem => ({ tokenId: TOKEN, peerId, role: 'voter', uses })

describe('redeeming', () => {
  it('lets in as many peers as the token says, each as often as it likes', () => {
    let state = NO_REDEMPTIONS
    const results = ['a', 'b', 'a', 'c', 'b', 'c'].map((peerId) => {
      const applied = applyRedeem(state, use(peerId))
      state = applied.state
      return applied.result.type
    })
    expect(results).toEqual(['redeemed', 'redeemed', 'repeated', 'used-up', 'repeated', 'used-up'])
    expect(redeemedBy(state, TOKEN)).toEqual(['a', 'b'])
    expect(redeemedBy(state, 'cd'.repeat(16))).toEqual([])
    expect(redeemedBy(NO_REDEMPTIONS, TOKEN)).toEqual([])
  })

  it('never lets in more than the token says, in whatever order (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd')), fc.integer({ min: 1, max: 4 }), (peers, uses) => {
        let state = NO_REDEMPTIONS
        for (const peerId of peers) ({ state } = applyRedeem(state, use(peerId, uses)))
        expect(redeemedBy(state, TOKEN)).toEqual([...new Set(peers)].slice(0, uses))
      })
    )
  })

  it('grants the most that any token of a peer grants', () => {
    const observer = applyRedeem(NO_REDEMPTIONS, { ...use('a'), role: 'observer' }).state
    expect([roleOf(observer, 'a'), roleOf(observer, 'b')]).toEqual(['observer', undefined])
    expect(roleOf(applyRedeem(observer, { ...use('a'), tokenId: 'cd'.repeat(16) }).state, 'a')).toBe('voter')
  })
})

describe('the command', () => {
  it('survives its trip, and is no command of the config', () => {
    fc.assert(
      fc.property(redeem, (command) => {
        const bytes = encodeRedeem(command)
        expect(decodeRedeem(bytes)).toEqual(command)
        expect(decodeCommand(bytes).type).toBe('malformed')
      })
    )
    const text = { kind: 'config-set', requestId: '00'.repeat(16), author: 'a', at: 0, reason: '', text: '{}' } as const
    expect(decodeRedeem(encodeCommand(text))).toBeUndefined()
  })

  it('is read strictly, and reading never throws', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void decodeRedeem(bytes)))
    const fields: [number, CborValue][] = [
      [0, 2],
      [1, new Uint8Array(16)],
      [2, 'peer'],
      [3, 'voter'],
      [4, 1]
    ]
    const made = (change: readonly [number, CborValue]): unknown =>
      decodeRedeem(encodeCbor(new Map([...fields.filter(([key]) => key !== change[0]), change])))
    expect(made([4, 1])).toMatchObject({ peerId: 'peer' })
    for (const change of [
      [1, new Uint8Array(15)],
      [2, ''],
      [2, 'x'.repeat(129)],
      [3, 'king'],
      [4, 0],
      [5, 1]
    ] as const) {
      expect(made(change), String(change)).toBe('malformed')
    }
  })
})
