import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CborValue, encodeCbor } from '../../src/core/cbor.ts'
import { decodeDenial, encodeDenial } from '../../src/membership/denial.ts'
import { decodeRedeem, encodeRedeem } from '../../src/membership/redemptions.ts'
import { decodeCommand, encodeCommand } from '../../src/replicated-config/index.ts'

describe('a denial', () => {
  it('survives its trip, and is no other command', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 256 }), (incarnation) => {
        const bytes = encodeDenial(incarnation.toWellFormed())
        expect(decodeDenial(bytes)).toEqual({ incarnation: incarnation.toWellFormed() })
        expect(decodeRedeem(bytes)).toBeUndefined()
        expect(decodeCommand(bytes).type).toBe('malformed')
      })
    )
    const text = { kind: 'config-set', requestId: '00'.repeat(16), author: 'a', at: 0, reason: '', text: '{}' } as const
    expect(decodeDenial(encodeCommand(text))).toBeUndefined()
    const redeem = { tokenId: '00'.repeat(16), peerId: 'a', role: 'voter', uses: 1 } as const
    expect(decodeDenial(encodeRedeem(redeem))).toBeUndefined()
  })

  it('is read strictly, and reading never throws', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void decodeDenial(bytes)))
    const made = (...fields: (readonly [number, CborValue])[]): unknown =>
      decodeDenial(encodeCbor(new Map([[0, 3], ...fields])))
    expect(made([1, 'a#1'])).toEqual({ incarnation: 'a#1' })
    expect(made([1, 'x'.repeat(256)])).toEqual({ incarnation: 'x'.repeat(256) })
    for (const fields of [
      [[1, '']],
      [[1, 'x'.repeat(257)]],
      [[1, 7]],
      [[2, 'a#1']],
      [
        [1, 'a#1'],
        [2, 0]
      ]
    ] as const) {
      expect(made(...fields), JSON.stringify(fields)).toBe('malformed')
    }
  })
})
