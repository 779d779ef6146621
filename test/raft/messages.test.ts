import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CborError, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import type { CborValue } from '../../src/core/cbor.ts'
import {
  RaftMessageError,
  decodeMembership,
  decodeRaftMessage,
  encodeMembership,
  encodeRaftMessage
} from '../../src/raft/index.ts'
import { MEMBERS_MAX, MESSAGE_ENTRIES_MAX } from '../../src/raft/messages.ts'
import { membership, message } from './arbitraries.ts'

describe('messages', () => {
  test('come back as they went', () => {
    fc.assert(
      fc.property(message, (m) => {
        expect(decodeRaftMessage(decodeCbor(encodeCbor(encodeRaftMessage(m))))).toEqual(m)
      }),
      { numRuns: 2000 }
    )
  })

  test('with one item changed, missing or added are refused or another message, never anything else', () => {
    const junk = fc.oneof(
      fc.constantFrom<CborValue>(
        -1,
        2 ** 53 - 1,
        0,
        99,
        null,
        true,
        '',
        new Uint8Array(),
        [],
        new Map(),
        [[]],
        [[1, 9, '']]
      ),
      fc.nat().map((n): CborValue => n)
    )
    fc.assert(
      fc.property(message, fc.nat({ max: 8 }), fc.nat({ max: 2 }), junk, (m, at, kind, item) => {
        const fields = encodeRaftMessage(m) as readonly CborValue[]
        const broken =
          kind === 0
            ? fields.with(at % fields.length, item)
            : kind === 1
              ? fields.toSpliced(at % fields.length, 1)
              : [...fields, item]
        const result = refusalOf(() => decodeRaftMessage(broken))
        // What is understood must mean what it says: it encodes to the same array again.
        if (result instanceof Error) expect(result).toBeInstanceOf(RaftMessageError)
        else expect(encodeRaftMessage(result)).toEqual(broken)
      }),
      { numRuns: 3000 }
    )
  })

  test('that are no arrays or have no known kind are refused', () => {
    for (const value of [null, 1, 'vote', new Map(), [], [0, 1], [12, 1], ['vote', 1], [1.5]] as CborValue[]) {
      expect(() => decodeRaftMessage(value)).toThrow(RaftMessageError)
    }
  })

  test('hold counts and numbers within bounds', () => {
    const entry = [1, 2, new Uint8Array()]
    const many = (count: number): CborValue => [5, 1, 0, 0, 0, Array.from({ length: count }, () => entry)]
    expect(() => decodeRaftMessage(many(MESSAGE_ENTRIES_MAX))).not.toThrow()
    expect(() => decodeRaftMessage(many(MESSAGE_ENTRIES_MAX + 1))).toThrow(/more than/)
    expect(() => decodeRaftMessage([10, 2 ** 53, 0])).toThrow(RaftMessageError)
    expect(() => decodeRaftMessage([10, 0, 0])).toThrow(/term is 0/)
    expect(() => decodeRaftMessage([5, 1, 2 ** 53 - 1, 1, 0, [entry]])).toThrow(/beyond index/)
  })

  test('with entries that no log can hold are refused', () => {
    const data = new Uint8Array()
    expect(() => decodeRaftMessage([5, 3, 1, 4, 0, []])).toThrow(/later term/)
    expect(() => decodeRaftMessage([5, 3, 1, 0, 0, []])).toThrow(/only index 0/)
    expect(() => decodeRaftMessage([5, 3, 0, 1, 0, []])).toThrow(/only index 0/)
    expect(() => decodeRaftMessage([5, 3, 1, 2, 0, [[1, 2, data]]])).toThrow(/go back/)
    expect(() => decodeRaftMessage([5, 3, 1, 2, 0, [[4, 2, data]]])).toThrow(/exceed/)
    expect(() => decodeRaftMessage([5, 3, 1, 2, 0, [[3, 3, data]]])).toThrow(/type 3/)
    expect(() => decodeRaftMessage([5, 3, 1, 2, 0, [[3, 1, data]]])).toThrow(RaftMessageError)
  })
})

describe('memberships', () => {
  test('come back as they went', () => {
    fc.assert(
      fc.property(membership, (m) => {
        expect(decodeMembership(encodeMembership(m))).toEqual(m)
      })
    )
  })

  test('that contradict themselves are refused', () => {
    const refused = (...lists: CborValue[]): void => {
      expect(() => decodeMembership(encodeCbor(lists))).toThrow(RaftMessageError)
    }
    refused([], [], [], [], false)
    refused(['b', 'a'], [], [], [], false)
    refused(['a', 'a'], [], [], [], false)
    refused(['a'], [], ['a'], [], false)
    refused(['a'], ['b'], ['b'], [], true)
    refused(['a'], ['b'], [], ['c'], true)
    refused(['a'], ['a', 'b'], [], ['a'], true)
    refused(['a'], [], [], [], true)
    refused([''], [], [], [], false)
    refused([1], [], [], [], false)
    refused(['a'.repeat(257)], [], [], [], false)
    refused(['a'], [], [], [])
    refused(
      Array.from({ length: MEMBERS_MAX + 1 }, (_, i) => String(i).padStart(4, '0')),
      [],
      [],
      [],
      false
    )
  })

  test('never throw anything but RaftMessageError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), membership, fc.nat(), (bytes, m, at) => {
        const flipped = encodeMembership(m)
        flipped[at % flipped.length]! ^= 1 + (at % 255)
        for (const data of [bytes, flipped, flipped.subarray(0, at % flipped.length)]) {
          const result = refusalOf(() => decodeMembership(data))
          if (result instanceof Error) expect(result).toBeInstanceOf(RaftMessageError)
          else expect(encodeMembership(result)).toEqual(data)
        }
      })
    )
    expect(CborError).not.toBe(RaftMessageError)
  })
})

function refusalOf<T>(read: () => T): T | Error {
  try {
    return read()
  } catch (error) {
    return error as Error
  }
}
