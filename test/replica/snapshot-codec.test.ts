/** What a state machine writes out and reads back: equal to what it was, for all that follows, and nothing else is read. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCbor, encodeCbor, type CborValue } from '../../src/core/cbor.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { encodeRedeem } from '../../src/membership/redemptions.ts'
import { encodeMembership } from '../../src/raft/index.ts'
import type { Entry, Membership } from '../../src/raft/index.ts'
import { decodeSnapshot, SnapshotError } from '../../src/replica/snapshot.ts'
import { StateMachine } from '../../src/replica/state-machine.ts'
import { encodeCommand, type ValidateConfig } from '../../src/replicated-config/index.ts'
import { ANSWERS_MAX, HEADERS_MAX, HISTORY_VERSIONS_MAX } from '../../src/replicated-config/limits.ts'

const TEXT = '{"limit":1}'
const FOUNDERS: Membership = {
  voters: ['p1#1', 'p2#1', 'p3#1'],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false
}
const id = (n: number): string => n.toString(16).padStart(32, '0')
const noThirteen: ValidateConfig = (value) =>
  JSON.stringify(value).includes('13') ? [{ pointer: '/limit', message: 'is 13' }] : []

/** What one entry of the log says, without its place. */
type Said = (index: number) => Entry

const entry =
  (type: Entry['type'], data: Uint8Array): Said =>
  (index) => ({ index, term: 1 + Math.floor(index / 7), type, data })

const said: fc.Arbitrary<Said> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({
        n: fc.nat({ max: 20 }),
        limit: fc.integer({ min: 10, max: 14 }),
        ifVersion: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
        reason: fc.string({ unit: 'grapheme', maxLength: 8 })
      })
      .map(({ n, limit, ifVersion, reason }) => {
        const text = `{"limit":${limit}}`
        const set = { kind: 'config-set' as const, requestId: id(n), author: 'p1', at: n, reason, text }
        return entry('command', encodeCommand(ifVersion === undefined ? set : { ...set, ifVersion }))
      })
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ token: fc.nat({ max: 3 }), peer: fc.nat({ max: 4 }), uses: fc.integer({ min: 1, max: 2 }) })
      .map(({ token, peer, uses }) =>
        entry('command', encodeRedeem({ tokenId: id(token), peerId: `q${peer}`, role: 'voter', uses }))
      )
  },
  {
    weight: 2,
    arbitrary: fc
      .subarray(['p1#1', 'p2#1', 'p2#2', 'q1#1', 'q2#1'], { minLength: 1 })
      .map((voters) =>
        entry(
          'membership',
          encodeMembership({ ...FOUNDERS, voters, learners: voters.includes('q2#1') ? [] : ['q2#1'] })
        )
      )
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 3 }).map((data) => entry('command', data)) },
  { weight: 1, arbitrary: fc.constant(entry('noop', new Uint8Array())) }
)

function machine(): StateMachine {
  const made = new StateMachine(TEXT, noThirteen)
  made.found(FOUNDERS)
  return made
}

/** Everything that it can be asked. */
const seenOf = (one: StateMachine): unknown => ({
  position: one.position,
  config: { ...one.state, older: [...one.state!.older], answered: [...one.state!.answered] },
  redemptions: [...one.redemptions].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  bytes: one.save()
})

