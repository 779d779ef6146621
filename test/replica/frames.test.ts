/** Frames of a session: what is written is read again, and nothing else is read. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { encodeCbor } from '../../src/core/cbor.ts'
import { sha256 } from '../../src/core/hash.ts'
import { decodeFrame, encodeFrame, type Frame, FrameError, type FrameScope } from '../../src/replica/frames.ts'
import { readClaim } from '../formation/fake-crypto.ts'

const scope: FrameScope = {
  domainId: sha256(utf8('domain')),
  clusterId: sha256(utf8('cluster')),
  generation: 1,
  readClaim
}

const text = fc.string({ maxLength: 512, unit: 'binary' }).map((value) => value.toWellFormed().slice(0, 256))
const requestId = fc.uint8Array({ minLength: 16, maxLength: 16 })
const count = fc.nat(Number.MAX_SAFE_INTEGER)
const maybeText = fc.option(text, { nil: undefined })

const operation = fc.oneof(
  fc.record({ op: fc.constant('command' as const), data: fc.uint8Array({ maxLength: 40 }) }),
  fc.record({ op: fc.constant('transfer' as const), to: maybeText }),
  fc.record({ op: fc.constantFrom('leave' as const, 'read' as const) }),
  fc.record({ op: fc.constantFrom('promote' as const, 'demote' as const, 'remove' as const), member: text }),
  fc.record({ op: fc.constant('replace' as const), member: text, by: maybeText })
)

const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ kind: fc.constant('forward' as const), requestId, operation }),
  fc.record({
    kind: fc.constant('answer' as const),
    requestId,
    status: fc.constantFrom('done' as const, 'retry' as const, 'refused' as const),
    leader: maybeText,
    index: count,
    code: text,
    detail: text
  }),
  fc.record({
    kind: fc.constant('fenced' as const),
    code: fc.constantFrom('removed' as const, 'rolled-back' as const),
    index: count,
    detail: text
  }),
  fc.record({
    kind: fc.constant('peers' as const),
    records: fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 4 })
  })
)

describe('frames', () => {
  it('survive their trip', () => {
    fc.assert(
      fc.property(frame, (sent) => {
        expect(decodeFrame(encodeFrame(sent, scope), scope)).toEqual(sent)
      })
    )
  })

  it('are refused with a FrameError or read, whatever the bytes are', () => {
    const total = (bytes: Uint8Array): void => {
      try {
        decodeFrame(bytes, scope)
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError)
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), total))
    fc.assert(
      fc.property(frame, fc.nat(), fc.nat(255), (sent, at, value) => {
        const bytes = encodeFrame(sent, scope)
        bytes[at % bytes.length] = value
        total(bytes)
      })
    )
  })

  const forward = (op: unknown, argument: unknown): unknown => [
    scope.clusterId,
    1,
    3,
    [new Uint8Array(16), op, argument]
  ]

  it.each([
    ['a member that is no text', forward('promote', 7)],
    ['a member that is longer than a text may be', forward('remove', 'x'.repeat(513))],
    ['no member', forward('demote', null)],
    ['a replacement with one name', forward('replace', ['a'])],
    ['a replacement that is no pair', forward('replace', 'a')],
    ['an operation that nobody knows', forward('evict', 'a')],
    ['a fence for an unknown reason', [scope.domainId, 1, 5, ['angry', 1, '']]],
    ['a fence with an index below zero', [scope.domainId, 1, 5, ['removed', -1, '']]],
    ['a fence of another domain', [scope.clusterId, 1, 5, ['removed', 1, '']]]
  ])('refuse %s', (_, value) => {
    expect(() => decodeFrame(encodeCbor(value as never), scope)).toThrow(FrameError)
  })
})
