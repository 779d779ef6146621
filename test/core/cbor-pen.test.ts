import fc from 'fast-check'
import { expect, it } from 'vitest'
import { CborPen } from '../../src/core/cbor-pen.ts'
import { CborError, type CborValue, encodeCbor } from '../../src/core/cbor.ts'

const pen = new CborPen()

type Item = number | Uint8Array

function written(items: readonly Item[]): Uint8Array | undefined {
  pen.begin()
  pen.array(items.length)
  for (const item of items) {
    if (typeof item === 'number') pen.uint(item)
    else pen.byteString(item)
  }
  return pen.finish()
}

function generally(items: readonly CborValue[]): Uint8Array | undefined {
  try {
    return encodeCbor(items)
  } catch (error) {
    expect(error).toBeInstanceOf(CborError)
    return undefined
  }
}

/** The borders of every width, on both sides of what is written here, and what is no integer at all. */
const BORDERS = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1]
const STRANGE = [-0, -1, 0.5, 2 ** 32, Number.MAX_SAFE_INTEGER, 2 ** 53, NaN, Infinity]
const number = fc.oneof(fc.constantFrom(...BORDERS), fc.maxSafeNat(), fc.constantFrom(...STRANGE))
const item: fc.Arbitrary<Item> = fc.oneof(
  { arbitrary: number, weight: 4 },
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(new Uint8Array(80).fill(7), new Uint8Array(300))
)

it('writes what the general encoder writes, or nothing', () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 24 }), (items) => {
      const bytes = written(items)
      if (bytes !== undefined) expect(bytes).toEqual(generally(items))
    })
  )
})

it.each(BORDERS)('writes %d', (value) => {
  expect(written([value])).toEqual(encodeCbor([value]))
})

it('writes as much as has room, to the last byte', () => {
  const lengths = Array.from({ length: 120 }, (_, length) => length)
  const whole = lengths.filter((length) => written([new Uint8Array(length).fill(5)]) !== undefined)
  // 96 bytes, of which the array takes one and the head of the byte string two.
  expect(whole).toEqual(lengths.filter((length) => length <= 93))
  for (const length of whole) {
    const text = new Uint8Array(length).fill(5)
    expect(written([text])).toEqual(encodeCbor([text]))
  }
  // An integer is begun only where the longest one has room.
  expect(written([new Uint8Array(88), 1])).toEqual(encodeCbor([new Uint8Array(88), 1]))
  expect(written([new Uint8Array(89), 1])).toBeUndefined()
})

it('starts anew after something that it could not write, and keeps no window on what it wrote', () => {
  expect(written([0.5])).toBeUndefined()
  expect(written([new Uint8Array(300), 1])).toBeUndefined()
  const first = written([1, 2])
  expect(written([3])).toEqual(encodeCbor([3]))
  expect(first).toEqual(encodeCbor([1, 2]))
})