describe('a snapshot', () => {
  it('and the entries after it lead where the whole log leads, wherever it was taken', () => {
    fc.assert(
      fc.property(fc.array(said, { maxLength: 40 }), fc.array(fc.nat(), { maxLength: 3 }), (list, places) => {
        const log = [entry('noop', utf8(TEXT)), ...list].map((one, i) => one(i + 1))
        const whole = machine()
        for (const one of log) whole.apply(one)
        let resumed = machine()
        const cuts = new Set(places.map((place) => 1 + (place % log.length)))
        for (const one of log) {
          resumed.apply(one)
          if (!cuts.has(one.index)) continue
          const data = resumed.save()!
          resumed = machine()
          resumed.restore(decodeSnapshot(data))
          expect(resumed.save()).toEqual(data)
        }
        expect(seenOf(resumed)).toEqual(seenOf(whole))
      }),
      { numRuns: 150 }
    )
  })

  it('keeps everything that is kept when there is too much of it: full versions, headers, answers', () => {
    const whole = machine()
    whole.apply(entry('noop', utf8(TEXT))(1))
    const versions = HISTORY_VERSIONS_MAX + 300
    for (let n = 1; n <= versions; n++) {
      const set = {
        kind: 'config-set' as const,
        requestId: id(n),
        author: 'p1',
        at: n,
        reason: `${n}`,
        text: '{"n":1}'
      }
      whole.apply(entry('command', encodeCommand(set))(n + 1))
    }
    const resumed = machine()
    resumed.restore(decodeSnapshot(whole.save()!))
    expect(seenOf(resumed)).toEqual(seenOf(whole))
    const { history, older, answered } = resumed.state!
    expect([history.length, older.length, answered.length]).toEqual([HISTORY_VERSIONS_MAX, 301, ANSWERS_MAX])
    expect(older.length).toBeLessThanOrEqual(HEADERS_MAX)
    expect(resumed.answers.isWhole).toBe(false)
    expect(resumed.answers.find(id(versions))).toMatchObject({ type: 'set', version: versions + 1 })
  })

  it('is none before there is a config', () => {
    expect(machine().save()).toBeUndefined()
    expect(new StateMachine(TEXT, noThirteen).save()).toBeUndefined()
  })

  it('reports the config that it brings, once', () => {
    const before = machine()
    before.apply(entry('noop', utf8(TEXT))(1))
    const snapshot = decodeSnapshot(before.save()!)
    expect(before.restore(snapshot)).toEqual([])
    expect(machine().restore(snapshot)).toMatchObject([{ type: 'config', version: 1 }])
  })
})

describe('the decoder of snapshots', () => {
  const bytes = (() => {
    const made = machine()
    const list = [
      entry('noop', utf8(TEXT)),
      entry('command', encodeRedeem({ tokenId: id(1), peerId: 'q1', role: 'observer', uses: 1 })),
      ...[1, 13, 3].map((limit) => {
        const text = `{"limit":${limit}}`
        const set = { kind: 'config-set' as const, requestId: id(limit), author: 'p1', at: 0, reason: '', text }
        return entry('command', encodeCommand(set))
      }),
      entry('membership', encodeMembership({ ...FOUNDERS, learners: ['q1#1'] }))
    ]
    for (const [i, one] of list.entries()) made.apply(one(i + 1))
    return made.save()!
  })()

  it('reads what was written, and refuses any other bytes with its own error', () => {
    expect(decodeSnapshot(bytes).index).toBe(6)
    const read = (data: Uint8Array): boolean => {
      try {
        decodeSnapshot(data)
        return true
      } catch (error) {
        expect(error).toBeInstanceOf(SnapshotError)
        return false
      }
    }
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = bytes.slice()
        changed[at]! ^= flip
        read(changed)
      }),
      { numRuns: 400 }
    )
    fc.assert(fc.property(fc.nat({ max: bytes.length - 1 }), (length) => !read(bytes.subarray(0, length))))
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (data) => !read(data)))
  })

  it('names what is wrong', () => {
    const items = decodeCbor(bytes) as readonly CborValue[]
    const without = (at: number, value: CborValue): Uint8Array => encodeCbor(items.with(at, value))
    const config = items[7] as readonly CborValue[]
    const versions = config[3] as readonly (readonly CborValue[])[]
    const refused: [Uint8Array, RegExp][] = [
      [encodeCbor([...items, 1]), /10 items where 9 belong/],
      [without(0, 2), /not of format 1/],
      [without(1, 0), /of no entry/],
      [without(3, 9), /members are those of entry 9, it is of entry 6/],
      [without(4, new Uint8Array([1])), /membership entry|array/],
      [without(5, [7]), /no incarnation/],
      [without(7, config.with(3, versions.with(1, versions[1]!.with(2, 'another reason')))), /do not lead to the hash/],
      [without(7, config.with(3, [])), /has no version/],
      [without(7, config.with(1, 0)), /has no number/],
      [without(7, config.with(0, new Uint8Array(32).fill(1))), /before version 1/],
      [without(8, [[new Uint8Array(16), 'leader', []]]), /there is no role leader/]
    ]
    for (const [data, message] of refused) expect(() => decodeSnapshot(data)).toThrow(message)
  })
})
