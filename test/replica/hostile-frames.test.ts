/** Frames between members: what goes in comes out, and no bytes of a peer get further than a FrameError. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { type CborValue, encodeCbor } from '../../src/core/cbor.ts'
import { sha256 } from '../../src/core/hash.ts'
import { decodeFrame, encodeFrame, type Frame, FrameError, type FrameScope } from '../../src/replica/index.ts'
import { fakeCrypto } from '../formation/fake-crypto.ts'

const scope: FrameScope = {
  domainId: sha256(utf8('domain')),
  clusterId: sha256(utf8('cluster')),
  generation: 1,
  readClaim: fakeCrypto.readClaim
}
const requestId = new Uint8Array(16).fill(7)

const frames: readonly Frame[] = [
  { kind: 'formation', message: { type: 'request-vote', term: 2, acceptedTerm: 0 } },
  { kind: 'peers', records: [utf8('one'), utf8('two')] },
  { kind: 'forward', requestId, operation: { op: 'command', data: utf8('data') } },
  { kind: 'forward', requestId, operation: { op: 'transfer', to: undefined } },
  { kind: 'forward', requestId, operation: { op: 'transfer', to: 'p2' } },
  { kind: 'forward', requestId, operation: { op: 'leave' } },
  { kind: 'forward', requestId, operation: { op: 'read' } },
  { kind: 'answer', requestId, status: 'done', leader: 'p1', index: 9, code: '', detail: '' },
  { kind: 'answer', requestId, status: 'retry', leader: undefined, index: 0, code: 'busy', detail: 'later' }
]

const KINDS: readonly string[] = ['formation', 'raft', 'peers', 'forward', 'answer']

/** Anything else than a frame or a FrameError ends the test. */
function read(bytes: Uint8Array): Frame | 'refused' {
  try {
    const frame = decodeFrame(bytes, scope)
    expect(KINDS).toContain(frame.kind)
    return frame
  } catch (error) {
    if (error instanceof FrameError) return 'refused'
    throw error
  }
}

/** Values that a careless table look-up takes for an index. */
const trap = fc.constantFrom<CborValue>('length', 'at', 'map', 'constructor', '__proto__', -1, 99, null, true, '0')
const leaf = fc.oneof(
  trap,
  fc.integer({ min: -3, max: 12 }),
  fc.string({ maxLength: 8 }),
  fc.uint8Array({ maxLength: 40 }),
  fc.constant(requestId)
)
const { value: anyValue } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, fc.array(tie('value'), { maxLength: 8 }))
}))

describe('frames', () => {
  it('come out as they went in', () => {
    for (const frame of frames) expect(decodeFrame(encodeFrame(frame, scope), scope)).toEqual(frame)
  })

  it('carry text that was cut in the middle of a character', () => {
    for (const length of [510, 511, 512, 513]) {
      const detail = `${'x'.repeat(length)}😀 is no member`
      const answer = { ...frames.at(-1)!, detail } as Frame
      expect(read(encodeFrame(answer, scope))).toMatchObject({ kind: 'answer', code: 'busy' })
    }
  })

  it('have a kind that is a number: the name of an array method is none', () => {
    for (const kind of ['length', 'at', 'map', '__proto__', '0', -1, 5, null] as readonly CborValue[]) {
      for (const id of [scope.domainId, scope.clusterId!]) {
        expect(read(encodeCbor([id, 1, kind, []])), JSON.stringify(kind)).toBe('refused')
      }
    }
    for (const status of ['length', 'at', '0', -1, 3, null] as readonly CborValue[]) {
      const body = [requestId, status, null, 0, '', '']
      expect(read(encodeCbor([scope.clusterId!, 1, 4, body])), JSON.stringify(status)).toBe('refused')
    }
  })

  it('of the right scope and a body of anything give a frame or a FrameError', () => {
    const id = fc.constantFrom(scope.domainId, scope.clusterId!)
    const kind = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 0, max: 4 }) }, { weight: 1, arbitrary: trap })
    fc.assert(
      fc.property(id, kind, anyValue, (scopeId, kindNumber, body) => {
        read(encodeCbor([scopeId, 1, kindNumber, body]))
      }),
      { numRuns: 3_000 }
    )
  })

  it('of random, cut or changed bytes give a frame or a FrameError', () => {
    const encoded = frames.map((frame) => encodeFrame(frame, scope))
    const damaged = fc
      .tuple(fc.constantFrom(...encoded), fc.nat(), fc.nat(255), fc.nat())
      .map(([bytes, at, value, end]) => {
        const changed = new Uint8Array(bytes)
        changed[at % changed.length] = value
        return changed.subarray(0, (end % changed.length) + 1)
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), (bytes) => void read(bytes)),
      { numRuns: 3_000 }
    )
  })
})
